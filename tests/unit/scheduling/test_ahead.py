"""When entries of other schedulers will be due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy._scheduling.ahead import next_runs

DUE = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def hours(*values: int) -> tuple[datetime, ...]:
    return tuple(DUE + timedelta(hours=value) for value in values)


@pytest.mark.parametrize(
    ("spec", "due", "expected"),
    [
        ("0 * * * *", DUE, hours(0, 1, 2, 3, 4)),
        ("@daily", DUE - timedelta(hours=12), hours(-12, 12, 36, 60, 84)),
        ("CRON_TZ=Asia/Tokyo 0 21 * * *", DUE, hours(0, 24, 48, 72, 96)),
        ("0 14 * * *", DUE, hours(0, 24, 48, 72, 96)),
        ("30 17 * * *", DUE, hours(0, 24, 48, 72, 96)),
        ("@every 90m", DUE + timedelta(seconds=7), tuple(DUE + timedelta(seconds=7 + 5400 * at) for at in range(5))),
        ("*/5 * * * *", DUE + timedelta(seconds=3), (DUE + timedelta(seconds=3),)),
        ("nonsense", DUE, (DUE,)),
        ("0 12 31 1 *", DUE, tuple(DUE.replace(year=2026 + at) for at in range(5))),
    ],
)
def test_the_next_runs(spec: str, due: datetime, expected: tuple[datetime, ...]) -> None:
    """In UTC, in a named zone, with an offset that must be guessed, by an interval; what cannot be told is left out."""
    assert next_runs(spec, due) == expected


def test_a_schedule_may_end() -> None:
    """The thirtieth of February never comes."""
    assert next_runs("0 0 30 2 *", DUE) == (DUE,)
