"""Knows when a group has waited enough, without asking all the time.

Redis pushes when a group appears among the names in `groups`. The ages of its oldest and newest task say how long it
has to wait; when that moment comes it is looked at again. Where there is a largest size, every group is watched too.
Where nothing is pushed, all groups are looked at at a fixed interval, as in asynq.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from asynqpy._broker.flow import Call, command
from asynqpy._broker.groups import Formed, Rules, relist
from asynqpy._transport.channel import Channel
from asynqpy._wire import keys
from asynqpy._worker.watcher import Watcher
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

COALESCING_SECONDS = 0.05
"""Changes that come this close together cause one look."""

SECONDS_PER_GROUP = 0.001
"""And each group that was looked at puts off the next look: a thousand busy groups are looked at once a second."""

SAFETY_INTERVAL_SECONDS = 60.0
LONGEST_POLL_SECONDS = 7.0
AFTER_TROUBLE_SECONDS = 1.0

GROUPS_PER_LOOK = 100
NAMES_PER_PAGE = 1000

KNOWN_NAMES = 1000
"""Groups per queue that are remembered, to be listed again when a Go peer puts tasks into one and does not list it."""


class Group(NamedTuple):
    """A group of a queue."""

    queue: str
    name: str


class GroupWatch:
    """Tells which groups have waited enough.

    Args:
        queues: whose groups to look at.
        rules: when a group is due.
        is_wanted: whether a group is to be aggregated here.
        on_due: called with a group that is due. It is not looked at again before `settle` or `put_off`.
    """

    def __init__(
        self,
        queues: Sequence[str],
        rules: Rules,
        *,
        is_wanted: Callable[[Group], bool],
        on_due: Callable[[Group], None],
        watcher: Watcher,
        channel: Channel,
    ) -> None:
        self._queues = list(queues)
        self._rules = rules
        self._is_wanted = is_wanted
        self._on_due = on_due
        self._watcher = watcher
        self._channel = channel
        self._poll_seconds = min(LONGEST_POLL_SECONDS, rules.grace_seconds)
        # One name list a second at most, however many queues there are.
        self._safety_seconds = max(SAFETY_INTERVAL_SECONDS, float(len(queues)))
        self._to_list: set[str] = set(queues)
        """Queues whose group names are to be read."""
        self._moments: dict[Group, float] = {}
        """Loop time at which each group is to be looked at."""
        self._held: set[Group] = set()
        """Groups that were found due and are in other hands."""
        self._known: dict[str, dict[str, None]] = {queue: {} for queue in queues}
        self._wake = asyncio.Event()
        for queue in queues:
            watcher.tell(keys.of_queue(queue).groups, functools.partial(self._names_changed, queue))
        watcher.when_reopened(self._know_nothing)

    # What others tell.

    def settle(self, group: Group, formed: Formed) -> None:
        """*group* was tried: go on with what is left of it."""
        self._held.discard(group)
        if formed.is_due:
            self._hold(group)
        elif formed.left:
            self._look_at(group)
        else:
            self._forget(group)
            self._names_changed(group.queue)  # it may have come back between the trial and now

    def put_off(self, group: Group) -> None:
        """*group* could not be tried: look at it again in a second."""
        self._held.discard(group)
        self._moments[group] = asyncio.get_running_loop().time() + AFTER_TROUBLE_SECONDS
        self._wake.set()

    def _names_changed(self, queue: str) -> None:
        self._to_list.add(queue)
        self._wake.set()

    def _look_at(self, group: Group) -> None:
        if group not in self._held:
            self._moments[group] = 0.0
            self._wake.set()

    def _know_nothing(self) -> None:
        self._to_list.update(self._queues)
        for group in self._moments:
            self._moments[group] = 0.0
        self._wake.set()

    # The loop.

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        safety = poll = loop.time()
        while True:
            self._wake.clear()
            now = loop.time()
            try:
                if now >= safety:
                    safety = now + self._safety_seconds
                    self._to_list.update(self._queues)
                    await self._relist()
                if not self._watcher.is_pushing and now >= poll:
                    poll = now + self._poll_seconds
                    self._know_nothing()
                looked = await self.look()
            except AsynqpyError as error:
                log.warning("groups cannot be looked at, will try again: %s", error)
                self._know_nothing()
                await asyncio.sleep(AFTER_TROUBLE_SECONDS)
                continue
            latest = safety if self._watcher.is_pushing else min(safety, poll)
            await self._sleep(min(self._moments.values(), default=latest), latest, looked)

    async def _sleep(self, until: float, latest: float, looked: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(max(0.0, min(until, latest) - loop.time())):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(COALESCING_SECONDS + looked * SECONDS_PER_GROUP)

    async def look(self) -> int:
        """Look at what has changed and at what is due; returns how many groups that were."""
        queues, self._to_list = self._to_list, set()
        for queue in queues:
            await self._list(queue)
        now = asyncio.get_running_loop().time()
        groups = [group for group, moment in self._moments.items() if moment <= now]
        for start in range(0, len(groups), GROUPS_PER_LOOK):
            await self._judge(groups[start : start + GROUPS_PER_LOOK])
        return len(groups)

    async def _list(self, queue: str) -> None:
        """Find out which groups there are."""
        listed = {group async for name in self._names(queue) if self._is_wanted(group := Group(queue, name))}
        for group in listed.difference(self._moments, self._held):
            self._remember(group)
            self._look_at(group)
        for group in [group for group in self._moments if group.queue == queue and group not in listed]:
            self._forget(group)

    async def _names(self, queue: str) -> AsyncIterator[str]:
        cursor = 0
        while True:
            scan = command("SSCAN", keys.of_queue(queue).groups, cursor, "COUNT", NAMES_PER_PAGE)
            [(following, page)] = await self._watcher.look_up([scan], self._channel)
            for name in _texts(page):
                yield name
            cursor = int(following)
            if cursor == 0:
                return

    async def _judge(self, groups: Sequence[Group]) -> None:
        """Find out which of *groups* are due, and when the others will be."""
        for group in groups:
            self._moments[group] = math.inf  # a change while the replies are on their way sets it to 0, and that counts
        group_keys = [keys.of_queue(group.queue).group(group.name) for group in groups]
        if self._rules.max_size:
            for group, key in zip(groups, group_keys, strict=True):
                self._watcher.tell(key, functools.partial(self._look_at, group))
        calls = [Call(("TIME",))]
        for key in group_keys:
            calls.append(command("ZCARD", key))
            calls += (command("ZRANGE", key, rank, rank, "WITHSCORES") for rank in (0, -1))
        time, *replies = await self._watcher.look_up(calls, self._channel)
        now = int(time[0]) + int(time[1]) / 1e6
        loop_now = asyncio.get_running_loop().time()
        for group, count, oldest, newest in zip(groups, replies[::3], replies[1::3], replies[2::3], strict=True):
            if group not in self._moments:
                continue  # forgotten meanwhile
            wait = self._wait(count, oldest, newest) - now if count and oldest and newest else 0.0
            if wait <= 0:
                self._hold(group)
            else:
                self._moments[group] = min(self._moments[group], loop_now + wait)

    def _wait(self, count: int, oldest: Sequence[Any], newest: Sequence[Any]) -> float:
        """The moment at which a group is due, in Unix seconds; 0 when it is, however old its tasks are."""
        rules = self._rules
        if rules.max_size and count >= rules.max_size:
            return 0.0
        quiet = _first_score(newest) + rules.grace_seconds
        return min(quiet, _first_score(oldest) + rules.max_delay_seconds) if rules.max_delay_seconds else quiet

    def _hold(self, group: Group) -> None:
        self._moments.pop(group, None)
        self._held.add(group)
        self._on_due(group)

    def _forget(self, group: Group) -> None:
        self._moments.pop(group, None)
        self._watcher.forget(keys.of_queue(group.queue).group(group.name))

    # Groups that are not listed although they have tasks.

    def _remember(self, group: Group) -> None:
        known = self._known[group.queue]
        known.pop(group.name, None)
        known[group.name] = None
        if len(known) > KNOWN_NAMES:
            del known[next(iter(known))]

    async def _relist(self) -> None:
        """Make sure that the groups which were seen here once are listed if they have tasks."""
        followed = self._held.union(self._moments)
        for queue, names in self._known.items():
            unlisted = [name for name in names if Group(queue, name) not in followed]
            if unlisted:
                found = await self._channel.run(relist(queue, unlisted))
                for name in found:
                    log.info("group with tasks was not listed", extra={"queue": queue, "group": name})
                if found:
                    self._names_changed(queue)


def _texts(names: Sequence[bytes]) -> Iterator[str]:
    """The names that are text; no client of asynq writes others."""
    for name in names:
        try:
            yield name.decode()
        except UnicodeDecodeError:
            log.debug("name of a group is no text", extra={"group": name})


def _first_score(head: Sequence[Any]) -> float:
    """The score of the only member: RESP3 nests pairs, RESP2 does not."""
    first = head[0]
    return float(first[1] if isinstance(first, list) else head[1])
