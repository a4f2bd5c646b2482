"""``asynqpy stats``, ``server``, ``cron``, ``doctor``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from asynqpy import Client, ServeMux, Server, Task, about
from asynqpy._wire import keys, records
from asynqpy.cli import diagnosis
from asynqpy.cli.diagnosis import Facts, Level, diagnose, of_unreachable, worst
from asynqpy.inspection import OrphanReport, QueueInfo, SchedulerEntry, ServerInfo, Trouble
from tests.redis.inspected import Inspected
from tests.servers import RedisServer, free_port, wait_until

from .conftest import Ran, table

Ask = Callable[..., Ran]
FAR = 4_000_000_000
NOW = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)


def blocks(text: str) -> dict[str, list[list[str]]]:
    """The tables of a text by their titles."""
    found = {}
    for block in text.strip().split("\n\n"):
        title, _, rows = block.partition("\n")
        found[title] = table(rows)
    return found


def test_stats(ask: Ask, low: Inspected) -> None:
    """Four blocks, as in asynq: by state, by queue, of today, of Redis; queues by name."""
    low.pending("a", "b")
    low.archived("c")
    low.redis.set(low.keys.paused, 1)
    Inspected(low.redis, "high").bring("scheduled", "d")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    low.redis.mset({low.keys.processed_on(today): 4, low.keys.failed_on(today): 1})
    ran = ask("stats")
    assert (ran.code, ran.err) == (0, "")
    found = blocks(ran.out)
    assert found["Task Count by State"] == [
        ["active", "pending", "aggregating", "scheduled", "retry", "archived", "completed"],
        ["0", "2", "0", "1", "0", "1", "0"],
    ]
    assert found["Task Count by Queue"] == [["high", "low (paused)"], ["1", "3"]]
    assert found[f"Daily Stats {today} UTC"] == [["processed", "failed", "error rate"], ["4", "1", "25.00%"]]
    assert found["Redis Info"][0] == ["version", "uptime", "connections", "memory usage", "peak memory usage"]


def test_stats_of_nothing(ask: Ask, redis: Redis) -> None:
    """Zeros, today's date, and no error."""
    ran = ask("stats")
    assert ran.code == 0
    assert "No queues" in ran.out
    assert f"Daily Stats {datetime.now(UTC):%Y-%m-%d} UTC" in ran.out
    found = json.loads(ask("stats", "--json").out)
    assert (found["queues"], found["aggregate"]["pending"]) == ([], 0)


def test_stats_as_json_is_what_asynq_prints(ask: Ask, low: Inspected) -> None:
    """Its names, its units, facts of Redis as text and sorted."""
    low.pending("a")
    ran = ask("stats", "--json")
    found = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    (queue,) = found["queues"]
    assert list(queue) == [
        *("Queue", "MemoryUsage", "Paused", "Size", "Groups", "Pending", "Active", "Scheduled", "Retry", "Archived"),
        *("Completed", "Aggregating", "Processed", "Failed", "ProcessedTotal", "FailedTotal", "Latency", "Timestamp"),
    ]
    assert (queue["Queue"], queue["Pending"], queue["Size"]) == ("low", 1, 1)
    assert queue["Latency"] > 10**15  # since 2023, in nanoseconds
    assert list(found["aggregate"]) == [
        *("active", "pending", "aggregating", "scheduled", "retry", "archived", "completed"),
        *("processed", "failed", "timestamp"),
    ]
    assert list(found["redis"]) == sorted(found["redis"])
    assert {type(value) for value in found["redis"].values()} == {str}


