"""Traces from producers to handlers, as the SDK exports them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from redis import Redis

from asynqpy import AsyncClient, Client, ConfigError, RevokeTask, ServeMux, Snooze, Task, TaskIDConflictError
from asynqpy.integrations.opentelemetry import ConsumerTracing, ProducerTracing, Relation, creation_context
from asynqpy.retry import fixed
from tests.redis.server.stage import Stage, eventually

pytestmark = pytest.mark.anyio

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keeps what has ended."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    """Not the global one, which can be set but once."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


@pytest.fixture
def stage(redis_url: str, redis: Redis, provider: TracerProvider) -> Iterator[Stage]:
    """An empty Redis with a client that is traced."""
    made = Stage(redis_url, redis)
    made.client.close()
    made.client = Client(redis_url, middlewares=[ProducerTracing(provider)])
    yield made
    made.close()


Spans = Callable[[str], list[ReadableSpan]]


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Spans:
    """The spans with a name that have ended, in order."""
    return lambda name: [span for span in exporter.get_finished_spans() if span.name == name]


def identity(span: ReadableSpan) -> tuple[int, int]:
    """Of its trace and of itself."""
    return span.context.trace_id, span.context.span_id


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    """The spans that it links to."""
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def traced(provider: TracerProvider, **options: Any) -> ServeMux:
    """A mux whose handlers do what the type says."""
    mux = ServeMux()
    mux.use(ConsumerTracing(tracer_provider=provider, **options))

    @mux.handler("fail")
    async def fail(task: Task) -> None:
        raise ValueError("boom")

    @mux.handler("snooze")
    async def snooze(task: Task) -> None:
        raise Snooze(600, "not yet")

    @mux.handler("revoke")
    async def revoke(task: Task) -> None:
        raise RuntimeError from RevokeTask("not wanted")

    @mux.handler("async")
    async def inside(task: Task) -> str:
        with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("inside"):
            return str(baggage.get_baggage("tenant"))

    @mux.handler("thread")
    def in_thread(task: Task) -> None:
        with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("inside"):
            pass

    return mux


async def test_one_trace_from_the_caller_to_the_handler(stage: Stage, provider: TracerProvider, spans: Spans) -> None:
    """Caller, send, process, and what the handler does: each the child of the one before, with the links besides."""
    with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("caller"):
        info = stage.enqueue("async", b"12345", queue="low")
    async with stage.serving(traced(provider), queues={"low": 1}):
        await stage.until_gone(info)
    (caller,), (send,), (process,), (inside,) = map(spans, ("caller", "send low", "process low", "inside"))
    parents = [(each.parent.trace_id, each.parent.span_id) for each in (send, process, inside) if each.parent]
    assert parents == [identity(caller), identity(send), identity(process)]
    assert linked(send) == []
    assert linked(process) == [identity(send)]
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert process.status.status_code is StatusCode.UNSET


async def test_attributes_follow_the_conventions(stage: Stage, provider: TracerProvider, spans: Spans) -> None:
    """Those for messaging, and asynq's own in the namespace of the system."""
    info = stage.enqueue("async", b"12345", queue="low", max_retry=3)
    async with stage.serving(traced(provider), queues={"low": 1}):
        await stage.until_gone(info)
    common = {
        "messaging.system": "asynq",
        "messaging.destination.name": "low",
        "messaging.message.id": info.id,
        "messaging.message.body.size": 5,
        "messaging.asynq.task.type": "async",
    }
    (send,), (process,) = spans("send low"), spans("process low")
    assert send.attributes == common | {"messaging.operation.name": "send", "messaging.operation.type": "send"}
    assert process.attributes == common | {
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.asynq.task.retried": 0,
        "messaging.asynq.task.max_retry": 3,
    }
    assert process.instrumentation_scope is not None
    assert process.instrumentation_scope.name == "asynqpy"


async def test_headers_are_those_of_the_w3c(stage: Stage, spans: Spans) -> None:
    """Whoever reads the task sees ordinary headers, those of the task among them."""
    info = stage.enqueue("async", headers={"own": "1"})
    (send,) = spans("send default")
    trace_id, span_id = identity(send)
    carried = f"00-{trace_id:032x}-{span_id:016x}-{send.context.trace_flags:02x}"
    assert info.headers == {"own": "1", "traceparent": carried}


