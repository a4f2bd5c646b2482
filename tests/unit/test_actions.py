"""The table of states and actions."""

from __future__ import annotations

import pytest

from asynqpy._broker.inspect import places
from asynqpy.actions import Action, actions_in, is_allowed, must_confirm, states_of
from asynqpy.task import TaskState


@pytest.mark.parametrize(
    ("action", "states"),
    [
        (Action.RUN, places.STATES_RUN),
        (Action.ARCHIVE, places.STATES_ARCHIVED),
        (Action.DELETE, places.STATES_DELETED),
    ],
)
def test_the_inspector_takes_the_same_states(action: Action, states: tuple[TaskState, ...]) -> None:
    """What is offered for all tasks of a state is what the inspector accepts."""
    assert set(states_of(action, of_all=True)) == set(states)


def test_a_running_task_can_only_be_cancelled() -> None:
    """Its worker holds it."""
    assert actions_in(TaskState.ACTIVE) == (Action.CANCEL,)
    assert actions_in(TaskState.ACTIVE, of_all=True) == ()


def test_every_state_tells_its_actions_in_one_order() -> None:
    """So that buttons and help are always in the same place."""
    assert actions_in(TaskState.ARCHIVED) == (Action.RUN, Action.DELETE, Action.EDIT, Action.AGAIN, Action.MOVE)
    assert actions_in(TaskState.PENDING, of_all=True) == (Action.ARCHIVE, Action.DELETE, Action.MOVE)


def test_what_is_done_to_all_can_be_done_to_one() -> None:
    """Never the other way round."""
    for action in Action:
        assert set(states_of(action, of_all=True)) <= set(states_of(action))
        assert all(is_allowed(action, state) for state in states_of(action))


def test_what_cannot_be_undone_is_confirmed() -> None:
    """Deleting always, archiving when it is of all: an archive is bounded."""
    assert [action for action in Action if must_confirm(action)] == [Action.DELETE]
    assert [action for action in Action if must_confirm(action, of_all=True)] == [Action.ARCHIVE, Action.DELETE]
