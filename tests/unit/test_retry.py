"""Delays between attempts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy import retry
from asynqpy.errors import ConfigError
from asynqpy.task import Task

TASK = Task("t")
ERROR = RuntimeError("boom")

# (retries so far, shortest, longest delay in seconds): asynq's curve, retried^4 + 15 + (0 to 29) x (retried + 1)
CURVE = [
    (0, 15, 44),
    (1, 16, 74),
    (2, 31, 118),
    (3, 96, 212),
    (4, 271, 416),
    (5, 640, 814),
    (6, 1311, 1514),
    (7, 2416, 2648),
    (8, 4111, 4372),
    (9, 6576, 6866),
    (10, 10015, 10334),
    (11, 14656, 15004),
    (12, 20751, 21128),
    (13, 28576, 28982),
    (14, 38431, 38866),
    (15, 50640, 51104),
    (16, 65551, 66044),
    (17, 83536, 84058),
    (18, 104991, 105542),
    (19, 130336, 130916),
    (20, 160015, 160624),
    (21, 194496, 195134),
    (22, 234271, 234938),
    (23, 279856, 280552),
    (24, 331791, 332516),
]


class Loaded(Random):
    """A die that always falls the same way."""

    def __init__(self, face: Callable[[int], int] = lambda stop: 0, fraction: float = 0.0) -> None:
        super().__init__(0)
        self._face = face
        self._fraction = fraction

    def randrange(self, stop: int) -> int:  # type: ignore[override]
        return self._face(stop)

    def random(self) -> float:
        return self._fraction


LOWEST = Loaded()
HIGHEST = Loaded(lambda stop: stop - 1, 1 - 2**-53)


@pytest.mark.parametrize(("retried", "shortest", "longest"), CURVE)
def test_the_default_is_the_curve_of_asynq(retried: int, shortest: int, longest: int) -> None:
    """Each attempt waits between the bounds that asynq's formula has."""
    assert retry.default_delay(retried, LOWEST) == timedelta(seconds=shortest)
    assert retry.default_delay(retried, HIGHEST) == timedelta(seconds=longest)


def test_the_whole_default_life_of_a_task() -> None:
    """25 retries take about 20.5 days."""
    assert sum(shortest for _, shortest, _ in CURVE) == 1763395
    assert sum(longest for _, _, longest in CURVE) == 1772820


def test_the_default_policy_is_the_curve() -> None:
    """The policy draws its noise from the source it is given."""
    policy = retry.default(rng=LOWEST)
    assert [policy(retried, ERROR, TASK) for retried, _, _ in CURVE] == [
        timedelta(seconds=shortest) for _, shortest, _ in CURVE
    ]


def test_the_same_source_gives_the_same_delays() -> None:
    """A seeded source makes every noisy policy repeatable."""
    for make in (retry.default, retry.exponential):
        first, second = make(rng=Random(7)), make(rng=Random(7))
        assert [first(n, ERROR, TASK) for n in range(9)] == [second(n, ERROR, TASK) for n in range(9)]


@pytest.mark.parametrize("retried", [100, 309, 310, 3000])
def test_the_curve_has_a_ceiling(retried: int) -> None:
    """Where the curve leaves every calendar, ten years are the longest wait."""
    assert retry.default(rng=LOWEST)(retried, ERROR, TASK) == min(
        timedelta(seconds=retried**4 + 15), retry.LONGEST_DELAY
    )


@pytest.mark.parametrize("retried", [3100, 4000, 2**31 - 1])
def test_the_default_policy_takes_any_number_of_retries(retried: int) -> None:
    """A task with a huge retry limit waits ten years at most; its worker does not break at it."""
    assert retry.default()(retried, ERROR, TASK) == retry.LONGEST_DELAY


@pytest.mark.parametrize("delay", [10, 10.0, timedelta(seconds=10)])
def test_fixed_waits_the_same_each_time(delay: timedelta | float) -> None:
    """A plain number means seconds."""
    policy = retry.fixed(delay)
    assert {policy(retried, ERROR, TASK) for retried in range(20)} == {timedelta(seconds=10)}


def test_linear_grows_by_one_step_up_to_its_maximum() -> None:
    """One step before the first retry, two before the second."""
    policy = retry.linear(10, maximum=35)
    assert [policy(n, ERROR, TASK) for n in range(5)] == [timedelta(seconds=s) for s in (10, 20, 30, 35, 35)]
    assert policy(2**31 - 1, ERROR, TASK) == timedelta(seconds=35)


def test_exponential_multiplies_up_to_its_maximum() -> None:
    """Without noise the delays are exact."""
    policy = retry.exponential(2, factor=3, maximum=100, jitter=0)
    assert [policy(n, ERROR, TASK) for n in range(6)] == [timedelta(seconds=s) for s in (2, 6, 18, 54, 100, 100)]


@pytest.mark.parametrize("factor", [2, 2.0, 1.0001])
def test_exponential_takes_any_number_of_retries(factor: float) -> None:
    """A power beyond every number is the maximum."""
    assert retry.exponential(1, factor=factor, jitter=0)(10_000_000, ERROR, TASK) == timedelta(hours=1)


def test_jitter_replaces_its_share_of_the_delay() -> None:
    """With a jitter of 0.5 a retry waits between half of the delay and all of it."""
    longest = retry.exponential(8, jitter=0.5, rng=LOWEST)(0, ERROR, TASK)
    shortest = retry.exponential(8, jitter=0.5, rng=HIGHEST)(0, ERROR, TASK)
    assert (shortest, longest) == (timedelta(seconds=4), timedelta(seconds=8))


@given(
    retried=st.integers(0, 2**31 - 1),
    base=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    maximum=st.floats(0, 1e9),
    jitter=st.floats(0, 1),
)
def test_exponential_stays_within_bounds(
    retried: int, base: float, factor: float, maximum: float, jitter: float
) -> None:
    """Never below nothing, never above the maximum."""
    policy = retry.exponential(base, factor=factor, maximum=maximum, jitter=jitter, rng=Random(1))
    delay = policy(retried, ERROR, TASK)
    assert isinstance(delay, timedelta)
    assert timedelta(0) <= delay <= timedelta(seconds=maximum)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: retry.fixed(-1), "delay must be a finite duration and not negative, got -1"),
        (lambda: retry.fixed(timedelta(seconds=-1)), "delay must be a finite duration and not negative"),
        (lambda: retry.fixed(float("nan")), "delay must be a finite duration and not negative, got nan"),
        (lambda: retry.fixed(float("inf")), "delay must be a finite duration and not negative, got inf"),
        (lambda: retry.linear(-1), "step must be a finite duration and not negative"),
        (lambda: retry.linear(1, maximum=-1), "maximum must be a finite duration and not negative"),
        (lambda: retry.exponential(-1), "base must be a finite duration and not negative"),
        (lambda: retry.exponential(1, maximum=-1), "maximum must be a finite duration and not negative"),
        (lambda: retry.exponential(1, factor=0.5), "factor must be at least 1, got 0.5"),
        (lambda: retry.exponential(1, jitter=1.5), "jitter must be between 0 and 1, got 1.5"),
        (lambda: retry.exponential(1, jitter=-0.1), "jitter must be between 0 and 1, got -0.1"),
    ],
)
def test_policies_that_cannot_work_are_refused(make: Callable[[], object], message: str) -> None:
    """A wrong setting fails where it is written, not at the first failed task."""
    with pytest.raises(ConfigError, match=message):
        make()
