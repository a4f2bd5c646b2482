"""What one round trip sends and what its replies mean, driven by hand."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from asynqpy import BrokerError
from asynqpy._broker import scripts
from asynqpy._broker.flow import Call, command
from asynqpy._transport import exchange as module
from asynqpy._transport.exchange import exchange, is_connection_trouble, pack


def converse(calls: list[Call], *answers: list[Any]) -> tuple[list[tuple[bytes, int]], list[Any]]:
    """What was sent, and the results, when the server gives *answers*."""
    conversation = exchange(calls)
    sent = [next(conversation)]
    try:
        for replies in answers:
            sent.append(conversation.send(replies))
    except StopIteration as finished:
        return sent, finished.value
    raise AssertionError("the conversation goes on")


def words(data: bytes) -> list[list[bytes]]:
    """The commands in *data*."""
    commands, lines = [], iter(data.split(b"\r\n"))
    for line in lines:
        if line:
            count = int(line[1:])
            commands.append([next(lines) for _ in range(2 * count)][1::2])
    return commands


WRITE = scripts.WRITE_RESULT(("key",), ("token", "result"))
MEND = scripts.MEND(("a", "b", "c"), ("d", 1))


def test_calls_go_in_one_piece_and_replies_come_back_in_order() -> None:
    """One string of bytes, one reply each."""
    sent, results = converse([command("GET", "k"), command("INCR", "n")], [b"v", 2])
    assert sent == [(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", 2)]
    assert results == [b"v", 2]


def test_an_unknown_script_is_loaded_and_called_again() -> None:
    """Loading and calling share the second round trip; only what failed is sent again."""
    sent, results = converse(
        [command("INCR", "n"), WRITE, MEND],
        [1, NoScriptError("no"), [[], 0]],
        [WRITE.script.sha.encode(), 7],  # type: ignore[union-attr]
    )
    assert results == [1, 7, [[], 0]]
    second = words(sent[1][0])
    assert sent[1][1] == 2
    assert second[0] == [b"SCRIPT", b"LOAD", scripts.WRITE_RESULT.source.encode()]
    assert second[1] == words(sent[0][0])[1]


def test_a_script_that_was_called_twice_is_loaded_once() -> None:
    """And both calls are made again, in order."""
    sent, results = converse([WRITE, MEND, WRITE], [NoScriptError("no")] * 3, [b"sha", b"sha", 1, 2, 3])
    second = [found[:2] for found in words(sent[1][0])]
    assert [found[0] for found in second] == [b"SCRIPT", b"SCRIPT", b"EVALSHA", b"EVALSHA", b"EVALSHA"]
    assert results == [1, 2, 3]


def test_what_fails_again_is_an_error_and_not_tried_for_ever() -> None:
    """A server that forgets at once, or refuses to load."""
    for again in (NoScriptError("still no"), ResponseError("out of memory")):
        sent, results = converse([WRITE], [NoScriptError("no")], [b"sha", again])
        assert len(sent) == 2
        assert isinstance(results[0], BrokerError)
        assert "write_result" in str(results[0])


def test_refusals_stand_in_their_places_and_name_the_command() -> None:
    """The driver's error is the cause."""
    error = ResponseError("WRONGTYPE")
    _, results = converse([command("GET", "k"), WRITE, command("PING")], [error, ResponseError("x"), b"PONG"])
    assert isinstance(results[0], BrokerError)
    assert str(results[0]) == "Redis refused GET: WRONGTYPE"
    assert results[0].__cause__ is error
    assert "script write_result" in str(results[1])
    assert results[2] == b"PONG"


def test_errors_of_ours_pass_through() -> None:
    """A lane puts them in place of replies that never came."""
    lost = BrokerError("lost")
    _, results = converse([command("PING"), command("PING")], [b"PONG", lost])
    assert results == [b"PONG", lost]


@pytest.mark.parametrize(
    "command_words",
    [
        ("SET", "k", b"\x00\r\n\xff"),
        ("SET", "k\u20ac", "gr\u00fcn"),
        ("ZADD", "z", 1.5, "m"),
        ("X", -5, 2**60, 0.1),
        ("X", ""),
    ],
)
def test_both_packers_agree(command_words: tuple[Any, ...]) -> None:
    """hiredis, and the one in Python that stands in for it."""
    assert pack(command_words) == module._pack_in_python(command_words)


def test_without_hiredis_the_packer_in_python_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything works, a little slower."""
    monkeypatch.setitem(__import__("sys").modules, "hiredis", None)
    assert module._packer() is module._pack_in_python


def test_trouble_with_the_connection_is_told_from_refusals() -> None:
    """The first may be tried again."""
    for error in (RedisConnectionError(), ConnectionResetError(), TimeoutError(), EOFError()):
        assert is_connection_trouble(error)
    for other in (ResponseError(), ValueError()):
        assert not is_connection_trouble(other)
