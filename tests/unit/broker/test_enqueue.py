"""Creating tasks, driven by hand: the message that is made, what is said to Redis, what its answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._broker import scripts
from asynqpy._broker.enqueue import NewTask, Registry, enqueue, enqueue_many, prepare
from asynqpy._broker.flow import Batch, Call
from asynqpy._wire import keys
from asynqpy._wire.records import TaskMessage
from asynqpy.errors import (
    AsynqpyError,
    BrokerError,
    ConnectionLostError,
    DuplicateTaskError,
    PayloadTooLargeError,
    TaskIDConflictError,
    WireError,
)
from asynqpy.options import EnqueueOptions, resolve
from asynqpy.task import Task, TaskInfo, TaskState

from .by_hand import ids, talk

NOW = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
UNIX_NOW = 1_700_000_000.25
REFUSAL = BrokerError("Redis refused")
LOST = ConnectionLostError("the connection broke")


def prepared(task: Task, **options: Any) -> NewTask:
    """*task* as the client prepares it at `UNIX_NOW`."""
    return prepare(
        task,
        resolve(options, task.options),  # type: ignore[arg-type]
        now=UNIX_NOW,
        new_id=lambda: "fresh",
        max_payload_bytes=100,
    )


def new(task_id: str, queue: str = "low", **options: Any) -> NewTask:
    """A pending task, unless *options* say otherwise."""
    return prepared(Task("t"), task_id=task_id, queue=queue, **options)


def registered(*queues: str) -> Registry:
    """A registry in which *queues* need nothing."""
    registry = Registry()
    for queue in queues:
        registry.needs(queue, UNIX_NOW)
    return registry


class TestPrepare:
    """From a task and its options to a message and the place where it starts."""

    def test_a_plain_task_is_pending(self) -> None:
        """Defaults of asynq: 25 retries, 30 minutes."""
        made = prepared(Task("t", b"raw"))
        assert made.message == TaskMessage(
            type="t", id="fresh", queue="default", payload=b"raw", retry=25, timeout=1800
        )
        assert made.encoded == made.message.encode()
        assert (made.state, made.due_milliseconds, made.lock_seconds) == (TaskState.PENDING, 0, 0)

    def test_everything_asked_for_is_in_the_message(self) -> None:
        """All options of the wire."""
        made = prepared(
            Task("t", "x"),
            queue="low",
            task_id="abc",
            max_retry=3,
            timeout=20,
            deadline=datetime.fromtimestamp(1_700_000_500, UTC),
            unique_for=60,
            retention=70,
            group="g",
            headers={"h": "v"},
        )
        lock = keys.of_queue("low").unique("t", b"x")
        assert made.message == TaskMessage(
            type="t",
            id="abc",
            queue="low",
            payload=b"x",
            retry=3,
            timeout=20,
            deadline=1_700_000_500,
            unique_key=lock,
            retention=70,
            group_key="g",
            headers={"h": "v"},
        )
        assert (made.state, made.lock_seconds) == (TaskState.AGGREGATING, 60)

    @pytest.mark.parametrize(
        ("options", "timeout", "deadline"),
        [
            ({}, 1800, 0),
            ({"timeout": 20}, 20, 0),
            ({"timeout": 0}, 1800, 0),
            ({"timeout": 0.5}, 1, 0),
            ({"deadline": datetime.fromtimestamp(1_700_000_500, UTC)}, 0, 1_700_000_500),
            ({"timeout": 20, "deadline": datetime.fromtimestamp(1_700_000_500, UTC)}, 20, 1_700_000_500),
            ({"deadline": datetime.fromtimestamp(0, UTC)}, 1800, 0),
        ],
    )
    def test_timeout_and_deadline(self, options: EnqueueOptions, timeout: int, deadline: int) -> None:
        """Never both zero: a worker calls that an error."""
        message = prepared(Task("t"), **options).message
        assert (message.timeout, message.deadline) == (timeout, deadline)

    @pytest.mark.parametrize(
        ("options", "due_milliseconds"),
        [
            ({"process_in": 0.001}, 1_700_000_000_251),
            ({"process_in": 60}, 1_700_000_060_250),
            ({"process_at": datetime.fromtimestamp(1_700_000_060.5, UTC)}, 1_700_000_060_500),
            ({"process_in": 60, "group": "g"}, 1_700_000_060_250),
        ],
    )
    def test_the_future_is_scheduled(self, options: EnqueueOptions, due_milliseconds: int) -> None:
        """To the millisecond; a grouped task waits first and joins its group when due."""
        made = prepared(Task("t"), **options)
        assert (made.state, made.due_milliseconds) == (TaskState.SCHEDULED, due_milliseconds)

    @pytest.mark.parametrize("options", [{"process_in": 0}, {"process_in": -5}, {"process_at": NOW}])
    def test_the_past_and_the_present_mean_now(self, options: EnqueueOptions) -> None:
        """As asynq: only what is strictly later waits."""
        assert prepared(Task("t"), **options).state is TaskState.PENDING
        assert prepared(Task("t"), group="g", **options).state is TaskState.AGGREGATING

    @pytest.mark.parametrize(
        ("options", "seconds"),
        [
            ({"unique_for": 60}, 60),
            ({"unique_for": 60, "group": "g"}, 60),
            ({"unique_for": 60, "process_in": 100}, 160),
            ({"unique_for": 60, "process_in": 0.001}, 61),
            ({"unique_for": 1, "process_in": 0.001}, 2),
        ],
    )
    def test_the_lock_of_a_scheduled_task_lasts_until_it_is_due_and_longer(
        self, options: EnqueueOptions, seconds: int
    ) -> None:
        """Rounded up: never shorter than asked for, never zero, which Redis refuses."""
        assert prepared(Task("t"), **options).lock_seconds == seconds

    def test_locks_tell_no_payload_from_an_empty_one(self) -> None:
        """Though the wire does not."""
        assert prepared(Task("t"), unique_for=60).message.unique_key == "asynq:{default}:unique:t:"
        assert prepared(Task("t", b""), unique_for=60).message.unique_key.endswith(":d41d8cd98f00b204e9800998ecf8427e")

    def test_a_payload_over_the_limit_is_refused(self) -> None:
        """Before anything is sent, with both numbers."""
        prepared(Task("t", b"x" * 100))
        with pytest.raises(PayloadTooLargeError, match="101 bytes is over the limit of 100"):
            prepared(Task("t", b"x" * 101))

    def test_what_the_wire_cannot_carry_is_refused(self) -> None:
        """Before anything is sent."""
        broken = Task.prepared("t\ud800", b"", resolve({}))
        with pytest.raises(WireError):
            prepared(broken)

    @given(st.floats(0.001, 10**9))
    def test_a_lock_covers_the_wait(self, wait: float) -> None:
        """Whatever the delay, the lock lasts the asked time past it, and at most a second longer."""
        made = prepared(Task("t"), unique_for=60, process_in=wait)
        assert 60 + wait - 1e-3 <= made.lock_seconds <= 61.01 + wait


class TestRegistry:
    """Which queues were put into the set of queues lately."""

    def test_a_queue_is_registered_for_ten_seconds(self) -> None:
        """asynq remembers for ever, and loses a queue that another process removed."""
        registry = Registry()
        assert registry.needs("low", 100.0)
        assert not registry.needs("low", 109.9)
        assert registry.needs("high", 109.9)
        assert registry.needs("low", 110.0)
        assert not registry.needs("low", 110.0)

    def test_a_failed_registration_is_forgotten(self) -> None:
        """The next task tries again."""
        registry = Registry()
        registry.needs("low", 100.0)
        registry.forget("low")
        registry.forget("never seen")
        assert registry.needs("low", 100.0)


class TestEnqueueMany:
    """Many tasks in one round trip."""

    def test_results_stand_in_the_order_of_the_tasks(self) -> None:
        """However queues and kinds are mixed, each task gets the answer to itself."""
        tasks = [
            new("a"),
            new("b", process_in=60),
            new("c", "high"),
            new("d", unique_for=60),
            new("e", group="g"),
            new("f", process_in=60.1),
            new("g"),
        ]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low", "high")), [[1, -1, 0], [1, 2], [1], [1]])
        assert [ids(call) for call in run.calls] == [["a", "d", "g"], ["b", "f"], ["c"], ["e"]]
        assert [result.id if isinstance(result, TaskInfo) else type(result) for result in run.result] == [
            "a", "b", "c", DuplicateTaskError, "e", TaskIDConflictError, TaskIDConflictError,
        ]  # fmt: skip
        assert vars(run.result[3]) == {"queue": "low", "task_type": "t"}
        assert vars(run.result[6]) == {"queue": "low", "task_id": "g"}

    def test_an_info_tells_where_the_task_is(self) -> None:
        """Now for pending tasks, the exact moment for scheduled ones, nothing for grouped ones."""
        tasks = [new("a"), new("b", process_in=60), new("c", group="g")]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low")), [[1], [1], [1]])
        pending, scheduled, grouped = run.result
        assert (pending.state, pending.next_process_at) == (TaskState.PENDING, NOW)
        assert (scheduled.state, scheduled.next_process_at.timestamp()) == (TaskState.SCHEDULED, UNIX_NOW + 60)
        assert (grouped.state, grouped.next_process_at, grouped.group) == (TaskState.AGGREGATING, None, "g")

    def test_a_call_takes_a_thousand_tasks(self) -> None:
        """So that no script blocks Redis for long or meets Lua's limit of unpacked values."""
        tasks = [new(str(n)) for n in range(2500)]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low")), [[1] * 1000, [1] * 1000, [1] * 499 + [0]])
        assert [len(ids(call)) for call in run.calls] == [1000, 1000, 500]
        assert [result.id for result in run.result[:-1]] == [str(n) for n in range(2499)]
        assert isinstance(run.result[-1], TaskIDConflictError)

    def test_new_queues_are_registered_first(self) -> None:
        """In the same round trip, by commands of their own: their set is elsewhere in a cluster."""
        registry = registered("low")
        flow = enqueue_many([new("a"), new("b", "high"), new("c", "high")], now=NOW, registry=registry)
        run = talk(flow, [1, [1], [1, 1]])
        assert run.calls[0] == Call(("SADD", "asynq:queues", "high"), "asynq:queues", optional=True)
        assert [call.script for call in run.calls[1:]] == [scripts.ENQUEUE, scripts.ENQUEUE]
        assert [result.id for result in run.result] == ["a", "b", "c"]
        assert not registry.needs("high", UNIX_NOW)

    def test_a_refused_registration_is_tried_again_with_the_next_task(self) -> None:
        """The task itself is stored."""
        registry = Registry()
        run = talk(enqueue_many([new("a")], now=NOW, registry=registry), [REFUSAL, [1]])
        assert isinstance(run.result[0], TaskInfo)
        assert registry.needs("low", UNIX_NOW)

    @pytest.mark.parametrize("error", [REFUSAL, LOST, KeyboardInterrupt()])
    def test_nothing_is_registered_when_the_round_trip_fails(self, error: BaseException) -> None:
        """Whatever ends it; the error goes up."""
        registry = Registry()
        with pytest.raises(type(error)):
            talk(enqueue_many([new("a")], now=NOW, registry=registry), error)
        assert registry.needs("low", UNIX_NOW)

    def test_one_refusal_spoils_nothing_else(self) -> None:
        """Tasks of other calls are created; those of the refused call get its error."""
        tasks = [new("a"), new("b", "high"), new("c")]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low", "high")), [REFUSAL, [1]])
        assert run.result[0] is REFUSAL
        assert run.result[1].id == "b"
        assert run.result[2] is REFUSAL

    def test_a_lost_call_is_sent_once_more(self) -> None:
        """Only what was lost, and what it finds already stored counts as created."""
        tasks = [new("a"), new("b", "high"), new("c", "high"), new("d", "high")]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low", "high")), [[1], LOST], [[2, 1, 0]])
        assert [len(said.calls) for said in run.said if isinstance(said, Batch)] == [2, 1]
        assert run.calls[2] == run.calls[1]
        assert [isinstance(result, TaskInfo) for result in run.result] == [True, True, True, False]
        assert isinstance(run.result[3], TaskIDConflictError)

    def test_a_lost_registration_is_sent_again_too(self) -> None:
        """A queue is not forgotten over a lost reply."""
        registry = Registry()
        run = talk(enqueue_many([new("a")], now=NOW, registry=registry), [LOST, LOST], [1, [2]])
        assert run.said[0] == run.said[1]
        assert run.result[0].id == "a"
        assert not registry.needs("low", UNIX_NOW)

    def test_a_call_lost_twice_is_an_error(self) -> None:
        """Nobody knows whether its tasks are stored, and the caller is told so."""
        run = talk(enqueue_many([new("a")], now=NOW, registry=registered("low")), [LOST], [LOST])
        assert run.result == [LOST]

    def test_only_a_task_that_was_sent_again_may_find_itself(self) -> None:
        """An equal task that was there before is a conflict, also when another call was repeated."""
        tasks = [new("a"), new("b", "high")]
        run = talk(enqueue_many(tasks, now=NOW, registry=registered("low", "high")), [[2], LOST], [[1]])
        assert isinstance(run.result[0], TaskIDConflictError)
        assert isinstance(run.result[1], TaskInfo)

    def test_a_duplicate_stays_one_when_it_is_repeated(self) -> None:
        """A lock held by another task is no echo of this one."""
        run = talk(enqueue_many([new("a", unique_for=60)], now=NOW, registry=registered("low")), [LOST], [[-1]])
        assert isinstance(run.result[0], DuplicateTaskError)


