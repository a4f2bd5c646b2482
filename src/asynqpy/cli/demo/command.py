"""The command: composes server, worker, workload and screen, and ends them."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.live import Live

from asynqpy._transport.channel import Channel
from asynqpy.cli.demo.figures import Figures, Observer
from asynqpy.cli.demo.journal import Journal, JournalHandler, Kind
from asynqpy.cli.demo.screen import line, screen, summary
from asynqpy.cli.demo.workload import LEGEND, WAIT, WEIGHTS, Workload, failure_noter, make_mux
from asynqpy.cli.logs import LogFormat, LogLevel, configure
from asynqpy.cli.render import redis_address
from asynqpy.client import AsyncClient
from asynqpy.config import RedisOptions
from asynqpy.errors import BrokerError
from asynqpy.server import Server

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

LOOK_SECONDS = 0.2
SHUTDOWN_SECONDS = 2.0
PREFIX = "demo-"
"""Of the queues in a Redis that is not the demo's own."""


@app.command()
def demo(
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", "-s", metavar="N", min=0.1, show_default="until Ctrl-C", help="End by itself."),
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", metavar="N", min=1, help="Tasks at once.")] = 10,
    redis: Annotated[
        str | None,
        typer.Option(
            "--redis",
            "-r",
            metavar="URL",
            show_default="an embedded server",
            help="A Redis to use instead, with queues of its own: demo-critical, demo-default, demo-low.",
        ),
    ] = None,
) -> None:
    """Watch tasks of every kind flow through a worker.

    Starts an embedded server in a temporary folder, a worker, and a stream of tasks: immediate, scheduled, failing,
    unique and slow ones. Nothing leaves this machine, and nothing is left of it.
    """
    with _url(redis) as url:
        prefix = PREFIX if redis else ""
        where = redis_address(RedisOptions.from_url(redis)) if redis else "embedded server"
        title = f"asynqpy demo   {where}   {concurrency} tasks at once"
        figures = asyncio.run(_run(url, prefix=prefix, title=title, concurrency=concurrency, seconds=seconds))
    print(summary(figures))
    if prefix:
        print(f"The queues {', '.join(prefix + queue for queue in WEIGHTS)} stay in Redis with what is left in them.")


@contextmanager
def _url(redis: str | None) -> Iterator[str]:
    if redis is not None:
        yield redis
        return
    with tempfile.TemporaryDirectory(prefix="asynqpy-demo-") as folder:
        yield f"embedded://{folder}"


async def _run(url: str, *, prefix: str, title: str, concurrency: int, seconds: float | None) -> Figures:
    journal, rng = Journal(), Random()
    queues = {prefix + queue: weight for queue, weight in WEIGHTS.items()}
    channel = Channel(url)
    observer = Observer(channel, list(queues), journal)
    server = Server(
        url,
        concurrency=concurrency,
        queues=queues,
        shutdown_timeout=SHUTDOWN_SECONDS,
        error_handler=failure_noter(journal),
    )
    try:
        figures = await observer.look()  # before anything is drawn: it may be unreachable
        async with (
            AsyncClient(url) as client,
            server.running(make_mux(journal, rng)),
            anyio.create_task_group() as group,
        ):
            workload = Workload(client, journal, rng, prefix=prefix)
            for arrivals in workload.arrivals():
                group.start_soon(workload.run, arrivals)
            with _output(title, prefix, journal) as show:
                await _watch(observer, journal, show, seconds)
            group.cancel_scope.cancel()
        with suppress(BrokerError):
            await observer.look()
        return observer.last or figures
    finally:
        await channel.close()


async def _watch(observer: Observer, journal: Journal, show: Callable[[Figures], None], seconds: float | None) -> None:
    """Show figures again and again until Ctrl-C, TERM or the end of *seconds*."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
    with anyio.move_on_after(seconds):
        while not ended.is_set():
            try:
                figures: Figures | None = await observer.look()
            except BrokerError as error:
                journal.note_once(Kind.TROUBLE, str(error))
                figures = observer.remember()
            if figures is not None:
                show(figures)
            with anyio.move_on_after(LOOK_SECONDS):
                await ended.wait()


@contextmanager
def _output(title: str, prefix: str, journal: Journal) -> Iterator[Callable[[Figures], None]]:
    """How to show figures: a screen that changes in place or, where there is no terminal, a line each second."""
    logging.getLogger("asynqpy.failures").setLevel(logging.CRITICAL)  # they are part of the show, and of the journal
    if not sys.stdout.isatty():
        configure(LogFormat.TEXT, LogLevel.WARNING)
        yield _line_printer()
        return
    logging.basicConfig(handlers=[JournalHandler(journal)], level=logging.WARNING, force=True)
    console = Console()
    legend = {prefix + queue: what for queue, what in LEGEND.items()} | {"wait": WAIT}
    with Live(console=console, auto_refresh=False) as live:
        yield lambda figures: live.update(
            screen(figures, title=title, legend=legend, height=console.height), refresh=True
        )


def _line_printer() -> Callable[[Figures], None]:
    printed = 0

    def show(figures: Figures) -> None:
        nonlocal printed
        if figures.elapsed >= printed + 1:
            printed = int(figures.elapsed)
            print(line(figures), flush=True)

    return show
