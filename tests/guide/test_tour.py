"""A tour of asynqpy for somebody who sees it for the first time. Each test shows one idea and stands for itself.

``redis_url`` is the address of an empty Redis; ``embedded://some/folder`` would do as well.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asynqpy import (
    AsyncClient,
    Client,
    DuplicateTaskError,
    Scheduler,
    ServeMux,
    Server,
    SkipRetry,
    Snooze,
    Task,
    TaskState,
    current_task,
    retry,
)
from asynqpy.testing import run_task

from .conftest import until

pytestmark = pytest.mark.anyio


async def test_a_client_enqueues_and_a_server_works(redis_url: str) -> None:
    """A task has a type and a payload. A client puts it into a queue; a server takes it out and calls your handler."""
    resized = []

    mux = ServeMux()

    @mux.handler("image:resize")
    async def resize(task: Task) -> None:
        resized.append(task.json()["src"])

    async with AsyncClient(redis_url) as client:
        await client.enqueue(Task("image:resize", {"src": "cat.png"}))

    async with Server(redis_url).running(mux):
        await until(lambda: resized == ["cat.png"])


def test_code_without_an_event_loop_has_a_client_too(redis_url: str) -> None:
    """`Client` blocks, `AsyncClient` is awaited. Both give back what is known of the task."""
    with Client(redis_url) as client:
        info = client.enqueue(Task("image:resize", b"any bytes will do"))
    assert info.state is TaskState.PENDING
    assert info.queue == "default"
    assert info.id


async def test_a_function_can_be_a_task(redis_url: str) -> None:
    """With `mux.task` the arguments of a function travel as the payload, and arrive with the types you wrote."""
    greeted = []
    mux = ServeMux()

    @mux.task("greet")
    async def greet(name: str, born: datetime) -> None:
        greeted.append((name, born.year))

    async with AsyncClient(redis_url) as client, Server(redis_url).running(mux):
        await client.enqueue(greet.task("Ada", born=datetime(1815, 12, 10, tzinfo=UTC)))
        await until(lambda: greeted == [("Ada", 1815)])


async def test_plain_functions_are_welcome(redis_url: str) -> None:
    """A function without `async` runs in a thread, so it may block."""
    # With isolate="process" it runs in a process of its own, which a timeout really kills.
    mux = ServeMux()
    seen: list[str] = []

    @mux.handler("report:build")
    def build(task: Task) -> None:
        seen.append(threading.current_thread().name)

    async with AsyncClient(redis_url) as client, Server(redis_url).running(mux):
        await client.enqueue(Task("report:build"))
        await until(lambda: seen)
    assert seen[0] != threading.main_thread().name


async def test_what_fails_is_tried_again(redis_url: str) -> None:
    """A handler fails by raising. The task waits, longer each time unless you choose, and is called again."""
    attempts = []

    async def flaky(task: Task) -> None:
        attempts.append(task.retried)
        if task.retried < 2:
            raise ConnectionError("the mail server is down")

    async with AsyncClient(redis_url) as client:
        await client.enqueue(Task("email:welcome"), max_retry=5)

    async with Server(redis_url, retry_delay=retry.fixed(0.05)).running(flaky):
        await until(lambda: attempts == [0, 1, 2])


async def test_some_things_should_not_be_tried_again(redis_url: str) -> None:
    """`SkipRetry` puts a task into the archive, where you find it later; `Snooze` just comes back later."""
    calls = []

    async def picky(task: Task) -> None:
        calls.append(task.type)
        if task.type == "hopeless":
            raise SkipRetry("there is no such user")
        if calls.count("too early") < 3:
            raise Snooze(timedelta(milliseconds=50))

    async with AsyncClient(redis_url) as client, Server(redis_url).running(picky):
        await client.enqueue(Task("hopeless"))
        await client.enqueue(Task("too early"))
        await until(lambda: calls.count("too early") == 3)
    assert calls.count("hopeless") == 1


async def test_later_is_fine_too(redis_url: str) -> None:
    """`process_in` and `process_at` schedule. A task never starts early."""
    started: list[datetime] = []

    async def remind(task: Task) -> None:
        started.append(datetime.now(UTC))

    asked_for = datetime.now(UTC) + timedelta(seconds=0.5)
    async with AsyncClient(redis_url) as client, Server(redis_url).running(remind):
        info = await client.enqueue(Task("remind"), process_at=asked_for)
        assert info.state is TaskState.SCHEDULED
        await until(lambda: started)
    assert started[0] >= asked_for


async def test_queues_have_weights(redis_url: str) -> None:
    """A server gives each of its queues a share of its time. Nothing starves, and what is urgent comes sooner."""
    order: list[str] = []

    async def note(task: Task) -> None:
        order.append(task.queue)

    async with AsyncClient(redis_url) as client:
        await client.enqueue_many([Task("work")] * 300, queue="low")
        await client.enqueue_many([Task("work")] * 300, queue="critical")

    async with Server(redis_url, queues={"critical": 9, "low": 1}, concurrency=1).running(note):
        await until(lambda: len(order) == 600)
    first = order[:200]
    assert first.count("critical") > first.count("low") > 0


async def test_thousands_go_at_once(redis_url: str) -> None:
    """`enqueue_many` takes any iterable and tells for each task what became of it."""
    async with AsyncClient(redis_url) as client:
        results = await client.enqueue_many(Task("count", n) for n in range(3000))
    assert all(result.info for result in results)


async def test_once_is_enough(redis_url: str) -> None:
    """`unique_for` refuses a second task of the same type and payload, until the first is done or the time is over."""
    async with AsyncClient(redis_url) as client:
        await client.enqueue(Task("newsletter:send", {"week": 7}), unique_for=timedelta(hours=1))
        with pytest.raises(DuplicateTaskError):
            await client.enqueue(Task("newsletter:send", {"week": 7}), unique_for=timedelta(hours=1))


async def test_results_can_be_kept(redis_url: str) -> None:
    """What a handler returns is the result. `retention` says how long the task is kept with it."""
    mux = ServeMux()

    @mux.task("add", retention=3600)
    async def add(a: int, b: int) -> int:
        return a + b

    # In a test of your own there is no need for a server: `run_task` calls the handler as a server would.
    run = await run_task(mux, add.task(2, b=3))
    assert run.result == b"5"
    assert run.state is TaskState.COMPLETED


async def test_middlewares_see_every_task(redis_url: str) -> None:
    """Timing, tracing, transactions: what surrounds all handlers is written once."""
    log: list[str] = []
    mux = ServeMux()

    @mux.middleware
    async def logged(task: Task, next: Any) -> object:
        log.append(f"{task.type} starts")
        result = await next(task)
        log.append(f"{task.type} is done")
        return result

    @mux.handler("work")
    async def work(task: Task) -> None:
        log.append("working")

    async with AsyncClient(redis_url) as client, Server(redis_url).running(mux):
        await client.enqueue(Task("work"))
        await until(lambda: log == ["work starts", "working", "work is done"])


async def test_the_task_is_known_everywhere_below(redis_url: str) -> None:
    """`current_task` finds the running task in functions that know nothing of it, for logs and progress."""
    progress: list[str] = []

    @dataclass
    class Order:
        number: int

    async def ship(order: Order) -> None:
        progress.append(f"task {current_task().type} ships {order.number}")

    async def handler(task: Task) -> None:
        await ship(task.load(Order))

    async with AsyncClient(redis_url) as client, Server(redis_url).running(handler):
        await client.enqueue(Task("order:ship", Order(17)))
        await until(lambda: progress == ["task order:ship ships 17"])


async def test_too_long_is_a_failure(redis_url: str) -> None:
    """With a `timeout` an attempt is cancelled when it takes longer; that is a failure like any other."""
    errors: list[str] = []

    async def slow(task: Task) -> None:
        await asyncio.sleep(3600)

    def remember(task: Task, error: BaseException) -> None:
        errors.append(str(error))

    async with AsyncClient(redis_url) as client, Server(redis_url, error_handler=remember).running(slow):
        await client.enqueue(Task("slow"), timeout=1)
        await until(lambda: errors == ["context deadline exceeded"])


async def test_many_tasks_become_one(redis_url: str) -> None:
    """Tasks of a `group` wait for each other. When they are enough, or it is quiet, a function makes one of them."""
    letters: list[str] = []

    async def digest(group: str, tasks: list[Task]) -> Task:
        return Task("letter", f"{group} has {len(tasks)} news")

    async def send(task: Task) -> None:
        letters.append(task.payload.decode())

    settings: Any = {"aggregator": digest, "group_max_size": 3, "group_grace_period": 60}
    async with AsyncClient(redis_url) as client, Server(redis_url, **settings).running(send):
        for post in (1, 2, 3):
            await client.enqueue(Task("notify", post), group="user-7")
        await until(lambda: letters == ["user-7 has 3 news"])


async def test_schedulers_enqueue_periodically(redis_url: str) -> None:
    """Entries have a cron spec or an interval. Run as many schedulers as you like: each tick is enqueued once."""
    ran: list[str] = []

    async def work(task: Task) -> None:
        ran.append(task.id)

    first, second = Scheduler(redis_url), Scheduler(redis_url)
    for scheduler in (first, second):
        scheduler.register("@every 1s", Task("work"), catch_up="last")
        scheduler.register("30 4 * * mon-fri", Task("report"), queue="low", overlap=False)
    async with Server(redis_url).running(work), first.running(), second.running():
        await until(lambda: len(ran) >= 2)
    assert len(set(ran)) == len(ran)


async def test_a_server_that_ends_loses_nothing(redis_url: str) -> None:
    """What does not finish in time goes back to its queue, for the next server."""
    begun, finished = asyncio.Event(), asyncio.Event()

    async def stubborn(task: Task) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async def quick(task: Task) -> None:
        finished.set()

    async with AsyncClient(redis_url) as client:
        await client.enqueue(Task("work"))
    async with Server(redis_url, shutdown_timeout=0).running(stubborn):
        await until(begun.is_set)
    async with Server(redis_url).running(quick):
        await until(finished.is_set)


async def test_no_redis_is_no_excuse(tmp_path: Path) -> None:
    """`embedded://` starts a server of your own, whose data is in a folder; it ends with its last user."""
    done: list[int] = []

    async def work(task: Task) -> None:
        done.append(task.json())

    url = f"embedded://{tmp_path / 'queue'}"
    with Client(url) as client:
        client.enqueue(Task("work", 1))
    async with Server(url).running(work):
        await until(lambda: done == [1])
    assert (tmp_path / "queue" / "appendonlydir").exists()
