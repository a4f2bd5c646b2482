"""Finding tasks: what may be asked for, and how a search is run within its budget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from shlex import quote

from asynqpy.conditions import fields_in, headers_in
from asynqpy.errors import QueueNotFoundError
from asynqpy.failures import fingerprint
from asynqpy.inspection import SearchCoverage
from asynqpy.inspector import AsyncTaskSearch
from asynqpy.task import TaskInfo, TaskState
from asynqpy.web.problems import invalid
from asynqpy.web.v2.common import Context, forbidden_search

NOTHING = SearchCoverage(scanned=0, matched=0, total=0, is_complete=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for. Every part that is given must fit."""

    queues: Sequence[str] | None = None
    """None for all that exist for whoever asks."""
    states: Sequence[TaskState] | None = None
    ids: Sequence[str] | None = None
    id_prefix: str | None = None
    type: str | None = None
    payload: str | None = None
    error: str | None = None
    group: str | None = None
    headers: Sequence[str] | None = None
    """Each ``NAME`` or ``NAME=VALUE``."""
    fields: Sequence[str] | None = None
    """Each ``PATH`` or ``PATH=VALUE``."""
    since: datetime | None = None
    until: datetime | None = None
    fingerprint: str | None = None
    descending: bool = False
    excluded_queues: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                object.__setattr__(self, name, moment.replace(tzinfo=UTC))

    @property
    def is_whole_states(self) -> bool:
        """Whether all tasks of some states fit."""
        parts = (
            self.ids,
            self.id_prefix,
            self.type,
            self.payload,
            self.error,
            self.since,
            self.until,
            self.fingerprint,
        )
        return all(part is None for part in parts) and not self.headers and not self.fields

    def fits(self, info: TaskInfo) -> bool:
        """Whether what a search has found is wanted; a search knows nothing of fingerprints."""
        if self.fingerprint is None:
            return True
        return bool(info.last_error) and fingerprint(info.last_error, info.traceback).id == self.fingerprint


async def search(
    asking: Context,
    wanted: Wanted,
    *,
    limit: int | None,
    budget: int | None,
    cursor: str | None,
    brief: bool = False,
) -> AsyncTaskSearch | None:
    """The search for *wanted*, *brief* where no results or progress are shown; None if there is nothing to search in.

    Raises:
        Problem: whoever asks may not look there, or not for that.
        QueryError: it cannot be looked for.
    """
    is_inside = wanted.payload is not None or wanted.headers or wanted.fields
    if is_inside and not asking.may_search_payloads:
        raise forbidden_search()
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise invalid("since must be before until")
    queues: list[str] | None = None  # all that there are
    if wanted.queues is not None or wanted.excluded_queues or not asking.user.sees_all:
        queues = [queue for queue in await asking.visible(wanted.queues) if queue not in wanted.excluded_queues]
        if not queues:
            return None
    return asking.broker.inspector.find_tasks(
        queues=queues,
        states=wanted.states,
        ids=wanted.ids,
        id_prefix=wanted.id_prefix or None,
        type=wanted.type or None,
        payload=wanted.payload,
        error=wanted.error,
        group=wanted.group or None,
        headers=headers_in(wanted.headers or ()),
        payload_fields=fields_in(wanted.fields or ()),
        since=wanted.since,
        until=wanted.until,
        descending=wanted.descending,
        limit=limit,
        budget=budget,
        cursor=cursor,
        brief=brief,
    )


async def found_by(searching: AsyncTaskSearch | None, wanted: Wanted) -> AsyncIterator[list[TaskInfo]]:
    """What a search finds, in batches, as far as it is wanted. A queue that vanishes meanwhile ends it."""
    if searching is None:
        return
    try:
        async for infos in searching.batches():
            yield [info for info in infos if wanted.fits(info)]
    except QueueNotFoundError:
        if wanted.queues is not None:
            raise


def command_for(wanted: Wanted) -> str:
    """The command that finds the same."""
    words = ["asynqpy", "task", "find"]
    for name, value in (
        ("id-prefix", wanted.id_prefix),
        ("type", wanted.type),
        ("payload", wanted.payload),
        ("error", wanted.error),
    ):
        if value:
            words += [f"--{name}", quote(value)]
    for queue in wanted.queues or ():
        words += ["--queue", quote(queue)]
    for state in wanted.states or ():
        words += ["--state", state.value]
    if wanted.group:
        words += ["--group", quote(wanted.group)]
    for name, texts in (("header", wanted.headers), ("field", wanted.fields)):
        for text in texts or ():
            words += [f"--{name}", quote(text)]
    for name, moment in (("since", wanted.since), ("until", wanted.until)):
        if moment is not None:
            words += [f"--{name}", moment.isoformat()]
    return " ".join(words)
