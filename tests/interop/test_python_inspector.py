"""Our inspector over what Go wrote, and beside Go's: it sees the same, its verbs work, and Go goes on with the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asynqpy import Inspector, QueueNotEmptyError, TaskState, TaskStateError

from .conftest import StartWorker
from .ends import Enqueuer, Known, Order, moment
from .look import Look, eventually, go_url, key
from .pipes import LineProcess, Peer, PeerError

Bring = Callable[..., str]
STATES = ("pending", "active", "scheduled", "retry", "archived", "completed", "aggregating")
WAITING = tuple(state for state in STATES if state != "active")


@pytest.fixture
def inspector(redis_url: str) -> Iterator[Inspector]:
    """Ours."""
    with Inspector(redis_url) as inspector:
        yield inspector


def group_of(state: str) -> dict[str, str]:
    return {"group": "g"} if state == "aggregating" else {}


def bring_all(bring: Bring, look: Look, side: str, each: int = 3) -> None:
    """Tasks of one side in every state."""
    for state in ("active", "retry", "archived", "completed", "scheduled", "aggregating", "pending"):
        for n in range(each):
            bring(state, producer=side, worker=side, headers={"a": "b"}, task_id=f"{state} {n}")


@pytest.mark.parametrize("side", ["go", "python"])
class TestTheSameIsSeen:
    """Two inspectors of one database agree, whoever filled it."""

    def test_numbers(self, side: str, bring: Bring, look: Look, peer: Peer, inspector: Inspector) -> None:
        """Every number of a queue, memory included; its groups, and its days."""
        bring_all(bring, look, side)
        theirs, ours = peer.ask("queue_info", queue="default"), inspector.queue_info("default")
        for name, value in theirs.items():
            if name not in ("latency", "memory_usage"):
                assert getattr(ours, name) == value, name
        assert ours.latency.total_seconds() == pytest.approx(theirs["latency"], abs=20)
        assert ours.memory_usage == pytest.approx(theirs["memory_usage"], rel=0.1)  # leases and results come and go
        assert [(group.group, group.size) for group in inspector.groups("default")] == [
            (group["group"], group["size"]) for group in peer.ask("groups", queue="default")
        ]
        days = peer.ask("history", queue="default", days=3)
        assert [(day.day.isoformat(), day.processed, day.failed) for day in inspector.history("default", 3)] == [
            (day["day"], day["processed"], day["failed"]) for day in days
        ]
        assert inspector.queues() == peer.ask("queues")

    def test_tasks(self, side: str, bring: Bring, look: Look, peer: Peer, inspector: Inspector) -> None:
        """Pages, and tasks by their ids; only the moments of exact due times are finer with us."""
        bring_all(bring, look, side)
        for state in STATES:
            ours = inspector.list_tasks("default", state, **group_of(state))
            theirs = peer.ask("list", queue="default", state=state, **group_of(state))
            assert [rough(Known.from_python(info)) for info in ours] == [rough(Known.from_go(each)) for each in theirs]
            second = inspector.list_tasks("default", state, page=2, page_size=2, **group_of(state))
            asked = peer.ask("list", queue="default", state=state, page=2, page_size=2, **group_of(state))
            assert [info.id for info in second] == [each["id"] for each in asked]
            for info in ours:
                alone = peer.ask("task_info", queue="default", id=info.id)
                found = inspector.task_info("default", info.id)
                assert rough(Known.from_python(found)) == rough(Known.from_go(alone))
        assert {info.id for info in inspector.find_tasks(type="act")} == {
            f"{state} {n}" for state in ("active", "retry", "archived") for n in range(3)
        }
        assert inspector.recover_orphans("default").is_clean

    def test_servers(self, side: str, bring: Bring, look: Look, peer: Peer, inspector: Inspector) -> None:
        """With what they run."""
        task_id = bring("active", producer=side, worker=side)

        def shown() -> list[dict[str, Any]]:
            return [server for server in peer.ask("servers") if server["workers"]]

        (theirs,) = eventually(shown, "the worker to report what it runs")
        (ours,) = inspector.servers()
        assert (ours.id, ours.host, ours.pid, ours.concurrency) == (
            theirs["id"], theirs["host"], theirs["pid"], theirs["concurrency"],
        )  # fmt: skip
        assert (ours.queues, ours.strict_priority, ours.status) == (
            theirs["queues"], theirs["strict_priority"], theirs["status"],
        )  # fmt: skip
        assert ours.started == moment(theirs["started_ns"])
        (running,), (busy,) = ours.active_workers, theirs["workers"]
        assert (running.task_id, running.task_type, running.queue) == (task_id, busy["type"], busy["queue"])
        assert (running.started, running.deadline) == (moment(busy["started_ns"]), moment(busy["deadline_ns"]))


def rough(known: Known) -> Known:
    """Without what is finer with us, or passes while two inspectors are asked."""
    due = known.next_process_at
    if known.state == "pending":
        due = None
    elif due is not None and due.microsecond:
        due = due.replace(microsecond=0) + timedelta(seconds=1)
    return replace(known, next_process_at=due)


class TestVerbsOnTasksOfGo:
    """What a Go client or worker wrote obeys our inspector, and Go goes on with it."""

    @pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "completed", "aggregating"])
    def test_run(self, state: str, bring: Bring, peer: Peer, look: Look, inspector: Inspector) -> None:
        """Back to pending, with a moment from which Go counts its latency."""
        task_id = bring(state, producer="go", worker="go")
        look.redis.set(key("default", "paused"), 1)
        inspector.run_task("default", task_id)
        (listed,) = peer.ask("list", queue="default", state="pending")
        assert listed["id"] == task_id
        info = peer.ask("queue_info", queue="default")
        assert (info["size"], info["groups"]) == (1, 0)
        assert 0 < info["latency"] < 60

    def test_a_task_that_was_run_reaches_a_go_worker(
        self, clients: dict[str, Enqueuer], start_worker: StartWorker, inspector: Inspector
    ) -> None:
        """With the payload that it was given meanwhile, under a new lock."""
        worker = start_worker("go")
        clients["go"].enqueue(Order(task_id="a", payload=b"old", headers={"a": "b"}, process_in=3600, unique_for=600))
        inspector.update_payload("default", "a", b"new")
        inspector.run_task("default", "a")
        seen = worker.wait_end("a")
        assert (seen.payload, seen.headers) == (b"new", {"a": "b"})

    @pytest.mark.parametrize("state", ["pending", "scheduled", "retry", "completed", "aggregating"])
    def test_archive(self, state: str, bring: Bring, peer: Peer, inspector: Inspector) -> None:
        """Shown by Go as archived, and nowhere else."""
        task_id = bring(state, producer="go", worker="go")
        inspector.archive_task("default", task_id)
        (listed,) = peer.ask("list", queue="default", state="archived")
        info = peer.ask("queue_info", queue="default")
        assert (listed["id"], info["size"], info["archived"], info["groups"]) == (task_id, 1, 1, 0)

    @pytest.mark.parametrize("state", WAITING)
    def test_delete(self, state: str, bring: Bring, look: Look, inspector: Inspector) -> None:
        """Nothing is left, not even the lock, which Go notes elsewhere for grouped tasks."""
        task_id = bring(state, producer="go", worker="go", unique_for=600)
        inspector.delete_task("default", task_id)
        assert set(look.leftovers("default")) <= {key("default", "paused")}

    @pytest.mark.parametrize("verb", ["run_task", "archive_task", "delete_task"])
    def test_active_ones_are_refused(self, verb: str, bring: Bring, look: Look, inspector: Inspector) -> None:
        """A task that Go runs is Go's."""
        task_id = bring("active", producer="python", worker="go")
        with pytest.raises(TaskStateError, match="active"):
            getattr(inspector, verb)("default", task_id)
        assert look.state("default", task_id) == "active"

    def test_cancel(self, bring: Bring, look: Look, inspector: Inspector) -> None:
        """A Go worker hears it."""
        task_id = bring("active", producer="python", worker="go")
        inspector.cancel_task(task_id)
        look.wait(task_id, "retry", "archived")
        assert inspector.task_info("default", task_id).last_error == "context canceled"

    @pytest.mark.parametrize(
        ("verb", "state"),
        [
            *(("run_all", state) for state in ("scheduled", "retry", "archived", "aggregating")),
            *(("archive_all", state) for state in ("pending", "scheduled", "retry", "aggregating")),
            *(("delete_all", state) for state in WAITING),
        ],
    )
    def test_all(self, verb: str, state: str, bring: Bring, peer: Peer, look: Look, inspector: Inspector) -> None:
        """Every task that Go brought there; Go reads all of the queue without an error afterwards."""
        for n in range(3):
            payload = {} if state in ("retry", "archived") else {"payload": b"%d" % n, "unique_for": 600}
            bring(state, producer="go", worker="go", **payload)
        look.redis.set(key("default", "paused"), 1)
        assert getattr(inspector, verb)("default", state, **group_of(state)) == 3
        everything = peer.ask("everything")
        assert everything["errors"] == []
        target = {"run_all": "pending", "archive_all": "archived"}.get(verb)
        sizes = {name: len(listed) for name, listed in everything["tasks"]["default"].items() if listed}
        assert sizes == ({target: 3} if target else {})
        assert inspector.recover_orphans("default").is_clean

    def test_enqueue_again(
        self, bring: Bring, clients: dict[str, Enqueuer], start_worker: StartWorker, peer: Peer, inspector: Inspector
    ) -> None:
        """A copy of what Go completed is an ordinary task to Go."""
        task_id = bring("completed", producer="go", worker="go", headers={"a": "b"})
        copy = inspector.enqueue_again("default", task_id, b"other")

        def result() -> bytes | None:
            return Known.from_go(peer.ask("task_info", queue="default", id=copy.id)).result

        assert eventually(result) == b"other"


