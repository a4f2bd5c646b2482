"""Tasks as they lie in Redis, with what a later version of a peer has put into them."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from asynqpy import QueueNotFoundError, TaskNotFoundError, UnknownField
from tests.redis.inspected import Inspected

pytestmark = pytest.mark.anyio

LATER = b"\x98\x06\x2a" + b"\xa2\x06\x02\xff\x00"
"""Field 99 as a number, 42, and field 100 as bytes."""


async def test_what_later_versions_have_written_is_told(face: Any, redis: Redis) -> None:
    """Fields of the message and of the hash, none of them understood here, none of them hidden."""
    queue = Inspected(redis)
    queue.bring("pending", "a", type="email:welcome")
    key = queue.keys.task("a")
    message = redis.hget(key, "msg") + LATER
    redis.hset(key, mapping={"msg": message, "later": b"\xfe\x01"})
    found = await face.stored_task("low", "a")
    assert found.message == message
    assert found.unknown_fields == (UnknownField(number=99, value=42), UnknownField(number=100, value=b"\xff\x00"))
    assert found.error == ""
    assert found.fields["later"] == b"\xfe\x01"
    assert found.fields["state"] == b"pending"
    assert "msg" not in found.fields
    assert (await face.task_info("low", "a")).type == "email:welcome"


async def test_a_message_that_cannot_be_read_is_given_all_the_same(face: Any, redis: Redis) -> None:
    """With the reason."""
    queue = Inspected(redis)
    queue.bring("pending", "a")
    redis.hset(queue.keys.task("a"), "msg", b"\xff\xff\xff")
    found = await face.stored_task("low", "a")
    assert (found.message, found.unknown_fields) == (b"\xff\xff\xff", ())
    assert "not a task message (3 bytes)" in found.error


async def test_what_is_not_there(face: Any, redis: Redis) -> None:
    """A queue, or a task in it."""
    with pytest.raises(QueueNotFoundError):
        await face.stored_task("low", "a")
    Inspected(redis)
    with pytest.raises(TaskNotFoundError):
        await face.stored_task("low", "a")
