"""``asynqpy demo``: what it shows, and that it ends."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from rich.console import Console

from asynqpy._broker.inspect.queues import QueueCounts
from asynqpy.cli.demo.figures import STATES, Figures
from asynqpy.cli.demo.journal import Event, Journal, JournalHandler, Kind
from asynqpy.cli.demo.screen import line, screen, summary
from asynqpy.cli.demo.workload import WEIGHTS
from tests.servers import wait_until

from .conftest import Ran
from .programs import LIMIT_SECONDS, Program, environment


def peaks(text: str) -> dict[str, int]:
    """The largest numbers in a summary."""
    found = re.search(r"Most at once: ([^.]*)\.", " ".join(text.split()))
    assert found, text
    return {state: int(number) for number, state in (each.split() for each in found[1].split(", "))}


def test_it_ends_by_itself_with_a_summary(complete: Callable[..., Ran], folder: Path) -> None:
    """With --seconds: a line a second where there is no terminal, then what happened; every state was seen."""
    ran = complete("demo", "--seconds", "6", TMPDIR=str(folder))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert re.fullmatch(r"web dashboard: http://127\.0\.0\.1:\d+/", lines[0])
    assert 3 <= sum(line.startswith(("1s", "2s", "3s", "4s", "5s", "6s")) for line in lines) <= 6
    assert all(peaks(ran.out)[state] > 0 for state in STATES), ran.out
    assert re.search(r"[1-9]\d* of them +failed", " ".join(ran.out.split()))
    assert not list(folder.glob("asynqpy-demo-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(start: Callable[..., Program], number: signal.Signals) -> None:
    """Ctrl-C is how it is meant to end: the summary comes, and the exit code is 0."""
    demo = start("demo")
    demo.until("pending=")
    assert demo.end(number) == 0
    assert "Most at once" in demo.output


def test_a_redis_of_ones_own(complete: Callable[..., Ran], redis: Redis, redis_url: str) -> None:
    """With --redis it keeps to queues of its own, and says what stays."""
    redis.set("mine", "untouched")
    ran = complete("demo", "--seconds", "1", "--redis", redis_url, ASYNQPY_REDIS_URL="redis://127.0.0.1:1")
    assert ran.code == 0, ran.err
    queues = [f"demo-{queue}" for queue in WEIGHTS]
    assert ", ".join(queues) in " ".join(ran.out.split())
    found = redis.smembers("asynq:queues")
    assert b"demo-critical" in found
    assert {queue.decode() for queue in found} <= set(queues)
    assert redis.get("mine") == b"untouched"


def test_the_dashboard_shows_something_of_everything(start: Callable[..., Program]) -> None:
    """Its address comes first; behind it are failures of several kinds with tracebacks, groups, schedules, progress."""
    demo = start("demo", "--port", "0")
    demo.until("rate=")
    address = demo.output.splitlines()[0].removeprefix("web dashboard: ")
    with httpx.Client(base_url=f"{address}api/v2/", timeout=LIMIT_SECONDS) as web:

        def items(path: str, **query: object) -> list[Any]:
            answer = web.get(path, params={key: str(value) for key, value in query.items()})
            assert answer.status_code == 200, answer.text
            found: list[Any] = answer.json()["items"]
            return found

        def soon(something: Callable[[], object]) -> None:
            wait_until(lambda: bool(something()), limit_seconds=LIMIT_SECONDS)

        soon(lambda: {queue["queue"] for queue in items("queues")} == set(WEIGHTS))
        soon(lambda: [queue["queue"] for queue in items("queues") if queue["paused"]] == ["backfill"])
        soon(lambda: {"DeclinedError", "UnavailableError"} <= {each["error_class"] for each in items("failures")})
        assert all("workload.py" in each["sample_traceback"] for each in items("failures"))
        soon(lambda: items("queues/default/groups"))
        soon(lambda: [task for task in items("tasks", type="activity:digest", state="completed") if task["result"]])
        soon(lambda: [task for task in items("tasks", queue="media", state="active") if task["progress"]])
        soon(lambda: items("tasks", state="archived") and items("tasks", state="retry"))
        assert {entry["spec"] for entry in items("schedulers")} >= {"@every 15s", "* * * * *"}
        (server,) = items("servers")
        assert "video:encode" in server["handles"]
        with web.stream("GET", "events") as events:
            assert next(events.iter_lines())
            assert demo.end(signal.SIGINT) == 0  # somebody who looks does not keep it
    assert "Most at once" in demo.output


def test_a_port_of_ones_own(complete: Callable[..., Ran]) -> None:
    """Without one 8080 or any other is taken; with one it is that or none."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = complete("demo", "--port", str(taken.getsockname()[1]), "--seconds", "1")
    assert refused.code != 0
    assert "cannot listen on 127.0.0.1" in refused.err
    without = complete("demo", "--no-web", "--seconds", "1")
    assert (without.code, without.err) == (0, "")
    assert "http" not in without.out


