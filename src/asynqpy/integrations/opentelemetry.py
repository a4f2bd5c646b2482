"""Traces that go on from the producer of a task to its handler, by OpenTelemetry. Needs ``asynqpy[otel]``.

The trace context travels in the headers of the task, as W3C's ``traceparent`` unless another propagator is set: Go
clients and servers see ordinary headers. Spans, their names and their attributes follow the semantic conventions for
messaging; a queue is a destination, a task is a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

try:
    from opentelemetry import propagate, trace
except ImportError as error:
    raise ImportError(
        "asynqpy.integrations.opentelemetry needs opentelemetry-api: pip install 'asynqpy[otel]'"
    ) from error

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.util.types import AttributeValue

from asynqpy._worker.outcome import find_instruction
from asynqpy.errors import ConfigError, RevokeTask, Snooze
from asynqpy.handlers import Next
from asynqpy.outgoing import Outgoing
from asynqpy.task import Task

__all__ = ["ConsumerTracing", "ProducerTracing", "Relation", "creation_context"]

Relation: TypeAlias = Literal["parent", "link"]
"""How the span of an attempt stands to that of the producer: its child in the same trace, or only linked to it."""

SYSTEM = "asynq"


def creation_context(task: Task) -> Context:
    """The trace context in the headers of *task*; an empty one where its producer was not traced.

    For handlers that make spans of their own where no context reaches, as in child processes.
    """
    return propagate.extract(task.headers, context=Context())


class ProducerTracing:
    """A middleware of clients that makes a span for each call: ``Client(..., middlewares=[ProducerTracing()])``.

    ``enqueue`` makes one ``send`` span, whose context the task carries. ``enqueue_many`` makes one for each batch, up
    to a thousand tasks; all tasks of the batch carry its context, or, with *create_spans*, each that of a ``create``
    span of its own, to which the span of the batch links. A task that brings a trace context in its headers keeps it.

    Args:
        tracer_provider: the global one unless given.
        create_spans: whether each task of a batch gets a span of its own.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None, *, create_spans: bool = False) -> None:
        self._tracer = _tracer(tracer_provider)
        self._create_spans = create_spans

    @contextmanager
    def __call__(self, tasks: Sequence[Outgoing]) -> Iterator[None]:
        """The span around a round trip."""
        if len(tasks) == 1:
            with self._sending(tasks[0]):
                yield
        else:
            with self._sending_batch(tasks):
                yield

    @contextmanager
    def _sending(self, outgoing: Outgoing) -> Iterator[None]:
        own = _span_context(outgoing.headers)
        span = self._tracer.start_span(
            f"send {outgoing.queue}",
            kind=SpanKind.CLIENT if own.is_valid else SpanKind.PRODUCER,
            links=[Link(own)] if own.is_valid else (),
            attributes={**_operation("send", outgoing.queue), **_task_attributes(outgoing.task)},
        )
        if not own.is_valid:
            propagate.inject(outgoing.headers, context=trace.set_span_in_context(span))
        with _ending(span):
            yield
            if outgoing.info is not None:
                span.set_attribute("messaging.message.id", outgoing.info.id)

    @contextmanager
    def _sending_batch(self, tasks: Sequence[Outgoing]) -> Iterator[None]:
        links: list[Link] = []
        untraced: list[Outgoing] = []
        for each in tasks:
            own = _span_context(each.headers)
            if own.is_valid:
                links.append(Link(own))
            elif self._create_spans:
                links.append(Link(self._create(each)))
            else:
                untraced.append(each)
        queues = {each.queue for each in tasks}
        queue = queues.pop() if len(queues) == 1 else ""
        span = self._tracer.start_span(
            f"send {queue}" if queue else "send",
            kind=SpanKind.PRODUCER if untraced else SpanKind.CLIENT,
            links=links,
            attributes={**_operation("send", queue), "messaging.batch.message_count": len(tasks)},
        )
        context = trace.set_span_in_context(span)
        with _ending(span):
            for each in untraced:
                propagate.inject(each.headers, context=context)
            yield
            refused = sum(each.error is not None for each in tasks)
            if refused:
                span.set_attribute("messaging.asynq.refused_count", refused)

    def _create(self, outgoing: Outgoing) -> SpanContext:
        span = self._tracer.start_span(
            f"create {outgoing.queue}",
            kind=SpanKind.PRODUCER,
            attributes={**_operation("create", outgoing.queue), **_task_attributes(outgoing.task)},
        )
        propagate.inject(outgoing.headers, context=trace.set_span_in_context(span))
        span.end()
        return span.get_span_context()