def bring_server(
    redis: Redis,
    host: str = "h",
    *,
    worker: bool = False,
    queues: dict[str, int] | None = None,
    version: str | None = None,
) -> None:
    """A server that lives, as its heartbeat leaves it."""
    started = datetime.now(UTC) - timedelta(minutes=5, seconds=10)
    info = records.ServerInfo(
        host=host,
        pid=7,
        server_id=host,
        concurrency=10,
        queues=queues or {"low": 1, "high": 6, "also": 6},
        start_time=started,
        status="active",
        active_worker_count=int(worker),
    )
    redis.set(keys.server(f"{host}:7:s"), info.encode())
    redis.zadd(keys.SERVERS, {keys.server(f"{host}:7:s"): FAR})
    if version is not None:
        redis.set(keys.about(f"{host}:7:s"), about.encode(about.About(version, "0.1.0")))
    if worker:
        running = records.WorkerInfo(
            host=host,
            pid=7,
            server_id=host,
            task_id="a",
            task_type="email",
            task_payload=b'{"n":1}',
            queue="low",
            start_time=started,
            deadline=datetime.now(UTC) + timedelta(minutes=10, seconds=30),
        )
        redis.hset(keys.workers(f"{host}:7:s"), mapping={"a": running.encode()})
        redis.zadd(keys.WORKERS, {keys.workers(f"{host}:7:s"): FAR})


def test_server_ls(ask: Ask, redis: Redis) -> None:
    """A row for each: queues with their weights, the heaviest first."""
    assert ask("server", "ls") == (0, "No running servers\n", "")
    bring_server(redis, "b")
    bring_server(redis, "a", worker=True)
    head, *rows = table(ask("server", "ls").out)
    assert head == ["Host", "PID", "State", "Active Workers", "Queues", "Started"]
    assert rows == [
        ["a", "7", "active", "1/10", "also:6 high:6 low:1", "5m10s ago"],
        ["b", "7", "active", "0/10", "also:6 high:6 low:1", "5m10s ago"],
    ]


def test_server_ls_with_versions(ask: Ask, redis: Redis) -> None:
    """A column where some server was told one."""
    bring_server(redis, "a", version="1.4.2")
    bring_server(redis, "b")
    head, *rows = table(ask("server", "ls").out)
    assert (head[-1], [row[-1] for row in rows]) == ("Version", ["1.4.2", ""])
    assert "  started 5m10s ago  version 1.4.2\n" in ask("server", "ls", "--workers").out
    found = json.loads(ask("server", "ls", "--json").out)["servers"]
    assert [(each["app_version"], each["asynqpy_version"]) for each in found] == [("1.4.2", "0.1.0"), (None, None)]


def test_server_ls_with_workers(ask: Ask, redis: Redis) -> None:
    """What each of them runs."""
    bring_server(redis, worker=True)
    head, _, text = ask("server", "list", "--workers").out.partition("\n")
    assert head == "h 7  active  1/10 busy  also:6 high:6 low:1  started 5m10s ago"
    assert table(text)[1][:3] == ["a", "email", "low"]
    assert ask("server", "ls", "--workers", "--utc").code == 0


def test_server_ls_as_json(ask: Ask, redis: Redis) -> None:
    """With what each runs."""
    bring_server(redis, worker=True)
    (found,) = json.loads(ask("server", "ls", "--json").out)["servers"]
    assert (found["host"], found["pid"], found["concurrency"], found["queues"]) == (
        *("h", 7, 10, {"low": 1, "high": 6, "also": 6}),
    )
    assert (found["workers"][0]["task_id"], found["workers"][0]["payload"]) == ("a", '{"n":1}')


def bring_entries(redis: Redis) -> None:
    """Two periodic tasks of a scheduler that lives, and what one of them has enqueued."""
    now = datetime.now(UTC)
    entries = [
        records.SchedulerEntry(
            id="e1",
            spec="@every 30s",
            task_type="report",
            task_payload=b"x",
            enqueue_options=('Queue("low")', "MaxRetry(3)"),
            next_enqueue_time=now + timedelta(seconds=70),
            prev_enqueue_time=now - timedelta(seconds=70),
        ),
        records.SchedulerEntry(id="e2", spec="* * * * *", task_type="never"),
    ]
    key = keys.schedulers("h:1:s")
    redis.rpush(key, *(entry.encode() for entry in entries))
    redis.zadd(keys.SCHEDULERS, {key: FAR})
    for number in range(3):
        event = records.SchedulerEnqueueEvent(task_id=f"t{number}", enqueue_time=NOW + timedelta(minutes=number))
        redis.zadd(keys.scheduler_history("e1"), {event.encode(): number})


