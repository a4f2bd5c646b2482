"""How the dashboard stands with Redis: how old its data is, what went wrong, when to ask again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LONGEST_PAUSE = 15.0
"""Seconds between two attempts while Redis is away."""

_SHARE = 4
"""Pauses are so many times as long as reading takes: the dashboard must not be what keeps Redis busy."""


@dataclass(slots=True)
class Link:
    """What came of the latest attempts to read."""

    refresh: float
    """Seconds between two readings, when all is well."""
    read_at: datetime | None = None
    """When data was last read; None before the first time."""
    took: float = 0.0
    """Seconds that it took."""
    error: str = ""
    """Why the latest attempt failed; empty when it did not."""
    failures: int = 0
    """Attempts that failed since."""
    next_at: float = 0.0
    """When it is tried again, on the monotonic clock."""
    is_held: bool = False
    """The user wants to look at the data as it is: nothing is read."""

    def succeeded(self, now: datetime, took: float) -> None:
        """Data was read."""
        self.read_at, self.took, self.error, self.failures = now, took, "", 0

    def failed(self, error: str) -> None:
        """It could not be read."""
        self.error = error
        self.failures += 1

    @property
    def pause(self) -> float:
        """Seconds until the next attempt: longer each time that one fails, and longer where reading takes long."""
        if self.failures:
            return min(max(self.refresh, 1.0) * 2.0 ** min(self.failures - 1, 8), max(LONGEST_PAUSE, self.refresh))
        return max(self.refresh, self.took * _SHARE)

    def age(self, now: datetime) -> float | None:
        """Seconds since data was read."""
        return None if self.read_at is None else max(0.0, (now - self.read_at).total_seconds())
