"""Groups: many tasks become one, whenever one of the rules says so, and whatever happens on the way."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from asynqpy import Aggregators, Server, Task, TaskInfo
from asynqpy._broker import groups as flows
from asynqpy._wire import keys
from asynqpy._worker import aggregator as aggregator_module
from asynqpy._worker.reclaimer import Reclaimer
from tests.conftest import StartProxy, StartServer

from .programs import worker
from .stage import Stage, eventually, soon

pytestmark = pytest.mark.anyio

Q = keys.of_queue("default")


async def join(group: str, tasks: list[Task]) -> Task:
    """One task with the payloads of all, in their order."""
    return Task("joined", b",".join(task.payload for task in tasks), headers={"group": group})


class Done:
    """Handles tasks, and remembers them."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def __call__(self, task: Task) -> None:
        self.tasks.append(task)

    @property
    def payloads(self) -> list[str]:
        """What the joined tasks were made of, in the order they ran."""
        return [task.payload.decode() for task in self.tasks if task.type == "joined"]


def age(stage: Stage, group: str, seconds: int, queue: str = "default") -> None:
    """Let *seconds* pass for a group."""
    key = keys.of_queue(queue).group(group)
    for member, score in stage.redis.zrange(key, 0, -1, withscores=True):
        stage.redis.zadd(key, {member: score - seconds})


def set_aside(stage: Stage, group: str, *, deadline: float, set_id: str = "5e7") -> str:
    """Take a whole group into a set, as Go does it: the name is not listed any more."""
    key = Q.group(group)
    set_key = Q.aggregation_set(group, set_id)
    stage.redis.rename(key, set_key)
    stage.redis.srem(Q.groups, group)
    stage.redis.zadd(Q.aggregation_sets, {set_key: math.floor(deadline)})
    return set_key


async def until_all_is_gone(stage: Stage) -> None:
    """Wait until no task is left; what running servers tell of themselves may be there."""
    await eventually(
        lambda: not [key for key in stage.left_keys() if key.startswith("asynq:{")],
        limit_seconds=60,
    )


