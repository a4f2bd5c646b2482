"""Handlers as routes, typed handlers and their payloads, and handlers called by name."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynqpy import retry
from asynqpy.context import current_task
from asynqpy.errors import AsynqpyError, ConfigError, InvalidTaskError, PayloadError
from asynqpy.handlers import HandlerKind, Next, Route, TypedTask, call_by_reference, checked_middleware, route_to
from asynqpy.mux import ServeMux
from asynqpy.options import DEFAULTS, Options
from asynqpy.task import Task

mux = ServeMux()


@dataclass
class Address:
    """A dataclass to travel."""

    street: str
    number: int = 1


class Item(msgspec.Struct):
    """A Struct to travel."""

    name: str
    amount: int


class Person(pydantic.BaseModel):
    """A pydantic model to travel."""

    name: str
    born: date
    friends: list[Person] = []


class Strict(pydantic.BaseModel):
    """A pydantic model that converts nothing."""

    model_config = pydantic.ConfigDict(strict=True)
    at: datetime


class Colour(Enum):
    """An enum to travel."""

    RED = "red"


@dataclass
class Tree:
    """A type that contains itself."""

    value: int
    children: list[Tree]


class Foreign:
    """A type that nobody can decode."""


@dataclass
class Carrier:
    """A dataclass with something inside that cannot travel."""

    passengers: list[Foreign]


async def resize(task: Task) -> str:
    """An async handler."""
    return task.type


def build(task: Task) -> bytes:
    """A plain handler."""
    return task.payload


def which(task: Task) -> str:
    """A plain handler that asks for the running task."""
    return current_task().id


async def fail(task: Task) -> None:
    """An async handler that fails."""
    raise LookupError(task.type)


@mux.task("email:welcome", isolate="process", queue="critical")
async def welcome(user_id: int, template: str = "v2") -> dict[str, Any]:
    """Greet somebody."""
    return {"user_id": user_id, "template": template, "task": current_task().type}


def typed(function: Any, **options: Any) -> TypedTask[..., Any]:
    """*function* as a typed task named ``t``."""
    return TypedTask(function, "t", Options(**options))


def received(function: Any, payload: object) -> Any:
    """What *function* returns for a task with this *payload*."""
    return typed(function).handle(Task("t", payload))


class TestRouteTo:
    """From a registered function to a route."""

    def test_async_function(self) -> None:
        """An async function is run on the event loop, without anything in between."""
        route = route_to("a", resize)
        assert route.kind is HandlerKind.ASYNC
        assert route.run is resize

    def test_plain_function(self) -> None:
        """A plain function is a matter of threads: the worker supplies the call."""
        route = route_to("a", build)
        assert (route.kind, route.function, route.run) == (HandlerKind.THREAD, build, None)
        assert route_to("a", build, isolate="thread").kind is HandlerKind.THREAD

    def test_process(self) -> None:
        """Plain and async functions may be isolated in a process, which finds them by name."""
        for function in (build, resize):
            route = route_to("a", function, isolate="process")
            assert (route.kind, route.run) == (HandlerKind.PROCESS, None)
            assert route.reference == f"{__name__}:{function.__name__}"
        assert route_to("a", welcome, isolate="process").reference == f"{__name__}:welcome"

    def test_objects_and_partials(self) -> None:
        """What an object's ``__call__`` or a partial's function is decides where it runs."""

        class Plain:
            def __call__(self, task: Task) -> None: ...

        class Async:
            async def __call__(self, task: Task) -> None: ...

            async def method(self, task: Task) -> None: ...

        async def two(extra: int, task: Task) -> None: ...

        assert route_to("a", Plain()).kind is HandlerKind.THREAD
        assert route_to("a", Async()).kind is HandlerKind.ASYNC
        assert route_to("a", Async().method).kind is HandlerKind.ASYNC
        assert route_to("a", functools.partial(two, 1)).kind is HandlerKind.ASYNC
        assert route_to("a", print).kind is HandlerKind.THREAD
        unreadable: Any = max  # has no signature to look at
        assert route_to("a", unreadable).kind is HandlerKind.THREAD

    def test_async_in_a_thread_is_refused(self) -> None:
        """An async function belongs to the worker's event loop."""
        with pytest.raises(ConfigError, match="resize is async and runs on the event loop"):
            route_to("a", resize, isolate="thread")

    def test_unknown_isolation_is_refused(self) -> None:
        """A typing error does not silently mean no isolation."""
        isolation: Any = "Process"
        with pytest.raises(ConfigError, match="isolate must be 'thread', 'process' or None, got 'Process'"):
            route_to("a", build, isolate=isolation)

    def test_what_a_child_cannot_import_is_refused(self) -> None:
        """Lambdas, closures, methods, partials and objects have no name that a child process could import."""

        def closure(task: Task) -> None: ...

        def arguments(a: int) -> None: ...

        class Holder:
            def method(self, task: Task) -> None: ...

            def __call__(self, task: Task) -> None: ...

        anonymous: Any = lambda task: None
        for handler in (anonymous, closure, Holder().method, Holder(), functools.partial(build), typed(arguments)):
            with pytest.raises(ConfigError, match="cannot be isolated in a process"):
                route_to("a", handler, isolate="process")

    def test_wrong_number_of_arguments_is_refused(self) -> None:
        """A handler takes the task and nothing else; the message knows what was probably meant."""

        def two(user_id: int, template: str) -> None: ...

        def none() -> None: ...

        for function in (two, none):
            handler: Any = function
            with pytest.raises(ConfigError, match=r"a function of one argument.*@mux\.task"):
                route_to("a", handler)

    def test_further_optional_arguments_are_fine(self) -> None:
        """A handler may have parameters that nobody fills."""

        def optional(task: Task, verbose: bool = False) -> None: ...

        assert route_to("a", optional).function is optional

    def test_unresolvable_annotations_do_not_matter(self) -> None:
        """A raw handler may import Task for the type checker only."""

        def handler(task: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        assert route_to("a", handler).function is handler

    def test_generators_are_refused(self) -> None:
        """The body of a generator would never run."""

        async def stream(task: Task) -> AsyncIterator[int]:
            yield 1

        def count(task: Task) -> Iterator[int]:
            yield 1

        for function in (stream, count):
            with pytest.raises(ConfigError, match="is a generator"):
                route_to("a", function)

    def test_retry_delay_must_be_a_policy(self) -> None:
        """A number is refused with the function that makes a policy of it."""
        delay: Any = 30
        with pytest.raises(ConfigError, match=r"retry\.fixed"):
            route_to("a", resize, retry_delay=delay)
        policy = retry.fixed(30)
        assert route_to("a", resize, retry_delay=policy).retry_delay is policy


class TestRoute:
    """What a worker does with a route."""

    def test_wrap_without_middlewares(self) -> None:
        """Nothing is put around the worker's call when there is nothing to put."""
        assert route_to("a", build).wrap(resize) is resize

    def test_wrap_puts_middlewares_around(self) -> None:
        """The worker's innermost call runs inside the middlewares, the first of them outermost."""

        async def first(task: Task, next: Next) -> object:
            return f"first({await next(task)})"

        async def second(task: Task, next: Next) -> object:
            return f"second({await next(task)})"

        call = route_to("a", build).within((second,)).within((first,)).wrap(resize)

        async def attempt() -> object:
            return await call(Task("a"))

        assert asyncio.run(attempt()) == "first(second(a))"

    def test_within_nothing(self) -> None:
        """Without middlewares a route stays itself."""
        route = route_to("a", build)
        assert route.within(()) is route

    def test_routes_are_keys(self) -> None:
        """Two routes are never equal, whatever is in them."""
        first, second = route_to("a", build), route_to("a", build)
        assert len({first: 1, second: 2}) == 2

    def test_middleware_check(self) -> None:
        """`checked_middleware` gives back what it was given."""

        async def middleware(task: Task, next: Next) -> object:
            return await next(task)

        assert checked_middleware(middleware) is middleware


class TestTypedTask:
    """A function with a payload for arguments, on the side that enqueues."""

    def test_is_still_the_function(self) -> None:
        """Calling it calls the function; name, docstring and signature are the function's."""

        def double(number: int) -> int:
            """Twice."""
            return number * 2

        task = typed(double)
        assert task(4) == task(number=4) == 8
        assert (task.__doc__, getattr(task, "__name__", "")) == ("Twice.", "double")
        assert "double(number: 'int') -> 'int'" in repr(task)

    def test_arguments_become_an_object(self) -> None:
        """Positional or by name, the payload is the same object; what is left out is not in it."""

        def function(user_id: int, template: str = "v2", *, urgent: bool = False) -> None: ...

        task = typed(function, queue="low")
        assert task.task(42).payload == task.task(user_id=42).payload == b'{"user_id":42}'
        assert task.task(42, "v2").payload == b'{"user_id":42,"template":"v2"}'
        assert task.task(42, urgent=True).payload == b'{"user_id":42,"urgent":true}'
        made = task.task(42)
        assert (made.type, made.options, made.queue) == ("t", task.options, "low")

    def test_order_of_arguments_does_not_matter(self) -> None:
        """The payload has the order of the signature, so that unique tasks are recognised."""

        def function(a: int, b: int = 0, *, c: int = 0, d: int) -> None: ...

        task = typed(function).task
        assert task(d=4, c=3, b=2, a=1).payload == task(1, 2, c=3, d=4).payload == b'{"a":1,"b":2,"c":3,"d":4}'

    def test_no_arguments(self) -> None:
        """A function without parameters has an empty object for a payload."""

        def function() -> str:
            return "done"

        assert typed(function).task().payload == b"{}"
        assert received(function, None) == "done"

    @pytest.mark.parametrize(
        ("args", "kwargs", "problem"),
        [
            ((), {}, "Missing required argument 'user_id'"),
            ((1, "v", True), {}, "Extra positional arguments"),
            ((1,), {"userid": 1}, "Unexpected keyword argument 'userid'"),
            ((1,), {"user_id": 1}, "'user_id' given by name and position"),
        ],
    )
    def test_wrong_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any], problem: str) -> None:
        """Wrong arguments are a TypeError where the task is made, and the text shows the signature."""

        def function(user_id: int, template: str = "v2", *, urgent: bool = False) -> None: ...

        with pytest.raises(TypeError, match=problem) as caught:
            typed(function).task(*args, **kwargs)
        assert "function(user_id: 'int', template: 'str' = 'v2', *, urgent: 'bool' = False)" in str(caught.value)

    def test_argument_without_json_form(self) -> None:
        """An argument that JSON cannot carry is refused where the task is made."""

        def function(anything) -> None: ...  # type: ignore[no-untyped-def]

        with pytest.raises(InvalidTaskError, match="no JSON form"):
            typed(function).task(object())

    def test_blank_type_is_refused(self) -> None:
        """The type is a task type, and checked as one."""
        with pytest.raises(InvalidTaskError, match="task type"):
            TypedTask(lambda: None, " ", DEFAULTS)


