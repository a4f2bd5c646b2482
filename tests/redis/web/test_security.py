"""Who gets in, what they may do, and what other sites can make their browsers do."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from redis import Redis

from asynqpy import Client, ConfigError, Task
from asynqpy.web import (
    Account,
    BasicLogin,
    Change,
    Permission,
    ProxyLogin,
    Role,
    TokenLogin,
    User,
    create_app,
    ui,
)
from tests.redis.seed import Queue

from .conftest import OpenApp

pytestmark = pytest.mark.anyio

TOKEN = "a-token-that-nobody-guesses"
CHANGES = (
    ("POST", "/api/queues/low:pause"),
    ("DELETE", "/api/queues/low/pending_tasks/a"),
    ("POST", "/api/v2/queues/low/pause"),
    ("DELETE", "/api/v2/queues/low"),
)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class TestWithoutLogin:
    """This machine, and nobody else."""

    @pytest.mark.parametrize(
        ("address", "base_url", "headers", "status"),
        [
            ("127.0.0.1", "http://localhost:8080", {}, 200),
            ("::1", "http://[::1]:8080", {}, 200),
            ("127.0.0.1", "http://127.0.0.1", {}, 200),
            ("10.0.0.7", "http://localhost", {}, 403),
            ("127.0.0.1", "http://evil.example", {}, 403),
            ("127.0.0.1", "http://127.0.0.1.evil.example", {}, 403),
            ("127.0.0.1", "http://localhost", {"X-Forwarded-For": "10.0.0.7"}, 403),
            ("127.0.0.1", "http://localhost", {"Forwarded": "for=10.0.0.7"}, 403),
        ],
    )
    async def test_who_gets_in(
        self, open_app: OpenApp, address: str, base_url: str, headers: dict[str, str], status: int
    ) -> None:
        """By address and by name, through no proxy: another site's name may lead here too."""
        web = open_app(address=address, base_url=base_url)
        for path in ("/", "/api/queues", "/api/v2/queues", "/metrics"):
            assert (await web.get(path, headers=headers)).status_code == status, path

    async def test_everybody_where_that_is_said(self, open_app: OpenApp) -> None:
        """``insecure`` is a word to think about."""
        assert (await open_app(address="10.0.0.7", insecure=True).get("/api/queues")).status_code == 200


