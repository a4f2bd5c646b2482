"""The command line beside Go's inspector on one Redis: the same numbers and the same tasks in every listing.

asynq's own command is a module of its own that the module proxy does not have; all that it prints comes from this
inspector.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from asynqpy.cli.app import main

from . import look as looking
from .conftest import StartWorker
from .ends import SIDES, Duplicate, Enqueuer, Order
from .ends import program as steps
from .look import Look, eventually, key
from .pipes import LineProcess, Peer

Ask = Callable[..., str]

QUEUES = ("default", "очередь {1} *")
STATES = ("active", "pending", "aggregating", "scheduled", "retry", "archived", "completed")
PAYLOADS = (b'{"n": 1}', b"\x00\xff", b"", "ünï\n".encode())


@pytest.fixture
def ask(redis_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What a command of ours prints."""
    monkeypatch.setenv("ASYNQPY_REDIS_URL", redis_url)

    def call(*arguments: str) -> str:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        assert (code, err) == (0, "")
        return out

    return call


@pytest.fixture
def everywhere(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> list[str]:
    """Tasks of all states in two queues, half of them from either side, finished by a worker of either side."""
    ids = []
    for queue, side in zip(QUEUES, SIDES, strict=True):
        start_worker(side, queues={queue: 3}, concurrency=20, retry_delay=3600)
        for n, payload in enumerate(PAYLOADS):
            client = clients[SIDES[n % 2]]
            common: dict[str, Any] = {"queue": queue, "headers": {"k": "v"}}
            orders = {
                "scheduled": Order(**common, payload=payload, process_in=3600, unique_for=600),
                "aggregating": Order(**common, payload=payload, group=f"group {n % 2}"),
                "completed": Order(**common, payload=payload, type="echo", retention=3600),
                "retry": Order(**common, type="act", payload=steps(do="fail", error=f"boom {n}")),
                "archived": Order(**common, type="act", payload=steps(do="skip", error=f"gone {n}")),
            }
            if n < 2:
                orders["active"] = Order(**common, type="act", payload=steps(hold=True))
            for state, order in orders.items():
                known = client.enqueue(Order(**{**vars(order), "task_id": f"{state} {n}"}))
                look.wait(known.id, state, queue=queue)
        look.redis.set(key(queue, "paused"), 1)
        for n, payload in enumerate(PAYLOADS):
            known = clients[SIDES[n % 2]].enqueue(Order(queue=queue, payload=payload, task_id=f"pending {n}"))
            ids.append(known.id)
    return ids


def table(text: str) -> list[list[str]]:
    """The cells of a table that was printed into a pipe."""
    head, dashes, *rows = text.splitlines()
    starts, at = [], 0
    for dash in dashes.split():
        at = dashes.index(dash, at)
        starts.append(at)
        at += len(dash)
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in (head, *rows)]


def test_the_same_numbers_and_the_same_tasks(everywhere: list[str], peer: Peer, ask: Ask) -> None:
    """Queues, counts of each state, today's counters, tasks in their order, groups, servers and what they run."""
    go = eventually(lambda: _settled(peer))
    assert ask("queue", "ls").splitlines() == sorted(go["queues"])
    stats = json.loads(ask("stats", "--json"))
    assert (
        stats["aggregate"].items()
        >= {
            state: sum(info[state] for info in go["queues"].values()) for state in (*STATES, "processed", "failed")
        }.items()
    )
    ours = {queue["name"]: queue for queue in json.loads(ask("queue", "inspect", *QUEUES, "--json"))["queues"]}
    for queue in QUEUES:
        counted = (*STATES, "size", "groups", "processed", "failed", "processed_total", "failed_total", "paused")
        assert {name: ours[queue][name] for name in counted} == {name: go["queues"][queue][name] for name in counted}
        assert ours[queue]["latency_seconds"] == pytest.approx(go["queues"][queue]["latency"], abs=20)
        assert 0.5 < ours[queue]["memory_bytes"] / go["queues"][queue]["memory_usage"] < 2
        groups = json.loads(ask("group", "ls", "-q", queue, "--json"))["groups"]
        assert {group["name"]: group["size"] for group in groups} == {
            group["group"]: group["size"] for group in go["groups"][queue]
        }
        for state in STATES:
            _compare_tasks(ask, queue, state, go["tasks"][queue][state])
    _compare_servers(ask, go["servers"])


def _settled(peer: Peer) -> dict[str, Any] | None:
    """Everything that Go sees, once the heartbeats have told of the tasks that run."""
    go: dict[str, Any] = peer.ask("everything")
    assert go["errors"] == []
    return go if sum(len(server["workers"]) for server in go["servers"]) == 2 * len(QUEUES) else None


