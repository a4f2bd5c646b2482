"""``asynqpy redis``: the embedded server in the foreground."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def redis(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            "-f",
            metavar="DIR",
            show_default=False,
            help="Where its data is: your data folder unless given.",
        ),
    ] = None,
) -> None:
    """Run the embedded server in the foreground until Ctrl-C, for workers and clients on this machine.

    It listens on a Unix socket that only you can open, and keeps its data in the folder. Whoever names the same folder
    shares it: the server ends when this command and all others that use it have ended.
    """
    from asynqpy._transport.embedded import EmbeddedServer

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with EmbeddedServer.acquire(folder) as server:
        print(f"embedded server ready, data in {server.folder}")
        print(f"  asynqpy   embedded://{server.folder}")
        print(f"  others    redis-socket://{server.socket_path}")
        print("Ctrl-C ends it.", flush=True)
        stop.wait()
    print("ended", flush=True)
