"""Where Redis is: options, environment, profiles, and what goes before what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynqpy import ConfigError, RedisOptions
from asynqpy.cli import profiles
from asynqpy.cli.connection import find_url
from tests.redis.inspected import Inspected

from .conftest import Ran

PROFILES = """
default = "local"

[profile.local]
redis = "redis://local"

[profile.production]
redis = "rediss://asynq@prod:6380/0"
password = "p@ss"
db = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of profiles."""
    path = tmp_path / "config.toml"
    path.write_text(PROFILES)
    return path


def test_nothing_is_said() -> None:
    """Then the default of the library holds."""
    assert find_url({}, {"XDG_CONFIG_HOME": "/nonexistent"}) is None


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({"redis": "redis://flag"}, {"ASYNQPY_REDIS_URL": "redis://env"}, "redis://flag"),
        ({"redis": "redis://flag", "profile": "production"}, {}, "redis://flag"),
        ({"profile": "production"}, {"ASYNQPY_REDIS_URL": "redis://env"}, "rediss://asynq:p%40ss@prod:6380/3"),
        ({}, {"ASYNQPY_REDIS_URL": "redis://env", "ASYNQPY_PROFILE": "production"}, "redis://env"),
        ({}, {"ASYNQPY_PROFILE": "production"}, "rediss://asynq:p%40ss@prod:6380/3"),
        ({}, {}, "redis://local"),
        ({"db": 7}, {}, "redis://local/7"),
        ({"db": 0, "profile": "production"}, {}, "rediss://asynq:p%40ss@prod:6380/0"),
        ({"redis": "redis://h"}, {"ASYNQPY_REDIS_PASSWORD": "s", "ASYNQPY_REDIS_USERNAME": "u"}, "redis://u:s@h"),
        ({"redis": "redis://h", "password": "flag"}, {"ASYNQPY_REDIS_PASSWORD": "env"}, "redis://:flag@h"),
        ({}, {"ASYNQPY_REDIS_URL": ""}, "redis://local"),
    ],
)
def test_what_goes_before_what(file: Path, given: dict[str, Any], environ: dict[str, str], expected: str) -> None:
    """The line, then the environment, then profiles; parts of an address in the same order."""
    assert find_url(given, {"ASYNQPY_CONFIG": str(file)} | environ) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"redis": "host:7000"}, "redis://host:7000"),
        ({"uri": "host:7000"}, "redis://host:7000"),
        ({"uri": "host:7000", "db": 2}, "redis://host:7000/2"),
        ({"uri": "host:7000", "username": "u", "password": "p/@:"}, "redis://u:p%2F%40%3A@host:7000"),
        ({"uri": "host:7000", "tls": True}, "rediss://host:7000"),
        ({"uri": "host:7000", "tls_server": "host"}, "rediss://host:7000"),
        ({"uri": "host:7000", "tls": True, "insecure": True}, "rediss://host:7000?verify=0"),
        ({"uri": "host:7000", "insecure": True}, "redis://host:7000"),
        ({"password": "p"}, "redis://:p@localhost:6379/0"),
        ({"cluster": True, "cluster_addrs": "a:1,b:2"}, "redis-cluster://a:1,b:2"),
        ({"cluster_addrs": "a:1,b:2", "password": "p"}, "redis-cluster://:p@a:1,b:2"),
        ({"redis": "redis-cluster://a:1,b:2", "tls": True}, "rediss-cluster://a:1,b:2"),
        (
            {"redis": "redis-sentinel://:s@a:1,b:2/0?master=m", "password": "p"},
            "redis-sentinel://:s@a:1,b:2/0?master=m&password=p",
        ),
        ({"redis": "unix:///run/redis.sock", "db": 2, "password": "p"}, "unix://:p@/run/redis.sock?db=2"),
        ({"redis": "embedded:///data", "db": 2}, "embedded:///data?db=2"),
    ],
)
def test_addresses_in_every_spelling(given: dict[str, Any], expected: str) -> None:
    """Ours, and those of asynq's command."""
    assert find_url(given, {"XDG_CONFIG_HOME": "/nonexistent"}) == expected


