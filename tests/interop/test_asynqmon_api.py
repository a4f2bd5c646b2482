"""asynqmon's HTTP API, answered by asynqmon and by us, on the same Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy.web import create_app
from tests.redis.seed import Queue

from . import toolchain
from .asynqmon import BackEnd, Serving, read
from .ends import OTHER, SIDES, Order
from .look import Look, eventually

StartBoth = Callable[..., tuple[httpx.Client, httpx.Client]]

STATES = ("active", "pending", "scheduled", "retry", "archived", "completed", "aggregating")

VERBS = {
    "delete": STATES[1:],
    "run": ("scheduled", "retry", "archived", "aggregating"),
    "archive": ("pending", "scheduled", "retry", "aggregating"),
    "cancel": ("active",),
}

NEAR = {"latency_msec": 5000, "ttl_seconds": 5}
"""Numbers that go on between two answers, and how far."""

DIFFERENT: dict[str, tuple[str, str]] = {}


@pytest.fixture(scope="session")
def asynqmon() -> Path:
    """The program that serves asynqmon's back end."""
    return toolchain.build(toolchain.ASYNQMON, "asynqmon")


@pytest.fixture
def start_both(asynqmon: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartBoth]:
    """Starts asynqmon and us and gives a client of each, in this order."""
    monkeypatch.setenv("TZ", "UTC")  # asynqmon writes moments in the zone of its machine, we write them in UTC
    ends: list[Callable[[], None]] = []

    def start(*options: str, **settings: Any) -> tuple[httpx.Client, httpx.Client]:
        theirs = BackEnd(asynqmon, redis_url, *options)
        ends.append(theirs.end)
        serving = Serving(create_app(redis_url, **settings))
        serving.__enter__()
        ends.append(lambda: serving.__exit__(None, None, None))
        ours = httpx.Client(base_url=serving.url, timeout=60)
        ends.append(ours.close)
        return theirs.web, ours

    yield start
    for end in reversed(ends):
        end()


def test_x(start_both, redis, redis_url, bring, start_worker, look):
    for state in ("completed", "archived", "retry", "active", "scheduled", "aggregating"):
        bring(state, producer="go", worker="python")
    bring("pending", producer="python", worker="python", payload=b'{"a": 1}')
    theirs, ours = start_both()
    eventually(lambda: theirs.get("/api/servers").json()["servers"][0]["active_workers"])
    import json
    paths = ["queues", "queue_stats", "queues/default", "queues/default/groups", "servers", "redis_info", "scheduler_entries", "metrics", "queues/nope", "queues/nope/groups", "queues/nope/pending_tasks", "queues/nope/tasks/x", "queues/default/tasks/x", "nope", "queues/"]
    for s in STATES:
        paths.append("queues/default/" + ("groups/g/" if s == "aggregating" else "") + s + "_tasks")
    ids = [t["id"] for p in paths[-7:] for t in theirs.get("/api/"+p).json()["tasks"]]
    paths += [f"queues/default/tasks/{i}" for i in ids]
    for p in paths:
        a, b = theirs.get("/api/"+p), ours.get("/api/"+p)
        print("=====", p, a.status_code, b.status_code, a.headers, b.headers)
        x, y = read(a), read(b)
        def cmp(x, y, w):
            if isinstance(x, dict) and isinstance(y, dict):
                for k in x.keys()|y.keys(): cmp(x.get(k, "MISSING"), y.get(k, "MISSING"), w+"."+k)
            elif isinstance(x, list) and isinstance(y, list) and len(x)==len(y):
                for i,(m,n) in enumerate(zip(x,y)): cmp(m,n,w+f"[{i}]")
            elif x != y or type(x) is not type(y): print("   ", w, repr(x)[:300], "|", repr(y)[:300])
        cmp(x, y, "")
    assert 0
