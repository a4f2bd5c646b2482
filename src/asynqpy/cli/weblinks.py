"""Where the web dashboard shows what a command shows."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import typer

from asynqpy.cli.invocation import Invocation
from asynqpy.errors import ConfigError


def open_page(context: typer.Context) -> None:
    """Print the address of each page that shows what the command would, and open the first where a person sits.

    Raises:
        ConfigError: nobody said where the dashboard is.
    """
    invocation: Invocation = context.obj
    if invocation.given.get("as_json"):
        raise ConfigError("--open prints addresses, and --json prints JSON: give one of the two")
    base = invocation.web_url()
    if base is None:
        raise ConfigError(
            "nobody said where the dashboard is: set ASYNQPY_WEB_URL, or web_url in the profile;"
            " `asynqpy web` starts one"
        )
    pages = [base.rstrip("/") + page for page in pages_of(words_of(context), context.params)]
    for page in pages:
        print(page)
    sys.stdout.flush()
    if pages and sys.stdout.isatty():
        webbrowser.open(pages[0])


def words_of(context: typer.Context) -> str:
    """The command without the program's name: ``queue ls``."""
    names = ["ls" if context.info_name == "list" else context.info_name or ""]
    above = context.parent
    while above is not None and above.parent is not None:
        names.insert(0, above.info_name or "")
        above = above.parent
    return " ".join(names)


def pages_of(command: str, given: Mapping[str, Any]) -> list[str]:
    """The pages below the dashboard's address that show what *command* does, with these arguments by name."""
    return list(PAGES[command](given))


Pages = Callable[[Mapping[str, Any]], Iterable[str]]


def _always(page: str) -> Pages:
    return lambda _: [page]


def _queues(given: Mapping[str, Any]) -> Iterable[str]:
    return (_queue(name) for name in given["queues"])


def _groups(given: Mapping[str, Any]) -> Iterable[str]:
    return [_queue(given["queue"], status="aggregating")]


def _histories(given: Mapping[str, Any]) -> Iterable[str]:
    return (_with("/schedulers", entry=entry) for entry in given["entries"])


def _tasks(given: Mapping[str, Any]) -> Iterable[str]:
    is_newest = "true" if given["newest"] else None
    return [_queue(given["queue"], status=given["state"].value, group=given["group"], descending=is_newest)]


def _each_task(given: Mapping[str, Any]) -> Iterable[str]:
    from asynqpy.cli.tasks.naming import named

    for queue, task_id in named(given["ids"], given["one_id"]):
        place = queue or given["queue"]
        yield f"{_queue(place)}/tasks/{quote(task_id, safe='')}" if place else _with("/tasks", id=task_id)


def _found(given: Mapping[str, Any]) -> Iterable[str]:
    words = {name: given[name] for name in ("queue", "state", "payload", "error", "group")}
    words["type"] = given["task_type"]
    words |= {name: _moment(given[name]) for name in ("since", "until")}
    words["descending"] = "true" if given["newest"] else None
    prefix = f"{given['id_prefix']}*" if given["id_prefix"] else None
    return (_with("/tasks", **words, id=each) for each in given["ids"] or [prefix])


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


PAGES: Mapping[str, Pages] = {
    "stats": _always("/"),
    "queue ls": _always("/"),
    "queue inspect": _queues,
    "queue history": _queues,
    "group ls": _groups,
    "task ls": _tasks,
    "task inspect": _each_task,
    "task find": _found,
    "server ls": _always("/servers"),
    "cron ls": _always("/schedulers"),
    "cron history": _histories,
}


def _queue(name: str, **words: str | None) -> str:
    return _with(f"/queues/{quote(name, safe='')}", **words)


def _with(page: str, **words: Any) -> str:
    said = urlencode({name: value for name, value in words.items() if value}, doseq=True, safe=":")
    return f"{page}?{said}" if said else page
