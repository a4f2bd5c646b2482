"""Lanes: one exchange at a time, replies in order, errors in their places, and back again after a failure."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from redis import Redis

from asynqpy import BrokerError, ConnectionLostError
from asynqpy._broker import scripts
from asynqpy._broker.flow import Batch, Flow, command
from asynqpy._broker.presence import ping
from asynqpy._transport.channel import Channel
from asynqpy._transport.connect import Source
from asynqpy._transport.exchange import RefusedForNow
from asynqpy._transport.lane import BlockingLane
from tests.conftest import StartProxy, StartServer
from tests.servers import RedisServer

from .conftest import OpenLane, impatient

pytestmark = pytest.mark.anyio


async def test_replies_stand_in_the_order_of_the_calls(open_lane: OpenLane, server: RedisServer) -> None:
    """Every kind of reply, as bytes."""
    replies = await open_lane().exchange(
        [
            command("SET", "k", b"\x00\xff"),
            command("GET", "k"),
            command("GET", "none"),
            command("INCRBY", "n", 5),
            command("RPUSH", "l", "a", 1, 2.5),
            command("LRANGE", "l", 0, -1),
            command("PING"),
        ]
    )
    assert replies == [b"OK", b"\x00\xff", None, 5, 3, [b"a", b"1", b"2.5"], b"PONG"]


async def test_a_refused_call_spoils_no_other(open_lane: OpenLane) -> None:
    """The error stands in its place, names the command, and keeps the driver's own."""
    lane = open_lane()
    replies = await lane.exchange([command("SET", "k", 1), command("LPUSH", "k", 1), command("GET", "k")])
    assert (replies[0], replies[2]) == (b"OK", b"1")
    assert isinstance(replies[1], BrokerError)
    assert "LPUSH" in str(replies[1])
    assert "WRONGTYPE" in str(replies[1].__cause__)
    with pytest.raises(BrokerError, match="WRONGTYPE"):
        await lane.perform(command("LPUSH", "k", 1))
    assert lane.connects == 1


async def test_no_calls_are_no_round_trip(open_lane: OpenLane) -> None:
    """And need no connection."""
    lane = open_lane("redis://127.0.0.1:1")
    assert await lane.exchange([]) == []
    assert lane.connects == 0


async def test_a_lane_comes_back_after_a_restart(start_server: StartServer, open_lane: OpenLane) -> None:
    """The exchange after the restart works, scripts and all."""
    server = start_server()
    lane = open_lane(server.url)
    call = scripts.WRITE_RESULT(("k",), ("token", "result"))
    assert await lane.exchange([call]) == [0]
    server.restart()
    await asyncio.sleep(0.05)  # lets the loop see the end of the old connection
    assert await lane.exchange([call]) == [0]
    assert lane.connects == 2


async def test_calls_on_their_way_when_redis_dies_are_lost(
    open_lane: OpenLane, start_proxy: StartProxy, redis_url: str
) -> None:
    """Those that were answered before keep their replies."""
    proxy = start_proxy(redis_url)
    lane = open_lane(proxy.url)
    await lane.exchange([command("PING")])
    proxy.drop_after(7, toward="client")  # +PONG\r\n, and not a byte more
    replies = await lane.exchange([command("PING"), command("INCR", "n"), command("GET", "n")])
    assert replies[0] == b"PONG"
    assert [type(reply) for reply in replies[1:]] == [ConnectionLostError] * 2
    assert (await lane.exchange([command("GET", "n")]))[0] == b"1"


async def test_a_stalled_server_is_given_up(open_lane: OpenLane, start_proxy: StartProxy, redis_url: str) -> None:
    """Every call of the exchange is lost; the lane works again with the server."""
    proxy = start_proxy(redis_url)
    lane = open_lane(impatient(proxy.port))
    await lane.exchange([command("PING")])
    for _ in range(2):
        proxy.stall()
        async with asyncio.timeout(30):
            replies = await lane.exchange([command("PING"), command("PING")])
        assert all(isinstance(reply, BrokerError) for reply in replies)
        proxy.heal()
        assert await lane.exchange([command("PING")]) == [b"PONG"]


