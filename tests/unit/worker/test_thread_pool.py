"""Threads for plain functions."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynqpy import SkipRetry
from asynqpy._worker.thread_pool import ThreadPool
from tests.eventually import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    """A pool of three threads."""
    made = ThreadPool(3)
    yield made
    made.close()


async def test_it_returns_what_the_function_returns(pool: ThreadPool) -> None:
    """From another thread, with the arguments given."""
    assert await pool.submit(lambda a, b: (a + b, threading.current_thread().daemon), 1, 2) == (3, True)
    assert await pool.submit(threading.get_ident) != threading.get_ident()


async def test_threads_are_used_again(pool: ThreadPool) -> None:
    """One after the other needs one thread."""
    threads = set()
    for _ in range(20):
        threads.add(await pool.submit(threading.get_ident))
        await eventually(lambda: pool._idle)  # it has answered before it waits again
    assert len(threads) == 1


async def test_no_more_run_at_once_than_allowed(pool: ThreadPool) -> None:
    """The others wait in line and all get their turn."""
    lock, running, most = threading.Lock(), 0, 0
    third = threading.Barrier(3)

    def work(n: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        third.wait(20)
        with lock:
            running -= 1
        return n

    assert await asyncio.gather(*(pool.submit(work, n) for n in range(9))) == list(range(9))
    assert most == 3


async def test_an_idle_thread_does_not_keep_others_from_starting(pool: ThreadPool) -> None:
    """Jobs that come together run together, also when one thread was waiting already."""
    await pool.submit(int)
    await eventually(lambda: pool._idle)
    together = threading.Barrier(3)
    async with asyncio.timeout(20):
        await asyncio.gather(*(pool.submit(together.wait, 10) for _ in range(3)))


async def test_jobs_start_in_the_order_of_their_coming() -> None:
    """First in, first out."""
    pool = ThreadPool(1)
    seen: list[int] = []
    await asyncio.gather(*(pool.submit(seen.append, n) for n in range(50)))
    assert seen == list(range(50))
    pool.close()


@pytest.mark.parametrize(
    "error", [ValueError("x"), SkipRetry("s"), TimeoutError(), asyncio.CancelledError("c")], ids=repr
)
async def test_exceptions_come_back_as_they_are(pool: ThreadPool, error: BaseException) -> None:
    """With the traceback of the thread."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await pool.submit(fail)
    assert "fail" in [entry.name for entry in caught.traceback]
    assert await pool.submit(int) == 0


@pytest.mark.parametrize(
    "error", [StopIteration(1), SystemExit(2), KeyboardInterrupt(), GeneratorExit(), BaseException("base")], ids=repr
)
async def test_exceptions_that_mean_something_to_the_loop_come_wrapped(pool: ThreadPool, error: BaseException) -> None:
    """Neither a future nor the event loop could carry them."""

    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__) as caught:
        await pool.submit(fail)
    assert caught.value.__cause__ is error
    assert await pool.submit(int) == 0


async def test_context_variables_go_in_and_not_out(pool: ThreadPool) -> None:
    """The function sees a copy of the caller's context."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    variable.set("caller")

    def look() -> str:
        seen = variable.get()
        variable.set("thread")
        return seen

    assert await pool.submit(look) == "caller"
    assert await pool.submit(look) == "caller"
    assert variable.get() == "caller"


async def test_a_caller_that_gives_up_does_not_disturb_the_thread(pool: ThreadPool) -> None:
    """Nor does the result that comes too late."""
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(20)
        ended.set()

    future = pool.submit(work)
    await asyncio.sleep(0)
    future.cancel()
    release.set()
    await eventually(ended.is_set)
    assert await pool.submit(int) == 0


async def test_closing_ends_idle_threads_and_lets_busy_ones_finish() -> None:
    """No thread is left when the last function returns."""
    pool = ThreadPool(4)
    release = threading.Event()
    busy = pool.submit(release.wait, 20)
    await asyncio.gather(*(pool.submit(int) for _ in range(3)))
    pool.close()
    release.set()
    assert await busy
    await eventually(lambda: not pool._threads)


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(0)", "asyncio.run(asyncio.sleep(0))"])
def test_a_stuck_thread_does_not_keep_the_interpreter_alive(end: str) -> None:
    """The process ends although a function never returns, and the loop that it worked for has gone."""
    program = f"""
import asyncio, threading
from asynqpy._worker.thread_pool import ThreadPool
async def main():
    started = threading.Event()
    pool = ThreadPool(2)
    pool.submit(lambda: (started.set(), threading.Event().wait()))
    pool.submit(lambda: threading.Event().wait(0.05))
    await asyncio.to_thread(started.wait)
asyncio.run(main())
{end}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_thread_that_cannot_be_started_fails_the_job_and_not_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be out of threads for a while; a job waits for a thread that there is already."""
    pool, ran = ThreadPool(1), []

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            await pool.submit(ran.append, "refused")
    async with asyncio.timeout(20):
        assert await asyncio.gather(*(pool.submit(int) for _ in range(5))) == [0] * 5
    assert ran == []
    pool.close()


async def test_without_another_thread_a_job_waits_for_the_one_there_is(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fails while somebody can do the work."""
    release = threading.Event()
    busy = pool.submit(release.wait, 20)

    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    waiting = pool.submit(int)
    release.set()
    async with asyncio.timeout(20):
        assert (await busy, await waiting) == (True, 0)
