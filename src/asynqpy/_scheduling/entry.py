"""An entry: a task, when it is due, and how its ticks are dealt with. Frozen, checked when made, and named by content.

asynq gives an entry a random id at each registration. Ours is derived from what the entry says, so that all schedulers
that have it name it, its ticks and their tasks the same, also after a restart.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import get_args
from uuid import UUID, uuid5

import msgspec

from asynqpy._scheduling.plan import CatchUp
from asynqpy._scheduling.schedules import Schedule, depends_on_zone, parse_spec
from asynqpy.errors import ConfigError
from asynqpy.options import DEFAULTS, EnqueueOptions, Options, resolve, text
from asynqpy.task import Task

_NAMESPACE = UUID("2ed1b6f3-9c1c-5bd7-8a9c-0d1f6a0b7c55")


class Zone(msgspec.Struct, frozen=True):
    """A time zone and the name by which it was asked for."""

    name: str
    info: tzinfo


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What was registered."""

    id: str
    spec: str
    schedule: Schedule
    task: Task
    given: EnqueueOptions
    """The options of the registration, on top of the task's own."""
    options: Options
    """Both, validated."""
    catch_up: CatchUp
    overlap: bool

    @property
    def content(self) -> tuple[object, ...]:
        """Two entries with the same content are the same."""
        return (self.id, self.spec, self.task.type, self.task.raw_payload, self.options, self.catch_up, self.overlap)

    def task_id(self, tick: datetime) -> str:
        """The id of the task of *tick*: the same from every scheduler, unless the options say another."""
        return self.options.task_id or f"{self.id}:{int(tick.timestamp())}"


def make_entry(
    spec: str,
    task: Task,
    given: EnqueueOptions,
    *,
    zone: Zone,
    catch_up: CatchUp,
    overlap: bool,
    entry_id: str | None,
) -> Entry:
    """An entry of these parts; *zone* counts where the spec names none.

    Raises:
        ConfigError: a spec or policy that cannot be understood.
        InvalidTaskError: what is to be enqueued is no task, or an option cannot work.
    """
    if not isinstance(task, Task):
        raise ConfigError(f"what an entry enqueues must be a Task, got {task!r}")
    if catch_up not in get_args(CatchUp):
        raise ConfigError(f"catch_up must be 'none', 'last' or 'all', got {catch_up!r}")
    if not isinstance(overlap, bool):
        raise ConfigError(f"overlap must be True or False, got {overlap!r}")
    options = resolve(given, task.options)
    return Entry(
        id=derived_id(spec, task, options, zone) if entry_id is None else text("entry_id", entry_id),
        spec=spec,
        schedule=parse_spec(spec, zone.info),
        task=task,
        given=given,
        options=options,
        catch_up=catch_up,
        overlap=overlap,
    )


def derived_id(spec: str, task: Task, options: Options, zone: Zone) -> str:
    """A UUID of the spec, the type, the payload, all options and headers, and the zone if the spec depends on it.

    Options that have their default do not count, so that options which later versions add change no id.
    """
    told = {name: value for name, value in msgspec.structs.asdict(options).items() if value != getattr(DEFAULTS, name)}
    told["headers"] = sorted((options.headers or {}).items())
    zone_name = zone.name if depends_on_zone(str(spec)) else ""
    content = [str(spec), zone_name, task.type, task.raw_payload, sorted(told.items())]
    return str(uuid5(_NAMESPACE, msgspec.json.encode(content).decode()))
