"""The numbers that a server adds up for the rollups."""

from __future__ import annotations

from asynqpy._worker.tallies import MOST_PATTERNS, OTHER_PATTERNS, Tallies
from asynqpy.observer import AttemptOutcome


def test_only_what_is_new_is_sent() -> None:
    """And nothing at all while nothing happens."""
    tallies = Tallies()
    assert tallies.unsent() == {}
    tallies.attempt_started("low", "t", 0.005)
    tallies.attempt_ended("low", "t", AttemptOutcome.SUCCEEDED, 0.0)
    assert tallies.unsent() == {"low": {"s:t": 1, "k:t": 1, "w3:t": 1, "r0:t": 1}}
    assert tallies.unsent() == {}
    tallies.attempt_started("low", "t", None)
    tallies.attempt_ended("low", "t", AttemptOutcome.RETRIED, 10**9)
    assert tallies.unsent() == {"low": {"s:t": 1, "f:t": 1, "r27:t": 1}}


def test_what_was_not_sent_goes_with_the_next() -> None:
    """Once, with what came since."""
    tallies = Tallies()
    tallies.attempt_started("low", "a:b", None)
    tallies.take_back("low", tallies.unsent()["low"])
    tallies.attempt_started("low", "a:b", None)
    assert tallies.unsent() == {"low": {"s:a:b": 2}}


def test_attempts_that_came_to_nothing_count_as_begun_only() -> None:
    """Put back, lost, snoozed: they have neither succeeded nor failed."""
    tallies = Tallies()
    for outcome in (AttemptOutcome.PUT_BACK, AttemptOutcome.LEASE_LOST, AttemptOutcome.SNOOZED):
        tallies.attempt_ended("low", "t", outcome, 1.0)
    assert tallies.unsent() == {}


def test_patterns_without_end_are_counted_together() -> None:
    """So that a minute in Redis stays small."""
    tallies = Tallies()
    for at in range(MOST_PATTERNS + 5):
        tallies.attempt_started("low", f"p{at}", None)
    fields = tallies.unsent()["low"]
    assert len(fields) == MOST_PATTERNS + 1
    assert fields[f"s:{OTHER_PATTERNS}"] == 5
