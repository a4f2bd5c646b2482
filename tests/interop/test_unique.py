"""Uniqueness locks: each side sees the other's, and its success sets the other's free."""

from __future__ import annotations

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Conflict, Duplicate, Enqueuer, Order, program
from .look import Look, eventually, key
from .pipes import Peer


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize(
    "order",
    [
        Order(payload=b"p", unique_for=600),
        Order(payload=b"", unique_for=600),
        Order(payload=None, unique_for=600),
        Order(payload=b"p", unique_for=600, process_in=3600),
        Order(payload=b"p", unique_for=600, group="g"),
        Order(payload=b"p", unique_for=600, queue="q {1} ü", type="тип"),
    ],
    ids=["pending", "empty payload", "no payload", "scheduled", "grouped", "odd names"],
)
def test_a_lock_is_seen_by_the_other_client(first: str, order: Order, clients: dict[str, Enqueuer], look: Look) -> None:
    """A unique task is refused by both clients while the lock of either is held, in whatever way it is enqueued."""
    queue = order.queue or "default"
    known = clients[first].enqueue(order)
    before = look.snapshot(queue)
    (lock,) = (name for name in before if name.startswith(key(queue, "unique:")))
    assert look.redis.get(lock) == known.id.encode()
    for side in SIDES:
        for again in (order, Order(**{**vars(order), "process_in": 60, "group": None})):
            with pytest.raises(Duplicate):
                clients[side].enqueue(again)
    assert look.snapshot(queue) == before


@pytest.mark.parametrize("first", SIDES)
def test_other_work_is_not_locked(first: str, clients: dict[str, Enqueuer]) -> None:
    """Another queue, type or payload, and a task that does not ask to be unique, are free; headers change nothing."""
    order = Order(payload=b"p", unique_for=600)
    clients[first].enqueue(order)
    for change in (
        {"queue": "other"},
        {"type": "other"},
        {"payload": b"q"},
        {"payload": b""},
        {"payload": None},
        {"unique_for": None},
    ):
        clients[OTHER[first]].enqueue(Order(**{**vars(order), **change}))
    with pytest.raises(Duplicate):
        clients[OTHER[first]].enqueue(Order(**{**vars(order), "headers": {"a": "b"}, "task_id": "fresh"}))


@pytest.mark.parametrize("retention", [None, 600])
@pytest.mark.parametrize("producer", SIDES)
def test_success_on_the_other_side_frees_the_lock(
    producer: str, retention: float | None, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """When a worker of the other side has done the task, kept or not, both clients may enqueue it again."""
    worker = start_worker(OTHER[producer])
    for again in (producer, OTHER[producer], producer):
        known = clients[again].enqueue(Order(payload=b"p", unique_for=600, retention=retention))
        eventually(lambda i=known.id: _lock_of(look, i) or worker.ends(i), "the lock, or the end of the task")
        worker.wait_end(known.id)
        eventually(lambda: not _locks(look), "the lock to be free")
    assert look.counters("default") == (3, 0)


@pytest.mark.parametrize("producer", SIDES)
@pytest.mark.parametrize("do", ["fail", "skip", "revoke"])
def test_other_outcomes_treat_the_lock_alike(
    producer: str, do: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """A task that is retried or archived by the other side keeps its lock; a revoked one frees it."""
    worker = start_worker(OTHER[producer], retry_delay=600)
    known = clients[producer].enqueue(Order(type="act", payload=program(do=do, error="e"), unique_for=600))
    worker.wait_end(known.id)
    expected = {"fail": "retry", "skip": "archived", "revoke": None}[do]
    look.wait(known.id, expected)
    assert bool(_locks(look)) == (do != "revoke")


@pytest.mark.parametrize("verb", ["delete", "delete_all"])
def test_go_frees_our_lock_when_it_deletes_the_task(
    verb: str, clients: dict[str, Enqueuer], peer: Peer, look: Look
) -> None:
    """Go's inspector finds the lock of our task by the field that we wrote."""
    known = clients["python"].enqueue(Order(unique_for=600, process_in=3600))
    arguments = {"id": known.id} if verb == "delete" else {"state": "scheduled"}
    peer.ask(verb, queue="default", **arguments)
    assert not _locks(look)
    clients["go"].enqueue(Order(unique_for=600))


def test_an_id_conflict_leaves_no_lock_behind(clients: dict[str, Enqueuer], look: Look) -> None:
    """Our client refuses a taken id without locking; Go's forgets its lock, which then keeps us out until it ends."""
    clients["go"].enqueue(Order(task_id="taken"))
    with pytest.raises(Conflict):
        clients["python"].enqueue(Order(task_id="taken", payload=b"p", unique_for=600))
    assert not _locks(look)
    clients["python"].enqueue(Order(payload=b"p", unique_for=600))

    with pytest.raises(Conflict):
        clients["go"].enqueue(Order(task_id="taken", payload=b"q", unique_for=600))
    with pytest.raises(Duplicate):
        clients["python"].enqueue(Order(payload=b"q", unique_for=600))


def _locks(look: Look) -> list[bytes]:
    return list(look.redis.scan_iter(match="asynq:[{]default[}]:unique:*"))


def _lock_of(look: Look, task_id: str) -> bool:
    return [task_id.encode()] == [look.redis.get(lock) for lock in _locks(look)]