async def test_threads_are_inside_the_span_too(stage: Stage, provider: TracerProvider, spans: Spans) -> None:
    """A plain function sees the context of its attempt."""
    async with stage.serving(traced(provider)):
        await stage.until_gone(stage.enqueue("thread"))
    (process,), (inside,) = spans("process default"), spans("inside")
    assert inside.parent is not None
    assert inside.parent.span_id == identity(process)[1]


async def test_baggage_travels_with_the_trace(stage: Stage, provider: TracerProvider) -> None:
    """As every part of the context that a propagator carries."""
    token = context.attach(baggage.set_baggage("tenant", "7"))
    try:
        info = stage.enqueue("async", retention=60)
    finally:
        context.detach(token)
    async with stage.serving(traced(provider)):
        assert (await stage.until_state(info, "completed")).result == b"7"


async def test_an_attempt_that_fails_says_so(stage: Stage, provider: TracerProvider, spans: Spans) -> None:
    """Each attempt has a span of its own, linked to the one producer, with its error."""
    async with stage.serving(traced(provider), retry_delay=fixed(0.01)):
        await stage.until_state(stage.enqueue("fail", max_retry=1), "archived")
    (send,) = spans("send default")
    first, second = spans("process default")
    for attempt, retried in ((first, 0), (second, 1)):
        assert attempt.status.status_code is StatusCode.ERROR
        assert attempt.status.description == "ValueError: boom"
        assert attempt.attributes is not None
        assert attempt.attributes["error.type"] == "ValueError"
        assert attempt.attributes["messaging.asynq.task.retried"] == retried
        assert [event.name for event in attempt.events] == ["exception"]
        assert linked(attempt) == [identity(send)]


@pytest.mark.parametrize(("task_type", "reason"), [("snooze", "not yet"), ("revoke", "not wanted")])
async def test_an_instruction_is_no_error(
    stage: Stage, provider: TracerProvider, spans: Spans, task_type: str, reason: str
) -> None:
    """It is an event of the span, also when another error wraps it."""
    async with stage.serving(traced(provider)):
        stage.enqueue(task_type)
        await eventually(lambda: spans("process default"))
    (process,) = spans("process default")
    assert process.status.status_code is StatusCode.UNSET
    assert "error.type" not in (process.attributes or {})
    ((name, attributes),) = [(event.name, dict(event.attributes or {})) for event in process.events]
    assert (name, attributes["reason"]) == (task_type if task_type == "snooze" else "revoketask", reason)


async def test_tasks_for_later_may_begin_a_trace_of_their_own(
    stage: Stage, provider: TracerProvider, spans: Spans
) -> None:
    """Linked to their producer's, for all tasks or for those that a function names."""

    def relation(task: Task) -> Relation:
        return "link" if task.queue == "later" else "parent"

    for chosen in ("link", relation):
        async with stage.serving(traced(provider, relation=chosen), queues={"later": 1}):
            await stage.until_gone(stage.enqueue("async", queue="later", process_in=0.1))
        send, process = spans("send later")[-1], spans("process later")[-1]
        assert process.parent is None
        assert identity(process)[0] != identity(send)[0]
        assert linked(process) == [identity(send)]
    with pytest.raises(ConfigError, match="relation must be"):
        ConsumerTracing(relation=cast("Relation", "child"))


async def test_a_task_without_a_trace_begins_one(
    stage: Stage, provider: TracerProvider, spans: Spans, redis_url: str
) -> None:
    """Its producer was not traced, or what it left cannot be read."""
    with Client(redis_url) as untraced:
        infos = [untraced.enqueue(Task("async")), untraced.enqueue(Task("async", headers={"traceparent": "nonsense"}))]
    async with stage.serving(traced(provider)):
        await stage.until_gone(*infos)
    for process in spans("process default"):
        assert process.parent is None
        assert linked(process) == []


