"""The Lua files: their contracts, and what the flows hand to them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, NamedTuple

import pytest

from asynqpy._broker import dequeue, due, finish, groups, leases, limits, presence, rollups, scripts, ticks
from asynqpy._broker.dequeue import Held
from asynqpy._broker.enqueue import NewTask, Registry, enqueue, enqueue_many
from asynqpy._broker.finish import Archive, Complete, Delay, Done, DoneUnique, HandOn, Requeue, Retry
from asynqpy._broker.flow import Batch, Call, Flow, Script
from asynqpy._broker.inspect import consumers
from asynqpy._broker.turn import turn
from asynqpy._wire import keys
from asynqpy._wire.records import SchedulerEntry, ServerInfo, TaskMessage, WorkerInfo
from asynqpy.task import TaskState

from .by_hand import first
from .inspect_contracts import ROWS as INSPECTION
from .transfer_contracts import ROWS as TRANSFER

LUA = files("asynqpy._broker") / "lua"
FILES = sorted(file.name.removesuffix(".lua") for file in LUA.iterdir() if file.name.endswith(".lua"))
LOADED = {script.name: script for script in vars(scripts).values() if isinstance(script, Script)}
INCLUDED = {name for file in FILES for name in re.findall(r"^-- include (\w+)$", scripts.read(file), re.MULTILINE)}

NOW = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
SECONDS = 1_700_000_000
LOST = b'{"at":1700000000250,"error":"the worker died while it ran this task","lost":true}'
NANOSECONDS = 1_700_000_000_250_000_000
EXPIRY = SECONDS + 7_776_000
CUTOFF = SECONDS - 7_776_000
Q = keys.of_queue("low")
TODAY = "2023-11-14"

GROUP = "asynq:{low}:g:g"
SET = "asynq:{low}:g:g:set-id"
UNIQUE = TaskMessage(type="t", id="a", queue="low", unique_key="lock", group_key="g")
REGISTERED = Registry()
REGISTERED.needs("low", SECONDS)

COUNTERS = {
    "processed": Q.processed,
    "processed_today": Q.processed_on(TODAY),
    "failed": Q.failed,
    "failed_today": Q.failed_on(TODAY),
}
"""What the names of counters in a header stand for."""


def new(task_id: str, state: TaskState, *, due: int = 0, lock: str = "", seconds: int = 0, group: str = "") -> NewTask:
    """A task that is ready to be created."""
    message = TaskMessage(type="t", id=task_id, queue="low", unique_key=lock, group_key=group)
    return NewTask(message, task_id.encode() + b" encoded", state, due, seconds)


def after(flow: Flow[Any], *replies: Any) -> Flow[Any]:
    """What *flow* says once it has got *replies*."""
    next(flow)
    for reply in replies[:-1]:
        flow.send(reply)
    yield flow.send(replies[-1])


class Contract(NamedTuple):
    """A flow, and by the names in the header of its script what it must pass."""

    script: Script
    flow: Callable[[], Flow[Any]]
    keys: dict[str, str]
    arguments: dict[str, object]
    tasks: list[dict[str, object]]


SERVER = ServerInfo(host="h", pid=1, server_id="sid", concurrency=1, queues={"low": 1}, start_time=NOW)
WORKER = WorkerInfo(
    host="h",
    pid=1,
    server_id="sid",
    task_id="a",
    task_type="t",
    task_payload=b"",
    queue="low",
    start_time=NOW,
    deadline=NOW,
)

GATE = limits.Gate("scope", 1000, 2000, 5)
PERMIT_KEYS = {name: f"asynq:py:limit:{{scope}}:{name}" for name in ("holders", "owners", "waiting")}

ENTRY = SchedulerEntry(id="e", spec="@hourly", task_type="t")


def tick(*, overlap: bool = True) -> ticks.Tick:
    """A tick of an entry."""
    return ticks.Tick(
        entry_id="e",
        unix=SECONDS,
        keep_seconds=60,
        overlap=overlap,
        has_own_id=False,
        scheduler_id="sid",
    )


def tick_arguments(new: NewTask, **arguments: object) -> dict[str, object]:
    """What the script of ticks gets for a task; some of it said otherwise."""
    message = new.message
    return {
        "task_prefix": Q.task_prefix,
        "group_prefix": "asynq:{low}:g:",
        "tick": SECONDS,
        "keep_seconds": 60,
        "scheduler_id": "sid",
        "overlap": 1,
        "now_nanoseconds": NANOSECONDS,
        "state": new.state.value,
        "id": message.id,
        "message": new.encoded,
        "lock_key": message.unique_key,
        "lock_seconds": new.lock_seconds,
        "score": SECONDS,
        "due_milliseconds": "",
        "group": message.group_key,
        **arguments,
    }


TICK_KEYS = {
    "marker": "asynq:{low}:py:tick:e",
    "pending": Q.pending,
    "scheduled": Q.scheduled,
    "groups": Q.groups,
    "due": Q.due,
}
TICK_PENDING = new("a", TaskState.PENDING, lock="lock", seconds=60)
TICK_SCHEDULED = new("a", TaskState.SCHEDULED, due=SECONDS * 1000 + 1, group="g")

CONTRACTS = {
    "enqueue": Contract(
        scripts.ENQUEUE,
        lambda: enqueue_many([new("a", TaskState.PENDING), new("b", TaskState.PENDING)], now=NOW, registry=Registry()),
        {"pending": Q.pending},
        {"task_prefix": Q.task_prefix, "now_nanoseconds": NANOSECONDS},
        [{"id": "a", "message": b"a encoded"}, {"id": "b", "message": b"b encoded"}],
    ),
    "enqueue unique": Contract(
        scripts.ENQUEUE_UNIQUE,
        lambda: enqueue(new("b", TaskState.PENDING, lock="lock", seconds=60), now=NOW, registry=Registry()),
        {"pending": Q.pending},
        {"task_prefix": Q.task_prefix, "now_nanoseconds": NANOSECONDS},
        [{"id": "b", "message": b"b encoded", "lock_key": "lock", "lock_seconds": 60}],
    ),
    "schedule": Contract(
        scripts.SCHEDULE,
        lambda: enqueue_many(
            [
                new("a", TaskState.SCHEDULED, due=SECONDS * 1000),
                new("b", TaskState.SCHEDULED, due=SECONDS * 1000 + 1, lock="lock", seconds=60, group="g"),
            ],
            now=NOW,
            registry=Registry(),
        ),
        {"scheduled": Q.scheduled, "due": Q.due},
        {"task_prefix": Q.task_prefix},
        [
            {"id": "a", "message": b"a encoded", "lock_key": "", "lock_seconds": 0}
            | {"score": SECONDS, "due_milliseconds": "", "group": ""},
            {"id": "b", "message": b"b encoded", "lock_key": "lock", "lock_seconds": 60}
            | {"score": SECONDS + 1, "due_milliseconds": SECONDS * 1000 + 1, "group": "g"},
        ],
    ),
    "add to group": Contract(
        scripts.ADD_TO_GROUP,
        lambda: enqueue(
            new("a", TaskState.AGGREGATING, lock="lock", seconds=60, group="g"), now=NOW, registry=Registry()
        ),
        {"groups": Q.groups},
        {"task_prefix": Q.task_prefix, "group_prefix": "asynq:{low}:g:", "now_seconds": SECONDS},
        [{"id": "a", "message": b"a encoded", "lock_key": "lock", "lock_seconds": 60, "group": "g"}],
    ),
    "claim": Contract(
        scripts.CLAIM,
        lambda: dequeue.claim("low", 10, token="token", lease_milliseconds=30_000),
        {"pending": Q.pending, "active": Q.active, "lease": Q.lease, "paused": Q.paused},
        {"task_prefix": Q.task_prefix, "token": "token", "lease_milliseconds": 30_000, "count": 10},
        [],
    ),
    "claim in a turn": Contract(
        scripts.CLAIM,
        lambda: turn([], {"low": 10}, token="token", lease_milliseconds=30_000, now=NOW),
        {"pending": Q.pending, "active": Q.active, "lease": Q.lease, "paused": Q.paused},
        {"task_prefix": Q.task_prefix, "token": "token", "lease_milliseconds": 30_000, "count": 10},
        [],
    ),
    "claimed": Contract(
        scripts.CLAIMED,
        lambda: dequeue.claimed_by("low", "tok"),
        {"active": Q.active, "lease": Q.lease},
        {"task_prefix": Q.task_prefix, "token_prefix": "tok"},
        [],
    ),
    "done": Contract(
        scripts.DONE,
        lambda: finish.finish([Done("low", "a", "token"), Done("low", "b", "token")], now=NOW),
        {"active": Q.active, "lease": Q.lease} | COUNTERS,
        {"task_prefix": Q.task_prefix, "expire_at": EXPIRY},
        [{"id": "a", "token": "token"}, {"id": "b", "token": "token"}],
    ),
    "done unique": Contract(
        scripts.DONE_UNIQUE,
        lambda: finish.finish([DoneUnique("low", "b", "token", "lock")], now=NOW),
        {"active": Q.active, "lease": Q.lease} | COUNTERS,
        {"task_prefix": Q.task_prefix, "expire_at": EXPIRY},
        [{"id": "b", "token": "token", "lock_key": "lock"}],
    ),
    "complete": Contract(
        scripts.COMPLETE,
        lambda: finish.finish(
            [
                Complete("low", "a", "token", b"encoded", SECONDS + 60),
                Complete("low", "b", "token", b"encoded", SECONDS + 60, "lock", b""),
            ],
            now=NOW,
        ),
        {"active": Q.active, "lease": Q.lease, "completed": Q.completed} | COUNTERS,
        {"task_prefix": Q.task_prefix, "expire_at": EXPIRY},
        [
            {"id": "a", "token": "token", "message": b"encoded", "delete_at": SECONDS + 60}
            | {"lock_key": "", "has_result": 0, "result": b""},
            {"id": "b", "token": "token", "message": b"encoded", "delete_at": SECONDS + 60}
            | {"lock_key": "lock", "has_result": 1, "result": b""},
        ],
    ),
    "retry": Contract(
        scripts.RETRY,
        lambda: finish.finish(
            [Retry("low", "a", "token", b"encoded", SECONDS * 1000 + 1, True, b"trace", b"attempt")], now=NOW
        ),
        {"active": Q.active, "lease": Q.lease, "waiting": Q.retry, "due": Q.due} | COUNTERS,
        {"task_prefix": Q.task_prefix, "state": "retry", "expire_at": EXPIRY},
        [
            {"id": "a", "token": "token", "message": b"encoded", "score": SECONDS + 1}
            | {"due_milliseconds": SECONDS * 1000 + 1, "is_failure": 1, "traceback": b"trace", "attempt": b"attempt"}
        ],
    ),
    "delay": Contract(
        scripts.RETRY,
        lambda: finish.finish([Delay("low", "a", "token", b"encoded", SECONDS * 1000, False)], now=NOW),
        {"active": Q.active, "lease": Q.lease, "waiting": Q.scheduled, "due": Q.due} | COUNTERS,
        {"task_prefix": Q.task_prefix, "state": "scheduled", "expire_at": EXPIRY},
        [
            {"id": "a", "token": "token", "message": b"encoded", "score": SECONDS}
            | {"due_milliseconds": "", "is_failure": 0, "traceback": b"", "attempt": b""}
        ],
    ),
    "archive": Contract(
        scripts.ARCHIVE,
        lambda: finish.finish([Archive("low", "a", "token", b"encoded", b"trace", b"attempt")], now=NOW),
        {"active": Q.active, "lease": Q.lease, "archived": Q.archived} | COUNTERS,
        {"task_prefix": Q.task_prefix, "expire_at": EXPIRY, "now_seconds": SECONDS}
        | {"cutoff_seconds": CUTOFF, "limit": 10_000},
        [{"id": "a", "token": "token", "message": b"encoded", "traceback": b"trace", "attempt": b"attempt"}],
    ),
    "requeue": Contract(
        scripts.REQUEUE,
        lambda: finish.finish([Requeue("low", "a", "token")], now=NOW),
        {"active": Q.active, "lease": Q.lease, "pending": Q.pending},
        {"task_prefix": Q.task_prefix},
        [{"id": "a", "token": "token"}],
    ),
    "hand on": Contract(
        scripts.HAND_ON,
        lambda: finish.finish([HandOn("low", "a", "token"), HandOn("low", "b", "token", 0.75, 5000)], now=NOW),
        {"active": Q.active, "lease": Q.lease, "scheduled": Q.scheduled, "due": Q.due},
        {"task_prefix": Q.task_prefix, "first_milliseconds": 1000},
        [
            {"id": "a", "token": "token", "share": 1.0, "longest_milliseconds": 60_000},
            {"id": "b", "token": "token", "share": 0.75, "longest_milliseconds": 5000},
        ],
    ),
    "waiting types": Contract(
        scripts.WAITING_TYPES,
        lambda: consumers.waiting_types(["low"], sample=10),
        {"pending": Q.pending, "scheduled": Q.scheduled, "retry": Q.retry},
        {"task_prefix": Q.task_prefix, "limit": 10},
        [],
    ),
    "extend": Contract(
        scripts.EXTEND,
        lambda: leases.extend("low", [("a", "token"), ("b", "other")], lease_milliseconds=30_000),
        {"lease": Q.lease},
        {"task_prefix": Q.task_prefix, "lease_milliseconds": 30_000},
        [{"id": "a", "token": "token"}, {"id": "b", "token": "other"}],
    ),
    "expired": Contract(
        scripts.EXPIRED,
        lambda: leases.expired("low", limit=10),
        {"lease": Q.lease},
        {"task_prefix": Q.task_prefix, "go_allowance_milliseconds": 30_000, "limit": 10},
        [],
    ),
    "recover": Contract(
        scripts.RECOVER,
        lambda: leases.recover("low", [Held("a", b"", "1.5", 0), Held("b", b"\xff", "2.5", 2)], max_crashes=3, now=NOW),
        {"active": Q.active, "lease": Q.lease, "pending": Q.pending, "archived": Q.archived} | COUNTERS,
        {"task_prefix": Q.task_prefix, "expire_at": EXPIRY, "now_nanoseconds": NANOSECONDS, "now_seconds": SECONDS}
        | {"cutoff_seconds": CUTOFF, "limit": 10_000},
        [
            {"id": "a", "lease_score": "1.5", "archive": 0, "message": b"", "crashes": 1, "attempt": LOST},
            {"id": "b", "lease_score": "2.5", "archive": 1, "message": b"", "crashes": 3, "attempt": LOST},
        ],
    ),
    "mend": Contract(
        scripts.MEND,
        lambda: leases.mend("low", now=NOW),
        {"active": Q.active, "lease": Q.lease, "pending": Q.pending},
        {"task_prefix": Q.task_prefix, "now_nanoseconds": NANOSECONDS},
        [],
    ),
    "forward": Contract(
        scripts.FORWARD,
        lambda: due.forward("low", limit=10),
        {"scheduled": Q.scheduled, "retry": Q.retry, "pending": Q.pending, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "group_prefix": "asynq:{low}:g:", "limit": 10},
        [],
    ),
    "delete expired": Contract(
        scripts.DELETE_EXPIRED,
        lambda: due.delete_expired("low", limit=10),
        {"completed": Q.completed},
        {"task_prefix": Q.task_prefix, "limit": 10},
        [],
    ),
    "form set": Contract(
        scripts.FORM_SET,
        lambda: groups.form_set("low", "g", "set-id", groups.Rules(2500, 600, 60)),
        {"groups": Q.groups, "aggregation_sets": Q.aggregation_sets, "group": GROUP, "set": SET},
        {
            "name": "g",
            "max_size": 2500,
            "max_delay_seconds": 600,
            "grace_seconds": 60,
            "set_seconds": 120,
            "size": 1000,
        },
        [],
    ),
    "read set": Contract(
        scripts.READ_SET,
        lambda: groups.read_set("low", SET, now=NOW),
        {"set": SET},
        {"task_prefix": Q.task_prefix, "offset": 0, "limit": 250},
        [],
    ),
    "note locks": Contract(
        scripts.NOTE_LOCKS,
        lambda: after(groups.read_set("low", SET, now=NOW), [b"a", UNIQUE.encode(), b""]),
        {"set": SET},
        {"task_prefix": Q.task_prefix},
        [{"id": b"a", "lock_key": "lock"}],
    ),
    "reject parts": Contract(
        scripts.REJECT_PARTS,
        lambda: after(groups.read_set("low", SET, now=NOW), [b"a", b"", b"", b"b", b"", b""]),
        {"set": SET, "aggregation_sets": Q.aggregation_sets, "archived": Q.archived},
        {"task_prefix": Q.task_prefix, "now_seconds": SECONDS, "cutoff_seconds": CUTOFF, "limit": 10_000},
        [{"id": b"a", "reason": "no task of the group"}, {"id": b"b", "reason": "no task of the group"}],
    ),
    "replace set": Contract(
        scripts.REPLACE_SET,
        lambda: groups.replace_set("low", SET, new("a", TaskState.PENDING), now=NOW, registry=REGISTERED),
        {"aggregation_sets": Q.aggregation_sets, "set": SET, "spent": Q.spent, "destination": Q.pending, "due": Q.due},
        {"task_prefix": Q.task_prefix, "state": "pending", "id": "a", "message": b"a encoded"}
        | {"lock_key": "", "lock_seconds": 0, "score": "", "due_milliseconds": ""}
        | {"now_nanoseconds": NANOSECONDS, "limit": 1000},
        [],
    ),
    "replace set by a scheduled unique task": Contract(
        scripts.REPLACE_SET,
        lambda: groups.replace_set(
            "low",
            SET,
            new("a", TaskState.SCHEDULED, due=SECONDS * 1000 + 1, lock="asynq:{low}:lock", seconds=60),
            now=NOW,
            registry=REGISTERED,
        ),
        {"aggregation_sets": Q.aggregation_sets, "set": SET, "spent": Q.spent}
        | {"destination": Q.scheduled, "due": Q.due},
        {"task_prefix": Q.task_prefix, "state": "scheduled", "id": "a", "message": b"a encoded"}
        | {"lock_key": "asynq:{low}:lock", "lock_seconds": 60}
        | {"score": SECONDS + 1, "due_milliseconds": SECONDS * 1000 + 1, "now_nanoseconds": NANOSECONDS, "limit": 1000},
        [],
    ),
    "drop parts": Contract(
        scripts.DROP_PARTS,
        lambda: groups.drop_parts("low"),
        {"spent": Q.spent},
        {"task_prefix": Q.task_prefix, "limit": 1000},
        [],
    ),
    "reclaim": Contract(
        scripts.RECLAIM,
        lambda: groups.reclaim("low"),
        {"aggregation_sets": Q.aggregation_sets, "groups": Q.groups},
        {"group_prefix": "asynq:{low}:g:", "set": "", "limit": 500},
        [],
    ),
    "give back": Contract(
        scripts.RECLAIM,
        lambda: groups.give_back("low", SET),
        {"aggregation_sets": Q.aggregation_sets, "groups": Q.groups},
        {"group_prefix": "asynq:{low}:g:", "set": SET, "limit": 500},
        [],
    ),
    "relist": Contract(
        scripts.RELIST,
        lambda: groups.relist("low", ["g", "h"]),
        {"groups": Q.groups},
        {"group_prefix": "asynq:{low}:g:"},
        [{"group": "g"}, {"group": "h"}],
    ),
    "begin": Contract(
        scripts.BEGIN,
        lambda: leases.begin("low", "a", "token"),
        {"task": "asynq:{low}:t:a"},
        {"token": "token"},
        [],
    ),
    "write result": Contract(
        scripts.WRITE_RESULT,
        lambda: presence.write_result("low", "a", "token", b"result"),
        {"task": "asynq:{low}:t:a"},
        {"token": "token", "result": b"result"},
        [],
    ),
    "report progress": Contract(
        scripts.REPORT_PROGRESS,
        lambda: presence.report_progress("low", "a", "token", 0.25, "text"),
        {"task": "asynq:{low}:t:a"},
        {"token": "token", "fraction": "0.25", "text": "text"},
        [],
    ),
    "admit": Contract(
        scripts.ADMIT,
        lambda: limits.admit(GATE, "low\na", "token", lease_milliseconds=30_000, noise=0.5),
        {name: f"asynq:py:limit:{{scope}}:{name}" for name in ("next", "line", "due", "holders", "owners", "waiting")},
        {"member": "low\na", "token": "token", "interval": 1000, "tolerance": 2000, "max_active": 5}
        | {"lease_milliseconds": 30_000, "noise": "0.500"},
        [],
    ),
    "give permits back": Contract(
        scripts.GIVE_BACK,
        lambda: limits.give_back(GATE, [("low\na", "token"), ("low\nb", "")]),
        PERMIT_KEYS,
        {"max_active": 5},
        [{"member": "low\na", "token": "token"}, {"member": "low\nb", "token": ""}],
    ),
    "keep permits": Contract(
        scripts.KEEP_PERMITS,
        lambda: limits.keep([limits.Permit(GATE, "low\na", "token")], lease_milliseconds=30_000),
        PERMIT_KEYS,
        {"max_active": 5, "lease_milliseconds": 30_000},
        [{"member": "low\na", "token": "token"}],
    ),
    "call up": Contract(
        scripts.CALL_UP,
        lambda: limits.call_up(GATE, ["low\na", "low\nb\nc"], now=NOW),
        {"scheduled": Q.scheduled, "due": Q.due, "pending": Q.pending, "paused": Q.paused},
        {"task_prefix": Q.task_prefix, "now_nanoseconds": NANOSECONDS},
        [{"id": "a"}, {"id": "b\nc"}],
    ),
    "take token": Contract(
        scripts.TAKE_TOKEN,
        lambda: limits.take_token("scope", "a", max_tokens=5, deadline_seconds=SECONDS),
        {"semaphore": "asynq:sema:scope"},
        {"max_tokens": 5, "deadline_seconds": SECONDS, "task_id": "a"},
        [],
    ),
    "announce": Contract(
        scripts.ANNOUNCE,
        lambda: presence.announce("h:1:sid", SERVER, [WORKER], now=NOW, patterns={"email:": None}),
        {"server": "asynq:servers:{h:1:sid}", "workers": "asynq:workers:{h:1:sid}"}
        | {"handled": "asynq:py:handled:{h:1:sid}"},
        {"ttl_seconds": 10, "info": SERVER.encode(), "patterns": b'{"email:":null}'},
        [{"task_id": "a", "worker_info": WORKER.encode()}],
    ),
    "roll up": Contract(
        scripts.ROLL_UP,
        lambda: rollups.roll_up({"low": {"s:t": 2, "w3:t": 1}}, now=NOW),
        {"rollup": Q.rollup(SECONDS // 60), "pending": Q.pending},
        {"ttl_seconds": 7200, "now_seconds": SECONDS},
        [{"field": "s:t", "count": 2}, {"field": "w3:t", "count": 1}],
    ),
    "tick": Contract(
        scripts.TICK,
        lambda: ticks.enqueue_tick(TICK_PENDING, tick(), now=NOW, registry=Registry()),
        TICK_KEYS,
        tick_arguments(TICK_PENDING),
        [],
    ),
    "tick of a task for later": Contract(
        scripts.TICK,
        lambda: ticks.enqueue_tick(TICK_SCHEDULED, tick(overlap=False), now=NOW, registry=Registry()),
        TICK_KEYS,
        tick_arguments(TICK_SCHEDULED, overlap=0, score=SECONDS + 1, due_milliseconds=SECONDS * 1000 + 1),
        [],
    ),
    "tick begin": Contract(
        scripts.TICK_BEGIN,
        lambda: ticks.begin_entry("low", "e", tick=SECONDS, keep_seconds=60),
        {"marker": "asynq:{low}:py:tick:e"},
        {"tick": SECONDS, "keep_seconds": 60},
        [],
    ),
    "announce entries": Contract(
        scripts.ANNOUNCE_ENTRIES,
        lambda: ticks.announce_entries("h:1:sid", [ENTRY, ENTRY], ttl_seconds=20, now=NOW),
        {"entries": "asynq:schedulers:{h:1:sid}"},
        {"ttl_seconds": 20},
        [{"entry": ENTRY.encode()}, {"entry": ENTRY.encode()}],
    ),
}

CONTRACTS |= {name: Contract(*row) for name, *row in (*INSPECTION, *TRANSFER)}


def script_call(flow: Flow[Any], script: Script) -> Call:
    """The call of *script* in what *flow* says first."""
    said = first(flow)
    [call] = [call for call in (said.calls if isinstance(said, Batch) else [said]) if call.script is script]
    return call


def parts(call: Call) -> tuple[list[object], list[object]]:
    """The keys and the arguments of a script call."""
    count = call.words[2]
    assert isinstance(count, int)
    return list(call.words[3 : 3 + count]), list(call.words[3 + count :])


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
class TestContracts:
    """The header of a file says what the script takes, and the flow passes just that."""

    def test_keys(self, contract: Contract) -> None:
        """Each name under KEYS stands for the key that is passed in its place."""
        passed, _ = parts(script_call(contract.flow(), contract.script))
        assert passed == [contract.keys[name] for name in contract.script.keys]

    def test_arguments(self, contract: Contract) -> None:
        """Each name under ARGV stands for the value that is passed in its place."""
        _, passed = parts(script_call(contract.flow(), contract.script))
        once = len(contract.script.arguments)
        assert dict(zip(contract.script.arguments, passed[:once], strict=True)) == contract.arguments
        rows = list(chunks(passed[once:], len(contract.script.repeated)))
        assert [dict(zip(contract.script.repeated, row, strict=True)) for row in rows] == contract.tasks

    def test_call(self, contract: Contract) -> None:
        """A call names the digest, the number of keys, and the first key as the one that tells the node."""
        call = script_call(contract.flow(), contract.script)
        assert call.words[:3] == ("EVALSHA", contract.script.sha, len(contract.script.keys))
        assert call.key == call.words[3]

    def test_keys_belong_together(self, contract: Contract) -> None:
        """All keys of a script have one hash tag, so that a cluster takes it."""
        passed, _ = parts(script_call(contract.flow(), contract.script))
        assert len({str(key).partition("{")[2].partition("}")[0] for key in passed}) == 1


def chunks(values: list[object], width: int) -> Iterator[list[object]]:
    """*values* in rows of *width*."""
    if not width:
        assert not values, f"more arguments than the header names: {values}"
        return
    for start in range(0, len(values), width):
        yield values[start : start + width]


def test_every_script_has_a_contract_here() -> None:
    """No script is loaded that no flow calls."""
    assert {contract.script.name for contract in CONTRACTS.values()} == LOADED.keys()


def test_no_lua_file_is_an_orphan() -> None:
    """Every file is loaded or included, and none is both."""
    assert sorted(LOADED.keys() | INCLUDED) == FILES
    assert LOADED.keys().isdisjoint(INCLUDED)


@pytest.mark.parametrize("name", FILES)
def test_every_file_opens_with_its_purpose(name: str) -> None:
    """The first line tells what it does; what is included says so there."""
    head = scripts.read(name).splitlines()[0]
    assert head.startswith("-- ")
    assert head.startswith("-- Included by ") == (name in INCLUDED)


@pytest.mark.parametrize("script", LOADED.values(), ids=lambda script: script.name)
class TestSources:
    """Text and contract of one file agree."""

    def test_positions_are_those_of_the_header(self, script: Script) -> None:
        """No position is used that the header does not name, and every key is used."""
        body = scripts.read(script.name)
        used_keys = {int(number) for number in re.findall(r"\bKEYS\[(\d+)\]", body)}
        assert used_keys == set(range(1, len(script.keys) + 1))
        used = {int(number) for number in re.findall(r"\bARGV\[(\d+)\]", body)}
        assert used <= set(range(1, len(script.arguments) + 1))
        offsets = {int(number) for number in re.findall(r"\bARGV\[at \+ (\d+)\]", body)}
        assert offsets <= set(range(1, len(script.repeated)))
        if not script.repeated:
            assert used == set(range(1, len(script.arguments) + 1))

    def test_rows_are_those_of_the_header(self, script: Script) -> None:
        """What comes once per task starts after the leading arguments and is as wide as the header says."""
        calls = re.findall(r"\brelease\(KEYS\[1\], KEYS\[2\], ARGV\[1\], (\d+), (\d+)\)", scripts.read(script.name))
        if calls:
            assert calls == [(str(len(script.arguments) + 1), str(len(script.repeated)))]
        elif script.repeated:
            [(start, step)] = re.findall(r"for at = (\d+), #ARGV, (\d+) do", scripts.read(script.name))
            assert (int(start), int(step)) == (len(script.arguments) + 1, len(script.repeated))

    def test_includes_are_in_place(self, script: Script) -> None:
        """Nothing is left to include, and the digest is that of the text which is sent."""
        assert "-- include " not in script.source
        for name in re.findall(r"^-- include (\w+)$", scripts.read(script.name), re.MULTILINE):
            assert scripts.read(name) in script.source
        assert script.sha == hashlib.sha1(script.source.encode()).hexdigest()

    def test_says_what_it_returns(self, script: Script) -> None:
        """Callers read the reply by this line."""
        assert re.search(r"^-- Returns ", script.source, re.MULTILINE)

    def test_asks_redis_for_the_time_only_where_moments_are_judged(self, script: Script) -> None:
        """Everything else gets the time as an argument, so that tests decide it."""
        ends_attempts = {"done", "done_unique", "complete", "retry", "archive", "requeue", "hand_on"}
        by_limits = {"admit", "give_back", "keep_permits", "take_token", "report_progress"}
        by_redis = {"claim", "extend", "expired", "forward", "delete_expired"} | ends_attempts | by_limits
        by_redis |= {"form_set", "replace_set", "reclaim"}
        assert ("call('TIME')" in script.source) == (script.name in by_redis)


def test_a_missing_file_is_an_error_at_once() -> None:
    """A misspelt script fails when the package is imported, not when it is first called."""
    with pytest.raises(FileNotFoundError):
        scripts.load("misspelt")
