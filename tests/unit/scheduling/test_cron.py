"""The grammar of cron specs, and which local times the fields mean."""

# ruff: noqa: DTZ001 - local times have no zone here

from __future__ import annotations

from datetime import datetime

import pytest

from asynqpy import ConfigError
from asynqpy._scheduling.cron import Cron


def minutes_of(field: str) -> list[int]:
    """The minutes that a field means, by asking for an hour of them."""
    cron = Cron.parse(f"{field} * * * *", field)
    found, local = [], datetime(2026, 1, 1)
    while (match := cron.at_or_after(local)) is not None and match.hour == 0 and match.day == 1:
        found.append(match.minute)
        local = match.replace(second=1)
    return found


def days_of(spec: str, *, month: int = 1, year: int = 2026) -> list[int]:
    """The days of a month that a spec with one time a day means."""
    cron = Cron.parse(spec, spec)
    found, local = [], datetime(year, month, 1)
    while (match := cron.at_or_after(local)) is not None and (match.year, match.month) == (year, month):
        found.append(match.day)
        local = match.replace(second=1)
    return found


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("*", list(range(60))),
        ("?", list(range(60))),
        ("*/15", [0, 15, 30, 45]),
        ("?/20", [0, 20, 40]),
        ("5/20", [5, 25, 45]),
        ("10-20/5", [10, 15, 20]),
        ("10-20/50", [10]),
        ("10-12", [10, 11, 12]),
        ("7", [7]),
        ("07", [7]),
        ("5,3,5", [3, 5]),
        (",5,,", [5]),
        ("1,10-12,50/5", [1, 10, 11, 12, 50, 55]),
        ("*/100", [0]),
        ("*-nonsense", list(range(60))),
        ("*-1-2/30", [0, 30]),
        (",", []),
        (",,", []),
    ],
)
def test_items_of_a_field(field: str, minutes: list[int]) -> None:
    """Lists, ranges, steps, stars; ``N/S`` goes to the end; empty items count for nothing."""
    assert minutes_of(field) == minutes


