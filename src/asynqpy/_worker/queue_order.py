"""How many tasks to ask of which queue: by strict priority or in proportion to the weights. Pure but for its Random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from random import Random


class QueueOrder:
    """Shares out free slots.

    Weighted: for each slot one queue is drawn, with a probability of its weight over the sum of those that have tasks,
    as asynq draws one order per task. Strict: the heaviest queue that has tasks gets all.
    """

    def __init__(self, weights: Mapping[str, int], *, strict: bool, rng: Random | None = None) -> None:
        self._weights = dict(weights)
        self._strict = strict
        self._rng = rng or Random()
        self.queues = tuple(sorted(self._weights, key=lambda queue: -self._weights[queue]))
        """All queues, the heaviest first."""

    def share(self, slots: int, ready: Collection[str]) -> dict[str, int]:
        """How many of *slots* tasks to ask of each of the *ready* queues; queues that get none are left out."""
        if slots <= 0 or not ready:
            return {}
        candidates = [queue for queue in self.queues if queue in ready]
        if self._strict or len(candidates) == 1:
            return {candidates[0]: slots}
        drawn = Counter(self._rng.choices(candidates, [self._weights[queue] for queue in candidates], k=slots))
        return dict(drawn)
