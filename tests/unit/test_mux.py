"""Which route a task takes: patterns, middlewares, nested muxes, the not-found handler."""

from __future__ import annotations

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynqpy import mux as mux_module
from asynqpy import retry
from asynqpy.errors import ConfigError, HandlerNotFoundError, InvalidTaskError
from asynqpy.handlers import Handler, HandlerKind, Middleware, Next, TypedTask
from asynqpy.mux import ServeMux
from asynqpy.task import Task


async def resize(task: Task) -> str:
    return f"resized {task.type}"


def build(task: Task) -> bytes:
    return task.payload


def answering(answer: str) -> Handler:
    """A handler that tells which one it is."""

    async def handler(task: Task) -> str:
        return answer

    return handler


def noting(notes: list[str], name: str) -> Middleware:
    """A middleware that leaves *name* in *notes* before and after the rest."""

    async def note(task: Task, next: Next) -> object:
        notes.append(name)
        try:
            return await next(task)
        finally:
            notes.append(f"/{name}")

    return note


def run(mux: ServeMux, task_type: str) -> object:
    """What the async handler for *task_type* returns."""
    call = mux.route(task_type).run
    assert call is not None

    async def attempt() -> object:
        return await call(Task(task_type))

    return asyncio.run(attempt())


class TestPatterns:
    """The rules of matching."""

    @pytest.mark.parametrize(
        ("task_type", "pattern"),
        [
            ("email:welcome", "email:welcome"),
            ("email:other", "email:"),
            ("email:welcome:again", "email:welcome"),
            ("email:", "email:"),
            ("email", ""),
            ("imgfoo", "img"),
            ("csv:", ""),
            ("csv:export", "csv:export"),
            ("Email:welcome", ""),
            (" email:welcome", ""),
            ("a*b", "a*"),
            ("ab", ""),
        ],
    )
    def test_longest_prefix_wins(self, task_type: str, pattern: str) -> None:
        """The exact pattern wins, then the longest that the type starts with; pattern characters mean nothing."""
        mux = ServeMux()
        for each in ("email:", "email:welcome", "img", "csv:export", "a*"):
            mux.handle(each, answering(each))
        assert mux.route(task_type).pattern == pattern

    @settings(deadline=None)
    @given(
        patterns=st.sets(st.text("ab:", min_size=1, max_size=6)),
        types=st.lists(st.text("ab:", max_size=8)),
    )
    def test_agrees_with_the_naive_rule(self, patterns: set[str], types: list[str]) -> None:
        """For any patterns, and in any order of questions, the route is that of the longest prefix."""
        mux = ServeMux()
        for pattern in patterns:
            mux.handle(pattern, answering(pattern))
        for task_type in types * 2:
            expected = max((each for each in patterns if task_type.startswith(each)), key=len, default="")
            assert mux.route(task_type).pattern == expected

    @settings(deadline=None)
    @given(
        inner=st.sets(st.text("ab", min_size=1, max_size=5)),
        outer=st.sets(st.text("ab", min_size=1, max_size=5)),
        prefix=st.text("ab", min_size=1, max_size=3),
        types=st.lists(st.text("ab", max_size=7)),
    )
    def test_nested_agrees_with_the_naive_rule(
        self, inner: set[str], outer: set[str], prefix: str, types: list[str]
    ) -> None:
        """A nested mux takes all types of its prefix, and no pattern of the outer one helps where it finds nothing."""
        nested, mux = ServeMux(), ServeMux()
        for pattern in inner:
            nested.handle(pattern, answering(pattern))
        for pattern in outer - {prefix}:
            mux.handle(pattern, answering(pattern))
        mux.handle(prefix, nested)
        for task_type in types:
            entry = max((each for each in outer | {prefix} if task_type.startswith(each)), key=len, default="")
            expected = entry
            if entry == prefix:
                expected = max((each for each in inner if task_type.startswith(each)), key=len, default="")
            assert mux.route(task_type).pattern == expected

    def test_patterns_are_listed_in_order(self) -> None:
        """`patterns` has what was registered, in that order."""
        mux = ServeMux()
        mux.handle("b", resize)
        mux.handle("a", build)
        mux.handle("nested:", ServeMux())
        assert mux.patterns == ("b", "a", "nested:")

    @pytest.mark.parametrize("pattern", ["", " ", "\t\n"])
    def test_blank_pattern_is_refused(self, pattern: str) -> None:
        """A blank pattern is refused before there is anything to decorate."""
        mux = ServeMux()
        with pytest.raises(ConfigError, match="invalid pattern"):
            mux.handle(pattern, resize)
        with pytest.raises(ConfigError, match="invalid pattern"):
            mux.handler(pattern)
        with pytest.raises(ConfigError, match="invalid pattern"):
            mux.task(pattern)

    def test_pattern_is_not_trimmed(self) -> None:
        """White space around a pattern is part of it."""
        mux = ServeMux()
        mux.handle(" a ", resize)
        assert mux.route(" a ").pattern == " a "
        assert mux.route("a").pattern == ""

    def test_forgotten_parentheses_are_refused(self) -> None:
        """``@mux.handler`` without a pattern says what is missing instead of swallowing the function."""
        mux: Any = ServeMux()
        with pytest.raises(ConfigError, match="must be text"):
            mux.handler(resize)

    def test_same_pattern_twice_is_refused(self) -> None:
        """The second registration fails and the first stays."""
        mux = ServeMux()
        mux.handle("a", resize)
        with pytest.raises(ConfigError, match="multiple registrations for 'a'"):
            mux.handle("a", build)
        with pytest.raises(ConfigError, match="multiple registrations for 'a'"):
            mux.handle("a", ServeMux())
        assert mux.route("a").function is resize

    @pytest.mark.parametrize("handler", [None, 1, "tasks:resize"])
    def test_what_is_no_handler_is_refused(self, handler: Any) -> None:
        """Only what can be called is a handler."""
        mux = ServeMux()
        with pytest.raises(ConfigError, match="a handler must be a function"):
            mux.handle("a", handler)
        assert mux.patterns == ()


