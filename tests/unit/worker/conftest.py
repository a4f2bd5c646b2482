"""What worker parts are made with in tests: messages, attempts, an outlet that remembers."""

from __future__ import annotations

from typing import Any

import pytest

from asynqpy._broker.finish import Finish
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.in_flight import Running


class Outlet:
    """Remembers what was written and how many slots were released."""

    def __init__(self) -> None:
        self.written: list[Finish] = []
        self.released = 0

    def write(self, record: Finish) -> None:
        self.written.append(record)

    def release_slot(self) -> None:
        self.released += 1


class NoResults:
    """Stores nothing."""

    async def write(self, running: Running, data: bytes) -> int:
        return len(data)

    def write_from_thread(self, running: Running, data: bytes) -> int:
        return len(data)


def message(task_id: str = "id", queue: str = "default", **fields: Any) -> TaskMessage:
    """A task message with asynq's defaults."""
    return TaskMessage(**{"type": "t", "id": task_id, "queue": queue, "retry": 25, "timeout": 1800, **fields})


def attempt(task_id: str = "id", queue: str = "default", *, token: str = "token", deadline: float = 0.0) -> Running:
    """An attempt that no handler runs."""
    running = Running(message(task_id, queue), token, 0.0, 0, Outlet(), NoResults())
    running.deadline = deadline
    return running


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops."""
    return "asyncio", {"use_uvloop": request.param}
