"""The command as a whole: help, version, errors, exit codes, what it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import typer

from asynqpy import (
    BrokerError,
    ConfigError,
    QueryError,
    QueueNotEmptyError,
    QueueNotFoundError,
    TaskNotFoundError,
    TaskStateError,
    WaitTimeoutError,
    __version__,
)
from asynqpy.cli import app
from asynqpy.cli.app import COMMANDS
from asynqpy.cli.failures import DoneInPartError, ExitCode, RefusedError, exit_code_of, line_of

from .conftest import Ran

Run = Callable[..., Ran]

NOWHERE = "redis://127.0.0.1:1/0"
"""Nothing listens there."""


def test_alone_it_shows_its_commands(run: Run) -> None:
    """Without arguments the help comes, on standard output, and that is no failure."""
    code, out, err = run()
    assert (code, err) == (0, "")
    for command in COMMANDS:
        assert command in out
    assert "Exit codes" in out


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(run: Run, command: str, option: str) -> None:
    """-h and --help work everywhere."""
    code, out, err = run(*filter(None, [command]), option)
    assert (code, err) == (0, "")
    assert out.lstrip().startswith("Usage: asynqpy")


@pytest.mark.parametrize("command", ["queue", "task", "group", "server", "cron"])
def test_a_group_alone_shows_its_commands(run: Run, command: str) -> None:
    """As the whole does."""
    code, out, err = run(command)
    assert (code, err) == (0, "")
    assert "ls" in out
    mistyped = run(command, "lst")
    assert (mistyped.code, mistyped.out) == (2, "")
    assert "No such command 'lst'. Did you mean" in mistyped.err


def test_the_list_and_the_command_tell_the_same(run: Run) -> None:
    """The line in the list of commands is the first line of the command's own help."""
    for command, purpose in COMMANDS.items():
        assert purpose.split(".")[0].split(",")[0] in " ".join(run(command, "--help").out.split())


@pytest.mark.parametrize("option", ["--version", "-V", "-v"])
def test_version(run: Run, option: str) -> None:
    """The name and the version, one line."""
    assert run(option) == (0, f"asynqpy {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope"], "No such command 'nope'"),
        (["--nope"], "No such option: --nope"),
        (["enqueue"], "Missing argument 'TYPE'"),
        (["enqueue", "t", "--nope"], "No such option: --nope"),
        (["enqueue", "t", "--max-retry", "many"], "--max-retry"),
        (["enqueue", "t", "-r", "gopher://x"], "unsupported scheme 'gopher'"),
        (["worker", "tasks", "--log-format", "xml"], "--log-format"),
        (["demo", "--seconds", "0"], "--seconds"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, arguments: list[str], expected: str) -> None:
    """What is wrong, on standard error, in one line, with exit code 2."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1
    assert err.startswith("asynqpy: ")


@pytest.mark.parametrize("arguments", [["enqueue", "t"], ["demo", "--seconds", "1"]])
def test_unreachable_redis_is_one_line(run: Run, arguments: list[str]) -> None:
    """Where it was looked for and what came back, in one line, with exit code 3."""
    code, out, err = run(*arguments, "--redis", NOWHERE)
    assert (code, out) == (3, "")
    assert "cannot reach Redis" in err
    assert "127.0.0.1:1" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("way", ["option", "variable"])
def test_the_traceback_is_shown_when_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """--debug or ASYNQPY_DEBUG=1 show where an error comes from; the line stays last."""
    if way == "variable":
        monkeypatch.setenv("ASYNQPY_DEBUG", "1")
    code, _, err = run(*(["--debug"] if way == "option" else []), "enqueue", "t", "-r", NOWHERE)
    assert code == 3
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("asynqpy: cannot reach Redis")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ConfigError("wrong"), 2, "wrong"),
        (BrokerError("first:\n  second\n"), 3, "first … (ASYNQPY_DEBUG=1 shows the rest)"),
        (BrokerError(), 3, "BrokerError"),
        (QueryError("no such state"), 2, "no such state"),
        (QueueNotFoundError("q"), 4, "there is no queue 'q'; `asynqpy queue ls` tells which there are"),
        (
            TaskNotFoundError("q", "a"),
            4,
            "there is no task 'a' in queue 'q'; `asynqpy task find` looks in all of them",
        ),
        (
            QueueNotEmptyError("q", {"pending": 3, "retry": 1}),
            1,
            "queue 'q' is not empty: it holds 3 pending, 1 retry; --force deletes its tasks too",
        ),
        (
            QueueNotEmptyError("q", {"active": 1}),
            1,
            (
                "queue 'q' is not empty: it holds 1 active; wait until the active ones have ended"
                " (`asynqpy queue drain --pause`) or cancel them"
            ),
        ),
        (TaskStateError("q", "a", "pending", "run", "it is ready"), 1, "task 'a' in queue 'q' is pending; it is ready"),
        (WaitTimeoutError("q", "a", 1.5), 124, "task 'a' in queue 'q' was not done within 1.5 s; it goes on"),
        (RefusedError("nothing was done"), 2, "nothing was done"),
        (DoneInPartError("1 of 2 could not be done", ExitCode.PARTLY), 5, "1 of 2 could not be done"),
        (FileNotFoundError(2, "No such file", "x"), 1, "[Errno 2] No such file: 'x'"),
        (KeyError("x"), 1, "unexpected error: KeyError: 'x' (ASYNQPY_DEBUG=1 shows where)"),
        (RuntimeError(), 1, "unexpected error: RuntimeError (ASYNQPY_DEBUG=1 shows where)"),
    ],
)
def test_errors_become_a_code_and_a_line(error: BaseException, code: int, line: str) -> None:
    """The exit code tells what kind of failure it was; a bug is said to be one."""
    assert exit_code_of(error) is ExitCode(code)
    assert line_of(error) == line


def test_a_bug_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an error that nobody expected is one line."""

    def broken() -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(app, "command", broken)
    assert run().err == "asynqpy: unexpected error: ZeroDivisionError: division by zero (ASYNQPY_DEBUG=1 shows where)\n"


