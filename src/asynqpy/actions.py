"""What can be done to a task in which state: the one table for the command line, the dashboard and the web. Pure.

The inspector refuses what is not in this table, whoever asks; it is here so that nobody is offered it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from asynqpy.task import TaskState


class Action(StrEnum):
    """Something that is done to a task by hand; the words are those of the command line."""

    RUN = "run"
    """Make it pending: `Inspector.run_task`, `Inspector.run_all`."""
    ARCHIVE = "archive"
    """Set it aside: `Inspector.archive_task`, `Inspector.archive_all`."""
    DELETE = "delete"
    """Delete it: `Inspector.delete_task`, `Inspector.delete_all`."""
    CANCEL = "cancel"
    """Ask its worker to stop it: `Inspector.cancel_task`."""
    EDIT = "edit"
    """Exchange its payload: `Inspector.update_payload`."""
    AGAIN = "again"
    """Enqueue a copy of it: `Inspector.enqueue_again`."""
    MOVE = "move"
    """Take it to another queue: `Inspector.move_task`, `Inspector.move_all`."""


_S = TaskState

STATES: Mapping[Action, frozenset[TaskState]] = MappingProxyType(
    {
        Action.RUN: frozenset({_S.SCHEDULED, _S.RETRY, _S.ARCHIVED, _S.COMPLETED, _S.AGGREGATING}),
        Action.ARCHIVE: frozenset({_S.PENDING, _S.SCHEDULED, _S.RETRY, _S.COMPLETED, _S.AGGREGATING}),
        Action.DELETE: frozenset({_S.PENDING, _S.SCHEDULED, _S.RETRY, _S.ARCHIVED, _S.COMPLETED, _S.AGGREGATING}),
        Action.CANCEL: frozenset({_S.ACTIVE}),
        Action.EDIT: frozenset({_S.PENDING, _S.SCHEDULED, _S.RETRY, _S.ARCHIVED, _S.AGGREGATING}),
        Action.AGAIN: frozenset({_S.ARCHIVED, _S.COMPLETED}),
        Action.MOVE: frozenset({_S.PENDING, _S.SCHEDULED, _S.RETRY, _S.ARCHIVED, _S.AGGREGATING}),
    }
)
"""The states in which a task allows each action."""

FOR_ALL: frozenset[Action] = frozenset({Action.RUN, Action.ARCHIVE, Action.DELETE, Action.MOVE})
"""The actions that can be done to all tasks of a state at once, in the states in which one task allows them."""

CONFIRMED: frozenset[Action] = frozenset({Action.DELETE})
"""The actions on one task that a person must confirm, because nothing brings back what they take away."""

CONFIRMED_FOR_ALL: frozenset[Action] = frozenset({Action.ARCHIVE, Action.DELETE})
"""Those on all tasks of a state: an archive that gets too large drops its oldest tasks."""


def is_allowed(action: Action, state: TaskState, *, of_all: bool = False) -> bool:
    """Whether *action* can be done to a task in *state*, or to all of them."""
    return state in STATES[action] and (not of_all or action in FOR_ALL)


def actions_in(state: TaskState, *, of_all: bool = False) -> tuple[Action, ...]:
    """What can be done to a task in *state*, or to all of them, in the order of `Action`."""
    return tuple(action for action in Action if is_allowed(action, state, of_all=of_all))


def states_of(action: Action, *, of_all: bool = False) -> tuple[TaskState, ...]:
    """In which states *action* can be done, in the order of `TaskState`."""
    return tuple(state for state in TaskState if is_allowed(action, state, of_all=of_all))


def must_confirm(action: Action, *, of_all: bool = False) -> bool:
    """Whether a person must be asked before *action*."""
    return action in (CONFIRMED_FOR_ALL if of_all else CONFIRMED)
