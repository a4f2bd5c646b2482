"""Traces across both languages: what a Go service sees, and what it sends."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from asynqpy import Client, ServeMux, Server, Task
from asynqpy.integrations.opentelemetry import ConsumerTracing, ProducerTracing
from tests.eventually import eventually as awaited

from .conftest import StartWorker
from .ends import Enqueuer, Order, program
from .look import Look

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keeps what has ended."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    """Exports at once."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def test_a_go_worker_sees_ordinary_headers(
    provider: TracerProvider,
    exporter: InMemorySpanExporter,
    start_worker: StartWorker,
    look: Look,
    redis_url: str,
) -> None:
    """The W3C's, beside those of the task, at each attempt: asynq keeps headers when it retries a task."""
    worker = start_worker("go", retry_delay=0.1)
    with Client(redis_url, middlewares=[ProducerTracing(provider)]) as client:
        payload = program(do="fail", error="boom", until=1)
        info = client.enqueue(Task("act", payload, headers={"own": "1"}), retention=60)
        batch = client.enqueue_many(Task("record", n) for n in range(3))
    send, sent_together = exporter.get_finished_spans()
    for attempt in (1, 2):
        headers = worker.wait_start(info.id, attempt).headers
        assert headers["own"] == "1"
        version, trace_id, span_id, _ = headers["traceparent"].split("-")
        assert (version, int(trace_id, 16), int(span_id, 16)) == ("00", send.context.trace_id, send.context.span_id)
    look.wait(info.id, "completed")
    assert look.message("default", info.id)["headers"] == info.headers
    for result in batch:
        headers = worker.wait_start(result.unwrap().id).headers
        assert int(headers["traceparent"].split("-")[1], 16) == sent_together.context.trace_id


@pytest.mark.anyio
async def test_a_trace_of_a_go_service_goes_on_here(
    provider: TracerProvider, exporter: InMemorySpanExporter, clients: dict[str, Enqueuer], redis_url: str
) -> None:
    """A header that a Go client sets by its own OpenTelemetry is the parent of our attempt."""
    mux = ServeMux()
    mux.use(ConsumerTracing(tracer_provider=provider))

    @mux.handler("record")
    async def record(task: Task) -> None:
        """Succeed."""

    known = clients["go"].enqueue(Order(headers={"traceparent": TRACEPARENT}))
    async with Server(redis_url).running(mux):
        await awaited(exporter.get_finished_spans)
    (process,) = exporter.get_finished_spans()
    assert process.parent is not None
    assert f"{process.parent.trace_id:032x}-{process.parent.span_id:016x}" in TRACEPARENT
    assert (process.attributes or {})["messaging.message.id"] == known.id
