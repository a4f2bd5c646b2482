"""asynqpy: defaults but for concurrency, and everything switched on that Go asynq's driver has too.

A typed handler behind one middleware; every task has a timeout and a deadline; heartbeats, lease extension and fenced
claims run as always.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

from asynqpy import AsyncClient, Client, EnqueueOptions, Server, Task, TaskInfo
from bench.contenders.asynqpy.tasks import DEADLINE, STAMP_TYPE, TASK_TYPE, TIMEOUT, mux, noop
from bench.contenders.shared.settings import GROUP, Settings
from bench.contenders.shared.workload import (
    Payload,
    Producer,
    Production,
    asked_moments_ns,
    many_callers_async,
    one_caller,
    one_caller_async,
    paced_async,
    payload,
)


def work(settings: Settings) -> None:
    """Run the server until a signal stops it."""
    queues = {"default": 1} | {f"queue-{i}": 1 for i in range(1, settings.queues)}
    lease = timedelta(seconds=settings.lease_seconds or 30)
    server = Server(
        settings.redis_url,
        concurrency=settings.concurrency,
        queues=queues,
        lease=lease,
        aggregator=aggregate if settings.group_size else None,
        group_max_size=settings.group_size,
        group_grace_period=1,
    )
    server.run(mux)


async def aggregate(group: str, tasks: list[Task]) -> Task:
    """One task that tells how many it was made of."""
    return Task(TASK_TYPE, payload(len(tasks)), timeout=TIMEOUT, deadline=DEADLINE)


def task(content: Payload) -> Task:
    """One task of the workload."""
    return noop.task(**content)


def scheduled_task(n: int, moment_ns: int) -> Task:
    """Task *n* at a moment of its own."""
    moment = datetime.fromtimestamp(moment_ns / 1e9, UTC)
    return Task(TASK_TYPE, payload(n, moment_ns), timeout=TIMEOUT, deadline=DEADLINE, process_at=moment)


def produce_batch(settings: Settings) -> Production:
    """`enqueue_many`, all tasks in one call."""
    with Client(settings.redis_url) as client:
        client.ping()
        return _timed(client, settings, (task(payload(n)) for n in range(settings.count)))


def produce_grouped(settings: Settings) -> Production:
    """`enqueue_many` into one group."""
    options: EnqueueOptions = {"timeout": TIMEOUT, "deadline": DEADLINE, "group": GROUP}
    with Client(settings.redis_url) as client:
        client.ping()
        return _timed(client, settings, (Task(TASK_TYPE, payload(n), **options) for n in range(settings.count)))


def produce_scheduled(settings: Settings) -> Production:
    """Each task at a moment of its own, or all at one moment; `enqueue_many` with `process_at`."""
    due_at_once = [settings.due_at_ns] * settings.count
    moments_ns = due_at_once if settings.mode == "due" else asked_moments_ns(settings)
    tasks = (scheduled_task(n, moment_ns) for n, moment_ns in enumerate(moments_ns))
    with Client(settings.redis_url) as client:
        client.ping()
        return _timed(client, settings, tasks)


def _timed(client: Client, settings: Settings, tasks: Iterator[Task]) -> Production:
    started = perf_counter()
    for result in client.enqueue_stream(tasks):
        result.unwrap()
    return Production(settings.count, perf_counter() - started)


def produce_blocking(settings: Settings) -> Production:
    """`Client.enqueue`, one caller."""
    with Client(settings.redis_url) as client:
        client.ping()
        return one_caller(settings, lambda content: client.enqueue(task(content)))


async def produce_async(settings: Settings) -> Production:
    """`AsyncClient.enqueue`, in every mode that awaits."""
    async with AsyncClient(settings.redis_url) as client:
        await client.ping()

        async def enqueue(content: Payload) -> object:
            return await client.enqueue(task(content))

        match settings.mode:
            case "awaiting":
                return await one_caller_async(settings, enqueue)
            case "paced":
                return await paced_async(settings, enqueue)
            case _:
                return await many_callers_async(settings, enqueue)


async def wait_for_all(settings: Settings) -> Production:
    """Tasks at moments of their own, or at one moment; all are waited for before the first runs.

    A delay is the time from the last line of the handler, which returns it, to the return of `wait`.
    """
    moments_ns = asked_moments_ns(settings) if settings.spread_seconds else [0] * settings.count
    start_ns = time.time_ns() + int(settings.lead_seconds * 1e9)
    tasks = (
        Task(STAMP_TYPE, payload(n), process_at=datetime.fromtimestamp((moment or start_ns) / 1e9, UTC), retention=600)
        for n, moment in enumerate(moments_ns)
    )
    async with AsyncClient(settings.redis_url) as client:
        infos = [result.unwrap() for result in await client.enqueue_many(tasks)]

        async def wait(info: TaskInfo) -> tuple[int, int]:
            ended_ns = int(await client.wait(info) or 0)
            return ended_ns, time.time_ns()

        moments = await asyncio.gather(*map(wait, infos))
    seconds = (max(returned for _, returned in moments) - min(ended for ended, _ in moments)) / 1e9
    return Production(settings.count, seconds, delays_ns=[returned - ended for ended, returned in moments])


def run_waits(settings: Settings) -> Production:
    """`wait_for_all` on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(wait_for_all(settings))


def run_async(settings: Settings) -> Production:
    """`produce_async` on uvloop, as an application would have it."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(produce_async(settings))


PRODUCERS: dict[str, Producer] = {
    "fill": produce_batch,
    "batch": produce_batch,
    "blocking": produce_blocking,
    "awaiting": run_async,
    "callers": run_async,
    "paced": run_async,
    "grouped": produce_grouped,
    "scheduled": produce_scheduled,
    "due": produce_scheduled,
    "wait": run_waits,
}
