"""Periodic tasks from files."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asynqpy import ConfigError, FileProvider, PeriodicTaskConfig

TOML = """
[[tasks]]
cron = "*/5 * * * *"
type = "report:build"
payload = { year = 2026, parts = ["a"] }
id = "report"
catch_up = "last"
overlap = false
queue = "low"
max_retry = 3
timeout = "1m30s"
retention = 3600
deadline = 2030-01-01T00:00:00Z
headers = { a = "b" }

[[tasks]]
cron = "@hourly"
type = "sweep"
payload = "text"
"""

YAML = """
tasks:
  - cron: "*/5 * * * *"
    type: report:build
    payload: {year: 2026, parts: [a]}
    id: report
    catch_up: last
    overlap: false
    queue: low
    max_retry: 3
    timeout: 1m30s
    retention: 3600
    deadline: "2030-01-01T00:00:00Z"
    headers: {a: b}
  - cron: "@hourly"
    type: sweep
    payload: text
"""


def written(folder: Path, text: str, ending: str = ".toml") -> FileProvider:
    """A provider for a file with *text*."""
    path = folder / f"tasks{ending}"
    path.write_text(text)
    return FileProvider(path)


@pytest.mark.parametrize(("ending", "text"), [(".toml", TOML), (".yaml", YAML), (".yml", YAML), (".TOML", TOML)])
def test_tasks_are_read(tmp_path: Path, ending: str, text: str) -> None:
    """With everything that a periodic task may have."""
    report, sweep = written(tmp_path, text, ending)()
    assert isinstance(report, PeriodicTaskConfig)
    assert (report.cron, report.task.type, report.task.json()) == (
        "*/5 * * * *",
        "report:build",
        {"year": 2026, "parts": ["a"]},
    )
    assert (report.entry_id, report.catch_up, report.overlap) == ("report", "last", False)
    assert report.options == {
        "queue": "low",
        "max_retry": 3,
        "timeout": timedelta(seconds=90),
        "retention": 3600,
        "deadline": datetime(2030, 1, 1, tzinfo=UTC),
        "headers": {"a": "b"},
    }
    assert (sweep.cron, sweep.task.type, sweep.task.payload) == ("@hourly", "sweep", b"text")
    assert (sweep.entry_id, sweep.catch_up, sweep.overlap, sweep.options) == (None, "none", True, {})


def test_yaml_moments_are_read(tmp_path: Path) -> None:
    """YAML has moments of its own."""
    text = "tasks:\n- {cron: '@daily', type: t, deadline: 2030-01-01T01:00:00+01:00}\n"
    (config,) = written(tmp_path, text, ".yaml")()
    assert config.options == {"deadline": datetime(2030, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(("ending", "text"), [(".toml", "tasks = []"), (".yaml", "tasks: []"), (".yaml", "tasks:")])
def test_an_empty_list(tmp_path: Path, ending: str, text: str) -> None:
    """Is no error."""
    assert written(tmp_path, text, ending)() == []


def test_the_file_is_read_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then; each answer is a list of its own."""
    provider = written(tmp_path, TOML)
    reads: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (reads.append(path), read(path))[1])
    first = provider()
    first.clear()
    assert len(provider()) == 2
    assert len(reads) == 1
    replacement = tmp_path / "new"
    replacement.write_text(TOML.partition('\n[[tasks]]\ncron = "@hourly"')[0])
    os.replace(replacement, provider.path)
    assert len(provider()) == 1
    assert len(reads) == 2


def test_a_file_that_was_mended_is_read_again(tmp_path: Path) -> None:
    """Also when it is as long and as old as the spoilt one was."""
    provider = written(tmp_path, "tasks = [1]")
    for _ in range(2):
        with pytest.raises(ConfigError, match="task 1"):
            provider()
    status = provider.path.stat()
    provider.path.write_text("tasks = [ ]")
    os.utime(provider.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert provider() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a list 'tasks', and nothing beside it"),
        ("tasks = 1", "must have a list 'tasks'"),
        ("[[tasks]]\n[other]", "and nothing beside it"),
        ("tasks = [", "cannot be read: "),
        ("tasks = [1]", "task 1 in .* is no table, but 1"),
        ('[[tasks]]\ntype = "t"', "task 1 in .* has no 'cron'"),
        ('[[tasks]]\ncron = "@daily"', "task 1 in .* has no 'type'"),
        (
            '[[tasks]]\ncron = "@daily"\ntype = "t"\ncron_spec = 1',
            "has 'cron_spec', which is not known; there are catch",
        ),
        ('[[tasks]]\ncron = "@daily"\ntype = ""', "task type must contain one or more characters"),
        ('[[tasks]]\ncron = "@daily"\ntype = "t"\ntimeout = "5"', "cannot be understood: '5' is not a duration"),
        ('[[tasks]]\ncron = "@daily"\ntype = "t"\ndeadline = "soon"', "cannot be understood: Invalid isoformat"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, text: str, message: str) -> None:
    """With the file, the number of the task, and what to write instead."""
    provider = written(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        provider()
    assert str(provider.path) in str(caught.value)


@pytest.mark.parametrize("data", [b"tasks: [", b"tasks: !!python/object:os.system {}", b"\xff\xfe\x00"])
def test_what_is_no_yaml_is_refused(tmp_path: Path, data: bytes) -> None:
    """And nothing in it is run."""
    path = tmp_path / "tasks.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"tasks.yaml"):
        FileProvider(path)()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """When it is read; it may come later."""
    provider = FileProvider(tmp_path / "tasks.toml")
    with pytest.raises(ConfigError, match=r"cannot be read: .*No such file"):
        provider()
    (tmp_path / "tasks.toml").write_text("tasks = []")
    assert provider() == []


@pytest.mark.parametrize("name", ["tasks", "tasks.json", "toml"])
def test_other_endings_are_refused(name: str) -> None:
    """When the provider is made."""
    with pytest.raises(ConfigError, match=r"must end with .toml or .yaml"):
        FileProvider(name)


def test_yaml_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigError, match=r"pip install 'asynqpy\[yaml\]'"):
        FileProvider("tasks.yaml")


def test_how_a_config_shows_itself() -> None:
    """With what tells it from others."""
    from asynqpy import Task

    made: Any = PeriodicTaskConfig("@daily", Task("t", b"x"))
    assert repr(made) == "<PeriodicTaskConfig '@daily' <Task 't' payload=b'x'>>"
