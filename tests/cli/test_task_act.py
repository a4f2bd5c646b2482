"""Commands that act on tasks: run, archive, delete, cancel, again, edit, enqueue, wait, watch."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynqpy import Client, Task, TaskState
from asynqpy._wire.records import TaskMessage
from asynqpy.actions import Action, states_of
from tests.redis.inspected import Inspected
from tests.servers import wait_until

from .conftest import Ran

Ask = Callable[..., Ran]

TOLD = {
    "run": "task 'a' is pending now\n",
    "archive": "task 'a' is archived\n",
    "delete": "task 'a' is deleted\n",
    "cancel": "task 'a' was asked to stop\n",
}
ALL_STATES = [state.value for state in TaskState]


def state_of(low: Inspected, task_id: str = "a") -> str | None:
    """Where a task is; None when it is gone."""
    found = low.redis.hget(low.keys.task(task_id), "state")
    return found.decode() if found else None


@pytest.mark.parametrize("state", ALL_STATES)
@pytest.mark.parametrize("action", TOLD)
def test_the_table_of_actions_is_what_happens(ask: Ask, low: Inspected, action: str, state: str) -> None:
    """What a state allows is done; what it does not is refused with the state, exit code 1, and nothing changes."""
    low.bring(state, "a")
    confirmed = ["--yes"] if action == "delete" else []
    ran = ask("task", action, "a", "-q", "low", *confirmed)
    if TaskState(state) in states_of(Action(action)):
        assert ran == (0, TOLD[action], "")
        wanted = {"run": "pending", "archive": "archived", "delete": None, "cancel": "active"}[action]
        assert state_of(low) == wanted
    else:
        assert (ran.code, ran.out) == (1, "")
        assert f"task 'a' in queue 'low' is {state}" in ran.err
        assert state_of(low) == state


@pytest.mark.parametrize("name", ["rm", "remove", "delete"])
def test_delete_has_the_names_of_asynq(ask: Ask, low: Inspected, name: str) -> None:
    """And asynq's options; the queue may be left out."""
    low.pending("a")
    assert ask("task", name, "--id", "a", "--yes").code == 0
    assert state_of(low) is None


def test_delete_asks(ask: Ask, low: Inspected) -> None:
    """Where nobody can be asked it is refused."""
    low.pending("a")
    ran = ask("task", "delete", "-q", "low", "-i", "a")
    assert (ran.code, ran.err) == (
        2,
        "asynqpy: Delete task 'a' of queue 'low'? Nobody can be asked here, so say yes with --yes\n",
    )
    assert state_of(low) == "pending"


def test_of_several_tasks_the_others_are_done(ask: Ask, low: Inspected) -> None:
    """Each failure is told once; as JSON with all others."""
    low.bring("retry", "a")
    low.pending("b")
    ran = ask("task", "run", "b", "none", "a", "-q", "low")
    assert (ran.code, ran.out) == (5, TOLD["run"])
    assert ran.err.splitlines()[:2] == [
        "asynqpy: task 'b' in queue 'low' is pending; it is ready to run already",
        "asynqpy: there is no task 'none' in queue 'low'; `asynqpy task find` looks in all of them",
    ]
    outcomes = json.loads(ask("task", "run", "b", "a", "-q", "low", "--json").out)["outcomes"]
    assert [outcome["is_done"] for outcome in outcomes] == [False, False]


def test_what_was_found_is_piped_on(ask: Ask, low: Inspected, monkeypatch: pytest.MonkeyPatch) -> None:
    """``task find --ids | task run -`` acts on tasks of any queue."""
    low.archived("a", error_msg="timeout")
    high = Inspected(low.redis, "high")
    high.archived("a", error_msg="timeout")
    found = ask("task", "find", "--error", "timeout", "--ids").out
    assert found == "high\ta\nlow\ta\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(found))
    assert ask("task", "run", "-").out == TOLD["run"] * 2
    assert (state_of(low), state_of(high)) == ("pending", "pending")


@pytest.mark.parametrize(
    ("command", "action"), [("runall", "run"), ("archiveall", "archive"), ("deleteall", "delete"), ("run-all", "run")]
)
@pytest.mark.parametrize("state", ALL_STATES)
def test_all_tasks_of_a_state(ask: Ask, low: Inspected, command: str, action: str, state: str) -> None:
    """Those that are allowed are done and counted; the others are refused as wrong usage."""
    for number in range(3):
        low.bring(state, f"t{number}")
    group = ["-g", "g"] if state == "aggregating" else []
    confirmed = [] if action == "run" else ["--yes"]
    ran = ask("task", command, "-q", "low", "-s", state, *group, *confirmed)
    if TaskState(state) in states_of(Action(action), of_all=True):
        where = "group 'g' of queue 'low'" if group else "queue 'low'"
        done = {"run": "are pending now", "archive": "were archived", "delete": "were deleted"}[action]
        assert ran == (0, f"3 {state} tasks of {where} {done}\n", "")
        wanted = {"run": "pending", "archive": "archived", "delete": None}[action]
        assert {state_of(low, f"t{number}") for number in range(3)} == {wanted}
    else:
        assert (ran.code, ran.out) == (2, "")
        assert f"cannot {action} all {state} tasks" in ran.err
        assert state_of(low, "t0") == state


