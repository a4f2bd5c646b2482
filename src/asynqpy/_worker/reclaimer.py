"""The reclaimer: gives the tasks of aggregations that came to nothing back to their groups, whoever left them.

It looks only at queues that have aggregation sets: their keys are watched, so an idle server asks nothing. A set that a
Go server has reclaimed is noticed by its absence, and its group is listed again, which asynq forgets.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from datetime import timedelta

from asynqpy._broker.flow import command
from asynqpy._broker.groups import drop_parts, group_of_set, reclaim, relist
from asynqpy._transport.channel import Channel
from asynqpy._wire import keys
from asynqpy._worker.watcher import Watcher
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

INTERVAL = timedelta(seconds=5)

SETS_PER_LOOK = 1000
"""Sets of a queue that are looked at together, those with the earliest deadlines: each server has at most three."""


class Reclaimer:
    """Looks after the aggregation sets of some queues."""

    def __init__(self, queues: Sequence[str], *, watcher: Watcher, channel: Channel) -> None:
        self._watcher = watcher
        self._channel = channel
        self._all = set(queues)
        self._lively = set(queues)
        """Queues that have sets, or may have."""
        self._seen: dict[str, set[str]] = {}
        """The sets that each queue had when it was last looked at."""
        for queue in queues:
            q = keys.of_queue(queue)
            for key in (q.aggregation_sets, q.spent):
                watcher.tell(key, functools.partial(self._lively.add, queue))
        watcher.when_reopened(lambda: self._lively.update(self._all))

    async def tick(self) -> None:
        """One round over the queues that have sets."""
        if not self._watcher.is_pushing:
            self._lively.update(self._all)
        for queue in sorted(self._lively):
            await self.look(queue)

    async def look(self, queue: str) -> None:
        """Reclaim what is stale in *queue*, and finish what a dead process began to delete."""
        self._lively.discard(queue)  # a change from here on makes it lively again
        try:
            sets, is_spent = await self._read(queue)
            while (swept := await self._channel.run(reclaim(queue))).next_milliseconds == 0:
                log.warning(
                    "tasks of an aggregation return to their group", extra={"queue": queue, "tasks": swept.count}
                )
            if is_spent:
                await self._channel.run(drop_parts(queue))
            gone = self._seen.get(queue, set()) - sets
            if gone:
                names = {name for key in gone if (name := group_of_set(queue, key)) is not None}
                await self._channel.run(relist(queue, sorted(names)))
        except AsynqpyError:
            self._lively.add(queue)
            raise
        if sets or is_spent:
            self._seen[queue] = sets
            self._lively.add(queue)
        else:
            self._seen.pop(queue, None)

    async def _read(self, queue: str) -> tuple[set[str], bool]:
        q = keys.of_queue(queue)
        calls = [command("ZRANGE", q.aggregation_sets, 0, SETS_PER_LOOK - 1), command("EXISTS", q.spent)]
        members, is_spent = await self._watcher.look_up(calls, self._channel)
        return {member.decode(errors="replace") for member in members}, bool(is_spent)
