"""Attempts that failed, as they are kept with their task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy import attempts
from asynqpy.attempts import LARGEST_HISTORY, LONGEST_ERROR, LONGEST_TRACEBACK, FailedAttempt, Runner

NOW = 1_700_000_000.25


def test_what_is_told_is_read_again() -> None:
    """All of it, in the order it was written."""
    runner = Runner("host:7", "1.4.2")
    first = attempts.encode("boom", now=NOW, traceback=b"where", runner=runner, ran_seconds=0.0125, retried=2)
    second = attempts.encode("the worker died", now=NOW + 1, is_lost=True)
    moment = datetime.fromtimestamp(NOW, UTC)
    assert attempts.decode(first + b"\n" + second) == (
        FailedAttempt(
            failed_at=moment,
            error="boom",
            traceback="where",
            worker="host:7",
            app_version="1.4.2",
            ran_for=timedelta(milliseconds=12),
            retried=2,
            is_lost=False,
        ),
        FailedAttempt(
            failed_at=moment + timedelta(seconds=1),
            error="the worker died",
            traceback="",
            worker="",
            app_version="",
            ran_for=None,
            retried=None,
            is_lost=True,
        ),
    )


def test_what_older_servers_wrote_is_read() -> None:
    """Without a version, which costs no bytes where nobody told one."""
    [kept] = attempts.decode(b'{"at":1700000000250,"error":"boom","worker":"host:7"}')
    assert (kept.worker, kept.app_version) == ("host:7", "")
    assert attempts.encode("boom", now=NOW, runner=Runner("host:7")) == (
        b'{"at":1700000000250,"error":"boom","worker":"host:7"}'
    )


def test_it_is_bounded_whatever_failed() -> None:
    """Texts are cut, also in the middle of a character, and what JSON makes of them fits."""
    line = attempts.encode("\x00" * 600, now=NOW, traceback="é".encode() * 2000 + b"x", ran_seconds=-1)
    [kept] = attempts.decode(line)
    assert (len(kept.error), kept.ran_for) == (LONGEST_ERROR, timedelta(0))
    assert kept.traceback == "é" * ((LONGEST_TRACEBACK - 1) // 2) + "x"
    assert b"\n" not in line
    runner = Runner("w" * 300, "v" * 64)
    worst = attempts.encode("\x00" * LONGEST_ERROR, now=NOW, traceback=b"\x00" * LONGEST_TRACEBACK, runner=runner)
    assert len(worst) < LARGEST_HISTORY


@pytest.mark.parametrize("line", [b"", b"{}", b"nonsense", b'{"at":"x","error":"e"}', b'{"at":1e300,"error":"e"}'])
def test_what_somebody_else_wrote_is_left_out(line: bytes) -> None:
    """And hides nothing of ours."""
    ours = attempts.encode("ours", now=NOW)
    assert [each.error for each in attempts.decode(line + b"\n" + ours)] == ["ours"]


def test_a_moment_that_no_calendar_holds_is_left_out() -> None:
    """It cannot be shown."""
    assert attempts.decode(b'{"at":9000000000000000000,"error":"e"}') == ()
