"""The dashboard inside of other applications: FastAPI, and Flask as a stranger to ASGI."""

from __future__ import annotations

import asyncio
import base64
import importlib
import sys
from typing import Any

import httpx
import pytest
from redis import Redis

from .conftest import OpenApp

pytestmark = pytest.mark.anyio


@pytest.fixture
def example(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports one of the examples, with Redis where the test has it."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)

    def load(name: str) -> Any:
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return load


async def test_below_a_fastapi_app(example: Any, open_app: OpenApp, redis: Redis) -> None:
    """Behind the login of the app, by the roles of its users, and only there."""
    module = example("examples.fastapi_app.main")
    web = open_app(app=module.app)
    async with module.lifespan(module.app):
        task = (await web.post("/welcome?user_id=7")).json()["task"]
        assert (await web.get("/ops/tasks/")).status_code == 401
        led = await web.get("/ops/tasks/jobs", headers={"Accept": "text/html"})
        assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Fops%2Ftasks%2Fjobs")
        assert 'value="/ops/tasks/jobs"' in (await web.get(led.headers["location"])).text
        assert (await web.post("/login", content="name=ann&password=wrong")).status_code == 401
        assert (await web.post("/login", content="name=bob&password=bob")).json() == {"hello": "bob"}
        assert 'href="/ops/tasks/' in (await web.get("/ops/tasks/")).text
        found = (await web.get(f"/ops/tasks/api/v2/queues/mail/tasks/{task}")).json()
        assert (found["type"], found["payload"]["text"]) == ("email:welcome", '{"user_id":7}')
        meta = (await web.get("/ops/tasks/api/v2/meta")).json()
        assert (meta["base_path"], meta["user"]["name"], meta["user"]["role"]) == ("/ops/tasks", "bob", "viewer")
        archive = f"/ops/tasks/api/v2/queues/mail/tasks/{task}/actions/archive"
        assert (await web.post(archive)).status_code == 403
        await web.post("/login", content="name=ann&password=ann")
        assert (await web.post(archive, headers={"Origin": "http://evil.example"})).status_code == 403
        assert (await web.post(archive, headers={"Origin": "http://localhost"})).status_code == 204
        assert (await web.get("/ops/tasks/api/queues")).json()["queues"][0]["archived"] == 1
        assert (await web.get("/ops/tasks/healthz")).json()["status"] == "ok"


async def test_below_a_flask_app(example: Any, redis: Redis) -> None:
    """Through WSGI: the same paths, login and answers."""
    module = example("examples.flask_app")

    def ask() -> None:
        transport = httpx.WSGITransport(module.app, remote_addr="10.0.0.7")
        with httpx.Client(transport=transport, base_url="http://shop.example") as web:
            task = web.post("/welcome/7").json()["task"]
            assert web.get("/ops/tasks/api/v2/queues").status_code == 401
            web.headers["Authorization"] = "Basic " + base64.b64encode(b"ann:ann").decode()
            assert web.get(f"/ops/tasks/api/v2/queues/mail/tasks/{task}").json()["state"] == "pending"
            assert web.get("/ops/tasks/api/v2/meta").json()["base_path"] == "/ops/tasks"
            assert web.post(f"/ops/tasks/api/queues/mail/pending_tasks/{task}:archive").status_code == 204
            assert web.get("/ops/tasks/api/queues").json()["queues"][0]["archived"] == 1

    await asyncio.to_thread(ask)
    module.client.close()