def imported_by(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    program = """
import contextlib, io, sys
from asynqpy.cli.app import main
with contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1:])
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


NOT_FOR_LOOKING = {
    "uvloop",
    "pebble",
    "textual",
    "watchfiles",
    "prometheus_client",
    "asynqpy.server",
    "asynqpy.client",
    "asynqpy.mux",
    "asynqpy.cli.demo",
    "asynqpy.cli.worker",
    "asynqpy.cli.task",
    "rich.console",
    "rich.progress",
}
"""What nobody needs who looks at queues."""


def test_looking_at_queues_imports_what_it_needs(redis_url: str) -> None:
    """No server, no event loop of C, no dashboard, no other command."""
    loaded = imported_by("queue", "ls", "-r", redis_url)
    assert "asynqpy.inspector" in loaded
    assert not {name for name in NOT_FOR_LOOKING if any(f"{each}.".startswith(f"{name}.") for each in loaded)}


def leaves() -> list[tuple[str, Any]]:
    """Every command with the words that call it."""
    found: list[tuple[str, Any]] = []
    for name in COMMANDS:
        module = import_module(f"asynqpy.cli.{name}")
        real = typer.main.get_command(module.app)
        below = getattr(real, "commands", None)
        found += [(f"{name} {sub}", each) for sub, each in below.items()] if below else [(name, real)]
    return found


@pytest.mark.parametrize(("words", "command"), leaves())
def test_no_option_is_spelled_twice(words: str, command: Any) -> None:
    """Shared options, those of asynq and those of the command itself do not get in each other's way."""
    spellings = [spelling for each in command.params for spelling in each.opts if spelling.startswith("-")]
    assert sorted(set(spellings)) == sorted(spellings)
    assert "-h" not in spellings


@pytest.mark.parametrize(("words", "command"), leaves())
def test_every_command_and_option_tells_what_it_is_for(run: Run, words: str, command: Any) -> None:
    """Nobody has to read the source."""
    ran = run(*words.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert command.help
    assert [each.name for each in command.params if not each.hidden and not each.help] == []


def test_the_help_imports_no_command() -> None:
    """The list of commands is shown without the modules of any."""
    loaded = imported_by("--help")
    assert not {f"asynqpy.cli.{command}" for command in COMMANDS} & loaded


HEAVY = {"redis", "google.protobuf", "msgspec", "anyio", "asyncio", "asynqpy.server", "asynqpy.client"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_the_help_imports_no_redis(arguments: list[str]) -> None:
    """Help and version come without server, client, driver or codec."""
    assert not HEAVY & imported_by(*arguments)


@pytest.mark.parametrize("command", [*(command for command in COMMANDS if command != "demo")])
def test_the_help_of_a_command_imports_no_redis(command: str) -> None:
    """The help of a command loads its options, not what it works with."""
    assert not {"redis", "google.protobuf", "asynqpy.server", "asynqpy.client"} & imported_by(command, "--help")
