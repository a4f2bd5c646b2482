"""Which task comes next: weights, strict priority, pause, due moments, wake-up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from redis import Redis

from asynqpy import Server, Task, retry
from asynqpy._wire import keys
from tests.servers import RedisServer

from .stage import Stage, eventually

pytestmark = pytest.mark.anyio


class Order:
    """A handler that notes the queues in the order in which their tasks start."""

    def __init__(self, enough: int) -> None:
        self.queues: list[str] = []
        self.reached = asyncio.Event()
        self._enough = enough

    async def __call__(self, task: Task) -> None:
        self.queues.append(task.queue)
        if len(self.queues) == self._enough:
            self.reached.set()

    async def wait(self) -> None:
        async with asyncio.timeout(60):
            await self.reached.wait()


@pytest.mark.parametrize("concurrency", [1, 10, 100])
async def test_weighted_queues_get_their_shares(stage: Stage, concurrency: int) -> None:
    """6:3:1 with all queues full: the first 10,000 tasks are within 3 points of 60, 30 and 10 percent."""
    weights = {"critical": 6, "default": 3, "low": 1}
    for queue, weight in weights.items():
        stage.enqueue_many(weight * 1200 + 600, queue=queue)
    order = Order(10_000)
    async with stage.serving(order, queues=weights, concurrency=concurrency):
        await order.wait()
    shares = Counter(order.queues[:10_000])
    assert abs(shares["critical"] - 6000) < 300
    assert abs(shares["default"] - 3000) < 300
    assert abs(shares["low"] - 1000) < 300


async def test_a_low_queue_does_not_starve_and_gets_everything_when_alone(stage: Stage) -> None:
    """Weights share what is there: an empty heavy queue costs the others nothing."""
    stage.enqueue_many(500, queue="low")
    order = Order(500)
    async with stage.serving(order, queues={"critical": 1000, "low": 1}):
        await order.wait()
    assert order.queues == ["low"] * 500


@pytest.mark.parametrize("concurrency", [1, 50])
async def test_strict_priority_serves_a_queue_only_when_the_heavier_ones_are_empty(
    stage: Stage, concurrency: int
) -> None:
    """No task of a lower queue starts while a higher one has any."""
    for queue in ("low", "high", "middle"):
        stage.enqueue_many(600, queue=queue)
    order = Order(1800)
    queues = {"low": 1, "high": 100, "middle": 7}
    async with stage.serving(order, queues=queues, strict_priority=True, concurrency=concurrency):
        await order.wait()
    # A claim that empties a queue leaves slots for the next one, whose tasks may overtake by that many at the border.
    last_high = max(at for at, queue in enumerate(order.queues) if queue == "high")
    last_middle = max(at for at, queue in enumerate(order.queues) if queue == "middle")
    assert last_high < 600 + concurrency
    assert last_middle < 1200 + concurrency


async def test_strict_priority_goes_back_up_when_a_heavier_queue_gets_a_task(stage: Stage) -> None:
    """A task that comes to the higher queue overtakes everything that waits below."""
    order: list[str] = []
    first, go_on = asyncio.Event(), asyncio.Event()

    async def handler(task: Task) -> None:
        order.append(task.queue)
        if len(order) == 1:
            first.set()
            await go_on.wait()

    stage.enqueue_many(5, queue="low")
    async with stage.serving(handler, queues={"high": 2, "low": 1}, strict_priority=True, concurrency=1):
        async with asyncio.timeout(30):
            await first.wait()
        stage.enqueue_many(2, queue="high")
        await asyncio.sleep(0.2)  # the wake-up is on its way, and nothing tells a test that it has arrived
        go_on.set()
        await eventually(lambda: len(order) == 7)
    assert order[1:4].count("high") == 2


async def test_tasks_of_one_queue_start_in_the_order_of_enqueueing(stage: Stage) -> None:
    """First in, first out."""
    seen: list[int] = []

    async def handler(task: Task) -> None:
        seen.append(task.json())

    stage.enqueue_many(300)
    async with stage.serving(handler, concurrency=1):
        await eventually(lambda: len(seen) == 300)
    assert seen == list(range(300))


async def test_a_paused_queue_gives_nothing_until_it_is_unpaused(stage: Stage) -> None:
    """The others go on; the change of the flag wakes the server."""
    seen: list[str] = []

    async def handler(task: Task) -> None:
        seen.append(task.queue)

    paused = keys.of_queue("paused").paused
    stage.redis.set(paused, int(time.time()))
    stage.enqueue(queue="paused")
    async with stage.serving(handler, queues={"paused": 5, "open": 1}):
        await stage.until_gone(stage.enqueue(queue="open"))
        stage.enqueue(queue="paused")
        await stage.until_gone(stage.enqueue(queue="open"))
        assert "paused" not in seen
        stage.redis.delete(paused)
        await eventually(lambda: seen.count("paused") == 2)
        stage.redis.set(paused, int(time.time()))
        info = stage.enqueue(queue="paused")
        await stage.until_gone(stage.enqueue(queue="open"))
        assert stage.state(info) == "pending"


async def test_a_scheduled_task_is_never_early_and_hardly_late(stage: Stage, server: RedisServer) -> None:
    """It starts at or after the very moment that was asked for, fractions of a second included."""
    started: dict[str, float] = {}

    async def handler(task: Task) -> None:
        started[task.id] = time.time()

    async with stage.serving(handler):
        due = {
            stage.enqueue(process_at=datetime.fromtimestamp(moment, UTC)).id: moment
            for moment in (time.time() + 0.05 + n * 0.137 for n in range(12))
        }
        for _ in range(3):
            info = stage.enqueue(process_in=timedelta(milliseconds=300))
            assert info.next_process_at is not None
            due[info.id] = info.next_process_at.timestamp()
        await eventually(lambda: len(started) == len(due))
    late = [started[task_id] - moment for task_id, moment in due.items()]
    assert min(late) >= -0.001
    assert max(late) < 10  # generous: the machine is shared
    assert stage.left_keys() == set()


async def test_a_server_takes_what_fell_due_while_none_was_running(stage: Stage) -> None:
    """Overdue tasks are forwarded at once, also those that Go has written in whole seconds."""
    q = keys.of_queue("default")
    info = stage.enqueue(process_in=3600)
    stage.redis.zadd(q.scheduled, {info.id: int(time.time()) - 100})

    async def handler(task: Task) -> None:
        return None

    async with stage.serving(handler):
        await stage.until_gone(info)


async def test_many_tasks_that_fall_due_together_are_all_forwarded(stage: Stage) -> None:
    """Also more than one sweep moves."""
    seen: list[int] = []

    async def handler(task: Task) -> None:
        seen.append(task.json())

    moment = datetime.now(UTC) + timedelta(seconds=1.5)
    stage.enqueue_many(2000, process_at=moment)
    async with stage.serving(handler, concurrency=100):
        await eventually(lambda: len(seen) == 2000)
        assert datetime.now(UTC) >= moment
    assert sorted(seen) == list(range(2000))


async def test_retries_come_back_on_time(stage: Stage) -> None:
    """A retry with a delay below a second is neither early nor rounded up to whole seconds of waiting."""
    moments: list[float] = []

    async def handler(task: Task) -> None:
        moments.append(time.time())
        if len(moments) < 4:
            raise RuntimeError("again")

    info = stage.enqueue()
    async with stage.serving(handler, retry_delay=retry.fixed(0.15)):
        await stage.until_gone(info)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0.149


@pytest.mark.parametrize("writer", ["client", "plain commands", "transaction"])
async def test_an_idle_server_is_woken_by_whoever_adds_a_task(stage: Stage, redis: Redis, writer: str) -> None:
    """Without polling: the safety poll is ten seconds away, and the task starts long before."""
    started = asyncio.Event()

    async def handler(task: Task) -> None:
        started.set()

    message = stage.stored(stage.enqueue("seed"))
    assert message is not None
    async with stage.serving(handler, task_check_interval=3600) as server:
        await eventually(lambda: started.is_set() and not stage.ids("active"))
        started.clear()
        assert server._rings is not None
        readiness = server._rings._processor.readiness
        await eventually(lambda: not readiness.ready and not readiness._to_arm)  # idle
        began = time.monotonic()
        q = keys.of_queue("default")
        if writer == "client":
            stage.enqueue()
        else:
            fields = {"msg": message.message.encode(), "state": "pending"}
            pipe = redis.pipeline(transaction=writer == "transaction")
            pipe.hset(q.task(message.message.id), mapping=fields)
            pipe.lpush(q.pending, message.message.id)
            pipe.execute()
        await eventually(started.is_set)
        assert time.monotonic() - began < 8


async def test_an_idle_server_asks_next_to_nothing(stage: Stage, redis: Redis) -> None:
    """Fewer than three commands a second with a hundred queues, heartbeats included."""

    async def handler(task: Task) -> None:
        return None

    async with stage.serving(handler, queues={f"q{n}": 1 for n in range(100)}) as server:
        assert server._rings is not None
        readiness = server._rings._processor.readiness
        await eventually(lambda: not readiness.ready and not readiness._to_arm)
        await asyncio.sleep(1)  # the last of the start
        before = redis.info("stats")["total_commands_processed"]
        await asyncio.sleep(6)  # a rate needs a while
        after = redis.info("stats")["total_commands_processed"]
    assert (after - before - 1) / 6 < 3


async def test_each_server_works_on_its_own_queues_only(stage: Stage) -> None:
    """A queue that no server names stays as it is, its scheduled tasks too."""

    async def handler(task: Task) -> None:
        return None

    elsewhere = [stage.enqueue(queue="elsewhere"), stage.enqueue(queue="elsewhere", process_in=0.05)]
    async with stage.serving(handler, queues={"mine": 1}):
        await stage.until_gone(stage.enqueue(queue="mine"), stage.enqueue(queue="mine", process_in=0.2))
        assert [stage.state(info) for info in elsewhere] == ["pending", "scheduled"]


async def test_two_servers_share_a_queue_and_run_each_task_once(stage: Stage) -> None:
    """No task runs twice, and both servers work."""
    runs: Counter[int] = Counter()
    workers: Counter[str] = Counter()

    def handler_of(name: str) -> Callable[[Task], object]:
        async def handler(task: Task) -> None:
            runs[task.json()] += 1
            workers[name] += 1
            await asyncio.sleep(0.001)

        return handler

    stage.enqueue_many(1000)
    async with stage.serving(handler_of("one")), stage.serving(handler_of("two")):
        await stage.until_processed(1000)
    assert sorted(runs) == list(range(1000))
    assert set(runs.values()) == {1}
    assert set(workers) == {"one", "two"}
    assert stage.left_keys() == set()


async def test_a_group_task_that_was_scheduled_joins_its_group_when_due(stage: Stage) -> None:
    """asynq loses the group here; we keep it, and the aggregator of whatever server finds the task."""

    async def handler(task: Task) -> None:
        raise AssertionError("a grouped task must not run alone")

    info = stage.enqueue(group="g", process_in=0.2)
    async with stage.serving(handler):
        await stage.until_state(info, "aggregating")
    q = keys.of_queue("default")
    assert stage.redis.zrange(q.group("g"), 0, -1) == [info.id.encode()]
    assert stage.redis.smembers(q.groups) == {b"g"}


def test_servers_are_made_without_touching_redis() -> None:
    """Nothing is contacted before a server is started."""
    Server("redis://127.0.0.1:1/0", queues={"a": 1})
