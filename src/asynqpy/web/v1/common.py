"""What the routes of asynqmon's API share: answers, errors as text, paging, and who may see what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from asynqpy.errors import AsynqpyError
from asynqpy.web.broker import Broker, broker_of, require_sight
from asynqpy.web.contents import Subject, line_of
from asynqpy.web.guard import user_of
from asynqpy.web.paths import name_in
from asynqpy.web.problems import Problem
from asynqpy.web.v1.shapes import Formatter

DEFAULT_SIZE, LARGEST_SIZE = 20, 1000
LONGEST_DETAIL = 100_000
"""Characters of a payload in the details of a task: the front end shows them as JSON, which must be whole."""


class Refused(Exception):  # noqa: N818 - not always an error
    """To be answered with this status and text."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def text_answer(status: int, text: str) -> Response:
    """An error: text that is no JSON and never empty, because the front end takes any JSON for data."""
    return Response(f"{text or HTTPStatus(status).phrase}\n", status, media_type="text/plain")


def error_answer(error: Exception) -> Response:
    """*error* as asynqmon tells it: 500 for nearly everything."""
    match error:
        case Refused(status=status, text=text):
            return text_answer(status, text)
        case Problem(status=status, detail=detail):
            return text_answer(status, detail)
        case AsynqpyError():
            return text_answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        case _:
            return text_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log tells more")


def data_answer(value: Any) -> Response:
    """*value* as JSON with a line break behind it."""
    return Response(msgspec.json.encode(value) + b"\n", media_type="application/json")


def no_content() -> Response:
    """Done, nothing to say."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def shared(request: Request, make: Callable[[], Awaitable[Any]]) -> Response:
    """What *make* gives, shared by all who ask the same within a moment and see the same."""
    broker = broker_of(request)
    key = (request.url.path, request.url.query, user_of(request).sight)

    async def read() -> bytes:
        return msgspec.json.encode(await make()) + b"\n"

    return Response(await broker.reads.get(key, read), media_type="application/json")


def queue_in(request: Request) -> str:
    """The queue in the path, which must exist for whoever asks."""
    queue = name_in(request.path_params["queue"])
    require_sight(user_of(request), queue)
    return queue


def page_in(request: Request) -> tuple[int, int]:
    """Page and size; whatever is no number is as if it were not there, as in asynqmon."""
    page = max(1, _number(request, "page", 1))
    size = _number(request, "size", DEFAULT_SIZE)
    return page, LARGEST_SIZE if size <= 0 else min(size, LARGEST_SIZE)


def _number(request: Request, name: str, default: int) -> int:
    try:
        return max(-(2**31), min(int(request.query_params.get(name, "")), 2**31))
    except ValueError:
        return default


def formatters(request: Request, *, in_full: bool = False) -> tuple[Formatter, Formatter]:
    """What makes text of payloads and of results for whoever asks."""
    broker = broker_of(request)
    settings = broker.settings
    limits = (LONGEST_DETAIL, LONGEST_DETAIL) if in_full else (settings.longest_payload, settings.longest_result)
    return (
        _formatter(broker, request, "payload", limits[0]),
        _formatter(broker, request, "result", limits[1]),
    )


def _formatter(broker: Broker, request: Request, what: Any, longest: int) -> Formatter:
    visible = user_of(request).may_see_payloads
    contents = broker.settings.contents

    def text(data: bytes, queue: str, task_type: str) -> str:
        most = LONGEST_DETAIL if longest < 0 else longest
        content = contents.read(data, Subject(queue, task_type, what), longest=most, visible=visible)
        return line_of(content, longest)

    return text
