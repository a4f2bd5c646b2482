"""``--open``: from a command to the page of the dashboard that shows the same."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from asynqpy import ConfigError
from asynqpy.cli.connection import find_web_url
from asynqpy.cli.options import Shown
from asynqpy.cli.weblinks import PAGES

from .conftest import Ran
from .terminal import Terminal

PROFILES = """
[profile.local]
redis = "redis://local"

[profile.production]
redis = "redis://prod"
web_url = "https://ops.example.com/tasks"
"""


@pytest.mark.parametrize(
    ("line", "pages"),
    [
        ("stats --open", ["/"]),
        ("queue ls --long --open", ["/"]),
        ("queue list --open", ["/"]),
        ("queue inspect a/b low --open", ["/queues/a%2Fb", "/queues/low"]),
        ("queue history low --open", ["/queues/low"]),
        ("group ls -q low --open", ["/queues/low?status=aggregating"]),
        ("task ls -q low -s retry --open", ["/queues/low?status=retry"]),
        (
            "task ls -q low -s aggregating -g g --reverse --open",
            ["/queues/low?status=aggregating&group=g&descending=true"],
        ),
        ("task inspect x -q low --open", ["/queues/low/tasks/x"]),
        ("task inspect x --id y --open", ["/tasks?id=x", "/tasks?id=y"]),
        ("task find --open", ["/tasks"]),
        (
            "task find -q a -s retry -t email:* -e timeout --since 2026-01-01T00:00Z --reverse --open",
            [
                "/tasks?queue=a&state=retry&error=timeout&type=email:%2A&since=2026-01-01T00:00:00%2B00:00&descending=true"
            ],
        ),
        ("task find -q a -q b --id-prefix 3f --open", ["/tasks?queue=a&queue=b&id=3f%2A"]),
        ("server ls --open", ["/servers"]),
        ("cron ls --open", ["/schedulers"]),
        ("cron history e-1 --open", ["/schedulers?entry=e-1"]),
    ],
)
def test_the_page_that_shows_the_same(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, line: str, pages: list[str]
) -> None:
    """Its address is printed, without asking Redis anything."""
    monkeypatch.setenv("ASYNQPY_WEB_URL", "http://web:8080/ops/")
    monkeypatch.setenv("ASYNQPY_REDIS_URL", "redis://127.0.0.1:1")
    assert run(*line.split()) == (0, "".join(f"http://web:8080/ops{page}\n" for page in pages), "")


def test_every_listing_leads_there() -> None:
    """What has the option has a page, and the other way round."""
    found = set()
    for noun in ("stats", "queue", "task", "group", "server", "cron", "doctor"):
        real: Any = typer.main.get_command(import_module(f"asynqpy.cli.{noun}").app)
        below = getattr(real, "commands", None)
        for words, each in {noun: real}.items() if below is None else below.items():
            if isinstance(each, Shown) and not each.hidden:
                found.add(noun if below is None else f"{noun} {words}")
    assert found == set(PAGES)


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {}, None),
        ({}, {"ASYNQPY_WEB_URL": "http://env"}, "http://env"),
        ({"profile": "production"}, {"ASYNQPY_WEB_URL": "http://env"}, "https://ops.example.com/tasks"),
        ({"profile": "local"}, {"ASYNQPY_WEB_URL": "http://env"}, "http://env"),
        ({"redis": "redis://h", "profile": "production"}, {}, None),
    ],
)
def test_where_the_dashboard_is(
    tmp_path: Path, given: dict[str, Any], environ: dict[str, str], expected: str | None
) -> None:
    """That of the profile that says where Redis is, else of the environment."""
    path = tmp_path / "config.toml"
    path.write_text(PROFILES)
    assert find_web_url(given, {"ASYNQPY_CONFIG": str(path)} | environ) == expected


def test_where_it_cannot_be() -> None:
    """Only addresses that a browser opens."""
    with pytest.raises(ConfigError, match="must begin with http"):
        find_web_url({}, {"ASYNQPY_WEB_URL": "file:///etc/passwd", "XDG_CONFIG_HOME": "/nonexistent"})


def test_nobody_said_where_it_is(run: Callable[..., Ran]) -> None:
    """It tells what to set."""
    done = run("queue", "ls", "--open")
    assert (done.code, done.out) == (2, "")
    assert "set ASYNQPY_WEB_URL" in done.err
    assert "give one of the two" in run("queue", "ls", "--open", "--json").err


def test_a_browser_where_a_person_sits(tmp_path: Path) -> None:
    """It is opened by the standard library, which heeds ``BROWSER``."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    variables = {
        "ASYNQPY_WEB_URL": "http://web",
        "BROWSER": f"{browser} %s",
        "XDG_CONFIG_HOME": "/nonexistent",
    }
    terminal = Terminal(["server", "ls", "--open"], variables)
    try:
        terminal.until("http://web/servers\n")
        assert terminal.process.wait(60) == 0
    finally:
        terminal.close()
    assert opened.read_text() == "http://web/servers\n"
