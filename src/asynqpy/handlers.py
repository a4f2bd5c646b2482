"""Handlers and middlewares as users write them, and the routes that a worker makes of them.

A mux turns each registered handler into a `Route`: the worker calls ``route.run(task)`` for an async handler, and for
the others supplies the call into a thread or a child process and lets the route wrap its middlewares around it. Which
route a task takes is the mux's business; encoding what a handler returns is the worker's.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from operator import attrgetter
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, get_type_hints

import msgspec
import msgspec.inspect

from asynqpy import payload as payloads
from asynqpy.context import running_task
from asynqpy.errors import ConfigError, PayloadError
from asynqpy.limits import Limit
from asynqpy.options import Options, text
from asynqpy.retry import RetryDelay
from asynqpy.schemas import Schema, describe
from asynqpy.task import Task

P = ParamSpec("P")
R = TypeVar("R")

Handler: TypeAlias = Callable[[Task], object]
"""What runs a task: an async function on the event loop, a plain one in a thread.

What it returns is the task's result: bytes as they are, None for no result, anything else encoded like a payload."""

Next: TypeAlias = Callable[[Task], Awaitable[object]]
"""The rest of the chain, which a middleware calls: further middlewares, then the handler."""

Middleware: TypeAlias = Callable[[Task, Next], Awaitable[object]]
"""An async function around handlers: ``async def timed(task, next): ... return await next(task)``.

What it returns is the task's result, so a middleware that forgets its ``return`` loses the result."""

Isolation: TypeAlias = Literal["thread", "process"]
"""Where a handler runs if not where its kind of function runs by itself."""


class HandlerKind(StrEnum):
    """Where a handler runs."""

    ASYNC = "async"
    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How the tasks of one pattern are run. One object a pattern, however many types match it, so it can be a key."""

    pattern: str
    """The pattern that matched, that of the innermost mux; empty for a not-found handler."""
    function: Handler
    """Takes the task. For a typed handler it decodes the payload and calls the user's function."""
    kind: HandlerKind
    retry_delay: RetryDelay | None = None
    """The handler's own policy; None leaves it to the server."""
    reference: str = ""
    """Where a child process finds the handler, for `call_by_reference`; empty unless the kind is PROCESS."""
    middlewares: tuple[Middleware, ...] = ()
    """Outermost first."""
    is_unknown: bool = False
    """Nothing matched, and there is no not-found handler of the user's either: the function only raises."""
    limit: Limit | None = None
    """How often and how many at once, across all servers; None: as they come."""
    typed: TypedTask[..., Any] | None = None
    """The typed handler that the function belongs to; None for others."""
    run: Next | None = field(init=False)
    """The whole chain for an async handler; None for the others, whose innermost call the worker gives to `wrap`.

    It may raise when called, not only when awaited: a payload is decoded before the handler's coroutine exists."""

    def __post_init__(self) -> None:
        run = self.wrap(cast("Next", self.function)) if self.kind is HandlerKind.ASYNC else None
        object.__setattr__(self, "run", run)

    def wrap(self, call: Next) -> Next:
        """*call* with the middlewares around it; *call* itself where there are none. Once a route, not once a task."""
        for middleware in reversed(self.middlewares):
            call = _around(middleware, call)
        return call

    def within(self, middlewares: tuple[Middleware, ...]) -> Route:
        """This route with *middlewares* around its own."""
        return replace(self, middlewares=(*middlewares, *self.middlewares)) if middlewares else self


