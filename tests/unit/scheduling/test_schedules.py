"""When specs are due: zones, changes of the clock, intervals, descriptors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynqpy import ConfigError
from asynqpy._scheduling.schedules import Every, Schedule, depends_on_zone, parse_spec
from asynqpy._scheduling.zones import last_change, next_change, zone_named

from . import oracle

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    """A moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def forwards(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The ticks from *start* to *end*, both included."""
    found, tick = [], schedule.next_after(start - SECOND)
    while tick is not None and tick <= end:
        found.append(tick)
        tick = schedule.next_after(tick)
    return found


def backwards(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The same, found from the end."""
    found, tick = [], schedule.last_until(end)
    while tick is not None and tick >= start:
        found.append(tick)
        tick = schedule.last_until(tick - SECOND)
    return found[::-1]


def local_ticks(spec: str, zone: str, date: str, days: int = 1) -> list[str]:
    """The ticks of a local day, as local times with their offsets; found in both directions."""
    info = ZoneInfo(zone)
    start = datetime.fromisoformat(date).replace(tzinfo=info).astimezone(UTC)
    end = (datetime.fromisoformat(date) + days * DAY).replace(tzinfo=info).astimezone(UTC) - SECOND
    schedule = parse_spec(spec, info)
    found = forwards(schedule, start, end)
    assert backwards(schedule, start, end) == found
    return [tick.astimezone(info).strftime("%d %H:%M %z") for tick in found]


CLOCK_CHANGES = [
    # Berlin, spring: 02:00 becomes 03:00.
    ("30 2 * * *", "Europe/Berlin", "2026-03-29", []),
    ("30 1,2,3 * * *", "Europe/Berlin", "2026-03-29", ["29 01:30 +0100", "29 03:30 +0200"]),
    ("0 2 * * *", "Europe/Berlin", "2026-03-29", []),
    ("0 3 * * *", "Europe/Berlin", "2026-03-29", ["29 03:00 +0200"]),
    (
        "*/30 1-3 * * *",
        "Europe/Berlin",
        "2026-03-29",
        ["29 01:00 +0100", "29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"],
    ),
    # Berlin, autumn: 03:00 becomes 02:00.
    ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["25 02:30 +0200", "25 02:30 +0100"]),
    ("0 3 * * *", "Europe/Berlin", "2026-10-25", ["25 03:00 +0100"]),
    ("0 2,3 * * *", "Europe/Berlin", "2026-10-25", ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]),
    ("@daily", "Europe/Berlin", "2026-10-25", ["25 00:00 +0200"]),
    # New York.
    ("15 2 * * *", "America/New_York", "2026-03-08", []),
    ("15 1 * * *", "America/New_York", "2026-11-01", ["01 01:15 -0400", "01 01:15 -0500"]),
    # Lord Howe Island changes by half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
    ("0,15,30,45 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["04 02:30 +1100", "04 02:45 +1100"]),
    (
        "*/15 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-05",
        ["05 01:00 +1100", "05 01:15 +1100", "05 01:30 +1100", "05 01:45 +1100", "05 01:30 +1030", "05 01:45 +1030"],
    ),
    (
        "0 * * * *",
        "Australia/Lord_Howe",
        "2026-10-04",
        [f"04 {hour:02}:00 +{1030 if hour < 2 else 1100}" for hour in range(24) if hour != 2],
    ),
    # Days without a midnight.
    ("0 0 * * *", "America/Sao_Paulo", "2018-11-04", []),
    ("30 0 * * *", "America/Sao_Paulo", "2018-11-04", []),
    ("0 1 * * *", "America/Sao_Paulo", "2018-11-04", ["04 01:00 -0200"]),
    ("30 12 4 11 *", "America/Sao_Paulo", "2018-11-04", ["04 12:30 -0200"]),
    ("30 1 * * sun", "America/Sao_Paulo", "2018-11-04", ["04 01:30 -0200"]),
    ("0 0 * * *", "Asia/Beirut", "2022-03-27", []),
    ("0 1 27 * *", "Asia/Beirut", "2022-03-27", ["27 01:00 +0300"]),
    ("0 0 * * *", "Africa/Cairo", "2026-04-24", []),
    ("5 1 24 4 *", "Africa/Cairo", "2026-04-24", ["24 01:05 +0300"]),
    # An evening that comes twice: midnight becomes 23:00.
    ("30 23 * * *", "America/Sao_Paulo", "2018-02-17", ["17 23:30 -0200", "17 23:30 -0300"]),
    ("30 23 * * *", "Africa/Cairo", "2026-10-29", ["29 23:30 +0300", "29 23:30 +0200"]),
    ("0 0 * * *", "Africa/Cairo", "2026-10-30", ["30 00:00 +0200"]),
    # A whole day that did not come: Samoa crossed the date line.
    ("0 12 30 12 *", "Pacific/Apia", "2011-12-30", []),
    ("0 12 * * *", "Pacific/Apia", "2011-12-29", ["29 12:00 -1000"]),
    ("0 12 * * *", "Pacific/Apia", "2011-12-31", ["31 12:00 +1400"]),
    # Morocco changes for Ramadan.
    ("30 2 * * *", "Africa/Casablanca", "2026-02-15", ["15 02:30 +0100", "15 02:30 +0000"]),
    ("30 2 * * *", "Africa/Casablanca", "2026-03-22", []),
    # Dublin's summer time is the standard one, its winter time is negative.
    ("30 1 * * *", "Europe/Dublin", "2026-03-29", []),
    ("30 1 * * *", "Europe/Dublin", "2026-10-25", ["25 01:30 +0100", "25 01:30 +0000"]),
    # Zones with odd offsets and without changes.
    ("0 0 * * *", "Asia/Kathmandu", "2026-03-29", ["29 00:00 +0545"]),
    ("*/30 0 * * *", "Pacific/Chatham", "2026-07-01", ["01 00:00 +1245", "01 00:30 +1245"]),
]