def test_cron_ls(ask: Ask, redis: Redis) -> None:
    """By spec, with options as they were written, when next and when last."""
    assert ask("cron", "ls") == (0, "No scheduler entries\n", "")
    bring_entries(redis)
    head, first, second = table(ask("cron", "list").out)
    assert head == ["EntryID", "Spec", "Type", "Payload", "Options", "Next", "Prev"]
    assert first == ["e2", "* * * * *", "never", "", "[]", "Never", "N/A"]
    assert second[:5] == ["e1", "@every 30s", "report", "x", '[Queue("low") MaxRetry(3)]']
    assert second[5].startswith("In 1m")
    assert second[6].startswith("1m1")
    assert ask("cron", "ls", "--utc").code == 0


def test_cron_ls_as_json(ask: Ask, redis: Redis) -> None:
    """Null for never."""
    bring_entries(redis)
    found = json.loads(ask("cron", "ls", "--json").out)["entries"]
    by_id = {entry["id"]: entry for entry in found}
    assert by_id["e1"]["options"] == ['Queue("low")', "MaxRetry(3)"]
    assert by_id["e2"]["next_enqueue_at"] is None


def test_cron_history(ask: Ask, redis: Redis) -> None:
    """The newest first, in pages; an unknown entry has none."""
    bring_entries(redis)
    title, _, text = ask("cron", "history", "e1", "--utc", "--size", "2").out.partition("\n")
    assert title == "Entry: e1"
    assert table(text) == [
        ["TaskID", "EnqueuedAt"],
        ["t2", "2026-01-31 18:32:00Z"],
        ["t1", "2026-01-31 18:31:00Z"],
    ]
    assert "t0" in ask("cron", "history", "e1", "--size", "2", "--page", "2").out
    assert "No scheduler enqueue events" in ask("cron", "history", "none").out
    found = json.loads(ask("cron", "history", "e1", "none", "--json").out)["histories"]
    assert [(each["entry_id"], [event["task_id"] for event in each["events"]]) for each in found] == [
        ("e1", ["t2", "t1", "t0"]),
        ("none", []),
    ]


