"""Tasks for later: never early on either side, in order, forwarded by whoever is there; and Go's scheduler."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asynqpy import Scheduler, Task

from . import look as looking
from .conftest import StartWorker
from .ends import OTHER, SIDES, Enqueuer, Order, program
from .look import Look, eventually, key
from .pipes import LineProcess, Peer


@pytest.mark.parametrize("worker", SIDES)
@pytest.mark.parametrize("producer", SIDES)
def test_a_scheduled_task_is_never_early(
    producer: str, worker: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """No task starts before the moment asked for, to the fraction if our client asked; Go's client drops fractions."""
    runner = start_worker(worker)
    asked = datetime.now(UTC) + timedelta(seconds=1)
    moments = {f"{n}": asked + timedelta(milliseconds=137 * n) for n in range(15)}
    for task_id, moment in moments.items():
        known = clients[producer].enqueue(Order(task_id=task_id, process_at=moment))
        assert known.next_process_at is not None
        assert moment <= known.next_process_at < moment + timedelta(milliseconds=1)
    for task_id, moment in moments.items():
        earliest = moment if producer == "python" else moment.replace(microsecond=0)
        assert runner.wait_start(task_id).now >= earliest
        runner.wait_end(task_id)
    look.wait_empty()


@pytest.mark.parametrize("producer", SIDES)
def test_due_tasks_are_run_in_order_by_the_other_side(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker
) -> None:
    """Tasks that fell due while nobody was there run in the order of their moments, and before later enqueued ones."""
    worker = OTHER[producer]
    base = datetime.now(UTC).replace(microsecond=0)
    clients[producer].enqueue_many(
        Order(task_id=f"{n:03}", process_at=base + timedelta(seconds=2 + n % 3)) for n in range(30)
    )
    clients[producer].enqueue(Order(task_id="marker", process_at=base + timedelta(seconds=5)))
    eventually(lambda: datetime.now(UTC) > base + timedelta(seconds=6))
    runner = start_worker(worker, concurrency=1)
    runner.wait_end("marker")
    seconds = [int(event.id) % 3 for event in runner.starts() if event.id != "marker"]
    assert seconds == sorted(seconds)
    assert len(seconds) == 30
    assert runner.starts()[-1].id == "marker"


@pytest.mark.parametrize("producer", SIDES)
def test_go_runs_a_scheduled_task_now(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer
) -> None:
    """Go's inspector may send a scheduled task ahead; a Python worker wakes for it although nothing was due."""
    worker = start_worker("python")
    clients[producer].enqueue(Order(task_id="a", process_in=3600))
    peer.ask("run", queue="default", id="a")
    worker.wait_end("a")


def test_the_tasks_of_gos_scheduler_reach_python(
    program: Path, redis_url: str, start_worker: StartWorker, peer: Peer
) -> None:
    """A Go scheduler's periodic tasks run on a Python worker, options and headers included."""
    entry = {"type": "record", "queue": "low", "max_retry": 3, "retention": 60, "headers": {"a": "b"}}
    config = {"entries": [{"spec": "@every 1s", "task": entry}]}
    worker = start_worker("python", queues={"low": 1})
    url = looking.go_url(redis_url)
    scheduler = LineProcess(str(program), "scheduler", "-redis", url, "-config", json.dumps(config))
    try:
        entry_id = scheduler.next_line()["entry"]
        eventually(lambda: len(worker.ends()) >= 2)
        seen = worker.starts()[0]
        assert (seen.type, seen.queue, seen.max_retry, seen.headers) == ("record", "low", 3, {"a": "b"})
        assert eventually(lambda: peer.ask("scheduler_entries"))[0]["id"] == entry_id
        events = eventually(lambda: peer.ask("enqueue_events", id=entry_id))
        assert {event["task_id"] for event in events} & {event.id for event in worker.starts()}
    finally:
        scheduler.end()


