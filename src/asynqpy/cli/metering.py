"""Metrics of a worker on the command line: of this process, or of all children of a supervisor. Needs ``metrics``."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from asynqpy.errors import ConfigError

if TYPE_CHECKING:
    from asynqpy.metrics.processes import ProcessesMetrics
    from asynqpy.metrics.servers import ServerMetrics

log = logging.getLogger("asynqpy")

LOOPBACK = "127.0.0.1"


class Address(NamedTuple):
    """Where metrics are served."""

    host: str
    port: int


def check_installed(wanted_by: str) -> None:
    """Raises `ConfigError` when the extra is missing."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError(f"{wanted_by} needs prometheus-client: pip install 'asynqpy[metrics]'")


@contextmanager
def of_this_process(address: Address | None, *, is_child: bool) -> Iterator[ServerMetrics | None]:
    """Measure the server of this process, and serve the numbers unless a supervisor does; None without an address."""
    if address is None:
        yield None
        return
    check_installed("--metrics-port")
    from asynqpy.metrics import MetricsEndpoint, ServerMetrics

    metrics = ServerMetrics()
    if is_child:
        yield metrics
        return
    from prometheus_client import REGISTRY, disable_created_metrics

    disable_created_metrics()  # a moment of birth for each number: twice the page, of no use to anybody here
    with MetricsEndpoint(REGISTRY, port=address.port, host=address.host) as endpoint:
        log.info("metrics are served", extra={"url": endpoint.url})
        yield metrics


@contextmanager
def of_children(address: Address | None) -> Iterator[ProcessesMetrics | None]:
    """Serve the numbers of all children of this process; None without an address."""
    if address is None:
        yield None
        return
    check_installed("--metrics-port")
    # The supervisor's own numbers are no child's. What is set here decides when prometheus_client is imported.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    from prometheus_client import disable_created_metrics

    from asynqpy.metrics import MetricsEndpoint
    from asynqpy.metrics.processes import ProcessesMetrics

    disable_created_metrics()
    metrics = ProcessesMetrics()
    try:
        with MetricsEndpoint(metrics.text, port=address.port, host=address.host) as endpoint:
            log.info("metrics are served", extra={"url": endpoint.url})
            yield metrics
    finally:
        metrics.close()
