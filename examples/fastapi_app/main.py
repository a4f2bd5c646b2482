"""A FastAPI app with a login of its own, which enqueues tasks and has the dashboard at /ops/tasks.

    ASYNQPY_REDIS_URL=redis://localhost uvicorn examples.fastapi_app.main:app

Whoever opens http://localhost:8000/ops/tasks/ is led to the form at /login: ann may act, bob may look, and their
passwords are their names. Scripts: ``curl -c jar -d name=ann -d password=ann localhost:8000/login``.
"""

from __future__ import annotations

import html
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.params import Query
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from asynqpy import AsyncClient, Task
from asynqpy.web import Role, User, create_app

REDIS = os.environ.get("ASYNQPY_REDIS_URL", "redis://localhost:6379/0")

PASSWORDS = {"ann": "ann", "bob": "bob"}  # yours are hashed, in a database
ROLES = {"ann": Role.OPERATOR, "bob": Role.VIEWER}
sessions: dict[str, str] = {}


def user_of(connection: HTTPConnection) -> User | None:
    name = sessions.get(connection.cookies.get("session", ""))
    return User(name=name, role=ROLES[name]) if name else None


dashboard = create_app(REDIS, login=user_of, login_url="/login")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient(REDIS) as client, dashboard:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ops/tasks", dashboard)


FORM = """<!doctype html><html lang="en"><head><title>Log in</title></head><body><h1>Log in</h1>
<form method="post"><label>Name <input name="name" autofocus></label>
<label>Password <input name="password" type="password"></label>
<input name="next" type="hidden" value="{next}"><button>Log in</button></form></body></html>"""


@app.get("/login", response_class=HTMLResponse)
async def login_form(next: str = "/ops/tasks/") -> str:  # noqa: A002 - the word of create_app(login_url=…)
    return FORM.format(next=html.escape(next))


@app.post("/login", response_model=None)
async def login(request: Request) -> Response:
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    name, password = form.get("name", ""), form.get("password", "")
    if not secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) or not password:
        raise HTTPException(401, "wrong name or password")
    session = secrets.token_urlsafe()
    sessions[session] = name
    following = form.get("next", "")
    is_ours = following.startswith("/ops/tasks/")  # lead nobody to another site
    response = RedirectResponse(following, 303) if is_ours else JSONResponse({"hello": name})
    response.set_cookie("session", session, httponly=True, samesite="strict")
    return response


@app.post("/welcome")
async def welcome(request: Request, user_id: Annotated[int, Query()]) -> dict[str, str]:
    info = await request.app.state.client.enqueue(Task("email:welcome", {"user_id": user_id}), queue="mail")
    return {"task": info.id}
