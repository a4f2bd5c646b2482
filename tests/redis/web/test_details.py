"""What the details of a task tell of attempts that failed, of those to come, and of what happened when."""

from __future__ import annotations

import time

import httpx
import pytest

from asynqpy import Client, Task, attempts
from tests.redis.seed import Queue

from .asking import get

pytestmark = pytest.mark.anyio


async def test_a_task_that_failed(web: httpx.AsyncClient, low: Queue) -> None:
    """Attempts in their order, when it would be retried, and all moments that are known."""
    now = int(time.time())
    runner = attempts.Runner("h:7", "1.4.2")
    boom = attempts.encode("boom", now=now - 90, traceback=b"where", runner=runner, ran_seconds=1.5)
    lost = attempts.encode("the worker died", now=now - 60, is_lost=True)
    fields = {"py:attempts": boom + b"\n" + lost}
    low.waiting("retry", "a", now + 30)
    low.hash("a", "retry", fields, retried=1, retry=3, error_msg="of Go", last_failed_at=now - 30)
    found = await get(web, "/queues/low/tasks/a")
    assert [(each["error"], each["worker"], each["seconds"], each["is_lost"]) for each in found["attempts"]] == [
        ("boom", "h:7", 1.5, False),
        ("the worker died", "", None, True),
    ]
    assert found["attempts"][0]["traceback"] == "where"
    assert [each["app_version"] for each in found["attempts"]] == ["1.4.2", ""]
    first, second, third = found["retry_preview"]
    assert 0 < first <= 30
    assert (second - first, third - second) == (pytest.approx(1 + 15 + 29), pytest.approx(16 + 15 + 43.5))
    assert [each["event"] for each in found["history"]] == ["started", "failed", "lost", "failed", "due"]
    assert [each["text"] for each in found["history"]] == ["h:7", "boom", "the worker died", "of Go", ""]


async def test_tasks_that_did_not_fail(web: httpx.AsyncClient, client: Client, low: Queue) -> None:
    """Ten retries are told at most; what has ended is not retried."""
    info = client.enqueue(Task("t"), max_retry=25)
    found = await get(web, f"/queues/default/tasks/{info.id}")
    assert (found["attempts"], len(found["retry_preview"])) == ([], 10)
    assert found["retry_preview"] == sorted(found["retry_preview"])
    assert [each["event"] for each in found["history"]] == ["pending"]
    low.hash("b", "archived", retried=1)
    low.redis.zadd(low.keys.archived, {"b": int(time.time())})
    found = await get(web, "/queues/low/tasks/b")
    assert (found["retry_preview"], [each["event"] for each in found["history"]]) == ([], ["archived"])
