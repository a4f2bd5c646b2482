"""The two drivers do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asynqpy import BrokerError, DuplicateTaskError
from asynqpy._broker.flow import Batch, Call, Flow, command
from asynqpy._transport.drive import drive, drive_async, unwrap


def drive_awaiting(flow: Flow[Any], perform: Callable[[Call | Batch], Any]) -> Any:
    """`drive_async` with a *perform* that blocks."""

    async def awaited(request: Call | Batch) -> Any:
        await asyncio.sleep(0)
        return perform(request)

    return asyncio.run(drive_async(flow, awaited))


both = pytest.mark.parametrize("run", [drive, drive_awaiting])


def conversation() -> Flow[list[Any]]:
    """Three requests, one of which is allowed to fail."""
    heard = [(yield command("ONE"))]
    try:
        heard.append((yield command("TWO")))
    except BrokerError as error:
        heard.append(str(error))
    heard.append((yield Batch([command("THREE"), command("FOUR")])))
    return heard


@both
def test_replies_are_sent_into_the_flow(run: Callable[..., Any]) -> None:
    """And its result comes out."""
    asked: list[Any] = []

    def perform(request: Call | Batch) -> Any:
        asked.append(request)
        return [3, 4] if isinstance(request, Batch) else request.words[0]

    assert run(conversation(), perform) == ["ONE", "TWO", [3, 4]]
    assert [type(request) for request in asked] == [Call, Call, Batch]


@both
def test_our_errors_are_thrown_into_the_flow(run: Callable[..., Any]) -> None:
    """Which may recover from them."""

    def perform(request: Call | Batch) -> Any:
        if isinstance(request, Call) and request.words == ("TWO",):
            raise BrokerError("down")
        return "well"

    assert run(conversation(), perform) == ["well", "down", "well"]


@both
def test_errors_that_the_flow_does_not_catch_come_out(run: Callable[..., Any]) -> None:
    """Ours by way of the flow, others directly."""

    def broken(request: Call | Batch) -> Any:
        raise BrokerError("down")

    with pytest.raises(BrokerError, match="down"):
        run(conversation(), broken)

    def bug(request: Call | Batch) -> Any:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run(conversation(), bug)


@both
def test_a_flow_without_requests_just_returns(run: Callable[..., Any]) -> None:
    """Nothing is performed."""

    def nothing() -> Flow[int]:
        return 5
        yield

    assert run(nothing(), None) == 5


@both
def test_a_flow_may_raise(run: Callable[..., Any]) -> None:
    """What it raises is the caller's."""

    def refuses() -> Flow[int]:
        yield command("ONE")
        raise DuplicateTaskError("q", "t")

    with pytest.raises(DuplicateTaskError):
        run(refuses(), lambda request: 1)


def test_a_single_reply_is_unwrapped() -> None:
    """An error in its place is raised."""
    assert unwrap([None]) is None
    with pytest.raises(BrokerError):
        unwrap([BrokerError("x")])


def test_a_flow_that_has_begun_already_goes_on() -> None:
    """With what it has asked for, and may recover from an error as its last step."""

    def recovering() -> Flow[str]:
        yield command("ONE")
        try:
            yield command("TWO")
        except BrokerError as error:
            return str(error)
        return "well"

    def perform(request: Call | Batch) -> Any:
        raise BrokerError("down")

    flow = recovering()
    next(flow)
    assert drive(flow, perform, flow.send("one")) == "down"
