"""The semaphore of x/rate, shared by handlers of both sides."""

from __future__ import annotations

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Enqueuer, Order, program
from .look import Look, eventually, key

KEY = "asynq:sema:interop"
FULL = {"not_failure": "semaphore full", "retry_delay": 0.2}


def test_neither_side_exceeds_the_tokens(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """Three tokens, two servers with eight slots each: at no moment do more than three tasks run."""
    workers = [start_worker(side, concurrency=8, tokens=3, queues={side: 1}, **FULL) for side in SIDES]
    ids = [
        clients[side].enqueue(Order(type="shared", payload=program(sleep=0.05), queue=side)).id
        for _ in range(20)
        for side in SIDES
    ]
    for side in SIDES:
        look.wait_empty(side)
    running: set[str] = set()
    most = 0
    # Starts are reported after the token was taken, ends before it is returned; both sides have the clock of this host.
    events = sorted((event for worker in workers for event in worker.events), key=lambda event: event.now)
    for event in events:
        if event.event == "start":
            running.add(event.id)
            most = max(most, len(running))
        else:
            running.discard(event.id)
    assert sorted(event.id for worker in workers for event in worker.ends()) == sorted(ids)
    assert most <= 3
    assert [len(worker.ends()) for worker in workers] == [20, 20]
    assert not look.redis.exists(KEY)


@pytest.mark.parametrize("holder", SIDES)
def test_a_token_held_on_one_side_is_missed_on_the_other(
    holder: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """The other task waits without paying, and runs when the token is returned."""
    first = start_worker(holder, tokens=1, queues={"one": 1}, **FULL)
    held = clients[holder].enqueue(Order(type="shared", payload=program(hold=True), queue="one"))
    first.wait_start(held.id)
    [(member, deadline)] = look.redis.zrange(KEY, 0, -1, withscores=True)
    assert (member.decode(), deadline % 1) == (held.id, 0)

    second = start_worker(OTHER[holder], tokens=1, queues={"two": 1}, **FULL)
    waiting = clients[holder].enqueue(Order(type="shared", payload=program(), queue="two", retention=60))
    look.wait(waiting.id, "retry", "scheduled", queue="two")
    assert second.starts() == []
    first.release(held.id)
    second.wait_end(waiting.id)
    eventually(lambda: not look.redis.exists(KEY), "the token to be returned")
    look.wait(waiting.id, "completed", queue="two")
    stored = look.snapshot("two")[key("two", f"t:{waiting.id}")]["msg"]
    assert stored.get("retried", 0) == 0
