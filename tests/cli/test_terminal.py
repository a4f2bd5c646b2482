"""What commands do on a terminal: colours, questions, progress, showing anew."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import StartProxy, StartServer
from tests.redis.inspected import Inspected

from .programs import Program
from .terminal import Terminal

Open = Callable[..., Terminal]

BOLD = "\x1b[1m"


@pytest.fixture
def terminal(redis_url: str) -> Iterator[Open]:
    """Opens terminals; what still runs at the end of the test is ended."""
    opened: list[Terminal] = []

    def call(*arguments: str, columns: int = 100, **variables: str) -> Terminal:
        known = {"ASYNQPY_REDIS_URL": redis_url, "XDG_CONFIG_HOME": "/nonexistent"} | variables
        opened.append(Terminal(arguments, known, columns=columns))
        return opened[-1]

    yield call
    for each in opened:
        each.close()


def test_colours_on_a_terminal(terminal: Open, low: Inspected) -> None:
    """Headings are bold, JSON is coloured, and long cells are cut to the width."""
    low.archived("a", payload=b'{"text": "' + b"x" * 300 + b'"}', error_msg="no")
    shown = terminal("task", "ls", "-q", "low", "-s", "archived", columns=60)
    assert shown.wait() == 0
    head, dashes, row = shown.text.splitlines()[:3]
    assert head.startswith(BOLD + "ID")
    assert dashes.startswith("\x1b[2m--")
    assert len(row) <= 60
    assert "…" in row
    details = terminal("task", "inspect", "a")
    assert details.wait() == 0
    assert '\x1b[36m"text"\x1b[0m: \x1b[32m"xxx' in details.text


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_nobody_wants_them(terminal: Open, low: Inspected, name: str, value: str) -> None:
    """NO_COLOR, or a terminal that has none."""
    low.pending("a")
    shown = terminal("task", "ls", "-q", "low", "-s", "pending", **{name: value})
    assert shown.wait() == 0
    assert "\x1b" not in shown.text


def test_what_has_no_room_is_named(terminal: Open, low: Inspected) -> None:
    """Columns that matter less are left out; a page tells where the next one is."""
    low.many("retry", 40)
    shown = terminal("task", "ls", "-q", "low", "-s", "retry", columns=50)
    assert shown.wait() == 0
    assert "(no room for " in shown.text
    assert "1 to 30 of 40; --page 2 goes on" in shown.text
    assert max(len(line) for line in shown.text.splitlines() if "\x1b" not in line) <= 50


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("n", 2), ("", 2)])
def test_a_person_is_asked(terminal: Open, low: Inspected, answer: str, code: int) -> None:
    """Yes does it; anything else does nothing, and says so."""
    low.many("archived", 3)
    asking = terminal("task", "deleteall", "-q", "low", "-s", "archived")
    asking.until("Delete 3 archived tasks of queue 'low'? [y/N] ")
    asking.type(answer + "\n")
    assert asking.wait() == code
    assert low.redis.zcard(low.keys.archived) == (0 if code == 0 else 3)
    assert ("3 archived tasks of queue 'low' were deleted" if code == 0 else "nothing was done") in asking.text


def test_ctrl_c_at_a_question_does_nothing(terminal: Open, low: Inspected) -> None:
    """Exit code 130."""
    low.pending("a")
    asking = terminal("task", "delete", "a")
    asking.until("[y/N] ")
    asking.interrupt()
    assert asking.wait() == 130
    assert low.redis.exists(low.keys.task("a"))


def test_progress_is_shown_and_taken_away(terminal: Open, low: Inspected) -> None:
    """A bar with how many there are while it works, and one line when it is done."""
    low.many("archived", 3000)
    shown = terminal("task", "deleteall", "-q", "low", "-s", "archived", "--yes")
    assert shown.wait() == 0
    assert "delete archived" in shown.text
    assert "3000/3000" in shown.text
    assert shown.text.rstrip().endswith("3,000 archived tasks of queue 'low' were deleted")


def test_ctrl_c_ends_between_two_batches(
    terminal: Open, low: Inspected, redis_url: str, start_proxy: StartProxy
) -> None:
    """It tells how far it was, with exit code 130; called again it goes on."""
    low.many("archived", 5000)
    far_away = start_proxy(redis_url, latency=0.1)
    shown = terminal("task", "deleteall", "-q", "low", "-s", "archived", "--yes", "-r", far_away.url)
    shown.until("/5000")
    shown.interrupt()
    assert shown.wait() == 130
    assert " of 5,000 handled so far" in shown.text
    left = low.redis.zcard(low.keys.archived)
    assert 0 < left < 5000
    again = terminal("task", "deleteall", "-q", "low", "-s", "archived", "--yes")
    assert again.wait() == 0
    assert f"{left:,} archived tasks of queue 'low' were deleted" in again.text


def test_an_editor_that_leaves_no_json_is_opened_again(terminal: Open, low: Inspected) -> None:
    """The person decides; no ends it, and nothing is stored."""
    low.archived("a", payload=b'{"n":1}')
    asking = terminal("task", "edit", "a", EDITOR="sh -c 'echo { > $0'")
    asking.until("This is no JSON, and the payload was. Edit it again? [Y/n] ")
    asking.type("\n")
    asking.until("[Y/n] \nThis is no JSON")
    asking.type("n\n")
    assert asking.wait() == 1
    assert "nothing was stored" in asking.text


def test_watching_on_a_terminal(terminal: Open, low: Inspected) -> None:
    """It is drawn anew on another screen, and the last picture stays when Ctrl-C ends it; that is a good end."""
    low.pending("a")
    shown = terminal("task", "ls", "-q", "low", "-s", "pending", "--watch", "0.1")
    shown.until("a   t")
    assert "\x1b[?1049h" in shown.text
    assert "every 0.1s" in shown.text
    low.pending("b")
    shown.until("b   t")
    shown.interrupt()
    assert shown.wait() == 0
    _, _, after = shown.text.rpartition("\x1b[?1049l")
    assert "b   t" in after


def test_watching_goes_on_when_redis_is_away(terminal: Open, low: Inspected, start_server: StartServer) -> None:
    """The last picture stays, with what is wrong above it."""
    server = start_server()
    with server.client() as client:
        Inspected(client, "here")
    shown = terminal("queue", "ls", "--watch", "0.1", "-r", server.url)
    shown.until("here")
    server.close()
    shown.until("Redis")
    assert shown.process.poll() is None
    shown.interrupt()
    assert shown.wait() == 0


def test_watching_for_programs(low: Inspected, start: Callable[..., Program]) -> None:
    """A document a line; every line is whole."""
    low.pending("a")
    program = start("queue", "ls", "--watch", "0.1", "--json")
    program.until('"name":"low"', times=3)
    program.send(signal.SIGINT)
    assert program.wait() == 0
    assert {json.loads(line)["queues"][0]["name"] for line in program.output.splitlines()} == {"low"}


def test_a_pipe_that_is_closed_is_no_traceback(low: Inspected, redis_url: str) -> None:
    """``… | head -1``."""
    low.many("archived", 3000)
    command = f"{sys.executable} -m asynqpy task ls -q low -s archived --all --json -r {redis_url} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert json.loads(done.stdout)["id"] == "t-00000"
    assert done.stderr == ""
