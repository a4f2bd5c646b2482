"""asynqmon's API: every route and every shape, held here as data."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy._wire import keys
from asynqpy._wire.records import SchedulerEnqueueEvent, SchedulerEntry, ServerInfo, WorkerInfo
from tests.redis.seed import Queue

from .conftest import OpenApp

pytestmark = pytest.mark.anyio

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"

SNAPSHOT = {
    "queue": str,
    "memory_usage_bytes": int,
    "size": int,
    "groups": int,
    "latency_msec": int,
    "display_latency": r"(\d+h)?(\d+m)?[\d.]+m?s",
    "active": int,
    "pending": int,
    "aggregating": int,
    "scheduled": int,
    "retry": int,
    "archived": int,
    "completed": int,
    "processed": int,
    "succeeded": int,
    "failed": int,
    "paused": bool,
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
}
DAY = {"queue": str, "processed": int, "succeeded": int, "failed": int, "date": r"\d{4}-\d\d-\d\d"}
BASE = {
    "id": str,
    "type": str,
    "payload": str,
    "queue": str,
    "max_retry": int,
    "retried": int,
    "error_message": str,
}
TASKS: dict[str, dict[str, Any]] = {
    "active": {**BASE, "start_time": STAMP, "deadline": STAMP, "is_orphaned": bool},
    "pending": BASE,
    "scheduled": {**BASE, "next_process_at": STAMP},
    "retry": {**BASE, "next_process_at": STAMP},
    "archived": {**BASE, "last_failed_at": STAMP},
    "completed": {**BASE, "completed_at": STAMP, "result": str, "ttl_seconds": int},
    "aggregating": {**BASE, "group": str},
}
DETAIL = {
    "id": str,
    "queue": str,
    "type": str,
    "payload": str,
    "state": str,
    "max_retry": int,
    "retried": int,
    "error_message": str,
    "last_failed_at": f"({STAMP})?",
    "timeout_seconds": int,
    "deadline": f"({STAMP})?",
    "next_process_at": f"({STAMP})?",
    "completed_at": f"({STAMP})?",
    "result": str,
    "ttl_seconds": int,
}
SERVER = {
    "id": str,
    "host": str,
    "pid": int,
    "concurrency": int,
    "queue_priorities": {"low": int},
    "strict_priority_enabled": bool,
    "start_time": STAMP,
    "status": str,
    "active_workers": [{"task_id": str, "queue": str, "task_type": str, "task_payload": str, "start_time": STAMP}],
}
ENTRY = {
    "id": str,
    "spec": str,
    "task_type": str,
    "task_payload": str,
    "options": [str],
    "next_enqueue_at": STAMP,
    "prev_enqueue_at": STAMP,
}


def check(value: Any, shape: Any, where: str = "$") -> None:
    """*value* has exactly this *shape*: a type, a pattern of text, keys, or a list of one shape."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        assert set(value) == set(shape), where
        for key, of_key in shape.items():
            check(value[key], of_key, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        assert value, where
        for at, each in enumerate(value):
            check(each, shape[0], f"{where}[{at}]")
    elif isinstance(shape, str):
        assert isinstance(value, str), (where, value)
        assert re.fullmatch(shape, value), (where, value)
    else:
        assert type(value) is shape, (where, value)


def fill(low: Queue) -> None:
    """A task of every state, named after it."""
    now = low.now()
    low.pending("pending")
    low.active("active", type="t", payload=b'{"n":1}')
    low.waiting("scheduled", "scheduled", now + 100)
    low.waiting("retry", "retry", now + 100)
    low.hash("archived", "archived", error_msg="boom", last_failed_at=int(now))
    low.redis.zadd(low.keys.archived, {"archived": int(now)})
    low.hash("completed", "completed", {"result": b"done"}, completed_at=int(now), retention=600)
    low.redis.zadd(low.keys.completed, {"completed": int(now) + 600})
    low.hash("aggregating", "aggregating", {"group": "g"}, group_key="g")
    low.redis.sadd(low.keys.groups, "g")
    low.redis.zadd(low.keys.group("g"), {"aggregating": int(now)})


def announce(low: Queue) -> None:
    """A server that runs the active task, and a scheduler."""
    now = datetime.fromtimestamp(int(low.now()), UTC)
    expiry = int(low.now()) + 60
    info = ServerInfo(
        host="h",
        pid=7,
        server_id="s1",
        concurrency=10,
        queues={"low": 1},
        strict_priority=False,
        status="active",
        start_time=now,
        active_worker_count=1,
    )
    worker = WorkerInfo(
        host="h",
        pid=7,
        server_id="s1",
        task_id="active",
        task_type="t",
        task_payload=b'{"n":1}',
        queue="low",
        start_time=now,
        deadline=now,
    )
    entry = SchedulerEntry(
        id="e1",
        spec="@every 1h",
        task_type="report",
        task_payload=b"",
        enqueue_options=('Queue("low")',),
        next_enqueue_time=now,
        prev_enqueue_time=now,
    )
    event = SchedulerEnqueueEvent(task_id="t1", enqueue_time=now)
    redis: Any = low.redis
    redis.set(keys.server("h:7:s1"), info.encode())
    redis.hset(keys.workers("h:7:s1"), "active", worker.encode())
    redis.zadd(keys.SERVERS, {keys.server("h:7:s1"): expiry})
    redis.zadd(keys.WORKERS, {keys.workers("h:7:s1"): expiry})
    redis.rpush(keys.schedulers("h:7:x"), entry.encode())
    redis.zadd(keys.SCHEDULERS, {keys.schedulers("h:7:x"): expiry})
    redis.zadd(keys.scheduler_history("e1"), {event.encode(): int(low.now())})


class TestShapes:
    """What is read."""

    async def test_queues(self, web: httpx.AsyncClient, low: Queue) -> None:
        """The list, one queue with ten days, and 90 days of all."""
        fill(low)
        answer = await web.get("/api/queues")
        assert answer.headers["content-type"] == "application/json"
        assert answer.text.endswith("\n")
        check(answer.json(), {"queues": [SNAPSHOT]})
        assert answer.json()["queues"][0]["size"] == 7
        assert answer.json()["queues"][0]["memory_usage_bytes"] > 0
        check((await web.get("/api/queues/low")).json(), {"current": SNAPSHOT, "history": [DAY]})
        statistics = (await web.get("/api/queue_stats")).json()
        check(statistics, {"stats": {"low": [DAY]}})
        assert len(statistics["stats"]["low"]) == 90
        check(
            (await web.get("/api/queues/low/groups")).json(),
            {"stats": SNAPSHOT, "groups": [{"group": str, "size": int}]},
        )

    @pytest.mark.parametrize("state", list(TASKS))
    async def test_tasks(self, web: httpx.AsyncClient, low: Queue, state: str) -> None:
        """The list of each state, and the details of its task."""
        fill(low)
        announce(low)
        below = "groups/g/" if state == "aggregating" else ""
        found = (await web.get(f"/api/queues/low/{below}{state}_tasks")).json()
        extra = {"groups": [{"group": str, "size": int}]} if state == "aggregating" else {}
        check(found, {"tasks": [TASKS[state]], "stats": SNAPSHOT, **extra})
        assert [task["id"] for task in found["tasks"]] == [state]
        detail = (await web.get(f"/api/queues/low/tasks/{state}")).json()
        check(detail, DETAIL)
        assert (detail["id"], detail["state"]) == (state, state)

    async def test_machinery(self, web: httpx.AsyncClient, low: Queue) -> None:
        """Servers, schedulers, their history, Redis."""
        announce(low)
        check((await web.get("/api/servers")).json(), {"servers": [SERVER]})
        check((await web.get("/api/scheduler_entries")).json(), {"entries": [ENTRY]})
        events = (await web.get("/api/scheduler_entries/e1/enqueue_events")).json()
        check(events, {"events": [{"task_id": str, "enqueued_at": STAMP}]})
        info = (await web.get("/api/redis_info")).json()
        assert set(info) == {"address", "info", "raw_info", "cluster", "raw_cluster_nodes", "queue_locations"}
        assert (info["cluster"], info["raw_cluster_nodes"], info["queue_locations"]) == (False, "", None)
        assert info["raw_info"].startswith("# Server\r\n")
        assert f"\r\nredis_version:{info['info']['redis_version']}\r\n" in info["raw_info"]

    async def test_nothing_is_never_null(self, web: httpx.AsyncClient) -> None:
        """Empty lists are lists: the front end goes blank on null."""
        for path, key in {"queues": "queues", "servers": "servers", "scheduler_entries": "entries"}.items():
            assert (await web.get(f"/api/{path}")).json() == {key: []}
        assert (await web.get("/api/queue_stats")).json() == {"stats": {}}
        assert (await web.get("/api/scheduler_entries/none/enqueue_events")).json() == {"events": []}

    async def test_odd_moments(self, web: httpx.AsyncClient, low: Queue) -> None:
        """No worker: a dash. Never failed: the year 1. Never enqueued: no key at all."""
        low.active("a", ends_in=-5)
        low.hash("b", "archived")
        low.redis.zadd(low.keys.archived, {"b": 1})
        (active,) = (await web.get("/api/queues/low/active_tasks")).json()["tasks"]
        assert (active["start_time"], active["deadline"], active["is_orphaned"]) == ("-", "-", True)
        (archived,) = (await web.get("/api/queues/low/archived_tasks")).json()["tasks"]
        assert archived["last_failed_at"] == "0001-01-01T00:00:00Z"

    async def test_moments_to_come_are_rounded_up(self, web: httpx.AsyncClient, low: Queue) -> None:
        """To the second in which Go's servers look."""
        low.waiting("scheduled", "a", 4_000_000_000.25)
        (task,) = (await web.get("/api/queues/low/scheduled_tasks")).json()["tasks"]
        assert task["next_process_at"] == "2096-10-02T07:06:41Z"
        assert (await web.get("/api/queues/low/tasks/a")).json()["next_process_at"] == task["next_process_at"]

    async def test_paging(self, web: httpx.AsyncClient, low: Queue) -> None:
        """Twenty unless asked otherwise; nonsense is as if it were not there."""
        low.pending(*(f"t{at:02}" for at in range(30)))

        async def ids(query: str) -> list[str]:
            return [task["id"] for task in (await web.get(f"/api/queues/low/pending_tasks{query}")).json()["tasks"]]

        assert len(await ids("")) == 20
        assert await ids("?size=3&page=2") == ["t03", "t04", "t05"]
        assert await ids("?size=2&page=-4") == ["t00", "t01"]
        assert len(await ids("?size=0")) == 30
        assert len(await ids("?size=x&page=1.5")) == 20

    async def test_long_payloads(self, open_app: OpenApp, client: Client) -> None:
        """Cut in lists, whole in the details, where the front end reads them as JSON."""
        info = client.enqueue(Task("t", {"text": "x" * 500}))
        web = open_app(max_payload_length=10)
        (task,) = (await web.get("/api/queues/default/pending_tasks")).json()["tasks"]
        assert task["payload"] == '{"text":"x…'
        detail = (await web.get(f"/api/queues/default/tasks/{info.id}")).json()
        assert json.loads(detail["payload"]) == {"text": "x" * 500}


class TestErrors:
    """Plain text that is no JSON, never empty."""

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/nothing", 404),
            ("GET", "/api", 404),
            ("GET", "/api/", 404),
            ("GET", "/api/queues/", 404),
            ("GET", "/api/queues/nope", 500),
            ("DELETE", "/api/queues/nope", 404),
            ("POST", "/api/queues/nope:pause", 500),
            ("GET", "/api/queues/nope/pending_tasks", 500),
            ("GET", "/api/queues/nope/tasks/x", 404),
            ("GET", "/api/queues/low/tasks/x", 404),
            ("POST", "/api/queues/low:resume", 500),
            ("POST", "/api/queues/low/retry_tasks/x:run", 500),
            ("GET", "/api/metrics", 500),
            ("POST", "/api/queues/low/pending_tasks:batch_delete", 400),
        ],
    )
    async def test_as_text(self, web: httpx.AsyncClient, low: Queue, method: str, path: str, status: int) -> None:
        """Each with asynqmon's status."""
        answer = await web.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text.strip()
        with pytest.raises(ValueError):
            answer.json()

    async def test_a_wrong_method(self, web: httpx.AsyncClient, low: Queue) -> None:
        """405, and an empty body."""
        for method, path in (("POST", "/api/queues"), ("GET", "/api/queues/low/pending_tasks:delete_all")):
            answer = await web.request(method, path)
            assert (answer.status_code, answer.content) == (405, b""), path

    @pytest.mark.parametrize("body", [b"[]", b'{"task_ids":"a"}', b'{"task_ids":[],"more":1}', b"x", b"{}"])
    async def test_a_bad_batch(self, web: httpx.AsyncClient, low: Queue, body: bytes) -> None:
        """Unknown keys and wrong types are refused."""
        assert (await web.post("/api/queues/low/retry_tasks:batch_run", content=body)).status_code == 400

    async def test_a_body_that_is_too_large(self, open_app: OpenApp, low: Queue) -> None:
        """More than is allowed."""
        web = open_app(max_body_bytes=1_000_000)
        body = b'{"task_ids":["%s"]}' % (b"x" * 1_000_000)
        answer = await web.post("/api/queues/low/retry_tasks:batch_run", content=body)
        assert answer.status_code == 400
        assert "1000000 bytes" in answer.text

    async def test_redis_that_is_down(self, open_app: OpenApp) -> None:
        """Said in text."""
        web = open_app("redis://127.0.0.1:1")
        answer = await web.get("/api/queues")
        assert answer.status_code == 500
        assert answer.text.strip()


