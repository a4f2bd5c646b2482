"""Settings: the forms of a URL, what is refused, and that no password is ever shown."""

from __future__ import annotations

import dataclasses
import math
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from asynqpy import Client, ConfigError, RedisOptions, Server, ServerConfig
from asynqpy.config import ServerSettings

# asynq's own forms must keep their meaning; the others are ours.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://localhost:6379/3", {"host": "localhost", "port": 6379, "db": 3}),
        ("redis://:mypassword@localhost:6379", {"password": "mypassword", "username": None}),
        ("redis://:mypassword@127.0.0.1:6379/11", {"host": "127.0.0.1", "db": 11, "password": "mypassword"}),
        ("redis://h/3/ignored", {"host": "h", "db": 3}),
        ("redis://h:1?db=4&other=5", {"db": 4}),
        ("redis://h", {"host": "h", "port": 6379}),
        ("redis://", {"host": "localhost", "port": 6379}),
        ("redis://h/", {"host": "h", "db": 0}),
        ("redis://me:pw@h", {"username": "me", "password": "pw"}),
        ("redis://me%40home:p%2Fw%3A%40@h", {"username": "me@home", "password": "p/w:@"}),
        ("redis://[::1]:7000/1", {"host": "::1", "port": 7000, "db": 1}),
        ("REDIS://h", {"host": "h"}),
        ("rediss://:pw@h:6380/2", {"host": "h", "port": 6380, "db": 2, "tls": True, "tls_verify": True}),
        (
            "rediss://h?ca=/ca.pem&cert=/c.pem&key=/k.pem",
            {"tls_ca_file": "/ca.pem", "tls_certificate_file": "/c.pem", "tls_key_file": "/k.pem"},
        ),
        ("rediss://h?verify=0", {"tls": True, "tls_verify": False}),
        ("rediss://h?ssl_cert_reqs=none", {"tls_verify": False}),
        ("redis-socket:///var/run/redis.sock", {"unix_socket_path": "/var/run/redis.sock", "db": 0}),
        ("redis-socket://:pw@/run/r.sock?db=7", {"unix_socket_path": "/run/r.sock", "password": "pw", "db": 7}),
        ("unix://me:pw@/run/r%20s.sock", {"unix_socket_path": "/run/r s.sock", "username": "me"}),
        ("embedded://", {"embedded": True, "embedded_folder": None}),
        ("embedded:///var/lib/queue", {"embedded": True, "embedded_folder": Path("/var/lib/queue")}),
        ("embedded://data/queue?db=2", {"embedded_folder": Path("data/queue"), "db": 2}),
        (
            "redis-sentinel://localhost:5000,localhost:5001,localhost:5002?master=my",
            {
                "sentinels": (("localhost", 5000), ("localhost", 5001), ("localhost", 5002)),
                "sentinel_master": "my",
                "sentinel_password": None,
                "db": 0,
            },
        ),
        (
            "redis-sentinel://:my%2Fpass@h1:5000,h2/3?master=my",
            {"sentinels": (("h1", 5000), ("h2", 26379)), "sentinel_password": "my/pass", "password": None, "db": 3},
        ),
        (
            "redis-sentinel://me:pw@h?username=u&password=p%20w&sentinel_username=other",
            {"sentinel_master": "mymaster", "sentinel_username": "other", "username": "u", "password": "p w"},
        ),
        ("redis-sentinel://[::1]:7,h,[::2]", {"sentinels": (("::1", 7), ("h", 26379), ("::2", 26379))}),
        ("rediss-sentinel://h?ca=/ca.pem&verify=0", {"tls": True, "tls_ca_file": "/ca.pem", "tls_verify": False}),
        ("redis-sentinel://h?tls=1&cert=/c&key=/k", {"tls": True, "tls_certificate_file": "/c", "tls_key_file": "/k"}),
        ("redis-sentinel://h?tls=0", {"tls": False}),
        ("redis-cluster://c1,c2:7000", {"cluster": (("c1", 6379), ("c2", 7000)), "sentinels": (), "db": 0}),
        ("redis-cluster://me:p%40w@c1/0", {"cluster": (("c1", 6379),), "username": "me", "password": "p@w"}),
        ("REDISS-cluster://c1?ca=/ca.pem", {"cluster": (("c1", 6379),), "tls": True, "tls_ca_file": "/ca.pem"}),
    ],
)
def test_forms_of_a_url(url: str, expected: dict[str, Any]) -> None:
    """Each part has its place."""
    options = RedisOptions.from_url(url)
    assert {name: getattr(options, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://localhost:6379", "unsupported scheme 'http'"),
        ("localhost:6379", "unsupported scheme"),
        ("", "unsupported scheme"),
        ("redis://h:port", "could not parse"),
        ("redis://h:99999", "could not parse"),
        ("redis://[::1", "could not parse"),
        ("redis://h/abc", "must be a number"),
        ("redis://h/-1", "must not be negative"),
        ("redis://h:0", "port"),
        ("redis-socket://", "needs a path"),
        ("redis-socket://?db=1", "needs a path"),
        ("redis-socket:///s?db=x", "must be a number"),
        ("redis-sentinel://h:port", "cannot be read"),
        ("redis-sentinel://h1,:5", "cannot be read"),
        ("redis-sentinel://h/x", "must be a number"),
        ("redis-cluster://h:99999", "cannot be read"),
        ("redis-cluster://h/1", "only database 0"),
        ("redis-cluster://h?db=2", "only database 0"),
    ],
)
def test_urls_that_cannot_be_understood(url: str, message: str) -> None:
    """The message says which part."""
    with pytest.raises(ConfigError, match=message):
        RedisOptions.from_url(url)
    with pytest.raises(ConfigError, match=message):
        Client(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:se/cret@localhost:6379/0",
        "redis://:12/se-cret@localhost:6379/0",
        "redis://user:se#cret@localhost:port",
        "redis://user:se-cret@localhost:port/0",
        "redis://user:se-cret@localhost/abc",
        "wrong://user:se-cret@localhost",
        "redis-socket://user:se-cret@?db=1",
        "redis-socket://user:se-cret@/s?db=x",
        "redis://user:se@cret@localhost:port",
        "redis://user:se?cret@localhost/x",
        "redis-sentinel://:secret@h1,h2?password=se-cret",
        "redis-sentinel://:se/cret@h1,h2",
        "redis-sentinel://:se-cret@h1:port",
        "redis-cluster://user:se/cret@h1,h2",
        "redis-cluster://user:se?cret@h1:port",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    """Not even a part of it, nor the traceback as it is printed."""
    try:
        options = RedisOptions.from_url(url)
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error)).split("ConfigError", 1)[1] + repr(error.__cause__)
    else:
        shown = repr(options)
    for part in ("secret", "se-cret", "cret"):
        assert part not in shown


