"""How attempts end: success, retry, archive, revoke, snooze, timeout, cancellation; across the two sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Enqueuer, Known, Order, Worker, program
from .look import Look, Near, eventually, key
from .pipes import Peer

OUTCOMES = {
    "done": Order(),
    "completed": Order(type="echo", payload=b"the result", retention=3600),
    "completed without result": Order(retention=3600),
    "unique": Order(unique_for=600),
    "unique and completed": Order(unique_for=600, retention=3600),
    "failed": Order(type="act", payload=program(do="fail", error="boom ü")),
    "failed uniquely": Order(type="act", payload=program(do="fail", error="boom"), unique_for=600),
    "failed for good": Order(type="act", payload=program(do="fail", error="boom"), max_retry=0),
    "failed with a result": Order(type="act", payload=program(do="fail", error="boom", result="half")),
    "skipped": Order(type="act", payload=program(do="skip", error="no use"), retention=3600),
    "revoked": Order(type="act", payload=program(do="revoke", error="not wanted"), retention=3600),
    "not a failure": Order(type="act", payload=program(do="fail", error="harmless")),
    "not a failure, last attempt": Order(type="act", payload=program(do="fail", error="harmless"), max_retry=0),
    "no handler": Order(type="nobody"),
    "headers": Order(type="act", payload=program(do="fail", error="boom"), headers={"a": "b"}),
}


@pytest.mark.parametrize("producer", SIDES)
def test_both_workers_leave_the_same_keys(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """After every kind of outcome Redis holds the same, counters included, whichever side ran the tasks."""
    found = {}
    for side in SIDES:
        worker = start_worker(side, retry_delay=3600, not_failure="harmless", queues=dict.fromkeys(OUTCOMES, 1))
        for name, order in OUTCOMES.items():
            clients[producer].enqueue(Order(**{**vars(order), "queue": name, "task_id": "a"}))
        for name in OUTCOMES:
            look.wait("a", None, "completed", "retry", "archived", queue=name)
        worker.terminate()
        found[side] = {name: look.snapshot(name) for name in OUTCOMES}
        look.redis.flushdb()
    for name, order in OUTCOMES.items():
        stored = found["go"][name].get(key(name, "t:a"), {}).get("msg", {})
        if b'"do": "fail"' in (order.payload or b""):
            stored["error_msg"] = _text("python", stored["error_msg"])
        assert found["python"][name] == found["go"][name], name


@pytest.mark.parametrize("first", SIDES)
def test_a_retry_is_taken_over(
    first: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A task fails on one side and succeeds on the other, which knows of retry and error and keeps the headers."""
    order = Order(
        type="act",
        payload=program(**{first: {"do": "fail", "error": "boom"}}),
        headers={"a": "b"},
        max_retry=3,
        retention=60,
    )
    known = clients[first].enqueue(order)
    worker = start_worker(first, retry_delay=3600)
    worker.wait_end(known.id)
    look.wait(known.id, "retry")
    stored = _ask(peer, known.id)
    assert (stored.retried, stored.max_retry, stored.last_error, stored.state) == (1, 3, _text(first, "boom"), "retry")
    assert stored.last_failed_at is not None
    assert Near(0) == Near((datetime.now(UTC) - stored.last_failed_at).total_seconds())
    worker.terminate()

    _fall_due(look, known.id)
    successor = start_worker(OTHER[first])
    seen = successor.wait_start(known.id)
    assert (seen.retried, seen.headers) == (1, {"a": "b"})
    look.wait(known.id, "completed")
    stored = _ask(peer, known.id)
    assert (stored.retried, stored.last_error) == (1, _text(first, "boom"))
    assert look.counters("default") == (2, 1)


