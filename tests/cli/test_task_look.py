"""``asynqpy task ls``, ``inspect`` and ``find``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asynqpy import attempts
from tests.redis.inspected import SINCE, Inspected

from .conftest import Ran, table

Ask = Callable[..., Ran]

COLUMNS = {
    "active": ["ID", "Type", "Payload"],
    "pending": ["ID", "Type", "Payload"],
    "scheduled": ["ID", "Type", "Payload", "Process In"],
    "retry": ["ID", "Type", "Payload", "Next Retry", "Last Error", "Last Failed", "Retried", "Max Retry"],
    "archived": ["ID", "Type", "Payload", "Last Failed", "Last Error"],
    "completed": ["ID", "Type", "Payload", "CompletedAt", "Result"],
    "aggregating": ["ID", "Type", "Payload", "Group"],
}
"""Those of asynq's command."""


def listing(ask: Ask, state: str, *more: str) -> Ran:
    """The list of a state of the queue low."""
    group = ["-g", "g"] if state == "aggregating" else []
    return ask("task", "ls", "-q", "low", "-s", state, *group, *more)


@pytest.mark.parametrize("state", COLUMNS)
def test_each_state_has_its_columns(ask: Ask, low: Inspected, state: str) -> None:
    """Those of asynq, with the values of the task."""
    failed = {"error_msg": "no route", "last_failed_at": SINCE, "retried": 2} if state in ("retry", "archived") else {}
    low.bring(state, "a", {"result": b"done"}, payload=b'{"n": 1}', **failed)
    ran = listing(ask, state)
    assert (ran.code, ran.err) == (0, "")
    head, row = table(ran.out)
    found = dict(zip(head, row, strict=True))
    assert head == COLUMNS[state]
    assert (found["ID"], found["Type"], found["Payload"]) == ("a", "t", '{"n": 1}')
    if failed:
        moment = datetime.fromtimestamp(SINCE, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
        assert (found["Last Error"], found["Last Failed"]) == ("no route", moment)
    if state == "retry":
        assert (found["Next Retry"], found["Retried"], found["Max Retry"]) == ("right now", "2", "25")
    if state == "completed":
        assert found["Result"] == "done"
    if state == "aggregating":
        assert found["Group"] == "g"


@pytest.mark.parametrize("state", COLUMNS)
def test_each_state_as_json(ask: Ask, low: Inspected, state: str) -> None:
    """A page with all that is known of each task."""
    low.bring(state, "a", payload=b'{"n": 1}', headers={"k": "v"})
    found = json.loads(listing(ask, state, "--json").out)
    assert (found["queue"], found["state"], found["page"], found["page_size"], found["total"]) == (
        *("low", state, 1, 30, 1),
    )
    (task,) = found["tasks"]
    assert (task["id"], task["state"], task["payload"], task["headers"]) == ("a", state, '{"n": 1}', {"k": "v"})
    assert (task["payload_base64"], task["is_readable"]) == (None, True)


def test_an_empty_state_says_so(ask: Ask, low: Inspected) -> None:
    """With state and queue, or the group."""
    assert listing(ask, "retry") == (0, "No retry tasks in queue 'low'\n", "")
    assert listing(ask, "aggregating").out == "No aggregating tasks in group 'g' of queue 'low'\n"


def test_pages(ask: Ask, low: Inspected) -> None:
    """The first is 1, and so is a negative one, as in asynq; size 0 lists all; behind the last it says how many."""
    low.many("pending", 7)
    assert [row[0] for row in table(listing(ask, "pending", "--size", "3").out)[1:]] == [
        "t-00000",
        "t-00001",
        "t-00002",
    ]
    second = table(listing(ask, "pending", "--size", "3", "--page", "2").out)[1:]
    assert [row[0] for row in second] == ["t-00003", "t-00004", "t-00005"]
    assert listing(ask, "pending", "--size", "3", "--page", "-1").out == listing(ask, "pending", "--size", "3").out
    assert len(table(listing(ask, "pending", "--size", "0").out)) == 8
    assert listing(ask, "pending", "--page", "9").out == "No pending tasks in queue 'low' on page 9; there are 7\n"
    assert [row[0] for row in table(listing(ask, "pending", "--size", "2", "--reverse").out)[1:]] == [
        "t-00006",
        "t-00005",
    ]


def test_large_pages(ask: Ask, low: Inspected) -> None:
    """Larger ones than the inspector reads at once."""
    wanted = low.many("scheduled", 2100)
    rows = table(listing(ask, "scheduled", "--size", "1050", "--page", "2").out)[1:]
    assert [row[0] for row in rows] == wanted[1050:]


def test_all_are_streamed(ask: Ask, low: Inspected) -> None:
    """One table; as JSON one task a line."""
    wanted = low.many("archived", 250)
    assert [row[0] for row in table(listing(ask, "archived", "--all").out)[1:]] == wanted
    low.archived("an-id-that-is-longer", SINCE - 1)
    *_, last = listing(ask, "archived", "--all").out.splitlines()
    assert last == f"{wanted[-1]:<20}  t"  # in another piece, and as wide as the first one
    low.redis.zrem(low.keys.archived, "an-id-that-is-longer")
    lines = listing(ask, "archived", "--all", "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == wanted
    assert ask("task", "ls", "-q", "low", "-s", "pending", "--all").out == "No tasks found\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-q", "low"], "Missing option"),
        (["-s", "pending"], "Missing option"),
        (["-q", "low", "-s", "nope"], "'nope' is not a state: it is one of active, pending"),
        (["-q", "low", "-s", "aggregating"], "name one with"),
        (["-q", "low", "-s", "pending", "-g", "g"], "only tasks of state 'aggregating' are in a group"),
        (["-q", "low", "-s", "pending", "--size", "-1"], "--size"),
    ],
)
def test_what_cannot_be_listed(ask: Ask, low: Inspected, arguments: list[str], expected: str) -> None:
    """Wrong usage is one line, and exit code 2."""
    ran = ask("task", "ls", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert expected in ran.err


def test_payloads_that_are_no_text(ask: Ask, low: Inspected) -> None:
    """Bytes in hexadecimal; what would break a row, or play with the terminal, is escaped; blanks and nothing stay."""
    for number, payload in enumerate([b"\x00\xff", "Zoë\n\tx".encode(), b"\x1b[31mred", b"", b"   x"]):
        low.bring("pending", f"t{number}", payload=payload)
    rows = table(listing(ask, "pending").out)[1:]
    assert [row[2] for row in rows] == ["0x00ff", "Zoë\\n\\tx", "0x1b5b33316d726564", "", "x"]
    tasks = json.loads(listing(ask, "pending", "--json").out)["tasks"]
    assert (tasks[0]["payload"], tasks[0]["payload_base64"]) == (None, "AP8=")
    assert tasks[2]["payload"] == "\x1b[31mred"


def test_inspect_shows_everything(ask: Ask, low: Inspected) -> None:
    """Payload with indentation, headers, error, traceback, and the commands for what can be done."""
    low.archived(
        "a",
        SINCE,
        {"py:traceback": "Traceback\n  File x\nValueError: no", "py:crashes": 2},
        payload=b'{"user":{"id":1}}',
        headers={"trace": "7f"},
        retried=3,
        error_msg="no",
        last_failed_at=SINCE,
        retention=3600,
    )
    ran = ask("task", "inspect", "a", "-q", "low")
    assert (ran.code, ran.err) == (0, "")
    for line in (
        "Queue:             low",
        "ID:                a",
        "State:             archived",
        "Retried:           3/25",
        "Next process time: n/a",
        "Timeout:           30m",
        "Retention:         1h",
        "Lost with workers: 2 times",
        "Header:            trace=7f",
        '    "id": 1',
        "Error message: no",
        "  File x",
        "asynqpy task run -q low a     run it now",
        "asynqpy task delete -q low a  delete it",
    ):
        assert line in ran.out.splitlines(), line


@pytest.mark.parametrize("state", COLUMNS)
def test_inspect_of_each_state(ask: Ask, low: Inspected, state: str) -> None:
    """In text and in JSON, found in whatever queue it is."""
    low.bring(state, "a", {"result": b'{"sent": 1}', "py:progress": 0.5, "py:progress_text": "half"})
    text = ask("task", "inspect", "--id", "a")
    assert f"State:             {state}" in text.out
    assert '  "sent": 1' in text.out
    assert "Progress:          50% half" in text.out
    found = json.loads(ask("task", "inspect", "a", "--json").out)
    assert (found["id"], found["queue"], found["state"], found["result"]) == ("a", "low", state, '{"sent": 1}')
    assert found["progress"] == 0.5


def test_inspect_tells_of_failed_attempts(ask: Ask, low: Inspected) -> None:
    """The newest first; their tracebacks are in the JSON."""
    runner = attempts.Runner("host:7", "1.4.2")
    first = attempts.encode("boom", now=SINCE, traceback=b"where", runner=runner, ran_seconds=1.5, retried=0)
    last = attempts.encode("the worker died", now=SINCE + 60, is_lost=True)
    low.bring("retry", "a", {"py:attempts": first + b"\n" + last})
    lines = ask("task", "inspect", "a", "-q", "low").out.splitlines()
    at = lines.index("Failed Attempts")
    assert lines[at + 1].endswith("  the worker died")
    assert lines[at + 2].endswith("  on host:7  version 1.4.2  after 1.500 s  boom")
    found = json.loads(ask("task", "inspect", "a", "-q", "low", "--json").out)["attempts"]
    assert [(each["error"], each["traceback"], each["is_lost"]) for each in found] == [
        ("boom", "where", False),
        ("the worker died", None, True),
    ]
    assert (found[0]["worker"], found[0]["seconds"], found[1]["seconds"]) == ("host:7", 1.5, None)
    assert (found[0]["app_version"], found[1]["app_version"]) == ("1.4.2", None)


def test_inspect_of_several(ask: Ask, low: Inspected) -> None:
    """One after the other; as JSON a list."""
    low.pending("a", "b")
    assert ask("task", "inspect", "a", "b").out.count("Task Info") == 2
    assert [task["id"] for task in json.loads(ask("task", "inspect", "a", "b", "--json").out)["tasks"]] == ["a", "b"]


def test_inspect_in_utc(ask: Ask, low: Inspected) -> None:
    """Moments as they are in UTC, and how far away."""
    low.archived("a", SINCE)
    assert "Archived at:       2023-11-14 22:13:20Z (" in ask("task", "inspect", "a", "--utc").out


def test_tasks_that_are_not_there(ask: Ask, low: Inspected) -> None:
    """Exit code 4, whether a queue was named or not; a name is needed."""
    assert ask("task", "inspect", "none") == (4, "", "asynqpy: there is no task 'none' in any queue\n")
    assert ask("task", "inspect", "none", "-q", "low").code == 4
    assert ask("task", "inspect", "none", "-q", "nowhere").code == 4
    assert ask("task", "inspect").code == 2


def test_an_id_in_two_queues_needs_the_queue(ask: Ask, low: Inspected) -> None:
    """It could be either."""
    low.pending("a")
    Inspected(low.redis, "high").pending("a")
    ran = ask("task", "inspect", "a")
    assert (ran.code, ran.out) == (2, "")
    assert "in each of the queues high, low: say which with --queue" in ran.err


def test_a_message_that_nobody_can_read_is_shown(ask: Ask, low: Inspected) -> None:
    """Its bytes, and that it cannot be read."""
    low.pending("a")
    low.redis.hset(low.keys.task("a"), "msg", b"\xff\xff")
    assert "(unreadable)" in listing(ask, "pending").out
    assert "its message cannot be read" in ask("task", "inspect", "a").out


def find(ask: Ask, *arguments: str) -> list[str]:
    """The ids that are found."""
    ran = ask("task", "find", *arguments, "--ids")
    assert (ran.code, ran.err) == (0, "")
    return [line.split("\t")[1] for line in ran.out.splitlines()]


def test_find_by_what_tasks_are(ask: Ask, low: Inspected) -> None:
    """Type, payload, error, state, queue, group, time, each by itself and together."""
    low.bring("pending", "a", type="email:welcome", payload=b'{"user": 42}')
    low.archived("b", SINCE, type="email:bye", error_msg="smtp timeout", last_failed_at=SINCE)
    low.grouped("c", "g", type="note")
    high = Inspected(low.redis, "high")
    high.bring("pending", "d", type="email:welcome")
    assert find(ask, "--type", "email:*") == ["d", "a", "b"]
    assert find(ask, "-t", "email:*", "-q", "low") == ["a", "b"]
    assert find(ask, "--payload", "42") == ["a"]
    assert find(ask, "--error", "timeout") == ["b"]
    assert find(ask, "--state", "archived") == ["b"]
    assert find(ask, "--group", "g") == ["c"]
    assert find(ask, "--id-prefix", "b") == ["b"]
    assert find(ask, "a", "d") == ["a", "d"]
    assert find(ask, "-s", "archived", "--since", "2023-11-14T22:13:20Z") == ["b"]
    assert find(ask, "-s", "archived", "--until", "2023-11-14T22:13:20Z") == []
    assert find(ask, "-t", "email:*", "--limit", "1") == ["d"]


def test_find_by_headers_and_fields(ask: Ask, low: Inspected) -> None:
    """With a value, or there at all; all that is given must hold."""
    low.bring("retry", "a", payload=b'{"user":{"id":7,"name":"Jo A"}}', headers={"tenant": "acme", "trace": "1"})
    low.bring("retry", "b", payload=b'{"user":{"id":"7"}}', headers={"tenant": "acme"})
    assert find(ask, "--field", "user.id=7") == ["a"]
    assert find(ask, "--field", 'user.id="7"') == ["b"]
    assert find(ask, "--field", "user.id") == ["a", "b"]
    assert find(ask, "--field", "user.id=7", "--field", "user.name=Jo A") == ["a"]
    assert find(ask, "--field", "user.id=7", "--field", "user.name=Jo") == []
    assert find(ask, "--header", "tenant=acme") == ["a", "b"]
    assert find(ask, "--header", "tenant=acme", "--header", "trace") == ["a"]
    assert find(ask, "--header", "tenant=acme", "--field", 'user.id="7"') == ["b"]


def test_find_as_text(ask: Ask, low: Inspected) -> None:
    """A row each; nothing is a word; a search that was cut short says how far it was."""
    low.many("pending", 3)
    assert [row[:4] for row in table(ask("task", "find", "-t", "t").out)][:2] == [
        ["Queue", "State", "ID", "Type"],
        ["low", "pending", "t-00000", "t"],
    ]
    assert ask("task", "find", "-t", "nope") == (0, "No tasks found\n", "")
    cut_short = ask("task", "find", "--limit", "1").err
    assert cut_short.startswith("looked at ")
    assert cut_short.endswith(" of 3 tasks, found 1\n")


def test_find_as_json(ask: Ask, low: Inspected) -> None:
    """A task a line, then how much was looked at."""
    low.many("pending", 3)
    *tasks, coverage = map(json.loads, ask("task", "find", "-t", "t", "--json").out.splitlines())
    assert [task["id"] for task in tasks] == ["t-00000", "t-00001", "t-00002"]
    assert coverage == {"scanned": 3, "matched": 3, "total": 3, "is_complete": True}


def test_find_refuses_what_cannot_be(ask: Ask, low: Inspected) -> None:
    """An unknown state, a moment that is none, an unknown queue."""
    assert ask("task", "find", "-s", "nope").code == 2
    assert "is not a moment" in ask("task", "find", "--since", "soon").err
    assert ask("task", "find", "-q", "none").code == 4
    assert "'user..id' is no path of a field" in ask("task", "find", "--field", "user..id=7").err
    assert "is asked for twice" in ask("task", "find", "--header", "a=1", "--header", "a=2").err


def test_scheduled_tasks_tell_when(ask: Ask, low: Inspected) -> None:
    """By how far away it is, or with --utc by the clock."""
    due = datetime.now(UTC) + timedelta(hours=2, minutes=5, seconds=30)
    low.waiting("scheduled", "a", due.timestamp())
    assert table(listing(ask, "scheduled").out)[1][3] in ("in 2h5m", "in 2h6m")
    shown: Any = table(listing(ask, "scheduled", "--utc").out)[1][3]
    assert abs(datetime.fromisoformat(shown) - due) <= timedelta(seconds=1)
