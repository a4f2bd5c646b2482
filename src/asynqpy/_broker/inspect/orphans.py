"""Finding and mending what no healthy peer leaves behind, but a broken or killed one can.

Every key of the queue is looked at: lists and sets from their ids to the hashes, hashes from themselves to the lists
and sets. Each look is atomic, and what mends looks again, so what others move meanwhile is left alone.

- A task that nothing holds is archived, with the reason as its error: nothing is lost, and nothing runs by surprise.
  One that was archived or completed goes back there.
- A hash without a task is deleted, and an id without a task dropped.
- A hash that names another list or set than the one that holds its id is told where it is; where both hold the id, the
  one that the hash names keeps it.
- An active task without a lease goes in front of the pending ones; a lease without a task is dropped.
- A group, an aggregation or a queue that is not listed is listed; of the aggregation a server puts the tasks back.
- A lock whose task is gone, or is one that does not hold it, is released.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from asynqpy._broker import scripts
from asynqpy._broker.flow import Argument, Batch, Call, Flow, command
from asynqpy._broker.inspect.move import lock_prefix
from asynqpy._broker.inspect.places import Place
from asynqpy._broker.inspect.queues import SCAN_COUNT, checked
from asynqpy._broker.inspect.tasks import Row, number, text
from asynqpy._broker.inspect.walk import Walk, places_of
from asynqpy._broker.leases import mend
from asynqpy._wire import keys
from asynqpy._wire.moments import unix_nanoseconds, unix_seconds
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import QueueNotFoundError, WireError
from asynqpy.inspection import Orphan, OrphanReport, Trouble
from asynqpy.task import TaskState

MOST_ORPHANS = 1000
"""Pieces of trouble that a report lists; all are counted, and mended."""

PIECE = 200
"""Ids in one call at most."""

COMPARISONS = 500_000
"""Entries of a list that one call searches at most: a few milliseconds."""

CLOCK_SKEW_NANOSECONDS = 60 * 10**9
"""How far the clocks of those who enqueue may be behind."""

_GLOB = re.compile(r"([*?\[\]\\^-])")


class KeyScan:
    """The keys of a queue that begin with *prefix*, a thousand looked at a step; a key may come twice."""

    def __init__(self, queue: str, prefix: str = "") -> None:
        self._near = keys.of_queue(queue).pending
        self._pattern = _GLOB.sub(r"\\\1", prefix or keys.of_queue(queue).prefix) + "*"
        self._cursor: int | None = 0

    def step(self) -> Flow[list[bytes] | None]:
        """The next keys, possibly none; None at the end."""
        if self._cursor is None:
            return None
        words = ("SCAN", self._cursor, "MATCH", self._pattern, "COUNT", SCAN_COUNT)
        cursor, found = yield command(*words, key=self._near)
        self._cursor = int(cursor) or None
        return list(found)


class Findings:
    """What was found so far, each piece once."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.scanned = 0
        self._known: dict[tuple[Trouble, str], Orphan] = {}

    def add(self, trouble: Trouble, names: Iterable[bytes], state: str, repaired: Iterable[bytes] = ()) -> None:
        """Note *trouble* with some tasks, groups or locks."""
        mended = set(repaired)
        for name in names:
            orphan = Orphan(trouble=trouble, name=text(name), state=state, is_repaired=name in mended)
            before = self._known.get((trouble, orphan.name))
            if before is None or not before.is_repaired:
                self._known[trouble, orphan.name] = orphan

    def has(self, trouble: Trouble, name: bytes) -> bool:
        """Whether this was found before."""
        return (trouble, text(name)) in self._known

    def report(self) -> OrphanReport:
        """All of it."""
        orphans = list(self._known.values())
        return OrphanReport(
            queue=self.queue,
            scanned=self.scanned,
            counts=dict(Counter(orphan.trouble for orphan in orphans)),
            orphans=tuple(orphans[:MOST_ORPHANS]),
            repaired=sum(orphan.is_repaired for orphan in orphans),
        )


