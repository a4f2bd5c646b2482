"""Changing things from the dashboard: what a key does to Redis, and what is asked before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from textual.widgets import Button, Input, TextArea

from asynqpy import AsyncInspector, BrokerError, TaskState
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.dash.dialogs import Confirm, EditPayload, Progress
from asynqpy.dash.views.queue import QueueView
from asynqpy.dash.views.queues import QueuesView
from asynqpy.testing import FakeClock
from tests.eventually import eventually
from tests.redis.inspected import WAITING, Inspected

from .page import Page, opened
from .world import NOW, World, task_id

pytestmark = pytest.mark.anyio


@pytest.fixture
def queue(redis: Redis) -> Inspected:
    """A queue of the test's own."""
    return Inspected(redis)


def state(queue: Inspected, task: str) -> str | None:
    """What the hash of a task says."""
    found = queue.redis.hget(queue.keys.task(task), "state")
    return found.decode() if found else None


async def answer(page: Page, question: str, key: str = "y") -> None:
    """Wait for a question, and answer it."""
    await page.until(question)
    assert isinstance(page.app.screen, Confirm)
    await page.press(key)


@pytest.mark.parametrize(
    ("before", "key", "question", "after"),
    [
        ("scheduled", "r", "Run t one?", "pending"),
        ("retry", "r", "Run t one?", "pending"),
        ("archived", "r", "Run t one?", "pending"),
        ("pending", "a", "Archive t one?", "archived"),
        ("scheduled", "a", "Archive t one?", "archived"),
        ("retry", "d", "Delete t one?", None),
        ("completed", "d", "Delete t one?", None),
        ("pending", "d", "Delete t one?", None),
    ],
)
async def test_one_task(
    queue: Inspected, redis_url: str, before: str, key: str, question: str, after: str | None
) -> None:
    """Run, archive and delete ask, do it when the answer is yes, and the page shows what is left."""
    queue.bring(before, "one")
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–1 of 1")
        await page.press(key)
        await answer(page, question, "n")
        await page.until("1–1 of 1", absent=question)
        assert state(queue, "one") == before
        await page.press(key)
        await answer(page, question)
        await page.until("t one ", absent="1–1 of 1")
        assert state(queue, "one") == after
        queue.check()


async def test_only_what_is_allowed_is_offered(world: World, redis_url: str) -> None:
    """The line at the bottom has the actions of the state; the other keys do nothing."""
    async with opened(redis_url) as page:
        await page.press("enter")
        text = await page.until("Cancel", "orphaned")
        assert "Archive" not in text.splitlines()[-1]
        await page.press("r", "d", "a")
        assert not isinstance(page.app.screen, Confirm)
        await page.press("right")
        text = await page.until("a Archive", "d Delete")
        assert "Run" not in text.splitlines()[-1]


async def test_marked_tasks(queue: Inspected, redis_url: str) -> None:
    """An action is about the marked tasks; the question names some, and what went wrong is listed afterwards."""
    for n in range(8):
        queue.bring("archived", f"t{n}")
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–8 of 8")
        await page.press("space", "space", "space", "space", "space", "space", "space")
        await page.until("7 marked")
        queue.redis.zrem(queue.keys.archived, "t2")
        queue.redis.delete(queue.keys.task("t2"))
        await page.press("d")
        await page.until("Delete 7 tasks?", "low  t  t0", "and 2 more")
        await page.press("y")
        await page.until("1 could not be done", "'t2'")
        assert isinstance(page.app.screen, Progress)
        await page.press("escape")
        await page.until("6 deleted, 1 not", "1–1 of 1", absent="marked")
        assert [state(queue, f"t{n}") for n in (0, 6, 7)] == [None, None, "archived"]


async def test_deleting_is_not_what_enter_does(queue: Inspected, redis_url: str) -> None:
    """Before what is final the other button has the focus; before the rest it is yes."""
    queue.bring("archived", "one")
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–1 of 1")
        await page.press("d")
        await page.until("Nothing brings it back.")
        await page.press("enter")
        await page.until("1–1 of 1", absent="Delete t one?")
        assert state(queue, "one") == "archived"
        await page.press("r", "enter")
        await page.until("made pending")
        assert state(queue, "one") == "pending"


