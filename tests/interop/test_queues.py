"""Which queue is next, when Go filled them, and how Go sees the server that chose."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import UTC, datetime

from .conftest import StartWorker
from .ends import Enqueuer, Order, program
from .look import Look, Near, eventually, key
from .pipes import Peer

WEIGHTS = {"critical": 6, "default": 3, "low": 1}


def test_weights_share_out_what_go_enqueued(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """While all queues are full a Python worker serves them in proportion to their weights."""
    for queue in WEIGHTS:
        clients["go"].enqueue_many(Order(queue=queue) for _ in range(400))
    worker = start_worker("python", queues=WEIGHTS, concurrency=4)
    eventually(lambda: len(worker.ends()) >= 1200)
    shares = Counter(event.queue for event in worker.starts()[:500])
    # The standard deviation of 500 draws is 11 at most: 5 of them.
    assert all(abs(shares[queue] - 50 * weight) < 55 for queue, weight in WEIGHTS.items()), shares


def test_strict_priority_serves_go_in_order(clients: dict[str, Enqueuer], start_worker: StartWorker) -> None:
    """With strict priority no task of a lower queue starts while a higher one has any."""
    for queue in reversed(WEIGHTS):
        clients["go"].enqueue_many(Order(queue=queue) for _ in range(50))
    worker = start_worker("python", queues=WEIGHTS, strict_priority=True, concurrency=1)
    eventually(lambda: len(worker.ends()) >= 150)
    assert [event.queue for event in worker.starts()] == ["critical"] * 50 + ["default"] * 50 + ["low"] * 50


def test_both_sides_serve_first_in_first_out(clients: dict[str, Enqueuer], start_worker: StartWorker) -> None:
    """Tasks of both clients on one queue run in the order in which they came."""
    for n in range(100):
        clients["go" if n % 2 else "python"].enqueue(Order(task_id=f"{n}"))
    worker = start_worker("python", concurrency=1)
    eventually(lambda: len(worker.ends()) >= 100)
    assert [event.id for event in worker.starts()] == [f"{n}" for n in range(100)]


def test_go_sees_our_server(clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look) -> None:
    """Go's inspector shows a Python server with its settings and the tasks it is busy with, until it has shut down."""
    worker = start_worker("python", queues=WEIGHTS | {"big": 60}, strict_priority=True, concurrency=7)
    clients["go"].enqueue(Order(type="act", payload=program(hold=True), task_id="held", queue="low", timeout=600))
    started = worker.wait_start("held")
    (server,) = eventually(lambda: [server for server in peer.ask("servers") if server["workers"]])
    assert (server["pid"], server["host"], server["status"]) == (worker.pid, socket.gethostname(), "active")
    assert (server["concurrency"], server["strict_priority"]) == (7, True)
    assert server["queues"] == WEIGHTS | {"big": 60}
    now = datetime.now(UTC).timestamp()
    assert Near(server["started_ns"] / 1e9 - now) == Near(0)
    (busy,) = server["workers"]
    assert (busy["task_id"], busy["type"], busy["queue"]) == ("held", "act", "low")
    assert started.deadline is not None
    assert abs(busy["deadline_ns"] / 1e9 - started.deadline.timestamp()) < 1
    assert Near(busy["started_ns"] / 1e9 - now) == Near(0)

    worker.release("held")
    worker.wait_end("held")
    eventually(lambda: peer.ask("servers")[0]["workers"] == [])
    worker.terminate()
    assert peer.ask("servers") == []
    assert look.redis.zcard("asynq:workers") == 0


def test_go_sees_that_our_server_stopped(
    clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """After TSTP a Python server finishes what it has, takes nothing new, and is shown as stopped."""
    import signal

    worker = start_worker("python")
    clients["go"].enqueue(Order(type="act", payload=program(hold=True), task_id="held"))
    worker.wait_start("held")
    worker.signal(signal.SIGTSTP)
    eventually(lambda: peer.ask("servers")[0]["status"] == "stopped")
    clients["go"].enqueue(Order(task_id="left"))
    worker.release("held")
    worker.wait_end("held")
    eventually(lambda: not look.redis.exists(key("default", "active")))
    assert look.state("default", "left") == "pending"
    worker.terminate()
    assert worker.starts("left") == []