@pytest.mark.parametrize(
    ("spec", "days"),
    [
        ("0 0 * * wed", [7, 14, 21, 28]),
        ("0 0 * * WED", [7, 14, 21, 28]),
        ("0 0 ? * 3", [7, 14, 21, 28]),
        ("0 0 * * 0", [4, 11, 18, 25]),
        ("0 0 * * sun-mon", [4, 5, 11, 12, 18, 19, 25, 26]),
        ("0 0 * * fri/1", [2, 3, 9, 10, 16, 17, 23, 24, 30, 31]),
        ("0 0 1,15 * wed", [1, 7, 14, 15, 21, 28]),
        ("0 0 */10 * wed", [1, 7, 11, 14, 21, 28, 31]),
        ("0 0 */1 * wed", [7, 14, 21, 28]),
        ("0 0 15,* * wed", [7, 14, 21, 28]),
        ("0 0 15 * */1", [15]),
        ("0 0 15 * */3", [3, 4, 7, 10, 11, 14, 15, 17, 18, 21, 24, 25, 28, 31]),
        ("0 0 1-31 * wed", list(range(1, 32))),
        ("0 0 15 * 0-6", list(range(1, 32))),
        ("0 0 31 * ?", [31]),
        ("0 0 , * wed", [7, 14, 21, 28]),
        ("0 0 15 * ,", [15]),
        ("0 0 , * *", []),
        ("0 0 * * ,", []),
        ("0 0 , * ,", []),
        ("0 0 15 JAN,mar *", [15]),
        ("0 0 15 feb-dec *", []),
        ("0 , 15 * *", []),
    ],
)
def test_days(spec: str, days: list[int]) -> None:
    """With a star in one of the two fields both must match, else either suffices; a step above 1 is no star."""
    assert days_of(spec) == days


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("* * *", "has 3 fields instead of 5"),
        ("0 * * * * *", "has 6 fields instead of 5"),
        ("60 * * * *", "minute '60' is out of range; it goes from 0 to 59$"),
        ("1-60 * * * *", "minute '1-60' is out of range"),
        ("* 24 * * *", "hour '24' is out of range; it goes from 0 to 23"),
        ("* * 0 * *", "day of month '0' is out of range; it goes from 1 to 31"),
        ("* * * 13 *", "month '13' is out of range; it goes from 1 to 12 or jan to dec"),
        ("* * * * 7", "day of week '7' is out of range; it goes from 0 to 6 or sun to sat; Sunday is 0"),
        ("* * * * sun-7", "Sunday is 0"),
        ("5-3 * * * *", "minute '5-3' begins after its end"),
        ("* * * * sat-sun", "day of week 'sat-sun' begins after its end"),
        ("*/0 * * * *", "minute '\\*/0' has a step of 0"),
        ("1/2/3 * * * *", "minute '1/2/3' has several slashes"),
        ("1-2-3 * * * *", "minute '1-2-3' has several hyphens"),
        ("x * * * *", "minute 'x' cannot be read: 'x' is no number; write 0 to 59"),
        ("-1 * * * *", "minute '-1' cannot be read: a number is missing"),
        ("1- * * * *", "a number is missing"),
        ("/5 * * * *", "a number is missing"),
        ("*/ * * * *", "a number is missing"),
        ("*/-5 * * * *", "'-5' is no number"),
        ("+5 * * * *", r"'\+5' is no number"),
        ("1.5 * * * *", "'1.5' is no number"),
        ("٥ * * * *", "is no number"),
        ("jan * * * *", "'jan' is no number"),
        ("* * * */feb *", "'feb' is no number"),
        ("* * * january *", "'january' is no number; write 1 to 12 or jan to dec"),
        ("* * L * *", "day of month 'L' cannot be read"),
        ("* * 15W * *", "day of month '15W' cannot be read"),
        ("* * * * 5#2", "day of week '5#2' cannot be read"),
        ("H * * * *", "minute 'H' cannot be read"),
        (f"{'9' * 5000} * * * *", "is out of range"),
    ],
)
def test_what_cannot_be_understood_is_named(spec: str, message: str) -> None:
    """The error names the spec, the field, the part of it, and what to write."""
    with pytest.raises(ConfigError, match=message) as caught:
        Cron.parse(spec, spec)
    assert repr(spec) in str(caught.value)


@pytest.mark.parametrize("spec", ["0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6,9,11 *", ", * * * *", "* * * , *"])
def test_what_no_calendar_has_never_comes(spec: str) -> None:
    """Accepted, as in asynq."""
    cron = Cron.parse(spec, spec)
    assert cron.at_or_after(datetime(2026, 1, 1)) is None
    assert cron.at_or_before(datetime(2026, 1, 1)) is None


def test_leap_days_are_found_within_five_years() -> None:
    """Not beyond: the year 2100 has none."""
    cron = Cron.parse("0 0 29 2 *", "")
    assert cron.at_or_after(datetime(2024, 3, 1)) == datetime(2028, 2, 29)
    assert cron.at_or_before(datetime(2028, 2, 28)) == datetime(2024, 2, 29)
    assert cron.at_or_after(datetime(2097, 3, 1)) is None


def test_searches_include_their_start() -> None:
    """In both directions, to the second."""
    cron = Cron.parse("30 4 * * *", "")
    noon = datetime(2026, 1, 1, 4, 30)
    assert cron.at_or_after(noon) == cron.at_or_before(noon) == noon
    assert cron.at_or_after(noon.replace(second=1)) == datetime(2026, 1, 2, 4, 30)
    assert cron.at_or_before(datetime(2026, 1, 1, 4, 29, 59)) == datetime(2025, 12, 31, 4, 30)


def test_the_end_of_the_calendar_is_no_error() -> None:
    """Nothing comes after the year 9999, or before the year 1."""
    cron = Cron.parse("0 0 1 1 *", "")
    assert cron.at_or_after(datetime(9999, 12, 31)) is None
    assert cron.at_or_before(datetime(1, 1, 1)) == datetime(1, 1, 1)
    assert Cron.parse("0 0 2 1 *", "").at_or_before(datetime(1, 1, 1)) is None
