"""Metrics of queues: ours beside a scrape of asynq's own collector."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from asynqpy import Inspector
from asynqpy.metrics import QueueMetricsCollector

from .ends import OTHER, SIDES, Enqueuer, Order
from .look import Look, key
from .pipes import Peer

VARYING = {"asynq_queue_latency_seconds": 20.0}
"""Numbers that differ from one moment to the next, and by how much they may."""


def ours(redis_url: str) -> str:
    """Our page, without what asynq has not."""
    with Inspector(redis_url) as inspector:
        registry = CollectorRegistry()
        registry.register(QueueMetricsCollector(inspector, ours=False))
        return generate_latest(registry).decode()


def headers(page: str) -> set[str]:
    """The lines that tell names, types and help."""
    return {line for line in page.splitlines() if line.startswith("#")}


def samples(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The numbers by name and labels, as Prometheus reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.mark.parametrize("side", SIDES)
def test_both_collectors_say_the_same(
    side: str,
    bring: Callable[..., str],
    clients: dict[str, Enqueuer],
    peer: Peer,
    look: Look,
    redis_url: str,
) -> None:
    """Every name, type, label, help text and number, whichever side made and ran the tasks."""
    for state in ("completed", "archived", "retry", "scheduled", "aggregating", "active"):
        bring(state, producer=side, worker=OTHER[side])
    clients[side].enqueue_many(Order(queue='odd "queue" \\ ü', payload=b"x" * 100) for _ in range(3))
    bring("pending", producer=side, worker=side)  # pauses the queue
    go, python = peer.ask("scrape"), ours(redis_url)
    assert headers(python) == headers(go)
    expected, found = samples(go), samples(python)
    assert found.keys() == expected.keys()
    for which, number in expected.items():
        assert found[which] == pytest.approx(number, abs=VARYING.get(which[0], 0.0)), which
    label = frozenset({("queue", "default")})
    assert found["asynq_queue_paused_total", label] == 1
    assert found["asynq_tasks_processed_total", label] == 3
    assert found["asynq_queue_size", label] == 7
    look.redis.delete(key("default", "paused"))


def test_the_order_of_our_page_is_no_matter(peer: Peer, clients: dict[str, Enqueuer], redis_url: str) -> None:
    """Line for line the pages are the same once they are sorted, the moving numbers apart."""
    clients["go"].enqueue(Order())

    def sorted_lines(page: str) -> list[str]:
        lines = (re.sub(r"(seconds\{.*\}) .*", r"\1", line) for line in page.splitlines())
        return sorted(re.sub(r"\.0$", "", line) for line in lines)

    assert sorted_lines(ours(redis_url)) == sorted_lines(peer.ask("scrape"))


def test_without_queues_both_pages_have_no_numbers(peer: Peer, redis_url: str) -> None:
    """Go has not even the names then."""
    assert peer.ask("scrape") == ""
    found: Any = samples(ours(redis_url))
    assert found == {}