def test_in_a_terminal_the_table_changes_in_place(folder: Path) -> None:
    """On a terminal it is a screen: the names of states and queues, drawn again and again, then the summary."""
    master, terminal = pty.openpty()
    demo = subprocess.Popen(
        Program.command(["demo", "--seconds", "2"]),
        cwd=folder,
        env=environment({"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                seen += piece
        assert demo.wait(LIMIT_SECONDS) == 0
    finally:
        demo.kill()
        demo.wait()
        os.close(master)
    text = seen.decode()
    assert text.count("what happens") > 3
    for word in (*STATES, "critical", "low", "duplicates refused", "Most at once"):
        assert word in text


FIGURES = Figures(
    elapsed=83.4,
    counts=[
        QueueCounts("critical", 1, 2, 3, 4, 5, 6, 0, 0, 100, 10, 100, 10, paused=False),
        QueueCounts("low", 1000, 0, 0, 0, 0, 0, 0, 0, 5, 0, 5, 0, paused=False),
    ],
    peaks=dict(zip(STATES, (1200, 10, 3, 4, 5, 6), strict=True)),
    enqueued=1234,
    refused=7,
    processed=105,
    failed=10,
    rate=21.4,
    waits={"critical": 0.0021, "low": None},
    events=[
        Event(datetime(2026, 1, 31, 18, 30, number, tzinfo=UTC), Kind.RETRY, f"event {number}") for number in range(20)
    ],
)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 18)])
def test_the_screen_fits_the_terminal(width: int, height: int) -> None:
    """Whatever its size: no line too many, none too long, and the latest events last."""
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(screen(FIGURES, title="demo", legend={"low": "slow"}, height=height))
    lines = shown.get().rstrip("\n").splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "event 19" in shown.get()
    assert "01:23" in lines[0]


def test_numbers_are_where_they_belong() -> None:
    """A row a queue, the sums below, the waiting time at the end."""
    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        console.print(screen(FIGURES, title="demo", legend={}, height=30))
    rows = {words[0]: words[1:] for line in shown.get().splitlines() if (words := line.split())}
    assert rows["critical"] == ["1", "2", "3", "4", "5", "6", "2.1", "ms"]
    assert rows["low"] == ["1,000", "0", "0", "0", "0", "0", "-"]
    assert rows["all"] == ["1,001", "2", "3", "4", "5", "6"]


def test_the_line_and_the_summary() -> None:
    """The same numbers without a screen."""
    assert line(FIGURES) == (
        "83s pending=1001 active=2 scheduled=3 retry=4 archived=5 completed=6"
        " enqueued=1234 refused=7 processed=105 failed=10 rate=21/s"
    )
    text = " ".join(summary(FIGURES).split())
    assert (
        "In 83.4 s: 1,234 tasks enqueued, 7 duplicates refused, 105 attempts (1 a second), 10 of them failed." in text
    )
    assert "critical 2.1 ms, low -" in text
    assert all(len(each) < 80 for each in summary(FIGURES).splitlines())


def test_log_records_become_events() -> None:
    """A warning of the worker is shown among the events instead of tearing the screen."""
    import logging

    journal = Journal()
    handler = JournalHandler(journal)
    handler.handle(logging.makeLogRecord({"msg": "lost\nmore", "levelno": logging.WARNING}))
    assert [(event.kind, event.text) for event in journal.events] == [(Kind.TROUBLE, "lost")]