@pytest.mark.parametrize(
    ("before", "key", "question", "after"),
    [
        ("archived", "R", "Run all 700 archived tasks of queue 'low'?", "pending"),
        ("pending", "A", "Archive all 700 pending tasks of queue 'low'?", "archived"),
        ("retry", "D", "Delete all 700 retry tasks of queue 'low'?", None),
    ],
)
async def test_all_of_a_state(
    queue: Inspected, redis_url: str, before: str, key: str, question: str, after: str | None
) -> None:
    """Capital letters are about everything in the state. To delete it, the name of the queue must be typed."""
    ids = queue.many(before, 700)
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("of 700")
        await page.press(key)
        await page.until(question)
        if after is None:
            assert page.app.screen.query_one("#yes", Button).disabled
            await page.press("y", "enter")
            assert isinstance(page.app.screen, Confirm)
            page.app.screen.query_one("#typed", Input).value = "low"
            await page.pilot.pause()
            await page.press("enter")
        else:
            await page.press("y")
        await page.until("700 ", absent="of 700")
        assert {state(queue, each) for each in ids} == {after}


async def test_all_of_a_group(queue: Inspected, redis_url: str) -> None:
    """In a group they are about that group alone."""
    for group in ("g1", "g2"):
        for n in range(3):
            queue.grouped(f"{group}-{n}", group)
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("2 groups")
        await page.press("R")
        assert not isinstance(page.app.screen, Confirm)
        await page.press("down", "enter")
        await page.until("1–3 of 3")
        await page.press("R")
        await answer(page, "Run all 3 aggregating tasks of group 'g2' of queue 'low'?")
        await page.until("3 made pending")
        assert [state(queue, "g2-0"), state(queue, "g1-0")] == ["pending", "aggregating"]


async def test_a_long_job_is_stopped(queue: Inspected, redis_url: str) -> None:
    """Esc stops it between two batches; what was done is told."""
    queue.many("archived", 1000)
    go_on = asyncio.Event()

    class Slow(AsyncInspector):
        async def delete_all(
            self, queue: str, state: Any, *, group: Any = None, on_progress: Callable[[int, int], object] | None = None
        ) -> int:
            assert on_progress is not None
            on_progress(300, 1000)
            await go_on.wait()
            on_progress(600, 1000)
            raise AssertionError("it was told to stop")

    async with opened(Slow(redis_url, clock=FakeClock(NOW))) as page:
        await page.press("enter")
        await page.until("of 1,000")
        await page.press("D")
        await page.until("Type low to go on")
        page.app.screen.query_one("#typed", Input).value = "low"
        await page.pilot.pause()
        await page.press("enter")
        await page.until("300 of 1,000", "Esc stops")
        await page.press("escape")
        await page.until("stopping …")
        go_on.set()
        await page.until("600 deleted; stopped")


async def test_cancelling(world: World, redis: Redis, redis_url: str) -> None:
    """c tells the servers, on the channel that Go listens to as well; C does for all that run."""
    with redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.CANCEL_CHANNEL)

        def told() -> Any:
            message = channel.get_message()
            return message and message["data"].decode()

        async with opened(redis_url) as page:
            await page.press("enter")
            await page.until("orphaned")
            await page.press("down", "c")
            await answer(page, f"Cancel report:build {task_id(101)}?")
            assert await eventually(told) == task_id(101)
            await page.until(f"{task_id(101)} told")
            await page.press("C")
            await answer(page, "Cancel all 4 active tasks")
            assert {await eventually(told) for _ in range(4)} == {task_id(n) for n in range(100, 104)}
            await page.until("4 told to stop")
            await page.press("2")
            await page.until("Running on web-1:4200")
            await page.press("tab", "c")
            await answer(page, f"Cancel report:build {task_id(102)}?")
            assert await eventually(told) == task_id(102)


async def test_pausing(world: World, redis: Redis, redis_url: str) -> None:
    """P pauses the queues that are marked, and resumes them when all are paused; in a queue it is about that one."""
    async with opened(redis_url) as page:
        await page.press("space", "space", "P")
        await answer(page, "Pause 2 queues?")
        await page.until("3 paused")
        assert redis.exists(world.critical.keys.paused, world.default.keys.paused) == 2
        await page.press("home", "enter")
        await page.until("paused (P resumes)")
        await page.press("P")
        await answer(page, "Resume queue 'critical'?")
        await page.until("queue 'critical' resumed", absent="(P resumes)")
        assert not redis.exists(world.critical.keys.paused)


async def test_a_queue_is_deleted(world: World, redis: Redis, redis_url: str) -> None:
    """With everything in it, after its name was typed; one that runs tasks stays, and it is told why."""
    async with opened(redis_url) as page:
        for name, wanted in {"critical": "active", "payments": "queue 'payments' is gone"}.items():
            page.table.point_at(name)
            await page.press("D")
            await page.until(f"Delete queue '{name}'?", "Nothing brings them")
            await page.type(name)
            await page.press("enter")
            await page.until(wanted)
        await page.until("3 queues")
        assert redis.smembers(keys.QUEUES) == {b"critical", b"default", b"low"}
        assert not list(redis.scan_iter("asynq:{payments}:*"))