class TestActions:
    """What changes something."""

    async def test_pause_and_resume(self, web: httpx.AsyncClient, low: Queue) -> None:
        """204 once, an error the second time; what is read next is true."""
        for verb, is_paused in (("pause", True), ("resume", False)):
            assert (await web.get("/api/queues")).json()["queues"][0]["paused"] is not is_paused
            answer = await web.post(f"/api/queues/low:{verb}")
            assert (answer.status_code, answer.content) == (204, b"")
            assert (await web.get("/api/queues")).json()["queues"][0]["paused"] is is_paused
            assert (await web.post(f"/api/queues/low:{verb}")).status_code == 500

    async def test_remove(self, web: httpx.AsyncClient, low: Queue) -> None:
        """Only when it is empty."""
        low.pending("a")
        assert (await web.delete("/api/queues/low")).status_code == 400
        assert (await web.delete("/api/queues/low/pending_tasks/a")).status_code == 204
        assert (await web.delete("/api/queues/low")).status_code == 204
        assert (await web.get("/api/queues")).json() == {"queues": []}

    @pytest.mark.parametrize(
        ("state", "verb"),
        [
            (state, verb)
            for verb, states in {
                "delete": "pending scheduled retry archived completed aggregating",
                "run": "scheduled retry archived aggregating",
                "archive": "pending scheduled retry aggregating",
                "cancel": "active",
            }.items()
            for state in states.split()
        ],
    )
    async def test_one_some_and_all(self, web: httpx.AsyncClient, low: Queue, state: str, verb: str) -> None:
        """Each verb of each state, with asynqmon's methods and keys."""
        place = "/api/queues/low/" + ("groups/g/" if state == "aggregating" else "") + f"{state}_tasks"
        fill(low)
        single = web.delete(f"{place}/{state}") if verb == "delete" else web.post(f"{place}/{state}:{verb}")
        answer = await single
        assert (answer.status_code, answer.content) == (204, b"")
        low.redis.flushall()
        low.redis.sadd("asynq:queues", "low")
        fill(low)
        answer = await web.post(f"{place}:batch_{verb}", json={"task_ids": [state, "unknown"]})
        good, bad = {
            "delete": ("deleted_ids", "failed_ids"),
            "run": ("pending_ids", "error_ids"),
            "archive": ("archived_ids", "error_ids"),
            "cancel": ("canceled_ids", "error_ids"),
        }[verb]
        expected = {good: [state, "unknown"], bad: []} if verb == "cancel" else {good: [state], bad: ["unknown"]}
        assert answer.json() == expected
        low.redis.flushall()
        low.redis.sadd("asynq:queues", "low")
        fill(low)
        answer = await web.request("DELETE" if verb == "delete" else "POST", f"{place}:{verb}_all")
        if verb == "cancel":
            assert (answer.status_code, answer.content) == (204, b"")
        else:
            assert answer.json() == {{"delete": "deleted", "run": "scheduled", "archive": "archived"}[verb]: 1}

    async def test_names_with_colons(self, web: httpx.AsyncClient, redis: Redis) -> None:
        """The verb is what follows the last one."""
        redis.sadd("asynq:queues", "a:b:pause")
        queue = Queue(redis, "a:b:pause")
        queue.pending("x:run")
        assert (await web.post("/api/queues/a:b:pause:pause")).status_code == 204
        assert (await web.post("/api/queues/a:b:pause/pending_tasks/x:run:archive")).status_code == 204
        assert redis.zcard(queue.keys.archived) == 1