async def test_a_server_that_stalls_at_the_login_is_given_up(
    open_lane: OpenLane, start_proxy: StartProxy, redis_url: str
) -> None:
    """Connecting is bounded as well."""
    proxy = start_proxy(redis_url)
    proxy.stall()
    lane = open_lane(impatient(proxy.port))
    async with asyncio.timeout(30):
        replies = await lane.exchange([command("PING")])
    assert isinstance(replies[0], BrokerError)


async def test_a_long_exchange_within_the_limit_is_not_cut(
    open_lane: OpenLane, start_proxy: StartProxy, redis_url: str
) -> None:
    """The limit counts from the start of each exchange, however many there were before."""
    lane = open_lane(impatient(start_proxy(redis_url, latency=0.05).port))
    for _ in range(8):  # together longer than the limit
        assert await lane.exchange([command("PING")]) == [b"PONG"]
    assert lane.connects == 1


async def test_a_cancelled_exchange_closes_its_connection(
    open_lane: OpenLane, start_proxy: StartProxy, redis_url: str
) -> None:
    """Its replies would be taken for those of the next."""
    proxy = start_proxy(redis_url)
    lane = open_lane(proxy.url)
    await lane.exchange([command("SET", "k", "old")])
    proxy.stall()
    exchange = asyncio.create_task(lane.exchange([command("GET", "k"), command("GET", "k")]))
    await asyncio.sleep(0.05)
    exchange.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange
    proxy.heal()
    assert await lane.exchange([command("PING")]) == [b"PONG"]
    assert lane.connects == 2


async def test_forgotten_scripts_are_loaded_in_the_middle_of_a_batch(open_lane: OpenLane, redis: Redis) -> None:
    """Only the calls that failed are sent again, in order, once; the others keep their replies."""
    lane = open_lane()
    redis.script_flush()
    mend = scripts.MEND(("active", "lease", "pending"), ("t:", 1))
    write = scripts.WRITE_RESULT(("k",), ("token", "result"))
    replies = await lane.exchange([command("INCR", "n"), write, mend, command("INCR", "n"), write])
    assert replies == [1, 0, [[], 0], 2, 0]
    redis.script_flush()
    replies = await lane.exchange([mend, command("INCR", "n"), mend])
    assert replies == [[[], 0], 3, [[], 0]]


def test_blocking_lanes_do_the_same(redis_url: str, redis: Redis, start_proxy: StartProxy) -> None:
    """Order, refusals, forgotten scripts, lost replies, stalls."""
    proxy = start_proxy(redis_url)
    lane = BlockingLane(Source(impatient(proxy.port)))
    redis.script_flush()
    write = scripts.WRITE_RESULT(("k",), ("token", "result"))
    replies = lane.exchange([command("SET", "k2", 1), write, command("LPUSH", "k2", 1), command("GET", "k2")])
    assert (replies[0], replies[1], replies[3]) == (b"OK", 0, b"1")
    assert isinstance(replies[2], BrokerError)
    proxy.drop_after(7, toward="client")
    replies = lane.exchange([command("PING"), command("PING")])
    assert (replies[0], type(replies[1])) == (b"PONG", ConnectionLostError)
    assert lane.exchange([command("PING")]) == [b"PONG"]
    proxy.stall()
    assert isinstance(lane.exchange([command("PING")])[0], BrokerError)
    assert isinstance(lane.exchange([command("PING")])[0], BrokerError)
    proxy.heal()
    assert lane.exchange([command("PING")]) == [b"PONG"]
    assert lane.exchange([]) == []
    lane.close()
    lane.close()


