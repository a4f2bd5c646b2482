"""When groups are looked at, and which are handed on, without Redis: its replies are made here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from asynqpy._broker.flow import Call
from asynqpy._broker.groups import Formed, Rules
from asynqpy._transport.channel import Channel
from asynqpy._worker import group_watch
from asynqpy._worker.group_watch import Group, GroupWatch
from asynqpy._worker.watcher import Watcher
from asynqpy.errors import BrokerError
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

G, H = Group("low", "g"), Group("low", "h")
NAMES = "asynq:{low}:groups"
KEY = "asynq:{low}:g:g"


@pytest.fixture
def anyio_backend() -> str:
    """asyncio's own loop."""
    return "asyncio"


class FakeRedis:
    """Groups by name, each with the scores of its tasks; it stands for the watcher and for the channel."""

    def __init__(self) -> None:
        self.now = 1000
        self.groups: dict[str, list[int]] = {}
        self.unlisted: set[str] = set()
        self.names: list[bytes] = []
        self.is_pushing = True
        self.interests: dict[str, Callable[[], None]] = {}
        self.looked_up: list[str] = []
        self.on_read: Callable[[], None] = lambda: None
        self.trouble: BrokerError | None = None

    def tell(self, key: str, on_change: Callable[[], None]) -> None:
        self.interests[key] = on_change

    def forget(self, key: str) -> None:
        self.interests.pop(key, None)

    def when_reopened(self, callback: Callable[[], None]) -> None:
        self.reopened = callback

    async def look_up(self, calls: Sequence[Call], channel: object) -> list[Any]:
        if self.trouble is not None:
            raise self.trouble
        replies = [self._reply(*map(str, call.words)) for call in calls]
        self.on_read()
        await asyncio.sleep(0)
        return replies

    async def run(self, flow: Any) -> Any:
        call = next(flow)
        asked = call.words[5:]
        found = [name for name in asked if name in self.unlisted]
        self.unlisted.clear()
        flow.close()
        return found

    def _reply(self, verb: str, key: str = "", *more: str) -> Any:
        self.looked_up.append(f"{verb} {key}".strip())
        name = key.partition(":g:")[2]
        scores = sorted(self.groups.get(name, []))
        match verb:
            case "TIME":
                return [b"%d" % self.now, b"0"]
            case "SSCAN":
                listed = [each.encode() for each in self.groups if each not in self.unlisted]
                return [b"0", [*listed, *self.names]]
            case "ZCARD":
                return len(scores)
            case "ZRANGE":
                return [[b"id", float(scores[int(more[0])])]] if scores else []
        raise AssertionError(verb)


def watch(redis: FakeRedis, due: list[Group], *, size: int = 0, delay: int = 0, grace: int = 60) -> GroupWatch:
    """A watch over the queue ``low``."""
    return GroupWatch(
        ["low"],
        Rules(size, delay, grace),
        is_wanted=lambda group: group.name != "unwanted",
        on_due=due.append,
        watcher=cast("Watcher", redis),
        channel=cast("Channel", redis),
    )


async def test_a_group_is_handed_on_once() -> None:
    """And not looked at again before it is settled."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [900]
    seen = watch(redis, due)
    assert await seen.look() == 1
    assert due == [G]
    redis.interests[NAMES]()
    assert await seen.look() == 0
    assert due == [G]


async def test_what_is_left_of_a_group() -> None:
    """Due: in line again. Not due: looked at. Nothing: forgotten, and the names are read again."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [900]
    seen = watch(redis, due)
    await seen.look()
    seen.settle(G, Formed(10, 5, True))
    assert due == [G, G]
    redis.groups["g"] = [990]
    seen.settle(G, Formed(5, 1, False))
    await seen.look()
    assert due == [G, G]
    redis.now = 1050
    seen._moments[G] = 0
    await seen.look()
    assert due == [G, G, G]
    del redis.groups["g"]
    seen.settle(G, Formed(1, 0, False))
    await seen.look()
    assert (seen._moments, seen._held) == ({}, set())
    assert redis.looked_up[-1] == f"SSCAN {NAMES}"


