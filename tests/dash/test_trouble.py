"""When Redis goes away, when what is looked at goes away, and when there is very much to look at."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from asynqpy import AsyncInspector, QueueInfo, attempts
from asynqpy._wire import keys
from asynqpy.dash.views.queues import QueuesView
from asynqpy.testing import FakeClock
from tests.conftest import StartServer
from tests.redis.inspected import Inspected

from .page import opened
from .world import NOW, World, task_id

pytestmark = pytest.mark.anyio


async def test_redis_goes_away_and_comes_back(start_server: StartServer) -> None:
    """The data stays on the screen, with its age and the reason; when Redis is back it is new, and so is the cursor."""
    server = start_server(options={"appendonly": "yes"})
    with server.client() as redis:
        World(redis)
    async with opened(server.url, refresh=0.5) as page:
        await page.press("down")
        await page.until("● live", "4 queues")
        server.kill()
        page.clock.advance(7)
        await page.until("○ away", "data is 7 s old", "4 queues", "payments")
        assert page.app.link.failures > 0
        server.start()
        with server.client() as redis:
            Inspected(redis, "another")
        await page.press("ctrl+r")
        await page.until("● live", "5 queues", "another", absent="data is")
        assert page.table.row.queue == "default"


async def test_redis_comes_later(start_server: StartServer) -> None:
    """A dashboard that was opened first shows why there is nothing, and then what there is."""
    server = start_server()
    server.stop()
    async with opened(server.url, refresh=0.5) as page:
        await page.until("no data yet", "Reading …")
        server.start()
        await page.press("ctrl+r")
        await page.until("There are no queues yet", "● live", absent="no data yet")


async def test_attempts_become_rarer(start_server: StartServer) -> None:
    """While Redis is away it is asked less and less often, but four times a minute at least."""
    server = start_server()
    async with opened(server.url, refresh=2.0) as page:
        link = page.app.link
        server.stop()
        pauses = []
        for _ in range(5):
            await page.read()
            pauses.append(link.pause)
        assert pauses == [2.0, 4.0, 8.0, 15.0, 15.0]
        server.start()
        await page.read()
        assert link.pause >= 2.0
        assert not link.error


async def test_redis_hangs(world: World, redis_url: str) -> None:
    """No answer is not the same as no connection: the age is shown in either case, and keys still work."""
    async with opened(redis_url, refresh=2.0) as page:
        page.app.workers.cancel_group(page.view, "reading")
        page.clock.advance(60)
        await page.until("Redis does not answer · data is 60 s old", "○ late")
        await page.press("down", "question_mark")
        await page.until("Everywhere")


async def test_behind_a_dialog_it_goes_on(world: World, redis_url: str) -> None:
    """Whoever reads the help for a minute does not find old data behind it."""
    async with opened(redis_url) as page:
        await page.press("question_mark")
        await page.until("Everywhere")
        page.clock.advance(60)
        Inspected(world.redis, "another")
        await page.read()
        await page.press("escape")
        await page.until("5 queues", "● live", absent="does not answer")


async def test_held(world: World, redis_url: str) -> None:
    """z holds the screen: nothing is read until it is pressed again."""
    async with opened(redis_url, refresh=0.5) as page:
        await page.press("z")
        await page.until("‖ held")
        Inspected(world.redis, "another")
        before = page.view.count_read
        await page.press("2")
        await page.first()
        await page.press("1")
        await page.until("4 queues")
        assert page.view.count_read == before
        await page.press("z")
        await page.until("5 queues", "● live")


async def test_the_queue_goes_while_it_is_looked_at(world: World, redis: Redis, redis_url: str) -> None:
    """It says so, instead of showing what is no longer there."""
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("orphaned")
        redis.srem(keys.QUEUES, "critical")
        await page.read()
        await page.until("There is no queue 'critical'", absent="orphaned")
        await page.press("escape")
        await page.until("3 queues")


async def test_the_task_goes_while_it_is_looked_at(world: World, redis: Redis, redis_url: str) -> None:
    """What was known of it stays readable, and nothing can be done to it any more."""
    async with opened(redis_url) as page:
        page.app.open_task("payments", task_id(501))
        await page.until("Traceback", "Run")
        redis.delete(world.payments.keys.task(task_id(501)))
        await page.read()
        await page.until("This task is gone", "Traceback", "insufficient funds", absent="r Run")


async def test_attempts_that_failed(redis: Redis, redis_url: str) -> None:
    """The newest first, with who ran them and for how long; control characters do not reach the terminal."""
    queue = Inspected(redis)
    runner = attempts.Runner("host:7", "1.4.2")
    first = attempts.encode("first \x1b[5mboom", now=1_700_000_000, runner=runner, ran_seconds=2.5)
    last = attempts.encode("the worker died", now=1_700_000_060, is_lost=True)
    queue.bring("retry", "a", {"py:attempts": first + b"\n" + last})
    async with opened(redis_url) as page:
        page.app.open_task("low", "a")
        text = await page.until("Failed attempts", "after 2.5s on host:7 version 1.4.2", "·[5mboom", "the worker died")
        assert text.index("the worker died") < text.index("host:7")


async def test_a_task_that_cannot_be_read(redis: Redis, redis_url: str) -> None:
    """Bytes that are no message are shown as they are; control characters do not reach the terminal."""
    queue = Inspected(redis)
    queue.bring("archived", "broken")
    redis.hset(queue.keys.task("broken"), "msg", b"\xff\xfe no message")
    queue.bring("archived", "evil\x1b[2J", type="\x1b]0;owned\x07", payload=b"\x1b[31mred", error_msg="\x1b[5mblink")
    async with opened(redis_url) as page:
        await page.press("enter")
        text = await page.until("unreadable", "evil·[2J", "·[5mblink")
        assert "\x1b" not in text
        page.app.open_task("low", "broken")
        await page.until("its message cannot be read", "ff fe 20 6e 6f")


async def test_memory_that_is_forbidden(redis: Redis, redis_url: str) -> None:
    """Some who rent Redis out forbid to ask for it: there is a dash, and everything else."""
    Inspected(redis).bring("pending", "one")

    class Forbidding(AsyncInspector):
        async def queue_infos(self, queues: Any = None, *, memory: bool = True) -> list[QueueInfo]:
            return await super().queue_infos(queues, memory=False)

    async with opened(Forbidding(redis_url, clock=FakeClock(NOW))) as page:
        await page.read()
        line = next(line for line in page.text.splitlines() if line.startswith("  low"))
        assert line.split()[1] == "1"
        assert line.endswith("–")


async def test_a_thousand_queues(redis: Redis, redis_url: str) -> None:
    """One reading asks for each queue once, and for the memory of a few that can be seen; any key is answered."""
    pipeline = redis.pipeline(transaction=False)
    for n in range(1000):
        pipeline.sadd(keys.QUEUES, f"queue-{n:04}")
        pipeline.lpush(keys.of_queue(f"queue-{n:04}").pending, "t")
    pipeline.execute()
    async with opened(redis_url) as page:
        await page.until("1,000 queues", "queue-0000")
        before = redis.info("commandstats")
        await page.read()
        after = redis.info("commandstats")
        calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
        assert calls["cmdstat_evalsha"] <= 1000 + 8
        assert calls.get("cmdstat_memory|usage", calls.get("cmdstat_memory", 0)) <= 8 * 2
        await page.press("end")
        await page.until("queue-0999")
        await page.press("slash")
        await page.type("0500")
        await page.until("queue-0500", absent="queue-0999")
        assert isinstance(page.view, QueuesView)


async def test_many_tasks_are_read_by_the_page(redis: Redis, redis_url: str) -> None:
    """However many tasks there are, a reading looks at those that find room."""
    queue = Inspected(redis)
    queue.many("archived", 20_000)
    async with opened(redis_url) as page:
        await page.press("enter")
        await page.until("1–26 of 20,000 · page 1/770")
        before = redis.info("commandstats")["cmdstat_hmget"]["calls"]
        await page.read()
        assert redis.info("commandstats")["cmdstat_hmget"]["calls"] - before <= 30