class TestRules:
    """When a group is aggregated."""

    async def test_when_it_has_been_quiet(self, stage: Stage) -> None:
        """All of it, oldest first; nothing but the counters is left."""
        done = Done()
        infos = [stage.enqueue("part", f"{n}", group="g", task_id=f"{n}") for n in range(5)]
        age(stage, "g", 60)
        async with stage.serving(done, aggregator=join):
            await stage.until_processed(1)
        assert done.payloads == ["0,1,2,3,4"]
        assert done.tasks[0].headers == {"group": "g"}
        assert [stage.state(info) for info in infos] == [None] * 5
        assert stage.left_keys() == set()

    async def test_by_itself_when_the_grace_period_ends(self, stage: Stage) -> None:
        """The server sleeps until then; a task that comes meanwhile puts it off."""
        done = Done()
        async with stage.serving(done, aggregator=join, group_grace_period=2):
            stage.enqueue("part", "a", group="g")
            began = math.floor(time.time())
            await stage.until_processed(1)
            assert time.time() - began >= 2
        assert done.payloads == ["a"]

    async def test_when_it_is_large_enough(self, stage: Stage) -> None:
        """At once, while the server is idle; the rest waits on."""
        done = Done()
        async with stage.serving(done, aggregator=join, group_max_size=3):
            for n in range(4):
                stage.enqueue("part", f"{n}", group="g", task_id=f"{n}")
            await stage.until_processed(1)
            assert done.payloads == ["0,1,2"]
            for n in range(4, 7):
                stage.enqueue("part", f"{n}", group="g", task_id=f"{n}")
            await stage.until_processed(2)
            assert done.payloads == ["0,1,2", "3,4,5"]
            assert stage.ids("g:g") == ["6"]
            assert stage.redis.smembers(Q.groups) == {b"g"}

    async def test_a_crowd_is_taken_in_sets_of_the_size(self, stage: Stage) -> None:
        """As many as there are, and the remainder when it is quiet."""
        done = Done()
        stage.enqueue_many(10, group="g")
        async with stage.serving(done, aggregator=join, group_max_size=4, group_grace_period=1):
            await stage.until_processed(3)
        assert sorted(len(payload.split(",")) for payload in done.payloads) == [2, 4, 4]
        assert stage.left_keys() == set()

    async def test_when_its_oldest_task_has_waited_long_enough(self, stage: Stage) -> None:
        """Though others keep coming."""
        done = Done()
        stage.enqueue("part", "old", group="g")
        age(stage, "g", 30)
        stage.enqueue("part", "new", group="g")
        stage.enqueue("part", "alone", group="other")
        async with stage.serving(done, aggregator=join, group_max_delay=30, group_grace_period=3600):
            await stage.until_processed(1)
            assert done.payloads == ["old,new"]
            assert len(stage.ids("g:other")) == 1

    async def test_parts_of_a_second_are_rounded_up(self, stage: Stage) -> None:
        """Scores are whole seconds, and nothing should be early."""
        server = Server(stage.url, aggregator=join, group_grace_period=1.2, group_max_delay=0.5)
        async with server.running(Done()):
            assert server._rings is not None
            rules = server._rings._aggregator._rules
        assert (rules.grace_seconds, rules.max_delay_seconds) == (2, 1)

    async def test_many_groups_and_queues(self, stage: Stage) -> None:
        """Each by itself, all of them."""
        done = Done()
        names = [f"g{n}" for n in range(120)]
        for queue in ("default", "low"):
            for name in names:
                stage.enqueue("part", f"{queue} {name}", group=name, queue=queue)
                age(stage, name, 60, queue)
        async with stage.serving(done, aggregator=join, queues={"default": 1, "low": 1}):
            await eventually(lambda: len(done.payloads) == 240)
            await stage.until_processed(120)
            await stage.until_processed(120, "low")
        assert sorted(done.payloads) == sorted(f"{queue} {name}" for queue in ("default", "low") for name in names)
        assert stage.left_keys() == set()

    async def test_where_nothing_is_pushed(self, stage: Stage, start_server: StartServer) -> None:
        """Groups are polled, as by asynq."""
        server = start_server("valkey")
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", "default", "-client|tracking")
        done = Done()
        elsewhere = Stage(server.url, server.client())
        async with elsewhere.serving(done, aggregator=join, group_grace_period=1, group_max_size=2):
            elsewhere.enqueue("part", "a", group="g", task_id="a")
            elsewhere.enqueue("part", "b", group="g", task_id="b")
            elsewhere.enqueue("part", "c", group="h")
            await elsewhere.until_processed(2)
        assert sorted(done.payloads) == ["a,b", "c"]
        elsewhere.close()

    async def test_a_paused_queue_is_aggregated_too(self, stage: Stage) -> None:
        """As in asynq: only claiming looks at the flag."""
        stage.redis.set(Q.paused, 1)
        stage.enqueue("part", "a", group="g")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=join):
            await eventually(lambda: len(stage.ids("pending")) == 1)


