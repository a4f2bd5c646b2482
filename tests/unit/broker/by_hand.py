"""Drives a flow without Redis: sends it the replies that a test has made."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

from asynqpy._broker.flow import Batch, Call, Flow

T = TypeVar("T")


class Talk(NamedTuple):
    """What a flow said, and how it ended."""

    said: list[Call | Batch]
    result: Any

    @property
    def calls(self) -> list[Call]:
        """Everything said, batches opened."""
        return [call for said in self.said for call in (said.calls if isinstance(said, Batch) else [said])]


def talk(flow: Flow[Any], *replies: Any) -> Talk:
    """Run *flow* to its end; each request gets the next of *replies*, an exception is thrown into the flow."""
    said: list[Call | Batch] = []
    answers = iter(replies)
    try:
        request = next(flow)
        while True:
            said.append(request)
            reply = next(answers, missing := object())
            assert reply is not missing, f"one more request than replies: {request}"
            request = flow.throw(reply) if isinstance(reply, BaseException) else flow.send(reply)
    except StopIteration as finished:
        assert next(answers, None) is None, "replies are left over"
        return Talk(said, finished.value)


def first(flow: Flow[Any]) -> Call | Batch:
    """What *flow* says first; it is not answered."""
    request = next(flow)
    flow.close()
    return request


def first_call(flow: Flow[Any]) -> Call:
    """The same for a flow that starts with a single call."""
    return cast("Call", first(flow))


def ids(call: Call) -> list[object]:
    """The ids of the tasks in a script call."""
    assert call.script is not None
    count = call.words[2]
    assert isinstance(count, int)
    arguments = call.words[3 + count + len(call.script.arguments) :]
    return list(arguments[call.script.repeated.index("id") :: len(call.script.repeated)])