class TestLogins:
    """Ways to log in."""

    async def test_a_password(self, open_app: OpenApp) -> None:
        """The browser is asked for it; wrong ones and unknown names get nowhere."""
        login = BasicLogin({"ann": "pa:ss", "bob": Account("other", role=Role.VIEWER)})
        web = open_app(login=login, address="10.0.0.7")
        answer = await web.get("/api/queues")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.headers["content-type"].startswith("text/plain")
        for name, password in (("ann", "wrong"), ("nobody", ""), ("ann", "other"), ("", "")):
            assert (await web.get("/api/queues", headers=basic(name, password))).status_code == 401
        for broken in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"ann").decode(), "Digest x"):
            assert (await web.get("/api/queues", headers={"Authorization": broken})).status_code == 401
        meta = (await web.get("/api/v2/meta", headers=basic("ann", "pa:ss"))).json()
        assert (meta["user"]["name"], meta["user"]["role"]) == ("ann", "operator")
        meta = (await web.get("/api/v2/meta", headers=basic("bob", "other"))).json()
        assert (meta["user"]["role"], meta["user"]["permissions"]) == ("viewer", [])

    async def test_a_token(self, open_app: OpenApp) -> None:
        """For scripts: problem JSON, and no browser is asked for anything."""
        web = open_app(login=TokenLogin({TOKEN: User(name="ci")}))
        answer = await web.get("/api/v2/queues")
        assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
        assert (await web.get("/api/v2/queues", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await web.get("/api/v2/queues", headers={"Authorization": "Bearer nonsense"})).status_code == 401

    @pytest.mark.parametrize(
        ("address", "headers", "status"),
        [
            ("10.1.2.3", {"X-Forwarded-User": "ann"}, 200),
            ("10.9.2.3", {"X-Forwarded-User": "ann"}, 401),
            ("10.1.2.3", {}, 401),
            ("10.1.2.3", {"X-Forwarded-User": " "}, 401),
            ("10.1.2.3", [("X-Forwarded-User", "ann"), ("X-Forwarded-User", "root")], 401),
        ],
    )
    async def test_a_proxy(self, open_app: OpenApp, address: str, headers: Any, status: int) -> None:
        """Its word counts when it comes from its address, and once."""
        web = open_app(login=ProxyLogin(trusted=["10.1.0.0/16"]), address=address)
        assert (await web.get("/api/queues", headers=headers)).status_code == status

    async def test_a_function(self, open_app: OpenApp) -> None:
        """Of the embedding program, awaited or not; several ways are tried in their order."""

        async def by_cookie(connection: Any) -> User | None:
            name = connection.cookies.get("session")
            return User(name=name, role=Role.OPERATOR) if name else None

        web = open_app(login=[by_cookie, TokenLogin({TOKEN: User(name="ci")})])
        assert (await web.get("/api/queues")).status_code == 401
        found = await web.get("/api/v2/meta", headers={"Cookie": "session=ann"})
        assert found.json()["user"]["name"] == "ann"
        found = await web.get("/api/v2/meta", headers={"Authorization": f"Bearer {TOKEN}"})
        assert found.json()["user"]["name"] == "ci"

    async def test_health_needs_none(self, open_app: OpenApp) -> None:
        """Whoever watches over processes has no password; nobody else learns anything."""
        web = open_app(login=TokenLogin({TOKEN: User(name="ci")}), address="10.0.0.7")
        assert (await web.get("/healthz")).json() == {"status": "ok", "redis": "up"}
        assert (await web.head("/healthz")).status_code == 200
        for path in ("/", "/metrics", "/api/v2/openapi.json", "/healthz/", "/healthz/../api/queues"):
            assert (await web.get(path)).status_code == 401, path

    @pytest.mark.parametrize(
        "make",
        [
            lambda: BasicLogin({}),
            lambda: BasicLogin({"a:b": "x"}),
            lambda: BasicLogin({"a": ""}),
            lambda: TokenLogin({"short": User(name="a")}),
            lambda: ProxyLogin(trusted=["nonsense"]),
            lambda: create_app("redis://localhost", max_body_bytes=0),
            lambda: create_app("redis://localhost", max_body_bytes=2**30),
            lambda: create_app("redis://localhost", max_body_bytes=True),
            lambda: User(name="a", role="root"),
            lambda: User(name="a", actions=frozenset({"fly"})),
            lambda: create_app("redis://localhost", login="secret"),
            lambda: create_app("redis://localhost", base_path="ops"),
            lambda: create_app({}),
            lambda: create_app({"API": "redis://localhost"}),
            lambda: create_app({"api": "redis://localhost"}),
            lambda: create_app("redis://localhost", prometheus_url="file:///etc/passwd"),
            lambda: create_app("redis://localhost", redact_fields="password"),
        ],
    )
    def test_settings_that_cannot_work(self, make: Any) -> None:
        """Refused before anybody relies on them."""
        with pytest.raises(ConfigError):
            make()


class TestRoles:
    """Who may do what, where."""

    USERS: ClassVar = {
        "viewer-000000000000": User(name="viewer"),
        "operator-0000000000": User(name="operator", role=Role.OPERATOR),
        "low-only-0000000000": User(name="low-only", role=Role.OPERATOR, queues=("lo*",)),
        "pauses-000000000000": User(name="pauses", role=Role.OPERATOR, actions=frozenset({Permission.PAUSE})),
        "blind-0000000000000": User(name="blind", may_see_payloads=False),
    }

    @pytest.fixture
    def ask(self, open_app: OpenApp, client: Client) -> Any:
        """Asks as one of them."""
        client.enqueue(Task("t", {"secret": 1}), queue="low", task_id="a")
        client.enqueue(Task("t", {"secret": 1}), queue="high", task_id="b", headers={"secret": "1"})
        web = open_app(login=TokenLogin(self.USERS))
        tokens = {user.name: token for token, user in self.USERS.items()}

        async def asked(name: str, method: str, path: str, body: Any = None) -> httpx.Response:
            return await web.request(method, path, json=body, headers={"Authorization": f"Bearer {tokens[name]}"})

        return asked

    @pytest.mark.parametrize(
        ("method", "path", "body", "allowed"),
        [
            ("POST", "/api/queues/low:pause", None, {"operator", "low-only", "pauses"}),
            ("POST", "/api/queues/high:pause", None, {"operator", "pauses"}),
            ("POST", "/api/v2/queues/low/pause", None, {"operator", "low-only", "pauses"}),
            ("DELETE", "/api/v2/queues/high?force=true", None, {"operator"}),
            ("POST", "/api/v2/queues/low/tasks/a/actions/archive", None, {"operator", "low-only"}),
            ("POST", "/api/v2/queues/low/tasks/a/actions/move", {"to_queue": "high"}, {"operator"}),
            ("POST", "/api/v2/queues/high/tasks", {"type": "t"}, {"operator"}),
            ("PUT", "/api/v2/queues/low/tasks/a/payload", {"payload": 1}, {"operator", "low-only"}),
            ("POST", "/api/v2/jobs", {"action": "archive", "filter": {"queues": ["high"]}}, {"operator"}),
            ("POST", "/api/v2/jobs", {"action": "run", "tasks": [{"queue": "high", "id": "b"}]}, {"operator"}),
            ("POST", "/api/v2/queues/high/check?repair=true", None, {"operator"}),
            ("DELETE", "/api/queues/high/pending_tasks:delete_all", None, {"operator"}),
            ("POST", "/api/queues/high/pending_tasks:batch_archive", {"task_ids": ["b"]}, {"operator"}),
            ("GET", "/api/v2/queues/high", None, {"viewer", "operator", "pauses", "blind"}),
            ("GET", "/api/queues/high/pending_tasks", None, {"viewer", "operator", "pauses", "blind"}),
            ("GET", "/api/v2/queues/high/tasks/b/why", None, {"viewer", "operator", "pauses", "blind"}),
            ("GET", "/api/v2/queues/high/tasks/b/payload", None, {"viewer", "operator", "pauses"}),
            ("GET", "/api/v2/events?task=high/b", None, set()),
        ],
    )
    async def test_the_matrix(self, ask: Any, method: str, path: str, body: Any, allowed: set[str]) -> None:
        """Each operation for each of them; what is refused is 403."""
        for user in ("viewer", "low-only", "blind", "pauses", "operator"):
            if path.startswith("/api/v2/events") and user != "low-only":
                continue  # it would go on
            answer = await ask(user, method, path, body)
            assert (answer.status_code != 403) is (user in allowed), (user, answer.text)

    async def test_what_does_not_exist_for_them(self, ask: Any) -> None:
        """Queues of others are in no list, no sum, no search and no metric."""
        for path in (
            "/api/queues",
            "/api/queue_stats",
            "/api/v2/queues",
            "/api/v2/tasks",
            "/metrics",
            "/api/v2/failures",
        ):
            text = (await ask("low-only", "GET", path)).text
            assert "high" not in text, path
        everything = {"action": "archive", "filter": {}}
        assert (await ask("low-only", "POST", "/api/v2/jobs/preview", everything)).json()["queues"] == ["low"]

    async def test_hidden_payloads(self, ask: Any) -> None:
        """In no list, no detail, no header, and not to be searched."""
        for path in (
            "/api/queues/high/pending_tasks",
            "/api/queues/high/tasks/b",
            "/api/v2/tasks",
            "/api/v2/queues/high/tasks/b",
        ):
            assert "secret" in (await ask("viewer", "GET", path)).text
            assert "secret" not in (await ask("blind", "GET", path)).text
        assert (await ask("blind", "GET", "/api/v2/tasks?payload=s")).status_code == 422

    async def test_read_only(self, open_app: OpenApp, low: Queue) -> None:
        """Nobody changes anything, and nobody is offered to."""
        low.pending("a")
        web = open_app(read_only=True)
        for method, path in CHANGES:
            answer = await web.request(method, path)
            assert answer.status_code == 405
            assert method in answer.text
        meta = (await web.get("/api/v2/meta")).json()
        assert (meta["read_only"], meta["user"]["permissions"]) == (True, [])
        assert (await web.get("/api/v2/tasks")).json()["items"][0]["actions"] == []


class TestOtherSites:
    """What another site can make a browser do: nothing."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 204),
            ({"Sec-Fetch-Site": "same-origin"}, 204),
            ({"Sec-Fetch-Site": "none"}, 204),
            ({"Origin": "http://localhost"}, 204),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "http://localhost:81"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://evil.example", "X-XSRF-TOKEN": "a.b", "Cookie": "XSRF-TOKEN=a.b"}, 403),
            ({"Origin": "http://evil.example", "X-XSRF-TOKEN": "", "Cookie": "XSRF-TOKEN="}, 403),
            ({"Origin": "http://evil.example", "Authorization": "Bearer x"}, 204),
        ],
    )
    async def test_changes(self, web: httpx.AsyncClient, low: Queue, headers: dict[str, str], status: int) -> None:
        """Only from our own pages, or from what is no browser."""
        low.pending("a")
        answer = await web.delete("/api/queues/low/pending_tasks/a", headers=headers)
        assert answer.status_code == status

    async def test_the_cookie(self, web: httpx.AsyncClient, low: Queue) -> None:
        """Whoever has read it is one of our pages, whatever a proxy made of the other headers."""
        low.pending("a")
        token = (await web.get("/")).cookies["XSRF-TOKEN"]
        answer = await web.get("/api/queues")
        assert "set-cookie" not in answer.headers
        headers = {"Origin": "http://outside.example", "X-XSRF-TOKEN": token}
        assert (await web.delete("/api/queues/low/pending_tasks/a", headers=headers)).status_code == 204
        forged = {"Origin": "http://outside.example", "X-XSRF-TOKEN": token[:-1] + ("0" if token[-1] != "0" else "1")}
        assert (await web.delete("/api/queues/low/pending_tasks/a", headers=forged)).status_code == 403

    async def test_its_attributes(self, open_app: OpenApp) -> None:
        """For our path alone, never sent by other sites, and only encrypted where the page was."""
        web = open_app(base_path="/ops", base_url="https://localhost")
        cookie = (await web.get("/ops/")).headers["set-cookie"]
        assert "Path=/ops/" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" in cookie

    async def test_headers(self, web: httpx.AsyncClient) -> None:
        """On every answer: no script in pages, no frames, no guessing, no other origin, nothing kept."""
        for path in ("/", "/api/queues", "/api/nothing", "/api/v2/queues", "/api/v2/queues/none", "/healthz"):
            headers = (await web.get(path, headers={"Origin": "http://evil.example"})).headers
            assert "script-src 'self';" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert "access-control-allow-origin" not in headers
            assert headers["cache-control"] in ("no-store", "no-cache")

    async def test_no_outside_assets(
        self, web: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The page without a build asks nobody else for anything, and runs nothing."""
        monkeypatch.setattr(ui, "STATIC", tmp_path)
        text = (await web.get("/")).text
        assert "not part of this build" in text
        assert "http" not in text.replace("HTTP", "")
        assert "<script" not in text


class TestAudit:
    """Every change is recorded."""

    async def test_changes_and_refusals(
        self, open_app: OpenApp, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Who, from where, what, how it ended; for the log and for a function."""
        client.enqueue(Task("t"), queue="low", task_id="a")
        changes: list[Change] = []
        users = {TOKEN: User(name="ann", role=Role.OPERATOR), TOKEN * 2: User(name="bob")}
        web = open_app(login=TokenLogin(users), audit=changes.append, address="10.0.0.7")
        ann, bob = ({"Authorization": f"Bearer {token}"} for token in users)
        with caplog.at_level(logging.INFO, logger="asynqpy.audit"):
            await web.post("/api/v2/queues/low/pause", headers=ann)
            await web.post("/api/v2/queues/low/pause", headers=bob)
            await web.delete("/api/queues/low/pending_tasks/a", headers=ann)
            await web.delete("/api/queues/low/pending_tasks/a", headers=ann)
            await web.get("/api/queues", headers=ann)
        assert [(each.user, each.action, each.queue, each.task_id, bool(each.error)) for each in changes] == [
            ("ann", "pause", "low", "", False),
            ("bob", "pause", "low", "", True),
            ("ann", "delete", "low", "a", False),
            ("ann", "delete", "low", "a", True),
        ]
        assert {each.address for each in changes} == {"10.0.0.7"}
        recorded = [record.levelname for record in caplog.records if record.name == "asynqpy.audit"]
        assert recorded == ["INFO", "WARNING", "INFO", "WARNING"]

    async def test_jobs(self, open_app: OpenApp, client: Client) -> None:
        """Recorded when they end, with what came of them."""
        client.enqueue(Task("t"), queue="low")
        changes: list[Change] = []
        web = open_app(audit=changes.append)
        job = (await web.post("/api/v2/jobs", json={"action": "archive", "filter": {}})).json()
        await web.get(f"/api/v2/jobs/{job['id']}/events")
        (change,) = changes
        assert (change.action, change.queue, change.details["done"]) == ("archive", "low", 1)
        viewer = open_app(audit=changes.append, login=lambda connection: User(name="bob"))
        body = {"action": "archive", "filter": {"queues": ["low"]}}
        assert (await viewer.post("/api/v2/jobs", json=body)).status_code == 403
        assert (changes[-1].user, bool(changes[-1].error)) == ("bob", True)


class TestWhereItIs:
    """Base paths, prefixes, several Redis."""

    @pytest.mark.parametrize("path", ["/ops/tasks", "/ops/tasks/", "/ops/tasks/queues/low"])
    async def test_a_base_path(self, open_app: OpenApp, path: str) -> None:
        """Everything is below it, nothing beside it."""
        web = open_app(base_path="/ops/tasks/")
        answer = await web.get(path)
        assert answer.status_code == 200
        assert 'href="/ops/tasks/' in answer.text
        assert (await web.get("/ops/tasks/healthz")).json()["status"] == "ok"
        for beside in ("/", "/healthz", "/ops/tasks2/healthz", "/api/queues"):
            assert (await web.get(beside)).status_code == 404, beside

    @pytest.mark.parametrize(
        ("address", "prefix", "base"),
        [
            ("127.0.0.1", "/ops/tasks", "/ops/tasks"),
            ("127.0.0.1", "/ops/tasks/", "/ops/tasks"),
            ("10.0.0.7", "/ops/tasks", ""),
            ("127.0.0.1", "//evil.example", ""),
            ("127.0.0.1", '/"><script>', ""),
        ],
    )
    async def test_a_prefix_of_a_proxy(self, open_app: OpenApp, address: str, prefix: str, base: str) -> None:
        """Its word counts when it is a path and comes from a trusted address."""
        web = open_app(address=address, insecure=True)
        meta = (await web.get("/api/v2/meta", headers={"X-Forwarded-Prefix": prefix})).json()
        assert meta["base_path"] == base

    async def test_several(self, open_app: OpenApp, redis_url: str, client: Client) -> None:
        """Each by its name, below its own path; what is above knows them all."""
        client.enqueue(Task("t"), queue="low")
        other = redis_url.rsplit("/", 1)[0] + "/1" if redis_url.count("/") > 2 else redis_url + "/1"
        Redis.from_url(other).flushdb()
        web = open_app({"main": redis_url, "eu": other})
        assert len((await web.get("/main/api/v2/queues")).json()["items"]) == 1
        assert (await web.get("/eu/api/queues")).json() == {"queues": []}
        assert (await web.get("/api/v2/brokers")).json()["items"][1] == {"name": "eu", "path": "/eu"}
        assert (await web.get("/healthz")).json() == {"status": "ok", "redis": {"main": "up", "eu": "up"}}
        assert (await web.get("/eu/healthz")).json()["status"] == "ok"
        assert 'href="/eu/"' in (await web.get("/")).text
        assert (await web.get("/eu")).headers["location"] == "/eu/"
        assert (await web.get("/none/api/queues")).status_code == 404
        meta = (await web.get("/eu/api/v2/meta")).json()
        assert (meta["broker"], meta["base_path"]) == ("eu", "/eu")
        assert [each["path"] for each in meta["brokers"]] == ["/main", "/eu"]

    async def test_health_of_redis_that_is_down(self, open_app: OpenApp) -> None:
        """503, so that whoever watches sees it."""
        answer = await open_app("redis://127.0.0.1:1").get("/healthz")
        assert (answer.status_code, answer.json()["redis"]) == (503, "down")

    async def test_metrics(self, web: httpx.AsyncClient, low: Queue) -> None:
        """asynq's own names."""
        low.pending("a")
        assert 'asynq_queue_size{queue="low"} 1.0' in (await web.get("/metrics")).text

    async def test_a_body_that_is_too_large(self, open_app: OpenApp) -> None:
        """Told or not how long it is, it is not read to its end."""
        web = open_app(max_body_bytes=100)

        async def endless() -> Any:
            for _ in range(1000):
                yield b" " * 1000

        for body in (b" " * 101, endless()):
            answer = await web.post("/api/v2/jobs", content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
