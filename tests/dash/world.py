"""A little world in a real Redis that looks the same every time: queues, tasks in every state, servers, schedules."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from redis import Redis

from asynqpy import AsyncInspector, QueueInfo
from asynqpy._wire import keys, records
from tests.redis.inspected import Inspected

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
"""When everything is looked at."""

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 41, in charge
    await gateway.charge(order)
  File "/srv/shop/gateway.py", line 17, in charge
    raise CardDeclined(reply.reason)
shop.gateway.CardDeclined: insufficient funds"""


class Place(Inspected):
    """A queue whose clock shows `NOW`, whatever Redis says."""

    def now(self) -> float:
        """The same for everybody."""
        return NOW.timestamp()


class SteadyInspector(AsyncInspector):
    """Tells of memory, and of Redis itself, what it told the last time: these differ from machine to machine."""

    async def queue_infos(self, queues: Any = None, *, memory: bool = True) -> list[QueueInfo]:
        """With memory that depends on the size alone."""
        infos = await super().queue_infos(queues, memory=memory)
        return [msgspec.structs.replace(info, memory_usage=info.size * 512 if memory else None) for info in infos]

    async def queue_info(self, queue: str, *, memory: bool = True) -> QueueInfo:
        """The same."""
        return (await self.queue_infos([queue], memory=memory))[0]

    async def redis_info(self) -> dict[str, str]:
        """A Valkey that could be better off."""
        return dict(line.split(":", 1) for line in REDIS.split())


REDIS = """
server_name:valkey valkey_version:9.0.1 redis_version:7.2.4 server_mode:standalone os:Linux tcp_port:6379
uptime_in_seconds:93784 used_memory:1480000000 used_memory_peak:1620000000 maxmemory:1600000000
maxmemory_policy:allkeys-lru mem_fragmentation_ratio:1.08 instantaneous_ops_per_sec:1834 connected_clients:41
blocked_clients:0 instantaneous_input_kbps:212.5 instantaneous_output_kbps:98.1 keyspace_hits:812334
keyspace_misses:4012 evicted_keys:12 aof_enabled:1 rdb_last_bgsave_status:ok rdb_changes_since_last_save:5512
loading:0 role:master connected_slaves:1 rejected_connections:0
"""


def ago(**span: float) -> float:
    """So long before `NOW`, in Unix seconds."""
    return (NOW - timedelta(**span)).timestamp()


def ahead(**span: float) -> float:
    """So long after `NOW`."""
    return (NOW + timedelta(**span)).timestamp()


def task_id(number: int) -> str:
    """An id that looks like one."""
    return f"{number:08x}-7c1e-4d5a-9b3f-{number * 7919:012x}"


def payload(**fields: Any) -> bytes:
    """JSON as clients write it."""
    return json.dumps(fields, separators=(",", ":")).encode()