class TestQueues:
    """Pausing and deleting."""

    def test_pause(self, clients: dict[str, Enqueuer], peer: Peer, inspector: Inspector) -> None:
        """Go sees it, and the other way round."""
        clients["go"].enqueue(Order())
        assert inspector.pause_queue("default")
        assert peer.ask("queue_info", queue="default")["paused"]
        with pytest.raises(PeerError, match="already paused"):
            peer.ask("pause", queue="default")
        peer.ask("unpause", queue="default")
        assert not inspector.queue_info("default").paused
        assert not inspector.unpause_queue("default")

    def test_delete(self, bring: Bring, peer: Peer, look: Look, inspector: Inspector) -> None:
        """Nothing of what Go wrote is left, counters included, which Go itself would leave."""
        for state in ("retry", "archived", "completed", "scheduled", "aggregating", "pending"):
            bring(state, producer="go", worker="go", **({"unique_for": 600} if state == "scheduled" else {}))
        with pytest.raises(QueueNotEmptyError) as refused:
            inspector.delete_queue("default")
        assert refused.value.counts == {
            "pending": 1, "scheduled": 1, "retry": 1, "archived": 1, "aggregating": 1,
        }  # fmt: skip
        inspector.delete_queue("default", force=True)
        assert peer.ask("queues") == []
        assert look.snapshot("default") == {}