@pytest.mark.parametrize(("spec", "zone", "date", "expected"), CLOCK_CHANGES)
def test_changes_of_the_clock(spec: str, zone: str, date: str, expected: list[str]) -> None:
    """A local time that is skipped does not come that day, one that comes twice comes twice; no day is missed."""
    assert local_ticks(spec, zone, date) == expected


@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Africa/Casablanca",
        "Asia/Beirut",
        "America/St_Johns",
        "Antarctica/Troll",
        "America/Nuuk",
        "Pacific/Apia",
    ],
)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_same_as_by_brute_force(zone: str, data: st.DataObject) -> None:
    """Around changes of the clock and anywhere else, in both directions, whatever the fields."""
    info = ZoneInfo(zone)

    def some(low: int, high: int, size: int) -> st.SearchStrategy[frozenset[int] | None]:
        return st.none() | st.frozensets(st.integers(low, high), min_size=1, max_size=size)

    fields = oracle.Fields(
        minutes=data.draw(st.frozensets(st.integers(0, 59), min_size=1, max_size=3), "minutes"),
        hours=data.draw(some(0, 23, 5), "hours"),
        days=data.draw(some(1, 31, 5), "days"),
        months=data.draw(some(1, 12, 11), "months"),
        weekdays=data.draw(some(0, 6, 3), "weekdays"),
    )
    day = data.draw(st.integers(0, 365 * 40), "day")
    near = utc("1995-01-01") + day * DAY
    start = (data.draw(st.booleans(), "at a change") and next_change(info, near, near + 400 * DAY)) or near
    start = start.replace(second=0) - DAY
    end = start + 2 * DAY + MINUTE
    schedule = parse_spec(fields.spec(), info)
    expected = list(oracle.ticks(fields, info, start, end))
    assert forwards(schedule, start, end) == expected
    assert backwards(schedule, start, end) == expected


@given(
    moment=st.integers(365, 365 * 120).map(lambda day: utc("1970-01-01") + day * DAY),
    spec=st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 0 29 2 *", "15 3 * 3,10 sun", "@every 7m", "@yearly"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
@settings(deadline=None)
def test_next_and_last_agree(moment: datetime, spec: str, zone: str) -> None:
    """The last tick up to the next one is the next one, and there is none between."""
    schedule = parse_spec(spec, ZoneInfo(zone))
    tick = schedule.next_after(moment)
    assert tick is not None
    assert tick > moment
    assert schedule.last_until(tick) == tick
    before = schedule.last_until(tick - SECOND)
    assert before is None or before <= moment


def test_ticks_are_in_utc_and_strictly_later() -> None:
    """Whatever the zone of the moment; a fraction of a second counts."""
    schedule = parse_spec("30 4 * * *", BERLIN)
    tick = utc("2026-01-01 03:30")
    assert schedule.next_after(tick.astimezone(BERLIN) - timedelta(microseconds=1)) == tick
    assert schedule.next_after(tick) == utc("2026-01-02 03:30")
    assert schedule.next_after(tick + timedelta(microseconds=1)) == utc("2026-01-02 03:30")
    assert schedule.last_until(tick - timedelta(microseconds=1)) == utc("2025-12-31 03:30")
    found = schedule.next_after(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5))))
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("descriptor", "ticks"),
    [
        ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("@annually", ["2027-01-01 00:00"]),
        ("@monthly", ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("@weekly", ["2026-01-18 00:00", "2026-01-25 00:00"]),
        ("@daily", ["2026-01-16 00:00"]),
        ("@midnight", ["2026-01-16 00:00"]),
        ("@hourly", ["2026-01-15 13:00", "2026-01-15 14:00"]),
    ],
)
def test_descriptors(descriptor: str, ticks: list[str]) -> None:
    """Words for the common specs."""
    schedule, moment = parse_spec(descriptor, UTC), utc("2026-01-15 12:34")
    for tick in ticks:
        assert schedule.next_after(moment) == utc(tick)
        moment = utc(tick)


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [("@every 30s", 30), ("@every 1h30m", 5400), ("@every 1.9s", 1), ("@every 10ms", 1), ("@every 36h", 129_600)],
)
def test_intervals(spec: str, seconds: int) -> None:
    """Whole seconds, at least one; fractions are cut."""
    assert parse_spec(spec, BERLIN) == Every(seconds)


