"""`python -m bench.web.life URL SERVERS`: servers that announce themselves, and a trickle of tasks."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from asynqpy import AsyncClient, Scheduler, ServeMux, Server, Task
from asynqpy._broker.presence import announce
from asynqpy._transport.channel import Channel
from asynqpy._wire.records import ServerInfo, WorkerInfo
from asynqpy._worker.heartbeater import INTERVAL_SECONDS
from bench.web.data import LIVELY, QUIET

RUNNING = 5
"""Attempts that each of the servers shows."""
TASKS_A_SECOND = 20


def servers(number: int) -> Iterator[tuple[str, ServerInfo, list[WorkerInfo]]]:
    """What each server announces, by the records that servers write."""
    now = datetime.now(UTC)
    for n in range(number):
        host, pid, server_id = f"bench-{n // 4:03}", 1_000 + n, str(UUID(int=n + 1))
        info = ServerInfo(
            host=host,
            pid=pid,
            server_id=server_id,
            concurrency=50,
            queues={QUIET[(n * 5 + k) % len(QUIET)]: k + 1 for k in range(5)},
            status="active",
            start_time=now,
            active_worker_count=RUNNING,
        )
        attempts = [
            WorkerInfo(
                host=host,
                pid=pid,
                server_id=server_id,
                task_id=f"{n}-{k}",
                task_type="video:encode",
                task_payload=b'{"file": "clip.mov"}',
                queue=QUIET[n * 5 % len(QUIET)],
                start_time=now,
                deadline=None,
            )
            for k in range(RUNNING)
        ]
        yield f"{host}:{pid}:{server_id}", info, attempts


async def announce_all(url: str, number: int) -> None:
    """As often as servers do, spread over the interval."""
    mux = ServeMux()
    for pattern in ("video:encode", "email:", "image:"):
        mux.handle(pattern, _nothing)
    channel, patterns = Channel(url), mux.handled()
    announced = list(servers(number))
    for n in count():
        identity, info, attempts = announced[n % number]
        await channel.run(announce(identity, info, attempts, now=datetime.now(UTC), patterns=patterns))
        if n == number - 1:
            print("alive", flush=True)
        if n >= number:
            await asyncio.sleep(INTERVAL_SECONDS / number)


async def _nothing(task: Task) -> None: ...


async def trickle(url: str) -> None:
    """A few tasks a second, and a server that runs them."""
    mux, scheduler = ServeMux(), Scheduler(url)
    mux.handle("lively", _nothing)
    scheduler.register("@every 30s", Task("lively"), queue=LIVELY[0])
    scheduler.register("30 4 * * *", Task("report:build"), queue=LIVELY[0])
    server = Server(url, queues=dict.fromkeys(LIVELY, 1))
    async with AsyncClient(url) as client, server.running(mux), scheduler.running():
        for n in count():
            await client.enqueue(Task("lively", {"n": n}), queue=LIVELY[n % len(LIVELY)])
            await asyncio.sleep(1 / TASKS_A_SECOND)


async def main(url: str, number: int) -> None:
    """Both."""
    async with asyncio.TaskGroup() as group:
        group.create_task(announce_all(url, number))
        group.create_task(trickle(url))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
