"""What shells are offered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from asynqpy.cli import completers
from asynqpy.cli.invocation import Invocation
from tests.redis.inspected import Inspected

from .conftest import Ran
from .programs import environment


def offered(redis_url: str, *words: str) -> list[str]:
    """What bash is offered behind *words*; the last one is incomplete."""
    variables = {
        "_ASYNQPY_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["asynqpy", *words]),
        "COMP_CWORD": str(len(words)),
        "ASYNQPY_REDIS_URL": redis_url,
        "XDG_CONFIG_HOME": "/nonexistent",
    }
    done = subprocess.run(
        [sys.executable, "-m", "asynqpy"],
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_commands_and_options(redis_url: str) -> None:
    """At each level; what asynq alone has is understood and not offered."""
    assert offered(redis_url, "qu") == ["queue"]
    assert offered(redis_url, "queue", "dr") == ["drain"]
    assert "--queue" in offered(redis_url, "task", "ls", "--")
    assert "--uri" not in offered(redis_url, "task", "ls", "--")


def test_names_that_redis_knows(low: Inspected, redis_url: str) -> None:
    """Queues as arguments and behind options, whatever part is typed."""
    Inspected(low.redis, "large")
    Inspected(low.redis, "high")
    assert offered(redis_url, "queue", "pause", "l") == ["large", "low"]
    assert offered(redis_url, "task", "ls", "--queue", "h") == ["high"]
    assert offered("", "queue", "pause", "-r", redis_url, "h") == ["high"]


def test_states(redis_url: str) -> None:
    """Those that begin so."""
    assert offered(redis_url, "task", "ls", "-s", "a") == ["active", "archived", "aggregating"]


def test_without_redis_nothing_is_offered() -> None:
    """And nothing is said, and nobody waits long."""
    assert offered("redis://127.0.0.1:1", "queue", "pause", "l") == []


def test_a_server_is_not_started_for_it(tmp_path: Path) -> None:
    """An embedded one would start with the question."""
    assert offered(f"embedded://{tmp_path}/data", "queue", "pause", "l") == []
    assert not (tmp_path / "data").exists()


def test_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in the file; none of one that cannot be read."""
    path = tmp_path / "config.toml"
    path.write_text('[profile.local]\nredis = "redis://h"\n[profile.live]\nredis = "redis://h"\n')
    monkeypatch.setenv("ASYNQPY_CONFIG", str(path))
    assert completers.profile_names("l") == ["live", "local"]
    path.write_text("[")
    assert completers.profile_names("l") == []


def test_entries(low: Inspected, redis_url: str) -> None:
    """Whatever goes wrong is no offer."""
    command = typer.main.get_command(typer.Typer(callback=lambda: None))
    context = typer.Context(command, obj=Invocation([], debug=False, given={"redis": redis_url}))
    assert completers.entry_ids(context, "") == []
    context.obj.given["redis"] = "gopher://x"
    assert completers.entry_ids(context, "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(run: Callable[..., Ran], shell: str) -> None:
    """It asks us through the variable that we answer to."""
    ran = run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "_ASYNQPY_COMPLETE" in ran.out
    assert run("completion", "tcsh").code == 2


def test_bash_reads_it(low: Inspected, redis_url: str, run: Callable[..., Ran], tmp_path: Path) -> None:
    """The function that the script defines offers queues in a real bash."""
    program = tmp_path / "asynqpy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m asynqpy "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").out)
    text = (
        f"source {script}; COMP_WORDS=(asynqpy queue pause l); COMP_CWORD=3; _asynqpy_completion asynqpy; "
        'echo "${COMPREPLY[@]}"'
    )
    variables = environment({"ASYNQPY_REDIS_URL": redis_url, "XDG_CONFIG_HOME": "/nonexistent"})
    variables["PATH"] = f"{tmp_path}:{variables['PATH']}"
    done = subprocess.run(["bash", "-c", text], env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("low\n", "")
