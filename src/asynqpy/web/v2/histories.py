"""What Prometheus has collected of queues, where the server was told of one."""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query

from asynqpy.web import prometheus
from asynqpy.web.problems import MEDIA_TYPE, Problem
from asynqpy.web.v2 import schema
from asynqpy.web.v2.common import Asking, Context

router = APIRouter(tags=["queues"])

MOST_QUEUES = 50
MOMENTS = 360
"""About so many in an answer: as many as a chart can show."""

SHORTEST_STEP = 10
SHORTEST, LONGEST = 60, 400 * 86400
LATEST = 100_000_000_000

ONE_A_QUEUE = "max by (queue) (%s)"
"""Several exporters may tell the same of a queue."""

_UNREACHABLE: dict[int | str, dict[str, Any]] = {
    502: {
        "description": "Prometheus does not answer.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


@router.get("/prometheus", responses=_UNREACHABLE)
async def prometheus_history(
    asking: Asking,
    *,
    queue: Annotated[
        list[str] | None,
        Query(max_length=MOST_QUEUES, description="Only these, in this order; the busiest without it."),
    ] = None,
    duration: Annotated[int, Query(ge=SHORTEST, le=LONGEST, description="How many seconds.")] = 3600,
    end: Annotated[
        int | None, Query(gt=LONGEST, lt=LATEST, description="The last of them, since 1970; now without it.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_QUEUES, description="How many queues at most.")] = 25,
) -> schema.PrometheusHistory:
    """What Prometheus knows of queues, moment by moment: the nine charts of asynqmon, about 360 values a line.

    `meta.prometheus` tells whether there is one. A single chart that it refuses says why; 502 when it does not answer.
    """
    base = asking.broker.settings.prometheus_url
    if not base:
        raise Problem(
            HTTPStatus.NOT_FOUND, "no_prometheus", "no Prometheus is configured: asynqpy web --prometheus URL"
        )
    wanted = await asking.visible(queue) if queue is not None else await _busiest(asking)
    names = wanted[:limit]
    step = max(SHORTEST_STEP, math.ceil(duration / MOMENTS))
    last = (int(time.time()) if end is None else end) // step * step  # the same moments whenever it is asked
    count = duration // step + 1
    start = last - (count - 1) * step
    charts = (
        await _charts(asking, names, start, last, step, count) if names else dict.fromkeys(prometheus.QUERIES, _NONE)
    )
    return schema.PrometheusHistory(
        duration=duration,
        end=last,
        step=step,
        times=list(range(start, last + 1, step)),
        queues=names,
        left_out=len(wanted) - len(names),
        charts=charts,
    )


_NONE = schema.PrometheusChart(error=None, lines={})


async def _busiest(asking: Context) -> list[str]:
    infos = await asking.broker.infos(asking.user)
    return [info.queue for info in sorted(infos, key=lambda info: (-info.processed, -info.pending, info.queue))]


async def _charts(
    asking: Context, names: list[str], start: int, end: int, step: int, count: int
) -> dict[str, schema.PrometheusChart]:
    base = asking.broker.settings.prometheus_url
    try:
        found = await asking.broker.slow_reads.get(
            ("prometheus", start, end, step, *names),
            lambda: prometheus.ask(base, names, start=start, end=end, step=step, around=ONE_A_QUEUE),
        )
    except prometheus.UnreachableError as error:
        raise Problem(HTTPStatus.BAD_GATEWAY, "prometheus_unavailable", str(error)) from error
    return {
        name: schema.PrometheusChart(
            error=prometheus.refusal_in(document),
            lines=prometheus.lines_in(document, names, start=start, step=step, count=count),
        )
        for name, document in found.items()
    }
