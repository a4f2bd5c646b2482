"""Workers of both sides beside each other: pausing, shutting down, sharing a queue, crashing and taking over."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Enqueuer, Known, Order, Worker, program, start_supervised_workers
from .look import Look, eventually, key
from .pipes import Peer

LONG_AGO_SECONDS = 31
"""A lease that ended so long ago is over for everybody: Go allows 30 s for clocks that differ."""


@pytest.mark.parametrize("side", SIDES)
def test_a_pause_by_go_is_honoured(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """While Go's inspector has a queue paused neither side runs its tasks; other queues go on, and so does it later."""
    worker = start_worker(side, queues={"default": 1, "other": 1})
    clients[OTHER[side]].enqueue(Order(queue="other", task_id="before"))
    worker.wait_end("before")
    peer.ask("pause", queue="default")
    clients[OTHER[side]].enqueue(Order(task_id="paused"))
    for n in range(20):
        clients[OTHER[side]].enqueue(Order(queue="other", task_id=f"{n}"))
        worker.wait_end(f"{n}")
    assert worker.starts("paused") == []
    assert look.state("default", "paused") == "pending"
    assert peer.ask("queue_info", queue="default")["paused"]
    peer.ask("unpause", queue="default")
    worker.wait_end("paused")


@pytest.mark.parametrize("side", SIDES)
def test_a_pause_holds_back_what_falls_due(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """A scheduled task of a paused queue becomes pending in time, and waits there."""
    peer.ask("pause", queue="default")
    worker = start_worker(side)
    clients[OTHER[side]].enqueue(Order(task_id="due", process_in=1))
    look.wait("due", "pending")
    assert worker.starts() == []
    peer.ask("unpause", queue="default")
    worker.wait_end("due")


@pytest.mark.parametrize("side", SIDES)
def test_shutdown_pushes_back_what_the_other_side_then_runs(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """On TERM tasks that do not end in time go back to be served next, with no retry spent and nothing counted."""
    worker = start_worker(side, concurrency=2, shutdown_timeout=0.5)
    payload = program(**{side: {"hold": True}})
    for name in ("held", "neighbour"):
        clients[side].enqueue(Order(type="act", payload=payload, task_id=name, max_retry=0))
        worker.wait_start(name)
    clients[OTHER[side]].enqueue_many([Order(task_id="next"), Order(task_id="last")])
    worker.terminate()
    pending = look.redis.lrange(key("default", "pending"), 0, -1)
    assert pending[:2] == [b"last", b"next"]
    assert set(pending[2:]) == {b"held", b"neighbour"}
    assert look.counters("default") == (0, 0)
    assert not look.redis.exists(key("default", "active"), key("default", "lease"))
    assert look.servers() == []

    successor = start_worker(OTHER[side], concurrency=1)
    for name in ("held", "neighbour", "next", "last"):
        assert successor.wait_end(name).retried == 0
    assert {event.id for event in successor.starts()[:2]} == {"held", "neighbour"}
    look.wait_empty()
    assert look.counters("default") == (4, 0)


@pytest.mark.parametrize("side", SIDES)
def test_shutdown_does_not_wait_for_code_that_ignores_it(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """A handler that looks at nothing but its work is left behind, and its task pushed back."""
    worker = start_worker(side, shutdown_timeout=0.5)
    clients[OTHER[side]].enqueue(Order(type="stubborn", payload=b"3600", task_id="stubborn"))
    worker.wait_start("stubborn")
    worker.terminate()
    assert look.redis.lrange(key("default", "pending"), 0, -1) == [b"stubborn"]
    assert look.counters("default") == (0, 0)


@pytest.mark.parametrize("side", SIDES)
def test_a_running_task_ends_before_shutdown(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """On TERM a task that ends within the shutdown timeout is finished, and new ones are left to the other side."""
    worker = start_worker(side, shutdown_timeout=20)
    clients[OTHER[side]].enqueue(Order(type="act", payload=program(hold=True), task_id="held"))
    worker.wait_start("held")
    worker.signal(signal.SIGTERM)
    eventually(lambda: _stops_taking(side, worker, clients, look), "the worker to stop taking tasks")
    worker.release("held")
    assert worker.wait() == 0
    assert worker.ends("held")[0].error == ""
    assert look.state("default", "held") is None


def test_both_sides_share_a_queue(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """Two clients and four workers, two of each side: every one of 2000 tasks runs exactly once, and counts once."""
    workers = [start_worker(side) for side in ("go", "python", "go", "python")]
    orders = {
        side: [Order(type="act", payload=program(sleep=0.005), task_id=f"{side}-{n}") for n in range(1000)]
        for side in SIDES
    }
    for side in SIDES:
        clients[side].enqueue_many(orders[side])
    eventually(lambda: sum(len(worker.ends()) for worker in workers) >= 2000, "all tasks to end", seconds=60)
    look.wait_empty()
    runs = Counter(event.id for worker in workers for event in worker.starts())
    assert runs == {order.task_id: 1 for side in SIDES for order in orders[side]}
    assert look.counters("default") == (2000, 0)
    assert all(worker.starts() for worker in workers)


@pytest.mark.parametrize("victim", SIDES)
def test_a_killed_worker_is_survived_under_load(
    victim: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """After a kill -9 the other side runs everything at least once, and only the interrupted tasks twice."""
    doomed = start_worker(victim, concurrency=5)
    tasks = [f"{n}" for n in range(300)]
    interrupted = set(tasks[30:280:50])
    steps = {task_id: program(**{victim: {"hold": True}}) if task_id in interrupted else program() for task_id in tasks}
    clients[victim].enqueue_many(
        Order(type="act", payload=steps[task_id], task_id=task_id, max_retry=1) for task_id in tasks
    )
    for task_id in interrupted:
        doomed.wait_start(task_id)
    doomed.kill()
    assert {member.decode() for member in look.redis.lrange(key("default", "active"), 0, -1)} == interrupted
    _end_leases(look)

    rescuer = start_worker(OTHER[victim], retry_delay=0)
    eventually(lambda: not look.leftovers("default"), "all tasks to be done", seconds=40)
    runs = Counter(event.id for worker in (doomed, rescuer) for event in worker.starts())
    assert runs == {task_id: 2 if task_id in interrupted else 1 for task_id in tasks}
    # Go recovers by a retry, which counts as a failure and an attempt; we give the task back as it was.
    retries = len(interrupted) if OTHER[victim] == "go" else 0
    assert look.counters("default") == (len(tasks) + retries, retries)
    for task_id in interrupted:
        assert [event.retried for event in rescuer.starts(task_id)] == [1 if retries else 0]


@pytest.mark.parametrize("victim", SIDES)
def test_the_last_attempt_of_a_killed_worker(
    victim: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """Go archives a lost task that has no retry left, with its words; we run it again, for a crash is not its fault."""
    doomed = start_worker(victim)
    clients[victim].enqueue(Order(type="act", payload=program(**{victim: {"hold": True}}), task_id="a", max_retry=0))
    doomed.wait_start("a")
    doomed.kill()
    _end_leases(look)
    rescuer = start_worker(OTHER[victim])
    if OTHER[victim] == "go":
        look.wait("a", "archived")
        assert look.message("default", "a")["error_msg"] == "asynq: task lease expired"
    else:
        assert rescuer.wait_end("a").retried == 0
        look.wait_empty()


def test_a_go_worker_whose_clock_is_late_is_not_robbed(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """A lease of a Go worker was made by that worker's clock, so we too allow 30 s for the difference."""
    late, dead = start_worker("go", concurrency=1), start_worker("go", concurrency=1)
    for name in ("first", "second"):
        clients["python"].enqueue(Order(type="act", payload=program(go={"hold": True}), task_id=name))
    eventually(lambda: late.starts() and dead.starts())
    kept, lost = late.starts()[0].id, dead.starts()[0].id
    dead.kill()
    late.signal(signal.SIGSTOP)  # else it would extend its lease
    now = int(time.time())
    look.redis.zadd(key("default", "lease"), {kept: now - 20, lost: now - LONG_AGO_SECONDS})
    python = start_worker("python")
    python.wait_end(lost)
    assert look.state("default", kept) == "active"
    assert python.starts(kept) == []
    late.signal(signal.SIGCONT)
    late.release(kept)
    late.wait_end(kept)
    look.wait_empty()


def test_supervised_workers_beside_go(
    clients: dict[str, Enqueuer], start_worker: StartWorker, redis_url: str, look: Look, peer: Peer
) -> None:
    """Go sees each process of `asynqpy worker --processes`; what a killed one held runs on at once, unspent."""
    workers = start_supervised_workers(redis_url, processes=2)
    try:
        eventually(lambda: len(peer.ask("servers")) == 2, "two servers")
        clients["go"].enqueue(Order(type="act", payload=program(python={"sleep": 3600}), task_id="a"))
        workers.wait_start("a")
        (busy,) = eventually(lambda: [server for server in peer.ask("servers") if server["workers"]])
        os.kill(busy["pid"], signal.SIGKILL)
        assert workers.wait_start("a", attempt=2).retried == 0
        workers.terminate()
        assert peer.ask("everything")["errors"] == []
        assert look.state("default", "a") == "pending"
    finally:
        workers.end()
    go = start_worker("go")
    assert go.wait_end("a").retried == 0
    look.wait_empty()
    assert look.counters("default") == (1, 0)


@pytest.mark.slow
@pytest.mark.timeout(200, func_only=True)
def test_crashes_are_recovered_in_real_time(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """With leases left alone: two killed workers and one that froze are taken over by the other side.

    Go looks for expired leases once a minute, 30 s late. The frozen worker wakes up after that, and must not meddle.
    """
    held = {side: program(**{side: {"hold": True}}) for side in SIDES}
    doomed = {
        "python-died": start_worker("python", queues={"python-died": 1}),
        "go-died": start_worker("go", queues={"go-died": 1}),
        "python-froze": start_worker("python", queues={"python-froze": 1}),
    }
    for queue, worker in doomed.items():
        payload = program(hold=True) if queue == "python-froze" else held[worker.side]
        clients[worker.side].enqueue(Order(type="act", payload=payload, task_id=queue, queue=queue))
        worker.wait_start(queue)
    doomed["python-died"].kill()
    doomed["go-died"].kill()
    doomed["python-froze"].signal(signal.SIGSTOP)
    ends = max(look.score(queue, "lease", queue) or 0 for queue in doomed)
    # Two seconds later than the last lease was given, the round after Go's first one comes late enough.
    eventually(lambda: time.time() > ends - 28)
    go = start_worker("go", queues={"python-died": 1, "python-froze": 1}, retry_delay=0)
    python = start_worker("python", queues={"go-died": 1})

    eventually(lambda: python.ends("go-died"), "Python to recover Go's task", seconds=100)
    assert python.starts("go-died")[0].retried == 0
    eventually(lambda: go.ends("python-died"), "Go to recover Python's task", seconds=130)
    assert go.starts("python-died")[0].retried == 1

    eventually(lambda: go.starts("python-froze"), "Go to recover the frozen task", seconds=130)
    frozen = doomed["python-froze"]
    frozen.signal(signal.SIGCONT)
    frozen.release("python-froze")
    clients["go"].enqueue(Order(queue="python-froze", task_id="after", type="act", payload=program(go={"sleep": 1})))
    eventually(lambda: frozen.ends("python-froze"), "the frozen handler to end")
    eventually(lambda: frozen.ends("after") or go.ends("after"), "a later task to run")
    assert look.state("python-froze", "python-froze") == "active"
    go.release("python-froze")
    eventually(lambda: not look.leftovers("python-froze"))
    # the failure that Go's recovery counts, the success of Go, and the later task; nothing of the frozen worker
    assert look.counters("python-froze") == (3, 1)


def _end_leases(look: Look) -> None:
    """Spare the test the half minute until the leases of a killed worker have ended, and Go's allowance of another."""
    leases = look.redis.zrange(key("default", "lease"), 0, -1)
    assert leases
    look.redis.zadd(key("default", "lease"), dict.fromkeys(leases, int(time.time()) - LONG_AGO_SECONDS))


def _stops_taking(side: str, worker: Worker, clients: dict[str, Enqueuer], look: Look) -> bool:
    """Whether a fresh task is left alone, which takes some waiting to know."""
    known: Known = clients[side].enqueue(Order())
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        if worker.starts(known.id):
            return False
        time.sleep(0.01)
    return look.state("default", known.id) == "pending"
