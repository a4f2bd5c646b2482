"""What is written about an attempt: success, retries, archive, instructions, policies, callbacks, locks, counters."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asynqpy import DuplicateTaskError, Inspector, RevokeTask, ServeMux, SkipRetry, Snooze, Task, retry
from asynqpy._wire import keys
from tests.servers import RedisServer

from .conftest import PLAIN, UVLOOP
from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio

ABOUT_SERVERS = ("asynq:servers", "asynq:workers", "asynq:py:handled", "asynq:py:about")
"""Keys that are there for as long as a server runs."""


@pytest.fixture(params=[UVLOOP, PLAIN], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


async def fail(task: Task) -> None:
    """A handler that never succeeds."""
    raise ValueError("no\nluck")


async def test_a_failure_waits_for_another_attempt(stage: Stage, server: RedisServer) -> None:
    """One line of error, the traceback, one retry spent, one failure counted, due after the policy's delay."""
    info = stage.enqueue()
    before = time.time()
    async with stage.serving(fail, retry_delay=retry.fixed(3600)):
        stored = await stage.until_state(info, "retry")
    assert stored.message.retried == 1
    assert stored.message.error_msg == "ValueError: no luck"
    assert before - 1 <= stored.message.last_failed_at <= time.time()
    assert 'raise ValueError("no\\nluck")' in stored.traceback
    score = stage.redis.zscore(keys.of_queue("default").retry, info.id)
    assert before + 3600 <= score <= time.time() + 3601
    assert "py:claim" not in stored.fields
    assert stage.counters() == (1, 1)
    assert stage.ids("active") == stage.ids("lease") == []


async def test_a_task_is_tried_until_it_succeeds(stage: Stage) -> None:
    """The handler sees how often it was tried; after success the task is gone."""
    seen: list[int] = []

    async def handler(task: Task) -> None:
        seen.append(task.retried)
        if task.retried < 3:
            raise RuntimeError("not yet")

    info = stage.enqueue()
    async with stage.serving(handler, retry_delay=retry.fixed(0.02)):
        await stage.until_gone(info)
    assert seen == [0, 1, 2, 3]
    assert stage.counters() == (4, 3)
    assert stage.left_keys() == set()


async def test_used_up_retries_archive_the_task(stage: Stage) -> None:
    """max_retry=2 means three attempts; then the task is archived with its last error."""
    attempts: list[int] = []

    async def handler(task: Task) -> None:
        attempts.append(task.retried)
        raise RuntimeError(f"attempt {task.retried}")

    info = stage.enqueue(max_retry=2)
    async with stage.serving(handler, retry_delay=retry.fixed(0.02)):
        stored = await stage.until_state(info, "archived")
    assert attempts == [0, 1, 2]
    assert (stored.message.retried, stored.message.error_msg) == (2, "RuntimeError: attempt 2")
    assert stored.traceback
    assert stage.ids("archived") == [info.id]
    assert stage.counters() == (3, 3)


async def test_attempts_that_failed_are_kept(stage: Stage) -> None:
    """Each with its error, where it failed, and who ran it; the success after them does not take them away."""

    async def handler(task: Task) -> str:
        if task.retried < 2:
            raise RuntimeError(f"attempt {task.retried}")
        return "well"

    info = stage.enqueue(retention=60)
    async with stage.serving(handler, retry_delay=retry.fixed(0.02)):
        await stage.until_state(info, "completed")
    with Inspector(stage.url) as inspector:
        attempts = inspector.task_info(info.queue, info.id).attempts
        [listed] = inspector.list_tasks(info.queue, "completed")
    assert [(each.error, each.retried) for each in attempts] == [
        ("RuntimeError: attempt 0", 0),
        ("RuntimeError: attempt 1", 1),
    ]
    for each in attempts:
        assert each.worker == f"{socket.gethostname()}:{os.getpid()}"
        assert each.ran_for is not None
        assert 'raise RuntimeError(f"attempt {task.retried}")' in each.traceback
    assert listed.attempts == ()


