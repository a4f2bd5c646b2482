"""The options of an enqueue call."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy.errors import InvalidTaskError
from asynqpy.options import DEFAULTS, LONGEST_SECONDS, EnqueueOptions, Options, resolve

NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)


def test_defaults_are_those_of_asynq() -> None:
    """Queue ``default``, 25 retries, nothing else asked for."""
    assert resolve({}) == Options()
    assert (DEFAULTS.queue, DEFAULTS.max_retry) == ("default", 25)
    assert (DEFAULTS.timeout_seconds, DEFAULTS.deadline_unix, DEFAULTS.retention_seconds) == (0, 0, 0)
    assert (DEFAULTS.task_id, DEFAULTS.group, DEFAULTS.unique_seconds, DEFAULTS.headers) == ("", "", 0, None)
    assert (DEFAULTS.process_at_unix, DEFAULTS.process_in_seconds) == (None, None)


def test_every_declared_option_is_read() -> None:
    """The options that type checkers offer are the options there are."""
    samples: dict[str, Any] = {
        "queue": "low",
        "task_id": "abc",
        "max_retry": 3,
        "timeout": 4,
        "deadline": NOON,
        "unique_for": 60,
        "process_at": NOON,
        "process_in": 5,
        "retention": 6,
        "group": "g",
        "headers": {"a": "b"},
    }
    assert samples.keys() == EnqueueOptions.__annotations__.keys()
    for name, value in samples.items():
        assert resolve({name: value}) != DEFAULTS  # type: ignore[misc]


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    """A typo does not pass silently."""
    with pytest.raises(InvalidTaskError, match="unknown option 'que'; the options are deadline, group, headers"):
        resolve({"que": "low"})  # type: ignore[typeddict-unknown-key]


def test_what_is_not_given_comes_from_the_base() -> None:
    """The arguments of ``enqueue`` win over the defaults of the task, one by one."""
    base = resolve({"queue": "low", "max_retry": 3, "retention": 60})
    assert resolve({}, base) is base
    assert resolve({"queue": "high"}, base) == Options(queue="high", max_retry=3, retention_seconds=60)


@pytest.mark.parametrize("name", ["queue", "task_id", "group"])
class TestNames:
    """Queue, id and group."""

    @pytest.mark.parametrize("value", ["a", "A b", " padded ", "ünïcode", "}{", "日本"])
    def test_are_kept_as_given(self, name: str, value: str) -> None:
        """No trimming and no change of case: Go peers see the same name."""
        assert getattr(resolve({name: value}), name) == value  # type: ignore[misc]

    @pytest.mark.parametrize("value", ["", " ", "\t\n", "\u3000"])
    def test_must_not_be_blank(self, name: str, value: str) -> None:
        """Blank in the sense of Unicode, as asynq has it."""
        with pytest.raises(InvalidTaskError, match=f"{name} must contain one or more characters"):
            resolve({name: value})  # type: ignore[misc]

    @pytest.mark.parametrize("value", [None, 1, b"a"])
    def test_must_be_text(self, name: str, value: object) -> None:
        """Bytes are no names."""
        with pytest.raises(InvalidTaskError, match=f"{name} must be text"):
            resolve({name: value})  # type: ignore[misc]

    def test_must_be_encodable(self, name: str) -> None:
        """A lone surrogate would break every Go reader."""
        with pytest.raises(InvalidTaskError, match=f"{name} is not valid Unicode"):
            resolve({name: "a\ud800"})  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (3, 3), (-1, 0), (2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1), (10**30, 2**31 - 1)]
)
def test_retries_stay_within_the_wire(value: int, expected: int) -> None:
    """Below zero means zero; more than 32 bits can carry means as many as they can."""
    assert resolve({"max_retry": value}).max_retry == expected


@pytest.mark.parametrize("value", [True, 1.0, "3", None])
def test_retries_are_integers(value: Any) -> None:
    """Booleans and floats are mistakes."""
    with pytest.raises(InvalidTaskError, match="max_retry must be an integer"):
        resolve({"max_retry": value})


@pytest.mark.parametrize("name", ["timeout", "retention"])
class TestWholeSeconds:
    """Durations that the wire carries as whole seconds."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [(0, 0), (20, 20), (0.5, 1), (1.000001, 2), (timedelta(seconds=90), 90), (timedelta(milliseconds=1), 1)],
    )
    def test_are_rounded_up(self, name: str, value: Any, expected: int) -> None:
        """Half a second does not become "none", as it does in asynq."""
        assert getattr(resolve({name: value}), f"{name}_seconds") == expected  # type: ignore[misc]

    @pytest.mark.parametrize("value", [-1, -0.001, timedelta(microseconds=-1)])
    def test_must_not_be_negative(self, name: str, value: Any) -> None:
        """There is no time before nothing."""
        with pytest.raises(InvalidTaskError, match=f"{name} must not be negative"):
            resolve({name: value})  # type: ignore[misc]


