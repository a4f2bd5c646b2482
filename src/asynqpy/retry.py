"""How long to wait before a failed task runs again. Pure: randomness comes in as an argument or is asynq's own curve.

A retry policy is a function of (retries so far, the error, the task) that returns a delay; plain numbers are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from asynqpy.errors import ConfigError

if TYPE_CHECKING:
    from asynqpy.task import Task

RetryDelay: TypeAlias = "Callable[[int, BaseException, Task], timedelta | float]"
"""(retries before this failure, the error, the task) -> how long to wait; a plain number means seconds."""

LONGEST_DELAY = timedelta(days=3650)
"""A ceiling for every policy: far enough to mean "never by itself", near enough for every clock and score."""


def default_delay(retried: int, rng: Random) -> timedelta:
    """How long to wait before the next attempt, by asynq's curve.

    Grows with the fourth power of *retried*, from 15 s to about 4.5 days at 25, plus up to 29 s of noise per attempt
    so that tasks which failed together do not come back together. Same curve as asynq's ``DefaultRetryDelayFunc``.
    """
    return min(timedelta(seconds=retried**4 + 15 + rng.randrange(30) * (retried + 1)), LONGEST_DELAY)


def expected_default_delay(retried: int) -> timedelta:
    """What `default_delay` comes to on average."""
    return min(timedelta(seconds=retried**4 + 15 + 14.5 * (retried + 1)), LONGEST_DELAY)


def default(*, rng: Random | None = None) -> RetryDelay:
    """asynq's curve as a policy; *rng* makes it repeatable."""
    source = rng or Random()
    return lambda retried, error, task: default_delay(min(retried, 1000), source)


def fixed(delay: timedelta | float) -> RetryDelay:
    """The same *delay* before every attempt."""
    wait = _duration("delay", delay)
    return lambda retried, error, task: wait


def linear(step: timedelta | float, *, maximum: timedelta | float = timedelta(hours=1)) -> RetryDelay:
    """*step*, twice *step*, three times *step* …, never more than *maximum*."""
    increment, ceiling = _duration("step", step).total_seconds(), _duration("maximum", maximum).total_seconds()
    return lambda retried, error, task: timedelta(seconds=min(increment * (retried + 1), ceiling))


def exponential(
    base: timedelta | float = 1.0,
    *,
    factor: float = 2.0,
    maximum: timedelta | float = timedelta(hours=1),
    jitter: float = 0.5,
    rng: Random | None = None,
) -> RetryDelay:
    """*base*, *base* x *factor*, *base* x *factor*² …, never more than *maximum*.

    Args:
        base: delay before the first retry.
        factor: growth from one retry to the next, at least 1.
        maximum: ceiling, applied before the noise.
        jitter: share of the delay, 0 to 1, that is replaced by noise: 0.5 waits between half and the whole of it.
        rng: makes the noise repeatable.

    Raises:
        ConfigError: a negative duration, a factor below 1, a jitter outside 0 to 1.
    """
    first, ceiling, source = _duration("base", base), _duration("maximum", maximum), rng or Random()
    if factor < 1:
        raise ConfigError(f"factor must be at least 1, got {factor}")
    if not 0 <= jitter <= 1:
        raise ConfigError(f"jitter must be between 0 and 1, got {jitter}")

    def delay(retried: int, error: BaseException, task: Task) -> timedelta:
        try:
            seconds = min(first.total_seconds() * factor**retried, ceiling.total_seconds())
        except OverflowError:
            seconds = ceiling.total_seconds()
        return timedelta(seconds=seconds * (1 - jitter * source.random()))

    return delay


def _duration(name: str, value: timedelta | float) -> timedelta:
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0 <= seconds <= timedelta.max.total_seconds():
        raise ConfigError(f"{name} must be a finite duration and not negative, got {value}")
    return timedelta(seconds=seconds)
