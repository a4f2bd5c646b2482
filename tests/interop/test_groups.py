"""Groups that a Python client fills and a Go server aggregates."""

from __future__ import annotations

import pytest

from .conftest import StartWorker
from .ends import SIDES, Enqueuer, Order
from .look import Look, eventually


@pytest.mark.parametrize("consumer", SIDES)
def test_go_aggregates_what_our_client_grouped(
    consumer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Tasks of both clients in one group become one task, oldest first; whoever runs it, nothing else is left."""
    python = start_worker("python") if consumer == "python" else None
    for n in range(6):
        clients[SIDES[n % 2]].enqueue(Order(payload=f"{n}".encode(), task_id=f"{n}", group="g:1 ü"))
    aggregating = start_worker(
        "go", aggregate=True, group_grace_period=1, group_max_size=6, queues={"default": 1}, task_check_interval=0.05
    )
    workers = [worker for worker in (python, aggregating) if worker is not None]
    (event,) = eventually(lambda: [event for worker in workers for event in worker.ends()])
    assert event.type == "aggregated:g:1 ü"
    assert sorted(event.payload.decode().split(",")) == [f"{n}" for n in range(6)]
    look.wait_empty()