async def test_reading_only(world: World, redis: Redis, redis_url: str) -> None:
    """With --read-only no key changes anything, and none is offered."""
    before = sorted(redis.scan_iter("*"))
    async with opened(redis_url, read_only=True) as page:
        await page.until("read-only", absent="Pause")
        await page.press("P", "D", "end", "enter")
        await page.until("CardDeclined")
        assert "Run" not in page.text.splitlines()[-1]
        await page.press(*"radceERADCP")
        await page.press("enter")
        await page.until("Facts")
        await page.press(*"rade")
        await page.press("2", "tab", "c", "question_mark")
        await page.until("Keys", absent="Cancel")
        assert not isinstance(page.app.screen, Confirm)
    assert sorted(redis.scan_iter("*")) == before


async def test_a_payload_is_edited(queue: Inspected, redis_url: str) -> None:
    """e opens it in an editor; what was JSON must stay JSON; Esc leaves it as it was."""
    queue.bring("scheduled", "one", payload=b'{"n": 1}')
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–1 of 1")
        await page.press("enter", "e")
        await page.until("Payload of t one")
        editor = page.app.screen.query_one(TextArea)
        editor.text = '{"n": '
        await page.until("not JSON any more")
        await page.press("ctrl+s")
        assert isinstance(page.app.screen, EditPayload)
        editor.text = '{"n": 2}'
        await page.until("ctrl+s saves")
        await page.press("ctrl+s")
        await page.until("has a new payload", '"n": 2')
        await page.press("e")
        await page.until("Payload of t one")
        await page.press("escape")
        await page.until("Facts", absent="ctrl+s saves")
    stored = queue.redis.hget(queue.keys.task("one"), "msg")
    assert TaskMessage.decode(stored).payload == b'{"n": 2}'


async def test_a_copy_is_enqueued(queue: Inspected, redis_url: str) -> None:
    """E enqueues a copy of a task that is done, which stays as it is; the ids go to the clipboard with y."""
    queue.bring("completed", "one", payload=b"same")
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–1 of 1")
        await page.press("y")
        assert page.app.clipboard == "one"
        await page.press("E")
        await answer(page, "Enqueue t one again?")
        await page.until("enqueued again", "Pending 1")
    (copy,) = queue.redis.lrange(queue.keys.pending, 0, -1)
    assert TaskMessage.decode(queue.redis.hget(queue.keys.task(copy.decode()), "msg")).payload == b"same"
    assert state(queue, "one") == "completed"


async def test_from_the_page_of_a_task_and_from_what_was_found(queue: Inspected, redis_url: str) -> None:
    """The same keys work there. A deleted task leaves its page, a moved one is shown where it is."""
    for waiting in WAITING:
        queue.bring(waiting, f"t-{waiting}", type="find:me")
    async with opened(redis_url) as page:
        page.app.open_task("low", "t-retry")
        await page.until("Facts")
        await page.press("r")
        await answer(page, "Run find:me t-retry?")
        await page.until("● pending")
        await page.press("d")
        await answer(page, "Delete find:me t-retry?")
        await page.until("1 queue", absent="Facts")
        assert isinstance(page.view, QueuesView)
        await page.press("f")
        await page.type("type:find")
        await page.press("enter")
        await page.until("5 found")
        await page.press("asterisk", "r")
        await page.until("Run 4 tasks?", "does not allow it: 1")
        await page.press("y")
        await page.until("4 made pending", "t-archived", absent="✗ archived")
        assert {state(queue, f"t-{waiting}") for waiting in WAITING if waiting != "retry"} == {TaskState.PENDING.value}


async def test_what_redis_refuses_is_told(queue: Inspected, redis_url: str) -> None:
    """An action that fails says why, and the page goes on."""

    class Refusing(AsyncInspector):
        async def run_task(self, queue: str, task_id: str) -> None:
            raise BrokerError("NOPERM this user may not do that")

    queue.bring("archived", "one")
    async with opened(Refusing(redis_url, clock=FakeClock(NOW))) as page:
        await page.press("enter")
        await page.until("1–1 of 1")
        await page.press("r", "y")
        await page.until("NOPERM this user may not do that", "1–1 of 1")
        assert page.one(QueueView).targets()
