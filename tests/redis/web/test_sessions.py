"""Browsers: a form for tokens, the way to a login of one's own, and the list of several Redis."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from asynqpy import Client, Task
from asynqpy.web import BasicLogin, Role, TokenLogin, User
from asynqpy.web.logins import TokenLogin as Login
from asynqpy.web.sessions import SECONDS, Sessions
from tests.servers import free_port

from .conftest import OpenApp

pytestmark = pytest.mark.anyio

TOKEN = "a-token-that-nobody-guesses"
PAGE = {"Accept": "text/html,*/*"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost"}
LOGIN = TokenLogin({TOKEN: User(name="ci", role=Role.OPERATOR)})


async def test_a_token_typed_into_a_form(open_app: OpenApp) -> None:
    """Gives a cookie with which everything goes, for the page that was wanted."""
    web = open_app(login=LOGIN, base_path="/ops")
    form = await web.get("/ops/queues/a%20b?status=retry", headers=PAGE)
    assert form.status_code == 401
    assert 'action="/ops/login"' in form.text
    assert 'value="/queues/a%20b?status=retry"' in form.text
    assert "script" not in form.headers["content-security-policy"].replace("script-src 'self'", "")
    wrong = await web.post("/ops/login", content="token=wrong&next=/jobs", headers=FORM)
    assert (wrong.status_code, "Nobody has this token" in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    right = await web.post("/ops/login", content=f"token={TOKEN}&next=/jobs", headers=FORM)
    assert (right.status_code, right.headers["location"]) == (303, "/ops/jobs")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/ops/" in cookie
    assert TOKEN not in cookie
    user = (await web.get("/ops/api/v2/meta")).json()["user"]
    assert (user["name"], user["log_out"]) == ("ci", "/ops/logout")
    # What another site makes the browser send is refused, with the cookie too.
    evil = {"Origin": "http://evil.example"}
    assert (await web.post("/ops/api/v2/queues/low/pause", headers=evil)).status_code == 403
    assert (await web.post("/ops/logout", headers=evil)).status_code == 403
    assert (await web.get("/ops/api/v2/meta")).status_code == 200
    left = await web.post("/ops/logout", headers={"Origin": "http://localhost"})
    assert (left.status_code, left.headers["location"]) == (303, "/ops/")
    assert (await web.get("/ops/api/v2/meta")).status_code == 401


async def test_only_sessions_end(open_app: OpenApp) -> None:
    """Where a program sends its token each time, there is nothing to log out of; nor where anybody may come in."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (await open_app(login=LOGIN).get("/api/v2/meta", headers=bearer)).json()["user"]["log_out"] is None
    web = open_app()
    assert (await web.get("/api/v2/meta")).json()["user"]["log_out"] is None
    assert (await web.post("/logout", headers={"Origin": "http://localhost"})).status_code in (404, 405)


async def test_reading_alone_ends_too(open_app: OpenApp) -> None:
    """A session also ends where nothing may be changed."""
    web = open_app(login=LOGIN, read_only=True)
    await web.post("/login", content=f"token={TOKEN}", headers=FORM)
    assert (await web.post("/logout", headers={"Origin": "http://localhost"})).status_code == 303
    assert (await web.get("/api/v2/meta")).status_code == 401