class TypedTask(Generic[P, R]):
    """A function whose arguments travel as the payload, a JSON object. ``@mux.task(...)`` makes it.

    Calling it calls the function. ``task(...)`` takes the same arguments and makes a `Task` of them, to be enqueued.
    In a worker the payload is decoded into the types of the signature: whatever msgspec decodes (dataclasses, Structs,
    datetimes, unions …) and pydantic models at any depth; a parameter without annotation takes any JSON. Fields that
    the function does not know are ignored, so that producers may be deployed before workers, and an empty payload is
    an empty object. A payload that does not fit fails the attempt with `PayloadError` as any other failure would: it
    is retried, because the next deployment may understand it.

    A parameter cannot be the running task, for then ``task(...)`` would ask for one: `current_task` knows it.

    Raises:
        ConfigError: the signature cannot be a JSON object, or a type in it cannot be decoded.
        InvalidTaskError: a type name or an option that cannot work.
    """

    def __init__(self, function: Callable[P, R], type: str, options: Options) -> None:  # noqa: A002
        functools.update_wrapper(self, function)
        self.function = function
        self.type = text("task type", type)
        self.options = options
        parameters = _parameters(function)
        self._bind = _argument_binder(function, parameters)
        decoder = _argument_decoder(function, parameters)
        self._decode, self._arguments = decoder.decode, decoder.type
        self._by_name = any(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)

    @functools.cached_property
    def payload_schema(self) -> Schema | None:
        """The JSON Schema of its payloads; None where a type in it cannot be described."""
        return describe(self._arguments)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, here and now."""
        return self.function(*args, **kwargs)

    def task(self, *args: P.args, **kwargs: P.kwargs) -> Task:
        """A task with these arguments, for ``enqueue``.

        Arguments left out stay out of the payload, so the worker's own defaults count. Fields are in the order of the
        signature however the arguments are ordered: the same arguments are the same payload to ``unique_for``.

        Raises:
            TypeError: arguments that the function does not take, or a missing one.
            InvalidTaskError: an argument without a JSON form.
        """
        try:
            arguments = self._bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{_name(self.function)}{inspect.signature(self.function)}: {error}") from None
        return Task.prepared(self.type, payloads.encode(arguments), self.options)

    def handle(self, task: Task) -> R:
        """Call the function with the arguments that *task* carries.

        Raises:
            PayloadError: the payload is not a JSON object, or an argument is missing or of another type.
        """
        try:
            arguments = self._decode(task.payload or b"{}")
        except (ValueError, TypeError, RecursionError) as error:
            raise PayloadError(f"payload does not fit {_name(self.function)}: {error}") from error
        call: Callable[..., R] = self.function
        if self._by_name:
            return call(**msgspec.structs.asdict(arguments))
        return call(*msgspec.structs.astuple(arguments))

    def __repr__(self) -> str:
        return f"<TypedTask {self.type!r} {_name(self.function)}{inspect.signature(self.function)}>"


def route_to(
    pattern: str,
    handler: Handler | TypedTask[..., Any],
    *,
    isolate: Isolation | None = None,
    retry_delay: RetryDelay | None = None,
    limit: Limit | None = None,
) -> Route:
    """A route without middlewares from *pattern* to *handler*.

    Raises:
        ConfigError: the handler cannot be called with a task, or cannot run where *isolate* says.
    """
    written: Callable[..., object] = handler.function if isinstance(handler, TypedTask) else handler
    function = handler.handle if isinstance(handler, TypedTask) else handler
    if not callable(function) or not _accepts(function, 1):
        hint = "; @mux.task takes functions with other arguments" if inspect.isfunction(function) else ""
        raise ConfigError(f"a handler must be a function of one argument, the task, got {function!r}{hint}")
    if inspect.isgeneratorfunction(written) or inspect.isasyncgenfunction(written):
        raise ConfigError(f"{_name(written)} is a generator: nothing would run it; return instead of yielding")
    if retry_delay is not None and not callable(retry_delay):
        raise ConfigError(f"retry_delay must be a function, got {retry_delay!r}; use asynqpy.retry.fixed(seconds)")
    kind = _kind(written, isolate)
    reference = _reference(written) if kind is HandlerKind.PROCESS else ""
    typed = handler if isinstance(handler, TypedTask) else None
    return Route(pattern, function, kind, retry_delay, reference, limit=limit, typed=typed)


def checked_middleware(middleware: Middleware) -> Middleware:
    """*middleware*, if it is async and takes the task and the rest of the chain.

    Raises:
        ConfigError: it is not.
    """
    if not callable(middleware) or not _accepts(middleware, 2):
        raise ConfigError(f"a middleware must be a function of two arguments, the task and next, got {middleware!r}")
    if not _is_async(middleware):
        raise ConfigError(f"a middleware must be async, {_name(middleware)} is not: it would block every task")
    return middleware


def call_by_reference(reference: str, task: Task) -> object:
    """Run the handler at *reference*, ``module:name``, with *task* and return what it returns. For child processes.

    An async handler gets an event loop of its own.

    Raises:
        ConfigError: there is no such module or name here.
    """
    handler = _resolve(reference)
    token = running_task.set(task)
    try:
        returned = handler(task)
        return asyncio.run(_finish(returned)) if inspect.isawaitable(returned) else returned
    finally:
        running_task.reset(token)


async def _finish(awaitable: Awaitable[object]) -> object:
    return await awaitable


def _resolve(reference: str) -> Handler:
    module, _, name = reference.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the child process cannot find the handler {reference!r}: {error}") from error
    return cast("Handler", found.handle if isinstance(found, TypedTask) else found)


def _reference(function: Callable[..., object]) -> str:
    if not inspect.isfunction(function) or "<" in function.__qualname__:  # <lambda>, <locals>
        raise ConfigError(
            f"{_name(function)} cannot be isolated in a process: the child has to import it, so it must be a function"
            " with a name of its own at the top level of a module"
        )
    return f"{function.__module__}:{function.__qualname__}"


def _kind(function: Callable[..., object], isolate: Isolation | None) -> HandlerKind:
    match isolate:
        case None:
            return HandlerKind.ASYNC if _is_async(function) else HandlerKind.THREAD
        case "thread" if _is_async(function):
            # A loop of its own in the thread would break all that belongs to the worker's loop, results included.
            raise ConfigError(f"{_name(function)} is async and runs on the event loop; only plain functions in threads")
        case "thread":
            return HandlerKind.THREAD
        case "process":
            return HandlerKind.PROCESS
    raise ConfigError(f"isolate must be 'thread', 'process' or None, got {isolate!r}")


def _is_async(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _accepts(function: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except (ValueError, NameError):  # a builtin, or annotations that only a type checker can resolve
        return True
    return True


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _around(middleware: Middleware, call: Next) -> Next:
    return lambda task: middleware(task, call)


_IN_AN_OBJECT = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """The parameters of *function*, if each can be a field of a JSON object, with their types resolved."""
    if not inspect.isfunction(function):
        raise ConfigError(f"a typed handler must be a function, got {function!r}")
    try:
        hints = get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())
    except NameError as error:
        raise ConfigError(
            f"{_name(function)}: {error}; the types of a typed handler are needed when it is defined: keep them at the"
            " top level of a module and import them outside of `if TYPE_CHECKING`"
        ) from error
    for parameter in parameters:
        if parameter.kind not in _IN_AN_OBJECT:
            raise ConfigError(f"{_name(function)}: {parameter} has no place in a JSON object; name each argument")
    if parameters and parameters[0].name in ("self", "cls"):
        raise ConfigError(f"{_name(function)}: a typed handler must be a function, not a method")
    return [parameter.replace(annotation=hints.get(parameter.name, Any)) for parameter in parameters]


def _argument_binder(
    function: Callable[..., object], parameters: Sequence[inspect.Parameter]
) -> Callable[..., msgspec.Struct]:
    """A Struct of the arguments of one call: it binds them twenty times faster than `inspect.Signature.bind`."""

    def fields(kind: object) -> list[Any]:
        chosen = [parameter for parameter in parameters if parameter.kind is kind]
        return [(each.name, Any) if _required(each) else (each.name, Any, msgspec.UNSET) for each in chosen]

    name = function.__name__
    positional = msgspec.defstruct(name, fields(inspect.Parameter.POSITIONAL_OR_KEYWORD))
    return msgspec.defstruct(name, fields(inspect.Parameter.KEYWORD_ONLY), bases=(positional,), kw_only=True)


def _argument_decoder(
    function: Callable[..., object], parameters: Sequence[inspect.Parameter]
) -> msgspec.json.Decoder[msgspec.Struct]:
    """From JSON to a Struct of all arguments, in the order of *parameters*."""

    def field_of(parameter: inspect.Parameter) -> Any:
        if _required(parameter):
            return parameter.name, parameter.annotation
        # A factory, so that an omitted argument is the very object that a plain call would get.
        return parameter.name, parameter.annotation, msgspec.field(default_factory=lambda: parameter.default)

    try:
        struct = msgspec.defstruct(function.__name__, [field_of(each) for each in parameters], kw_only=True)
        decoder = msgspec.json.Decoder(struct, dec_hook=_decode_foreign)
        foreign = [each for each in _foreign_types(struct) if not hasattr(each, "model_validate_json")]
    except TypeError as error:
        raise ConfigError(f"{_name(function)}: {error}") from error
    if foreign:
        hint = "; current_task() is the running task" if Task in foreign else ""
        raise ConfigError(f"{_name(function)}: no payload can carry a {foreign[0].__qualname__}{hint}")
    return decoder


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty


def _decode_foreign(model: Any, value: object) -> object:
    # By way of JSON, not of Python values: a strict pydantic model takes a datetime from the former only.
    return model.model_validate_json(msgspec.json.encode(value))


def _foreign_types(struct: type[msgspec.Struct]) -> Iterator[type]:
    """The types anywhere inside *struct* that msgspec leaves to others."""
    pending: list[object] = [msgspec.inspect.type_info(struct)]
    seen: set[int] = set()  # types may contain themselves
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, msgspec.inspect.CustomType):
            yield node.cls
        elif isinstance(node, tuple):
            pending.extend(node)
        elif isinstance(node, msgspec.inspect.Type | msgspec.inspect.Field):
            pending.extend(msgspec.structs.astuple(node))
