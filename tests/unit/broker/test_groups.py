"""The flows of aggregation, driven by hand: what they say to Redis, and what they make of its replies."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest

from asynqpy._broker import groups, scripts
from asynqpy._broker.due import Swept
from asynqpy._broker.enqueue import NewTask, Registry
from asynqpy._broker.flow import Batch, Call, command
from asynqpy._broker.groups import Formed, Rules
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import BrokerError, ConnectionLostError, DuplicateTaskError, TaskIDConflictError
from asynqpy.task import TaskState

from .by_hand import ids, talk

NOW = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
SET = "asynq:{low}:g:g:set-id"
LOST = ConnectionLostError("the connection broke")
REFUSAL = BrokerError("Redis refused")


def message(task_id: str, **fields: Any) -> TaskMessage:
    """The message of a task in a group."""
    return TaskMessage(type="t", id=task_id, queue="low", group_key="g", **fields)


def row(stored: TaskMessage, lock: bytes = b"") -> list[bytes]:
    """A task as the script for reading gives it."""
    return [stored.id.encode(), stored.encode(), lock]


def sizes(calls: list[Call]) -> list[object]:
    """How large each call asks the set to be."""
    return [call.words[-1] for call in calls]


class TestFormSet:
    """Taking tasks out of a group."""

    def test_without_a_largest_size_a_set_is_bounded(self) -> None:
        """One call; what is left is told."""
        run = talk(groups.form_set("low", "g", "id", Rules(0, 0, 60)), [1000, 500, 1])
        assert run.result == Formed(1000, 500, True)
        assert sizes(run.calls) == [1000]

    def test_a_group_that_is_not_due_gives_no_set(self) -> None:
        """Nothing is asked twice."""
        assert talk(groups.form_set("low", "g", "id", Rules(0, 0, 60)), [0, 3, 0]).result == Formed(0, 3, False)

    def test_a_large_set_is_formed_by_several_calls(self) -> None:
        """Each asks for more, up to the size that was set."""
        run = talk(
            groups.form_set("low", "g", "id", Rules(2500, 0, 60)), [1000, 9000, 1], [2000, 8000, 1], [2500, 7500, 1]
        )
        assert run.result == Formed(2500, 7500, True)
        assert sizes(run.calls) == [1000, 2000, 2500]

    def test_a_large_set_ends_where_the_group_ends(self) -> None:
        """The last call has got less than it asked for."""
        run = talk(groups.form_set("low", "g", "id", Rules(2500, 0, 60)), [1000, 200, 0], [1200, 0, 0])
        assert run.result == Formed(1200, 0, False)

    def test_a_lost_reply_is_asked_for_again(self) -> None:
        """With the same id of the set, so nothing is taken twice; a second loss is an error."""
        run = talk(groups.form_set("low", "g", "id", Rules(0, 0, 60)), LOST, [3, 0, 0])
        assert run.result == Formed(3, 0, False)
        assert run.said[0] == run.said[1]
        with pytest.raises(ConnectionLostError):
            talk(groups.form_set("low", "g", "id", Rules(0, 0, 60)), LOST, LOST)


class TestReadSet:
    """The tasks of a set."""

    def test_in_pages(self) -> None:
        """Until a page is not full; the order is that of the set."""
        stored = [message(f"{n}") for n in range(groups.READ_PAGE + 1)]
        rows = [row(each) for each in stored]
        run = talk(groups.read_set("low", SET, now=NOW), list(chain(*rows[:-1])), rows[-1])
        assert run.result == groups.Parts(stored, [])
        assert [call.words[-2:] for call in run.calls] == [(0, 250), (250, 250)]

    def test_what_cannot_be_read_is_archived_and_the_rest_goes_on(self) -> None:
        """With the reason; an id without a task is only forgotten."""
        readable = message("b")
        reply = [b"a", b"\xff\xff", b"", *row(readable), b"gone", b"", b""]
        run = talk(groups.read_set("low", SET, now=NOW), reply, [b"a"])
        assert run.result == groups.Parts([readable], ["a"])
        assert run.calls[1].script is scripts.REJECT_PARTS
        assert ids(run.calls[1]) == [b"a", b"gone"]
        assert "not a task message" in str(run.calls[1].words[-3])

    def test_locks_that_go_did_not_note_are_noted(self) -> None:
        """Else whoever deletes the task could not release its lock; those that are noted cost nothing."""
        noted, unnoted = message("a", unique_key="lock a"), message("b", unique_key="lock b")
        run = talk(groups.read_set("low", SET, now=NOW), [*row(noted, b"lock a"), *row(unnoted)], None)
        assert run.result == groups.Parts([noted, unnoted], [])
        assert run.calls[1].script is scripts.NOTE_LOCKS
        assert run.calls[1].words[-2:] == (b"b", "lock b")


class TestReplaceSet:
    """The new task in the place of the set."""

    def flow(self, registry: Registry | None = None) -> Any:
        stored = message("new")
        known = registry or Registry()
        if registry is None:
            known.needs("low", NOW.timestamp())
        return groups.replace_set(
            "low", SET, NewTask(stored, stored.encode(), TaskState.PENDING), now=NOW, registry=known
        )

    @pytest.mark.parametrize("code", [1, 2])
    def test_done(self, code: int) -> None:
        """Also when it was done before, by a call whose reply was lost."""
        assert talk(self.flow(), [code, 0]).result is True

    def test_too_late(self) -> None:
        """The tasks are in their group again."""
        assert talk(self.flow(), [groups.OVER, 0]).result is False

    def test_refused(self) -> None:
        """By an id, by a lock, by Redis."""
        with pytest.raises(TaskIDConflictError):
            talk(self.flow(), [0, 0])
        with pytest.raises(DuplicateTaskError):
            talk(self.flow(), [-1, 0])
        with pytest.raises(BrokerError):
            talk(self.flow(), REFUSAL)

    def test_a_lost_reply_is_asked_for_again(self) -> None:
        """The very same call: it tells whether the first one has arrived."""
        run = talk(self.flow(), LOST, [2, 0])
        assert run.result is True
        assert run.said[0] == run.said[1]

    def test_a_repeated_call_that_finds_no_set_knows_that_it_was_done(self) -> None:
        """Nobody else takes a set away in time; the new task itself may be done and gone."""
        assert talk(self.flow(), LOST, [groups.OVER, 0]).result is True
        stored = message("new")
        new = NewTask(stored, stored.encode(), TaskState.PENDING)
        flow = groups.replace_set("low", SET, new, now=NOW, registry=Registry(), repeated=True)
        assert talk(flow, [1], [groups.OVER, 0]).result is True

    def test_what_is_left_is_deleted_by_further_calls(self) -> None:
        """Until no set is left to be deleted; trouble on the way is for whoever comes next, the task is there."""
        run = talk(self.flow(), [1, 500], 1, 0)
        assert run.result is True
        assert [call.script for call in run.calls[1:]] == [scripts.DROP_PARTS] * 2
        assert talk(self.flow(), [1, 500], REFUSAL).result is True

    def test_the_queue_is_registered(self) -> None:
        """As by any client; not again at once, unless it failed."""
        registry = Registry()
        run = talk(self.flow(registry), [1], [1, 0])
        assert run.said[0] == Batch([command("SADD", "asynq:queues", "low")])
        assert not registry.needs("low", NOW.timestamp())
        registry = Registry()
        talk(self.flow(registry), [REFUSAL], [1, 0])
        assert registry.needs("low", NOW.timestamp())


class TestReclaim:
    """Tasks that return to their groups."""

    def test_tells_when_the_next_set_is_stale(self) -> None:
        """Like everything that falls due."""
        assert talk(groups.reclaim("low"), [3, 120_000]).result == Swept(3, 120_000)

    def test_a_set_is_given_back_page_by_page(self) -> None:
        """Until a page is not full."""
        run = talk(groups.give_back("low", SET), [500, 0], [500, 0], [12, -1])
        assert [call.words[-2] for call in run.calls] == [SET] * 3

    def test_groups_are_listed_again_in_pages(self) -> None:
        """The missing ones are told."""
        names = [f"{n}" for n in range(groups.RELIST_LIMIT + 1)]
        run = talk(groups.relist("low", names), [b"3", b"7"], [b"200"])
        assert run.result == ["3", "7", "200"]
        assert (
            talk(
                groups.relist("low", []),
            ).said
            == []
        )

    @pytest.mark.parametrize(
        ("key", "group"),
        [
            (SET, "g"),
            ("asynq:{low}:g:a:b:id", "a:b"),
            ("asynq:{low}:g:id", None),
            ("asynq:{other}:g:g:id", None),
            ("x", None),
        ],
    )
    def test_the_group_of_a_set(self, key: str, group: str | None) -> None:
        """What stands before the last colon; keys of other things have none."""
        assert groups.group_of_set("low", key) == group
