"""Rollups: what the handlers of a queue did, minute by minute, as servers of Python add it up. For two hours.

A minute is one hash. Its fields are counts: ``s:PATTERN`` attempts begun, ``k:`` succeeded, ``f:`` failed, ``w7:`` and
``r7:`` how many waited and ran for 2**6 to 2**7 milliseconds; ``depth`` is how many tasks were pending in the end,
``first_depth`` how many when something was written first, at the second ``first_at``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from asynqpy._broker import scripts
from asynqpy._broker.flow import Argument, Batch, Flow, command
from asynqpy._broker.inspect.places import require_queue
from asynqpy._broker.inspect.queues import checked, members
from asynqpy._wire import keys
from asynqpy.errors import AsynqpyError, QueryError
from asynqpy.inspection import AllRates, PatternRates, Percentiles, QueueRates, RateMinute

KEPT_MINUTES = 120

BUCKETS = 28
"""From under a millisecond, doubling, to over 18 hours."""

MINUTE = 60

WRITE_SECONDS = 5
"""Servers write so often: what is written first has happened in so many seconds before."""

QUEUES_AT_ONCE, MINUTES_AT_ONCE = 100, 1000
"""Asked about in one batch: a few milliseconds of Redis."""

Counts = Mapping[str, int]
"""Counts by the names of their fields."""


def roll_up(counts: Mapping[str, Counts], *, now: datetime) -> Flow[dict[str, AsynqpyError]]:
    """Add the *counts* of each queue to the present minute: one round trip. Returns what went wrong, by queue."""
    second = int(now.timestamp())
    calls = []
    for queue, fields in counts.items():
        arguments: list[Argument] = [KEPT_MINUTES * MINUTE, second]
        for field, count in fields.items():
            arguments += (field, count)
        q = keys.of_queue(queue)
        calls.append(scripts.ROLL_UP((q.rollup(second // MINUTE), q.pending), arguments))
    replies = yield Batch(calls)
    return {queue: reply for queue, reply in zip(counts, replies, strict=True) if isinstance(reply, AsynqpyError)}


def rates(queue: str, minutes: int, *, now: datetime) -> Flow[QueueRates]:
    """How fast *queue* worked in the last *minutes*, the present one included.

    Raises:
        QueueNotFoundError: it does not exist.
        QueryError: no minute at all, or more than are kept.
    """
    window = _window(minutes, now)
    yield from require_queue(queue)
    q = keys.of_queue(queue)
    depth, *hashes = checked(
        (yield Batch([command("LLEN", q.pending), *(command("HGETALL", q.rollup(minute)) for minute in window)]))
    )
    read = [_fields(reply) for reply in hashes]
    return summary(queue, dict(zip(window, read, strict=True)), depth=int(depth), now=now)


def all_rates(queues: Iterable[str] | None, minutes: int, *, now: datetime) -> Flow[AllRates]:
    """`rates` of *queues*, or of all by name, and of all together; those of queues that do not exist are empty.

    Which minutes there are is asked first, with a command a queue; then only these are read.

    Raises:
        QueryError: no minute at all, or more than are kept.
    """
    window = _window(minutes, now)
    names = (yield from members(keys.QUEUES)) if queues is None else list(queues)
    depths: dict[str, int] = {}
    found: dict[str, dict[int, Counts]] = {name: {} for name in names}
    busy: list[tuple[str, int]] = []
    for start in range(0, len(names), QUEUES_AT_ONCE):
        piece = names[start : start + QUEUES_AT_ONCE]
        calls = []
        for name in piece:
            q = keys.of_queue(name)
            calls += [command("LLEN", q.pending), command("EXISTS", *(q.rollup(minute) for minute in window))]
        replies = checked((yield Batch(calls)))
        for name, depth, count in zip(piece, replies[::2], replies[1::2], strict=True):
            depths[name] = int(depth)
            busy += ((name, minute) for minute in window) if count else ()
    for start in range(0, len(busy), MINUTES_AT_ONCE):
        some = busy[start : start + MINUTES_AT_ONCE]
        replies = checked((yield Batch([command("HGETALL", keys.of_queue(name).rollup(at)) for name, at in some])))
        for (name, minute), reply in zip(some, replies, strict=True):
            found[name][minute] = _fields(reply)
    whole = {name: {minute: by_minute.get(minute, {}) for minute in window} for name, by_minute in found.items()}
    each = tuple(summary(name, whole[name], depth=depths[name], now=now) for name in names)
    known = [count for name in names if (count := _arrived(whole[name], depths[name])) is not None]
    together = summary(
        "", _merged(window, whole.values()), depth=sum(depths.values()), now=now, arrived=sum(known) if known else None
    )
    return AllRates(queues=each, together=together)


def _window(minutes: int, now: datetime) -> range:
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= KEPT_MINUTES:
        raise QueryError(f"minutes must be between 1 and {KEPT_MINUTES}, got {minutes!r}")
    last = int(now.timestamp()) // MINUTE
    return range(last - minutes + 1, last + 1)


def _merged(window: Sequence[int], queues: Iterable[Mapping[int, Counts]]) -> dict[int, Counts]:
    """The counts of all *queues*; a queue that told no depth in a minute is as deep as when it told one last."""
    merged: dict[int, dict[str, int]] = {minute: {} for minute in window}
    for by_minute in queues:
        depth: int | None = None
        for minute in window:
            into, counts = merged[minute], by_minute[minute]
            depth = counts.get("depth", depth)
            for field, count in counts.items():
                if ":" in field:
                    into[field] = into.get(field, 0) + count
            if counts:
                at = counts.get("first_at", minute * MINUTE)
                into["first_at"] = min(at, into.get("first_at", at))
            if depth is not None:
                into["depth"] = into.get("depth", 0) + depth
    return dict(merged)


UNKNOWN = -1
"""Arrivals that are to be told from the minutes themselves."""


def summary(
    queue: str, by_minute: Mapping[int, Counts], *, depth: int, now: datetime, arrived: int | None = UNKNOWN
) -> QueueRates:
    """What the counts of some minutes say; *arrived* is how many tasks did, where others know it better. Pure.

    All rates are of the time since something was written first: nobody knows what was before.
    """
    first, last = min(by_minute), max(by_minute)
    seconds = _observed(by_minute, now)
    over = max(1.0, seconds)
    patterns: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for counts in by_minute.values():
        for field, count in counts.items():
            kind, colon, pattern = field.partition(":")
            if colon:
                patterns[pattern][kind] += count
    whole = _kinds(patterns.values())
    served = (whole["k"] + whole["f"]) / over
    if arrived == UNKNOWN:
        arrived = _arrived(by_minute, depth)
    # of too short a time nothing can be told
    arrivals = None if arrived is None or seconds < MINUTE else arrived / over
    return QueueRates(
        queue=queue,
        minutes=last - first + 1,
        observed=timedelta(seconds=seconds),
        depth=depth,
        arrivals_per_second=arrivals,
        starts_per_second=whole["s"] / over,
        services_per_second=served,
        time_to_empty=_time_to_empty(depth, None if arrivals is None else served - arrivals),
        waited=percentiles(whole, "w"),
        ran=percentiles(whole, "r"),
        patterns=tuple(_of_pattern(pattern, kinds) for pattern, kinds in sorted(patterns.items())),
        points=tuple(_point(minute, counts) for minute, counts in sorted(by_minute.items())),
    )


def _kinds(patterns: Iterable[Counts]) -> dict[str, int]:
    """The counts of all *patterns* together."""
    whole: dict[str, int] = defaultdict(int)
    for kinds in patterns:
        for kind, count in kinds.items():
            whole[kind] += count
    return whole


def _begin(by_minute: Mapping[int, Counts]) -> int | None:
    """The first minute in which something was written."""
    return min((minute for minute, counts in by_minute.items() if counts), default=None)


def _observed(by_minute: Mapping[int, Counts], now: datetime) -> float:
    """Seconds since what was written first happened, within these minutes."""
    begin = _begin(by_minute)
    if begin is None:
        return 0.0
    start = max(begin * MINUTE, by_minute[begin].get("first_at", 0) - WRITE_SECONDS)
    return max(0.0, now.timestamp() - start)


def _arrived(by_minute: Mapping[int, Counts], depth: int) -> int | None:
    """What began to run since something was written first, and by how many more wait now than then."""
    begin = _begin(by_minute)
    if begin is None:
        return None
    before = by_minute[begin].get("first_depth", by_minute[begin].get("depth"))
    if before is None:
        return None
    started = sum(count for counts in by_minute.values() for field, count in counts.items() if field.startswith("s:"))
    return max(0, started + depth - before)


def _time_to_empty(depth: int, shrinking: float | None) -> timedelta | None:
    if depth == 0:
        return timedelta(0)
    if shrinking is None or shrinking <= 0:
        return None
    return min(timedelta(seconds=min(depth / shrinking, 1e9)), timedelta(days=3650))


def _of_pattern(pattern: str, kinds: Counts) -> PatternRates:
    return PatternRates(
        pattern=pattern,
        started=kinds.get("s", 0),
        succeeded=kinds.get("k", 0),
        failed=kinds.get("f", 0),
        waited=percentiles(kinds, "w"),
        ran=percentiles(kinds, "r"),
    )


def _point(minute: int, counts: Counts) -> RateMinute:
    sums = _kinds({field.partition(":")[0]: count} for field, count in counts.items() if ":" in field)
    return RateMinute(
        minute=datetime.fromtimestamp(minute * MINUTE, UTC),
        started=sums["s"],
        succeeded=sums["k"],
        failed=sums["f"],
        depth=counts.get("depth"),
        waited=percentiles(sums, "w"),
        ran=percentiles(sums, "r"),
    )


def percentiles(kinds: Counts, letter: str) -> Percentiles:
    """The percentiles of a histogram: exact to its buckets, and taken to lie evenly in each of them."""
    buckets = [kinds.get(f"{letter}{at}", 0) for at in range(BUCKETS)]
    return Percentiles(p50=_percentile(buckets, 0.5), p90=_percentile(buckets, 0.9), p99=_percentile(buckets, 0.99))


def _percentile(buckets: Sequence[int], share: float) -> timedelta | None:
    wanted, before = sum(buckets) * share, 0
    if not wanted:
        return None
    for at, count in enumerate(buckets):
        if count and before + count >= wanted:
            low, high = (2.0 ** (at - 1) if at else 0.0), 2.0**at
            return timedelta(milliseconds=low + (high - low) * (wanted - before) / count)
        before += count
    return None


def _fields(reply: object) -> dict[str, int]:
    pairs = reply.items() if isinstance(reply, Mapping) else zip(*[iter(reply)] * 2, strict=True)  # type: ignore[call-overload]
    found = {}
    for name, value in pairs:
        try:
            found[name.decode("utf-8", "replace")] = int(value)
        except ValueError:
            continue  # nobody of ours wrote that
    return found