class ConsumerTracing:
    """A middleware of handlers that makes a ``process`` span for each attempt: ``mux.use(ConsumerTracing())``.

    Use it first, so that the time in other middlewares is in it. An attempt that fails records its error; `Snooze` and
    `RevokeTask` are no errors.

    Args:
        relation: ``"parent"`` makes the span a child of the producer's, so that one trace shows the whole way;
            ``"link"`` begins a trace of its own, for tasks that run hours after they were enqueued. Linked to the
            producer's span it is in any case. Or a function that tells it for each task.
        tracer_provider: the global one unless given.

    Raises:
        ConfigError: a relation that is none of these.
    """

    def __init__(
        self,
        *,
        relation: Relation | Callable[[Task], Relation] = "parent",
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        if not callable(relation) and relation not in ("parent", "link"):
            raise ConfigError(f"relation must be 'parent', 'link' or a function that tells it, got {relation!r}")
        self._tracer = _tracer(tracer_provider)
        self._relation = relation

    async def __call__(self, task: Task, next: Next) -> object:  # noqa: A002 - the word of all middlewares
        """Run the rest of the chain inside the span."""
        context = creation_context(task)
        creation = _span_context(task.headers)
        relation = self._relation(task) if callable(self._relation) else self._relation
        span = self._tracer.start_span(
            f"process {task.queue}",
            context=context if relation == "parent" else Context(),
            kind=SpanKind.CONSUMER,
            links=[Link(creation)] if creation.is_valid else (),
            attributes={
                **_operation("process", task.queue),
                **_task_attributes(task),
                "messaging.message.id": task.id,
                "messaging.asynq.task.retried": task.retried,
                "messaging.asynq.task.max_retry": task.max_retry,
            },
        )
        token = attach(trace.set_span_in_context(span, context))
        try:
            with _ending(span):
                return await next(task)
        finally:
            detach(token)


def _tracer(provider: TracerProvider | None) -> Tracer:
    from asynqpy import __version__

    return trace.get_tracer("asynqpy", __version__, provider)


def _span_context(headers: Mapping[str, str]) -> SpanContext:
    """The creation context in *headers*; not valid where there is none."""
    return trace.get_current_span(propagate.extract(headers, context=Context())).get_span_context()


def _operation(name: Literal["create", "send", "process"], queue: str) -> dict[str, AttributeValue]:
    """Attributes of every span; sampling may depend on them, so they are there from its start."""
    found: dict[str, AttributeValue] = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": name,
        "messaging.operation.type": name,
    }
    if queue:
        found["messaging.destination.name"] = queue
    return found


def _task_attributes(task: Task) -> dict[str, AttributeValue]:
    return {"messaging.asynq.task.type": task.type, "messaging.message.body.size": len(task.payload)}


@contextmanager
def _ending(span: Span) -> Iterator[None]:
    """End *span*, with the error that comes out of the block."""
    try:
        yield
    except GeneratorExit:  # whoever consumed a stream of results has had enough
        raise
    except BaseException as error:
        instruction = find_instruction(error)
        if isinstance(instruction, Snooze | RevokeTask):
            span.add_event(type(instruction).__name__.lower(), {"reason": str(instruction)})
            raise
        span.set_attribute("error.type", _qualified(type(error)))
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        span.end()


def _qualified(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
