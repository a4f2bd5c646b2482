"""What a shell is offered behind an option: names that Redis or the file of profiles knows.

The person waits for it at the prompt, so Redis has a moment to answer, and whatever goes wrong gives no offer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from asynqpy.cli.invocation import Invocation

if TYPE_CHECKING:
    from asynqpy.inspector import Inspector

PATIENCE = timedelta(milliseconds=700)
"""How long Redis has for a step."""

LIMIT_SECONDS = 2.0
"""How long a person waits for Redis in all."""


def profile_names(incomplete: str) -> list[str]:
    """The profiles in the file."""
    from asynqpy.cli import profiles
    from asynqpy.errors import ConfigError

    try:
        return [name for name in sorted(profiles.read(os.environ).by_name) if name.startswith(incomplete)]
    except ConfigError:
        return []


def queue_names(context: typer.Context, incomplete: str) -> list[str]:
    """The queues in Redis."""
    return _asked(context, lambda inspector: inspector.queues(), incomplete)


def entry_ids(context: typer.Context, incomplete: str) -> list[str]:
    """The ids of periodic tasks."""
    return _asked(context, lambda inspector: [entry.id for entry in inspector.scheduler_entries()], incomplete)


def state_names(incomplete: str) -> list[str]:
    """The states of a task."""
    from asynqpy.task import TaskState

    return [state.value for state in TaskState if state.value.startswith(incomplete)]


def _asked(context: typer.Context, question: Callable[[Inspector], Iterable[str]], incomplete: str) -> list[str]:
    """What *question* gives in time; a server that is slow, or not there, gives nothing."""
    answers: list[str] = []
    done = threading.Event()

    def ask() -> None:
        try:
            answers.extend(_answers(context.obj, question))
        except Exception:  # noqa: BLE001, S110 - nothing may be printed at the prompt
            pass
        finally:
            done.set()

    if isinstance(context.obj, Invocation):
        import asynqpy.inspector  # noqa: F401 - here, so that the wait is for Redis alone

        threading.Thread(target=ask, daemon=True).start()
        done.wait(LIMIT_SECONDS)
    return [answer for answer in answers if answer.startswith(incomplete)]


def _answers(invocation: Invocation, question: Callable[[Inspector], Iterable[str]]) -> list[str]:
    from dataclasses import replace

    from asynqpy.inspector import Inspector

    options = replace(invocation.redis(), connect_timeout=PATIENCE, timeout=PATIENCE)
    if options.embedded:
        return []  # to offer names is no reason to start a server
    with Inspector(options) as inspector:
        return list(question(inspector))