def test_a_scheduled_task_of_a_group_joins_it(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """Our client keeps the group of a scheduled task: when due it joins the group, and the group is listed for Go."""
    clients["python"].enqueue(Order(task_id="a", group="g", process_in=1))
    start_worker("python")
    look.wait("a", "aggregating")
    assert look.score("default", "g:g", "a") is not None
    assert peer.ask("groups", queue="default") == [{"group": "g", "size": 1}]
    assert look.redis.smembers(key("default", "groups")) == {b"g"}


def test_a_retry_below_a_second_is_no_riddle_to_go(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """Go sees the whole second after the exact moment, at most a second later, and is not early; our index empties."""
    python = start_worker("python", retry_delay=2.25)
    clients["go"].enqueue(Order(type="act", task_id="a", payload=program(python={"do": "fail", "error": "x"})))
    look.wait("a", "retry")
    python.terminate()
    exact = look.score("default", "py:due", "a")
    score = look.score("default", "retry", "a")
    assert exact is not None
    assert score is not None
    assert score == int(score)
    assert 0 <= score - exact / 1000 < 1
    (listed,) = peer.ask("list", queue="default", state="retry")
    assert listed["next_process_at_ns"] == score * 1e9
    go = start_worker("go")
    assert go.wait_start("a").now.timestamp() >= exact / 1000
    look.wait("a", None)
    start_worker("python")
    eventually(lambda: look.score("default", "py:due", "a") is None)


def test_a_retry_of_go_is_not_early_here(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """Go notes whole seconds, cut off; that second is what a Python server waits for."""
    go = start_worker("go", retry_delay=2)
    clients["python"].enqueue(Order(type="act", task_id="a", payload=program(go={"do": "fail", "error": "x"})))
    look.wait("a", "retry")
    go.terminate()
    score = look.score("default", "retry", "a")
    assert score is not None
    python = start_worker("python")
    assert python.wait_start("a").now.timestamp() >= score


def test_gos_inspector_shows_our_entries(redis_url: str, peer: Peer, look: Look) -> None:
    """Spec, task, options, the last and the next tick, and the history; never is Go's zero."""
    never = Task("never", b"\xff\x00")
    headers = {"ключ": "a(b)c", "<k>": '"&"'}

    async def scenario() -> None:
        scheduler = Scheduler(redis_url, heartbeat_interval=1)
        entry = scheduler.register(
            "@every 1s",
            Task("tick", {"n": 1}, max_retry=9),
            queue="a)b",
            max_retry=3,
            timeout=90,
            deadline=datetime(2100, 2, 4, 21, 0, 57, tzinfo=UTC),
            process_in=0.25,
            retention=timedelta(days=1),
            unique_for=1,
            headers=headers,
        )
        rare = scheduler.register("TZ=Asia/Tokyo 0 0 29 2 *", never, group="g", task_id="mine")
        empty = scheduler.register("0 0 31 2 *", never)
        async with scheduler.running():
            shown = await asyncio.to_thread(
                _entries_once, peer, lambda found: found.get(entry, {}).get("prev_ns", 0) > 0
            )
        assert shown.keys() == {entry, rare, empty}
        tick, far, nowhere = shown[entry], shown[rare], shown[empty]
        assert (tick["spec"], tick["type"], tick["payload"]) == ("@every 1s", "tick", _base64(b'{"n":1}'))
        assert tick["options"] == [
            'Queue("a)b")',
            "MaxRetry(3)",
            "Timeout(1m30s)",
            "Deadline(Thu Feb  4 21:00:57 UTC 2100)",
            "ProcessIn(250ms)",
            "Retention(24h0m0s)",
            "Unique(1s)",
        ]  # this version knows no header options, and leaves them out
        assert tick["next_ns"] % 10**9 == tick["prev_ns"] % 10**9 == 0
        assert tick["next_ns"] > tick["prev_ns"] > 1.7e18
        assert (far["payload"], far["options"], far["prev_ns"]) == (_base64(b"\xff\x00"), [], 0)
        assert datetime.fromtimestamp(far["next_ns"] / 1e9, UTC).strftime("%m-%d %H:%M") == "02-28 15:00"
        assert (nowhere["next_ns"], nowhere["prev_ns"]) == (0, 0)
        events = await asyncio.to_thread(peer.ask, "enqueue_events", id=entry)
        assert all(event["task_id"].startswith(f"{entry}:") for event in events)
        assert events == sorted(events, key=lambda event: -event["enqueued_at_ns"])
        assert (await asyncio.to_thread(peer.ask, "everything"))["errors"] == []

    asyncio.run(scenario())
    assert peer.ask("scheduler_entries") == []


def _entries_once(peer: Peer, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What Go's inspector shows of schedulers, by id, as soon as *condition* holds."""

    def found() -> dict[str, Any]:
        shown = {entry["id"]: entry for entry in peer.ask("scheduler_entries")}
        return shown if condition(shown) else {}

    return eventually(found, "the entries to be shown")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_schedulers_of_both_sides_side_by_side(
    program: Path, redis_url: str, start_worker: StartWorker, peer: Peer, look: Look
) -> None:
    """Each enqueues its own entries, a Go worker runs them, and Go's inspector shows both."""
    entry = {"type": "record", "queue": "low"}
    config = {"entries": [{"spec": "@every 1s", "task": {**entry, "payload": _base64(b"go")}}]}
    worker = start_worker("go", queues={"low": 1})
    url = looking.go_url(redis_url)
    go = LineProcess(str(program), "scheduler", "-redis", url, "-config", json.dumps(config))

    async def scenario() -> None:
        scheduler = Scheduler(redis_url, heartbeat_interval=1)
        ours = scheduler.register("@every 1s", Task("record", b"python"), queue="low")
        async with scheduler.running():
            theirs = (await asyncio.to_thread(go.next_line))["entry"]
            await asyncio.to_thread(_entries_once, peer, lambda found: found.keys() == {ours, theirs})

            def both_ran() -> bool:
                payloads = [seen.payload for seen in worker.starts()]
                return min(payloads.count(b"go"), payloads.count(b"python")) >= 3

            await asyncio.to_thread(eventually, both_ran)
        ticks = sorted(int(seen.id.rpartition(":")[2]) for seen in worker.starts() if seen.payload == b"python")
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        events = peer.ask("enqueue_events", id=ours)
        assert {event["task_id"] for event in events} >= {f"{ours}:{tick}" for tick in ticks[:-1]}

    try:
        asyncio.run(scenario())
    finally:
        go.end()
