"""The aggregator: makes one task of the tasks of a group when they have waited enough.

A pass takes the tasks out of the group into a set, hands them to the user's function, and puts the task that it returns
in their place in one step. Whatever goes wrong in between, the set stays, and its tasks go back to their group when
its deadline has passed. At most three passes run at once, as in asynq, in whichever groups are due.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import deque
from collections.abc import Sequence

import msgspec

from asynqpy._broker import groups
from asynqpy._broker.enqueue import NewTask, Registry, prepare
from asynqpy._transport.channel import Channel
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.group_watch import AFTER_TROUBLE_SECONDS, Group, GroupWatch
from asynqpy._worker.thread_pool import ThreadPool
from asynqpy._worker.watcher import Watcher
from asynqpy.aggregators import Aggregator as AggregateFunction
from asynqpy.aggregators import Aggregators, as_aggregators, is_async
from asynqpy.client import DEFAULT_MAX_PAYLOAD_BYTES
from asynqpy.clock import Clock
from asynqpy.config import ServerConfig, seconds
from asynqpy.errors import AsynqpyError, BrokerError
from asynqpy.identity import new_id
from asynqpy.options import LONGEST_SECONDS, Options
from asynqpy.task import Task

log = logging.getLogger("asynqpy")

PASSES = 3
"""Sets that are aggregated at once."""

PASS_SECONDS = groups.SET_SECONDS - 2.0
"""How long a pass may take: its last step must come before the deadline of the set, which is in whole seconds."""


class Aggregator:
    """Aggregates the groups of some queues. Does nothing when no aggregate function is configured."""

    def __init__(
        self, queues: Sequence[str], config: ServerConfig, *, watcher: Watcher, channel: Channel, clock: Clock
    ) -> None:
        self._functions = Aggregators() if config.aggregator is None else as_aggregators(config.aggregator)
        self._is_configured = config.aggregator is not None
        self._rules = groups.Rules(
            config.group_max_size, _whole(config.group_max_delay), _whole(config.group_grace_period)
        )
        self._channel = channel
        self._clock = clock
        self._threads = ThreadPool(PASSES)
        self._registry = Registry()
        self._line: deque[Group] = deque()
        """Groups that are due and wait for a pass."""
        self._passes: set[asyncio.Task[None]] = set()
        self._is_taking = False
        self._is_abandoned = False
        if self._is_configured:
            self._watch = GroupWatch(
                queues,
                self._rules,
                is_wanted=lambda group: self._functions.find(*group) is not None,
                on_due=self._queue_up,
                watcher=watcher,
                channel=channel,
            )

    async def run(self) -> None:
        """Begin passes as groups fall due, until cancelled. Passes go on: see `finish` and `abandon`."""
        if not self._is_configured:
            return
        self._is_taking = True
        try:
            await self._watch.run()
        finally:
            self._is_taking = False

    async def finish(self) -> None:
        """Wait until no pass is running."""
        while self._passes:
            await asyncio.wait(self._passes)

    async def abandon(self) -> None:
        """Cancel what is still running, and give its tasks back."""
        self._is_abandoned = True
        for each in self._passes:
            each.cancel()
        await self.finish()
        self._threads.close()

    def _queue_up(self, group: Group) -> None:
        self._line.append(group)
        self._begin_passes()

    def _begin_passes(self) -> None:
        while self._is_taking and self._line and len(self._passes) < PASSES:
            started = asyncio.get_running_loop().create_task(
                self._pass(self._line.popleft()), name="asynqpy aggregation"
            )
            self._passes.add(started)
            started.add_done_callback(self._pass_ended)

    def _pass_ended(self, ended: asyncio.Task[None]) -> None:
        self._passes.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("aggregation broke off", exc_info=error)
        self._begin_passes()

    # One pass.

    async def _pass(self, group: Group) -> None:
        deadline = asyncio.get_running_loop().time() + PASS_SECONDS
        set_id = new_id()
        set_key = keys.of_queue(group.queue).aggregation_set(group.name, set_id)
        try:
            try:
                formed = await self._channel.run(groups.form_set(*group, set_id, self._rules))
            except AsynqpyError as error:
                log.warning("cannot take tasks from a group, will try again: %s", error, extra=_about(group))
                self._watch.put_off(group)
                return
            self._watch.settle(group, formed)
            if formed.size:
                await self._aggregate_in_time(group, set_key, formed.size, deadline)
        except asyncio.CancelledError:
            await self._give_back(group, set_key)
            raise

    async def _aggregate_in_time(self, group: Group, set_key: str, size: int, deadline: float) -> None:
        about = {**_about(group), "tasks": size}
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                await self._aggregate(group, set_key)
        except AsynqpyError as error:
            log.warning("aggregation failed, its tasks will return to their group: %s", error, extra=about)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and self._is_abandoned:
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                log.warning("aggregation took too long, its tasks will return to their group", extra=about)
            else:
                log.exception("aggregate function failed, its tasks will return to their group", extra=about)

    async def _aggregate(self, group: Group, set_key: str) -> None:
        parts = await self._read(group, set_key)
        for task_id in parts.archived:
            log.error("unreadable task archived", extra={"queue": group.queue, "task_id": task_id})
        function = self._functions.find(*group)
        if not parts.messages or function is None:
            return
        made = await self._call(function, group, [_task(message) for message in parts.messages])
        if not isinstance(made, Task):
            raise TypeError(f"an aggregate function must return a Task, got {made!r}")
        new = prepare(
            made,
            # In a group again it would be aggregated for ever.
            msgspec.structs.replace(made.options, queue=group.queue, group=""),
            now=self._clock.now().timestamp(),
            new_id=new_id,
            max_payload_bytes=DEFAULT_MAX_PAYLOAD_BYTES,
        )
        about = {**_about(group), "tasks": len(parts.messages), "task_id": new.message.id}
        if await self._replace(group, set_key, new):
            log.debug("tasks aggregated", extra=about)
        else:
            log.warning("aggregation came too late: its tasks are in their group again", extra=about)

    async def _read(self, group: Group, set_key: str) -> groups.Parts:
        while True:
            try:
                return await self._channel.run(groups.read_set(group.queue, set_key, now=self._clock.now()))
            except BrokerError as error:
                log.warning("tasks of a group cannot be read, will try again: %s", error, extra=_about(group))
            await asyncio.sleep(AFTER_TROUBLE_SECONDS)

    async def _replace(self, group: Group, set_key: str, new: NewTask) -> bool:
        """Store the new task; while Redis is down or refuses, again and again until the deadline of the pass."""
        repeated = False
        while True:
            now = self._clock.now()
            try:
                return await self._channel.run(
                    groups.replace_set(group.queue, set_key, new, now=now, registry=self._registry, repeated=repeated)
                )
            except BrokerError as error:
                log.warning("aggregated task cannot be stored, will try again: %s", error, extra=_about(group))
            repeated = True
            await asyncio.sleep(AFTER_TROUBLE_SECONDS)

    async def _call(self, function: AggregateFunction, group: Group, tasks: list[Task]) -> object:
        if is_async(function):
            made: object = function(group.name, tasks)
        else:
            made = await self._call_in_thread(function, group, tasks)
        return await made if inspect.isawaitable(made) else made

    async def _call_in_thread(self, function: AggregateFunction, group: Group, tasks: list[Task]) -> object:
        call = self._threads.submit(function, group.name, tasks)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if not call.done() and not self._is_abandoned:
                log.warning(
                    "aggregate function does not return; its pass stays taken until it does", extra=_about(group)
                )
                await asyncio.wait([call])
            raise

    async def _give_back(self, group: Group, set_key: str) -> None:
        try:
            await self._channel.run(groups.give_back(group.queue, set_key))
        except AsynqpyError as error:
            log.warning("tasks will return to their group later: %s", error, extra=_about(group))


def _about(group: Group) -> dict[str, object]:
    return {"queue": group.queue, "group": group.name}


def _task(message: TaskMessage) -> Task:
    """A part as the aggregate function sees it. Its options are defaults, as in asynq, but for queue and headers."""
    options = Options(queue=message.queue, headers=dict(message.headers) or None)
    task = Task.prepared(message.type, message.payload, options)
    task.id = message.id
    return task


def _whole(duration: object) -> int:
    """Seconds, rounded up: scores of groups are whole seconds, and nothing should be early."""
    return math.ceil(min(seconds(duration), LONGEST_SECONDS))  # type: ignore[arg-type]
