"""Every method of both inspectors, on tasks and servers as they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy import (
    AsyncInspector,
    BrokerError,
    Client,
    ConfigError,
    Inspector,
    PayloadChangedError,
    QueryError,
    QueueNotEmptyError,
    QueueNotFoundError,
    RevokeTask,
    ServeMux,
    Server,
    Task,
    TaskNotFoundError,
    TaskState,
    TaskStateError,
    __version__,
)
from asynqpy._wire import keys, records
from asynqpy.inspection import SchedulerEntry, SchedulerEvent
from asynqpy.testing import FakeClock
from tests.eventually import eventually
from tests.redis.inspected import SINCE, Inspected

pytestmark = pytest.mark.anyio


async def gathered(iterator: Any) -> list[Any]:
    return [each async for each in iterator]


class TestQueues:
    """Queues from their first task to their end."""

    async def test_life(self, face: Any, client: Client) -> None:
        """Seen with the first task, told of, paused, deleted."""
        assert await face.queues() == []
        client.enqueue(Task("t"), queue="low")
        client.enqueue(Task("t"), queue="high", group="g")
        assert await face.queues() == ["high", "low"]
        info = await face.queue_info("low")
        assert (info.pending, info.size, info.paused) == (1, 1, False)
        assert timedelta(0) < info.latency < timedelta(minutes=1)
        assert [(each.queue, each.size) for each in await face.queue_infos()] == [("high", 1), ("low", 1)]
        assert [each.queue for each in await face.queue_infos(["low"], memory=False)] == ["low"]
        assert [(group.group, group.size) for group in await face.groups("high")] == [("g", 1)]
        assert [day.processed for day in await face.history("low", 2)] == [0, 0]
        assert len(await face.history("low")) == 10
        assert await face.pause_queue("low") is True
        assert await face.pause_queue("low") is False
        assert (await face.queue_info("low")).paused
        assert await face.unpause_queue("low") is True
        with pytest.raises(QueueNotEmptyError):
            await face.delete_queue("low")
        await face.delete_queue("low", force=True)
        assert await face.queues() == ["high"]
        with pytest.raises(QueueNotFoundError):
            await face.queue_info("low")


class TestTasks:
    """Tasks are listed, found and acted on."""

    async def test_life(self, face: Any, client: Client, low: Inspected) -> None:
        """From one state to the next and away."""
        task = client.enqueue(Task("t", {"n": 1}), queue="low", process_in=3600, retention=60)
        assert [info.id for info in await face.list_tasks("low", "scheduled")] == [task.id]
        assert [info.id for info in await face.list_tasks("low", TaskState.SCHEDULED, page=2)] == []
        await face.update_payload("low", task.id, {"n": 2}, expected=b'{"n":1}')
        with pytest.raises(PayloadChangedError, match="changed meanwhile"):
            await face.update_payload("low", task.id, {"n": 3}, expected=b'{"n":1}')
        moment = datetime(2126, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
        await face.reschedule_task("low", task.id, process_at=moment)
        assert (await face.task_info("low", task.id)).next_process_at == moment
        await face.run_task("low", task.id)
        info = await face.task_info("low", task.id)
        assert (info.state, info.payload, info.retention) == (TaskState.PENDING, b'{"n":2}', timedelta(minutes=1))
        with pytest.raises(TaskStateError):
            await face.run_task("low", task.id)
        await face.archive_task("low", task.id)
        again = await face.enqueue_again("low", task.id)
        assert (again.state, again.payload) == (TaskState.PENDING, b'{"n":2}')
        moved = await face.enqueue_again("low", task.id, b"other", to_queue="high")
        assert (moved.queue, moved.payload) == ("high", b"other")
        await face.delete_task("low", task.id)
        with pytest.raises(TaskNotFoundError):
            await face.task_info("low", task.id)
        low.check()

    async def test_all_of_them(self, face: Any, low: Inspected) -> None:
        """Moved on and away, in batches that are told of."""
        ids = low.many("scheduled", 900)
        grouped = low.many("aggregating", 3, prefix="g")
        told: list[tuple[int, int]] = []
        assert await face.run_all("low", "scheduled", on_progress=lambda *each: told.append(each)) == 900
        assert told == [(200, 900), (400, 900), (600, 900), (800, 900), (900, 900)]
        assert [info.id for info in await face.list_tasks("low", "pending", page_size=5)] == ids[:5]
        assert [info.id for info in await face.list_tasks("low", "pending", page_size=2, descending=True)] == [
            ids[-1],
            ids[-2],
        ]
        assert await face.archive_all("low", "pending") == 900
        assert [info.id for info in await face.list_tasks("low", "aggregating", group="g")] == grouped
        assert await face.delete_all("low", "aggregating", group="g") == 3
        assert await face.delete_all("low", "archived") == 900
        assert low.snapshot() == {}

    async def test_one_after_the_other(self, face: Any, low: Inspected) -> None:
        """Iterated, or searched with a look at how far it got."""
        ids = low.many("retry", 1200)
        low.many("aggregating", 3, prefix="g")
        assert [info.id async for info in face.iter_tasks("low", "retry")] == ids
        assert [info.id async for info in face.iter_tasks("low", "retry", descending=True)] == ids[::-1]
        assert len(await gathered(face.iter_tasks("low", "aggregating"))) == 3
        search = face.find_tasks(queues="low", states=["retry"], type="t*", budget=700)
        assert not search.coverage.scanned
        assert [info.id async for info in search] == ids[:700]
        assert (search.coverage.scanned, search.coverage.is_complete) == (700, False)
        further = face.find_tasks(queues="low", states=["retry"], type="t*", cursor=search.cursor)
        assert [info.id async for info in further] == ids[700:]
        assert further.cursor is None
        everything = face.find_tasks(limit=3)
        assert len(await gathered(everything)) == 3
        (only,) = await gathered(face.find_tasks(ids=ids[5]))
        assert (only.id, only.state) == (ids[5], TaskState.RETRY)
        asked = face.find_tasks(since=datetime.fromtimestamp(SINCE + 119, UTC), until=datetime.now(UTC), error="")
        assert len(await gathered(asked)) == 10

    @pytest.mark.parametrize("asked", [{}, {"type": "t"}, {"error": ""}, {"since": datetime.fromtimestamp(1, UTC)}])
    @pytest.mark.parametrize("limit", [1, 499, 500, 501, 1001])
    async def test_in_batches(self, face: Any, low: Inspected, asked: dict[str, Any], limit: int) -> None:
        """What a step finds comes at once, ends where it should, and goes on there; nothing twice, nothing left out."""
        ids = low.many("retry", 900) + low.many("archived", 300, prefix="z")
        search = face.find_tasks(states=["retry", "archived"], limit=limit, **asked)
        batches = [batch async for batch in search.batches()]
        assert all(batches)
        assert [info.id for batch in batches for info in batch] == ids[:limit]
        assert search.coverage.matched == limit
        further = face.find_tasks(states=["retry", "archived"], cursor=search.cursor, **asked)
        first = await anext(further)
        left = [info.id async for batch in further.batches() for info in batch]
        assert [first.id, *left] == ids[limit:]
        assert (further.coverage.is_complete, further.cursor) == (True, None)

    async def test_finds_by_headers_and_fields(self, face: Any, low: Inspected) -> None:
        """Both faces read into messages and payloads."""
        low.bring("retry", "a", payload=b'{"user":{"id":9007199254740993}}', headers={"tenant": "acme"})
        low.bring("retry", "b", payload=b'{"user":{"id":9007199254740992}}', headers={"tenant": "other"})
        for asked in (
            {"payload_fields": {"user.id": 9007199254740993}},
            {"headers": {"tenant": "acme"}},
            {"headers": {"tenant": ...}, "payload_fields": {"user.id": 9007199254740993}},
        ):
            assert [info.id async for info in face.find_tasks(**asked)] == ["a"]

    async def test_what_cannot_be_is_refused(self, face: Any, low: Inspected) -> None:
        """At once, also where the answer comes later."""
        for refused in (
            lambda: face.iter_tasks("low", "nonsense"),
            lambda: face.find_tasks(limit=0),
            lambda: face.find_tasks(states="nonsense"),
            lambda: face.find_tasks(payload_fields={"a..b": 1}),
            lambda: face.find_tasks(headers={"a": None}),
        ):
            with pytest.raises(QueryError):
                refused()
        for call, arguments in {
            "list_tasks": ("low", "aggregating"),
            "run_all": ("low", "pending"),
            "archive_all": ("low", "active"),
            "delete_all": ("low", "active"),
            "history": ("low", 0),
        }.items():
            with pytest.raises(QueryError):
                await getattr(face, call)(*arguments)

    async def test_a_missing_queue(self, face: Any, client: Client) -> None:
        """Is told from an empty one, whatever is asked."""
        asked = {
            "queue_info": (), "history": (), "groups": (), "pause_queue": (), "unpause_queue": (), "delete_queue": (),
            "task_info": ("a",), "list_tasks": ("retry",), "run_task": ("a",), "archive_task": ("a",),
            "delete_task": ("a",), "run_all": ("retry",), "archive_all": ("retry",), "delete_all": ("retry",),
            "update_payload": ("a", b""), "enqueue_again": ("a",), "recover_orphans": (),
        }  # fmt: skip
        for name, arguments in asked.items():
            with pytest.raises(QueueNotFoundError, match="none"):
                await getattr(face, name)("none", *arguments)
        with pytest.raises(QueueNotFoundError, match="none"):
            await face.reschedule_task("none", "a", process_in=1)
        for iterator in (face.iter_tasks("none", "retry"), face.find_tasks(queues=["none"])):
            with pytest.raises(QueueNotFoundError, match="none"):
                await gathered(iterator)
        with pytest.raises(QueueNotFoundError, match="none"):
            await face.queue_infos(["none"])

    async def test_orphans(self, face: Any, low: Inspected) -> None:
        """Found, and mended when asked to."""
        low.hash("a", "retry")
        assert (await face.recover_orphans("low")).counts == {"homeless_task": 1}
        assert (await face.recover_orphans("low", repair=True)).repaired == 1
        assert (await face.recover_orphans("low")).is_clean
        assert "its state was retry" in (await face.task_info("low", "a")).last_error


class TestServers:
    """Who works, and at what."""

    async def test_a_server_and_its_tasks(self, face: Any, client: Client, redis: Redis, redis_url: str) -> None:
        """Listed while it lives, with what it runs, which can be cancelled."""
        mux = ServeMux()
        started, cancelled = asyncio.Event(), asyncio.Event()

        @mux.handler("hold")
        async def hold(task: Task) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise RevokeTask from None

        server = Server(
            redis_url, concurrency=3, queues={"low": 2, "high": 1}, strict_priority=True, app_version="1.4.2"
        )
        async with server.running(mux):
            task = client.enqueue(Task("hold", b"payload"), queue="low", timeout=60)
            await started.wait()
            await eventually(lambda: list(redis.scan_iter("asynq:workers:*")))
            (found,) = await face.servers()
            assert (found.concurrency, found.queues, found.strict_priority) == (3, {"low": 2, "high": 1}, True)
            assert (found.status, found.pid > 0, bool(found.host), bool(found.id)) == ("active", True, True, True)
            assert (found.app_version, found.asynqpy_version) == ("1.4.2", __version__)
            (worker,) = found.active_workers
            assert (worker.task_id, worker.task_type, worker.task_payload) == (task.id, "hold", b"payload")
            assert worker.queue == "low"
            assert worker.deadline is not None
            assert worker.started < worker.deadline
            assert msgspec.json.decode(msgspec.json.encode(found))["active_workers"][0]["queue"] == "low"
            assert [info.id for info in await face.list_tasks("low", "active")] == [task.id]
            await face.cancel_task(task.id)
            await cancelled.wait()
        assert await face.servers() == []
        assert redis.keys("asynq:py:about:*") == []

    async def test_the_dead_are_not_listed(self, face: Any, redis: Redis) -> None:
        """Their time has passed, or their key is gone, or cannot be read; who is long gone is struck off."""
        far = 4_000_000_000
        info = records.ServerInfo(
            host="h", pid=1, server_id="s", concurrency=1, queues={"low": 1}, start_time=datetime.now(UTC)
        )
        redis.set(keys.server("h:1:expired"), info.encode())
        redis.set(keys.server("h:1:garbled"), b"\xff\xff")
        redis.set(keys.server("h:1:s"), info.encode())
        redis.zadd(keys.SERVERS, {keys.server("h:1:expired"): 1, keys.server("h:1:gone"): far})
        redis.zadd(keys.SERVERS, {keys.server("h:1:garbled"): far, keys.server("h:1:s"): far})
        worker = records.WorkerInfo(
            host="h",
            pid=1,
            server_id="another",
            task_id="a",
            task_type="t",
            task_payload=b"",
            queue="low",
            start_time=datetime.now(UTC),
            deadline=None,
        )
        redis.hset(keys.workers("h:1:s"), mapping={"a": worker.encode(), "b": b"\xff"})
        redis.zadd(keys.WORKERS, {keys.workers("h:1:s"): far})
        (alive,) = await face.servers()
        assert (alive.id, alive.active_workers, alive.app_version, alive.asynqpy_version) == ("s", (), None, None)
        assert redis.zscore(keys.SERVERS, keys.server("h:1:expired")) is None


class TestSchedulers:
    """What is enqueued by itself."""

    async def test_entries(self, face: Any, redis: Redis) -> None:
        """Of living schedulers, the next one due first, with their options in both forms."""
        soon = datetime.fromtimestamp(1_900_000_000, UTC)
        entries = [
            records.SchedulerEntry(id="e1", spec="@every 1h", task_type="t"),
            records.SchedulerEntry(
                id="e2",
                spec="* * * * *",
                task_type="u",
                task_payload=b"p",
                enqueue_options=('Queue("low")', "MaxRetry(3)", "Unknown(1)"),
                next_enqueue_time=soon,
                prev_enqueue_time=soon - timedelta(minutes=1),
            ),
        ]
        key = keys.schedulers("h:1:uuid")
        redis.lpush(key, b"\xff", *(entry.encode() for entry in entries))
        redis.zadd(keys.SCHEDULERS, {key: 4_000_000_000, keys.schedulers("h:2:dead"): 1})
        found = await face.scheduler_entries()
        assert found == [
            SchedulerEntry(
                id="e2",
                scheduler="h:1:uuid",
                spec="* * * * *",
                task_type="u",
                task_payload=b"p",
                options={"queue": "low", "max_retry": 3},
                option_texts=('Queue("low")', "MaxRetry(3)", "Unknown(1)"),
                next_enqueue_at=soon,
                previous_enqueue_at=soon - timedelta(minutes=1),
            ),
            SchedulerEntry(
                id="e1",
                scheduler="h:1:uuid",
                spec="@every 1h",
                task_type="t",
                task_payload=b"",
                options={},
                option_texts=(),
                next_enqueue_at=None,
                previous_enqueue_at=None,
            ),
        ]
        assert msgspec.json.decode(msgspec.json.encode(found))[0]["options"] == {"queue": "low", "max_retry": 3}

    async def test_events(self, face: Any, redis: Redis) -> None:
        """The newest first, by page."""
        moments = [datetime.fromtimestamp(SINCE + n, UTC) for n in range(45)]
        for n, moment in enumerate(moments):
            event = records.SchedulerEnqueueEvent(task_id=f"t{n}", enqueue_time=moment)
            redis.zadd(keys.scheduler_history("e1"), {event.encode(): SINCE + n})
        first = await face.scheduler_events("e1")
        assert len(first) == 30
        assert first[0] == SchedulerEvent(task_id="t44", enqueued_at=moments[44])
        assert [event.task_id for event in await face.scheduler_events("e1", page=3, page_size=20)] == [
            "t4", "t3", "t2", "t1", "t0",
        ]  # fmt: skip
        assert await face.scheduler_events("none") == []
        with pytest.raises(QueryError):
            await face.scheduler_events("e1", page=0)


class TestRedisItself:
    """What is told of the server."""

    async def test_facts(self, face: Any) -> None:
        """Names and values."""
        info = await face.redis_info()
        assert info["redis_version"]
        assert int(info["used_memory"]) > 0
        assert info["executable"].startswith("/")
        await face.ping()

    async def test_word_for_word(self, face: Any) -> None:
        """Headings and all; a single server is asked for nothing but that."""
        texts = await face.redis_texts()
        assert set(texts) == {"INFO"}
        assert texts["INFO"].startswith("# Server\r\n")
        assert "\r\n# Keyspace\r\n" in texts["INFO"]

    async def test_no_cluster(self, face: Any) -> None:
        """The slot is computed; nodes there are none."""
        assert await face.cluster_info() == {}
        assert await face.cluster_nodes("low") == []
        assert await face.node_infos() == {}
        assert face.cluster_key_slot("low") == face.cluster_key_slot("low") < 16_384
        assert face.cluster_key_slot("123456789") == 0x31C3  # the check value of the cluster specification


async def test_a_redis_that_is_down() -> None:
    """Is a typed error on both faces, as a wrong address is."""
    nowhere = "redis://127.0.0.1:1"
    with Inspector(nowhere) as inspector, pytest.raises(BrokerError):
        inspector.queues()
    async with AsyncInspector(nowhere) as awaited:
        with pytest.raises(BrokerError):
            await awaited.queues()
        with pytest.raises(BrokerError):
            await gathered(awaited.find_tasks())
    with pytest.raises(ConfigError):
        Inspector("gopher://nowhere")


async def test_the_time_is_that_of_the_clock(redis_url: str, low: Inspected) -> None:
    """As everywhere."""
    clock = FakeClock(datetime.fromtimestamp(SINCE, UTC))
    low.many("retry", 2)
    with Inspector(redis_url, clock=clock) as inspector:
        inspector.archive_task("low", "t-00000")
        assert inspector.task_info("low", "t-00000").archived_at == datetime.fromtimestamp(SINCE, UTC)
    async with AsyncInspector(redis_url, clock=clock) as awaited:
        assert (await awaited.queue_info("low")).timestamp == datetime.fromtimestamp(SINCE, UTC)