def test_bulk_commands_tell_what_they_would_do(ask: Ask, low: Inspected) -> None:
    """--dry-run asks nothing and does nothing."""
    low.archived("a")
    assert ask("task", "deleteall", "-q", "low", "-s", "archived", "--dry-run") == (
        0,
        "would delete 1 archived task of queue 'low'\n",
        "",
    )
    assert state_of(low) == "archived"


def test_bulk_commands_as_json(ask: Ask, low: Inspected) -> None:
    """How many, of what."""
    low.archived("a")
    assert json.loads(ask("task", "runall", "-q", "low", "-s", "archived", "--json").out) == {
        "action": "run",
        "queue": "low",
        "state": "archived",
        "group": None,
        "count": 1,
        "is_dry_run": False,
    }


@pytest.mark.parametrize("command", ["archiveall", "deleteall"])
def test_bulk_commands_ask(ask: Ask, low: Inspected, command: str) -> None:
    """What takes away is refused where nobody can be asked; where there is nothing there is nothing to ask."""
    empty = ask("task", command, "-q", "low", "-s", "retry")
    assert (empty.code, empty.err) == (0, "")
    low.bring("retry", "a")
    ran = ask("task", command, "-q", "low", "-s", "retry")
    assert ran.code == 2
    assert "1 retry task of queue 'low'? Nobody can be asked here" in ran.err
    assert state_of(low) == "retry"


def test_groups_in_bulk_commands(ask: Ask, low: Inspected) -> None:
    """A group is needed for aggregating tasks, and for them alone."""
    low.grouped("a")
    assert "name one with --group" in ask("task", "deleteall", "-q", "low", "-s", "aggregating", "-y").err
    assert "only aggregating tasks" in ask("task", "deleteall", "-q", "low", "-s", "retry", "-g", "g", "-y").err


def test_cancel_is_published(ask: Ask, low: Inspected) -> None:
    """For whichever server runs the task."""
    low.active("a")
    listener = low.redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("asynq:cancel")
    listener.get_message(timeout=5)
    assert ask("task", "cancel", "a").code == 0
    message = listener.get_message(timeout=5)
    assert message is not None
    assert message["data"] == b"a"
    listener.close()


@pytest.mark.parametrize("state", ["archived", "completed"])
def test_again_makes_a_copy(ask: Ask, low: Inspected, state: str) -> None:
    """Under a new id, in this queue or another, with its payload or another; the task stays."""
    low.bring(state, "a", payload=b"x")
    ran = ask("task", "again", "a", "--json")
    copy = json.loads(ran.out)
    assert (copy["queue"], copy["state"], copy["payload"]) == ("low", "pending", "x")
    assert copy["id"] != "a"
    text = ask("task", "again", "a", "--to", "high", "--payload", "y")
    assert text.out.startswith("task 'a' is enqueued again as '")
    assert text.out.endswith("' in queue 'high'\n")
    assert state_of(low) == state