async def test_a_context_that_the_task_brings_is_kept(stage: Stage, provider: TracerProvider, spans: Spans) -> None:
    """The caller knows better where the work began: the span of sending links there."""
    info = stage.enqueue("async", headers={"traceparent": PARENT})
    assert info.headers["traceparent"] == PARENT
    async with stage.serving(traced(provider)):
        await stage.until_gone(info)
    brought = (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    (send,), (process,) = spans("send default"), spans("process default")
    assert linked(send) == linked(process) == [brought]
    assert send.kind is SpanKind.CLIENT
    assert process.parent is not None
    assert process.parent.trace_id == brought[0]


async def test_a_refused_task_is_an_error_of_the_span(stage: Stage, spans: Spans) -> None:
    """With the class of the error; nothing carries its context."""
    stage.enqueue(task_id="a")
    with pytest.raises(TaskIDConflictError):
        stage.enqueue(task_id="a")
    _, refused = spans("send default")
    assert refused.status.status_code is StatusCode.ERROR
    assert (refused.attributes or {})["error.type"] == "asynqpy.errors.TaskIDConflictError"


async def test_a_batch_is_one_span(stage: Stage, provider: TracerProvider, spans: Spans, redis_url: str) -> None:
    """All its tasks carry its context; how many there were, and how many were refused, stands in its attributes."""
    async with AsyncClient(redis_url, middlewares=[ProducerTracing(provider)]) as client:
        tasks = [Task("async", n, task_id=f"{n // 2}") for n in range(6)]
        results = await client.enqueue_many([*tasks, Task("async", headers={"traceparent": PARENT})], queue="low")
        await client.enqueue_many([Task("t", queue="a"), Task("t", queue="b")])
    (batch,) = spans("send low")
    assert batch.kind is SpanKind.PRODUCER
    assert batch.attributes == {
        "messaging.system": "asynq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "low",
        "messaging.batch.message_count": 7,
        "messaging.asynq.refused_count": 3,
    }
    assert [link.context.trace_id for link in batch.links] == [0x0AF7651916CD43DD8448EB211C80319C]
    contexts = {result.info.headers["traceparent"].split("-")[2] for result in results[:6] if result.info}
    assert contexts == {f"{identity(batch)[1]:016x}"}
    (mixed,) = spans("send")
    assert "messaging.destination.name" not in (mixed.attributes or {})


async def test_tasks_of_a_batch_may_have_spans_of_their_own(
    provider: TracerProvider, spans: Spans, redis_url: str
) -> None:
    """Each carries the context of its create span, to which that of the batch links."""
    with Client(redis_url, middlewares=[ProducerTracing(provider, create_spans=True)]) as client:
        results = client.enqueue_many([Task("t", n) for n in range(3)])
    created, (batch,) = spans("create default"), spans("send default")
    assert [span.kind for span in created] == [SpanKind.PRODUCER] * 3
    assert batch.kind is SpanKind.CLIENT
    assert linked(batch) == [identity(span) for span in created]
    carried = [result.unwrap().headers["traceparent"].split("-")[2] for result in results]
    assert carried == [f"{identity(span)[1]:016x}" for span in created]


async def test_batches_that_overlap_do_not_mix(
    stage: Stage, provider: TracerProvider, exporter: InMemorySpanExporter, spans: Spans
) -> None:
    """Two are on their way at once; the caller's own span is current before and after."""
    with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("caller") as caller:
        for _ in stage.client.enqueue_stream(Task("t", n) for n in range(3500)):
            assert trace.get_current_span() is caller
        stream = stage.client.enqueue_stream(Task("t", n) for n in range(3500))
        next(iter(stream))
        stream.close()  # type: ignore[attr-defined]
        assert trace.get_current_span() is caller
    sent = spans("send default")
    assert [(span.attributes or {})["messaging.batch.message_count"] for span in sent[:4]] == [1000, 1000, 1000, 500]
    assert {span.parent.span_id for span in sent if span.parent} == {caller.get_span_context().span_id}
    assert all(span.status.status_code is StatusCode.UNSET for span in sent)


async def test_handlers_can_ask_for_the_context(stage: Stage, spans: Spans) -> None:
    """Where it does not reach by itself, as in child processes."""
    info = stage.enqueue("t")
    (send,) = spans("send default")
    found = trace.get_current_span(creation_context(Task("t", headers=info.headers))).get_span_context()
    assert (found.trace_id, found.span_id) == identity(send)
    assert not trace.get_current_span(creation_context(Task("t"))).get_span_context().is_valid
