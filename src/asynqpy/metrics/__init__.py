"""Metrics for Prometheus: of queues, as asynq's own collector has them, and of a running server.

Needs ``asynqpy[metrics]``.
"""

from __future__ import annotations

try:
    import prometheus_client as _prometheus_client
except ImportError as error:
    raise ImportError("asynqpy.metrics needs prometheus-client: pip install 'asynqpy[metrics]'") from error

from asynqpy.metrics.endpoint import MetricsEndpoint
from asynqpy.metrics.queues import QueueMetricsCollector
from asynqpy.metrics.servers import ServerMetrics

__all__ = ["MetricsEndpoint", "QueueMetricsCollector", "ServerMetrics"]

del _prometheus_client
