"""Go's inspector over what Python wrote: it reads everything without an error, and its verbs work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import StartWorker
from .ends import Enqueuer, Known, Order, program
from .look import Look, eventually, key
from .pipes import Peer, PeerError

QUEUES = ("default", "очередь {1} *", "UPPER:case")
PAYLOADS: dict[str, bytes | None] = {
    "empty": b"",
    "none": None,
    "binary": bytes(range(256)),
    "large": b"x" * (1 << 20),
    "ид ü:{} *": "ünï".encode(),
}
LISTED = ("pending", "active", "scheduled", "retry", "archived", "completed", "aggregating")

Bring = Callable[..., str]


def test_go_reads_everything_that_python_wrote(
    clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """Tasks of all states with unusual payloads, ids, errors and queues; servers, groups, history: no error."""
    python = clients["python"]
    worker = start_worker("python", queues=dict.fromkeys(QUEUES, 1), concurrency=20, retry_delay=3600)
    expected: dict[tuple[str, str, str], bytes] = {}
    for queue in QUEUES:
        for name, payload in PAYLOADS.items():
            common: dict[str, Any] = {"queue": queue, "payload": payload, "headers": {"ключ": name}}
            orders = {
                "scheduled": Order(**common, process_in=3600, unique_for=600),
                "aggregating": Order(**common, group=f"group {name}"),
                "completed": Order(**common, type="echo", retention=3600),
            }
            for state, order in orders.items():
                known = python.enqueue(Order(**{**vars(order), "task_id": f"{state} {name}"}))
                expected[queue, state, known.id] = payload or b""
        for n, error in enumerate(("boom", "two\nlines", "", "é" * 5000, None)):
            for state, do in (("retry", "fail"), ("archived", "skip")):
                steps = program(do=do, error=error, result="half")
                if error is None and state == "retry":
                    steps = program(do="garble", result="half")
                python.enqueue(Order(type="act", payload=steps, queue=queue, task_id=f"{state} {n}", timeout=60))
                expected[queue, state, f"{state} {n}"] = steps
        for n in range(2):
            steps = program(hold=True)
            python.enqueue(Order(type="act", payload=steps, queue=queue, task_id=f"active {n}"))
            expected[queue, "active", f"active {n}"] = steps
    for queue, state, task_id in expected:
        look.wait(task_id, state, queue=queue)
    for queue in QUEUES:
        peer.ask("pause", queue=queue)
        known_many = python.enqueue_many(
            Order(queue=queue, payload=payload, task_id=f"pending {name}") for name, payload in PAYLOADS.items()
        )
        expected |= {(queue, "pending", known.id): known.payload for known in known_many}

    everything = peer.ask("everything")
    assert everything["errors"] == []
    found = {
        (queue, state, known.id): known.payload
        for queue, by_state in everything["tasks"].items()
        for state, listed in by_state.items()
        for known in map(Known.from_go, listed)
    }
    assert found == expected
    for queue in QUEUES:
        _check_queue(everything, queue)
    (server,) = everything["servers"]
    assert {(busy["queue"], busy["task_id"]) for busy in server["workers"]} <= {(q, t) for q, _, t in expected}
    assert worker.is_running


def _check_queue(everything: dict[str, Any], queue: str) -> None:
    info, tasks = everything["queues"][queue], everything["tasks"][queue]
    assert {state: info[state] for state in LISTED} == {state: len(tasks[state]) for state in LISTED}
    assert info["size"] == sum(len(tasks[state]) for state in LISTED)
    assert (info["processed"], info["failed"]) == (info["processed_total"], info["failed_total"]) == (15, 10)
    assert info["paused"]
    assert info["memory_usage"] > 0
    assert 0 < info["latency"] < 60
    assert {group["group"] for group in everything["groups"][queue]} == {f"group {name}" for name in PAYLOADS}
    for known in map(Known.from_go, tasks["retry"] + tasks["archived"]):
        assert known.last_failed_at is not None
        assert known.result == b"half"
        assert known.retried == (1 if known.state == "retry" else 0)
    assert not any(known.is_orphaned for known in map(Known.from_go, tasks["active"]))
    for known in map(Known.from_go, tasks["completed"]):
        assert (known.result or b"") == known.payload
        assert known.headers == {"ключ": known.id.removeprefix("completed ")}


@pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "completed", "aggregating"])
def test_go_runs_our_task(state: str, bring: Bring, peer: Peer, look: Look) -> None:
    """Go's inspector sends a task that Python brought into any waiting state back to pending."""
    look.redis.set(key("default", "paused"), 1) if state in ("scheduled", "aggregating") else None
    task_id = bring(state, producer="python", worker="python")
    look.redis.set(key("default", "paused"), 1)
    peer.ask("run", queue="default", id=task_id)
    assert look.state("default", task_id) == "pending"
    assert look.redis.lrange(key("default", "pending"), 0, -1) == [task_id.encode()]
    assert peer.ask("everything")["errors"] == []


@pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "completed", "aggregating"])
def test_go_archives_our_task(state: str, bring: Bring, peer: Peer, look: Look) -> None:
    """Go's inspector archives a task that Python brought into any waiting state."""
    task_id = bring(state, producer="python", worker="python")
    peer.ask("archive", queue="default", id=task_id)
    assert look.state("default", task_id) == "archived"
    assert look.score("default", "archived", task_id) is not None
    assert peer.ask("queue_info", queue="default")["size"] == 1


@pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "archived", "completed", "aggregating"])
def test_go_deletes_our_task(state: str, bring: Bring, peer: Peer, look: Look) -> None:
    """Go's inspector deletes a task that Python brought into any state but active, lock and all."""
    task_id = bring(state, producer="python", worker="python", unique_for=600 if state != "aggregating" else None)
    peer.ask("delete", queue="default", id=task_id)
    assert set(look.leftovers("default")) <= {key("default", "paused")}


@pytest.mark.parametrize("verb", ["run", "archive", "delete"])
def test_go_refuses_to_touch_our_active_task(verb: str, bring: Bring, peer: Peer, look: Look) -> None:
    """A task that a Python worker runs is active to Go, which refuses every verb but cancel."""
    task_id = bring("active", producer="go", worker="python")
    with pytest.raises(PeerError, match=r"running|active"):
        peer.ask(verb, queue="default", id=task_id)
    assert look.state("default", task_id) == "active"


def test_go_changes_the_payload_of_our_task(
    clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """Go's inspector replaces the payload of a scheduled task and keeps the rest; a Python worker gets the new one."""
    worker = start_worker("python")
    clients["python"].enqueue(
        Order(task_id="a", payload=b"old", headers={"a": "b"}, max_retry=3, process_in=3600, unique_for=60, retention=5)
    )
    before = look.message("default", "a")
    peer.ask("update_payload", queue="default", id="a", payload="bmV3")
    assert look.message("default", "a") == before | {"payload": b"new"}
    peer.ask("run", queue="default", id="a")
    seen = worker.wait_end("a")
    assert (seen.payload, seen.headers, seen.max_retry) == (b"new", {"a": "b"}, 3)


@pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "aggregating"])
def test_go_runs_all_our_tasks(state: str, clients: dict[str, Enqueuer], bring: Bring, peer: Peer, look: Look) -> None:
    """Go's bulk verb finds every task that Python brought into a state."""
    tasks = {bring(state, producer="python", worker="python") for _ in range(3)}
    look.redis.set(key("default", "paused"), 1)
    assert peer.ask("run_all", queue="default", state=state, group="g") == 3
    assert {task_id.decode() for task_id in look.redis.lrange(key("default", "pending"), 0, -1)} == tasks
    assert {look.state("default", task_id) for task_id in tasks} == {"pending"}


@pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "aggregating"])
def test_go_archives_all_our_tasks(state: str, bring: Bring, peer: Peer, look: Look) -> None:
    """Go's bulk verb archives every task that Python brought into a state."""
    tasks = {bring(state, producer="python", worker="python") for _ in range(3)}
    assert peer.ask("archive_all", queue="default", state=state, group="g") == 3
    assert {look.state("default", task_id) for task_id in tasks} == {"archived"}


@pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "archived", "completed", "aggregating"])
def test_go_deletes_all_our_tasks(state: str, bring: Bring, peer: Peer, look: Look) -> None:
    """Go's bulk verb leaves nothing of the tasks that Python brought into a state."""
    for _ in range(3):
        bring(state, producer="python", worker="python")
    assert peer.ask("delete_all", queue="default", state=state, group="g") == 3
    assert set(look.leftovers("default")) <= {key("default", "paused")}


def test_go_removes_our_queue_and_we_bring_it_back(
    clients: dict[str, Enqueuer], bring: Bring, peer: Peer, look: Look
) -> None:
    """After Go's inspector removed a queue, a client of ours that still uses it registers it again within seconds."""
    for state in ("scheduled", "retry", "archived"):
        bring(state, producer="python", worker="python")
    with pytest.raises(PeerError, match="not empty"):
        peer.ask("delete_queue", queue="default")
    peer.ask("delete_queue", queue="default", force=True)
    assert peer.ask("queues") == []
    assert look.leftovers("default") == {}

    def is_back() -> bool:
        clients["python"].enqueue(Order(process_in=3600))
        return bool(peer.ask("queues") == ["default"])

    eventually(is_back, "the queue to be registered")


def test_go_counts_our_days(clients: dict[str, Enqueuer], bring: Bring, peer: Peer) -> None:
    """The daily figures that Python workers write are Go's history."""
    for state in ("completed", "retry", "archived"):
        bring(state, producer="python", worker="python")
    today, *earlier = peer.ask("history", queue="default", days=3)
    assert (today["processed"], today["failed"]) == (3, 2)
    assert [(day["processed"], day["failed"]) for day in earlier] == [(0, 0), (0, 0)]


def test_go_finds_our_dead_workers_task_orphaned(
    clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """A task whose Python worker was killed is shown as orphaned once its lease is over."""
    worker = start_worker("python")
    clients["go"].enqueue(Order(type="act", payload=program(hold=True), task_id="a"))
    worker.wait_start("a")
    (task,) = peer.ask("list", queue="default", state="active")
    assert not task["is_orphaned"]
    worker.kill()
    look.redis.zadd(key("default", "lease"), {"a": 1})
    (task,) = peer.ask("list", queue="default", state="active")
    assert task["is_orphaned"]
