"""The nine charts of asynqmon, from something that answers as Prometheus does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from asynqpy import Client, Task
from asynqpy.web import TokenLogin, User
from tests.prometheus import Prometheus, prometheus

from .conftest import OpenApp

pytestmark = pytest.mark.anyio

CHARTS = [
    "queue_size",
    "queue_latency_seconds",
    "queue_memory_usage_approx_bytes",
    "tasks_processed_per_second",
    "tasks_failed_per_second",
    "error_rate",
    "pending_tasks_by_queue",
    "retry_tasks_by_queue",
    "archived_tasks_by_queue",
]


@pytest.fixture
def known() -> Iterator[Prometheus]:
    """One that knows two queues."""
    with prometheus(["a.b", "low", "axb"]) as found:
        yield found


async def test_nine_charts(open_app: OpenApp, known: Prometheus) -> None:
    """A value a moment for each queue, at the same moments whenever it is asked; null for what is no number."""
    web = open_app(prometheus_url=known.url)
    assert (await web.get("/api/v2/meta")).json()["prometheus"] is True
    found = (await web.get("/api/v2/prometheus?queue=a.b&queue=none&duration=3600&end=1700000003")).json()
    assert list(found["charts"]) == CHARTS
    assert (found["step"], found["end"], found["duration"], found["left_out"]) == (10, 1700000000, 3600, 0)
    assert (found["times"][0], found["times"][-1], len(found["times"])) == (1699996400, 1700000000, 361)
    assert found["queues"] == ["a.b", "none"]
    for chart in found["charts"].values():
        assert chart == {"error": None, "lines": {"a.b": [*range(360), None]}}
    assert len(known.asked) == 9
    assert all(each["query"][0].startswith("max by (queue) (") for each in known.asked)
    assert {(each["start"][0], each["end"][0], each["step"][0]) for each in known.asked} == {
        ("1699996400", "1700000000", "10")
    }


@pytest.mark.parametrize(("duration", "step"), [(60, 10), (21600, 60), (8 * 86400, 1920), (30 * 86400, 7200)])
async def test_windows(open_app: OpenApp, known: Prometheus, duration: int, step: int) -> None:
    """However long, there are no more values than a chart can show."""
    web = open_app(prometheus_url=known.url)
    found = (await web.get(f"/api/v2/prometheus?queue=low&duration={duration}")).json()
    assert found["step"] == step
    assert len(found["charts"]["queue_size"]["lines"]["low"]) == len(found["times"]) == duration // step + 1
    assert time.time() - 2 * step < found["end"] <= time.time()


async def test_the_busiest_unasked(open_app: OpenApp, known: Prometheus, client: Client, redis: Redis) -> None:
    """Of all queues that exist, as many as are wanted."""
    for queue, count in (("low", 2), ("high", 1)):
        for _ in range(count):
            client.enqueue(Task("t"), queue=queue)
    web = open_app(prometheus_url=known.url)
    found = (await web.get("/api/v2/prometheus?limit=1")).json()
    assert (found["queues"], found["left_out"]) == (["low"], 1)
    for query in ("duration=59", "duration=40000000", "duration=1h", "end=-5", "limit=51", "end=1700000000000"):
        answer = await web.get(f"/api/v2/prometheus?{query}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json"), query


async def test_without_queues_nothing_is_asked(open_app: OpenApp, known: Prometheus) -> None:
    """There are nine charts without a line."""
    found = (await open_app(prometheus_url=known.url).get("/api/v2/prometheus")).json()
    assert found["charts"] == {name: {"error": None, "lines": {}} for name in CHARTS}
    assert known.asked == []


async def test_refusals(open_app: OpenApp, known: Prometheus) -> None:
    """One that Prometheus refuses says why, beside the others; none at all is a problem."""
    web = open_app(prometheus_url=known.url)
    known.refuses = 'state="retry"'
    charts = (await web.get("/api/v2/prometheus?queue=low")).json()["charts"]
    assert charts["retry_tasks_by_queue"] == {"error": "too many samples", "lines": {}}
    assert charts["pending_tasks_by_queue"]["error"] is None
    known.is_broken = True
    answer = await web.get("/api/v2/prometheus?queue=low&duration=7200")
    assert answer.status_code == 502
    assert answer.json()["code"] == "prometheus_unavailable"
    assert (await web.get("/api/metrics")).status_code == 500
    without = open_app()
    assert (await without.get("/api/v2/meta")).json()["prometheus"] is False
    answer = await without.get("/api/v2/prometheus")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_prometheus")


async def test_hidden_queues(open_app: OpenApp, known: Prometheus, client: Client) -> None:
    """Whoever does not see a queue learns nothing of it."""
    client.enqueue(Task("t"), queue="low")
    web = open_app(
        prometheus_url=known.url, login=TokenLogin({"a-secret-of-16-letters": User(name="u", queues=("a*",))})
    )
    web.headers["Authorization"] = "Bearer a-secret-of-16-letters"
    assert (await web.get("/api/v2/prometheus?queue=low")).status_code == 403
    assert (await web.get("/api/v2/prometheus")).json()["queues"] == []
    assert known.asked == []
