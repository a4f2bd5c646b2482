"""Watches keys for the parts of a server: one tracking connection, many interests, polling where tracking is refused.

Each part registers the keys that it cares about and is told when one has changed. When changes cannot be pushed (an old
server, a proxy, a broken connection) every part is told so at its own polling interval instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import Source
from asynqpy._transport.tracking import KeyWatch
from asynqpy.errors import AsynqpyError, BrokerError
from asynqpy.observer import ServerObserver

log = logging.getLogger("asynqpy")

REOPEN_SECONDS = 5.0


class Watcher:
    """Keeps the tracking connection open and tells who is interested."""

    def __init__(self, source: Source, observer: ServerObserver | None = None) -> None:
        self._watch = KeyWatch(source, self._changed)
        self._interests: dict[str, Callable[[], None]] = {}
        self._reopened: list[Callable[[], None]] = []
        self._broken = asyncio.Event()
        self._observer = observer
        self.reconnects = 0

    @property
    def is_pushing(self) -> bool:
        """Whether changes are pushed; if not, parts poll."""
        return self._watch.is_open

    def tell(self, key: str, on_change: Callable[[], None]) -> None:
        """Call *on_change* when *key*, read through `read`, has changed."""
        self._interests[key] = on_change

    def forget(self, key: str) -> None:
        """Call nobody any more when *key* has changed."""
        self._interests.pop(key, None)

    def when_reopened(self, callback: Callable[[], None]) -> None:
        """Call *callback* each time watching starts or ends: whatever was known before is void."""
        self._reopened.append(callback)

    async def read(self, calls: Sequence[Call]) -> list[Any]:
        """The replies to *calls*, whose keys are watched from now on; errors stand in their places."""
        return await self._watch.read(calls)

    async def look_up(self, calls: Sequence[Call], channel: Channel) -> list[Any]:
        """The replies to *calls*: with their keys watched from now on, or over *channel* where nothing is pushed.

        Raises:
            AsynqpyError: the first error among the replies.
        """
        replies = await (self.read(calls) if self.is_pushing else channel.run(_ask(calls)))
        for reply in replies:
            if isinstance(reply, AsynqpyError):
                raise reply
        return replies

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        """*keys* in groups that one call may name: a single one, unless this is a cluster."""
        return self._watch.together(keys)

    async def run(self) -> None:
        """Keep watching until cancelled."""
        said = False
        try:
            while True:
                self._broken.clear()
                try:
                    await self._watch.open()
                except BrokerError as error:
                    if not said:
                        log.warning("Redis does not push changes, so queues are polled: %s", error)
                        said = True
                else:
                    said = False
                    self._notify_all()
                    await self._broken.wait()
                    self.reconnects += 1
                    if self._observer is not None:
                        self._observer.reconnected("changes")
                    self._notify_all()
                await asyncio.sleep(REOPEN_SECONDS if said else 0.05)
        finally:
            await self._watch.close()

    def _changed(self, key: str | None) -> None:
        if key is None:
            if not self._watch.is_open:
                self._broken.set()
            self._notify_all()
            return
        interest = self._interests.get(key)
        if interest is not None:
            interest()

    def _notify_all(self) -> None:
        for callback in self._reopened:
            callback()


def _ask(calls: Sequence[Call]) -> Flow[list[Any]]:
    replies: list[Any] = yield Batch(calls)
    return replies
