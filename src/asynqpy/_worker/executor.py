"""Runs handlers and turns what they did into records for Redis.

An attempt is a plain asyncio task on the hot path. It ends when its handler ends; when it must end earlier (deadline,
cancellation, lost lease, shutdown) it is told to stop, and only after a grace period is its outcome written without it.
Its slot stays taken until the handler has really ended, so there are never more handlers than the configured number.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Protocol, TypeVar, cast

from asynqpy import payload
from asynqpy._broker.finish import Archive, Delay, Finish
from asynqpy._broker.leases import is_last_chance
from asynqpy._wire.moments import unix_milliseconds_up
from asynqpy._wire.records import TaskMessage, storable_text
from asynqpy._worker.deadlines import Deadlines
from asynqpy._worker.failure_log import log_failure
from asynqpy._worker.in_flight import InFlight, Outlet, ResultWriter, Running, StopReason
from asynqpy._worker.limits import Limits
from asynqpy._worker.observing import guarded
from asynqpy._worker.outcome import (
    Failed,
    LeaseLost,
    Limited,
    Outcome,
    PutBack,
    Skipped,
    Snoozed,
    Succeeded,
    attempt_deadline,
    in_a_word,
    outcome_of_error,
    record_of,
    with_policy,
)
from asynqpy._worker.tallies import Tallies
from asynqpy._worker.unknown_types import UnknownTypes
from asynqpy.attempts import Runner
from asynqpy.config import ServerConfig, seconds
from asynqpy.context import running_task
from asynqpy.errors import AsynqpyError, BrokerError, DeadlineExceededError, TaskCancelledError, WireError
from asynqpy.handlers import Route
from asynqpy.observer import AttemptOutcome
from asynqpy.patterns import PatternTree
from asynqpy.retry import default as default_retry_delay
from asynqpy.schemas import Schema
from asynqpy.task import Task

log = logging.getLogger("asynqpy")
T = TypeVar("T")

SHUTDOWN_GRACE_SECONDS = 1.0
LAST_CHANCE_DELAY_SECONDS = 1.0

Call = Callable[[Task], Awaitable[object]]


class Router(Protocol):
    """Finds the route of a task type."""

    def route(self, task_type: str) -> Route:
        """The route; never None."""
        ...

    def handled(self) -> PatternTree:
        """What it has routes for."""
        ...

    def schemas(self) -> Mapping[str, Schema]:
        """What payloads look like, by pattern, as far as that can be told."""
        ...


class Caller(Protocol):
    """Makes a route callable on the event loop: directly, in a thread, or in a child process."""

    def call_of(self, route: Route) -> Call:
        """What to await with a task."""
        ...


class Executor:
    """Runs claimed tasks."""

    def __init__(
        self,
        router: Router,
        caller: Caller,
        in_flight: InFlight,
        results: ResultWriter,
        config: ServerConfig,
        unknown_types: UnknownTypes | None = None,
        limits: Limits | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        self._router = router
        self._caller = caller
        self._in_flight = in_flight
        self._results = results
        self._config = config
        self._limits = limits
        self._retry_delay = config.retry_delay or default_retry_delay()
        self._cancel_grace = seconds(config.cancel_grace)
        self._calls: dict[Route, Call] = {}
        self._on_last_chance: Running | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(lambda running: self.stop(running, StopReason.DEADLINE))
        self._unknown_types = unknown_types if config.unknown_types == "release" else None
        self._observer = guarded(config.observer)
        self._tallies = tallies
        self._runner = Runner(f"{storable_text(socket.gethostname())}:{os.getpid()}", config.app_version or "")

    def close(self) -> None:
        """Ask nothing of Redis any more."""
        if self._unknown_types is not None:
            self._unknown_types.close()

    def handled(self) -> PatternTree:
        """The patterns of the tasks that have a handler here. Safe from another thread."""
        return self._router.handled()

    def schemas(self) -> Mapping[str, Schema]:
        """What payloads look like, by pattern, as far as that can be told. Safe from another thread."""
        return self._router.schemas()

    def start(
        self,
        message: TaskMessage,
        token: str,
        lease_until: float,
        pending_since: int,
        outlet: Outlet,
        now: float,
        crashes: int = 0,
    ) -> None:
        """Run a claimed task. *now* is in Unix seconds, *lease_until* in monotonic ones."""
        running = Running(message, token, lease_until, pending_since, outlet, self._results)
        running.started = now
        running.deadline = deadline = attempt_deadline(message, now)
        running.task = Task.running(
            message.type,
            message.payload,
            message.headers,
            message.id,
            message.queue,
            message.retried,
            message.retry,
            deadline,
            running,
        )
        self._in_flight.add(running)
        if self._unknown_types is not None and self._hand_on(running, self._unknown_types):
            return
        if crashes and is_last_chance(crashes, self._config.max_crashes) and not self._give_last_chance(running):
            return
        if self._observer is not None or self._tallies is not None:
            self._observe_start(running)
        self.deadlines.watch(running)
        running.handle = self._loop.create_task(self._attempt(running))

    def _hand_on(self, running: Running, unknown_types: UnknownTypes) -> bool:
        """Give up a task that has no handler here, unless its deadline has passed: then nobody can run it any more."""
        message = running.message
        if not self._router.route(message.type).is_unknown or running.deadline <= running.started:
            return False
        running.concluded = True
        if self._observer is not None:
            self._observer.task_released(message.queue)
        running.outlet.write(unknown_types.hand_on(message, running.token))
        running.outlet.release_slot()
        return True

    def _give_last_chance(self, running: Running) -> bool:
        """Run tasks that would be archived with the next crash one at a time; the others wait a moment."""
        if self._on_last_chance is None or self._is_over(self._on_last_chance):
            self._on_last_chance = running
            running.on_last_chance = True
            return True
        message = running.message
        due = unix_milliseconds_up(running.started + LAST_CHANCE_DELAY_SECONDS)
        running.concluded = True
        running.outlet.write(Delay(message.queue, message.id, running.token, message.encode(), due, is_failure=False))
        running.outlet.release_slot()
        return False

    def _is_over(self, other: Running) -> bool:
        """Its handler has ended and its outcome is stored: the next may kill this process without harm to it."""
        return other.handle is None and self._in_flight.get(other.message.queue, other.message.id) is not other

    def reject(self, queue: str, task_id: str, raw: bytes, token: str, outlet: Outlet, error: WireError) -> None:
        """Archive a task whose message cannot be read: nobody could ever run it."""
        log.error("unreadable task archived", extra={"queue": queue, "task_id": task_id}, exc_info=error)
        message = TaskMessage(type="", id=task_id, queue=queue)
        running = Running(message, token, float("inf"), 0, outlet, self._results)
        running.concluded = True
        self._in_flight.add(running)
        outlet.write(Archive(queue, task_id, token, raw, str(error).encode()))
        outlet.release_slot()

    async def _attempt(self, running: Running) -> None:
        task = running.task
        running_task.set(task)
        outcome: Outcome
        is_limited = False
        try:
            if running.stop_reason is not None:  # stopped before its first step
                raise asyncio.CancelledError
            if running.deadline <= running.started:
                raise DeadlineExceededError
            route = self._router.route(task.type)
            is_limited = route.limit is not None
            if is_limited and (due := await self._admit(running, route)) is not None:
                outcome = Limited(due)
            elif running.on_last_chance and not await self._begin(running):
                outcome = PutBack()
            else:
                result = await self._call_of(route)(task)
                outcome = Succeeded(None if result is None else payload.encode(result))
        except (KeyboardInterrupt, GeneratorExit):  # meant for the program and for this coroutine, not for the task
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises
            outcome = outcome_of_error(error, running.message)
        try:
            if running.progress is not None:
                await self._flush_progress(running)
            if running.stop_reason is not None:
                outcome = self._outcome_of_stop(running.stop_reason, outcome)
            if not running.concluded:
                if not isinstance(outcome, Succeeded):
                    outcome = await self._apply_policy(running, outcome)
                self._conclude(running, outcome)
        finally:
            if is_limited and self._limits is not None:
                self._limits.release(running)
            running.handle = None  # the last link of a circle through the task's context; see _conclude
            running.outlet.release_slot()

    async def _admit(self, running: Running, route: Route) -> int | None:
        """Unix milliseconds at which a limited task shall come back; None when it may run now."""
        if self._limits is None or route.limit is None:
            return None
        due = await self._limits.admit(running, route.limit, route.pattern)
        if due is not None:
            log.debug("task waits for its limit", extra={**_about(running), "back_at": due / 1000})
        return due

    async def _flush_progress(self, running: Running) -> None:
        try:
            await self._results.progress.flush(running)
        except asyncio.CancelledError:  # stopped meanwhile: the outcome is to be written all the same
            return

    async def _begin(self, running: Running) -> bool:
        """Note that a last chance begins; False when Redis does not answer: nothing has run, so nothing is spent."""
        try:
            await self._results.begin(running)
        except BrokerError as error:
            log.warning("task on its last chance is put back: %s", error, extra=_about(running))
            return False
        return True

    def _call_of(self, route: Route) -> Call:
        call = self._calls.get(route)
        if call is None:
            call = self._calls[route] = self._caller.call_of(route)
        return call

    def _conclude(self, running: Running, outcome: Outcome) -> None:
        running.concluded = True
        self.deadlines.forget(running)
        message = running.message
        record: Finish | None
        try:
            record = self._record_of(outcome, running)
        except Exception as error:  # without a record the task would be held for ever
            log.exception("outcome cannot be stored", extra=_about(running))
            record = self._record_of(Skipped(error), running)
        if self._observer is not None or self._tallies is not None:
            self._observe_end(running, outcome)
        del running.task  # the two know each other: apart, they are freed at once, without the garbage collector
        if record is None:
            self._in_flight.discard(message.queue, message.id, running.token)
        else:
            running.outlet.write(record)

    def _record_of(self, outcome: Outcome, running: Running) -> Finish | None:
        return record_of(
            outcome, running.message, running.token, time.time(), started=running.started, runner=self._runner
        )

    # What an observer is told.

    def _observe_start(self, running: Running) -> None:
        message, since = running.message, running.pending_since
        waited = max(running.started - since / 1e9, 0.0) if since else None
        pattern = self._router.route(message.type).pattern
        if self._tallies is not None:
            self._tallies.attempt_started(message.queue, pattern, waited)
        if self._observer is not None:
            self._observer.attempt_started(message.queue, pattern, waited)

    def _observe_end(self, running: Running, outcome: Outcome) -> None:
        message, ran = running.message, max(time.time() - running.started, 0.0)
        pattern = self._router.route(message.type).pattern
        word = AttemptOutcome.SUCCEEDED if type(outcome) is Succeeded else in_a_word(outcome, message)
        if self._tallies is not None:
            self._tallies.attempt_ended(message.queue, pattern, word, ran)
        if self._observer is not None:
            self._observer.attempt_ended(message.queue, pattern, word, ran)

    # Ending early.

    def stop(self, running: Running, reason: StopReason) -> None:
        """Tell an attempt to end. Idempotent; a lost lease overrules other reasons."""
        if running.concluded or (running.stop_reason is not None and reason is not StopReason.LEASE_LOST):
            return
        first = running.stop_reason is None
        running.stop_reason = reason
        if not first:
            return
        log.info("task is told to stop", extra={**_about(running), "reason": reason.name.lower()})
        self._interrupt(running)
        self._loop.call_later(self._grace(reason), self._overrule, running)

    def _interrupt(self, running: Running) -> None:
        if running.interrupt is not None:
            running.interrupt()
        elif running.handle is not None and _has_begun(running.handle):
            running.handle.cancel()
        # An attempt cancelled before its first step would never release its slot; it looks at its reason itself.

    def _grace(self, reason: StopReason) -> float:
        match reason:
            case StopReason.LEASE_LOST:
                return 0.0
            case StopReason.SHUTDOWN:  # it has had the shutdown timeout already
                return min(self._cancel_grace, SHUTDOWN_GRACE_SECONDS)
            case _:
                return self._cancel_grace

    def _overrule(self, running: Running) -> None:
        """The grace period is over: decide the outcome, whatever the handler still does."""
        if running.concluded or running.stop_reason is None:
            return
        running.concluded = True
        if running.stop_reason is not StopReason.LEASE_LOST:
            log.warning("handler does not stop; its slot stays taken until it does", extra=_about(running))
        late = self._loop.create_task(self._conclude_late(running, running.stop_reason))
        self._late.add(late)  # the loop itself holds tasks only weakly
        late.add_done_callback(self._late.discard)

    async def _conclude_late(self, running: Running, reason: StopReason) -> None:
        outcome = self._outcome_of_stop(reason, Succeeded())
        self._conclude(running, await self._apply_policy(running, outcome))

    @staticmethod
    def _outcome_of_stop(reason: StopReason, ended: Outcome) -> Outcome:
        match reason:
            case StopReason.DEADLINE:
                return Failed(_raised(DeadlineExceededError(), ended))
            case StopReason.CANCELLED:
                return Failed(_raised(TaskCancelledError(), ended))
            case StopReason.LEASE_LOST:
                return LeaseLost()
            case StopReason.SHUTDOWN:
                return PutBack()

    # The user's policy. Whatever these callbacks raise is logged, and the defaults take their place.

    async def _apply_policy(self, running: Running, outcome: Outcome) -> Outcome:
        error = getattr(outcome, "error", None)
        if error is None or isinstance(outcome, Snoozed):
            return outcome
        task, message = running.task, running.message
        log_failure(task, error)
        if self._config.error_handler is not None:
            try:
                answer = self._config.error_handler(task, error)
                if inspect.isawaitable(answer):
                    await answer
            except (
                Exception,
                asyncio.CancelledError,
            ):  # cancelled with the attempt: the outcome is decided all the same
                log.exception("error_handler failed", extra=_about(running))
        if not isinstance(outcome, Failed):
            return outcome
        return with_policy(outcome, message, self._is_failure, lambda: self._delay(task, message, error))

    def _is_failure(self, error: BaseException) -> bool:
        if self._config.is_failure is None:
            return True
        try:
            return bool(self._config.is_failure(error))
        except Exception:
            log.exception("is_failure failed; the error counts as a failure")
            return True

    def _delay(self, task: Task, message: TaskMessage, error: BaseException) -> timedelta:
        policy = self._router.route(task.type).retry_delay or self._retry_delay
        try:
            delay = policy(message.retried, error, task)
            return max(delay if isinstance(delay, timedelta) else timedelta(seconds=float(delay)), timedelta(0))
        except Exception:
            log.exception("retry_delay failed; the default curve is used", extra={"task_type": task.type})
            delay = default_retry_delay()(message.retried, error, task)
            return delay if isinstance(delay, timedelta) else timedelta(seconds=delay)


def _has_begun(handle: asyncio.Task[None]) -> bool:
    return inspect.getcoroutinestate(cast("Coroutine[None, None, None]", handle.get_coro())) != inspect.CORO_CREATED


def _raised(error: AsynqpyError, ended: Outcome) -> AsynqpyError:
    """*error*, with where the handler was when it ended as its cause."""
    error.__cause__ = getattr(ended, "error", None)
    return error


def _about(running: Running) -> dict[str, object]:
    message = running.message
    return {"task_id": message.id, "task_type": message.type, "queue": message.queue, "retried": message.retried}
