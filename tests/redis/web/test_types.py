"""Types of tasks with their schemas, and payloads that are looked at before they are stored."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from asynqpy import Client, Inspector, ServeMux, Server, Task
from asynqpy.web import TokenLogin, User
from tests.eventually import eventually
from tests.redis.seed import Queue

from .asking import V2, get, post
from .conftest import OpenApp

pytestmark = pytest.mark.anyio

mux = ServeMux()


@mux.task("email:welcome")
async def welcome(user_id: int, template: str = "v2") -> None:
    """Takes a number."""


@mux.handler("raw:")
async def raw(task: Task) -> None:
    """Takes anything."""


async def published(web: httpx.AsyncClient, redis_url: str) -> list[Any]:
    with Inspector(redis_url) as inspector:
        await eventually(inspector.payload_schemas)
    items: list[Any] = (await get(web, "/types"))["items"]
    return items


async def test_schemas_are_published_and_withdrawn(web: httpx.AsyncClient, redis_url: str, low: Queue) -> None:
    """By living servers, in a key of their own that ends with them; beats keep it, and write it again if it is lost."""
    with Inspector(redis_url) as inspector:
        async with Server(redis_url, queues={"low": 1}).running(mux):
            items = await published(web, redis_url)
            assert [(each["pattern"], each["queues"]) for each in items] == [
                ("email:welcome", ["low"]),
                ("raw:", ["low"]),
            ]
            assert items[0]["payload_schema"]["properties"]["user_id"] == {"type": "integer"}
            assert items[1]["payload_schema"] is None
            [schema] = inspector.payload_schemas()
            [server] = inspector.servers()
            assert (schema.pattern, schema.server_ids) == ("email:welcome", (server.id,))
            assert items[0]["server_ids"] == [server.id]
            assert schema.schema == welcome.payload_schema
            [key] = low.redis.keys("asynq:py:schemas:*")
            assert 0 < low.redis.ttl(key) <= 10
        assert inspector.payload_schemas() == []
        assert low.redis.keys("asynq:py:schemas:*") == []


async def test_types_of_hidden_queues_are_hidden(open_app: OpenApp, redis_url: str, low: Queue) -> None:
    """As the queues themselves."""
    web = open_app(login=TokenLogin({"a-secret-of-16-letters": User(name="u", queues=("high*",))}))
    web.headers["Authorization"] = "Bearer a-secret-of-16-letters"
    async with Server(redis_url, queues={"low": 1}).running(mux):
        with Inspector(redis_url) as inspector:
            assert await eventually(inspector.payload_schemas)
        assert (await get(web, "/types"))["items"] == []
        assert (await get(web, "/types?queue=low", 403))["code"] == "forbidden"


async def test_payloads_are_looked_at(web: httpx.AsyncClient, redis_url: str, client: Client, low: Queue) -> None:
    """New ones, edited ones, those of copies; unless it is said otherwise."""
    async with Server(redis_url, queues={"other": 1}).running(mux):
        await published(web, redis_url)
        new = {"type": "email:welcome", "payload": {"user_id": "x"}}
        problem = await post(web, "/queues/low/tasks", new, 422)
        assert problem["code"] == "payload_invalid"
        assert problem["errors"] == [{"path": "$.user_id", "message": "'x' is not of type 'integer'"}]
        in_base64 = {"type": "email:welcome", "payload_base64": base64.b64encode(b"{").decode()}
        assert (await post(web, "/queues/low/tasks", in_base64, 422))["errors"][0]["path"] == "$"
        await post(web, "/queues/low/tasks", new | {"type": "raw:x"}, 201)
        await post(web, "/queues/low/tasks", new | {"type": "unknown"}, 201)
        forced = await post(web, "/queues/low/tasks?validate=false", new, 201)
        path = f"/queues/low/tasks/{forced['id']}"
        answer = await web.put(f"{V2}{path}/payload", json={"payload": {}})
        assert (answer.status_code, answer.json()["code"]) == (422, "payload_invalid")
        answer = await web.put(f"{V2}{path}/payload", json={"payload": {"user_id": 1}})
        assert answer.status_code == 200
        assert (await web.put(f"{V2}{path}/payload?validate=false", json={"payload": {}})).status_code == 200
        await post(web, f"{path}/actions/archive", status=204)
        again = {"payload": {"user_id": "x"}}
        assert (await post(web, f"{path}/actions/again", again, 422))["code"] == "payload_invalid"
        await post(web, f"{path}/actions/again?validate=false", again, 201)
        await post(web, f"{path}/actions/again", {"payload": {"user_id": 7}}, 201)
