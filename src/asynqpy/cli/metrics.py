"""``asynqpy metrics``: an exporter of the numbers of all queues, for Prometheus."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from asynqpy.cli.metering import LOOPBACK, check_installed
from asynqpy.cli.options import RedisURL
from asynqpy.config import RedisOptions, redis_address

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

DEFAULT_PORT = 9876
"""That of asynq's exporter."""


@app.command()
def metrics(
    *,
    redis: RedisURL = None,
    port: Annotated[
        int, typer.Option("--port", "-p", metavar="PORT", min=0, max=65535, help="0 takes a free one.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Where to listen: this machine alone unless given; 0.0.0.0 or :: for everybody.",
        ),
    ] = LOOPBACK,
) -> None:
    """Serve the numbers of all queues for Prometheus, until Ctrl-C or TERM.

    At /metrics are the metrics of asynq's own exporter, by the same names, some of ours, and those of this process.
    Redis is asked at each scrape. One exporter is enough for a Redis; what workers do is served by themselves: see
    `asynqpy worker --metrics-port`.
    """
    check_installed("asynqpy metrics")
    from prometheus_client import (
        CollectorRegistry,
        GCCollector,
        PlatformCollector,
        ProcessCollector,
        disable_created_metrics,
    )

    from asynqpy.inspector import Inspector
    from asynqpy.metrics import MetricsEndpoint, QueueMetricsCollector

    options = RedisOptions.default() if redis is None else RedisOptions.from_url(redis)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    disable_created_metrics()
    registry = CollectorRegistry()
    for of_this_process in (ProcessCollector, PlatformCollector, GCCollector):
        of_this_process(registry=registry)
    with Inspector(options) as inspector:
        inspector.ping()
        registry.register(QueueMetricsCollector(inspector))
        with MetricsEndpoint(registry, port=port, host=host) as endpoint:
            print(f"metrics of {redis_address(options)} at {endpoint.url}, Ctrl-C ends it", flush=True)
            stop.wait()
    print("ended", flush=True)
