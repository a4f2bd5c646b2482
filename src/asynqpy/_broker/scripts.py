"""The Lua scripts, read once from the files beside this module.

A file opens with its contract (``KEYS``, ``ARGV``, what it returns). A line ``-- include NAME`` is replaced by
``NAME.lua``, for steps that several scripts share.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

from asynqpy._broker.flow import Script

_FOLDER = files("asynqpy._broker") / "lua"
_INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)


def read(name: str) -> str:
    """The text of a Lua file."""
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


def load(name: str) -> Script:
    """The script in ``NAME.lua`` with its includes in place and its contract read."""
    source = _INCLUDE.sub(lambda line: read(line[1]), read(name))
    head = source.split("\n\n")[0]
    arguments, _, repeated = _names(head, "ARGV").partition("*(")
    return Script(
        name=name,
        source=source,
        sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(),
        keys=tuple(_names(head, "KEYS").split()),
        arguments=tuple(arguments.split()),
        repeated=tuple(repeated.rstrip(" )").split()),
    )


def _names(head: str, what: str) -> str:
    return " ".join(re.findall(rf"^-- {what}  (.*)$", head, re.MULTILINE))


ENQUEUE = load("enqueue")
ENQUEUE_UNIQUE = load("enqueue_unique")
SCHEDULE = load("schedule")
ADD_TO_GROUP = load("add_to_group")
CLAIM = load("claim")
CLAIMED = load("claimed")
DONE = load("done")
DONE_UNIQUE = load("done_unique")
COMPLETE = load("complete")
RETRY = load("retry")
ARCHIVE = load("archive")
REQUEUE = load("requeue")
HAND_ON = load("hand_on")
EXTEND = load("extend")
EXPIRED = load("expired")
RECOVER = load("recover")
MEND = load("mend")
FORWARD = load("forward")
DELETE_EXPIRED = load("delete_expired")
FORM_SET = load("form_set")
READ_SET = load("read_set")
NOTE_LOCKS = load("note_locks")
REJECT_PARTS = load("reject_parts")
REPLACE_SET = load("replace_set")
DROP_PARTS = load("drop_parts")
RECLAIM = load("reclaim")
RELIST = load("relist")
BEGIN = load("begin")
WAITING_TYPES = load("waiting_types")
WRITE_RESULT = load("write_result")
ANNOUNCE = load("announce")

STATS = load("stats")
SIZES = load("sizes")
PAGE = load("page")
WALK_SET = load("walk_set")
WALK_LIST = load("walk_list")
RUN_TASK = load("run_task")
ARCHIVE_TASK = load("archive_task")
DELETE_TASK = load("delete_task")
RUN_SOME = load("run_some")
ARCHIVE_SOME = load("archive_some")
DELETE_SOME = load("delete_some")
RESCHEDULE = load("reschedule")
UPDATE_PAYLOAD = load("update_payload")
CLOSE_QUEUE = load("close_queue")
TIDY = load("tidy")
LOCATE = load("locate")
PLACE = load("place")
SETTLE = load("settle")
UNLEASED = load("unleased")
UNLOCK = load("unlock")
REPORT_PROGRESS = load("report_progress")
ADMIT = load("admit")
GIVE_BACK = load("give_back")
KEEP_PERMITS = load("keep_permits")
CALL_UP = load("call_up")
TAKE_TOKEN = load("take_token")
TICK = load("tick")
TICK_BEGIN = load("tick_begin")
ANNOUNCE_ENTRIES = load("announce_entries")
ROLL_UP = load("roll_up")
MOVE_OUT = load("move_out")
MOVE_IN = load("move_in")
MOVE_OFF = load("move_off")
MOVE_BACK = load("move_back")