class TestEnqueue:
    """One task: its error is raised."""

    def test_returns_the_info(self) -> None:
        """Of the task that was created."""
        assert talk(enqueue(new("a"), now=NOW, registry=Registry()), [1, [1]]).result.id == "a"

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [(0, TaskIDConflictError), (2, TaskIDConflictError), (-1, DuplicateTaskError)],
    )
    def test_raises_what_stands_against_it(self, reply: int, kind: type[AsynqpyError]) -> None:
        """A taken id, or a unique task that exists."""
        with pytest.raises(kind):
            talk(enqueue(new("a"), now=NOW, registry=Registry()), [1, [reply]])

    def test_raises_a_refusal(self) -> None:
        """As Redis said it."""
        with pytest.raises(BrokerError, match="Redis refused"):
            talk(enqueue(new("a"), now=NOW, registry=Registry()), [1, REFUSAL])

    def test_a_task_of_a_known_queue_is_one_call(self) -> None:
        """Nothing is registered again."""
        run = talk(enqueue(new("a"), now=NOW, registry=registered("low")), [1])
        assert run.result.id == "a"
        assert [call.script for call in run.calls] == [scripts.ENQUEUE]

    def test_a_broken_connection_has_it_sent_once_more(self) -> None:
        """That it finds itself stored means that the first try had arrived."""
        run = talk(enqueue(new("a"), now=NOW, registry=registered("low")), LOST, [2])
        assert run.result.id == "a"
        assert run.calls[0] == run.calls[1]

    def test_the_first_loss_is_what_is_raised(self) -> None:
        """The second try does not tell whether the first has arrived."""
        with pytest.raises(ConnectionLostError) as raised:
            talk(enqueue(new("a"), now=NOW, registry=registered("low")), LOST, BrokerError("cannot reach Redis"))
        assert raised.value is LOST

    def test_a_task_that_another_holds_is_refused_after_the_second_try_too(self) -> None:
        """Only the very same message counts as its own."""
        with pytest.raises(TaskIDConflictError):
            talk(enqueue(new("a"), now=NOW, registry=registered("low")), LOST, [0])
