"""Tasks are changed without losing what others have changed meanwhile, and wait for other moments."""

from __future__ import annotations

import httpx
import pytest

from asynqpy import Client, Inspector, Task
from asynqpy.web import TokenLogin, User

from .asking import V2, get, post
from .conftest import OpenApp

pytestmark = pytest.mark.anyio


async def test_a_payload_that_was_changed_meanwhile(web: httpx.AsyncClient, redis_url: str, client: Client) -> None:
    """Is not overwritten by whoever says what they have seen."""
    info = client.enqueue(Task("t", {"n": 1}))
    path = f"/queues/default/tasks/{info.id}"
    tag = (await get(web, path))["payload_etag"]
    assert (await web.get(f"{V2}{path}/payload")).headers["etag"] == tag
    seen = {"If-Match": tag}
    answer = await web.put(f"{V2}{path}/payload", json={"payload": {"n": 2}}, headers=seen)
    assert (answer.status_code, answer.json()["payload"]["text"]) == (200, '{"n":2}')
    answer = await web.put(f"{V2}{path}/payload", json={"payload": {"n": 3}}, headers=seen)
    assert (answer.status_code, answer.json()["code"], answer.json()["task_id"]) == (412, "payload_changed", info.id)
    for headers in ({"If-Match": "*"}, {}):
        answer = await web.put(f"{V2}{path}/payload", json={"payload": {"n": 4}}, headers=headers)
        assert answer.status_code == 200
    assert (await get(web, path))["payload_etag"] != tag


async def test_hidden_payloads_have_no_tag(open_app: OpenApp, client: Client) -> None:
    """It would tell whether a guess is right."""
    info = client.enqueue(Task("t", {"password": 1}))
    web = open_app(redact_fields=["password"])
    assert (await get(web, f"/queues/default/tasks/{info.id}"))["payload_etag"] is None


async def test_another_moment(web: httpx.AsyncClient, redis_url: str, client: Client) -> None:
    """In a while, or at a moment; of tasks that wait for one."""
    info = client.enqueue(Task("t"), process_in=60)
    path = f"/queues/default/tasks/{info.id}"
    assert (await get(web, path))["may_reschedule"]
    task = await post(web, f"{path}/reschedule", {"process_at": "2126-01-01T00:00:00.5Z"})
    assert task["next_process_at"] == "2126-01-01T00:00:00.500000Z"
    task = await post(web, f"{path}/reschedule", {"process_in_seconds": 3600})
    assert task["next_process_at"] < "2126"
    for body in ({}, {"process_in_seconds": 1, "process_at": "2126-01-01T00:00:00"}):
        assert (await post(web, f"{path}/reschedule", body, 422))["code"] == "invalid_task"
    with Inspector(redis_url) as inspector:
        inspector.run_task("default", info.id)
    assert (await post(web, f"{path}/reschedule", {"process_in_seconds": 1}, 409))["code"] == "task_state"


async def test_viewers_may_not(open_app: OpenApp, client: Client) -> None:
    """It is a way of editing."""
    info = client.enqueue(Task("t"), process_in=60)
    web = open_app(login=TokenLogin({"a-secret-of-16-letters": User(name="u")}))
    web.headers["Authorization"] = "Bearer a-secret-of-16-letters"
    path = f"/queues/default/tasks/{info.id}"
    assert not (await get(web, path))["may_reschedule"]
    assert (await post(web, f"{path}/reschedule", {"process_in_seconds": 1}, 403))["code"] == "forbidden"