def test_asynqs_cluster_has_its_default_nodes() -> None:
    """Six of them, on this machine."""
    found = find_url({"cluster": True}, {"XDG_CONFIG_HOME": "/nonexistent"})
    assert found is not None
    assert found.startswith("redis-cluster://127.0.0.1:7000,127.0.0.1:7001,")
    assert found.endswith(",127.0.0.1:7005")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"redis": "redis://a", "uri": "b:1"}, "one place only, got --redis and --uri"),
        ({"uri": "a:1", "tls_server": "b"}, "use b as its address, not a"),
        ({"profile": "none"}, "there is no profile 'none' in .*: it has local, production"),
        ({"profile": "x", "config": "/nowhere/config.toml"}, "there is no file /nowhere/config.toml"),
    ],
)
def test_what_cannot_be_is_refused(file: Path, given: dict[str, Any], expected: str) -> None:
    """With what was said."""
    with pytest.raises(ConfigError, match=expected):
        find_url(given, {"ASYNQPY_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[profile.p]\n", "does not say where Redis is"),
        ('[profile.p]\nredis = "redis://h"\nhost = "h"\n', "unknown host; known: db, password"),
        ("[profile.p]\nredis = 1\n", "redis must be text, got 1"),
        ('[profile.p]\nredis = "redis://h"\ndb = "1"\n', "db must be a whole number, got '1'"),
        ('[profile.p]\nredis = "redis://h"\npassword_env = "NO_SUCH_VARIABLE"\n', "NO_SUCH_VARIABLE is not set"),
        ('[profile.p]\nredis = "redis://h"\npassword_file = "/nowhere"\n', "its password cannot be read"),
        ("profile = 1\n", "profiles are tables"),
        ("default = 1\n", "default must be the name of a profile"),
        ("default = \n", "cannot be read"),
    ],
)
def test_files_that_cannot_work(tmp_path: Path, text: str, expected: str) -> None:
    """It says in which file, and what."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        find_url({"profile": "p"}, {"ASYNQPY_CONFIG": str(path)})
    assert str(path) in str(caught.value)


def test_passwords_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a variable of its own, so that the config file holds no secret."""
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("PRODUCTION_PASSWORD", "other")
    path = tmp_path / "config.toml"
    path.write_text(
        f'[profile.a]\nredis = "redis://h"\npassword_file = "{tmp_path / "secret"}"\n'
        '[profile.b]\nredis = "redis://h"\npassword_env = "PRODUCTION_PASSWORD"\n'
    )
    known = {"ASYNQPY_CONFIG": str(path)}
    assert find_url({"profile": "a"}, known) == "redis://:s3cret@h"
    assert find_url({"profile": "b"}, known) == "redis://:other@h"
    assert "s3cret" not in repr(profiles.read(known).profile("a"))


def test_where_the_file_is() -> None:
    """In the folder of settings, unless somebody says otherwise."""
    assert profiles.file_of_profiles({"XDG_CONFIG_HOME": "/c"}) == Path("/c/asynqpy/config.toml")
    assert profiles.file_of_profiles({}) == Path("~/.config/asynqpy/config.toml").expanduser()
    assert profiles.file_of_profiles({"ASYNQPY_CONFIG": "/x"}) == Path("/x")
    assert profiles.file_of_profiles({"ASYNQPY_CONFIG": "/x"}, "/y") == Path("/y")


def at(redis_url: str) -> str:
    """``host:port`` of the shared server."""
    options = RedisOptions.from_url(redis_url)
    return f"{options.host}:{options.port}"


@pytest.mark.parametrize(
    "place",
    [
        lambda url: ["queue", "ls", "--redis", url],
        lambda url: ["queue", "ls", "-r", url],
        lambda url: ["--redis", url, "queue", "ls"],
        lambda url: ["queue", "--redis", url, "ls"],
        lambda url: ["queue", "ls", "--uri", at(url)],
        lambda url: ["--uri", at(url), "queue", "ls", "-n", "0"],
        lambda url: ["-u", at(url), "queue", "ls"],
    ],
)
def test_options_stand_before_or_behind_the_command(
    run: Callable[..., Ran], low: Inspected, redis_url: str, place: Any
) -> None:
    """As with asynq's command; the environment comes after them."""
    assert run(*place(redis_url)) == (0, "low\n", "")


def test_profiles_serve_every_command(
    run: Callable[..., Ran], low: Inspected, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that look, and those that enqueue."""
    folder = tmp_path / "asynqpy"
    folder.mkdir()
    (folder / "config.toml").write_text(f'[profile.here]\nredis = "{redis_url}"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert run("queue", "ls", "--profile", "here").out == "low\n"
    assert run("--profile", "here", "enqueue", "t", "--id", "a").code == 0
    monkeypatch.setenv("ASYNQPY_PROFILE", "here")
    assert run("queue", "ls").out == "default\nlow\n"
    assert run("queue", "ls", "--profile", "none").code == 2


def test_a_command_that_fails_shows_no_password(run: Callable[..., Ran]) -> None:
    """Not in the line of the error, and not with --debug."""
    for url in ("redis://u:s3cret@127.0.0.1:1/0", "redis://u:s3cret@127.0.0.1:x/0", "gopher://u:s3cret@h"):
        ran = run("queue", "ls", "-r", url)
        assert ran.code in (2, 3)
        assert "s3cret" not in ran.err + ran.out
    assert "s3cret" not in run("doctor", "-r", "redis://u:s3cret@127.0.0.1:1/0").out
