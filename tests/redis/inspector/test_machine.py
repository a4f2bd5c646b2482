"""Inspectors and workers take turns in any order: afterwards each task is in one place, and every number is right."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from asynqpy import Client, Inspector, QueueNotFoundError, Task, TaskInfo, TaskNotFoundError, TaskState, TaskStateError
from asynqpy._broker.dequeue import claim
from asynqpy._broker.due import forward
from asynqpy._broker.finish import Archive, Complete, Done, DoneUnique, Requeue, Retry, finish
from asynqpy._broker.inspect import move
from asynqpy._broker.inspect.places import STATES_ARCHIVED, STATES_DELETED, STATES_RUN
from asynqpy._wire.records import TaskMessage
from tests.redis.drive import Driver
from tests.redis.inspected import Inspected

GROUPS = ("g", "h")
WAITING = [state for state in TaskState if state is not TaskState.ACTIVE]


class Machine(RuleBasedStateMachine):
    """A queue, and a model of it: where each task is."""

    redis: Redis
    url: str
    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.run = Driver(self.redis)
        self.low = Inspected(self.redis)
        self.client = Client(self.url)
        self.inspector = Inspector(self.url)
        self.where: dict[str, TaskState] = {}
        self.group: dict[str, str] = {}
        self.locked: set[str] = set()
        self.numbers = count()
        self.processed = self.failed = 0

    def teardown(self) -> None:
        self.client.close()
        self.inspector.close()

    def ids(self, state: TaskState, group: str = "") -> set[str]:
        return {each for each, at in self.where.items() if at is state and (not group or self.group.get(each) == group)}

    @initialize(target=tasks, amount=st.integers(0, 3))
    def begin(self, amount: int) -> Any:
        return multiple(*(self.enqueue({"queue": "low"}) for _ in range(amount)))

    def enqueue(self, options: dict[str, Any]) -> str:
        n = next(self.numbers)
        info = self.client.enqueue(Task("t", {"n": n}), task_id=f"t{n}", **options)
        self.where[info.id] = info.state
        if options.get("group"):
            self.group[info.id] = options["group"]
        if options.get("unique_for"):
            self.locked.add(info.id)
        return info.id

    @rule(
        target=tasks,
        where=st.sampled_from([{}, {"process_in": 3600}, {"process_in": 0.001}, *({"group": name} for name in GROUPS)]),
        unique=st.booleans(),
    )
    def enqueue_one(self, where: dict[str, Any], unique: bool) -> str:
        return self.enqueue({"queue": "low", "retention": 3600, **where, **({"unique_for": 3600} if unique else {})})

    @rule(
        outcome=st.sampled_from(["done", "complete", "retry", "archive", "requeue", "hold"]), amount=st.integers(1, 3)
    )
    def work(self, outcome: str, amount: int) -> None:
        """Claim some, and end them in one way, or go on with them."""
        now = datetime.now(UTC)
        claimed = self.run(claim("low", amount, token="token", lease_milliseconds=3_600_000))
        assert all(self.where[task.id] is TaskState.PENDING for task in claimed)
        assert bool(claimed) or not self.ids(TaskState.PENDING)
        later, kept = int(now.timestamp() * 1000) + 3_600_000, int(now.timestamp()) + 3600
        for task in claimed:
            message = TaskMessage.decode(task.message)
            record: Any = {
                "done": DoneUnique("low", task.id, "token", message.unique_key)
                if message.unique_key
                else Done("low", task.id, "token"),
                "complete": Complete("low", task.id, "token", task.message, kept, message.unique_key),
                "retry": Retry("low", task.id, "token", task.message, later),
                "archive": Archive("low", task.id, "token", task.message),
                "requeue": Requeue("low", task.id, "token"),
                "hold": None,
            }[outcome]
            if record is None:
                self.where[task.id] = TaskState.ACTIVE
                continue
            assert self.run(finish([record], now=now)) == []
            self.processed += outcome != "requeue"
            self.failed += outcome in ("retry", "archive")
            self.end(task.id, outcome)

    def end(self, task_id: str, outcome: str) -> None:
        states = {
            "complete": TaskState.COMPLETED,
            "retry": TaskState.RETRY,
            "archive": TaskState.ARCHIVED,
            "requeue": TaskState.PENDING,
        }
        if outcome in ("done", "complete"):
            self.locked.discard(task_id)
        if outcome == "done":
            del self.where[task_id]
        else:
            self.where[task_id] = states[outcome]

    @rule()
    def forward_due(self) -> None:
        """What was due after a millisecond moves on."""
        due = {info.id for info in self.inspector.iter_tasks("low", "scheduled") if is_due(info)}
        self.run(forward("low"))
        for task_id in due:
            state = TaskState(self.low.redis.hget(self.low.keys.task(task_id), "state").decode())
            if state is not TaskState.SCHEDULED:
                self.where[task_id] = state

    @rule(task_id=tasks, verb=st.sampled_from(["run_task", "archive_task", "delete_task"]))
    def act_on_one(self, task_id: str, verb: str) -> None:
        """As the state of the task allows."""
        state = self.where.get(task_id)
        allowed = {"run_task": STATES_RUN, "archive_task": STATES_ARCHIVED, "delete_task": STATES_DELETED}[verb]
        act = getattr(self.inspector, verb)
        if state is None:
            with pytest.raises(TaskNotFoundError):
                act("low", task_id)
        elif state not in allowed:
            with pytest.raises(TaskStateError):
                act("low", task_id)
        else:
            act("low", task_id)
            self.moved({task_id}, verb.partition("_")[0])

    def moved(self, ids: set[str], verb: str) -> None:
        for task_id in ids:
            if verb == "delete":
                del self.where[task_id]
                self.locked.discard(task_id)
            else:
                self.where[task_id] = TaskState.PENDING if verb == "run" else TaskState.ARCHIVED

    @rule(
        verb=st.sampled_from(["run", "archive", "delete"]),
        state=st.sampled_from(WAITING),
        group=st.sampled_from(GROUPS),
    )
    def act_on_all(self, verb: str, state: TaskState, group: str) -> None:
        """Exactly those of the state, or of the group."""
        allowed = {"run": STATES_RUN, "archive": STATES_ARCHIVED, "delete": STATES_DELETED}[verb]
        if state not in allowed:
            return
        where = {"group": group} if state is TaskState.AGGREGATING else {}
        expected = self.ids(state, where.get("group", ""))
        assert getattr(self.inspector, f"{verb}_all")("low", state, **where) == len(expected)
        self.moved(expected, verb)

    @rule(task_id=tasks)
    def update(self, task_id: str) -> None:
        """The lock moves along."""
        if self.where.get(task_id) in (None, TaskState.ACTIVE, TaskState.COMPLETED):
            with pytest.raises((TaskNotFoundError, TaskStateError)):
                self.inspector.update_payload("low", task_id, {"new": task_id})
        else:
            self.inspector.update_payload("low", task_id, {"new": task_id})
            assert self.inspector.task_info("low", task_id).payload == b'{"new":"%s"}' % task_id.encode()

    @rule(target=tasks, task_id=consumes(tasks))
    def again(self, task_id: str) -> Any:
        """A copy of what is over."""
        if self.where.get(task_id) not in (TaskState.ARCHIVED, TaskState.COMPLETED):
            return multiple(task_id)
        info = self.inspector.enqueue_again("low", task_id)
        self.where[info.id] = info.state
        if info.group:
            self.group[info.id] = info.group
        return multiple(task_id, info.id)

    @invariant()
    def each_task_is_where_it_should_be(self) -> None:
        """In one place alone, which its hash names; and inspectors see it there."""
        self.low.check()
        for state in TaskState:
            assert {info.id for info in self.inspector.iter_tasks("low", state)} == self.ids(state)

    @invariant()
    def numbers_are_right(self) -> None:
        """Those of the states, and the counters."""
        try:
            info = self.inspector.queue_info("low", memory=False)
        except QueueNotFoundError:
            return
        assert {state: getattr(info, state) for state in TaskState} == {
            state: len(self.ids(state)) for state in TaskState
        }
        assert (info.processed, info.failed) == (self.processed, self.failed)

    @invariant()
    def locks_are_those_of_tasks(self) -> None:
        """Each is held by a task that names it; nothing is left of those that are gone."""
        held = {self.low.redis.get(key).decode() for key in self.low.redis.scan_iter(self.low.keys.prefix + "unique:*")}
        assert held == self.locked

    @invariant()
    def nothing_is_broken(self) -> None:
        """By the tool's own account."""
        assert self.inspector.recover_orphans("low").is_clean


