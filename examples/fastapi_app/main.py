"""A FastAPI app with a login of its own, which enqueues tasks and has the dashboard at /ops/tasks.

    ASYNQPY_REDIS_URL=redis://localhost uvicorn examples.fastapi_app.main:app

Log in with ``curl -c jar -d name=ann -d password=ann localhost:8000/login``; ann may act, bob may look.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.params import Query
from starlette.requests import HTTPConnection

from asynqpy import AsyncClient, Task
from asynqpy.web import Role, User, create_app

REDIS = os.environ.get("ASYNQPY_REDIS_URL", "redis://localhost:6379/0")

PASSWORDS = {"ann": "ann", "bob": "bob"}  # yours are hashed, in a database
ROLES = {"ann": Role.OPERATOR, "bob": Role.VIEWER}
sessions: dict[str, str] = {}


def user_of(connection: HTTPConnection) -> User | None:
    name = sessions.get(connection.cookies.get("session", ""))
    return User(name=name, role=ROLES[name]) if name else None


dashboard = create_app(REDIS, login=user_of)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient(REDIS) as client, dashboard:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ops/tasks", dashboard)


@app.post("/login")
async def login(request: Request, response: Response) -> dict[str, str]:
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    name, password = form.get("name", ""), form.get("password", "")
    if not secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) or not password:
        raise HTTPException(401, "wrong name or password")
    session = secrets.token_urlsafe()
    sessions[session] = name
    response.set_cookie("session", session, httponly=True, samesite="strict")
    return {"hello": name}


@app.post("/welcome")
async def welcome(request: Request, user_id: Annotated[int, Query()]) -> dict[str, str]:
    info = await request.app.state.client.enqueue(Task("email:welcome", {"user_id": user_id}), queue="mail")
    return {"task": info.id}
