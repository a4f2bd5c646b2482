"""Questions to a Prometheus that collects the numbers of queues, asynq's own exporter's or ours: what happened when."""

from __future__ import annotations

import asyncio
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

TIMEOUT_SECONDS = 10.0
LONGEST_ANSWER = 64 * 1024 * 1024

QUERIES = {
    "queue_size": "asynq_queue_size{%s}",
    "queue_latency_seconds": "asynq_queue_latency_seconds{%s}",
    "queue_memory_usage_approx_bytes": "asynq_queue_memory_usage_approx_bytes{%s}",
    "tasks_processed_per_second": "rate(asynq_tasks_processed_total{%s}[5m])",
    "tasks_failed_per_second": "rate(asynq_tasks_failed_total{%s}[5m])",
    "error_rate": "rate(asynq_tasks_failed_total{%s}[5m]) / rate(asynq_tasks_processed_total{%s}[5m])",
    "pending_tasks_by_queue": 'asynq_tasks_enqueued_total{state="pending",%s}',
    "retry_tasks_by_queue": 'asynq_tasks_enqueued_total{state="retry",%s}',
    "archived_tasks_by_queue": 'asynq_tasks_enqueued_total{state="archived",%s}',
}
"""By the names that asynqmon has for them; ``%s`` is where the matcher goes."""


class UnreachableError(Exception):
    """Prometheus does not answer, or with something that is no JSON."""


async def ask(
    base: str, queues: Sequence[str], *, start: float, end: float, step: int, around: str = "%s"
) -> dict[str, Any]:
    """The answers to all `QUERIES`, as Prometheus gives them, its refusals too.

    Args:
        base: its address.
        queues: only these; all that it knows when there are none.
        start: seconds since 1970.
        end: seconds since 1970.
        step: seconds from one value to the next.
        around: a query with ``%s`` where each of them goes.

    Raises:
        UnreachableError: one of them has no answer.
    """
    match = matcher(queues)
    common = {"start": start, "end": end, "step": step}
    queries = (around.replace("%s", query.replace("%s", match)) for query in QUERIES.values())
    documents = await asyncio.gather(*(asyncio.to_thread(_ask, base, common | {"query": query}) for query in queries))
    return dict(zip(QUERIES, documents, strict=True))


def matcher(queues: Sequence[str]) -> str:
    """What selects the series of *queues*, of any without a name."""
    if not queues:
        return ""
    # RE2 takes a backslash before any punctuation; the string around it doubles it
    escaped = ("".join(each if each.isalnum() or each == "_" else f"\\{each}" for each in name) for name in queues)
    return "queue=~" + json.dumps("|".join(escaped), ensure_ascii=False)


def _ask(base: str, parameters: Mapping[str, Any]) -> Any:
    url = f"{base.rstrip('/')}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
    try:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - configured
                return json.loads(answer.read(LONGEST_ANSWER))
        except urllib.error.HTTPError as refusal:  # its document says why, and is passed on as it is
            return json.loads(refusal.read(LONGEST_ANSWER))
    except (OSError, ValueError) as error:
        raise UnreachableError(f"cannot ask Prometheus: {error}") from error


def refusal_in(document: Any) -> str | None:
    """Why Prometheus has refused to answer; None where it has not."""
    match document:
        case {"status": "success", "data": {"result": list()}}:
            return None
        case {"error": str(text)} if text:
            return text
        case _:
            return "Prometheus has answered something else than series"


def lines_in(
    document: Any, queues: Sequence[str], *, start: int, step: int, count: int
) -> dict[str, list[float | None]]:
    """The values of *queues* in an answer, *count* of each from *start*; None where there is none."""
    lines: dict[str, list[float | None]] = {}
    if refusal_in(document) is not None:
        return lines
    wanted = set(queues)
    for series in document["data"]["result"]:
        match series:
            case {"metric": {"queue": str(queue)}, "values": list(values)} if queue in wanted:
                line = lines.setdefault(queue, [None] * count)
                for at, value in _numbers(values):
                    index = round((at - start) / step)
                    if 0 <= index < count:
                        line[index] = value
    return {queue: lines[queue] for queue in queues if queue in lines}


def _numbers(values: list[Any]) -> list[tuple[float, float]]:
    found = []
    for pair in values:
        try:
            at, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, LookupError):
            continue
        if math.isfinite(at) and math.isfinite(value):  # nothing divided by nothing is NaN
            found.append((at, value))
    return found
