"""The search for the master, driven by hand."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from asynqpy import RedisOptions
from asynqpy._transport.access import access_by_options
from asynqpy._transport.sentinel import check_role, find_master, question

OPTIONS = RedisOptions.from_url("redis-sentinel://:s@s1,s2:2,s3/4?master=tasks&username=u&password=p")


def search(answers: dict[str, Any], deposed: tuple[bytes, bytes] | None = None) -> tuple[Any, list[str]]:
    """What is found, and the steps that led there, when each step is answered from *answers*."""
    access = access_by_options(OPTIONS)
    steps: list[str] = []
    going = find_master(access, lambda master: master == deposed)
    try:
        what, endpoint = next(going)
        while True:
            steps.append(f"{what} {endpoint.settings['host']}:{endpoint.settings['port']}")
            what, endpoint = going.send(answers.get(steps[-1], RedisConnectionError("down")))
    except StopIteration as found:
        assert access.sentinels[0].settings["host"] == steps[-2].split()[1].split(":")[0]
        return found.value, steps


def test_the_first_sentinel_that_leads_to_a_master_is_believed() -> None:
    """Those that are down, know nothing, or name a server that is no master any more, are passed over."""
    answers = {
        "ask s2:2": [b"old", b"1"],
        "open old:1": RedisConnectionError("it is not the master"),
        "ask s3:26379": [b"new", b"1"],
        "open new:1": "connection",
    }
    found, steps = search(answers)
    assert found == "connection"
    assert steps == ["ask s1:26379", "ask s2:2", "open old:1", "ask s3:26379", "open new:1"]


def test_a_sentinel_that_is_the_last_to_hear_of_a_failover_is_passed_over() -> None:
    """It names a master that may well say itself that it is one, and will forget what it is told."""
    answers = {
        "ask s1:26379": [b"old", b"1"],
        "open old:1": "wrong",
        "ask s2:2": [b"new", b"1"],
        "open new:1": "right",
    }
    found, steps = search(answers, (b"old", b"1"))
    assert (found, steps) == ("right", ["ask s1:26379", "ask s2:2", "open new:1"])


def test_nobody_leads_to_a_master() -> None:
    """The message says what each has said."""
    with pytest.raises(
        RedisConnectionError, match=r"'tasks'.*s1:26379: down.*s2:2: knows no such master.*s3"
    ) as caught:
        search({"ask s2:2": None})
    assert isinstance(caught.value.__cause__, RedisConnectionError)


def test_sentinels_and_servers_have_their_own_users() -> None:
    """The database is that of the servers."""
    access = access_by_options(OPTIONS)
    assert access.sentinels[1].settings["password"] == "s"
    assert "db" not in access.sentinels[1].settings
    server = {name: access.server.settings[name] for name in ("username", "password", "db")}
    assert server == {"username": "u", "password": "p", "db": 4}
    assert question(access)[2] == "tasks"


def test_a_server_has_to_say_itself_that_it_is_the_master() -> None:
    """In its reply to ROLE."""
    check_role([b"master", 5, []])
    with pytest.raises(RedisConnectionError, match="slave"):
        check_role([b"slave", b"host", 1])
