"""A large installation: queues with tasks in every state, failures of several kinds, schedules."""

import asyncio
import json
from dataclasses import dataclass

from asynqpy import AsyncClient, AsyncInspector, Client, ServeMux, Server, SkipRetry, Task, TaskState

QUEUES = 1_000
LARGE = "queue-0000"
"""Half of the tasks are in it."""
FAILING, DONE, GROUPED = "payments", "reports", "activity"
LIVELY = tuple(f"lively-{n:02}" for n in range(20))
"""Queues with a server and a trickle of tasks."""
QUIET = tuple(f"queue-{n:04}" for n in range(QUEUES - len(LIVELY) - 3))
"""Queues with the other half of the tasks, which nothing serves."""

RARE_EVERY = 1_000
"""One task of so many has what the search looks for."""

FAILURES = 2_000
"""And as many tasks that are done."""
GROUPS, IN_A_GROUP = 40, 25


@dataclass(frozen=True, slots=True)
class Installed:
    """What can be asked for."""

    task_id: str
    """A task that waits in the large queue."""
    failed_id: str
    """A task that has failed, in the failing one."""


class DeclinedError(Exception):
    """What a bench payment fails with."""


def fill(url: str, tasks: int) -> Installed:
    """Enqueue *tasks*, and let some of them fail and succeed."""
    half = tasks // 2
    with Client(url) as client:
        for queue, count in [(LARGE, half), *((name, half // len(QUIET)) for name in QUIET)]:
            stream = (Task("email:welcome", _payload(n), headers={"trace": f"{n:016x}"}) for n in range(count))
            for result in client.enqueue_stream(stream, queue=queue):
                result.unwrap()
        for n in range(GROUPS * IN_A_GROUP):
            client.enqueue(Task("activity", {"n": n}), queue=GROUPED, group=f"user-{n % GROUPS}")
        for n in range(FAILURES // 4):
            client.enqueue(Task("email:later", _payload(n)), queue=FAILING, process_in=3_600 + n)
    return asyncio.run(_live_through(url))


def _payload(n: int) -> dict[str, object]:
    return {"user": n, "template": "welcome", "note": "rare" if n % RARE_EVERY == 0 else "plenty"}


async def _live_through(url: str) -> Installed:
    mux = ServeMux()

    @mux.handler("payment:charge")
    def charge(task: Task) -> None:
        number = json.loads(task.payload)["n"]
        if number % 5 == 0:
            raise SkipRetry(f"410 Gone: customer {number} left")
        raise DeclinedError(f"card {number} was declined: {'insufficient funds' if number % 2 else 'expired'}")

    @mux.handler("report:build")
    async def build(task: Task) -> dict[str, object]:
        return {"rows": 4711}

    async with AsyncClient(url) as client, AsyncInspector(url) as inspector:
        for queue, type_ in ((FAILING, "payment:charge"), (DONE, "report:build")):
            tasks = [Task(type_, {"n": n}) for n in range(FAILURES)]
            await client.enqueue_many(tasks, queue=queue, retention=86_400, max_retry=0)
        server = Server(url, queues={FAILING: 1, DONE: 1}, concurrency=50)
        async with server.running(mux):
            for queue in (FAILING, DONE):
                while (await inspector.queue_info(queue, memory=False)).processed < FAILURES:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        (waiting, *_) = await inspector.list_tasks(LARGE, TaskState.PENDING, page_size=1)
        failed = [task async for task in inspector.find_tasks(queues=FAILING, type="payment:charge", limit=1)]
        return Installed(waiting.id, failed[0].id)