@pytest.mark.parametrize("following", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
async def test_it_leads_nobody_away(open_app: OpenApp, following: str) -> None:
    """Only to pages of ours."""
    web = open_app(login=LOGIN)
    answer = await web.post("/login", content=f"token={TOKEN}&next={following}", headers=FORM)
    assert answer.headers["location"] == "/"


async def test_other_sites_log_nobody_in(open_app: OpenApp) -> None:
    """Nor does a form that is far too large."""
    web = open_app(login=LOGIN)
    evil = await web.post("/login", content=f"token={TOKEN}", headers={**FORM, "Origin": "http://evil.example"})
    assert (evil.status_code, "set-cookie" in evil.headers) == (403, False)
    large = await web.post("/login", content=f"x={'y' * 10_000}&token={TOKEN}", headers=FORM)
    assert large.status_code == 401


@pytest.mark.parametrize("change", [lambda text: text[:-1] + "0", lambda _: "", lambda _: "x.y.z", lambda _: "a.1."])
async def test_cookies_of_others(open_app: OpenApp, change: Any) -> None:
    """What we have not signed is no session."""
    web = open_app(login=LOGIN)
    await web.post("/login", content=f"token={TOKEN}", headers=FORM)
    kept = web.cookies["asynqpy-session"]
    web.cookies.clear()
    answer = await web.get("/api/v2/meta", headers={"Cookie": f"asynqpy-session={change(kept)}"})
    assert answer.status_code == (200 if change(kept) == kept else 401)


async def test_sessions_end() -> None:
    """After twelve hours, and with their token."""
    now = [1_000_000.0]
    answers: dict[str, Any] = {"cookies": {}}

    class Connection:
        scope: ClassVar[Any] = {"asynqpy.base": ""}
        url = type("URL", (), {"scheme": "https"})
        cookies: ClassVar[Any] = answers["cookies"]

    async def receive() -> Any:
        return {"body": f"token={TOKEN}".encode()}

    sessions = Sessions([LOGIN], b"key", lambda: now[0])
    made = await sessions.log_in(Connection(), receive)  # type: ignore[arg-type]
    assert "Secure" in made.headers["set-cookie"]
    answers["cookies"]["asynqpy-session"] = made.headers["set-cookie"].split("=", 1)[1].split(";")[0]
    assert sessions.user_of(Connection()) is not None  # type: ignore[arg-type]
    other = Login({"another-token-of-somebody": User(name="x")})
    assert Sessions([other], b"key", lambda: now[0]).user_of(Connection()) is None  # type: ignore[arg-type]
    now[0] += SECONDS + 1
    assert sessions.user_of(Connection()) is None  # type: ignore[arg-type]


async def test_a_login_of_ones_own(open_app: OpenApp) -> None:
    """Browsers are led there, programs are told."""
    web = open_app(login=lambda _: None, login_url="/login?from=ops")
    page = await web.get("/tasks?type=a", headers=PAGE)
    assert (page.status_code, page.headers["location"]) == (303, "/login?from=ops&next=%2Ftasks%3Ftype%3Da")
    for path in ("/api/v2/meta", "/api/queues"):
        assert (await web.get(path, headers=PAGE)).status_code == 401
    assert (await web.get("/tasks")).text == "log in first\n"
    plain = open_app(login=lambda _: None)
    assert "<h1>No entry</h1>" in (await plain.get("/", headers=PAGE)).text


async def test_basic_login_still_asks(open_app: OpenApp) -> None:
    """Beside tokens: the browser asks, and whoever cancels sees the form."""
    web = open_app(login=[BasicLogin({"ann": "secret"}), LOGIN])
    answer = await web.get("/", headers=PAGE)
    assert "Basic" in answer.headers["www-authenticate"]
    assert 'name="token"' in answer.text


async def test_the_list_of_several(open_app: OpenApp, redis_url: str, client: Client) -> None:
    """Tells of each whether it is up and what waits there, as far as whoever asks may see it."""
    for queue in ("low", "high", "secret"):
        client.enqueue(Task("t"), queue=queue)
    redis = {"main": redis_url, "gone": f"redis://127.0.0.1:{free_port()}"}
    text = (await open_app(redis).get("/")).text
    main, gone = text.split("<li>")[1:]
    assert "<dt>Queues</dt><dd>3</dd>" in main
    assert "<dt>Pending</dt><dd>3</dd>" in main
    assert "<dt>Failed today</dt><dd>0</dd>" in main
    assert ">down<" in gone
    login = TokenLogin({TOKEN: User(name="t", queues=("low",))})
    web = open_app(redis, login=login)
    assert "<dt>Queues</dt><dd>1</dd>" in (await web.get("/", headers={"Authorization": f"Bearer {TOKEN}"})).text
