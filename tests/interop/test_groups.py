"""Groups that either side fills and either side aggregates; and sets that one side leaves and the other takes back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Enqueuer, Order, Worker
from .look import Look, eventually, key
from .pipes import Peer

AGGREGATING: dict[str, Any] = {"aggregate": True, "group_grace_period": 1, "queues": {"default": 1}}


def ended(*workers: Worker) -> Any:
    """The first task that was done by one of *workers*."""
    (event,) = eventually(lambda: [event for worker in workers for event in worker.ends()])
    return event


@pytest.mark.parametrize("aggregator", SIDES)
@pytest.mark.parametrize("consumer", SIDES)
def test_each_aggregates_what_both_grouped(
    aggregator: str, consumer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Tasks of both clients in one group become one task, oldest first; whoever runs it, nothing else is left."""
    for n in range(6):
        clients[SIDES[n % 2]].enqueue(Order(payload=f"{n}".encode(), task_id=f"{n}", group="g:1 ü"))
    workers = [start_worker(aggregator, **AGGREGATING, group_max_size=6)]
    if consumer != aggregator:
        workers.append(start_worker(consumer))
    event = ended(*workers)
    assert event.type == "aggregated:g:1 ü"
    assert sorted(event.payload.decode().split(",")) == [f"{n}" for n in range(6)]
    look.wait_empty()


@pytest.mark.parametrize("side", SIDES)
def test_tasks_of_a_group_come_in_their_order(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """By the second in which they joined, then by id; the function of each side gets them so."""
    for n in (3, 1, 2):
        clients[OTHER[side]].enqueue(Order(payload=b"%d" % n, task_id=f"{n}", group="g"))
    look.redis.zadd(key("default", "g:g"), {"1": 30, "2": 20, "3": 20})
    assert ended(start_worker(side, **AGGREGATING)).payload == b"2,3,1"
    look.wait_empty()


def test_go_sees_the_groups_of_ours(clients: dict[str, Enqueuer], peer: Peer, start_worker: StartWorker) -> None:
    """Its inspector lists them with their sizes while a Python server waits for them, and none when they are done."""
    for n in range(3):
        clients["python"].enqueue(Order(task_id=f"{n}", group="g"))
    clients["go"].enqueue(Order(task_id="other", group="h"))
    worker = start_worker("python", **AGGREGATING | {"group_grace_period": 3600, "group_max_size": 4})
    assert sorted((each["group"], each["size"]) for each in peer.ask("groups", queue="default")) == [("g", 3), ("h", 1)]
    info = peer.ask("queue_info", queue="default")
    assert (info["groups"], info["aggregating"], info["size"]) == (2, 4, 4)
    clients["go"].enqueue(Order(task_id="last", group="g"))
    ended(worker)
    assert peer.ask("groups", queue="default") == [{"group": "h", "size": 1}]
    assert peer.ask("everything")["errors"] == []


@pytest.mark.parametrize("aggregator", SIDES)
def test_both_sides_aggregate_beside_each_other(
    aggregator: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Servers of both sides with aggregate functions: each task is in one aggregated task, and in one only."""
    workers = [start_worker(side, **AGGREGATING, group_max_size=5) for side in SIDES]
    for n in range(60):
        clients[aggregator].enqueue(Order(payload=b"%d" % n, group=f"g{n % 3}"))
    eventually(lambda: sum(len(event.payload.split(b",")) for worker in workers for event in worker.ends()) >= 60)
    look.wait_empty()
    numbers = [int(n) for worker in workers for event in worker.ends() for n in event.payload.split(b",")]
    assert sorted(numbers) == list(range(60))


def left_by(side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """A stale set of two tasks, made by a server of *side* that was killed while it aggregated."""
    for n in range(2):
        clients[side].enqueue(Order(payload=b"%d" % n, task_id=f"{n}", group="g"))
    dying = start_worker(side, hold_aggregate=True, group_grace_period=1, queues={"default": 1})
    eventually(lambda: look.redis.zcard(key("default", "aggregation_sets")) == 1)
    dying.kill()
    [set_key] = look.redis.zrange(key("default", "aggregation_sets"), 0, -1)
    assert look.redis.zcard(set_key) == 2
    look.redis.zadd(key("default", "aggregation_sets"), {set_key: int(time.time()) - 1})


def test_ours_reclaims_what_go_left(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """The tasks of a Go server that died while it aggregated are aggregated by a Python server, by itself."""
    left_by("go", clients, start_worker, look)
    assert ended(start_worker("python", **AGGREGATING)).payload == b"0,1"
    look.wait_empty()


def test_go_reclaims_what_ours_left(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """A set that a Python server made is one that Go knows; Go finds its tasks when another joins the group."""
    left_by("python", clients, start_worker, look)
    go = start_worker("go", **AGGREGATING)
    eventually(lambda: not look.redis.exists(key("default", "aggregation_sets")))
    assert look.redis.zrange(key("default", "g:g"), 0, -1) == [b"0", b"1"]
    clients["python"].enqueue(Order(payload=b"2", task_id="2", group="g"))
    assert ended(go).payload == b"0,1,2"
    look.wait_empty()


def test_a_python_server_finds_what_go_reclaims_and_forgets(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """One without an aggregate function beside Go: it lists the group again, and Go aggregates it."""
    left_by("go", clients, start_worker, look)
    [set_key] = look.redis.zrange(key("default", "aggregation_sets"), 0, -1)
    look.redis.zadd(key("default", "aggregation_sets"), {set_key: int(time.time()) + 3600})
    with look.redis.monitor() as monitor:
        start_worker("python")
        next(
            each
            for each in monitor.listen()
            if each["command"].startswith(f"ZRANGE {key('default', 'aggregation_sets')}")
        )
    look.redis.pipeline(transaction=True).rename(set_key, key("default", "g:g")).zrem(
        key("default", "aggregation_sets"), set_key
    ).execute()
    go = start_worker("go", **AGGREGATING)
    eventually(lambda: look.state("default", "0") is None, seconds=30)
    assert [event.payload for event in go.ends()] in ([], [b"0,1"])
    look.wait_empty()


@pytest.mark.parametrize("side", SIDES)
def test_locks_of_aggregated_tasks(
    side: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Ours releases those of both clients' tasks; Go keeps them."""
    for n, client in enumerate(SIDES):
        clients[client].enqueue(Order(payload=b"%d" % n, group="g", unique_for=600))
    ended(start_worker(side, **AGGREGATING))
    look.wait("0", None)
    assert len(look.redis.keys("asynq:{default}:unique:*")) == (2 if side == "go" else 0)