async def test_a_success_after_failures_leaves_no_traceback(stage: Stage) -> None:
    """A completed task does not carry the traceback of an earlier attempt."""

    async def handler(task: Task) -> str:
        if not task.retried:
            raise RuntimeError("once")
        return "well"

    info = stage.enqueue(retention=60)
    async with stage.serving(handler, retry_delay=retry.fixed(0.02)):
        stored = await stage.until_state(info, "completed")
    assert stored.result == b"well"
    assert "py:traceback" not in stored.fields


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (retry.fixed(timedelta(seconds=7)), [7, 7, 7]),
        (retry.linear(10), [10, 20, 30]),
        (retry.exponential(10, jitter=0), [10, 20, 40]),
        (lambda retried, error, task: timedelta(seconds=len(task.payload) + retried), [1, 2, 3]),
        (lambda retried, error, task: -5, [0, 0, 0]),
    ],
    ids=["fixed", "linear", "exponential", "own", "negative"],
)
async def test_retry_policies_decide_when_the_next_attempt_is_due(
    stage: Stage, policy: Any, expected: list[int]
) -> None:
    """The policy gets retries, error and task; negative delays mean now."""
    due: list[float] = []
    asked = threading.Event()

    def watched(retried: int, error: BaseException, task: Task) -> Any:
        delay = policy(retried, error, task)
        due.append(delay.total_seconds() if isinstance(delay, timedelta) else delay)
        assert isinstance(error, ValueError)
        if retried == 2:
            asked.set()
        return 0.01

    stage.enqueue("t", b"x")
    async with stage.serving(fail, retry_delay=watched):
        await eventually(asked.is_set)
    assert [max(seconds, 0) for seconds in due[:3]] == expected


async def test_a_handler_may_have_a_policy_of_its_own(stage: Stage) -> None:
    """It wins over the server's, for plain and typed handlers."""
    mux = ServeMux()

    @mux.handler("own", retry_delay=retry.fixed(1000))
    async def own(task: Task) -> None:
        raise RuntimeError("own")

    @mux.task("typed", retry_delay=retry.fixed(2000))
    async def typed() -> None:
        raise RuntimeError("typed")

    mux.handle("servers", fail)
    infos = [stage.enqueue("own"), stage.client.enqueue(typed.task()), stage.enqueue("servers")]
    before = time.time()
    async with stage.serving(mux, retry_delay=retry.fixed(3000)):
        for info in infos:
            await stage.until_state(info, "retry")
    scores = [stage.redis.zscore(keys.of_queue("default").retry, info.id) - before for info in infos]
    assert [round(score, -3) for score in scores] == [1000, 2000, 3000]


