"""Looking at a task that somebody waits for: only at what may have changed, its message not before the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from asynqpy._broker.flow import Call, command
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import AsynqpyError, ResultLostError, TaskFailedError, TaskNotFoundError, WireError
from asynqpy.task import Progress

FIELDS = ("state", "result", "py:progress", "py:progress_text", "py:progress_at")


class Sight(msgspec.Struct, frozen=True):
    """What a look has shown."""

    state: str | None
    """None: there is no such task."""
    result: bytes | None = None
    progress: Progress | None = None

    @property
    def is_final(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.state is None or self.state in ("completed", "archived")


def look(queue: str, task_id: str) -> Call:
    """The call that shows a task; see `read_look`."""
    return command("HMGET", keys.of_queue(queue).task(task_id), *FIELDS)


def read_look(reply: Sequence[bytes | None]) -> Sight:
    """What the reply to `look` says."""
    state, result, fraction, text, at = reply
    if state is None:
        return Sight(None)
    return Sight(state.decode(), result, read_progress(fraction, text, at))


def read_progress(fraction: bytes | None, text: bytes | None, at: bytes | None) -> Progress | None:
    """The progress in these three fields; None when there is none, or none that can be read."""
    if fraction is None or at is None:
        return None
    try:
        moment = datetime.fromtimestamp(int(at) / 1000, UTC)
        return Progress(float(fraction), (text or b"").decode("utf-8", "replace"), moment)
    except (ValueError, OverflowError, OSError):
        return None


def failure_call(queue: str, task_id: str) -> Call:
    """The call that reads why an archived task has failed."""
    return command("HGET", keys.of_queue(queue).task(task_id), "msg")


def failure(queue: str, task_id: str, message: bytes | None) -> AsynqpyError:
    """The error of an archived task with this *message*."""
    if message is None:
        return ResultLostError(queue, task_id)
    try:
        stored = TaskMessage.decode(message)
    except WireError as error:
        return TaskFailedError(queue, task_id, str(error))
    return TaskFailedError(queue, task_id, stored.error_msg, task_type=stored.type, retried=stored.retried)


def gone(queue: str, task_id: str, *, existed: bool) -> AsynqpyError:
    """The error for a task that is not there. *existed*: it was seen, or enqueued by who waits."""
    return (ResultLostError if existed else TaskNotFoundError)(queue, task_id)