def test_a_blocking_lane_notices_that_its_idle_connection_was_closed(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an idle timeout of the server, for one: the next call does not fail for it."""
    monkeypatch.setattr("asynqpy._transport.line.IDLE_SECONDS", 0.0)
    lane = BlockingLane(Source(redis_url))
    lane.perform(command("CLIENT", "SETNAME", "mine"))
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert lane.perform(command("PING")) == b"PONG"
    lane.close()


async def test_a_lane_notices_that_its_idle_connection_was_closed(open_lane: OpenLane, redis: Redis) -> None:
    """The same on the event loop."""
    lane = open_lane()
    await lane.perform(command("PING"))
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await asyncio.sleep(0.05)  # lets the loop see it
    assert await lane.perform(command("PING")) == b"PONG"
    assert lane.connects == 2


async def test_a_channel_shares_round_trips_between_flows(redis_url: str, redis: Redis) -> None:
    """A hundred flows at once need a few exchanges, and each gets its own replies."""

    def count(n: int) -> Flow[list[Any]]:
        first = yield command("INCRBY", f"n{n}", n)
        rest = yield Batch([command("GET", f"n{n}"), command("LPUSH", f"n{n}", "x")])
        return [first, *rest]

    channel = Channel(redis_url)
    await channel.run(ping())
    before = redis.info("stats")["total_reads_processed"]
    results = await asyncio.gather(*(channel.run(count(n)) for n in range(100)))
    assert redis.info("stats")["total_reads_processed"] - before < 50  # three hundred calls
    for n, (first, value, refused) in enumerate(results):
        assert (first, value) == (n, b"%d" % n)
        assert isinstance(refused, BrokerError)
    await channel.close()


async def test_a_flow_may_recover_from_an_error(redis_url: str) -> None:
    """It is thrown in where the call was made."""

    def careful() -> Flow[str]:
        try:
            yield command("LPUSH")
        except BrokerError:
            reply = yield command("PING")
            return str(reply, "ascii")
        return "no error"

    channel = Channel(redis_url)
    assert await channel.run(careful()) == "PONG"
    await channel.close()


async def test_a_flow_is_begun_before_its_result_is_wanted(redis_url: str, redis: Redis) -> None:
    """Its first call is sent at once, all others when it is finished; what is forgotten was sent all the same."""

    def count(key: str) -> Flow[list[int]]:
        first = yield command("INCR", key)
        return [first, (yield command("INCR", key))]

    channel = Channel(redis_url)
    begun, _ = channel.begin(count("a")), channel.begin(count("b"))
    await channel.run(ping())
    assert redis.mget("a", "b") == [b"1", b"1"]
    assert await channel.finish(begun) == [1, 2]
    await channel.close()
    assert redis.mget("a", "b") == [b"2", b"1"]


async def test_what_was_begun_may_fail(redis_url: str) -> None:
    """The error is the flow's when it is finished, and nobody's when it is forgotten."""

    def refused() -> Flow[str]:
        try:
            yield command("LPUSH")
        except BrokerError:
            return str((yield command("PING")), "ascii")
        return "no error"

    loop, told = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: told.append(context))
    channel = Channel(redis_url)
    begun = channel.begin(refused())
    channel.begin(refused())
    assert await channel.finish(begun) == "PONG"
    await channel.close()
    gc.collect()
    await asyncio.sleep(0)
    assert told == []


async def test_what_was_begun_is_asked_again_while_masters_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the patience that other calls have."""
    channel = Channel("redis-sentinel://127.0.0.1:1/0?master=mymaster")
    answers = iter([RefusedForNow("no"), RefusedForNow("not yet"), b"here"])

    def submit(call: object) -> asyncio.Future[object]:
        reply = asyncio.get_running_loop().create_future()
        answer = next(answers)
        if isinstance(answer, Exception):
            reply.set_exception(answer)
        else:
            reply.set_result(answer)
        return reply

    monkeypatch.setattr(channel._requests, "submit", submit)

    def get() -> Flow[object]:
        return (yield command("GET", "a"))

    assert await channel.finish(channel.begin(get())) == b"here"
    await channel.close()


async def test_a_cancellation_is_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends a call of a batch ends the flow, also where refused calls are made again; errors stand in its place."""
    channel = Channel("redis-sentinel://127.0.0.1:1/0?master=mymaster")

    def both() -> Flow[list[object]]:
        return (yield Batch([command("GET", "a"), command("GET", "b")]))

    async def submit(call: object) -> object:
        raise BrokerError("no")

    monkeypatch.setattr(channel._requests, "submit", submit)
    assert [type(reply) for reply in await channel.run(both())] == [BrokerError] * 2

    async def cancelled(call: object) -> object:
        raise asyncio.CancelledError

    monkeypatch.setattr(channel._requests, "submit", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await channel.run(both())
    await channel.close()