@pytest.mark.parametrize("first", SIDES)
def test_retries_run_out_across_sides(
    first: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """Attempts of both sides count together: with two retries the third failure archives."""
    payload = program(go={"do": "fail", "error": "in Go"}, python={"do": "fail", "error": "in Python"})
    known = clients[first].enqueue(Order(type="act", payload=payload, max_retry=2))
    for attempt, side in enumerate((first, OTHER[first], first)):
        worker = start_worker(side, retry_delay=3600)
        assert worker.wait_start(known.id).retried == attempt
        look.wait(known.id, "retry", "archived")
        worker.terminate()
        _fall_due(look, known.id)
    stored = _ask(peer, known.id)
    assert (stored.state, stored.retried) == ("archived", 2)
    assert stored.last_error == _text(first, {"go": "in Go", "python": "in Python"}[first])
    assert look.counters("default") == (3, 3)


def test_a_crashing_handler_is_told_in_words_that_the_other_side_reads(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A panic in Go and an exception with text that is not UTF-8 in Python both become a readable error."""
    clients["python"].enqueue(Order(type="act", task_id="panics", payload=program(do="panic", error="oh")))
    go = start_worker("go", retry_delay=3600)
    go.wait_end("panics")
    look.wait("panics", "retry")
    assert look.message("default", "panics")["error_msg"].startswith("panic error cause by: panic [")
    go.terminate()

    clients["go"].enqueue(Order(type="act", task_id="raises", payload=program(do="garble")))
    python = start_worker("python", retry_delay=3600)
    python.wait_end("raises")
    look.wait("raises", "retry")
    stored = _ask(peer, "raises")
    assert stored.last_error.startswith("RuntimeError: lone ")
    assert stored.last_error.endswith(" surrogate")


@pytest.mark.parametrize("producer", SIDES)
def test_results_are_read_by_the_other_side(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A result, returned or written, of whatever bytes, is there for the other side for the time of the retention."""
    worker = start_worker(OTHER[producer])
    results = {"text": b"done", "binary": bytes(range(256)), "large": b"x" * (1 << 20), "empty": b""}
    for name, result in results.items():
        clients[producer].enqueue(Order(type="echo", payload=result, task_id=name, retention=600))
    clients[producer].enqueue(Order(type="act", payload=program(result="half"), task_id="written", retention=600))
    for name, result in (results | {"written": b"half"}).items():
        worker.wait_end(name)
        look.wait(name, "completed")
        assert (look.field("default", name, "result") or b"") == result
        stored = _ask(peer, name)
        assert (stored.result or b"", stored.state, stored.retention) == (result, "completed", 600)
        score = look.score("default", "completed", name)
        assert stored.completed_at is not None
        assert score == stored.completed_at.timestamp() + 600


@pytest.mark.parametrize("side", SIDES)
def test_expired_results_are_swept_by_the_other_side(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """A completed task of one side is deleted by the janitor of the other when its time is over."""
    worker = start_worker(side)
    clients[side].enqueue(Order(type="echo", task_id="a", retention=600))
    worker.wait_end("a")
    look.wait("a", "completed")
    worker.terminate()
    look.redis.zadd(key("default", "completed"), {"a": 1})
    start_worker(OTHER[side])
    look.wait_empty()


def test_gos_inspector_cancels_a_task_of_a_python_worker(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A cancelled task counts as a failure and is retried, as in Go; its neighbour runs on."""
    worker = start_worker("python", retry_delay=3600)
    for name in ("target", "neighbour"):
        clients["go"].enqueue(Order(type="act", payload=program(hold=True), task_id=name))
        worker.wait_start(name)
    _cancel_until_ended(worker, "target", lambda: peer.ask("cancel", id="target"))
    look.wait("target", "retry")
    stored = _ask(peer, "target")
    assert (stored.retried, stored.last_error) == (1, "context canceled")
    assert look.state("default", "neighbour") == "active"
    worker.release("neighbour")
    assert worker.wait_end("neighbour").error == ""


def test_a_published_id_cancels_a_task_of_a_go_worker(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """The message of the wire, the id on `asynq:cancel`, reaches a Go worker that runs a Python client's task."""
    worker = start_worker("go", retry_delay=3600)
    clients["python"].enqueue(Order(type="act", payload=program(hold=True), task_id="target"))
    worker.wait_start("target")
    _cancel_until_ended(worker, "target", lambda: look.redis.publish("asynq:cancel", "target"))
    look.wait("target", "retry")
    assert look.message("default", "target")["error_msg"] == "context canceled"


@pytest.mark.parametrize("producer", SIDES)
def test_a_timeout_is_enforced_by_the_other_side(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """An attempt that takes longer than its timeout, or past its deadline, fails with asynq's words and is retried."""
    start_worker(OTHER[producer], retry_delay=3600)
    held = Order(type="act", payload=program(hold=True))
    late = datetime.now(UTC) + timedelta(seconds=2)
    clients[producer].enqueue(Order(**{**vars(held), "task_id": "timeout", "timeout": 1}))
    clients[producer].enqueue(Order(**{**vars(held), "task_id": "deadline", "deadline": late}))
    clients[producer].enqueue(
        Order(**{**vars(held), "task_id": "earlier", "timeout": 1, "deadline": late + timedelta(hours=1)})
    )
    clients[producer].enqueue(Order(type="stubborn", payload=b"4", task_id="stubborn", timeout=1))
    for name in ("timeout", "deadline", "earlier", "stubborn"):
        look.wait(name, "retry")
        stored = _ask(peer, name)
        assert (stored.last_error, stored.retried) == ("context deadline exceeded", 1)
    assert look.counters("default") == (4, 4)


@pytest.mark.parametrize("producer", SIDES)
def test_a_task_past_its_deadline_is_not_begun(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """A deadline that is over when the task is claimed is a failure without a call of the handler."""
    over = datetime.now(UTC) - timedelta(hours=1)
    clients[producer].enqueue(Order(task_id="late", deadline=over))
    clients[producer].enqueue(Order(task_id="last", deadline=over, max_retry=0))
    clients[producer].enqueue(Order(task_id="after"))
    worker = start_worker(OTHER[producer], retry_delay=3600, concurrency=2)
    worker.wait_end("after")
    look.wait("late", "retry")
    look.wait("last", "archived")
    assert [event.id for event in worker.starts()] == ["after"]
    assert look.message("default", "late")["error_msg"] == "context deadline exceeded"


@pytest.mark.parametrize("side", SIDES)
def test_odd_numbers_of_a_go_client(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """What Go's client lets pass, negative and too large numbers, means the same to workers of both sides."""
    fails = Order(type="act", payload=program(do="fail", error="boom"))
    go = clients["go"]
    go.enqueue(Order(task_id="negative timeout", timeout=-5))
    go.enqueue(Order(task_id="negative deadline", deadline=datetime(1960, 1, 1, tzinfo=UTC)))
    go.enqueue(Order(**{**vars(fails), "task_id": "retries beyond 32 bits", "max_retry": 2**31}))
    go.enqueue(Order(task_id="negative retention", retention=-5))
    start_worker(side, retry_delay=3600)
    for name in ("negative timeout", "negative deadline"):
        look.wait(name, "retry")
        assert look.message("default", name)["error_msg"] == "context deadline exceeded"
    look.wait("retries beyond 32 bits", "archived")
    look.wait("negative retention", None)
    assert look.counters("default") == (4, 3)


def test_a_snoozed_task_is_run_by_go(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A snoozed task spends no retry and counts nothing; Go's inspector shows it waiting and a Go worker runs it."""
    payload = program(python={"do": "snooze", "delay": 2}, go={"do": "succeed"})
    known = clients["go"].enqueue(Order(type="act", payload=payload, max_retry=1, retention=60))
    python = start_worker("python")
    python.wait_end(known.id)
    look.wait(known.id, "scheduled", "retry")
    stored = _ask(peer, known.id)
    assert stored.retried == 0
    assert known.id in [task["id"] for task in peer.ask("list", queue="default", state=stored.state)]
    assert stored.next_process_at is not None
    python.terminate()
    assert look.counters("default") == (0, 0)

    go = start_worker("go")
    seen = go.wait_start(known.id)
    assert seen.retried == 0
    assert seen.now >= stored.next_process_at
    look.wait(known.id, "completed")
    assert look.counters("default") == (1, 0)


@pytest.mark.parametrize("first", SIDES)
def test_an_archived_task_runs_again_on_the_other_side(
    first: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """A task that one side archived and the inspector sent back succeeds on the other, with its past still known."""
    payload = program(**{first: {"do": "skip", "error": "no use"}})
    known = clients[OTHER[first]].enqueue(Order(type="act", payload=payload, retention=60))
    worker = start_worker(first)
    look.wait(known.id, "archived")
    worker.terminate()
    peer.ask("run", queue="default", id=known.id)
    start_worker(OTHER[first])
    look.wait(known.id, "completed")
    assert _ask(peer, known.id).last_error == "no use"


def _fall_due(look: Look, task_id: str) -> None:
    """End the wait for the next attempt, if there is one."""
    look.redis.zadd(key("default", "retry"), {task_id: int(time.time())}, xx=True)


def _cancel_until_ended(worker: Worker, task_id: str, cancel: Callable[[], Any]) -> None:
    """A cancel message is best effort: send it until it has worked."""

    def ended() -> bool:
        cancel()
        return bool(worker.ends(task_id))

    eventually(ended, f"{task_id} to be cancelled")


def _text(side: str, text: str) -> str:
    """The stored text of an error: Python has the name of the class in front, as tracebacks do."""
    return text if side == "go" else f"RuntimeError: {text}"


def _ask(peer: Peer, task_id: str) -> Known:
    return Known.from_go(peer.ask("task_info", queue="default", id=task_id))
