"""The command: composes server, worker, workload and screen, and ends them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from random import Random
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.live import Live

from asynqpy._transport.channel import Channel
from asynqpy.cli.demo import dashboard
from asynqpy.cli.demo.figures import Figures, Observer
from asynqpy.cli.demo.journal import Journal, JournalHandler, Kind
from asynqpy.cli.demo.screen import line, screen, summary
from asynqpy.cli.demo.workload import (
    LEGEND,
    WAIT,
    WEIGHTS,
    Workload,
    failure_noter,
    make_aggregators,
    make_mux,
    register_schedules,
)
from asynqpy.cli.logs import LogFormat, LogLevel, configure
from asynqpy.client import AsyncClient
from asynqpy.config import RedisOptions, redis_address
from asynqpy.errors import BrokerError, ConfigError
from asynqpy.inspector import AsyncInspector
from asynqpy.scheduler import Scheduler
from asynqpy.server import Server

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

LOOK_SECONDS = 0.2
SHUTDOWN_SECONDS = 2.0
APP_VERSION = "2026.4"
"""What the worker tells of itself, so that failures show which version failed."""
GROUP_GRACE_SECONDS = 4
GROUP_DELAY_SECONDS = 20
GROUP_SIZE = 25
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
            help="A Redis to use instead, with queues of its own: demo-critical, demo-default and so on.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            "-p",
            metavar="PORT",
            min=0,
            max=65535,
            show_default="8080 if free, else another",
            help="Of the web dashboard; 0 takes a free one.",
        ),
    ] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without the web dashboard.")] = False,
) -> None:
    """Watch tasks of every kind flow through a worker, in the web dashboard and in this terminal.

    Starts an embedded server in a temporary folder, a worker, a scheduler, the dashboard, and a stream of tasks:
    immediate, scheduled, periodic, grouped, unique, limited, slow and failing ones. Nothing leaves this machine, and
    nothing is left of it.
    """
    with _url(redis) as url, _listening(port, wanted=not no_web) as listening:
        prefix = PREFIX if redis else ""
        address = dashboard.address_of(listening) if listening else ""
        where = redis_address(RedisOptions.from_url(redis)) if redis else "embedded server"
        title = "   ".join(filter(None, ("asynqpy demo", address, where, f"{concurrency} tasks at once")))
        figures = asyncio.run(
            _run(url, prefix=prefix, title=title, concurrency=concurrency, seconds=seconds, listening=listening)
        )
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


@contextmanager
def _listening(port: int | None, *, wanted: bool) -> Iterator[socket.socket | None]:
    """Where the dashboard is to listen; None where it is not wanted, or not installed."""
    if not wanted:
        yield None
    elif not dashboard.load():
        if port is not None:
            raise ConfigError("the web dashboard is not installed: pip install 'asynqpy[web]'")
        print("Without the web dashboard, which is not installed: pip install 'asynqpy[web]'", flush=True)
        yield None
    else:
        with dashboard.bind(port) as found:
            yield found


async def _run(
    url: str,
    *,
    prefix: str,
    title: str,
    concurrency: int,
    seconds: float | None,
    listening: socket.socket | None,
) -> Figures:
    journal, rng = Journal(), Random()
    queues = {prefix + queue: weight for queue, weight in WEIGHTS.items()}
    channel = Channel(url)
    observer = Observer(channel, list(queues), journal)
    server = Server(
        url,
        concurrency=concurrency,
        queues=queues,
        app_version=APP_VERSION,
        shutdown_timeout=SHUTDOWN_SECONDS,
        aggregator=make_aggregators(),
        group_grace_period=GROUP_GRACE_SECONDS,
        group_max_delay=GROUP_DELAY_SECONDS,
        group_max_size=GROUP_SIZE,
        error_handler=failure_noter(journal),
    )
    scheduler = Scheduler(url)
    register_schedules(scheduler, prefix=prefix)
    try:
        figures = await observer.look()  # before anything is drawn: it may be unreachable
        async with (
            AsyncClient(url) as client,
            dashboard.serving(url, listening) if listening else nullcontext(),
            server.running(make_mux(journal, rng)),
            scheduler.running(),
            anyio.create_task_group() as group,
        ):
            if listening:
                print(f"web dashboard: {dashboard.address_of(listening)}", flush=True)
            workload = Workload(client, journal, rng, prefix=prefix)
            async with AsyncInspector(url) as inspector:
                await workload.begin(inspector)
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