class TestRegistration:
    """The ways to register, and what they leave in the route."""

    def test_handler_returns_the_function(self) -> None:
        """A decorated handler stays the function it was."""
        mux = ServeMux()
        assert mux.handler("a")(resize) is resize
        assert mux.route("a").function is resize

    def test_async_handler_runs_without_wrapper(self) -> None:
        """Without middlewares a worker calls the user's function itself."""
        mux = ServeMux()
        mux.handle("a", resize)
        assert mux.route("a").run is resize

    def test_options_reach_the_route(self) -> None:
        """Kind, reference and retry policy are in the route."""
        mux = ServeMux()
        policy = retry.fixed(5)
        mux.handler("a", isolate="process", retry_delay=policy)(build)
        route = mux.route("a:1")
        assert (route.pattern, route.kind, route.retry_delay) == ("a", HandlerKind.PROCESS, policy)
        assert route.reference == f"{__name__}:build"
        assert route.run is None

    def test_typed_task_is_registered(self) -> None:
        """``@mux.task`` registers the function and gives a typed task with its options."""
        mux = ServeMux()

        @mux.task("email:welcome", queue="critical", max_retry=5, timeout=30, retry_delay=retry.fixed(1))
        async def welcome(user_id: int) -> int:
            return user_id + 1

        assert isinstance(welcome, TypedTask)
        assert (welcome.options.queue, welcome.options.max_retry, welcome.options.timeout_seconds) == (
            "critical",
            5,
            30,
        )
        route = mux.route("email:welcome")
        assert route.kind is HandlerKind.ASYNC
        assert route.retry_delay is not None
        assert route.run is not None

        async def attempt() -> object:
            return await route.run(welcome.task(1)) if route.run else None

        assert asyncio.run(attempt()) == 2

    def test_typed_task_can_join_another_mux(self) -> None:
        """A typed task given to `handle` is decoded there too."""
        first, second = ServeMux(), ServeMux()

        @first.task("double")
        def double(number: int) -> int:
            return number * 2

        second.handle("double", double, isolate="thread")
        assert second.route("double").kind is HandlerKind.THREAD
        assert second.route("double").function(double.task(4)) == 8

    def test_wrong_option_of_typed_task_is_refused(self) -> None:
        """Options are checked when the module is loaded, not when the first task is made."""
        mux: Any = ServeMux()
        with pytest.raises(InvalidTaskError, match="unknown option 'retries'"):
            mux.task("a", retries=3)

    def test_refused_typed_handler_leaves_no_pattern(self) -> None:
        """A signature that cannot work registers nothing."""
        mux = ServeMux()
        with pytest.raises(ConfigError):

            @mux.task("a")
            def many(*numbers: int) -> None: ...

        assert mux.patterns == ()

    def test_registration_is_seen_at_once(self) -> None:
        """What was looked up before a registration is forgotten."""
        mux = ServeMux()
        mux.handle("a", resize)
        assert mux.route("abc").pattern == "a"
        mux.handle("ab", build)
        assert mux.route("abc").pattern == "ab"

    def test_threads_may_register(self) -> None:
        """Registrations from many threads are all kept, while others look up."""
        mux = ServeMux()
        names = [f"task:{number:03}" for number in range(200)]

        def register(name: str) -> None:
            mux.handle(name, answering(name))
            assert mux.route(name).pattern == name
            assert mux.route("task:none").pattern == ""

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(register, names))
        assert sorted(mux.patterns) == names
        assert all(mux.route(name).pattern == name for name in names)


