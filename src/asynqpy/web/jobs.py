"""Actions on many tasks, as jobs that go on after the request has been answered: with progress, results and an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

import msgspec

from asynqpy.errors import AsynqpyError
from asynqpy.identity import new_id
from asynqpy.web.problems import Problem, not_found

log = logging.getLogger("asynqpy")

AT_ONCE = 100
"""Tasks whose round trips are shared."""

MOST_RUNNING, MOST_KEPT, MOST_RESULTS = 8, 100, 10_000
KEPT_FOR = timedelta(hours=1)

PATIENCE_SECONDS = 2.0
"""So long a job that is stopped may take for what it has begun, so that it tells truly what it has done."""


class _Stopped(Exception):  # noqa: N818 - an instruction, not an error
    """Somebody has stopped the job that has just got on."""


class JobState(StrEnum):
    """Where a job is in its life."""

    RUNNING = "running"
    DONE = "done"
    """Everything was tried; some of it may have failed."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """It broke off: `Job.error` tells why."""


class TaskResult(msgspec.Struct, frozen=True):
    """What became of one task of a job."""

    queue: str
    task_id: str
    error: str = ""
    """Empty when it was done."""
    new_queue: str = ""
    new_task_id: str = ""
    """Where it is after it was moved, or where its copy is; empty where neither was asked for."""


class Job(msgspec.Struct, kw_only=True):
    """An action on many tasks."""

    id: str
    action: str
    user: str
    queues: tuple[str, ...]
    """Where the tasks are."""
    created_at: datetime
    total: int | None = None
    """How many tasks there are, where that is known."""
    scanned: int = 0
    """How many tasks were looked at to find them."""
    state: JobState = JobState.RUNNING
    done: int = 0
    failed: int = 0
    error: str = ""
    ended_at: datetime | None = None
    results: list[TaskResult] = []
    """Of the first ten thousand tasks; none where a whole state was dealt with at once."""


Act = Callable[[str, str], Awaitable["tuple[str, str] | None"]]
"""Does it to the task with this queue and id; gives those of what came of it, if they are others."""

Work = Callable[[Job], Awaitable[None]]
"""All that a job does."""


class Jobs:
    """The jobs of one Redis. They are kept for an hour, and end with this process.

    Args:
        on_change: called after every step of every job.
    """

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._on_change = on_change
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._stopping: set[str] = set()

    def start(
        self,
        work: Work,
        *,
        action: str,
        user: str,
        queues: Iterable[str],
        total: int | None,
        on_end: Callable[[Job], object],
    ) -> Job:
        """Begin a job; *on_end* is called with it when it has ended.

        Raises:
            Problem: too many run already.
        """
        self._tidy()
        if len(self._tasks) >= MOST_RUNNING:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_jobs",
                f"{MOST_RUNNING} jobs run already: wait for one of them, or cancel it",
            )
        job = Job(
            id=new_id(), action=action, user=user, queues=tuple(queues), created_at=datetime.now(UTC), total=total
        )
        self._jobs[job.id] = job
        self._changed[job.id] = asyncio.Event()
        self._tasks[job.id] = asyncio.create_task(self._run(job, work, on_end), name=f"asynqpy job {job.id}")
        return job

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            Problem: there is none.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise not_found(f"no job {job_id!r}: jobs are kept for an hour, and end with the web server")
        return job

    def all(self) -> list[Job]:
        """All jobs, the newest first."""
        self._tidy()
        return sorted(self._jobs.values(), key=lambda job: job.created_at, reverse=True)

    async def cancel(self, job_id: str) -> Job:
        """Stop a job after the step that it is at; what it has done stays done."""
        job = self.get(job_id)
        task = self._tasks.get(job_id)
        if task is not None:
            self._stopping.add(job_id)
            await asyncio.wait([task], timeout=PATIENCE_SECONDS)
            task.cancel()
            await asyncio.wait([task])
        return job

    async def changes(self, job_id: str) -> AsyncIterator[Job]:
        """The job now, and after each of its steps; some are left out when they come faster than they are taken."""
        job = self.get(job_id)
        while True:
            changed = self._changed[job_id]
            yield job
            if job.state is not JobState.RUNNING:
                return
            await changed.wait()

    async def close(self) -> None:
        """Stop all jobs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def stepped(self, job: Job) -> None:
        """Tell that a job has got on; ends it if it is to stop."""
        self._changed[job.id].set()
        self._changed[job.id] = asyncio.Event()
        self._on_change()
        if job.id in self._stopping:
            raise _Stopped

    async def _run(self, job: Job, work: Work, on_end: Callable[[Job], object]) -> None:
        try:
            await work(job)
            job.state = JobState.DONE
        except (asyncio.CancelledError, _Stopped):
            job.state = JobState.CANCELLED
        except AsynqpyError as error:
            job.state, job.error = JobState.FAILED, str(error)
        except Exception:
            log.exception("a job failed")
            job.state, job.error = JobState.FAILED, "internal error; the log of the web server tells more"
        finally:
            job.ended_at = datetime.now(UTC)
            self._tasks.pop(job.id, None)
            self._stopping.discard(job.id)
            on_end(job)
            self.stepped(job)

    async def act_on(self, job: Job, tasks: Sequence[tuple[str, str]], act: Act) -> None:
        """Do it to *tasks*, given by queue and id, and note what became of each."""
        for start in range(0, len(tasks), AT_ONCE):
            piece = tasks[start : start + AT_ONCE]
            results = await asyncio.gather(*(act(*each) for each in piece), return_exceptions=True)
            for (queue, task_id), result in zip(piece, results, strict=True):
                if isinstance(result, BaseException) and not isinstance(result, AsynqpyError | Problem):
                    raise result
                error, there = (str(result), None) if isinstance(result, BaseException) else ("", result)
                job.done, job.failed = job.done + (not error), job.failed + bool(error)
                if len(job.results) < MOST_RESULTS:
                    job.results.append(TaskResult(queue, task_id, error, *(there or ())))
            self.stepped(job)

    def _tidy(self) -> None:
        now = datetime.now(UTC)
        ended = [job for job in self._jobs.values() if job.ended_at is not None]
        ended.sort(key=lambda job: job.created_at, reverse=True)
        for at, job in enumerate(ended):
            if at >= MOST_KEPT or now - (job.ended_at or now) > KEPT_FOR:
                del self._jobs[job.id], self._changed[job.id]