def recover_orphans(queue: str, *, repair: bool, now: datetime) -> Flow[OrphanReport]:
    """Look for trouble in *queue*, and mend it with *repair*.

    While it works it remembers the ids of all pending tasks, about 100 bytes each.

    Raises:
        QueueNotFoundError: the queue is not listed, and has no keys.
    """
    is_listed = yield command("SISMEMBER", keys.QUEUES, queue)
    findings = Findings(queue)
    pending: set[bytes] = set()
    for place in (yield from places_of([queue], list(TaskState))):
        yield from _check_place(place, findings, pending, repair=repair, now=now)
    yield from _check_leases(findings, repair=repair, now=now)
    sets = yield from _check_groups(findings, repair=repair, now=now)
    yield from _check_keys(findings, pending, sets, repair=repair, now=now)
    if not is_listed:
        if not findings.scanned:
            raise QueueNotFoundError(queue)
        if repair:
            yield command("SADD", keys.QUEUES, queue)
        findings.add(Trouble.UNLISTED_QUEUE, [queue.encode()], "", [queue.encode()] if repair else ())
    return findings.report()


def _check_place(place: Place, findings: Findings, pending: set[bytes], *, repair: bool, now: datetime) -> Flow[None]:
    """From the ids in *place* to their hashes."""
    # Go claims ids without a hash, and so leaves one with no more than a state in it.
    is_active = place.state is TaskState.ACTIVE
    walk = Walk(place, fields=("state", "group", "msg") if is_active else ("state", "group"))
    while rows := (yield from walk.step()):
        findings.scanned += len(rows)
        if place.state is TaskState.PENDING:
            pending.update(row[0] for row in rows)
        odd = [row for row in rows if not _agrees(place, row) or (is_active and not row[5])]
        missing = [row for row in odd if not row[3] or (is_active and not row[5])]
        wrong = [row for row in odd if row not in missing]
        for trouble, found in ((Trouble.MISSING_TASK, missing), (Trouble.WRONG_STATE, wrong)):
            names = [row[0] for row in found]
            settled = (yield from _settle(place, names, now)) if repair else []
            for row in found:
                state = place.state if trouble is Trouble.MISSING_TASK else text(row[3])
                findings.add(trouble, [row[0]], state, settled)


def _agrees(place: Place, row: Row) -> bool:
    if row[3] != place.state.encode():
        return False
    return place.state is not TaskState.AGGREGATING or row[4] == place.group.encode()


def _settle(place: Place, names: Sequence[bytes], now: datetime) -> Flow[list[bytes]]:
    q = keys.of_queue(place.queue)
    done: list[bytes] = []
    sets = (q.scheduled, q.retry, q.archived, q.completed, q.aggregation_sets, q.spent)
    for piece in (yield from _pieces(place.queue, names)):
        arguments: list[Argument] = [
            q.task_prefix,
            q.group(""),
            place.state,
            place.group,
            unix_nanoseconds(now),
            *piece,
        ]
        done += yield scripts.SETTLE((place.container, q.pending, q.active, q.lease, *sets), arguments)
    return done