class TestDecoding:
    """A function with a payload for arguments, in a worker."""

    def test_types_of_the_signature(self) -> None:
        """Arguments arrive in their annotated types, at any depth."""
        seen = SimpleNamespace()

        def function(  # type: ignore[no-untyped-def]
            address: Address,
            item: Item,
            person: Person,
            people: dict[str, list[Person]],
            maybe: Person | None,
            at: datetime,
            span: timedelta,
            uid: UUID,
            price: Decimal,
            colour: Colour,
            choice: Literal["a", "b"],
            either: int | str,
            pair: tuple[int, str],
            raw: bytes,
            tree: Tree,
            whatever,
        ) -> None:
            vars(seen).update(locals())

        ada = Person(name="Ada", born=date(1815, 12, 10), friends=[Person(name="Charles", born=date(1791, 12, 26))])
        given_ = {
            "address": Address("Main", 3),
            "item": Item("nail", 7),
            "person": ada,
            "people": {"x": [ada]},
            "maybe": None,
            "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "span": timedelta(minutes=3),
            "uid": UUID(int=5),
            "price": Decimal("1.50"),
            "colour": Colour.RED,
            "choice": "b",
            "either": "text",
            "pair": (1, "x"),
            "raw": b"\x00\xff",
            "tree": Tree(1, [Tree(2, [])]),
            "whatever": {"free": [1, None]},
        }
        task = typed(function)
        task.handle(task.task(**given_))
        for name, value in given_.items():
            assert getattr(seen, name) == value
            assert type(getattr(seen, name)) is type(value)

    def test_defaults_are_the_functions_own(self) -> None:
        """What the payload leaves out is what a plain call would leave out: the same default object."""
        shared: list[int] = [1]
        marker = object()

        def function(a: int, numbers: list[int] = shared, b: str | None = None, odd: Any = marker) -> Any:
            return a, numbers, b, odd

        assert received(function, {"a": 1}) == (1, shared, None, marker)
        assert received(function, {"a": 1})[1] is shared
        assert received(function, {"a": 1, "b": "x", "numbers": []}) == (1, [], "x", marker)

    def test_keyword_only(self) -> None:
        """Keyword-only parameters arrive by name, required ones after optional ones too."""

        def function(a: int = 0, *, b: int = 1, c: int) -> tuple[int, int, int]:
            return a, b, c

        assert received(function, {"c": 3}) == (0, 1, 3)
        assert received(function, {"c": 3, "a": 1, "b": 2}) == (1, 2, 3)

    def test_unknown_fields_are_ignored(self) -> None:
        """A newer producer may send more than this worker knows."""

        def function(a: int) -> int:
            return a

        assert received(function, {"a": 1, "new": {"x": 1}}) == 1

    def test_empty_payload_is_an_empty_object(self) -> None:
        """A task without payload, as a scheduler or a Go peer may send it, runs with the defaults."""

        def function(limit: int = 10) -> int:
            return limit

        assert received(function, None) == received(function, b"") == 10

    def test_missing_annotation_takes_anything(self) -> None:
        """A parameter without annotation gets plain JSON values."""

        def function(a, b=2):  # type: ignore[no-untyped-def]
            return a, b

        assert received(function, {"a": [1, "x"]}) == ([1, "x"], 2)

    def test_names_may_equal_types(self) -> None:
        """A parameter may be called as its type is."""
        assert received(named_like_its_type, {"date": "2026-01-02"}) == date(2026, 1, 2)

    def test_constraints(self) -> None:
        """Constraints in an annotation are checked."""
        assert received(constrained, {"age": 3}) == 3
        with pytest.raises(PayloadError, match=r"\$\.age"):
            received(constrained, {"age": -3})

    def test_strict_model_reads_json(self) -> None:
        """A strict pydantic model takes the JSON form of a datetime."""

        def function(model: Strict) -> datetime:
            return model.at

        assert received(function, {"model": {"at": "2026-01-02T03:04:05Z"}}) == datetime(
            2026, 1, 2, 3, 4, 5, tzinfo=UTC
        )

    @pytest.mark.parametrize(
        ("payload", "problem"),
        [
            ({}, "missing required field `a`"),
            ({"a": "1"}, r"Expected `int`, got `str` - at `\$\.a`"),
            ({"a": None}, "Expected `int`, got `null`"),
            ({"a": 1, "person": {"name": "Ada"}}, r"1 validation error for Person\nborn"),
            ([1], "Expected `object`, got `array`"),
            (b"null", "Expected `object`, got `null`"),
            (b"\xff", "malformed"),
            (b'{"a": 1', "truncated"),
            (b'{"a": 1, "x": ' + b"[" * 100_000, "recursion"),
        ],
    )
    def test_misfits(self, payload: object, problem: str) -> None:
        """What does not fit is a PayloadError that names the handler and the place; the function is not called."""

        def function(a: int, person: Person | None = None) -> None:
            pytest.fail("called")

        with pytest.raises(PayloadError, match=rf"payload does not fit .*function: .*{problem}"):
            received(function, payload)

    def test_errors_of_the_function_are_its_own(self) -> None:
        """A TypeError raised inside the function is not taken for a payload that does not fit."""

        def function(a: int) -> None:
            raise TypeError("mine")

        with pytest.raises(TypeError, match=r"^mine$"):
            received(function, {"a": 1})

    @settings(deadline=None)
    @given(
        a=st.integers(-(2**63), 2**64 - 1),
        b=st.text(),
        c=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
        d=st.none() | st.datetimes(timezones=st.just(UTC)),
        e=st.dictionaries(st.text(), st.booleans()),
    )
    def test_round_trip(self, a: int, b: str, c: list[float], d: datetime | None, e: dict[str, bool]) -> None:
        """Whatever is given to ``task(...)`` arrives equal in the function."""
        assert EVERYTHING.handle(EVERYTHING.task(a, b, c, d=d, e=e)) == (a, b, c, d, e)


