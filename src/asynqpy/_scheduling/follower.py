"""Keeps the timetable of a scheduler in step with what a provider tells."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

from asynqpy._scheduling.entry import Entry, Zone, make_entry
from asynqpy._scheduling.periodic_config import PeriodicTaskConfig
from asynqpy._scheduling.timetable import Timetable
from asynqpy._worker.thread_pool import ThreadPool
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError, ConfigError, ProviderError

log = logging.getLogger("asynqpy")


class ConfigSource(Protocol):
    """An object with periodic tasks, as asynq's interface for them."""

    def get_configs(self) -> Iterable[PeriodicTaskConfig] | Awaitable[Iterable[PeriodicTaskConfig]]:
        """All periodic tasks there are at this moment."""
        ...


Provider: TypeAlias = (
    "Callable[[], Iterable[PeriodicTaskConfig] | Awaitable[Iterable[PeriodicTaskConfig]]] | ConfigSource"
)
"""Tells all periodic tasks: a function, async or not, or an object with a method ``get_configs``."""


class Follower:
    """Asks *provider* at an interval, and has its tasks on *timetable*."""

    def __init__(
        self, provider: Provider, timetable: Timetable, *, zone: Zone, interval_seconds: float, clock: Clock
    ) -> None:
        self._ask: Callable[[], Any] = getattr(provider, "get_configs", provider)  # type: ignore[arg-type]
        if not callable(self._ask):
            raise ConfigError(f"a provider must be a function or have a method get_configs, got {provider!r}")
        self._timetable = timetable
        self._zone = zone
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._threads = ThreadPool(1)
        self._failure = ""

    async def start(self) -> None:
        """Ask for the first time.

        Raises:
            ProviderError: the provider fails, or tells of a task that cannot be scheduled.
        """
        try:
            self._timetable.replace(await self._entries())
        except BaseException:
            self._threads.close()
            raise

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        try:
            while True:
                await self._clock.sleep(self._interval_seconds)
                await self.sync()
        finally:
            self._threads.close()

    async def sync(self) -> None:
        """Ask once. Trouble leaves the timetable as it is, and is logged once until it is over or is another."""
        try:
            entries = await self._entries()
        except ProviderError as error:
            if str(error) != self._failure:
                log.warning("periodic tasks stay as they are: %s", error)
            self._failure = str(error)
            return
        if self._failure:
            log.info("the provider of periodic tasks works again")
            self._failure = ""
        added, removed = self._timetable.replace(entries)
        if added or removed:
            log.info("periodic tasks have changed", extra={"added": len(added), "removed": len(removed)})

    async def _entries(self) -> list[Entry]:
        try:
            configs = list(await self._provided())
        except Exception as error:
            what = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
            raise ProviderError(f"the provider of periodic tasks failed: {what}") from error
        entries: dict[str, Entry] = {}
        for number, config in enumerate(configs, 1):
            entry = self._entry(number, config)
            if entries.setdefault(entry.id, entry).content != entry.content:
                raise ProviderError(
                    f"periodic task {number} ({config!r}) has the id {entry.id!r} of another one: give it an entry_id"
                    " of its own"
                )
        return list(entries.values())

    async def _provided(self) -> Iterable[PeriodicTaskConfig]:
        if inspect.iscoroutinefunction(self._ask):
            configs = await self._ask()
        else:
            configs = await self._threads.submit(self._ask)  # it may read a file or ask a database
            if inspect.isawaitable(configs):
                configs = await configs
        return configs  # type: ignore[no-any-return]

    def _entry(self, number: int, config: PeriodicTaskConfig) -> Entry:
        if not isinstance(config, PeriodicTaskConfig):
            raise ProviderError(f"periodic task {number} must be a PeriodicTaskConfig, got {config!r}")
        try:
            return make_entry(
                config.cron,
                config.task,
                config.options,
                zone=self._zone,
                catch_up=config.catch_up,
                overlap=config.overlap,
                entry_id=config.entry_id,
            )
        except AsynqpyError as error:
            raise ProviderError(f"periodic task {number} ({config!r}) cannot be scheduled: {error}") from error
