"""The two drivers of flows: the only place where blocking and awaiting differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy.errors import AsynqpyError

T = TypeVar("T")


def drive(flow: Flow[T], perform: Callable[[Call | Batch], Any], first: Call | Batch | None = None) -> T:
    """Run *flow* to its end with a *perform* that blocks; *first* is what it has asked for, if it has begun already."""
    try:
        request = next(flow) if first is None else first
        while True:
            try:
                reply = perform(request)
            except AsynqpyError as error:  # thrown into the flow, so that a flow can recover
                request = flow.throw(error)
            else:
                request = flow.send(reply)
    except StopIteration as finished:
        return cast("T", finished.value)


async def drive_async(
    flow: Flow[T], perform: Callable[[Call | Batch], Awaitable[Any]], first: Call | Batch | None = None
) -> T:
    """Run *flow* to its end with a *perform* that is awaited; *first* as for `drive`."""
    try:
        request = next(flow) if first is None else first
        while True:
            try:
                reply = await perform(request)
            except AsynqpyError as error:
                request = flow.throw(error)
            else:
                request = flow.send(reply)
    except StopIteration as finished:
        return cast("T", finished.value)


def unwrap(replies: list[Any]) -> Any:
    """The reply to a single call; an error is raised."""
    reply = replies[0]
    if isinstance(reply, AsynqpyError):
        raise reply
    return reply