def named_like_its_type(date: date) -> object:
    """A parameter that hides its type."""
    return date


def constrained(age: Annotated[int, msgspec.Meta(ge=0)]) -> int:
    """A parameter with a constraint."""
    return age


def everything(a: int, b: str, c: list[float], *, d: datetime | None, e: dict[str, bool]) -> object:
    """Some of everything."""
    return a, b, c, d, e


EVERYTHING = typed(everything)


class TestRefusedSignatures:
    """Functions whose arguments cannot be a JSON object are refused when they are decorated."""

    def test_parameters_without_a_name(self) -> None:
        """Arguments that have no name of their own are not fields of an object."""

        def star(*numbers: int) -> None: ...

        def stars(**numbers: int) -> None: ...

        def positional(number: int, /) -> None: ...

        for function in (star, stars, positional):
            with pytest.raises(ConfigError, match="has no place in a JSON object"):
                typed(function)

    def test_methods(self) -> None:
        """A method would ask the payload for its object."""

        class Holder:
            def method(self, a: int) -> None: ...

        with pytest.raises(ConfigError, match="not a method"):
            typed(Holder.method)
        with pytest.raises(ConfigError, match="must be a function"):
            typed(Holder().method)

    def test_what_is_no_function(self) -> None:
        """Partials, objects and typed tasks are not functions; neither is None."""
        for function in (None, functools.partial(build), print, welcome):
            with pytest.raises(ConfigError, match="a typed handler must be a function"):
                typed(function)

    def test_running_task(self) -> None:
        """The task is not an argument, and the message tells how to get it."""

        def function(task: Task, a: int) -> None: ...

        with pytest.raises(ConfigError, match=r"no payload can carry a Task; current_task\(\)"):
            typed(function)

    def test_types_that_cannot_be_decoded(self) -> None:
        """A type that nobody decodes is found at any depth, before the first task is."""

        def direct(a: Foreign) -> None: ...

        def optional(a: Foreign | None = None) -> None: ...

        def deep(a: dict[str, Carrier]) -> None: ...

        for function in (direct, optional, deep):
            with pytest.raises(ConfigError, match="no payload can carry a Foreign"):
                typed(function)

    def test_unions_that_cannot_be_told_apart(self) -> None:
        """A union that JSON cannot tell apart is refused with the reason."""

        def function(a: Address | Carrier) -> None: ...

        with pytest.raises(ConfigError, match="union"):
            typed(function)

    def test_types_that_cannot_be_resolved(self) -> None:
        """An annotation that exists only for the type checker is refused with advice."""

        def function(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises(ConfigError, match=r"'Nowhere' is not defined.*TYPE_CHECKING"):
            typed(function)


class TestCallByReference:
    """Handlers called by name, as a child process does."""

    def test_plain_function(self) -> None:
        """A plain function gets the task."""
        assert call_by_reference(f"{__name__}:build", Task("a", b"x")) == b"x"

    def test_async_function(self) -> None:
        """An async function runs to its end on a loop of its own."""
        assert call_by_reference(f"{__name__}:resize", Task("a")) == "a"
        with pytest.raises(LookupError, match="a"):
            call_by_reference(f"{__name__}:fail", Task("a"))

    def test_typed_task(self) -> None:
        """A name that leads to a typed task has its payload decoded, wherever the route came from."""
        reference = mux.route("email:welcome").reference
        expected = {"user_id": 7, "template": "v2", "task": "email:welcome"}
        assert call_by_reference(reference, welcome.task(7)) == expected
        with pytest.raises(PayloadError):
            call_by_reference(reference, Task("email:welcome", {}))

    def test_running_task_is_known(self) -> None:
        """current_task() works in the handler, and no longer after it."""
        assert call_by_reference(f"{__name__}:which", Task("a", task_id="42")) == "42"
        with pytest.raises(AsynqpyError, match="no task is running"):
            current_task()

    def test_static_method(self) -> None:
        """A dotted name leads into a class."""
        assert call_by_reference(f"{__name__}:Holder.encode", Task("a", b"x")) == b"x"

    def test_module_is_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module that the child has not loaded yet is loaded."""
        (tmp_path / "asynqpy_test_tasks.py").write_text("def encode(task):\n    return task.payload * 2\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        try:
            assert call_by_reference("asynqpy_test_tasks:encode", Task("a", b"x")) == b"xx"
        finally:
            sys.modules.pop("asynqpy_test_tasks", None)

    @pytest.mark.parametrize("reference", ["asynqpy_no_such_module:encode", f"{__name__}:nothing"])
    def test_wrong_reference(self, reference: str) -> None:
        """A module or name that is not there is a ConfigError which says what was looked for."""
        with pytest.raises(ConfigError, match=reference):
            call_by_reference(reference, Task("a"))


class Holder:
    """A class around a handler."""

    @staticmethod
    def encode(task: Task) -> bytes:
        """A handler in a class."""
        return task.payload


def test_static_method_may_be_isolated() -> None:
    """A handler inside a class is isolated by its dotted name."""
    route: Route = route_to("a", Holder.encode, isolate="process")
    assert route.reference == f"{__name__}:Holder.encode"