def test_a_doctor_finds_nothing_where_nothing_is(ask: Ask, redis: Redis) -> None:
    """A server without persistence is warned of; that alone is no problem."""
    ran = ask("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert "warning  persistence" in ran.out
    assert ran.out.rstrip().endswith("1 warning")
    assert ask("doctor", "--strict").code == 1


def test_a_doctor_is_content_with_a_good_server(run: Callable[..., Ran], start_server: Any) -> None:
    """An append-only file, no eviction, nothing lost: all is well."""
    server: RedisServer = start_server(options={"appendonly": "yes"})
    with server.client() as client:
        Inspected(client).bring("completed", "a")
        bring_server(client, queues={"low": 1})
    ran = run("doctor", "-r", server.url, "--strict")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.rstrip().endswith("All is well.")


def test_a_doctor_finds_what_is_lost_and_mends_it(ask: Ask, low: Inspected) -> None:
    """A problem with what to do about it, exit code 1; then it is mended."""
    low.hash("a", "pending")
    ran = ask("doctor")
    assert ran.code == 1
    assert "queue 'low': 1 × homeless task\n" in ran.out
    assert "→ asynqpy doctor --repair mends it" in ran.out
    assert "1 mended" in ask("doctor", "--repair").out
    assert low.redis.hget(low.keys.task("a"), "state") == b"archived"
    assert "no lost tasks, leases or locks in 1 queue" in ask("doctor").out


def test_a_doctor_as_json(ask: Ask, low: Inspected) -> None:
    """Each finding with level and advice, and whether all is well."""
    low.pending("a")
    ran = ask("doctor", "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["is_healthy"]) == (1, False)
    (servers,) = [each for each in found["findings"] if each["check"] == "servers"]
    assert servers == {
        "check": "servers",
        "level": "problem",
        "message": "no server is running",
        "advice": "start one: asynqpy worker MODULE:MUX",
    }


def test_a_doctor_without_redis(run: Callable[..., Ran]) -> None:
    """It is a finding, with what to do; exit code 3."""
    ran = run("doctor", "-r", "127.0.0.1:1")
    assert (ran.code, ran.err) == (3, "")
    assert "problem  connection   cannot reach Redis" in ran.out
    assert "→ is Redis running, and is that its port?" in ran.out
    assert json.loads(run("doctor", "-r", "127.0.0.1:1", "--json").out)["is_healthy"] is False


def test_a_server_that_wants_a_password(run: Callable[..., Ran], start_server: Any) -> None:
    """It says where passwords go."""
    server: RedisServer = start_server(password="s3cret")
    address = server.url.rpartition("@")[2].split("/")[0]
    ran = run("doctor", "-r", address)
    assert ran.code == 3
    assert "ASYNQPY_REDIS_PASSWORD" in ran.out
    assert run("queue", "ls", "-u", address, "-p", "s3cret").code == 0


def queue_info(**fields: Any) -> QueueInfo:
    """The numbers of a queue, zeros but for those given."""
    counts = (
        *("size", "groups", "pending", "active", "scheduled", "retry", "archived", "completed", "aggregating"),
        *("processed", "failed", "processed_total", "failed_total"),
    )
    known: dict[str, Any] = dict.fromkeys(counts, 0)
    known |= {"queue": "low", "memory_usage": 0, "latency": timedelta(0), "paused": False, "timestamp": NOW}
    return QueueInfo(**known | fields)


def facts(**fields: Any) -> Facts:
    """A Redis in good health, but for what is given."""
    known: dict[str, Any] = {
        "now": NOW,
        "round_trip": timedelta(milliseconds=1),
        "clock_skew": timedelta(0),
        "tracks": True,
        "redis": {"redis_version": "7.2.4", "aof_enabled": "1", "used_memory": "1000", "maxmemory": "0"},
        "cluster": {},
        "queues": [],
        "servers": [
            ServerInfo(
                id="s",
                host="h",
                pid=1,
                concurrency=10,
                queues={"low": 1},
                strict_priority=False,
                status="active",
                started=NOW,
                active_workers=(),
            )
        ],
        "entries": [],
    }
    known["redis"] = known["redis"] | fields.pop("redis", {})
    return Facts(**known | fields)


def test_a_redis_in_good_health() -> None:
    """Nothing but what is well."""
    assert worst(diagnose(facts())) is Level.OK


ENTRY = SchedulerEntry(
    id="e",
    scheduler="h:1:s",
    spec="@every 1m",
    task_type="t",
    task_payload=b"",
    options={},
    option_texts=(),
    next_enqueue_at=NOW - timedelta(minutes=5),
    previous_enqueue_at=None,
)


@pytest.mark.parametrize(
    ("fields", "level", "expected"),
    [
        ({"round_trip": timedelta(milliseconds=50)}, "warning", "a round trip to Redis takes 50 ms"),
        ({"redis": {"redis_version": "6.0.16"}}, "problem", "Redis 6.0.16 is too old"),
        (
            {"redis": {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "7.0.0"}},
            "problem",
            "too old",
        ),
        ({"redis": {"role": "slave", "master_host": "m"}}, "problem", "this is a replica"),
        ({"tracks": False}, "warning", "Redis refuses CLIENT TRACKING"),
        ({"clock_skew": timedelta(seconds=5)}, "warning", "is 5.0 s ahead of that of Redis"),
        ({"clock_skew": timedelta(seconds=-60)}, "problem", "is 60.0 s behind that of Redis"),
        ({"redis": {"maxmemory": "2000", "maxmemory_policy": "allkeys-lru"}}, "problem", "Redis throws keys away"),
        ({"redis": {"evicted_keys": "5"}}, "problem", "Redis has thrown away 5 keys"),
        ({"redis": {"maxmemory": "1050", "maxmemory_policy": "noeviction"}}, "warning", "Redis uses 1.0 kB of 1.1 kB"),
        (
            {"redis": {"aof_enabled": "0", "rdb_changes_since_last_save": "7"}},
            "warning",
            "up to 7 changes would be lost",
        ),
        ({"redis": {"rdb_last_bgsave_status": "err"}}, "problem", "could not write its snapshot"),
        ({"redis": {"aof_last_write_status": "err"}}, "problem", "could not write its append-only file"),
        ({"redis": {"connected_clients": "95", "maxclients": "100"}}, "warning", "95 of at most 100 clients"),
        ({"cluster": {"cluster_state": "fail"}}, "problem", "the cluster is in state fail"),
        ({"servers": []}, "note", "no server is running"),
        ({"servers": [], "queues": [queue_info(pending=1, size=1)]}, "problem", "no server is running"),
        (
            {"queues": [queue_info(queue="high", pending=3, size=3)]},
            "problem",
            "no server works on queue 'high': 3 tasks",
        ),
        ({"queues": [queue_info(paused=True)]}, "note", "queue 'low' is paused"),
        ({"queues": [queue_info(paused=True, pending=2)]}, "warning", "queue 'low' is paused, 2 tasks wait"),
        ({"queues": [queue_info(latency=timedelta(minutes=2))]}, "warning", "has waited for 2m"),
        ({"queues": [queue_info(archived=9500)]}, "warning", "the archive of queue 'low' holds 9,500 tasks"),
        ({"queues": [queue_info(processed=20, failed=11)]}, "warning", "11 of 20 attempts in queue 'low' failed"),
        ({"without_consumer": [("low", "email", 3)]}, "problem", "no server handles 'email': 3 tasks"),
        ({"unchecked": ["big"]}, "note", "not looked through, because they are large: big"),
        ({"entries": [ENTRY]}, "warning", "@every 1m 't' is 5m late"),
    ],
)
def test_what_is_not_well(fields: dict[str, Any], level: str, expected: str) -> None:
    """Each trouble is found, with its level and with advice."""
    found = diagnose(facts(**fields))
    (trouble,) = [finding for finding in found if finding.level is not Level.OK]
    assert (trouble.level, bool(trouble.advice)) == (level, True)
    assert expected in trouble.message


def test_lost_things_are_counted_by_kind() -> None:
    """What was mended is no problem any more."""
    lost = OrphanReport(queue="low", scanned=9, counts={Trouble.STALE_LOCK: 2}, orphans=(), repaired=0)
    mended = OrphanReport(queue="low", scanned=9, counts={Trouble.STALE_LOCK: 2}, orphans=(), repaired=2)
    (problem,) = [each for each in diagnose(facts(orphans=[lost])) if each.check == "orphans"]
    assert (problem.level, problem.message) == (Level.PROBLEM, "queue 'low': 2 × stale lock")
    (note,) = [each for each in diagnose(facts(orphans=[mended])) if each.check == "orphans"]
    assert (note.level, note.message) == (Level.NOTE, "queue 'low': 2 × stale lock; 2 mended")


def test_types_of_a_queue_that_nobody_serves_are_not_told_twice() -> None:
    """That nobody works on the queue says it all."""
    assert worst(diagnose(facts(without_consumer=[("other", "email", 3)]))) is Level.OK


def test_the_biggest_queues_are_named() -> None:
    """Up to five, by memory."""
    queues = [queue_info(queue=f"q{number}", size=number, memory_usage=number * 1000) for number in range(8)]
    (sizes,) = [each for each in diagnose(facts(queues=queues)) if each.check == "sizes"]
    assert sizes.message.startswith("biggest queues: q7 7 tasks 7.0 kB, q6 6 tasks 6.0 kB")
    assert "q2" not in sizes.message


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("Error 111 connecting to h:1. Connection refused.", "is Redis running"),
        ("Error -2 connecting: Name or service not known.", "the name of the host"),
        ("Timeout connecting to server", "firewall"),
        ("NOAUTH Authentication required.", "password"),
        ("WRONGPASS invalid username-password pair", "user or the password is wrong"),
        ("SSL: CERTIFICATE_VERIFY_FAILED", "TLS"),
        ("anything else", "--redis URL"),
    ],
)
def test_why_redis_cannot_be_reached(message: str, advice: str) -> None:
    """The text of the error tells what to look at."""
    assert advice in of_unreachable(message).advice


