"""What watches clients and servers, as type checkers see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_type

from asynqpy import (
    AsyncClient,
    AttemptOutcome,
    Client,
    ClientMiddleware,
    HandledPatterns,
    Inspector,
    Outgoing,
    ServeMux,
    Server,
    ServerObserver,
    Task,
    TaskInfo,
    TypeWithoutConsumer,
)
from asynqpy.integrations.opentelemetry import ConsumerTracing, ProducerTracing, Relation
from asynqpy.metrics import QueueMetricsCollector, ServerMetrics


@contextmanager
def headers(tasks: Sequence[Outgoing]) -> Iterator[None]:
    for outgoing in tasks:
        outgoing.headers["tenant"] = outgoing.queue
    yield
    assert_type(tasks[0].info, TaskInfo | None)


class Counting:
    """An observer of a user's own."""

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None: ...

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None: ...

    def task_released(self, queue: str) -> None: ...

    def turn_ended(self, size: int, seconds: float) -> None: ...

    def reconnected(self, connection: str) -> None: ...


def relation(task: Task) -> Relation:
    return "link" if task.queue == "nightly" else "parent"


middlewares: list[ClientMiddleware] = [headers, ProducerTracing(create_spans=True)]
Client(middlewares=middlewares)
AsyncClient(middlewares=(headers,))

observer: ServerObserver = ServerMetrics()
Server(observer=observer, unknown_types="release")
Server(observer=Counting(), unknown_types="fail")
Server(unknown_types="drop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

mux = ServeMux()
mux.use(ConsumerTracing(), ConsumerTracing(relation="link"), ConsumerTracing(relation=relation))

with Inspector() as inspector:
    QueueMetricsCollector(inspector)
    assert_type(inspector.types_without_consumer("low", sample=10), list[TypeWithoutConsumer])
    (server,) = inspector.handled_patterns()
    assert_type(server, HandledPatterns)
    assert_type(server.handles("t"), bool | None)