class TestRoutes:
    """What a worker may rely on."""

    def test_one_route_a_pattern(self) -> None:
        """All types of a pattern share one route object, with middlewares and nesting too, so it can be a key."""
        mux, inner = ServeMux(), ServeMux()
        mux.use(noting([], "m"))
        inner.use(noting([], "n"))
        mux.handle("a", resize)
        mux.handle("in:", inner)
        inner.handle("in:b", resize)
        assert mux.route("a1") is mux.route("a2")
        assert mux.route("in:b1") is mux.route("in:b2")
        assert mux.route("x") is mux.route("y")

    def test_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Types without end neither fill the memory nor change what is found."""
        monkeypatch.setattr(mux_module, "CACHED_TYPES", 10)
        mux = ServeMux()
        mux.handle("email:", resize)
        found = {mux.route(f"email:user-{number}") for number in range(1000)}
        assert len(found) == 1
        assert len(mux._cache) <= 10
        assert len(mux._wrapped) == 1


class TestMiddlewares:
    """What runs around handlers."""

    def test_order_of_registration(self) -> None:
        """use(m1, m2), then use(m3): m1, m2, m3, the handler, and out the other way."""
        mux, notes = ServeMux(), list[str]()
        mux.use(noting(notes, "m1"), noting(notes, "m2"))
        mux.middleware(noting(notes, "m3"))
        mux.handle("a", resize)
        assert run(mux, "a") == "resized a"
        assert notes == ["m1", "m2", "m3", "/m3", "/m2", "/m1"]

    def test_patterns_registered_before_are_covered(self) -> None:
        """A middleware added late covers what was registered and even looked up before."""
        mux, notes = ServeMux(), list[str]()
        mux.handle("a", resize)
        run(mux, "a")
        mux.use(noting(notes, "late"))
        run(mux, "a")
        assert notes == ["late", "/late"]

    def test_not_found_is_covered(self) -> None:
        """A task without a handler passes the middlewares, which see the error."""
        mux, notes = ServeMux(), list[str]()
        mux.use(noting(notes, "m"))
        with pytest.raises(HandlerNotFoundError):
            run(mux, "nothing")
        assert notes == ["m", "/m"]

    def test_chain_is_built_once(self) -> None:
        """The chain of a route is the same object for every task."""
        mux = ServeMux()
        mux.use(noting([], "m"))
        mux.handle("a", resize)
        assert mux.route("a").run is mux.route("a").run

    def test_middleware_may_answer_itself(self) -> None:
        """A middleware that does not call next keeps the handler from running; what it returns is the result."""
        mux = ServeMux()

        @mux.middleware
        async def refuse(task: Task, next: Next) -> str:
            return "refused"

        mux.handle("a", resize)
        assert run(mux, "a") == "refused"

    def test_middleware_may_pass_another_task(self) -> None:
        """The handler gets the task that the middleware gives to next."""
        mux = ServeMux()

        @mux.middleware
        async def rename(task: Task, next: Next) -> object:
            return await next(Task("renamed"))

        mux.handle("a", resize)
        assert run(mux, "a") == "resized renamed"

    def test_middleware_may_be_an_object(self) -> None:
        """An instance with an async ``__call__`` is a middleware."""

        class Counting:
            seen = 0

            async def __call__(self, task: Task, next: Next) -> object:
                self.seen += 1
                return await next(task)

        mux, counting = ServeMux(), Counting()
        mux.use(counting)
        mux.handle("a", resize)
        assert run(mux, "a") == "resized a"
        assert counting.seen == 1

    def test_plain_middleware_is_refused(self) -> None:
        """A plain function would block the event loop for all; with it the whole call to use is refused."""

        def plain(task: Task, next: Next) -> Any:
            return next(task)

        mux, notes = ServeMux(), list[str]()
        with pytest.raises(ConfigError, match="must be async"):
            mux.use(noting(notes, "m"), plain)
        mux.handle("a", resize)
        assert mux.route("a").run is resize

    @pytest.mark.parametrize("middleware", [None, resize, 3])
    def test_what_is_no_middleware_is_refused(self, middleware: Any) -> None:
        """A middleware takes the task and next."""
        with pytest.raises(ConfigError, match="a middleware must be a function of two arguments"):
            ServeMux().use(middleware)


class TestNotFound:
    """Tasks without a handler."""

    def test_default_raises(self) -> None:
        """By default the attempt fails with asynq's text."""
        mux = ServeMux()
        assert mux.route("a").pattern == ""
        with pytest.raises(HandlerNotFoundError, match=r'^handler not found for task "a"$') as caught:
            run(mux, "a")
        assert caught.value.task_type == "a"

    def test_may_be_replaced(self) -> None:
        """The decorated function takes over, also for types looked up before, and stays the function it was."""
        mux = ServeMux()
        mux.handle("a", resize)
        mux.route("b")
        fallback = answering("fallback")
        assert mux.not_found(fallback) is fallback
        assert run(mux, "b") == "fallback"
        assert run(mux, "a") == "resized a"

    def test_may_be_plain(self) -> None:
        """A plain not-found handler runs in a thread as any other."""
        mux = ServeMux()
        mux.not_found(build)
        assert mux.route("x").kind is HandlerKind.THREAD
        assert mux.route("x").function is build

    def test_must_be_a_handler(self) -> None:
        """None does not switch it off."""
        mux: Any = ServeMux()
        with pytest.raises(ConfigError, match="a handler must be"):
            mux.not_found(None)