class World:
    """What is there: `critical` runs and keeps, `default` groups and schedules, `payments` fails, `low` is paused."""

    def __init__(self, redis: Redis) -> None:
        self.redis: Any = redis
        names = ("critical", "default", "low", "payments")
        self.critical, self.default, self.low, self.payments = (Place(redis, name) for name in names)
        self._fill_critical()
        self._fill_default()
        self._fill_payments()
        for n in range(3):
            self.low.hash(task_id(600 + n), "pending", {"pending_since": _nanoseconds(ago(minutes=20 - n))}, type="x:y")
            redis.lpush(self.low.keys.pending, task_id(600 + n))
        redis.set(self.low.keys.paused, int(ago(hours=1)))
        self._servers()
        self._schedules()
        self.work(0, 0)

    def _fill_critical(self) -> None:
        queue = self.critical
        for n in range(40):
            since = _nanoseconds(ago(seconds=90 - n))
            body = payload(user_id=1000 + n, template="welcome-v2", locale="de")
            queue.hash(task_id(n), "pending", {"pending_since": since}, type="email:welcome", payload=body)
            self.redis.lpush(queue.keys.pending, task_id(n))
        for n in range(100, 104):
            fields = {"py:progress": "0.625", "py:progress_text": "page 5 of 8"} if n == 101 else {}
            body = payload(month="2029-12", page=n)
            queue.active(task_id(n), fields=fields, type="report:build", payload=body)
            self.redis.zadd(queue.keys.lease, {task_id(n): ago(seconds=3) if n == 103 else ahead(seconds=25.5)})
        for n in range(200, 212):
            done = int(ago(minutes=n - 199))
            queue.completed(task_id(n), done + 3600)
            result = payload(sent=True, provider="ses")
            queue.hash(
                task_id(n), "completed", {"result": result}, type="email:welcome", retention=3600, completed_at=done
            )

    def _fill_default(self) -> None:
        for n in range(8):
            queue, id_ = self.default, task_id(300 + n)
            queue.waiting("scheduled", id_, ahead(minutes=5 * n + 1))
            queue.hash(id_, "scheduled", type="newsletter:send", payload=payload(issue=n))
        for n in range(9):
            group = f"tenant-{n % 3}"
            self.default.grouped(
                task_id(400 + n), group, ago(seconds=9 - n), type="metrics:flush", payload=b"\x82\x00\xff"
            )

    def _fill_payments(self) -> None:
        queue, error = self.payments, "CardDeclined: insufficient funds"
        for n in range(5):
            fields = {"py:traceback": TRACEBACK}
            message: dict[str, Any] = {
                "type": "payment:charge",
                "payload": payload(order=f"A-{500 + n}", amount=1299 * (n + 1), currency="EUR"),
                "error_msg": error,
                "last_failed_at": int(ago(minutes=n + 1)),
                "headers": {"trace": f"4bf92f35{n:04x}", "tenant": "acme"},
            }
            queue.waiting("retry", task_id(500 + n), ahead(minutes=n + 1), **fields)
            queue.hash(task_id(500 + n), "retry", fields, **{**message, "retried": n + 1})
            queue.archived(task_id(550 + n), int(ago(hours=n + 1)), fields, **{**message, "retried": 25})

    def _servers(self) -> None:
        for n, (host, status, weights) in enumerate(
            (
                ("web-1", "active", {"critical": 6, "default": 3, "low": 1}),
                ("web-2", "stopped", {"payments": 1}),
            )
        ):
            server_id = f"5f1d{n:04}"
            identity = f"{host}:{4200 + n}:{server_id}"
            server = records.ServerInfo(
                host=host,
                pid=4200 + n,
                server_id=server_id,
                concurrency=10,
                queues=weights,
                status=status,
                start_time=NOW - timedelta(hours=5 + n),
            )
            self.redis.set(keys.server(identity), server.encode())
            self.redis.zadd(keys.SERVERS, {keys.server(identity): ahead(days=3650)})
            self.redis.zadd(keys.WORKERS, {keys.workers(identity): ahead(days=3650)})
            for number in range(100, 103) if n == 0 else ():
                worker = records.WorkerInfo(
                    host=host,
                    pid=4200,
                    server_id=server_id,
                    task_id=task_id(number),
                    task_type="report:build",
                    task_payload=payload(month="2029-12", page=number),
                    queue="critical",
                    start_time=NOW - timedelta(seconds=number - 80),
                    deadline=NOW + timedelta(minutes=29),
                )
                self.redis.hset(keys.workers(identity), task_id(number), worker.encode())

    def _schedules(self) -> None:
        identity = "web-1:4300:9d2e"
        key = keys.schedulers(identity)
        entries = [
            ("e1", "@every 30s", "metrics:collect", ('Queue("low")',), 12, 18),
            ("e2", "0 3 * * *", "backup:run", ('Queue("default")', "MaxRetry(3)"), 54_000, 32_400),
            ("e3", "*/15 * * * *", "newsletter:send", (), 900, None),
        ]
        for entry_id, spec, type_, options, after, before in entries:
            entry = records.SchedulerEntry(
                id=entry_id,
                spec=spec,
                task_type=type_,
                task_payload=payload(entry=entry_id),
                enqueue_options=options,
                next_enqueue_time=NOW + timedelta(seconds=after),
                prev_enqueue_time=None if before is None else NOW - timedelta(seconds=before),
            )
            self.redis.rpush(key, entry.encode())
        self.redis.zadd(keys.SCHEDULERS, {key: ahead(days=3650)})
        for n in range(6):
            moment = NOW - timedelta(seconds=18 + 30 * n)
            event = records.SchedulerEnqueueEvent(task_id=task_id(700 + n), enqueue_time=moment)
            self.redis.zadd(keys.scheduler_history("e1"), {event.encode(): int(moment.timestamp())})

    def work(self, done: int, failed: int) -> None:
        """So much more was done, most of it in `critical`, and failed, all of it in `payments`."""
        day = NOW.date().isoformat()
        for queue, number, bad in ((self.critical, done, 0), (self.payments, done // 10, failed), (self.low, 0, 0)):
            for key in (queue.keys.processed, queue.keys.processed_on(day)):
                self.redis.incrby(key, number)
            for key in (queue.keys.failed, queue.keys.failed_on(day)):
                self.redis.incrby(key, bad)


def _nanoseconds(unix: float) -> int:
    return int(unix) * 10**9
