"""Units of time on the wire."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._wire import moments

EXAMPLE = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))
NEW_YORK = timezone(timedelta(hours=-5))
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, BERLIN, NEW_YORK]))


def test_seconds_are_rounded_down() -> None:
    """As Go does, before 1970 too."""
    assert moments.unix_seconds(EXAMPLE) == 1_700_000_000
    assert moments.unix_seconds(datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)) == -1


def test_nanoseconds_are_exact() -> None:
    """A double would lose digits of such a number."""
    assert moments.unix_nanoseconds(EXAMPLE) == 1_700_000_000_250_000_000
    assert moments.unix_nanoseconds(EXAMPLE + timedelta(microseconds=1)) == 1_700_000_000_250_001_000


@given(MOMENTS)
def test_units_agree(moment: datetime) -> None:
    """Seconds and nanoseconds tell the same moment, whatever the zone."""
    nanoseconds = moments.unix_nanoseconds(moment)
    assert nanoseconds // 10**9 == moments.unix_seconds(moment)
    assert moments.unix_nanoseconds(moment.astimezone(UTC)) == nanoseconds


@pytest.mark.parametrize(
    ("unix", "expected"),
    [
        (0.0, 0),
        (1_700_000_000.0, 1_700_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250),
        (1_700_000_000.2501, 1_700_000_000_251),
        (1_700_000_000.000001, 1_700_000_000_001),
    ],
)
def test_milliseconds_are_rounded_up(unix: float, expected: int) -> None:
    """A moment with milliseconds stays what it is, a finer one becomes the next."""
    assert moments.unix_milliseconds_up(unix) == expected


@given(st.integers(0, 4_102_444_800_000))
def test_whole_milliseconds_stay(milliseconds: int) -> None:
    """The noise of a double does not add a millisecond."""
    assert moments.unix_milliseconds_up(milliseconds / 1000) == milliseconds


@given(st.integers(0, 4_102_444_800_000_000).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)))
def test_milliseconds_are_never_early(moment: datetime) -> None:
    """A task that was asked for to the microsecond starts at that microsecond or in the millisecond after it."""
    milliseconds = moments.unix_milliseconds_up(moment.timestamp())
    exact = moments.unix_nanoseconds(moment)
    assert exact <= milliseconds * 10**6 < exact + 10**6


@pytest.mark.parametrize(
    ("milliseconds", "score"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (1_700_000_000_000, 1_700_000_000)]
)
def test_a_score_is_the_next_whole_second(milliseconds: int, score: int) -> None:
    """A Go forwarder, which knows only whole seconds, is not early either."""
    assert moments.score_of_milliseconds(milliseconds) == score


@given(st.integers(0, 2**62))
def test_scores_are_whole_and_near(milliseconds: int) -> None:
    """Less than a second late, never early, in integers of any size."""
    score = moments.score_of_milliseconds(milliseconds)
    assert 0 <= score * 1000 - milliseconds < 1000


def test_a_day_is_that_of_utc() -> None:
    """Counters of all servers meet in one key, wherever these are."""
    assert moments.utc_day(EXAMPLE) == "2023-11-14"
    assert moments.utc_day(datetime(2023, 11, 15, 0, 30, tzinfo=BERLIN)) == "2023-11-14"
    assert moments.utc_day(datetime(2023, 11, 14, 20, tzinfo=NEW_YORK)) == "2023-11-15"


def test_the_zero_time_of_go_is_the_first_year() -> None:
    """Go writes "never" as the first of January of year 1."""
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert moments.unix_seconds(first) == moments.GO_ZERO_SECONDS == -62_135_596_800


def test_statistics_live_for_ninety_days() -> None:
    """As asynq's."""
    assert moments.STATISTICS_TTL_SECONDS == 7_776_000
    assert math.isclose(moments.STATISTICS_TTL_SECONDS / 86_400, 90)