class TestNested:
    """A mux inside another."""

    def test_inner_sees_the_full_type(self) -> None:
        """Nothing is stripped: the patterns inside are whole types."""
        inner, outer = ServeMux(), ServeMux()
        inner.handle("email:welcome", answering("inner"))
        inner.handle("welcome", answering("stripped"))
        outer.handle("email:", inner)
        assert run(outer, "email:welcome") == "inner"
        assert outer.route("email:welcome").pattern == "email:welcome"

    def test_outer_middlewares_run_first(self) -> None:
        """Outer middlewares, inner middlewares, handler; the inner mux by itself knows only its own."""
        inner, outer, notes = ServeMux(), ServeMux(), list[str]()
        inner.use(noting(notes, "inner"))
        outer.handle("email:", inner)
        outer.use(noting(notes, "outer"))
        inner.handle("email:welcome", resize)
        run(outer, "email:welcome")
        assert notes == ["outer", "inner", "/inner", "/outer"]
        notes.clear()
        run(inner, "email:welcome")
        assert notes == ["inner", "/inner"]

    def test_inner_not_found_passes_both(self) -> None:
        """What only the outer mux knows, as a prefix, ends at the inner not-found handler, inside all middlewares."""
        inner, outer, notes = ServeMux(), ServeMux(), list[str]()
        inner.use(noting(notes, "inner"))
        outer.use(noting(notes, "outer"))
        inner.not_found(answering("inner fallback"))
        outer.not_found(answering("outer fallback"))
        outer.handle("email:", inner)
        assert run(outer, "email:x") == "inner fallback"
        assert notes == ["outer", "inner", "/inner", "/outer"]
        assert run(outer, "sms:x") == "outer fallback"

    def test_later_changes_inside_are_seen_outside(self) -> None:
        """Registrations, middlewares and not-found handlers of a mux nested two deep count at once."""
        innermost, inner, outer, notes = ServeMux(), ServeMux(), ServeMux(), list[str]()
        outer.handle("a", inner)
        inner.handle("ab", innermost)
        assert outer.route("abc").pattern == ""
        innermost.handle("abc", resize)
        assert outer.route("abc").pattern == "abc"
        innermost.use(noting(notes, "m"))
        run(outer, "abc")
        assert notes == ["m", "/m"]
        innermost.not_found(answering("fallback"))
        assert run(outer, "abx") == "fallback"

    def test_one_mux_in_two(self) -> None:
        """A mux may be shared; each outer mux adds its own middlewares."""
        inner, first, second, notes = ServeMux(), ServeMux(), ServeMux(), list[str]()
        inner.handle("a:b", resize)
        first.handle("a:", inner)
        second.handle("a:", inner)
        first.use(noting(notes, "first"))
        second.use(noting(notes, "second"))
        run(first, "a:b")
        run(second, "a:b")
        assert notes == ["first", "/first", "second", "/second"]

    def test_shared_mux_does_not_keep_outer_ones_alive(self) -> None:
        """An outer mux can be dropped though the inner one, a module's, stays."""
        inner, outer = ServeMux(), ServeMux()
        outer.handle("a", inner)
        gone = weakref.ref(outer)
        del outer
        gc.collect()
        assert gone() is None
        inner.handle("ab", resize)

    def test_cannot_contain_itself(self) -> None:
        """A circle of muxes is refused, at any depth, and leaves no pattern behind."""
        first, second, third = ServeMux(), ServeMux(), ServeMux()
        first.handle("a", second)
        second.handle("a", third)
        for outer, inner in ((first, first), (third, first), (third, second)):
            with pytest.raises(ConfigError, match="cannot contain itself"):
                outer.handle("loop", inner)
        assert third.patterns == ()
        assert first.route("ab").pattern == ""

    def test_options_belong_to_handlers(self) -> None:
        """A nested mux takes no handler options: they would silently mean nothing."""
        mux = ServeMux()
        with pytest.raises(ConfigError, match="belong to handlers"):
            mux.handle("a", ServeMux(), isolate="process")
        with pytest.raises(ConfigError, match="belong to handlers"):
            mux.handle("a", ServeMux(), retry_delay=retry.fixed(1))
