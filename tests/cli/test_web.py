"""``asynqpy web``: a real process, asked over HTTP."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy.cli import web
from asynqpy.errors import ConfigError
from asynqpy.web import create_app  # noqa: F401 - it must be there for these tests

from .conftest import Ran
from .programs import Program

Start = Callable[..., Program]

ADDRESS = re.compile(r"at (http://\S+), Ctrl-C ends it")


def address(program: Program) -> str:
    """Where it is, as it says itself."""
    program.until("Ctrl-C ends it")
    found = ADDRESS.search(program.output)
    assert found is not None
    return found[1]


def test_it_serves_until_it_is_told_to_end(start: Start, redis: Redis, redis_url: str) -> None:
    """Pages, both APIs and health, below the base path."""
    with Client(redis_url) as client:
        client.enqueue(Task("t"), queue="low")
    program = start("web", "--port", "0", "--base-path", "/ops")
    base = address(program)
    assert base.endswith("/ops/")
    for path in ("api/queues", "api/v2/queues"):
        with urllib.request.urlopen(base + path, timeout=30) as answer:
            assert next(iter(json.load(answer).values()))[0]["queue"] == "low"
            assert "server" not in answer.headers
    with urllib.request.urlopen(base + "healthz", timeout=30) as answer:
        assert json.load(answer) == {"status": "ok", "redis": "up"}
    assert program.end() == 0


@pytest.mark.parametrize("words", [("web", "-n", "3"), ("-n", "3", "web"), ("--profile", "third", "web")])
def test_redis_is_found_as_by_every_command(
    start: Start, redis_url: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """By the shared options, before or behind the command, or by a profile; --insecure and -p are its own."""
    third = redis_url.rpartition("/")[0] + "/3"
    config = tmp_path / "config.toml"
    config.write_text(f'[profile.third]\nredis = "{third}"\n')
    with Client(third) as client:
        client.enqueue(Task("t"), queue="third")
    program = start(*words, "-p", "0", "--insecure", ASYNQPY_CONFIG=str(config))
    with urllib.request.urlopen(address(program) + "api/v2/queues", timeout=30) as answer:
        assert [queue["queue"] for queue in json.load(answer)["items"]] == ["third"]


def test_users_log_in(start: Start, redis_url: str) -> None:
    """Those given on the command line, and nobody else."""
    program = start("web", "--port", "0", "--user", "ann:a:b:viewer", "--token", "0123456789abcdef")
    base = address(program)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(base + "api/queues", timeout=30)
    refused.value.close()
    assert refused.value.code == 401
    request = urllib.request.Request(base + "api/v2/meta", headers={"Authorization": "Bearer 0123456789abcdef"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["user"]["role"] == "operator"
    assert program.end() == 0


def test_a_proxy_logs_in(start: Start, redis_url: str) -> None:
    """Whom it names, as what was said; from another address than those that are trusted it is nobody's word."""

    def ask(base: str, **headers: str) -> dict[str, str]:
        request = urllib.request.Request(base + "api/v2/meta", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, str] = json.load(answer)["user"]
            return found

    program = start("web", "--port", "0", "--login-header", "X-User", "--operator", "ann", "--operator", "eve")
    base = address(program)
    assert {name: ask(base, **{"X-User": name})["role"] for name in ("ann", "bob", "eve")} == {
        "ann": "operator",
        "bob": "viewer",
        "eve": "operator",
    }
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(base)
    refused.value.close()
    assert refused.value.code == 401
    assert program.end() == 0
    program = start(
        "web",
        "--port",
        "0",
        "--trusted-proxy",
        "10.1.0.0/16",
        ASYNQPY_WEB_LOGIN_HEADER="X-User:operator",
        ASYNQPY_WEB_TRUSTED_PROXIES="127.0.0.0/8",
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(address(program), **{"X-User": "ann"})
    refused.value.close()
    assert refused.value.code == 401
    assert program.end() == 0
    program = start(
        "web",
        "--port",
        "0",
        ASYNQPY_WEB_LOGIN_HEADER="X-User:operator",
        ASYNQPY_WEB_TRUSTED_PROXIES="10.1.0.0/16 127.0.0.0/8",
    )
    assert ask(address(program), **{"X-User": "bob"})["role"] == "operator"
    assert program.end() == 0


def test_large_requests(start: Start, redis_url: str) -> None:
    """As large as was said, and no larger; whoever looks is told."""

    def enqueue(base: str, size: int) -> int:
        request = urllib.request.Request(
            base + "api/v2/queues/low/tasks",
            json.dumps({"type": "t", "payload": "x" * size}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    for program, limit in (
        (start("web", "--port", "0"), 8 * 1024 * 1024),
        (start("web", "--port", "0", ASYNQPY_WEB_MAX_BODY="20000"), 20_000),
        (start("web", "--port", "0", "--max-body", "10000000"), 10_000_000),
    ):
        base = address(program)
        with urllib.request.urlopen(base + "api/v2/meta", timeout=30) as answer:
            assert json.load(answer)["limits"]["body_bytes"] == limit
        assert enqueue(base, limit - 100) == 201
        assert enqueue(base, limit) == 413
        assert program.end() == 0


@pytest.mark.parametrize("size", ["0", "-1", "99999999999", "much"])
def test_limits_that_cannot_be(run: Callable[..., Ran], redis_url: str, size: str) -> None:
    """Wrong usage."""
    assert run("web", "--port", "0", "--max-body", size).code == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])
def test_no_other_address_without_a_login(run: Callable[..., Ran], redis_url: str, host: str) -> None:
    """Nothing is served: one line tells what to do."""
    ran = run("web", "--host", host)
    assert ran.code == 2
    assert "--insecure" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named with the remedy."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'asynqpy\[web\]'"):
        web.check_installed()


@pytest.mark.parametrize("user", ["ann", "ann:", ":x"])
def test_users_that_cannot_be(user: str) -> None:
    """A name and a password are the least."""
    with pytest.raises(ConfigError, match="NAME:PASSWORD"):
        web.logins_of([user], [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--login-header", "X User"), "HEADER:operator"),
        (("--login-header", "X-User:admin"), "HEADER:operator"),
        (("--operator", "ann"), "--login-header"),
        (("--trusted-proxy", "nonsense"), "trusted proxies"),
    ],
)
def test_proxies_that_cannot_be(run: Callable[..., Ran], redis_url: str, words: tuple[str, ...], told: str) -> None:
    """Said in one line, before anything is served."""
    ran = run("web", *words)
    assert (ran.code, told in ran.err) == (2, True)
