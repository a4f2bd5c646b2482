"""A task as it lies in Redis."""

from __future__ import annotations

from asynqpy._broker.flow import Flow, command
from asynqpy._broker.inspect.places import require_queue
from asynqpy._wire import keys
from asynqpy._wire.records import unknown_fields
from asynqpy.errors import TaskNotFoundError, WireError
from asynqpy.inspection import StoredTask, UnknownField


def stored_task(queue: str, task_id: str) -> Flow[StoredTask]:
    """The hash of a task.

    Raises:
        QueueNotFoundError: the queue does not exist.
        TaskNotFoundError: it has no such task.
    """
    yield from require_queue(queue)
    words = yield command("HGETALL", keys.of_queue(queue).task(task_id))
    pairs = words.items() if isinstance(words, dict) else zip(words[::2], words[1::2], strict=True)
    fields = {name.decode("utf-8", "backslashreplace"): value for name, value in pairs}
    if not fields:
        raise TaskNotFoundError(queue, task_id)
    message = fields.pop("msg", b"")
    error = ""
    unknown: tuple[UnknownField, ...] = ()
    try:
        unknown = tuple(UnknownField(number=number, value=value) for number, value in unknown_fields(message))
    except WireError as wrong:
        error = str(wrong)
    return StoredTask(queue=queue, task_id=task_id, message=message, fields=fields, unknown_fields=unknown, error=error)