async def test_a_group_that_could_not_be_tried() -> None:
    """Is tried again a second later."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [900]
    seen = watch(redis, due)
    await seen.look()
    seen.put_off(G)
    assert await seen.look() == 0
    seen._moments[G] -= group_watch.AFTER_TROUBLE_SECONDS
    await seen.look()
    assert due == [G, G]


async def test_it_sleeps_until_a_rule_can_be_true() -> None:
    """The newest task and the grace period, or the oldest and the longest delay, whichever comes first."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups = {"g": [950, 980], "h": [700, 999]}
    seen = watch(redis, due, delay=320)
    await seen.look()
    now = asyncio.get_running_loop().time()
    assert due == []
    assert seen._moments[G] - now == pytest.approx(40, abs=5)
    assert seen._moments[H] - now == pytest.approx(20, abs=5)


async def test_groups_are_watched_only_where_their_size_matters() -> None:
    """Without a largest size a task that joins can only put its group off."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [999]
    await watch(redis, due).look()
    assert KEY not in redis.interests
    seen = watch(redis, due, size=2)
    await seen.look()
    redis.groups["g"].append(1000)
    redis.interests[KEY]()
    await seen.look()
    assert due == [G]


async def test_a_change_while_the_replies_are_on_their_way_counts() -> None:
    """The group is looked at once more, though the replies said that there is time."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [999]
    seen = watch(redis, due, size=2)

    def change() -> None:
        if KEY in redis.interests and len(redis.groups["g"]) == 1:
            redis.groups["g"].append(1000)
            redis.interests[KEY]()

    redis.on_read = change
    await seen.look()
    assert due == []
    await seen.look()
    assert due == [G]


async def test_a_group_that_another_server_took_is_forgotten() -> None:
    """With everything that was known of it, and its key is of no interest any more."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [999]
    seen = watch(redis, due, size=2)
    await seen.look()
    del redis.groups["g"]
    redis.interests[NAMES]()
    await seen.look()
    assert seen._moments == {}
    assert KEY not in redis.interests


async def test_names_that_are_no_text_and_groups_that_nobody_wants_are_left_alone() -> None:
    """They stop nobody."""
    redis, due = FakeRedis(), list[Group]()
    redis.groups = {"unwanted": [1], "g": [1]}
    redis.names = [b"\xff\xfe"]
    await watch(redis, due).look()
    assert due == [G]


async def test_groups_that_go_does_not_list_are_listed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were seen once; a bounded number of names is remembered, the latest."""
    monkeypatch.setattr(group_watch, "KNOWN_NAMES", 3)
    redis, due = FakeRedis(), list[Group]()
    redis.groups = {name: [999] for name in "abcd"}
    seen = watch(redis, due)
    await seen.look()
    assert len(seen._known["low"]) == 3
    redis.unlisted = {name for name in seen._known["low"] if name != "d"}
    redis.interests[NAMES]()
    await seen.look()
    assert len(seen._moments) < 4
    await seen._relist()
    await seen.look()
    assert len(seen._moments) == 4


async def test_trouble_is_overcome(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and everything counts as changed afterwards; so it does when the watching begins anew."""
    monkeypatch.setattr(group_watch, "AFTER_TROUBLE_SECONDS", 0.01)
    redis, due = FakeRedis(), list[Group]()
    redis.groups["g"] = [900]
    redis.trouble = BrokerError("Redis is down")
    running = asyncio.create_task(watch(redis, due).run())
    await eventually(lambda: "will try again: Redis is down" in caplog.text)
    redis.trouble = None
    await eventually(lambda: due == [G])
    redis.groups["h"] = [900]
    redis.reopened()
    await eventually(lambda: due == [G, H])
    running.cancel()


async def test_without_pushes_it_polls() -> None:
    """At the grace period, seven seconds at most."""
    redis, due = FakeRedis(), list[Group]()
    redis.is_pushing = False
    running = asyncio.create_task(watch(redis, due, grace=1).run())
    await eventually(lambda: bool(redis.looked_up))
    redis.groups["g"] = [900]  # nobody tells
    await eventually(lambda: due == [G])
    running.cancel()
