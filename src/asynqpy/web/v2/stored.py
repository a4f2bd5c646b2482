"""Tasks as they lie in Redis, for what cannot be shown otherwise."""

from __future__ import annotations

import base64

from fastapi import APIRouter

from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import Asking, QueueName, TaskId, hidden_bytes

router = APIRouter(tags=["tasks"])

LONGEST_MESSAGE = 65536
LONGEST_FIELD = 2048


@router.get("/queues/{queue}/tasks/{task_id}/stored")
async def stored(asking: Asking, queue: QueueName, task_id: TaskId) -> schema.StoredTask:
    """The message and all fields of a task, also those of other versions. Not where something is hidden."""
    asking.see(queue)
    if not asking.may_search_payloads:
        raise hidden_bytes()
    task = await asking.broker.inspector.stored_task(queue, task_id)
    return schema.StoredTask(
        message_base64=base64.b64encode(task.message[:LONGEST_MESSAGE]).decode("ascii"),
        message_size=len(task.message),
        error=task.error,
        unknown_fields=[
            schema.UnknownField(
                number=field.number,
                value=str(field.value)
                if isinstance(field.value, int)
                else base64.b64encode(field.value).decode("ascii"),
            )
            for field in task.unknown_fields
        ],
        fields=[_field(name, value) for name, value in sorted(task.fields.items())],
    )


def _field(name: str, value: bytes) -> schema.StoredField:
    try:
        text, is_text = value.decode("utf-8"), True
    except UnicodeDecodeError:
        text, is_text = base64.b64encode(value).decode("ascii"), False
    return schema.StoredField(name=name, size=len(value), text=text[:LONGEST_FIELD], is_text=is_text)