def test_the_password_is_not_in_the_representation() -> None:
    """Of options, also inside of other objects that print them."""
    options = RedisOptions.from_url("redis://user:hunter2@h")
    assert "hunter2" not in repr(options)
    assert "hunter2" not in str(options)


def test_the_environment_is_asked_when_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """ASYNQPY_REDIS_URL; empty or missing means the local Redis."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", "redis://elsewhere:7000/5")
    assert (RedisOptions.default().host, RedisOptions.default().db) == ("elsewhere", 5)
    for absent in ("", None):
        if absent is None:
            monkeypatch.delenv("ASYNQPY_REDIS_URL")
        else:
            monkeypatch.setenv("ASYNQPY_REDIS_URL", absent)
        assert RedisOptions.default() == RedisOptions(host="localhost", port=6379, db=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 0},
        {"port": 70000},
        {"db": -1},
        {"timeout": timedelta(0)},
        {"connect_timeout": timedelta(seconds=-1)},
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """With the name of the setting."""
    with pytest.raises(ConfigError):
        RedisOptions(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"concurrency": 0},
        {"concurrency": -1},
        {"concurrency": 1.5},
        {"concurrency": True},
        {"concurrency": "ten"},
        {"queues": {}},
        {"queues": {"": 1}},
        {"queues": {" ": 1}},
        {"queues": {"a": 0}},
        {"queues": {"a": -1}},
        {"queues": {"a": 1.5}},
        {"queues": {"a": True}},
        {"queues": {"a": 2**31}},
        {"queues": {None: 1}},
        {"lease": 9.9},
        {"lease": timedelta(seconds=5)},
        {"lease": 0},
        {"lease": -30},
        {"isolated_processes": 0},
        {"app_version": ""},
        {"app_version": " "},
        {"app_version": "1\n2"},
        {"app_version": "1" * 65},
        {"app_version": 1.4},
        {"max_crashes": 0},
        {"unknown_types": "drop"},
        {"unknown_types": None},
        {"janitor_batch_size": 0},
        {"janitor_batch_size": 5001},
        {"group_grace_period": 0.9},
        {"group_grace_period": 0},
        {"group_max_delay": -1},
        {"group_max_size": -1},
        {"group_max_size": 1.5},
        {"group_max_size": True},
        {"shutdown_timeout": -1},
        {"cancel_grace": timedelta(seconds=-1)},
        {"task_check_interval": 0},
        {"health_check_interval": -5},
    ],
    ids=str,
)
def test_server_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """When the server is made, with the name and the value."""
    with pytest.raises(ConfigError) as caught:
        Server("redis://localhost", **settings)
    assert next(iter(settings)).split("_")[0].rstrip("s") in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"lease": math.nan},
        {"shutdown_timeout": math.nan},
        {"task_check_interval": math.nan},
        {"lease": "30"},
        {"lease": None},
    ],
    ids=str,
)
def test_durations_that_are_none_are_refused(settings: dict[str, Any]) -> None:
    """Not a number is no duration, text is none either."""
    with pytest.raises(ConfigError):
        ServerConfig(**settings)


def test_an_unknown_setting_is_refused() -> None:
    """By Python itself."""
    with pytest.raises(TypeError, match="concurency"):
        Server("redis://localhost", concurency=5)  # type: ignore[call-arg]


def test_defaults_are_asynqs() -> None:
    """Where asynq has them."""
    config = ServerConfig()
    assert dict(config.queues) == {"default": 1}
    assert config.concurrency >= 1
    assert (config.lease, config.shutdown_timeout) == (timedelta(seconds=30), timedelta(seconds=8))
    assert (config.task_check_interval, config.health_check_interval) == (timedelta(seconds=1), timedelta(seconds=15))
    assert (config.group_grace_period, config.group_max_delay) == (timedelta(seconds=60), 0)
    assert (config.group_max_size, config.aggregator) == (0, None)
    assert (config.janitor_batch_size, config.strict_priority, config.max_crashes) == (100, False, 3)


def test_settings_are_frozen() -> None:
    """They are read while the server runs."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        ServerConfig().concurrency = 5  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        RedisOptions().host = "h"  # type: ignore[misc]


