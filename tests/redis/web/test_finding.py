"""Searches that are partly wrong: what is wrong is named."""

from __future__ import annotations

import pytest

from asynqpy import Client, Task

from .conftest import OpenApp

pytestmark = pytest.mark.anyio


async def test_the_parameter_that_is_wrong(open_app: OpenApp) -> None:
    """Its name stands in what people read."""
    problem = (await open_app().get("/api/v2/tasks?since=xx&state=odd")).json()
    assert problem["code"] == "invalid_query"
    assert "since: " in problem["detail"]
    assert "state.0: " in problem["detail"]
    assert [each["where"] for each in problem["errors"]] == ["query.state.0", "query.since"]


async def test_one_queue_that_is_gone(open_app: OpenApp, client: Client) -> None:
    """The others are searched, a queue that was made just now among them; where all are gone nothing can be told."""
    web = open_app()
    client.enqueue(Task("t"), queue="low")
    assert len((await web.get("/api/v2/tasks?queue=low")).json()["items"]) == 1
    client.enqueue(Task("t"), queue="new")
    found = (await web.get("/api/v2/tasks?queue=low&queue=gone&queue=new")).json()
    assert sorted(each["queue"] for each in found["items"]) == ["low", "new"]
    assert found["missing_queues"] == ["gone"]
    assert "gone" not in found["cli"]
    assert (await web.get("/api/v2/tasks?queue=low&queue=new")).json()["missing_queues"] == []
    for query in ("queue=gone", "queue=gone&queue=lost"):
        answer = await web.get(f"/api/v2/tasks?{query}")
        assert (answer.status_code, answer.json()["queue"]) == (404, "gone")