def _pieces(queue: str, names: Sequence[bytes]) -> Flow[list[Sequence[bytes]]]:
    """*names* in pieces that one call can search the pending list for."""
    if not names:
        return []
    length = yield command("LLEN", keys.of_queue(queue).pending)
    size = max(1, min(PIECE, COMPARISONS // (length + 1)))
    return [names[at : at + size] for at in range(0, len(names), size)]


def _check_leases(findings: Findings, *, repair: bool, now: datetime) -> Flow[None]:
    q = keys.of_queue(findings.queue)
    unleased, without_task = yield scripts.UNLEASED((q.active, q.lease), ())
    restored: list[bytes] = []
    cleared: list[bytes] = []
    if repair and (unleased or without_task):
        ids, _ = yield from mend(findings.queue, now=now)
        restored = [task_id.encode() for task_id in ids]
        _, left = yield scripts.UNLEASED((q.active, q.lease), ())
        cleared = [task_id for task_id in without_task if task_id not in left]
    findings.add(Trouble.ACTIVE_WITHOUT_LEASE, unleased, TaskState.ACTIVE, restored)
    findings.add(Trouble.LEASE_WITHOUT_TASK, without_task, "", cleared)


def _check_groups(findings: Findings, *, repair: bool, now: datetime) -> Flow[list[bytes]]:
    """Groups and aggregations that are not listed; returns those of the latter that still are not."""
    queue = findings.queue
    prefix = keys.of_queue(queue).group("")
    scan = KeyScan(queue, prefix)
    unlisted: list[bytes] = []
    while (found := (yield from scan.step())) is not None:
        groups, sets = yield from unlisted_groups(queue, _after(found, prefix))
        if repair:
            yield from list_groups(queue, groups, sets, now=now)
        findings.add(Trouble.UNLISTED_GROUP, groups, "", groups if repair else ())
        findings.add(Trouble.UNLISTED_AGGREGATION, sets, "", sets if repair else ())
        unlisted += () if repair else sets
    return unlisted


def _check_keys(
    findings: Findings, pending: set[bytes], sets: Sequence[bytes], *, repair: bool, now: datetime
) -> Flow[None]:
    """From the hashes to what holds them, unlisted aggregation *sets* too; and the locks."""
    q = keys.of_queue(findings.queue)
    scan = KeyScan(findings.queue)
    since = unix_nanoseconds(now) - CLOCK_SKEW_NANOSECONDS
    while (found := (yield from scan.step())) is not None:
        findings.scanned += len(found)
        suspects = yield from _suspects(findings.queue, _after(found, q.task_prefix), pending, since)
        suspects = [each for each in suspects if not findings.has(Trouble.WRONG_STATE, each.id)]
        suspects = yield from _outside(findings.queue, suspects, sets)
        homeless = [each for each in suspects if each.has_message]
        empty = [each for each in suspects if not each.has_message]
        for trouble, hashes in ((Trouble.HOMELESS_TASK, homeless), (Trouble.EMPTY_HASH, empty)):
            placed = (yield from _give_places(findings.queue, hashes, now)) if repair else []
            for each in hashes:
                findings.add(trouble, [each.id], text(each.state), placed)
        locks = yield from stale_locks(findings.queue, _after(found, lock_prefix(findings.queue)))
        released = (yield from release_locks(findings.queue, locks)) if repair else []
        findings.add(Trouble.STALE_LOCK, [lock for lock, _ in locks], "", released)


def _after(found: Iterable[bytes], prefix: str) -> list[bytes]:
    start = prefix.encode()
    return [key[len(start) :] for key in found if key.startswith(start)]


class _Hash(msgspec.Struct, frozen=True):
    """A hash that no container holds, as it seems."""

    id: bytes
    state: bytes
    has_message: bool


def _suspects(queue: str, ids: Sequence[bytes], pending: set[bytes], since: int) -> Flow[list[_Hash]]:
    """Those of *ids* that nothing holds. A list is only searched for what is not among the *pending* ids seen before.

    What became pending after *since* (nanoseconds) was not there to be seen, and is left for another time.
    """
    found, unsure = yield from _locate(queue, ids, search_pending=False)
    unseen = [task_id for task_id in unsure if task_id not in pending]
    q = keys.of_queue(queue)
    moments = checked((yield Batch([_pending_since(q, task_id) for task_id in unseen])))
    older = [task_id for task_id, moment in zip(unseen, moments, strict=True) if number(moment or b"") < since]
    for piece in (yield from _pieces(queue, older)):
        found += (yield from _locate(queue, piece, search_pending=True))[0]
    return found


def _outside(queue: str, suspects: list[_Hash], sets: Sequence[bytes]) -> Flow[list[_Hash]]:
    """Those of *suspects* that are in none of *sets*."""
    q = keys.of_queue(queue)
    for name in sets:
        calls = [command("ZSCORE", q.group("").encode() + name, each.id, key=q.groups) for each in suspects]
        scores = checked((yield Batch(calls)))
        suspects = [each for each, score in zip(suspects, scores, strict=True) if score is None]
    return suspects


def _pending_since(q: keys.QueueKeys, task_id: bytes) -> Call:
    return command("HGET", q.task_prefix.encode() + task_id, "pending_since", key=q.task_prefix)


def _locate(queue: str, ids: Sequence[bytes], *, search_pending: bool) -> Flow[tuple[list[_Hash], list[bytes]]]:
    """Those of *ids* that nothing holds, and those of which this is not known."""
    q = keys.of_queue(queue)
    sets = (q.scheduled, q.retry, q.archived, q.completed, q.aggregation_sets, q.spent)
    homeless: list[_Hash] = []
    unsure: list[bytes] = []
    for at in range(0, len(ids), PIECE):
        arguments: list[Argument] = [q.task_prefix, q.group(""), int(search_pending), *ids[at : at + PIECE]]
        values = iter((yield scripts.LOCATE((q.pending, q.active, *sets), arguments)))
        for task_id, state, has_message, held in zip(values, values, values, values, strict=True):
            if held == 0:
                homeless.append(_Hash(task_id, state, bool(has_message)))
            elif held == 2:
                unsure.append(task_id)
    return homeless, unsure


def _give_places(queue: str, hashes: Sequence[_Hash], now: datetime) -> Flow[list[bytes]]:
    """Put homeless tasks where somebody finds them; delete hashes without a task."""
    q = keys.of_queue(queue)
    done: list[bytes] = []
    by_id = {each.id: each for each in hashes}
    for piece in (yield from _pieces(queue, list(by_id))):
        messages = checked(
            (yield Batch([command("HGET", q.task_prefix.encode() + each, "msg", key=q.task_prefix) for each in piece]))
        )
        rows = [_placement(by_id[each], data, now) for each, data in zip(piece, messages, strict=True)]
        done += yield from place_hashes(queue, rows)
    return done


_Placement = tuple[bytes, bytes, str, int, bytes]
"""A hash that is to be placed: id, state, the state it gets (empty: delete it), score, message (empty: as it is)."""


def place_hashes(queue: str, rows: Sequence[_Placement]) -> Flow[list[bytes]]:
    """Place or delete hashes; returns the ids of those that had still not found a place themselves."""
    q = keys.of_queue(queue)
    sets = (q.scheduled, q.retry, q.archived, q.completed, q.aggregation_sets, q.spent)
    arguments: list[Argument] = [q.task_prefix, q.group(""), lock_prefix(queue)]
    for row in rows:
        arguments += row
    return list((yield scripts.PLACE((q.pending, q.active, *sets), arguments))) if rows else []


def _placement(lost: _Hash, data: bytes | None, now: datetime) -> _Placement:
    seconds = unix_seconds(now)
    if not data:
        return lost.id, lost.state, "", 0, b""
    try:
        message = TaskMessage.decode(data)
    except WireError:
        return lost.id, lost.state, TaskState.ARCHIVED, seconds, b""
    if lost.state == TaskState.COMPLETED.encode():
        delete_at = message.completed_at + message.retention
        return lost.id, lost.state, TaskState.COMPLETED, delete_at or seconds, b""
    if lost.state == TaskState.ARCHIVED.encode():
        return lost.id, lost.state, TaskState.ARCHIVED, min(message.last_failed_at or seconds, seconds), b""
    reason = f"found in no list or set of its queue; its state was {text(lost.state) or 'unknown'}"
    new = msgspec.structs.replace(message, error_msg=reason, last_failed_at=seconds)
    return lost.id, lost.state, TaskState.ARCHIVED, seconds, new.encode()


def unlisted_groups(queue: str, names: Sequence[bytes]) -> Flow[tuple[list[bytes], list[bytes]]]:
    """Those of *names*, what follows the prefix of groups, that are groups or aggregation sets that nobody lists."""
    if not names:
        return [], []
    q = keys.of_queue(queue)
    prefix = q.group("").encode()
    listed = yield command("SMISMEMBER", q.groups, *names)
    listings = [command("ZRANGE", key, 0, -1) for key in (q.aggregation_sets, q.spent)]
    sets = {key for found in checked((yield Batch(listings))) for key in found}
    unlisted = [
        name for name, is_listed in zip(names, listed, strict=True) if not is_listed and prefix + name not in sets
    ]
    first = checked((yield Batch([command("ZRANGE", prefix + name, 0, 0, key=q.groups) for name in unlisted])))
    owners = checked((yield Batch([command("HGET", q.task_prefix + text(ids[0]), "group") for ids in first if ids])))
    of = iter(owners)
    groups: list[bytes] = []
    found_sets: list[bytes] = []
    for name, ids in zip(unlisted, first, strict=True):
        if ids:
            owner = next(of)
            (found_sets if owner and owner != name and name.rpartition(b":")[0] == owner else groups).append(name)
    return groups, found_sets


def list_groups(queue: str, groups: Sequence[bytes], sets: Sequence[bytes], *, now: datetime) -> Flow[None]:
    """Put *groups* into the set of groups, and aggregation *sets* among those whose time has passed."""
    q = keys.of_queue(queue)
    if groups:
        yield command("SADD", q.groups, *groups)
    for name in sets:
        yield command("ZADD", q.aggregation_sets, unix_seconds(now), q.group("").encode() + name)


def stale_locks(queue: str, names: Sequence[bytes]) -> Flow[list[tuple[bytes, bytes]]]:
    """Those of *names*, what follows the prefix of locks, that no task holds by right, each with the id in it."""
    if not names:
        return []
    q, prefix = keys.of_queue(queue), lock_prefix(queue).encode()
    holders = yield command("MGET", *(prefix + name for name in names), key=q.pending)
    held = [(name, holder) for name, holder in zip(names, holders, strict=True) if holder is not None]
    calls = [
        command("HMGET", q.task_prefix.encode() + holder, "unique_key", "msg", key=q.pending) for _, holder in held
    ]
    tasks = checked((yield Batch(calls)))
    return [
        (name, holder)
        for (name, holder), (unique_key, data) in zip(held, tasks, strict=True)
        if prefix + name != (unique_key or _unique_key(data))
    ]


def _unique_key(data: bytes | None) -> bytes:
    try:
        return TaskMessage.decode(data or b"").unique_key.encode()
    except WireError:
        return b""


def release_locks(queue: str, locks: Sequence[tuple[bytes, bytes]]) -> Flow[list[bytes]]:
    """Release *locks* that are still stale, and return their names."""
    q, prefix = keys.of_queue(queue), lock_prefix(queue)
    calls = [scripts.UNLOCK((prefix + text(name), q.task(text(holder))), (holder,)) for name, holder in locks]
    replies = checked((yield Batch(calls)))
    return [name for (name, _), released in zip(locks, replies, strict=True) if released]


def sweep(queue: str, *, now: datetime) -> Flow[None]:
    """Delete what is left of a queue: hashes that nothing holds, stale locks, and keys of our own.

    Groups and aggregations that nobody had listed are listed, because tasks wait in them.
    """
    q = keys.of_queue(queue)
    scan = KeyScan(queue)
    while (found := (yield from scan.step())) is not None:
        ids = _after(found, q.task_prefix)
        for piece in (yield from _pieces(queue, ids)):
            homeless, _ = yield from _locate(queue, piece, search_pending=True)
            yield from place_hashes(queue, [(each.id, each.state, "", 0, b"") for each in homeless])
        groups, sets = yield from unlisted_groups(queue, _after(found, q.group("")))
        yield from list_groups(queue, groups, sets, now=now)
        locks = yield from stale_locks(queue, _after(found, lock_prefix(queue)))
        yield from release_locks(queue, locks)
        ours = [
            key
            for key in found
            if key.startswith(f"{q.prefix}py:".encode()) and key not in (q.due.encode(), q.spent.encode())
        ]
        if ours:
            yield command("UNLINK", *ours, key=q.pending)
