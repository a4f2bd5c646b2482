"""What the flows that take tasks to another queue hand to their scripts: rows for `test_scripts`."""

from __future__ import annotations

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import Registry
from asynqpy._broker.flow import Flow
from asynqpy._broker.inspect import transfer
from asynqpy._broker.inspect.places import Place
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.inspection import MoveReport
from asynqpy.task import TaskState

from .inspect_contracts import LOCKS, NOW, SECONDS, Row, after

Q, THERE = keys.of_queue("low"), keys.of_queue("high")
SCORE = SECONDS + 60
OLD = TaskMessage(type="t", id="a", queue="low", unique_key=Q.unique("t", b"x"), payload=b"x")
NEW = TaskMessage(type="t", id="a", queue="high", unique_key=THERE.unique("t", b"x"), payload=b"x")
READ = [b"a", b"%d" % SCORE, b"%d500" % SCORE, OLD.encode(), b"", b"result", b"traceback", b"2", b"attempts", b"by"]


def moving() -> Flow[MoveReport]:
    """All scheduled tasks of low go to high."""
    return transfer.move_all(Place("low", TaskState.SCHEDULED), "high", now=NOW, registry=Registry())


BEFORE = (1, 1, 1, READ, [0, 0])
"""What Redis says until the tasks go: the queue is known, one task, listed, read, with room for it."""

ROWS: list[Row] = [
    (
        "move out",
        scripts.MOVE_OUT,
        lambda: after(moving(), *BEFORE),
        {"container": Q.scheduled, "archived": Q.archived, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "group": "", "now_seconds": SECONDS},
        [{"id": b"a", "message": OLD.encode(), "lock_key": OLD.unique_key}],
    ),
    (
        "move in",
        scripts.MOVE_IN,
        lambda: after(moving(), *BEFORE, [1, 59_001]),
        {"container": THERE.scheduled, "groups": THERE.groups, "due": THERE.due},
        {"task_prefix": THERE.task_prefix, "state": "scheduled"},
        [
            {
                "id": b"a",
                "message": NEW.encode(),
                "lock_key": NEW.unique_key,
                "lock_seconds": 60,
                "group": "",
                "score": b"%d" % SCORE,
                "due_milliseconds": SCORE * 1000 + 500,
                "since": "",
                "result": b"result",
                "traceback": b"traceback",
                "crashes": b"2",
                "attempts": b"attempts",
                "failed_by": b"by",
            }
        ],
    ),
    (
        "move off",
        scripts.MOVE_OFF,
        lambda: after(moving(), *BEFORE, [1, 0], [1]),
        {"archived": Q.archived},
        {"task_prefix": Q.task_prefix, "lock_prefix": LOCKS},
        [{"id": b"a", "message": OLD.encode()}],
    ),
    (
        "move back",
        scripts.MOVE_BACK,
        lambda: after(moving(), *BEFORE, [1, 0], [0]),
        {"container": Q.scheduled, "archived": Q.archived, "groups": Q.groups, "due": Q.due},
        {"task_prefix": Q.task_prefix, "state": "scheduled", "group": ""},
        [{"id": b"a", "message": OLD.encode(), "score": b"%d" % SCORE, "due_milliseconds": b"%d500" % SCORE}],
    ),
]
