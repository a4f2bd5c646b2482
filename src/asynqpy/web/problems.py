"""What went wrong, as an answer: problem JSON (RFC 9457) for our API, one line of text for asynq's front end."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from asynqpy.errors import (
    AsynqpyError,
    BrokerError,
    ConfigError,
    DuplicateTaskError,
    EntryNotFoundError,
    InvalidTaskError,
    PayloadChangedError,
    QueryError,
    QueueNotEmptyError,
    QueueNotFoundError,
    TaskIDConflictError,
    TaskNotFoundError,
    TaskStateError,
    WireError,
)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """Something to be answered with this *status*.

    Args:
        status: of the answer.
        code: what it is, for programs: one word with underscores, the last part of the problem's type.
        detail: what it is, for people.
        facts: members of the problem beside those.
    """

    def __init__(self, status: HTTPStatus, code: str, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.facts = facts
        self.headers: dict[str, str] = {}

    def body(self) -> bytes:
        """Its JSON."""
        return msgspec.json.encode(
            {
                "type": f"urn:asynqpy:problem:{self.code}",
                "title": self.status.phrase,
                "status": int(self.status),
                "code": self.code,
                "detail": self.detail,
                **self.facts,
            }
        )


_STATUS: dict[type[AsynqpyError], tuple[HTTPStatus, str]] = {
    QueueNotFoundError: (HTTPStatus.NOT_FOUND, "queue_not_found"),
    TaskNotFoundError: (HTTPStatus.NOT_FOUND, "task_not_found"),
    EntryNotFoundError: (HTTPStatus.NOT_FOUND, "entry_not_found"),
    QueueNotEmptyError: (HTTPStatus.CONFLICT, "queue_not_empty"),
    PayloadChangedError: (HTTPStatus.PRECONDITION_FAILED, "payload_changed"),
    TaskStateError: (HTTPStatus.CONFLICT, "task_state"),
    TaskIDConflictError: (HTTPStatus.CONFLICT, "task_id_conflict"),
    DuplicateTaskError: (HTTPStatus.CONFLICT, "duplicate_task"),
    QueryError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_query"),
    InvalidTaskError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_task"),
    WireError: (HTTPStatus.CONFLICT, "unreadable_data"),
    ConfigError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_query"),
    BrokerError: (HTTPStatus.SERVICE_UNAVAILABLE, "redis_unavailable"),
}
_FACTS = ("queue", "task_id", "state", "remedy", "counts", "entry_id", "task_type")


def problem_of(error: AsynqpyError) -> Problem:
    """*error* of the library as a problem."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            status, code = _STATUS[kind]
            break
    else:
        status, code = HTTPStatus.CONFLICT, "refused"
    facts = {name: value for name in _FACTS if (value := getattr(error, name, None))}
    return Problem(status, code, str(error), **facts)


def not_found(what: str) -> Problem:
    """There is no such thing."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", what)


def invalid(detail: str, **facts: Any) -> Problem:
    """What was asked cannot be."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_query", detail, **facts)
