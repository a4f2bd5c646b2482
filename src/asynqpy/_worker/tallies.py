"""What this server did, counted for the rollups: one addition for each number of each attempt, and no lock.

The event loop only ever adds, the heartbeater's thread only reads: it sends how much more there is than what it has
sent already.
"""

from __future__ import annotations

from collections import defaultdict

from asynqpy._broker.rollups import BUCKETS
from asynqpy.observer import AttemptOutcome

STARTED, SUCCEEDED, FAILED, WAITS = 0, 1, 2, 3
RUNS = WAITS + BUCKETS
WIDTH = RUNS + BUCKETS
LAST_BUCKET = BUCKETS - 1

FIELDS = ("s", "k", "f", *(f"w{at}" for at in range(BUCKETS)), *(f"r{at}" for at in range(BUCKETS)))
"""The kind of each number, as the rollups name it."""

MOST_PATTERNS, OTHER_PATTERNS = 200, "(other)"
"""Patterns of a queue that are counted for themselves, and the name for all others together."""

_SUCCEEDED = AttemptOutcome.SUCCEEDED
_ENDED = {
    AttemptOutcome.REVOKED: SUCCEEDED,
    AttemptOutcome.RETRIED: FAILED,
    AttemptOutcome.ARCHIVED: FAILED,
}


class Tallies:
    """The numbers of each queue and pattern since the server began."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._sent: dict[tuple[str, str], list[int]] = {}
        self._patterns: dict[str, int] = defaultdict(int)

    def attempt_started(self, queue: str, pattern: str, waited_seconds: float | None) -> None:
        """A handler begins."""
        counts = self._counts.get((queue, pattern)) or self._new(queue, pattern)
        counts[STARTED] += 1
        if waited_seconds is not None:
            bucket = int(waited_seconds * 1000).bit_length()
            counts[WAITS + (bucket if bucket < BUCKETS else LAST_BUCKET)] += 1

    def attempt_ended(self, queue: str, pattern: str, outcome: AttemptOutcome, ran_seconds: float) -> None:
        """The outcome of an attempt is decided."""
        if outcome is _SUCCEEDED:  # the hash of an enumeration's member costs more than all the rest here
            ended = SUCCEEDED
        elif outcome in _ENDED:
            ended = _ENDED[outcome]
        else:
            return
        counts = self._counts.get((queue, pattern)) or self._new(queue, pattern)
        counts[ended] += 1
        bucket = int(ran_seconds * 1000).bit_length()
        counts[RUNS + (bucket if bucket < BUCKETS else LAST_BUCKET)] += 1

    def _new(self, queue: str, pattern: str) -> list[int]:
        self._patterns[queue] += 1
        if self._patterns[queue] <= MOST_PATTERNS:
            counts = [0] * WIDTH
        else:  # which comes first in the table, and so gives all of them its name
            counts = self._counts.setdefault((queue, OTHER_PATTERNS), [0] * WIDTH)
        return self._counts.setdefault((queue, pattern), counts)

    def unsent(self) -> dict[str, dict[str, int]]:
        """What is to be added to the rollups: counts by field, by queue. For the heartbeater's thread alone."""
        found: dict[str, dict[str, int]] = {}
        seen: set[int] = set()
        for (queue, pattern), counts in list(self._counts.items()):
            if id(counts) in seen:
                continue  # one of those that are counted together
            seen.add(id(counts))
            now, before = list(counts), self._sent.get((queue, pattern))
            if now == before:
                continue
            fields = found.setdefault(queue, {})
            for kind, count, sent in zip(FIELDS, now, before or [0] * WIDTH, strict=True):
                if count > sent:
                    fields[f"{kind}:{pattern}"] = count - sent
            self._sent[queue, pattern] = now
        return found

    def take_back(self, queue: str, fields: dict[str, int]) -> None:
        """What was to be sent for *queue* was not: it goes with the next."""
        for field, count in fields.items():
            kind, _, pattern = field.partition(":")
            self._sent[queue, pattern][_AT[kind]] -= count


_AT = {kind: at for at, kind in enumerate(FIELDS)}