@pytest.mark.parametrize("name", ["timeout", "retention", "unique_for", "process_in"])
@pytest.mark.parametrize("value", ["1", None, True, math.nan, math.inf, -math.inf, LONGEST_SECONDS + 1, 10**400, NOON])
def test_durations_are_numbers_or_timedeltas(name: str, value: object) -> None:
    """Anything else, and what no double can count, is refused by name."""
    with pytest.raises(InvalidTaskError, match=f"{name} must be a timedelta or a number of seconds"):
        resolve({name: value})  # type: ignore[misc]


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (1.9, 2), (timedelta(hours=1), 3600)])
def test_unique_for_is_rounded_up(value: Any, expected: int) -> None:
    """The lock lasts at least as long as asked for."""
    assert resolve({"unique_for": value}).unique_seconds == expected


@pytest.mark.parametrize("value", [0, 0.999, -1, timedelta(milliseconds=999)])
def test_unique_for_is_a_second_at_least(value: Any) -> None:
    """As asynq: a lock shorter than that is a mistake."""
    with pytest.raises(InvalidTaskError, match="unique_for must be at least one second"):
        resolve({"unique_for": value})


@pytest.mark.parametrize("name", ["deadline", "process_at"])
@pytest.mark.parametrize("value", [NOON.replace(tzinfo=None), 1700000000, "2023-11-14", timedelta(1), None])
def test_moments_are_aware_datetimes(name: str, value: object) -> None:
    """A naive datetime means another moment on each machine."""
    with pytest.raises(InvalidTaskError, match=f"{name} must be a datetime with a time zone"):
        resolve({name: value})  # type: ignore[misc]


def test_a_deadline_is_rounded_down() -> None:
    """No attempt runs past it, so the earlier second counts; the zone does not matter."""
    moment = datetime(2023, 11, 14, 23, 13, 20, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert resolve({"deadline": moment}).deadline_unix == 1_700_000_000


def test_the_later_of_two_starts_wins() -> None:
    """``process_at`` and ``process_in`` fill one slot, as in asynq."""
    at, within = resolve({"process_at": NOON}), resolve({"process_in": 5})
    assert (at.process_at_unix, at.process_in_seconds) == (NOON.timestamp(), None)
    assert (within.process_at_unix, within.process_in_seconds) == (None, 5.0)
    assert resolve({"process_in": 5}, at) == within
    assert resolve({"process_at": NOON}, within) == at
    assert resolve({"process_at": NOON, "process_in": 5}) == within
    assert resolve({"process_in": 5, "process_at": NOON}) == at


def test_a_delay_may_be_negative() -> None:
    """Below zero means now, as in asynq."""
    assert resolve({"process_in": timedelta(seconds=-1)}).process_in_seconds == -1.0


def test_headers_accumulate() -> None:
    """Those of the call are laid over those of the task; none is lost."""
    base = resolve({"headers": {"a": "task", "b": "task"}})
    assert resolve({"headers": {"b": "call", "c": "call"}}, base).headers == {"a": "task", "b": "call", "c": "call"}
    assert base.headers == {"a": "task", "b": "task"}


def test_no_headers_take_none_away() -> None:
    """An empty mapping adds nothing, so it changes nothing."""
    base = resolve({"headers": {"a": "task"}})
    assert resolve({"headers": {}}, base).headers == {"a": "task"}


def test_headers_are_copied() -> None:
    """What the caller does to the mapping afterwards changes no task."""
    given_headers = {"a": "b"}
    options = resolve({"headers": MappingProxyType(given_headers)})
    given_headers["a"] = "changed"
    assert options.headers == {"a": "b"}


@pytest.mark.parametrize("value", [None, ["a"], "a", {"a": 1}, {1: "a"}, {"a": None}, {b"a": "b"}])
def test_headers_map_text_to_text(value: Any) -> None:
    """The wire has nothing else."""
    with pytest.raises(InvalidTaskError, match="headers must map text to text"):
        resolve({"headers": value})


@pytest.mark.parametrize("value", [{"\ud800": "a"}, {"a": "\ud800"}])
def test_headers_are_encodable(value: dict[str, str]) -> None:
    """A lone surrogate is refused in names and in values."""
    with pytest.raises(InvalidTaskError, match="headers is not valid Unicode"):
        resolve({"headers": value})


@given(st.floats(0, LONGEST_SECONDS))
def test_rounding_up_never_shortens(seconds: float) -> None:
    """At most one second is added, nothing is taken."""
    assert 0 <= resolve({"timeout": seconds}).timeout_seconds - seconds <= 1