@pytest.mark.parametrize("bad", [lambda *_: 1 / 0, lambda *_: "soon", lambda *_: float("nan"), lambda *_: float("inf")])
async def test_a_policy_that_fails_is_replaced_by_the_default_curve(
    stage: Stage, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The task is retried all the same, and the log says what is wrong."""
    info = stage.enqueue()
    before = time.time()
    async with stage.serving(fail, retry_delay=bad):
        await stage.until_state(info, "retry")
    assert 14 <= stage.redis.zscore(keys.of_queue("default").retry, info.id) - before <= 60
    assert "retry_delay failed" in caplog.text


async def test_an_error_that_is_no_failure_spends_no_retry(stage: Stage) -> None:
    """is_failure decides; neither the retry nor a counter moves, and the error is kept."""
    info = stage.enqueue()
    async with stage.serving(fail, is_failure=lambda error: not isinstance(error, ValueError)):
        stored = await stage.until_state(info, "retry")
    assert (stored.message.retried, stored.message.error_msg) == (0, "ValueError: no luck")
    assert stage.counters() == (0, 0)


async def test_is_failure_is_not_asked_when_the_retries_are_used_up(stage: Stage) -> None:
    """As in asynq: with max_retry=0 every error archives."""
    asked: list[BaseException] = []
    info = stage.enqueue(max_retry=0)
    async with stage.serving(fail, is_failure=lambda error: bool(asked.append(error))):
        await stage.until_state(info, "archived")
    assert asked == []
    assert stage.counters() == (1, 1)


async def test_an_is_failure_that_fails_counts_the_error(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A bug in the callback is logged, and the error counts as a failure."""
    info = stage.enqueue()
    async with stage.serving(fail, is_failure=lambda error: bool(1 / 0)):
        stored = await stage.until_state(info, "retry")
    assert stored.message.retried == 1
    assert "is_failure failed" in caplog.text


async def test_error_handlers_hear_of_every_failure_before_it_is_written(stage: Stage) -> None:
    """Plain and async ones; the task is still active then."""
    heard: list[tuple[str, str, str | None]] = []

    def plain(task: Task, error: BaseException) -> None:
        heard.append((task.type, str(error), states()))

    async def awaited(task: Task, error: BaseException) -> None:
        await asyncio.sleep(0)
        heard.append((task.type, str(error), states()))

    for handler in (plain, awaited):
        info = stage.enqueue()
        states = lambda info=info: stage.state(info)
        async with stage.serving(fail, error_handler=handler):
            await stage.until_state(info, "retry")
    assert heard == [("t", "no\nluck", "active")] * 2


async def test_an_error_handler_that_fails_changes_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged; the task is retried as it would be."""

    def plain(task: Task, error: BaseException) -> None:
        raise RuntimeError("the handler of errors has one")

    async def awaited(task: Task, error: BaseException) -> None:
        plain(task, error)

    for handler in (plain, awaited):
        info = stage.enqueue()
        async with stage.serving(fail, error_handler=handler):
            stored = await stage.until_state(info, "retry")
        assert stored.message.error_msg == "ValueError: no luck"
    assert caplog.text.count("error_handler failed") == 2


@pytest.mark.parametrize("wrap", ["plain", "cause", "group"])
async def test_instructions_count_however_they_are_wrapped(stage: Stage, wrap: str) -> None:
    """SkipRetry archives, RevokeTask drops, Snooze waits: raised, as a cause, or inside an exception group."""

    async def handler(task: Task) -> None:
        instruction = {"skip": SkipRetry("bad"), "revoke": RevokeTask(), "snooze": Snooze(3600)}[task.type]
        match wrap:
            case "plain":
                raise instruction
            case "cause":
                raise RuntimeError("wrapped") from instruction
            case _:
                raise ExceptionGroup("several", [ValueError("one"), instruction])

    infos = {kind: stage.enqueue(kind, retention=60) for kind in ("skip", "revoke", "snooze")}
    async with stage.serving(handler):
        skipped = await stage.until_state(infos["skip"], "archived")
        snoozed = await stage.until_state(infos["snooze"], "scheduled")
        await stage.until_gone(infos["revoke"])
    assert (skipped.message.retried, snoozed.message.retried) == (0, 0)
    assert stage.counters() == (2, 1)


async def test_a_snoozed_task_comes_back_without_spending_a_retry(stage: Stage) -> None:
    """Any number of times; its reason is kept as the last error, and nothing is counted until it ends."""
    runs: list[int] = []

    async def handler(task: Task) -> None:
        runs.append(task.retried)
        if len(runs) < 4:
            raise Snooze(timedelta(milliseconds=20), "not ready")

    info = stage.enqueue(max_retry=0)
    async with stage.serving(handler):
        await stage.until_gone(info)
    assert runs == [0, 0, 0, 0]
    assert stage.counters() == (1, 0)


async def test_error_handlers_hear_of_instructions_but_not_of_a_snooze(stage: Stage) -> None:
    """As in asynq they hear of SkipRetry and RevokeTask; putting a task off is no failure."""
    heard: list[str] = []

    async def handler(task: Task) -> None:
        raise {"skip": SkipRetry("s"), "revoke": RevokeTask("r"), "snooze": Snooze(60)}[task.type]

    infos = {kind: stage.enqueue(kind) for kind in ("skip", "revoke", "snooze")}
    async with stage.serving(handler, error_handler=lambda task, error: heard.append(task.type)):
        await stage.until_state(infos["skip"], "archived")
        await stage.until_state(infos["snooze"], "scheduled")
        await stage.until_gone(infos["revoke"])
    assert sorted(heard) == ["revoke", "skip"]


async def test_retention_keeps_a_task_and_the_janitor_removes_it(stage: Stage) -> None:
    """A completed task is listed until its retention ends, then the server deletes it without being asked."""

    async def handler(task: Task) -> str:
        return "kept"

    info = stage.enqueue(retention=1)
    other = stage.enqueue(retention=3600)
    async with stage.serving(handler):
        stored = await stage.until_state(info, "completed")
        assert stored.result == b"kept"
        assert stored.message.completed_at
        await stage.until_state(other, "completed")
        await stage.until_gone(info)
        assert stage.state(other) == "completed"
    assert stage.ids("completed") == [other.id]


async def test_the_janitor_removes_more_than_one_batch(stage: Stage) -> None:
    """Every expired task goes, however many there are."""

    async def handler(task: Task) -> None:
        return None

    stage.enqueue_many(250, retention=1)
    async with stage.serving(handler, janitor_batch_size=20):
        await stage.until_processed(250)
        await eventually(lambda: all(key.split(":{")[0] in ABOUT_SERVERS for key in stage.left_keys()))
    assert stage.left_keys() == set()


async def test_a_unique_lock_is_freed_by_success_and_kept_by_failure(stage: Stage) -> None:
    """While the task waits, runs, or waits for a retry another one is a duplicate; after success it is not."""
    running, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        if not task.retried:
            raise RuntimeError("first")
        running.set()
        await go_on.wait()

    def duplicate() -> bool:
        try:
            stage.enqueue("u", b"p", unique_for=3600)
        except DuplicateTaskError:
            return True
        return False

    info = stage.enqueue("u", b"p", unique_for=3600)
    assert duplicate()
    async with stage.serving(handler, retry_delay=retry.fixed(1)):
        await stage.until_state(info, "retry")
        assert duplicate()
        await soon(running)
        assert duplicate()
        go_on.set()
        await stage.until_gone(info)
    assert not duplicate()


@pytest.mark.parametrize(("raised", "freed"), [(RevokeTask(), True), (SkipRetry(), False)])
async def test_a_unique_lock_is_freed_by_a_revoke_and_kept_by_the_archive(
    stage: Stage, *, raised: Exception, freed: bool
) -> None:
    """As in asynq."""

    async def handler(task: Task) -> None:
        raise raised

    info = stage.enqueue("u", b"p", unique_for=3600)
    async with stage.serving(handler):
        await eventually(lambda: stage.state(info) in (None, "archived"))
    lock = keys.of_queue("default").unique("u", b"p")
    assert bool(stage.redis.exists(lock)) is not freed


async def test_a_unique_lock_is_freed_by_success_with_retention(stage: Stage) -> None:
    """The task stays, its lock goes."""

    async def handler(task: Task) -> None:
        return None

    info = stage.enqueue("u", b"p", unique_for=3600, retention=60)
    async with stage.serving(handler):
        await stage.until_state(info, "completed")
    assert not stage.redis.exists(keys.of_queue("default").unique("u", b"p"))


async def test_a_message_that_nobody_can_read_is_archived_and_the_others_go_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that are no message, and a message that names another task, take the poisoned task only."""
    q = keys.of_queue("default")
    for task_id, message in (("broken", b"\xff\xff\xff\xff"), ("liar", stage.stored(stage.enqueue()).message.encode())):  # type: ignore[union-attr]
        stage.redis.hset(q.task(task_id), mapping={"msg": message, "state": "pending"})
        stage.redis.lpush(q.pending, task_id)
    stage.redis.lpush(q.pending, "nothing")
    done: list[str] = []

    async def handler(task: Task) -> None:
        done.append(task.type)

    stage.enqueue("after")
    async with stage.serving(handler, concurrency=1):
        await eventually(lambda: "after" in done)
        await eventually(lambda: len(stage.ids("archived")) == 2)
    assert sorted(stage.ids("archived")) == ["broken", "liar"]
    assert sorted(done) == ["after", "t"]
    assert stage.redis.hget(q.task("broken"), "msg") == b"\xff\xff\xff\xff"
    assert stage.counters() == (4, 2)
    assert "unreadable task archived" in caplog.text


class UnprintableError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class OwnBaseError(BaseException):
    """Neither an Exception nor anything that asyncio knows."""


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (UnprintableError(), "UnprintableError"),
        (SystemExit(3), "SystemExit"),
        (OwnBaseError("odd"), "OwnBaseError: odd"),
        (BaseExceptionGroup("group", [OwnBaseError("inside")]), "BaseExceptionGroup"),
        (StopIteration("stop"), "StopIteration"),
        (StopAsyncIteration("stop"), "StopAsyncIteration"),
        (asyncio.CancelledError("by itself"), "CancelledError"),
        (ValueError("\ud800 \x00 " + "x" * 100_000), "ValueError: ? \x00 xxx"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_whatever_a_handler_raises_is_a_failure_and_the_server_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, raised: BaseException, text: str, kind: str
) -> None:
    """Also what is no Exception, has no text, or means something to the event loop."""
    # pytest-xdist cannot carry a captured log with a lone surrogate in it.
    monkeypatch.setattr(logging.getLogger("asynqpy"), "propagate", False)
    mux = ServeMux()

    async def in_loop(task: Task) -> None:
        raise raised

    def in_thread(task: Task) -> None:
        raise raised

    async def well(task: Task) -> None:
        return None

    mux.handle("bad", in_loop if kind == "async" else in_thread)
    mux.handle("good", well)
    bad = [stage.enqueue("bad") for _ in range(3)]
    async with stage.serving(mux, concurrency=2):
        for info in bad:
            stored = await stage.until_state(info, "retry")
            assert text in stored.message.error_msg
            assert len(stored.message.error_msg) < 5000
        await stage.until_gone(*[stage.enqueue("good") for _ in range(3)])
    assert stage.counters() == (6, 3)


async def test_failures_are_logged_and_successes_are_not(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A failing task is no error of the server: a warning, with the traceback and the task's facts."""
    failing = stage.enqueue("bad")
    mux = ServeMux()
    mux.handle("bad", fail)

    @mux.handler("good")
    async def good(task: Task) -> None:
        return None

    async with stage.serving(mux):
        await stage.until_gone(stage.enqueue("good"))
        await stage.until_state(failing, "retry")
    records = [record for record in caplog.records if record.name == "asynqpy.failures"]
    assert [(record.levelno, record.getMessage()) for record in records] == [
        (logging.WARNING, "task failed and will be tried again")
    ]
    assert records[0].__dict__["task_id"] == failing.id
    assert records[0].__dict__["error"] == "ValueError: no luck"
    assert records[0].exc_info


async def test_counters_of_today_end_after_ninety_days(stage: Stage) -> None:
    """The daily counters expire, the totals do not."""
    info = stage.enqueue()
    async with stage.serving(fail):
        await stage.until_state(info, "retry")
    q = keys.of_queue("default")
    day = datetime.now(UTC).date().isoformat()
    for name in (q.processed_on(day), q.failed_on(day)):
        assert 0 < stage.redis.ttl(name) <= 90 * 86_400
    assert stage.redis.ttl(q.processed) == -1