def test_again_of_several(ask: Ask, low: Inspected) -> None:
    """A line each; what cannot be done again is told."""
    low.archived("a")
    low.archived("b")
    low.pending("c")
    assert ask("task", "again", "a", "b").out.count("is enqueued again as") == 2
    ran = ask("task", "again", "a", "c")
    assert ran.code == 5
    assert "task 'c' in queue 'low' is pending; only completed and archived tasks are enqueued again" in ran.err
    assert "cannot be read" in ask("task", "again", "a", "--payload", "@/nowhere").err


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a program the editor; it gets the file as ``$1`` and what it saw is kept beside it."""
    monkeypatch.delenv("VISUAL", raising=False)
    program = tmp_path / "editor"
    seen = tmp_path / "seen"

    def make(script: str) -> Path:
        program.write_text(f'#!/bin/sh\ncp "$1" {seen}\n{script}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EDITOR", str(program))
        return seen

    return make


def payload(low: Inspected) -> bytes:
    """The payload of the task a."""
    return TaskMessage.decode(low.redis.hget(low.keys.task("a"), "msg")).payload


def test_edit_in_an_editor(ask: Ask, low: Inspected, editor: Any) -> None:
    """JSON comes with indentation and is stored without; numbers stay as they are written."""
    low.archived("a", payload=b'{"n":1.10,"big":12345678901234567890}')
    seen = editor("sed -i 's/1.10/2.50/' \"$1\"")
    assert ask("task", "edit", "a") == (0, "task 'a' has a new payload\n", "")
    assert seen.read_text() == '{\n  "n": 1.10,\n  "big": 12345678901234567890\n}\n'
    assert payload(low) == b'{"n":2.50,"big":12345678901234567890}'


def test_edit_of_text(ask: Ask, low: Inspected, editor: Any) -> None:
    """What is no JSON is stored as it is, without the last newline that editors add."""
    low.pending("a")
    low.redis.hset(low.keys.task("a"), "msg", low.message("a", payload=b"hello").encode())
    editor('echo world > "$1"')
    assert ask("task", "edit", "a").code == 0
    assert payload(low) == b"world"


def test_edit_without_a_change(ask: Ask, low: Inspected, editor: Any) -> None:
    """Nothing is stored; that is no failure."""
    low.archived("a", payload=b'{"n":1}')
    editor("true")
    assert ask("task", "edit", "a") == (0, "", "asynqpy: nothing was changed\n")


@pytest.mark.parametrize(
    ("script", "code", "expected"),
    [
        ("echo '{' > \"$1\"", 2, "this is no JSON, and the payload was: nothing was stored"),
        ("exit 3", 1, "the editor ended with code 3: nothing was stored"),
    ],
)
def test_edit_that_goes_wrong_stores_nothing(
    ask: Ask, low: Inspected, editor: Any, script: str, code: int, expected: str
) -> None:
    """Broken JSON, an editor that fails."""
    low.archived("a", payload=b'{"n":1}')
    editor(script)
    assert ask("task", "edit", "a") == (code, "", f"asynqpy: {expected}\n")
    assert payload(low) == b'{"n":1}'


def test_edit_with_an_editor_that_is_not_there(ask: Ask, low: Inspected, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to set."""
    low.archived("a", payload=b"x")
    monkeypatch.setenv("VISUAL", "/nowhere/editor --wait")
    ran = ask("task", "edit", "a")
    assert (ran.code, ran.out) == (2, "")
    assert "the editor does not start" in ran.err


def test_reschedule(ask: Ask, low: Inspected) -> None:
    """In a while or at a moment, several at once; what waits for no moment is refused."""
    low.bring("scheduled", "a")
    low.bring("retry", "b")
    ran = ask("task", "reschedule", "a", "b", "--at", "2126-01-01T00:00:00Z")
    assert (ran.code, ran.err) == (0, "")
    assert [line.partition(" waits until ")[0] for line in ran.out.splitlines()] == [
        "task 'a' in queue 'low'",
        "task 'b' in queue 'low'",
    ]
    assert low.redis.zscore(low.keys.scheduled, "a") == low.redis.zscore(low.keys.retry, "b") == 4_922_899_200
    assert ask("task", "reschedule", "a", "-q", "low", "--in", "1h").code == 0
    assert low.redis.zscore(low.keys.scheduled, "a") < 4_922_899_200
    for arguments in ((), ("--in", "1h", "--at", "2126-01-01T00:00:00Z")):
        ran = ask("task", "reschedule", "a", *arguments)
        assert (ran.code, "--in 2h or --at" in ran.err) == (2, True)
    low.archived("c")
    ran = ask("task", "reschedule", "c", "--in", "1h")
    assert (ran.code, "wait for a moment" in ran.err) == (1, True)


def test_edit_while_others_change_it(ask: Ask, low: Inspected, editor: Any, redis_url: str) -> None:
    """The change of the others stays."""
    low.archived("a", payload=b'{"n":1}')
    command = f"{sys.executable} -m asynqpy task edit a --payload '{{\"n\":3}}' -r {redis_url}"
    editor(f'{command}\necho \'{{"n":2}}\' > "$1"')
    ran = ask("task", "edit", "a")
    assert ran.code == 1
    assert "was changed by somebody else meanwhile" in ran.err
    assert payload(low) == b'{"n":3}'


@pytest.mark.parametrize("state", ALL_STATES)
def test_edit_on_the_line(ask: Ask, low: Inspected, state: str) -> None:
    """What waits or is archived; the rest is refused."""
    low.bring(state, "a", payload=b"x")
    ran = ask("task", "edit", "a", "--payload", "y", "--json")
    if TaskState(state) in states_of(Action.EDIT):
        assert (ran.code, json.loads(ran.out)["payload"]) == (0, "y")
        assert payload(low) == b"y"
    else:
        assert (ran.code, ran.out) == (1, "")
        assert f"task 'a' in queue 'low' is {state}" in ran.err


