"""How limits are written, and how they tell tasks apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asynqpy import ConfigError, PayloadError, Rate, Task
from asynqpy.limits import Limit, limit_of


@pytest.mark.parametrize(
    ("text", "count", "period", "interval"),
    [
        ("10/minute", 10, timedelta(minutes=1), 6_000_000),
        ("5/second", 5, timedelta(seconds=1), 200_000),
        ("100/hour", 100, timedelta(hours=1), 36_000_000),
        ("1000/day", 1000, timedelta(days=1), 86_400_000),
        ("10/30s", 10, timedelta(seconds=30), 3_000_000),
        (" 3 / 2 Hours ", 3, timedelta(hours=2), 2_400_000_000),
        ("1/0.5s", 1, timedelta(milliseconds=500), 500_000),
        ("1/250ms", 1, timedelta(milliseconds=250), 250_000),
        ("7/s", 7, timedelta(seconds=1), 142_858),  # rounded up: never too many
        ("2/m", 2, timedelta(minutes=1), 30_000_000),
        ("1000000/s", 1_000_000, timedelta(seconds=1), 1),
    ],
)
def test_rates_are_read(text: str, count: int, period: timedelta, interval: int) -> None:
    """A count, a slash, and a period with its unit."""
    rate = Rate(text)
    assert (rate.count, rate.period, rate.interval_microseconds, rate.burst) == (count, period, interval, 1)


NONSENSE = ["", "10", "10/", "/s", "ten/minute", "10/fortnight", "10 per minute", "-1/s", "1.5/s", "10/s/s", None, 5]


@pytest.mark.parametrize("text", [*NONSENSE, "0/s", "1/0s", "1000001/s", "1/400day"])
def test_rates_that_cannot_work_are_refused(text: Any) -> None:
    """With the value, and what to do."""
    with pytest.raises(ConfigError) as caught:
        Rate(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("burst", [0, 11, True, 1.5, "2"])
def test_bursts_that_cannot_work_are_refused(burst: Any) -> None:
    """From one to the count."""
    with pytest.raises(ConfigError, match="from 1 to 10"):
        Rate("10/minute", burst=burst)


def test_rates_are_values() -> None:
    """Equal when they say the same, and a burst of their own."""
    assert Rate("10/minute") == Rate("10/60s")
    assert Rate("10/minute", burst=3) != Rate("10/minute")
    assert Rate("10/minute", burst=3).burst == 3


def test_no_limit_is_none() -> None:
    """Nothing is asked of Redis then."""
    assert limit_of(None, None, None) is None


def made(key: Any) -> Limit:
    """A limit with a key."""
    limit = limit_of("1/s", None, key)
    assert limit is not None
    return limit


@pytest.mark.parametrize(
    ("payload", "scope"),
    [
        ({"tenant": "acme", "rest": [1, {"tenant": "no"}]}, "t|acme"),
        ({"tenant": 42}, "t|42"),
        ({"tenant": True}, "t|true"),
        ({"tenant": ["a", 1]}, 't|["a",1]'),
        ({"tenant": None}, "t"),
        ({}, "t"),
        (None, "t"),
        ({"tenant": "{a}|%"}, "t|%7Ba%7D%7C%25"),
        ({"tenant": ""}, "t|"),
        ({"tenant": "müller"}, "t|müller"),
    ],
)
def test_a_field_of_the_payload_is_a_key(payload: Any, scope: str) -> None:
    """As text; without it tasks are counted together. Nothing in it can change the slot of the key."""
    assert made("tenant").scope("t", Task("t", payload)) == scope


def test_long_keys_are_shortened() -> None:
    """And stay different."""
    limit = made(lambda task: task.payload.decode())
    one, other = (limit.scope("t", Task("t", "x" * 5000 + end)) for end in "ab")
    assert one != other
    assert len(one) < 100


@pytest.mark.parametrize("payload", [b"\xff", b"[1, 2]", b"{"])
def test_a_payload_that_cannot_be_read_is_an_error(payload: bytes) -> None:
    """A task never runs without its limit."""
    with pytest.raises(PayloadError, match="'tenant', the limit_key"):
        made("tenant").scope("t", Task("t", payload))


def test_a_function_is_a_key() -> None:
    """Whatever it returns, also text that cannot be sent as it is."""
    assert made(lambda task: "\ud800").scope("t", Task("t")) == "t|\\ud800"
    assert made(lambda task: task.type[:3]).scope("abc:", Task("abc:def")) == "abc:|abc"
    assert made(lambda task: None).scope("abc:", Task("abc:def")) == "abc:"


def test_patterns_cannot_change_the_slot() -> None:
    """Braces mark what a cluster keeps together."""
    assert limit_of("1/s", None, None) is not None
    limit = limit_of("1/s", None, None)
    assert limit is not None
    assert limit.scope("}a{b", Task("t")) == "%7Da%7Bb"