def test_intervals_count_from_the_epoch() -> None:
    """Not from a start: all schedulers name the same ticks, whenever they were started and wherever they are."""
    every = Every(90)
    assert every.next_after(datetime.fromtimestamp(0, UTC)) == datetime.fromtimestamp(90, UTC)
    assert every.next_after(datetime.fromtimestamp(89.999, UTC)) == datetime.fromtimestamp(90, UTC)
    assert every.last_until(datetime.fromtimestamp(179.999, UTC)) == datetime.fromtimestamp(90, UTC)
    assert every.last_until(datetime.fromtimestamp(-1, UTC)) == datetime.fromtimestamp(-90, UTC)


@pytest.mark.parametrize("prefix", ["TZ=", "CRON_TZ="])
def test_a_spec_may_name_its_zone(prefix: str) -> None:
    """It wins over the scheduler's, for fields and for descriptors."""
    moment = utc("2026-01-15 12:00")
    assert parse_spec(f"{prefix}Asia/Tokyo 30 4 * * *", BERLIN).next_after(moment) == utc("2026-01-15 19:30")
    assert parse_spec(f"{prefix}Asia/Tokyo  @daily ", BERLIN).next_after(moment) == utc("2026-01-15 15:00")
    assert parse_spec(f"{prefix}UTC @every 5m", BERLIN) == Every(300)


def test_which_specs_depend_on_the_schedulers_zone() -> None:
    """Those that neither name their own nor are intervals."""
    assert [depends_on_zone(spec) for spec in ("* * * * *", "@daily", "@every 5s", "TZ=UTC @daily")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "must be text such as"),
        ("  ", "must be text such as"),
        (None, "must be text such as"),
        ("@Hourly", "'@Hourly' is not known; there are @yearly"),
        ("@reboot", "'@reboot' is not known"),
        ("@every", "'@every' is not known"),
        ("@hourly ", "'@hourly ' is not known"),
        ("@every 5", "'5' is not a duration"),
        ("@every  5s", "' 5s' is not a duration"),
        ("@every 1d", "'1d' is not a duration"),
        ("@every 0s", "the interval must be positive"),
        ("@every -5s", "the interval must be positive"),
        ("TZ=Europe/Berlin", "is nothing but a time zone"),
        ("TZ=Europe/Berlin ", "has 0 fields"),
        ("TZ=Europe/Berln * * * * *", "there is no time zone 'Europe/Berln'"),
        ("CRON_TZ= * * * * *", "there is no time zone ''"),
        ("TZ=../../etc/passwd * * * * *", "there is no time zone"),
        ("TZ=Europe * * * * *", "there is no time zone 'Europe'"),
        (" @daily", "has 1 fields"),
    ],
)
def test_what_cannot_be_understood_is_refused(spec: str, message: str) -> None:
    """With the spec in the message, and what to write instead."""
    with pytest.raises(ConfigError, match=message):
        parse_spec(spec, UTC)


def test_changes_are_found_to_the_second() -> None:
    """The first moment of the new offset, from both sides; none where none is."""
    change = utc("2026-03-29 01:00")
    assert next_change(BERLIN, utc("2026-01-01"), utc("2026-12-31")) == change
    assert next_change(BERLIN, change - SECOND, change) == change
    assert next_change(BERLIN, change, utc("2026-10-25 00:59:59")) is None
    assert last_change(BERLIN, utc("2026-10-01"), utc("2026-01-01")) == change
    assert last_change(BERLIN, change, change - SECOND) == change
    assert last_change(BERLIN, change - SECOND, utc("2026-01-01")) is None


def test_utc_needs_no_database() -> None:
    """Small containers have none."""
    assert zone_named("UTC") is UTC