def test_edit_on_the_line_keeps_json_json(ask: Ask, low: Inspected) -> None:
    """In place of JSON there must be JSON; a payload of bytes is given as a file; one task at a time."""
    low.archived("a", payload=b"{}")
    low.archived("b", payload=b"\x00")
    assert "the payload was JSON, and the new one is not" in ask("task", "edit", "a", "--payload", "y").err
    assert "give another one with --payload @FILE" in ask("task", "edit", "b").err
    assert ask("task", "edit", "a", "b").code == 2


def test_enqueue_as_in_asynq(ask: Ask, low: Inspected) -> None:
    """Its spellings, so that scripts keep working."""
    ran = ask(
        *("task", "enqueue", "--type_name=email", "--payload", '{"n":1}', "--queue", "low", "--id", "a"),
        *("--retry", "3", "--timeout", "1m", "--process_in", "1h", "--retention", "24h"),
    )
    assert ran.code == 0, ran.err
    message = TaskMessage.decode(low.redis.hget(low.keys.task("a"), "msg"))
    assert (message.type, message.payload, message.retry, message.timeout, message.retention) == (
        *("email", b'{"n":1}', 3, 60, 86_400),
    )
    assert state_of(low) == "scheduled"


def test_enqueue_as_ours(ask: Ask, low: Inspected) -> None:
    """The same as the command of that name."""
    assert ask("task", "enqueue", "email", "x", "-q", "low", "--id", "a").out == "email  id=a  queue=low  pending\n"
    assert json.loads(ask("task", "enqueue", "-t", "email", "-l", "@x", "-q", "low", "--json").out)["payload"] == "@x"
    assert "a task needs a type" in ask("task", "enqueue").err


def test_wait_prints_the_result(ask: Ask, low: Inspected) -> None:
    """As it is; with --json the task."""
    low.bring("completed", "a", {"result": b'{"sent": true}'})
    assert ask("task", "wait", "a") == (0, '{"sent": true}', "")
    assert json.loads(ask("task", "wait", "a", "--json").out)["result"] == '{"sent": true}'


def test_wait_for_a_task_that_has_failed(ask: Ask, low: Inspected) -> None:
    """Exit code 1 and its error."""
    low.archived("a", error_msg="no route")
    ran = ask("task", "wait", "a", "-q", "low")
    assert (ran.code, ran.out, ran.err) == (1, "", "asynqpy: task 'a' in queue 'low' has failed: no route\n")


def test_wait_that_takes_too_long(ask: Ask, low: Inspected) -> None:
    """Exit code 124; it goes on."""
    low.pending("a")
    ran = ask("task", "wait", "a", "--timeout", "0")
    assert (ran.code, ran.out) == (124, "")
    assert "it goes on" in ran.err
    assert ask("task", "wait", "a", "b", "-q", "low").code == 2


def test_wait_is_woken_by_the_end(low: Inspected, start: Callable[..., Any], redis_url: str) -> None:
    """The task ends while somebody waits: its result is printed."""
    with Client(redis_url) as client:
        client.enqueue(Task("t"), queue="low", task_id="a", retention=60)
    program = start("task", "wait", "a")
    wait_until(lambda: any("t" in each["flags"] for each in low.redis.client_list()))  # it is told of changes
    low.redis.delete(low.keys.pending)
    low.redis.hset(low.keys.task("a"), mapping={"state": "completed", "result": b"done"})
    low.redis.zadd(low.keys.completed, {"a": low.now() + 60})
    assert program.wait() == 0
    assert program.output == "done"


def test_watch_tells_each_change(ask: Ask, low: Inspected) -> None:
    """A line for each, until the end; as JSON the task."""
    low.archived("a", error_msg="no route", retried=2)
    ran = ask("task", "watch", "a", "--utc")
    assert ran.code == 0
    assert ran.out.split("Z  ", 1)[1] == "archived  retried 2/25  no route\n"
    assert json.loads(ask("task", "watch", "a", "--json").out)["state"] == "archived"


def test_watch_until_it_is_gone(low: Inspected, start: Callable[..., Any]) -> None:
    """Pending, active with progress, gone: three lines, and a good end."""
    low.pending("a")
    program = start("task", "watch", "a", "--interval", "0.05")
    program.until("pending")
    low.redis.delete(low.keys.pending)
    low.active("a", fields={"py:progress": 0.25, "py:progress_text": "a quarter"})
    program.until("active  25% a quarter")
    low.redis.delete(low.keys.task("a"), low.keys.active, low.keys.lease)
    program.until("gone: it has succeeded and was not kept, or was deleted")
    assert program.wait() == 0


def test_watch_that_takes_too_long(ask: Ask, low: Inspected) -> None:
    """Exit code 124."""
    low.pending("a")
    ran = ask("task", "watch", "a", "--timeout", "0")
    assert (ran.code, ran.err) == (124, "asynqpy: task 'a' has not ended in time; it goes on\n")
