"""Failures that are alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from asynqpy._wire.records import TaskMessage
from asynqpy.attempts import NOBODY, Runner
from asynqpy.failures import FailureGroups, fingerprint, last_runner
from asynqpy.task import TaskInfo, TaskMarks, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: bad id 17", "ValueError: bad id 99123"),
        ("KeyError: 'ann'", "KeyError: 'bob'"),
        ("dial tcp 10.0.0.1:6379: refused", "dial tcp 10.0.0.2:6380: refused"),
        ("no user 6f1c1a52-7c1b-4a52-9f5e-0a1b2c3d4e5f", "no user 00000000-7c1b-4a52-9f5e-0a1b2c3d4e5f"),
        ("at 2026-01-01T00:00:00Z", "at 2025-12-31T23:59:59Z"),
        ("mail to ann@example.org bounced", "mail to bob.b@example.com bounced"),
        ("object at 0x7f1234abcd", "object at 0x7f0000ffff"),
        ("image 1a2b3c4d is not a PNG", "image 12345678 is not a PNG"),
        ("image 1a2b3c4d is not a PNG", "image 4d3c2b1a0f is not a PNG"),
        ("no file img_1a2b3c4d_s.png", "no file img_99887766_s.png"),
        ("wanted 9999999 bytes", "wanted 10000000 bytes"),
        ("took 1234567.5 ms", "took 12345678.5 ms"),
    ],
)
def test_what_differs_does_not_count(one: str, other: str) -> None:
    """Numbers, ids, moments, addresses, quoted text."""
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: bad", "TypeError: bad"),
        ("ValueError: bad", "ValueError: worse"),
        ("boom", "ValueError: boom"),
        ("no colour fadedbeef", "no colour 1adedbeef"),
        ("codec utf8 failed", "codec ascii failed"),
    ],
)
def test_what_is_another_matter(one: str, other: str) -> None:
    """Another class, another text."""
    assert fingerprint(one).id != fingerprint(other).id


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ("ValueError: x", "ValueError"),
        ("my.package.OddError: x", "my.package.OddError"),
        ("TimeoutError", "TimeoutError"),
        ("context deadline exceeded", ""),
        ("boom", ""),
        ("", ""),
    ],
)
def test_the_class(error: str, error_class: str) -> None:
    """As Python workers write it before the text; Go's have none."""
    assert fingerprint(error).error_class == error_class


def test_the_place_counts_but_not_its_line() -> None:
    """The last frames, without folders and lines: they survive the next deployment."""
    trace = (
        'Traceback\n  File "/a/b.py", line {}, in outer\n    x\n  File "/a/c.py", line 3, in {}\n    y\nValueError: x'
    )
    one = fingerprint("ValueError: x", trace.format(1, "inner"))
    assert one.frames == ("c.py:inner", "b.py:outer")
    assert one == fingerprint("ValueError: x", trace.format(77, "inner"))
    assert one.id != fingerprint("ValueError: x", trace.format(1, "other")).id


def test_groups() -> None:
    """Counted by queue, type and state, with the latest as the sample; tasks that never failed do not count."""
    groups = FailureGroups(NOW)
    for at, (queue, error) in enumerate(
        [("low", "no 1"), ("high", "no 2"), ("low", "no 3"), ("low", "else"), ("low", "")]
    ):
        failed = int((NOW - timedelta(hours=at)).timestamp())
        message = TaskMessage(type="t", id=str(at), queue=queue, error_msg=error, last_failed_at=failed)
        groups.add(TaskInfo(message, TaskState.ARCHIVED))
    first, second = groups.largest()
    assert (first.count, dict(first.queues), second.count) == (3, {"low": 2, "high": 1}, 1)
    assert first.sample.id == "0"
    assert first.first_seen == NOW - timedelta(hours=2)
    assert first.last_seen == NOW
    assert first.trend[-3:] == [1, 1, 1]


FAILED = int(NOW.timestamp())
ON_ONE = b'{"at":%d,"worker":"one:1","ms":7,"retried":3,"version":"1.4.2"}' % (FAILED * 1000 + 999)
ON_TWO = ON_ONE.replace(b"one:1", b"two:2").replace(b"1.4.2", b"1.4.1")
WITHOUT = b'{"at":%d,"worker":"two:2"}' % (FAILED * 1000)


def failed(by: bytes = b"", *, at: int = FAILED, retried: int = 4) -> TaskInfo:
    """A task that failed last *at* a moment, and what the last failure of a Python server has left."""
    message = TaskMessage(type="t", id="a", queue="low", error_msg="boom", last_failed_at=at, retried=retried)
    return TaskInfo(message, TaskState.RETRY, marks=TaskMarks(failed_by=by))


@pytest.mark.parametrize(
    ("info", "runner"),
    [
        (failed(ON_ONE), Runner("one:1", "1.4.2")),
        (failed(ON_ONE, retried=3), Runner("one:1", "1.4.2")),
        (failed(WITHOUT), Runner("two:2")),
        (failed(), NOBODY),
        (failed(ON_ONE, at=FAILED + 60), NOBODY),
        (failed(ON_ONE, retried=5), NOBODY),
        (failed(ON_ONE, at=0), NOBODY),
        (failed(b"nonsense"), NOBODY),
        (failed(b"[]"), NOBODY),
    ],
    ids=["last", "archived", "no version", "of Go", "later of Go", "of Go at once", "never", "nonsense", "a list"],
)
def test_who_ran_it_last(info: TaskInfo, runner: Runner) -> None:
    """What is kept counts only if nobody has failed the task since, as Go servers do without a note."""
    assert last_runner(info) == runner


def test_servers_and_versions_of_a_group() -> None:
    """By the last attempt of each task."""
    groups = FailureGroups(NOW)
    for info in (failed(ON_ONE), failed(ON_TWO), failed(ON_TWO), failed(WITHOUT), failed()):
        groups.add(info)
    (group,) = groups.largest()
    assert group.servers == {"one:1": 1, "two:2": 3, "": 1}
    assert group.versions == {"1.4.2": 1, "1.4.1": 2, "": 2}