def test_types_without_a_handler_are_asked_for_where_they_can_be() -> None:
    """Those alone that surely nobody handles."""
    from asynqpy.cli.doctor import _without_consumer

    def types_without_consumer() -> list[Any]:
        sure = SimpleNamespace(queue="low", type="email", count=3, is_certain=True)
        return [sure, SimpleNamespace(queue="low", type="maybe", count=1, is_certain=False)]

    inspector: Any = SimpleNamespace(types_without_consumer=types_without_consumer)
    assert _without_consumer(inspector) == [("low", "email", 3)]


def on_a_cluster(start_server: Any) -> RedisServer:
    """A cluster of one node, which any client can talk to."""
    server: RedisServer = start_server(options={"cluster-enabled": "yes", "cluster-port": str(free_port())})
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: b"cluster_state:ok" in bytes(client.execute_command("CLUSTER", "INFO")))
        Inspected(client).pending("a")
    return server


def test_a_cluster_is_shown_as_one(run: Callable[..., Ran], start_server: Any) -> None:
    """Where each queue is, and how the cluster is; whatever said that Redis is one."""
    server = on_a_cluster(start_server)
    head, row = table(run("queue", "ls", "-r", server.url).out)
    assert head == ["Queue", "Cluster KeySlot", "Cluster Nodes"]
    assert row[0] == "low"
    assert row[2].endswith(f":{server.port}")
    (found,) = json.loads(run("queue", "ls", "-r", server.url, "--json").out)["queues"]
    assert str(found["cluster_slot"]) == row[1]
    assert found["cluster_nodes"] == [row[2]]
    stats = blocks(run("stats", "-r", server.url).out)
    assert stats["Redis Cluster Info"] == [["State", "Known Nodes", "Cluster Size"], ["ok", "1", "1"]]
    assert json.loads(run("stats", "-r", server.url, "--json").out)["redis"]["cluster_state"] == "ok"


def test_the_facts_of_a_server_that_lives(redis_url: str, redis: Redis) -> None:
    """Asked of Redis together; the queue that nobody works on is the problem."""
    from asynqpy import Inspector
    from asynqpy.cli.doctor import _facts

    async def serve() -> Facts:
        server = Server(redis_url, queues={"low": 1})
        async with server.running(ServeMux()):
            with Client(redis_url) as client:
                await asyncio.to_thread(client.enqueue, Task("t"), queue="other")
            with Inspector(redis_url) as inspector:
                return await asyncio.to_thread(_facts, inspector, deep=True, repair=False)

    found = asyncio.run(serve())
    assert (len(found.servers), found.tracks, found.clock_skew) == (1, True, timedelta(0))
    assert [info.queue for info in found.queues] == ["low", "other"] or [info.queue for info in found.queues] == [
        "other"
    ]
    assert diagnosis.worst(diagnose(found)) is Level.PROBLEM  # nobody works on the queue other
