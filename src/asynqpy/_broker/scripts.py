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
EXTEND = load("extend")
EXPIRED = load("expired")
RECOVER = load("recover")
MEND = load("mend")
FORWARD = load("forward")
DELETE_EXPIRED = load("delete_expired")
BEGIN = load("begin")
WRITE_RESULT = load("write_result")
ANNOUNCE = load("announce")
TICK = load("tick")
TICK_BEGIN = load("tick_begin")
ANNOUNCE_ENTRIES = load("announce_entries")
