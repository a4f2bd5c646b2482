"""Child processes for handlers that must be killable: a timeout, a cancellation or a lost lease ends the process.

pebble keeps the processes and replaces those that died. Children are spawned, never forked: this process has threads.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asynqpy._broker.flow import Flow
from asynqpy._broker.presence import report_progress, write_result
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import BlockingLane
from asynqpy._worker.in_flight import Running
from asynqpy._worker.progress import IsolatedProgress
from asynqpy.config import RedisOptions
from asynqpy.context import running_task
from asynqpy.errors import ConfigError, ProcessDiedError
from asynqpy.handlers import call_by_reference
from asynqpy.task import Task

if TYPE_CHECKING:
    from pebble import ProcessPool as PebblePool


T = TypeVar("T")

PARENT_CHECK_SECONDS = 0.5


class ProcessPool:
    """Runs handlers, given by reference, in at most *limit* child processes.

    Args:
        limit: number of processes.
        redis: where children connect to write results; None when the server was given a redis-py client.
    """

    def __init__(self, limit: int, redis: RedisOptions | None) -> None:
        self._limit = limit
        self._redis = redis
        self._pool: PebblePool | None = None

    async def call(self, reference: str, task: Task) -> object:
        """Run the handler at *reference* with *task* and return what it returned.

        Raises:
            ConfigError: pebble is not installed.
            ProcessDiedError: the child died before the handler ended.
            Exception: what the handler raised.
        """
        if task.cancelled:  # a middleware took longer than the attempt has
            raise asyncio.CancelledError
        if self._pool is None:
            self._pool = _new_pool(self._limit)
        from pebble import ProcessExpired

        running = cast("Running", task.attempt)
        fields = {
            "type": task.type,
            "payload": task.payload,
            "headers": dict(task.headers),
            "id": task.id,
            "queue": task.queue,
            "retried": task.retried,
            "max_retry": task.max_retry,
            "deadline": task.deadline.timestamp() if task.deadline else 0.0,
        }
        future = self._pool.schedule(_run_in_child, args=[reference, fields, running.token, self._redis])
        running.interrupt = future.cancel
        try:
            answer = await asyncio.wrap_future(future)
        except ProcessExpired as died:
            raise ProcessDiedError(f"the process of the handler died with exit code {died.exitcode}") from died
        finally:
            running.interrupt = None
        result, error, trace = pickle.loads(answer)  # noqa: S301 - from a child of this process
        if error is not None:
            raise error from (_RemoteTraceback(trace) if trace else None)
        return result

    def close(self) -> None:
        """Kill what still runs, and end the processes."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join(timeout=5)


class _RemoteTraceback(Exception):  # noqa: N818 - shows where in the child an error was raised
    def __init__(self, trace: str) -> None:
        super().__init__("\n" + trace)


class _IsolatedAttempt:
    """The attempt as a handler in a child process sees it."""

    def __init__(self, queue: str, task_id: str, token: str, redis: RedisOptions | None) -> None:
        self._queue, self._task_id, self._token, self._redis = queue, task_id, token, redis
        self.progress = IsolatedProgress(self._write_progress)

    @property
    def cancelled(self) -> bool:
        return False  # who is cancelled here is killed

    async def write_result(self, data: bytes) -> int:
        return await asyncio.to_thread(self.write_result_sync, data)

    def write_result_sync(self, data: bytes) -> int:
        return self._say(write_result(self._queue, self._task_id, self._token, data), "results")

    async def report_progress(self, fraction: float, text: str) -> None:
        await asyncio.to_thread(self.report_progress_sync, fraction, text)

    def report_progress_sync(self, fraction: float, text: str) -> None:
        self._where("progress")
        self.progress.report(fraction, text)

    def _write_progress(self, fraction: float, text: str) -> None:
        self._say(report_progress(self._queue, self._task_id, self._token, fraction, text), "progress")

    def _where(self, what: str) -> RedisOptions:
        if self._redis is None:
            raise ConfigError(f"a handler in a child process can write {what} only if the server was given a URL")
        return self._redis

    def _say(self, flow: Flow[T], what: str) -> T:
        source = Source(self._where(what))
        lane = BlockingLane(source)
        try:
            return lane.run(flow)
        finally:
            lane.close()
            source.close()


def _new_pool(limit: int) -> PebblePool:
    if importlib.util.find_spec("pebble") is None:
        raise ConfigError("isolate='process' needs pebble: pip install 'asynqpy[process]'")
    from pebble import ProcessPool as PebblePool

    context = multiprocessing.get_context("spawn")
    return PebblePool(max_workers=limit, context=context, initializer=_end_with_parent, initargs=[os.getpid()])


def _end_with_parent(parent: int) -> None:
    """Runs in the child: a handler must not go on when its worker was killed, for its task runs elsewhere then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="asynqpy parent watch", daemon=True).start()


def _run_in_child(reference: str, fields: dict[str, Any], token: str, redis: RedisOptions | None) -> bytes:
    """Runs in the child. Returns the result, the error and its traceback.

    They are pickled here, so that nothing that cannot be pickled kills the child.
    """
    import traceback

    attempt = _IsolatedAttempt(fields["queue"], fields["id"], token, redis)
    task = Task.running(**fields, attempt=attempt)
    running_task.set(task)
    try:
        answer = call_by_reference(reference, task), None, ""
    except BaseException as error:  # noqa: BLE001 - the parent decides
        return pickle.dumps((None, _portable(error), traceback.format_exc()))
    finally:
        attempt.progress.flush()
    try:
        return pickle.dumps(answer)
    except Exception as error:  # noqa: BLE001 - whatever a class of the user's does
        refused = TypeError(f"the result of an isolated handler cannot be pickled: {error}")
        return pickle.dumps((None, refused, ""))


def _portable(error: BaseException) -> BaseException:
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301 - what this process has just written
            return error
    except Exception:  # noqa: BLE001, S110 - an exception that cannot travel is described instead
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")
