"""Asking the web application: requests, jobs that end, and streams of events."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

import httpx

V2 = "/api/v2"


async def get(web: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await web.get(V2 + path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def post(web: httpx.AsyncClient, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await web.post(V2 + path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def finished(web: httpx.AsyncClient, job_id: str) -> Any:
    """The job when it has ended, by its own events."""
    last = None
    async with web.stream("GET", f"{V2}/jobs/{job_id}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                last = json.loads(line[5:])
    return last


class Stream:
    """Server-sent events as they are made; httpx would wait for the end of them."""

    def __init__(self, app: Any, path: str, query: bytes = b"") -> None:
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._text = ""

    async def __aenter__(self) -> Self:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await self._messages.put(message)

        self._task = asyncio.create_task(self._app(self._scope, receive, send))
        start = await self._messages.get()
        assert start["status"] == 200
        return self

    async def __aexit__(self, *error: object) -> None:
        self._gone.set()
        await self._task

    async def next(self) -> tuple[str, Any]:
        """The next event: its name and data."""
        while True:
            event, found, rest = self._text.partition("\r\n\r\n")
            if not found:
                self._text += (await asyncio.wait_for(self._messages.get(), 30))["body"].decode()
                continue
            self._text = rest
            lines = dict(line.split(": ", 1) for line in event.split("\r\n") if not line.startswith(":"))
            if "data" in lines:
                return lines["event"], json.loads(lines["data"])