class TestWhatGoBreaks:
    """Leftovers of asynq's own weaknesses are found and mended."""

    def test_trimmed_tasks(self, bring: Bring, look: Look, peer: Peer, inspector: Inspector) -> None:
        """Go's inspector trims the archive, but leaves the hashes, whose ids then conflict for ever."""
        old = bring("archived", producer="go", worker="go")
        look.redis.zadd(key("default", "archived"), {old: 1})
        new = bring("scheduled", producer="go", worker="go")
        peer.ask("archive", queue="default", id=new)
        report = inspector.recover_orphans("default", repair=True)
        assert [(orphan.name, orphan.state) for orphan in report.orphans] == [(old, "archived")]
        assert {info.id for info in inspector.iter_tasks("default", TaskState.ARCHIVED)} == {old, new}

    def test_a_removed_queue(self, bring: Bring, look: Look, peer: Peer, inspector: Inspector) -> None:
        """Go's inspector leaves completed tasks and groups behind, in a queue that nobody lists any more."""
        bring("completed", producer="go", worker="go")
        bring("aggregating", producer="go", worker="go")
        peer.ask("delete_queue", queue="default", force=True)
        assert inspector.queues() == []
        report = inspector.recover_orphans("default", repair=True)
        assert report.counts == {"unlisted_queue": 1}
        info = inspector.queue_info("default")
        assert (info.completed, info.aggregating) == (1, 1)
        inspector.delete_queue("default", force=True)
        assert look.snapshot("default") == {}


def test_the_entries_of_gos_scheduler(
    clients: dict[str, Enqueuer], program: Path, redis_url: str, peer: Peer, inspector: Inspector
) -> None:
    """With their options, and what they have enqueued."""
    options = {"queue": "low", "max_retry": 3, "retention": 60, "unique_for": 90, "timeout": 30}
    config = {"entries": [{"spec": "@every 1s", "task": {"type": "t", "payload": "cGF5bG9hZA==", **options}}]}
    url = go_url(redis_url)
    scheduler = LineProcess(str(program), "scheduler", "-redis", url, "-config", json.dumps(config))
    try:
        entry_id = scheduler.next_line()["entry"]
        events = eventually(lambda: inspector.scheduler_events(entry_id), "the scheduler to enqueue")
        (entry,) = eventually(inspector.scheduler_entries, "the scheduler to report itself")
        (theirs,) = peer.ask("scheduler_entries")
        listed = peer.ask("enqueue_events", id=entry_id)
    finally:
        scheduler.end()
    assert (entry.id, entry.spec, entry.task_type, entry.task_payload) == (entry_id, "@every 1s", "t", b"payload")
    assert sorted(entry.option_texts) == sorted(theirs["options"])
    assert entry.options == {
        "queue": "low",
        "max_retry": 3,
        "retention": timedelta(minutes=1),
        "unique_for": timedelta(seconds=90),
        "timeout": timedelta(seconds=30),
    }
    assert entry.next_enqueue_at is not None
    assert abs(entry.next_enqueue_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert events[-1].task_id in {event["task_id"] for event in listed}