class TestFunctions:
    """What aggregates, and what it may do."""

    async def test_a_plain_function_runs_in_a_thread(self, stage: Stage) -> None:
        """The event loop goes on meanwhile."""
        done = Done()
        threads: list[str] = []

        def plain(group: str, tasks: list[Task]) -> Task:
            threads.append(threading.current_thread().name)
            assert [task.type for task in tasks] == ["part", "part"]
            return Task("joined", f"{group}: {len(tasks)}")

        stage.enqueue("part", group="g")
        stage.enqueue("part", group="g")
        age(stage, "g", 60)
        async with stage.serving(done, aggregator=plain):
            await stage.until_processed(1)
        assert done.payloads == ["g: 2"]
        assert threads != [threading.main_thread().name]

    async def test_a_function_for_each_kind_of_group(self, stage: Stage) -> None:
        """By queue and by name; groups that nothing matches are left alone."""
        done = Done()
        aggregators = Aggregators()

        @aggregators.group("tenant-")
        async def tenants(group: str, tasks: list[Task]) -> Task:
            return Task("joined", f"tenants {group}")

        @aggregators.group("tenant-", queue="low")
        def cheap(group: str, tasks: list[Task]) -> Task:
            return Task("joined", f"cheap {group}")

        for queue, name in (("default", "tenant-1"), ("low", "tenant-1"), ("default", "other")):
            stage.enqueue("part", group=name, queue=queue)
            age(stage, name, 60, queue)
        async with stage.serving(done, aggregator=aggregators, queues={"default": 1, "low": 1}):
            await eventually(lambda: len(done.payloads) == 2)
            assert sorted(done.payloads) == ["cheap tenant-1", "tenants tenant-1"]
            assert len(stage.ids("g:other")) == 1

            aggregators.register(join, "other")  # while it runs; a group that changes is looked at again
            stage.enqueue("part", group="more")
            await eventually(lambda: len(done.payloads) == 3)

    async def test_the_function_sees_its_tasks(self, stage: Stage) -> None:
        """Type, payload, headers, id and queue of each."""
        seen: list[Task] = []

        async def look(group: str, tasks: list[Task]) -> Task:
            seen.extend(tasks)
            return Task("joined")

        info = stage.enqueue("part", {"n": 1}, group="g", headers={"trace": "7"}, queue="low")
        age(stage, "g", 60, "low")
        async with stage.serving(Done(), aggregator=look, queues={"low": 1}):
            await stage.until_gone(info)
        [task] = seen
        assert (task.type, task.json(), task.headers) == ("part", {"n": 1}, {"trace": "7"})
        assert (task.id, task.queue) == (info.id, "low")

    async def test_the_options_of_the_new_task_count(self, stage: Stage) -> None:
        """But for its queue and its group: it stays where the group was, and joins none, which would never end."""

        async def later(group: str, tasks: list[Task]) -> Task:
            options: Any = {"process_in": 3600, "max_retry": 3, "retention": 60, "task_id": "new", "unique_for": 7200}
            return Task("joined", b"x", queue="elsewhere", group="g", headers={"a": "b"}, **options)

        stage.enqueue("part", group="g")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=later):
            await eventually(lambda: stage.ids("scheduled") == ["new"])
        assert stage.redis.exists("asynq:{elsewhere}:t:new", Q.group("g"), Q.groups) == 0
        fields = stage.redis.hgetall(Q.task("new"))
        assert b"group" not in fields
        assert stage.redis.get(fields[b"unique_key"]) == b"new"
        assert stage.redis.smembers(keys.QUEUES) == {b"default"}

    async def test_a_function_may_return_one_of_its_tasks(self, stage: Stage) -> None:
        """With its payload and headers; it becomes a task of its own."""
        done = Done()
        info = stage.enqueue("joined", "a", group="g", headers={"trace": "7"})
        age(stage, "g", 60)
        async with stage.serving(done, aggregator=lambda group, tasks: tasks[0]):
            await stage.until_processed(1)
        assert (done.payloads, done.tasks[0].headers) == (["a"], {"trace": "7"})
        assert done.tasks[0].id != info.id
        assert stage.left_keys() == set()

    async def test_three_at_once_whatever_group(self, stage: Stage) -> None:
        """As in asynq; the others wait for their turn."""
        done, release = Done(), asyncio.Event()
        now = most = 0

        async def slow(group: str, tasks: list[Task]) -> Task:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await release.wait()
            now -= 1
            return Task("joined", group)

        for n in range(8):
            stage.enqueue("part", group=f"{n}")
            age(stage, f"{n}", 60)
        async with stage.serving(done, aggregator=slow):
            await eventually(lambda: now == 3)
            release.set()
            await stage.until_processed(8)
        assert most == 3
        assert stage.left_keys() == set()