class TestCoalescing:
    """The front end asks the same a hundred times a second."""

    async def test_the_same_question_is_asked_once(self, web: httpx.AsyncClient, low: Queue) -> None:
        """A hundred at the same time, and one shortly after, cost Redis no more than one."""
        low.pending("a")
        redis: Any = low.redis
        before = redis.info("commandstats").get("cmdstat_lrange", {}).get("calls", 0)
        await asyncio.gather(*(web.get("/api/queues/low/pending_tasks") for _ in range(100)))
        await web.get("/api/queues/low/pending_tasks")
        assert redis.info("commandstats")["cmdstat_lrange"]["calls"] - before <= 2

    async def test_a_change_is_seen_at_once(self, web: httpx.AsyncClient, low: Queue) -> None:
        """Answers from before it are forgotten."""
        low.pending("a")
        assert len((await web.get("/api/queues/low/pending_tasks")).json()["tasks"]) == 1
        await web.request("DELETE", "/api/queues/low/pending_tasks:delete_all")
        assert (await web.get("/api/queues/low/pending_tasks")).json()["tasks"] == []


async def test_prometheus(open_app: OpenApp, start_prometheus: Any) -> None:
    """Nine documents as Prometheus gave them; numbers with decimals are taken."""
    url, asked = start_prometheus
    web = open_app(prometheus_url=url)
    answer = await web.get(f"/api/metrics?duration=60.5&endtime={time.time():.2f}&queues=a.b")
    assert len(answer.json()) == 9
    assert {document["status"] for document in answer.json().values()} == {"success"}
    assert 'queue=~"a\\\\.b"' in asked[0]["query"][0]
    assert {query["step"][0] for query in asked} == {"10"}
    assert (await web.get("/api/metrics?duration=x")).status_code == 400