def test_the_keyword_arguments_of_a_server_are_the_fields_of_its_config() -> None:
    """Names and types: they are written twice, for the type checkers."""
    fields = ServerConfig.__annotations__
    assert {name: kind.__forward_arg__ for name, kind in ServerSettings.__annotations__.items()} == fields
    assert set(fields) == {field.name for field in dataclasses.fields(ServerConfig)}
    assert ServerSettings.__required_keys__ == frozenset()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster": (("h", 1),), "sentinels": (("h", 1),)}, "one place only, got sentinels and cluster"),
        ({"cluster": (("h", 1),), "embedded": True}, "one place only"),
        ({"sentinels": (("h", 1),), "unix_socket_path": "/s"}, "one place only"),
        ({"cluster": (("h", 1),), "db": 1}, "only database 0, got 1"),
        ({"cluster": (("", 1),)}, "an address is a host and a port"),
        ({"sentinels": (("h", 0),)}, "an address is a host and a port"),
        ({"sentinels": (("h", 1),), "sentinel_master": ""}, "must name the master"),
        ({"failover_wait": timedelta(seconds=-1)}, "failover_wait must not be negative"),
        ({"address_map": {"h": "h:1"}}, "cannot be read"),
        ({"address_map": {"h:1": "h:x"}}, "cannot be read"),
    ],
)
def test_places_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    """Each setting that cannot work is named."""
    with pytest.raises(ConfigError, match=message):
        RedisOptions(**settings)