def fail(group: str, tasks: list[Task]) -> Task:
    """Fail."""
    raise ValueError("no idea")


async def fail_later(group: str, tasks: list[Task]) -> Task:
    """Fail on the event loop."""
    raise ValueError("no idea")


def nothing(group: str, tasks: list[Task]) -> Any:
    """Forget to return something."""


async def leave(group: str, tasks: list[Task]) -> Task:
    """Try to end the program."""
    raise SystemExit(3)


async def too_large(group: str, tasks: list[Task]) -> Task:
    """A task that cannot be enqueued."""
    return Task("t", b"x" * (64 * 2**20 + 1))


class TestTrouble:
    """Nothing is lost, and nobody else is stopped."""

    @pytest.mark.parametrize("function", [fail, fail_later, nothing, leave, too_large])
    async def test_a_function_that_fails(
        self, stage: Stage, caplog: pytest.LogCaptureFixture, function: Callable[[str, list[Task]], Any]
    ) -> None:
        """It is logged; the tasks wait in their set, return when its time is over, and are aggregated again."""
        done = Done()
        aggregators = Aggregators()
        aggregators.register(function, "bad")
        aggregators.register(join, "good")
        bad = stage.enqueue("part", "b", group="bad")
        stage.enqueue("part", "g", group="good")
        age(stage, "bad", 60)
        age(stage, "good", 60)
        async with stage.serving(done, aggregator=aggregators):
            await stage.until_processed(1)
            await eventually(lambda: "will return to their group" in caplog.text)
            [set_key] = stage.redis.zrange(Q.aggregation_sets, 0, -1)
            assert stage.redis.zrange(set_key, 0, -1) == [bad.id.encode()]
            caplog.clear()
            stage.redis.zadd(Q.aggregation_sets, {set_key: math.floor(time.time()) - 1})
            await eventually(lambda: "will return to their group" in caplog.text, limit_seconds=30)
        assert done.payloads == ["g"]
        assert stage.state(bad) == "aggregating"

    @pytest.mark.parametrize("trouble", ["id", "lock"])
    async def test_a_task_that_cannot_be_created(
        self, stage: Stage, caplog: pytest.LogCaptureFixture, trouble: str
    ) -> None:
        """Its id or its lock is taken: the set waits for its deadline, and whatever is in the way has time to go."""
        stage.redis.set(Q.paused, 1)
        stage.enqueue("joined", "x", task_id="new", unique_for=3600)
        part = stage.enqueue("part", group="g")
        age(stage, "g", 60)

        async def collide(group: str, tasks: list[Task]) -> Task:
            return Task("other", task_id="new") if trouble == "id" else Task("joined", "x", unique_for=60)

        async with stage.serving(Done(), aggregator=collide):
            await eventually(lambda: "aggregation failed" in caplog.text)
        assert stage.state(part) == "aggregating"
        assert stage.redis.zcard(Q.aggregation_sets) == 1
        assert stage.ids("pending") == ["new"]

    @pytest.mark.parametrize("kind", ["async", "thread"])
    async def test_a_function_that_takes_too_long(
        self, stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """An async one is cancelled; a thread keeps its pass until it ends, and what it returns is not used."""
        monkeypatch.setattr(aggregator_module, "PASS_SECONDS", 0.3)
        release, ended = threading.Event(), threading.Event()

        async def slow(group: str, tasks: list[Task]) -> Task:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()
            raise AssertionError

        def stuck(group: str, tasks: list[Task]) -> Task:
            release.wait(60)
            ended.set()
            return Task("joined")

        part = stage.enqueue("part", group="g")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=slow if kind == "async" else stuck) as server:
            assert server._rings is not None
            if kind == "thread":
                await eventually(lambda: "does not return" in caplog.text)
                assert len(server._rings._aggregator._passes) == 1
                release.set()
            await eventually(lambda: "took too long" in caplog.text)
            assert ended.is_set()
            assert stage.state(part) == "aggregating"
            assert stage.redis.zcard(Q.aggregation_sets) == 1
            assert stage.ids("pending") == []

    async def test_a_timeout_of_the_function_itself_is_its_failure(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not that of the pass."""

        async def impatient(group: str, tasks: list[Task]) -> Task:
            raise TimeoutError("the other service does not answer")

        stage.enqueue("part", group="g")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=impatient):
            await eventually(lambda: "aggregate function failed" in caplog.text)
        assert "does not answer" in caplog.text

    async def test_a_message_that_cannot_be_read(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        """It is archived with the reason, and the others go on: asynq fails for ever here."""
        done = Done()
        stage.enqueue("part", "a", group="g", task_id="1")
        bad = stage.enqueue("part", "bad", group="g", task_id="2")
        stage.enqueue("part", "c", group="g", task_id="3")
        stage.redis.hset(Q.task(bad.id), "msg", b"\xff\xff")
        age(stage, "g", 60)
        async with stage.serving(done, aggregator=join):
            await stage.until_processed(1)
        assert done.payloads == ["a,c"]
        assert stage.ids("archived") == [bad.id]
        assert stage.redis.hget(Q.task(bad.id), "state") == b"archived"
        assert "unreadable task archived" in caplog.text
        assert stage.redis.exists(Q.groups, Q.aggregation_sets) == 0

    async def test_lost_connections(self, stage: Stage, start_proxy: StartProxy) -> None:
        """Replies are lost again and again: each task ends up in exactly one of the joined ones."""
        proxy = start_proxy(stage.url)
        done = Done()
        stage.enqueue_many(600, group="g")

        def reached(count: int) -> bool:
            return len(done.payloads) >= count

        async with stage.serving(done, redis=proxy.url, aggregator=join, group_max_size=20, group_grace_period=1):
            for dropped in range(8):
                proxy.drop_after(dropped * 61, toward="client")
                await eventually(functools.partial(reached, min(len(done.payloads) + 1, 30)))
            await eventually(lambda: not stage.ids("g:g") and not stage.redis.exists(Q.aggregation_sets))
            await until_all_is_gone(stage)
        numbers = [int(number) for payload in done.payloads for number in payload.split(",")]
        assert sorted(numbers) == list(range(600))

    async def test_a_task_that_cannot_be_stored_at_once(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        """Redis refuses for a while: what the function returned is stored when it does not any more."""
        done = Done()
        calls = 0

        async def counted(group: str, tasks: list[Task]) -> Task:
            nonlocal calls
            calls += 1
            stage.redis.set(Q.pending, "no list")  # so that the script fails
            return await join(group, tasks)

        stage.enqueue("part", "a", group="g")
        age(stage, "g", 60)
        async with stage.serving(done, aggregator=counted, group_grace_period=1):
            await eventually(lambda: "cannot be stored, will try again" in caplog.text)
            stage.redis.delete(Q.pending)
            await stage.until_processed(1)
        assert (done.payloads, calls) == (["a"], 1)


class TestLocks:
    """Uniqueness of tasks in groups."""

    @pytest.mark.parametrize("noted", [True, False], ids=["ours", "Go's"])
    async def test_locks_of_aggregated_tasks_are_released(self, stage: Stage, noted: bool) -> None:
        """Also those that a Go client did not note in the hash; asynq keeps them to the end of their time."""
        info = stage.enqueue("part", "a", group="g", unique_for=3600)
        if not noted:
            stage.redis.hdel(Q.task(info.id), "unique_key")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=join):
            await stage.until_processed(1)
        assert stage.left_keys() == set()

    async def test_a_lock_that_has_another_holder_stays(self, stage: Stage) -> None:
        """Only the value tells whose it is."""
        stage.enqueue("part", "a", group="g", unique_for=3600)
        lock = Q.unique("part", b"a")
        stage.redis.set(lock, "another")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=join):
            await stage.until_processed(1)
        assert stage.redis.get(lock) == b"another"


class TestReturning:
    """Tasks that come back to a group are found there."""

    @pytest.mark.parametrize("aggregates", [True, False])
    async def test_a_set_of_a_go_server_that_died(self, stage: Stage, aggregates: bool) -> None:
        """Any server gives it back and lists the group; one with a function aggregates it."""
        done = Done()
        info = stage.enqueue("part", "a", group="g")
        age(stage, "g", 60)
        set_aside(stage, "g", deadline=time.time() - 1)
        async with stage.serving(done, aggregator=join if aggregates else None):
            if aggregates:
                await stage.until_processed(1)
                assert done.payloads == ["a"]
            else:
                await eventually(lambda: stage.ids("g:g") == [info.id])
                assert stage.redis.smembers(Q.groups) == {b"g"}

    async def test_a_set_that_becomes_stale_while_the_server_runs(self, stage: Stage) -> None:
        """It is noticed."""
        done = Done()
        async with stage.serving(done, aggregator=join):
            stage.enqueue("part", "a", group="g")
            age(stage, "g", 60)  # nobody is told: a server looks when it falls due by its first score
            set_aside(stage, "g", deadline=time.time() + 2)
            await stage.until_processed(1)
        assert done.payloads == ["a"]

    async def test_a_set_that_a_go_server_reclaims_while_ours_runs(self, stage: Stage) -> None:
        """Go puts the tasks back and forgets to list the group: we do."""
        info = stage.enqueue("part", "a", group="g")
        set_key = set_aside(stage, "g", deadline=time.time() + 1000)
        async with stage.serving(Done()) as server:
            assert server._rings is not None
            reclaimer: Reclaimer = server._rings._reclaimer
            await eventually(lambda: reclaimer._seen.get("default") == {set_key})
            pipe = stage.redis.pipeline(transaction=True)
            pipe.rename(set_key, Q.group("g"))
            pipe.zrem(Q.aggregation_sets, set_key)
            pipe.execute()
            await eventually(lambda: stage.redis.smembers(Q.groups) == {b"g"}, limit_seconds=30)
        assert stage.ids("g:g") == [info.id]

    async def test_a_group_that_go_forwarded_a_task_to(self, stage: Stage) -> None:
        """Go does not list it; a server that has seen the group looks there again."""
        done = Done()
        async with stage.serving(done, aggregator=join, group_max_size=1) as server:
            stage.enqueue("part", "a", group="g")
            await stage.until_processed(1)
            info = stage.enqueue("part", "b", group="g", process_in=3600)
            pipe = stage.redis.pipeline(transaction=True)
            pipe.zrem(Q.scheduled, info.id)
            pipe.zadd(Q.group("g"), {info.id: math.floor(time.time())})
            pipe.hset(Q.task(info.id), "state", "aggregating")
            pipe.execute()
            assert server._rings is not None
            await server._rings._aggregator._watch._relist()  # what it does once a minute
            await stage.until_processed(2)
        assert done.payloads == ["a", "b"]

    async def test_scheduled_tasks_join_their_group_and_are_found(self, stage: Stage) -> None:
        """When their moment comes."""
        done = Done()
        stage.enqueue("part", "a", group="g", process_in=0.2)
        stage.enqueue("part", "b", group="g", process_in=0.3)
        async with stage.serving(done, aggregator=join, group_grace_period=1):
            await eventually(lambda: sum(len(payload.split(",")) for payload in done.payloads) == 2)
            await until_all_is_gone(stage)

    async def test_a_grouped_task_that_ran_alone_and_failed_returns_to_its_group(self, stage: Stage) -> None:
        """Somebody ran it by hand; its retry is with the others."""
        done = Done()

        async def handler(task: Task) -> None:
            if task.type == "part":
                raise RuntimeError("not alone")
            await done(task)

        info = stage.enqueue("part", "a", group="g")
        stage.redis.zrem(Q.group("g"), info.id)
        stage.redis.srem(Q.groups, "g")
        stage.redis.hset(Q.task(info.id), "state", "pending")
        stage.redis.lpush(Q.pending, info.id)
        async with stage.serving(handler, aggregator=join, group_grace_period=1, retry_delay=lambda *_: 0.1):
            await eventually(lambda: done.payloads == ["a"])
            await until_all_is_gone(stage)

    async def test_what_a_dead_process_began_to_delete_is_deleted(self, stage: Stage) -> None:
        """Parts of a large set whose task exists already; they do not come back."""
        info = stage.enqueue("part", "a", group="g")
        set_key = set_aside(stage, "g", deadline=1)
        stage.redis.rename(Q.aggregation_sets, Q.spent)
        async with stage.serving(Done(), aggregator=join):
            await stage.until_gone(info)
        assert stage.redis.exists(set_key, Q.spent, Q.group("g")) == 0


class TestEnding:
    """What runs when the server ends."""

    async def test_a_pass_may_end_within_the_shutdown_timeout(self, stage: Stage) -> None:
        """The task is there afterwards, for the next server."""
        began, release = asyncio.Event(), asyncio.Event()

        async def slow(group: str, tasks: list[Task]) -> Task:
            began.set()
            await release.wait()
            return await join(group, tasks)

        stage.enqueue("part", "a", group="g")
        age(stage, "g", 60)
        async with stage.serving(Done(), aggregator=slow) as server:
            await soon(began)
            server.shutdown()
            asyncio.get_running_loop().call_later(0.2, release.set)
        [task_id] = stage.ids("pending")
        assert stage.redis.hget(Q.task(task_id), "state") == b"pending"
        assert stage.redis.exists(Q.groups, Q.group("g"), Q.aggregation_sets) == 0

    @pytest.mark.parametrize("kind", ["async", "thread"])
    async def test_a_pass_that_does_not_gives_its_tasks_back(self, stage: Stage, kind: str) -> None:
        """At once, so that no other server has to wait for the deadline."""
        began, release = threading.Event(), threading.Event()

        async def slow(group: str, tasks: list[Task]) -> Task:
            began.set()
            await asyncio.Event().wait()
            raise AssertionError

        def stuck(group: str, tasks: list[Task]) -> Task:
            began.set()
            release.wait(60)
            return Task("joined")

        info = stage.enqueue("part", "a", group="g")
        age(stage, "g", 60)
        function: Any = slow if kind == "async" else stuck
        async with stage.serving(Done(), aggregator=function, shutdown_timeout=0.1):
            await eventually(began.is_set)
        release.set()
        assert stage.ids("g:g") == [info.id]
        assert stage.redis.smembers(Q.groups) == {b"g"}
        assert stage.redis.exists(Q.aggregation_sets, Q.pending) == 0

    async def test_nothing_new_begins(self, stage: Stage) -> None:
        """Groups that are due wait for another server."""
        began, release = asyncio.Event(), asyncio.Event()

        async def slow(group: str, tasks: list[Task]) -> Task:
            began.set()
            await release.wait()
            return await join(group, tasks)

        infos: list[TaskInfo] = []
        for n in range(10):
            infos.append(stage.enqueue("part", f"{n}", group=f"{n}"))
            age(stage, f"{n}", 60)
        async with stage.serving(Done(), aggregator=slow) as server:
            await soon(began)
            await eventually(lambda: stage.redis.zcard(Q.aggregation_sets) == 3)
            server.shutdown()
            asyncio.get_running_loop().call_later(0.2, release.set)
        assert len(stage.ids("pending")) == 3
        assert sum(stage.state(info) == "aggregating" for info in infos) == 7
        assert stage.redis.scard(Q.groups) == 7


@pytest.mark.parametrize("moment", ["set made", "in the function", "task created"])
async def test_a_worker_that_is_killed_loses_nothing(stage: Stage, moment: str, tmp_path: Any) -> None:
    """kill -9, wherever it is: each task ends up in one joined task, and only once."""
    infos = stage.enqueue_many(30, group="g")
    marks = tmp_path / "marks"
    stage.redis.set(Q.paused, 1)  # a task that the worker had claimed would wait for its lease
    with worker(stage.url, marks=marks, aggregation=moment, group_grace_period=1, queues={"default": 1}) as process:
        await eventually(lambda: marks.exists() and marks.read_bytes().startswith(b"reached"), limit_seconds=30)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    if moment != "task created":
        [set_key] = stage.redis.zrange(Q.aggregation_sets, 0, -1)
        assert stage.redis.zcard(set_key) == 30
        assert {stage.state(info) for info in infos} == {"aggregating"}
        stage.redis.zadd(Q.aggregation_sets, {set_key: math.floor(time.time()) - 1})  # two minutes pass
    stage.redis.delete(Q.paused)
    done = Done()
    async with stage.serving(done, aggregator=join, group_grace_period=1):
        await stage.until_processed(1)
        await until_all_is_gone(stage)
    assert len(done.payloads) == 1
    assert sorted(map(int, done.payloads[0].split(","))) == list(range(30))


@pytest.mark.slow
async def test_a_hundred_thousand_tasks_are_aggregated_in_sets(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Each of them once, in sets of a thousand, and no call of the server takes long enough to be felt."""
    caplog.set_level(logging.WARNING)
    count = 100_000
    seen = bytearray(count)
    sizes: list[int] = []

    async def tally(group: str, tasks: list[Task]) -> Task:
        sizes.append(len(tasks))
        for task in tasks:
            seen[int(task.payload)] += 1
        return Task("joined", f"{len(tasks)}")

    for result in stage.client.enqueue_stream(Task("part", n, group="g") for n in range(count)):
        result.unwrap()
    age_by_renaming(stage.redis)
    async with stage.serving(Done(), aggregator=tally):
        await stage.until_processed(count // 1000)
    assert seen == bytes([1]) * count
    assert sizes == [1000] * 100
    assert stage.left_keys() == set()


def age_by_renaming(redis: Redis) -> None:
    """Let a minute pass for the huge group ``g``."""
    redis.zunionstore(Q.group("g"), {Q.group("g"): 1.0, "asynq:{default}:none": 1.0}, aggregate="MIN")
    redis.eval(
        "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -60, m) end",
        1,
        Q.group("g"),
    )


@pytest.mark.slow
async def test_a_set_larger_than_a_call(stage: Stage) -> None:
    """A size that was asked for is kept: one task of 2500, formed and deleted in pages."""
    done = Done()
    stage.enqueue_many(2600, group="g")
    async with stage.serving(done, aggregator=join, group_max_size=2500):
        await stage.until_processed(1)
        await eventually(lambda: not stage.redis.exists(Q.spent))
    [payload] = done.payloads
    assert len(payload.split(",")) == 2500
    assert stage.redis.zcard(Q.group("g")) == 100
    assert flows.LARGEST_SET == 1000


async def test_an_idle_server_with_groups_asks_next_to_nothing(stage: Stage, redis: Redis) -> None:
    """Fewer than three commands a second, with a hundred queues and groups that wait."""
    for n in range(20):
        stage.enqueue("part", group=f"{n}", queue="q0")
    queues = {f"q{n}": 1 for n in range(100)}
    settings: dict[str, Any] = {"group_max_size": 100, "group_max_delay": 1000, "group_grace_period": 600}
    async with stage.serving(Done(), queues=queues, aggregator=join, **settings) as server:
        assert server._rings is not None
        watch, readiness = server._rings._aggregator._watch, server._rings._processor.readiness
        await eventually(lambda: len(watch._moments) == 20 and min(watch._moments.values()) > 0)
        await eventually(lambda: not readiness.ready and not readiness._to_arm)
        await asyncio.sleep(6)  # the last of the start, a round of reclaimer and recoverer included
        before = redis.info("stats")["total_commands_processed"]
        await asyncio.sleep(6)  # a rate needs a while
        after = redis.info("stats")["total_commands_processed"]
    assert (after - before - 1) / 6 < 3
