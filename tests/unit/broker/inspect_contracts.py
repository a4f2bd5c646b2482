"""What the flows of the inspector hand to their scripts: rows for `test_scripts`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asynqpy._broker import scripts
from asynqpy._broker.flow import Flow, Script
from asynqpy._broker.inspect import edit, move, orphans, queues, remove, tasks, walk
from asynqpy._broker.inspect.places import Place
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.task import TaskState

NOW = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
SECONDS = 1_700_000_000
NANOSECONDS = 1_700_000_000_250_000_000
CUTOFF = SECONDS - 7_776_000
Q = keys.of_queue("low")
GROUPS = "asynq:{low}:g:"
LOCKS = "asynq:{low}:unique:"
SCHEDULED = Place("low", TaskState.SCHEDULED)
PENDING = Place("low", TaskState.PENDING)
GROUP = Place("low", TaskState.AGGREGATING, "g")
CONTAINERS = {
    "pending": Q.pending,
    "scheduled": Q.scheduled,
    "retry": Q.retry,
    "archived": Q.archived,
    "completed": Q.completed,
}
HELD = CONTAINERS | {"active": Q.active, "aggregation_sets": Q.aggregation_sets, "spent": "asynq:{low}:py:spent"}
FIELDS = [{"field": field} for field in tasks.FIELDS]
STORED = TaskMessage(type="t", id="a", queue="low", unique_key=Q.unique("t", b"old"))


def after(flow: Flow[Any], *replies: Any) -> Flow[Any]:
    """The rest of *flow* after so many replies."""
    request = next(flow)
    for reply in replies:
        request = flow.send(reply)
    yield request


Row = tuple[str, Script, Callable[[], Flow[Any]], dict[str, str], dict[str, object], list[dict[str, object]]]

ROWS: list[Row] = [
    (
        "stats",
        scripts.STATS,
        lambda: queues.queue_counts("low", now=NOW),
        CONTAINERS
        | {
            "active": Q.active,
            "groups": Q.groups,
            "paused": Q.paused,
            "processed": Q.processed,
            "processed_today": Q.processed_on("2023-11-14"),
            "failed": Q.failed,
            "failed_today": Q.failed_on("2023-11-14"),
        },
        {"task_prefix": Q.task_prefix},
        [],
    ),
    (
        "sizes",
        scripts.SIZES,
        lambda: walk.filled_places(["low"], [TaskState.PENDING, TaskState.ARCHIVED, TaskState.AGGREGATING]),
        {"prefix": Q.prefix},
        {},
        [
            {"command": "LLEN", "name": "pending"},
            {"command": "ZCARD", "name": "archived"},
            {"command": "SCARD", "name": "groups"},
        ],
    ),
    (
        "sizes with a group",
        scripts.SIZES,
        lambda: walk.filled_places(["low"], [TaskState.ACTIVE, TaskState.AGGREGATING], "g"),
        {"prefix": Q.prefix},
        {},
        [{"command": "LLEN", "name": "active"}, {"command": "ZCARD", "name": "g:g"}],
    ),
    (
        "page",
        scripts.PAGE,
        lambda: tasks.task_page(SCHEDULED, 3, 20, descending=True, now=NOW),
        {"container": Q.scheduled, "beside": Q.due},
        {"task_prefix": Q.task_prefix, "offset": 40, "count": 20, "descending": 1},
        FIELDS,
    ),
    (
        "page of active tasks",
        scripts.PAGE,
        lambda: tasks.task_page(Place("low", TaskState.ACTIVE), 1, 30, now=NOW),
        {"container": Q.active, "beside": Q.lease},
        {"task_prefix": Q.task_prefix, "offset": 0, "count": 30, "descending": 0},
        FIELDS,
    ),
    (
        "walk through a set",
        scripts.WALK_SET,
        lambda: walk.Walk(GROUP, fields=("msg",), start=1.5).step(100),
        {"container": GROUPS + "g", "beside": GROUPS + "g"},
        {"task_prefix": Q.task_prefix, "score": b"1.5", "member": b"", "count": 100, "descending": 0},
        [{"field": "msg"}],
    ),
    (
        "walk through a list",
        scripts.WALK_LIST,
        lambda: walk.Walk(PENDING, fields=("msg",), descending=True).step(100),
        {"container": Q.pending, "beside": Q.pending},
        {"task_prefix": Q.task_prefix, "position": 0, "last": b"", "middle": b"", "first": b""}
        | {"count": 100, "descending": 1},
        [{"field": "msg"}],
    ),
    (
        "run a task",
        scripts.RUN_TASK,
        lambda: after(move.run_task("low", "a", now=NOW), 1),
        CONTAINERS | {"task": Q.task("a"), "groups": Q.groups, "due": Q.due},
        {"id": "a", "group_prefix": GROUPS, "now_nanoseconds": NANOSECONDS},
        [],
    ),
    (
        "archive a task",
        scripts.ARCHIVE_TASK,
        lambda: after(move.archive_task("low", "a", now=NOW), 1),
        CONTAINERS | {"task": Q.task("a"), "groups": Q.groups, "due": Q.due},
        {"id": "a", "task_prefix": Q.task_prefix, "group_prefix": GROUPS, "now_seconds": SECONDS}
        | {"cutoff_seconds": CUTOFF, "archive_limit": 10_000},
        [],
    ),
    (
        "delete a task",
        scripts.DELETE_TASK,
        lambda: after(move.delete_task("low", "a"), 1),
        CONTAINERS | {"task": Q.task("a"), "groups": Q.groups, "due": Q.due},
        {"id": "a", "task_prefix": Q.task_prefix, "group_prefix": GROUPS, "lock_prefix": LOCKS},
        [],
    ),
    (
        "run some",
        scripts.RUN_SOME,
        lambda: after(move.run_all(GROUP, now=NOW), 1, [5, [b"z"]], 7.0),
        {"container": GROUPS + "g", "pending": Q.pending, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "group": "g", "now_nanoseconds": NANOSECONDS}
        | {"lowest": "-inf", "highest": 7.0, "limit": move.BATCH},
        [],
    ),
    (
        "archive some",
        scripts.ARCHIVE_SOME,
        lambda: after(move.archive_all(PENDING, now=NOW), 1, 5),
        {"container": Q.pending, "archived": Q.archived, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "group": "", "now_seconds": SECONDS, "cutoff_seconds": CUTOFF}
        | {"archive_limit": 10_000, "lowest": "-inf", "highest": "+inf", "limit": 5},
        [],
    ),
    (
        "delete some",
        scripts.DELETE_SOME,
        lambda: after(move.delete_all(SCHEDULED), 1, [5, [b"z"]], b"7", [move.BATCH, move.BATCH, b"3"]),
        {"container": Q.scheduled, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "lock_prefix": LOCKS, "group": "", "lowest": b"3", "highest": 7.0}
        | {"limit": move.BATCH},
        [],
    ),
    (
        "reschedule a task",
        scripts.RESCHEDULE,
        lambda: after(edit.reschedule_task("low", "a", None, 1.0004, now=NOW), 1),
        {"task": Q.task("a"), "scheduled": Q.scheduled, "retry": Q.retry, "due": Q.due},
        {"id": "a", "score": SECONDS + 2, "due_milliseconds": SECONDS * 1000 + 1251},
        [],
    ),
    (
        "update a payload",
        scripts.UPDATE_PAYLOAD,
        lambda: after(edit.update_payload("low", "a", b"new"), 1, STORED.encode()),
        {"task": Q.task("a"), "scheduled": Q.scheduled, "retry": Q.retry, "archived": Q.archived},
        {
            "id": "a",
            "group_prefix": GROUPS,
            "expected": STORED.encode(),
            "message": TaskMessage(
                type="t", id="a", queue="low", payload=b"new", unique_key=Q.unique("t", b"new")
            ).encode(),
            "old_lock_key": Q.unique("t", b"old"),
            "new_lock_key": Q.unique("t", b"new"),
        },
        [],
    ),
    (
        "close a queue",
        scripts.CLOSE_QUEUE,
        lambda: after(remove.delete_queue("low", force=True, now=NOW), 1, [[0] * 8 + [b"0"] * 4 + [b""]]),
        {"active": Q.active, "paused": Q.paused},
        {"now_seconds": SECONDS},
        [],
    ),
    (
        "tidy",
        scripts.TIDY,
        lambda: remove._strike_off("low"),
        HELD | {"lease": Q.lease, "groups": Q.groups, "due": Q.due},
        {},
        [],
    ),
    (
        "locate",
        scripts.LOCATE,
        lambda: orphans._locate("low", [b"a", b"b"], search_pending=True),
        HELD,
        {"task_prefix": Q.task_prefix, "group_prefix": GROUPS, "search_pending": 1},
        [{"id": b"a"}, {"id": b"b"}],
    ),
    (
        "place",
        scripts.PLACE,
        lambda: orphans.place_hashes("low", [(b"a", b"active", "archived", 7, b"message"), (b"b", b"", "", 0, b"")]),
        HELD,
        {"task_prefix": Q.task_prefix, "group_prefix": GROUPS, "lock_prefix": LOCKS},
        [
            {"id": b"a", "state": b"active", "target": "archived", "score": 7, "message": b"message"},
            {"id": b"b", "state": b"", "target": "", "score": 0, "message": b""},
        ],
    ),
    (
        "settle",
        scripts.SETTLE,
        lambda: after(orphans._settle(GROUP, [b"a", b"b"], NOW), 10),
        HELD | {"container": GROUPS + "g", "lease": Q.lease},
        {"task_prefix": Q.task_prefix, "group_prefix": GROUPS, "state": "aggregating", "group": "g"}
        | {"now_nanoseconds": NANOSECONDS},
        [{"id": b"a"}, {"id": b"b"}],
    ),
    (
        "unleased",
        scripts.UNLEASED,
        lambda: orphans._check_leases(orphans.Findings("low"), repair=False, now=NOW),
        {"active": Q.active, "lease": Q.lease},
        {},
        [],
    ),
    (
        "unlock",
        scripts.UNLOCK,
        lambda: orphans.release_locks("low", [(b"t:abc", b"a")]),
        {"lock": LOCKS + "t:abc", "task": Q.task("a")},
        {"id": b"a"},
        [],
    ),
]
"""By name: the script, a flow that calls it next, and what it must pass."""