def is_due(info: TaskInfo) -> bool:
    return info.next_process_at is not None and info.next_process_at <= datetime.now(UTC)


def test_in_any_order(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are small here, so that bulk operations take several."""
    monkeypatch.setattr(move, "BATCH", 2)
    machine = type("OnThisServer", (Machine,), {"redis": redis, "url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.parametrize("verb", ["archive_all", "delete_all"])
def test_beside_workers(redis: Redis, redis_url: str, verb: str) -> None:
    """Each task is either served or handled, never both, and counted once; readers see each that stays."""
    low = Inspected(redis)
    low.many("pending", 8000)
    stays = low.many("retry", 3000, prefix="stays")

    def serve() -> int:
        run, done = Driver(redis), 0
        while tasks := run(claim("low", 7, token="token", lease_milliseconds=3_600_000)):
            assert run(finish([Done("low", task.id, "token") for task in tasks], now=datetime.now(UTC))) == []
            done += len(tasks)
        return done

    with Inspector(redis_url) as inspector, ThreadPoolExecutor(3) as threads:
        first, second = threads.submit(serve), threads.submit(serve)
        seen = threads.submit(lambda: [info.id for info in inspector.iter_tasks("low", "retry")])
        handled = getattr(inspector, verb)("low", "pending")
        served = first.result() + second.result()
        assert seen.result() == stays
    assert served + handled == 8000
    assert int(redis.get(low.keys.processed) or 0) == served  # type: ignore[arg-type]
    low.check()