def _compare_tasks(ask: Ask, queue: str, state: str, theirs: list[dict[str, Any]]) -> None:
    """A listing of one state, as JSON and as text."""
    if state == "aggregating":
        listed = []
        for group in ask("group", "ls", "-q", queue).splitlines():
            page = json.loads(ask("task", "ls", "-q", queue, "-s", state, "-g", group, "--size", "100", "--json"))
            listed += page["tasks"]
        assert sorted(task["id"] for task in listed) == sorted(task["id"] for task in theirs)
    else:
        listed = json.loads(ask("task", "ls", "-q", queue, "-s", state, "--size", "100", "--json"))["tasks"]
        assert [task["id"] for task in listed] == [task["id"] for task in theirs]
        head, *rows = table(ask("task", "ls", "-q", queue, "-s", state, "--size", "100"))
        assert head[:3] == ["ID", "Type", "Payload"]
        assert [row[:2] for row in rows] == [[task["id"], task["type"]] for task in theirs]
    by_id = {task["id"]: task for task in listed}
    for task in theirs:
        ours = by_id[task["id"]]
        assert (ours["type"], ours["state"], ours["queue"]) == (task["type"], state, queue)
        assert (ours["retried"], ours["max_retry"]) == (task["retried"], task["max_retry"])
        assert (ours["last_error"] or "") == task["last_error"]
        assert (ours["group"] or "") == task["group"]
        assert ours["headers"] == (task["headers"] or {})


def _compare_servers(ask: Ask, theirs: list[dict[str, Any]]) -> None:
    ours = {server["id"]: server for server in json.loads(ask("server", "ls", "--json"))["servers"]}
    assert set(ours) == {server["id"] for server in theirs}
    for server in theirs:
        found = ours[server["id"]]
        for name in ("host", "pid", "concurrency", "queues", "status"):
            assert found[name] == server[name]
        assert {worker["task_id"] for worker in found["workers"]} == {worker["task_id"] for worker in server["workers"]}
    rows = table(ask("server", "ls"))[1:]
    assert sorted(int(row[1]) for row in rows) == sorted(server["pid"] for server in theirs)
    assert {row[3] for row in rows} == {"2/20"}


def test_the_same_history(everywhere: list[str], peer: Peer, ask: Ask) -> None:
    """Day for day."""
    for queue in QUEUES:
        theirs = peer.ask("history", queue=queue, days=7)
        (ours,) = json.loads(ask("queue", "history", queue, "--days", "7", "--json"))["histories"]
        assert [(day["date"], day["processed"], day["failed"]) for day in ours["days"]] == [
            (day["day"], day["processed"], day["failed"]) for day in theirs
        ]


def test_the_same_schedule(program: Any, redis_url: str, peer: Peer, ask: Ask) -> None:
    """The entries of a Go scheduler, and what they have enqueued."""
    entry = {"type": "record", "payload": "e30=", "queue": "low", "max_retry": 3}
    config = {"entries": [{"spec": "@every 1s", "task": entry}]}
    url = looking.go_url(redis_url)
    scheduler = LineProcess(str(program), "scheduler", "-redis", url, "-config", json.dumps(config))
    try:
        entry_id = scheduler.next_line()["entry"]
        (theirs,) = eventually(lambda: peer.ask("scheduler_entries"))
        events = eventually(lambda: peer.ask("enqueue_events", id=entry_id))
        (ours,) = json.loads(ask("cron", "ls", "--json"))["entries"]
        assert (ours["id"], ours["spec"], ours["task_type"]) == (theirs["id"], theirs["spec"], theirs["type"])
        assert ours["options"] == theirs["options"]
        assert table(ask("cron", "ls"))[1][0] == entry_id
        (history,) = json.loads(ask("cron", "history", entry_id, "--json"))["histories"]
        assert {event["task_id"] for event in events} <= {event["task_id"] for event in history["events"]}
    finally:
        scheduler.end()


@pytest.mark.parametrize("state", ["scheduled", "retry", "archived", "completed"])
def test_our_command_runs_gos_task_and_go_sees_it(
    state: str, bring: Callable[..., str], peer: Peer, ask: Ask, look: Look
) -> None:
    """From any waiting state that a Go client and a Go worker have brought it to."""
    task_id = bring(state, producer="go", worker="go")
    look.redis.set(key("default", "paused"), 1)
    ask("task", "run", task_id, "-q", "default")
    assert [task["id"] for task in peer.ask("list", queue="default", state="pending")] == [task_id]


def test_gos_tasks_move_to_another_queue(clients: dict[str, Enqueuer], peer: Peer, ask: Ask) -> None:
    """Go's inspector reads them there as its own, and their locks are those of the other queue."""
    for n in range(3):
        clients["go"].enqueue(Order(task_id=f"t{n}", payload=b"%d" % n, process_in=3600, unique_for=600))
    ask("queue", "move", "default", "other")
    everything = peer.ask("everything")
    assert everything["errors"] == []
    assert {task["id"] for task in everything["tasks"]["other"]["scheduled"]} == {"t0", "t1", "t2"}
    assert {task["queue"] for task in everything["tasks"]["other"]["scheduled"]} == {"other"}
    assert everything["queues"]["default"]["size"] == 0
    with pytest.raises(Duplicate):
        clients["go"].enqueue(Order(queue="other", payload=b"1", unique_for=600))
    clients["go"].enqueue(Order(payload=b"1", unique_for=600))
