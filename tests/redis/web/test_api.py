"""Our own API: what it tells, what it does, and how it refuses."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from redis import Redis

from asynqpy import Client, Inspector, ServeMux, Server, SkipRetry, Task
from tests.eventually import eventually
from tests.redis.seed import Queue

from .asking import V2, Stream, finished, get, post
from .conftest import OpenApp, Web
from .test_asynqmon_api import announce, fill

pytestmark = pytest.mark.anyio


def state_of(redis_url: str, task_id: str) -> str:
    """The state of a task of the queue ``default``."""
    with Inspector(redis_url) as inspector:
        return inspector.task_info("default", task_id).state.value


class TestQueues:
    """Queues: listed, looked at, changed."""

    async def test_list(self, web: Web, redis: Redis) -> None:
        """Pages, filters, order, sums."""
        for at in range(5):
            redis.sadd("asynq:queues", f"q{at}")
            Queue(redis, f"q{at}").pending(*(f"t{n}" for n in range(at)))
        page = await get(web, "/queues?limit=2&sort=size&descending=true")
        assert [queue["queue"] for queue in page["items"]] == ["q4", "q3"]
        assert (page["total"], page["sums"]["pending"]) == (5, 10)
        assert page["items"][0]["memory_usage_bytes"] is None
        page = await get(web, f"/queues?limit=2&sort=size&descending=true&cursor={page['next_cursor']}")
        assert [queue["queue"] for queue in page["items"]] == ["q2", "q1"]
        assert [queue["queue"] for queue in (await get(web, "/queues?name=*3"))["items"]] == ["q3"]
        assert (await get(web, "/queues?state=pending"))["total"] == 4
        assert (await get(web, "/queues?memory=true&name=q4"))["items"][0]["memory_usage_bytes"] > 0

    async def test_pause_and_remove(self, web: Web, low: Queue) -> None:
        """What is answered is what is so now."""
        assert (await post(web, "/queues/low/pause"))["paused"]
        assert (await post(web, "/queues/low/pause"))["paused"]
        assert not (await post(web, "/queues/low/resume"))["paused"]
        low.pending("a")
        problem = (await web.delete(f"{V2}/queues/low")).json()
        assert (problem["status"], problem["code"], problem["counts"]) == (409, "queue_not_empty", {"pending": 1})
        assert (await web.delete(f"{V2}/queues/low?force=true")).status_code == 204
        assert (await get(web, "/queues/low", 404))["code"] == "queue_not_found"

    async def test_days_groups_and_check(self, web: Web, redis: Redis, low: Queue) -> None:
        """What else is known of a queue."""
        fill(low)
        assert len((await get(web, "/queues/low/history?days=3"))["items"]) == 3
        assert (await get(web, "/queues/low/groups"))["items"] == [{"group": "g", "size": 1}]
        for queue, processed, failed in (("low", 5, 2), ("high", 7, 1)):
            redis.sadd("asynq:queues", queue)
            date = datetime.now(UTC).date().isoformat()
            redis.set(f"asynq:{{{queue}}}:processed:{date}", processed)
            redis.set(f"asynq:{{{queue}}}:failed:{date}", failed)
        both = await get(web, "/history?days=2")
        today, yesterday = both["items"]
        assert (today["processed"], today["succeeded"], today["failed"], yesterday["processed"]) == (12, 9, 3, 0)
        assert (both["queues"], both["total_queues"]) == (2, 2)
        assert (await get(web, "/history?days=1&queue=high"))["items"][0]["processed"] == 7
        low.hash("lost", "pending")
        report = await post(web, "/queues/low/check")
        assert (report["counts"], report["repaired"]) == ({"homeless_task": 1}, 0)
        assert (await post(web, "/queues/low/check?repair=true"))["repaired"] == 1

    async def test_names_with_slashes(self, web: Web, redis: Redis) -> None:
        """A slash in a name is written %2F."""
        redis.sadd("asynq:queues", "a/b")
        Queue(redis, "a/b").pending("x/y")
        assert (await get(web, "/queues/a%2Fb"))["pending"] == 1
        assert (await get(web, "/queues/a%2Fb/tasks/x%2Fy"))["id"] == "x/y"
        assert (await get(web, "/queues/a/b", 404))["code"] == "not_found"


class TestTasks:
    """Tasks: found, looked at, changed."""

    async def test_find(self, web: Web, client: Client) -> None:
        """By what they are, over all queues, page by page, with the coverage."""
        for at in range(10):
            client.enqueue(Task("email:a" if at % 2 else "image", {"n": at}), queue="low" if at < 5 else "high")
        page = await get(web, "/tasks?type=email:*&limit=3")
        assert [task["type"] for task in page["items"]] == ["email:a"] * 3
        assert page["cli"] == "asynqpy task find --type 'email:*'"
        rest = await get(web, f"/tasks?type=email:*&limit=3&cursor={page['next_cursor']}")
        assert len(rest["items"]) == 2
        assert rest["coverage"]["is_complete"]
        assert rest["next_cursor"] is None
        few = await get(web, "/tasks?payload=nothing&budget=4")
        assert (few["items"], few["coverage"]["scanned"], few["coverage"]["is_complete"]) == ([], 4, False)
        everything = await get(web, "/tasks?state=pending&queue=low")
        assert everything["total"] == 5
        task = everything["items"][0]
        assert task["actions"] == ["archive", "delete", "edit", "move"]
        assert task["payload"] == {"kind": "json", "text": '{"n":0}', "size": 7, "encodings": [], "is_cut": False}
        assert [each["id"] for each in (await get(web, f"/tasks?id={task['id']}"))["items"]] == [task["id"]]
        begun = await get(web, f"/tasks?id_prefix={task['id'][:13]}")
        assert [each["id"] for each in begun["items"]] == [task["id"]]
        assert begun["cli"] == f"asynqpy task find --id-prefix {task['id'][:13]}"
        assert begun["total"] is None

    async def test_find_by_headers_and_fields(self, web: Web, client: Client) -> None:
        """Several must all fit; what makes no sense is a problem."""
        client.enqueue(Task("t", {"user": {"id": 2**53 + 1}, "to": "Jo A"}), task_id="a", headers={"tenant": "acme"})
        client.enqueue(Task("t", {"user": {"id": 2**53}}), task_id="b", headers={"tenant": "acme", "trace": "1"})

        async def ids(**query: Any) -> list[str]:
            answer = await web.get(f"{V2}/tasks", params=query)
            assert answer.status_code == 200, answer.text
            return sorted(task["id"] for task in answer.json()["items"])

        assert await ids(field=f"user.id={2**53 + 1}") == ["a"]
        assert await ids(field=["user.id", "to=Jo A"]) == ["a"]
        assert await ids(field=f'user.id="{2**53}"') == []
        assert await ids(header="tenant=acme") == ["a", "b"]
        assert await ids(header=["tenant=acme", "trace"]) == ["b"]
        answer = await web.get(f"{V2}/tasks", params={"header": "tenant=acme", "field": ["user.id=1", "to=Jo A"]})
        found = answer.json()
        assert (found["items"], found["total"], found["coverage"]["scanned"]) == ([], None, 2)
        assert found["cli"] == "asynqpy task find --header tenant=acme --field user.id=1 --field 'to=Jo A'"
        for query in ({"field": "user..id=1"}, {"field": "tags=[1]"}, {"header": ["a=1", "a=2"]}, {"header": "=x"}):
            assert (await web.get(f"{V2}/tasks", params=query)).status_code == 422  # type: ignore[arg-type]
        answer = await web.get(f"{V2}/tasks", params={"field": ["a"] * 21})
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("state=none", "invalid_query"),
            ("limit=0", "invalid_query"),
            ("limit=1001", "invalid_query"),
            ("budget=100001", "invalid_query"),
            ("cursor=x", "invalid_query"),
            ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "invalid_query"),
        ],
    )
    async def test_what_cannot_be_found(self, web: Web, low: Queue, query: str, code: str) -> None:
        """Refused as problem JSON."""
        answer = await web.get(f"{V2}/tasks?{query}")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["code"]) == (422, code)

    async def test_details(self, web: Web, client: Client) -> None:
        """Everything, the uniqueness lock and the whole payload included."""
        info = client.enqueue(Task("t", {"text": "x" * 5000}), unique_for=60, headers={"trace": "1"}, retention=60)
        task = await get(web, f"/queues/default/tasks/{info.id}")
        assert len(task["payload"]["text"]) > 5000
        assert task["headers"] == {"trace": "1"}
        assert task["lock"]["is_held_by_it"]
        assert task["retention_seconds"] == 60
        assert task["cli"] == [f"asynqpy task inspect --queue default --id {info.id}"]
        answer = await web.get(f"{V2}/queues/default/tasks/{info.id}/payload")
        assert answer.content == info.payload
        assert answer.headers["content-disposition"].startswith("attachment")
        assert (await get(web, f"/queues/default/tasks/{info.id}/result", 404))["code"] == "not_found"

    async def test_enqueue_and_edit(self, web: Web, redis: Redis) -> None:
        """A new task with all options; another payload; what is not possible is a problem."""
        body = {"type": "t", "payload": {"a": 1}, "task_id": "one", "process_in_seconds": 60, "max_retry": 3}
        task = await post(web, "/queues/new/tasks", body, 201)
        assert (task["id"], task["state"], task["max_retry"]) == ("one", "scheduled", 3)
        assert (await post(web, "/queues/new/tasks", body, 409))["code"] == "task_id_conflict"
        new = await web.put(
            f"{V2}/queues/new/tasks/one/payload", json={"payload_base64": base64.b64encode(b"z").decode()}
        )
        assert new.json()["payload"]["text"] == "z"
        assert (await post(web, "/queues/new/tasks", {"type": " "}, 422))["code"] == "invalid_task"
        assert (await post(web, "/queues/new/tasks", {"type": "t", "odd": 1}, 422))["code"] == "invalid_query"

    @pytest.mark.parametrize(
        ("state", "action", "ends"),
        [
            ("scheduled", "run", "pending"),
            ("pending", "archive", "archived"),
            ("completed", "delete", None),
            ("active", "cancel", "active"),
            ("pending", "move", None),
        ],
    )
    async def test_actions(self, web: Web, low: Queue, state: str, action: str, ends: str | None) -> None:
        """Each action does what it says."""
        fill(low)
        body = {"to_queue": "high"} if action == "move" else None
        await post(web, f"/queues/low/tasks/{state}/actions/{action}", body, 204)
        if ends is None:
            await get(web, f"/queues/low/tasks/{state}", 404)
        else:
            assert (await get(web, f"/queues/low/tasks/{state}"))["state"] == ends

    async def test_again(self, web: Web, low: Queue) -> None:
        """Answers with the new task, wherever that is; the old one stays."""
        fill(low)
        for body, queue in ((None, "low"), ({"to_queue": "high"}, "high")):
            copy = await post(web, "/queues/low/tasks/archived/actions/again", body, 201)
            assert (copy["queue"], copy["state"]) == (queue, "pending")
            assert copy["id"] != "archived"
            assert (await get(web, f"/queues/{queue}/tasks/{copy['id']}"))["type"] == copy["type"]
        assert (await get(web, "/queues/low/tasks/archived"))["state"] == "archived"

    async def test_actions_that_are_not_allowed(self, web: Web, low: Queue) -> None:
        """The state decides, and the problem says so."""
        fill(low)
        problem = await post(web, "/queues/low/tasks/active/actions/delete", None, 409)
        assert (problem["code"], problem["state"], problem["task_id"]) == ("task_state", "active", "active")
        assert (await post(web, "/queues/low/tasks/pending/actions/cancel", None, 409))["code"] == "task_state"
        assert (await post(web, "/queues/low/tasks/none/actions/run", None, 404))["code"] == "task_not_found"
        assert (await post(web, "/queues/low/tasks/pending/actions/move", None, 422))["code"] == "invalid_query"

    async def test_who_was_asked_to_stop_is_told_to_everybody(self, web: Web, redis_url: str, client: Client) -> None:
        """In lists, in its details and with its server, as long as the attempt lasts; by jobs as well."""
        mux, ended = ServeMux(), asyncio.Event()

        @mux.handler("stubborn")
        async def hold(task: Task) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await ended.wait()
                raise

        async def told(path: str) -> list[Any]:
            return [each["cancel_requested_at"] for each in (await get(web, path))["items"]]

        async with Server(redis_url, concurrency=2, cancel_grace=60).running(mux) as server:
            one, other = (client.enqueue(Task("stubborn"), max_retry=1) for _ in range(2))
            heartbeater = server._rings._heartbeater  # type: ignore[union-attr]
            in_redis: Any = Redis.from_url(redis_url)
            await eventually(lambda: in_redis.llen("asynq:{default}:active") == 2)
            in_redis.close()
            await asyncio.to_thread(heartbeater.beat)
            assert await told("/tasks?state=active") == [None, None]
            before = datetime.now(UTC)
            watched = f"task=default/{one.id}".encode()
            async with Stream(web.app, f"{V2}/events", watched) as stream:
                heard = {kind: data["values"] for kind, data in [await stream.next() for _ in range(6)]}
                assert heard["tasks"][f"default/{one.id}"]["cancel_requested_at"] is None
                await post(web, f"/queues/default/tasks/{one.id}/actions/cancel", None, 204)
                heard = {}
                while heard.keys() < {"tasks", "servers"}:
                    kind, data = await stream.next()
                    heard[kind] = data["values"]
                assert heard["tasks"][f"default/{one.id}"]["cancel_requested_at"]
                (running,) = heard["servers"].values()
                assert {each["task_id"] for each in running["workers"] if each["cancel_requested_at"]} == {one.id}
            path = f"/queues/default/tasks/{one.id}"
            asked = (await get(web, path))["cancel_requested_at"]
            assert before <= datetime.fromisoformat(asked) <= datetime.now(UTC)
            assert sorted(await told("/tasks?state=active"), key=str) == [asked, None]
            (shown,) = (await get(web, "/servers"))["items"]
            assert {each["task_id"]: each["cancel_requested_at"] for each in shown["workers"]} == {
                one.id: asked,
                other.id: None,
            }
            job = await post(web, "/jobs", {"action": "cancel", "filter": {"states": ["active"]}}, 202)
            await finished(web, job["id"])
            assert None not in await told("/tasks?state=active")
            ended.set()
            await eventually(lambda: state_of(redis_url, one.id) == "retry")
            web.app.brokers["default"].reads.forget()
            assert (await get(web, path))["cancel_requested_at"] is None


class TestJobs:
    """Actions on many tasks."""

    async def test_on_those_named(self, web: Web, low: Queue) -> None:
        """Each has its result, and trouble with one spares the others."""
        low.pending("a", "b")
        tasks = [{"queue": "low", "id": name} for name in ("a", "b", "none")]
        job = await post(web, "/jobs", {"action": "archive", "tasks": tasks}, 202)
        job = await finished(web, job["id"])
        assert (job["state"], job["done"], job["failed"], job["total"]) == ("done", 2, 1, 3)
        results = (await get(web, f"/jobs/{job['id']}/results"))["items"]
        assert [(each["task_id"], bool(each["error"])) for each in results] == [
            ("a", False),
            ("b", False),
            ("none", True),
        ]
        assert (await get(web, f"/jobs/{job['id']}/results?failed=true"))["total"] == 1
        assert [each["id"] for each in (await get(web, "/jobs"))["items"]] == [job["id"]]

    async def test_on_all_that_fit(self, web: Web, client: Client) -> None:
        """First told, then done; what does not fit stays."""
        for at in range(250):
            client.enqueue(Task("x" if at % 5 else "y"), queue="low")
        wanted = {"action": "delete", "filter": {"type": "x", "states": ["pending", "active"]}}
        preview = await post(web, "/jobs/preview", wanted)
        assert (preview["matched"], len(preview["sample"]), preview["must_confirm"]) == (200, 5, True)
        job = await finished(web, (await post(web, "/jobs", wanted, 202))["id"])
        assert (job["state"], job["done"], job["scanned"]) == ("done", 200, 250)
        assert (await get(web, "/queues/low"))["pending"] == 50

    async def test_on_ids_that_begin_alike(self, web: Web, client: Client) -> None:
        """Those alone, not the whole state."""
        for name in ("order-1", "order-2", "bill-1"):
            client.enqueue(Task("t", {}), queue="low", task_id=name)
        wanted = {"action": "delete", "filter": {"id_prefix": "order-", "states": ["pending"]}}
        assert (await post(web, "/jobs/preview", wanted))["matched"] == 2
        job = await finished(web, (await post(web, "/jobs", wanted, 202))["id"])
        assert (job["state"], job["done"]) == ("done", 2)
        assert [task["id"] for task in (await get(web, "/tasks?state=pending"))["items"]] == ["bill-1"]

    @pytest.mark.parametrize("filter", [{"headers": ["tenant=acme"]}, {"fields": ["user.id=7"]}], ids=str)
    async def test_on_what_is_inside(self, web: Web, client: Client, filter: dict[str, Any]) -> None:
        """Those that fit alone, never the whole state."""
        client.enqueue(Task("t", {"user": {"id": 7}}), queue="low", task_id="a", headers={"tenant": "acme"})
        client.enqueue(Task("t", {"user": {"id": 8}}), queue="low", task_id="b", headers={"tenant": "other"})
        wanted = {"action": "delete", "filter": {"states": ["pending"], **filter}}
        preview = await post(web, "/jobs/preview", wanted)
        assert (preview["matched"], [task["id"] for task in preview["sample"]]) == (1, ["a"])
        job = await finished(web, (await post(web, "/jobs", wanted, 202))["id"])
        assert (job["state"], job["done"], job["scanned"]) == ("done", 1, 2)
        assert [task["id"] for task in (await get(web, "/tasks?state=pending"))["items"]] == ["b"]

    async def test_on_whole_states(self, web: Web, low: Queue) -> None:
        """Dealt with at once, groups too."""
        fill(low)
        job = await post(web, "/jobs", {"action": "delete", "filter": {}}, 202)
        assert job["total"] == 6
        job = await finished(web, job["id"])
        assert (job["state"], job["done"]) == ("done", 6)
        assert (await get(web, "/queues/low"))["size"] == 1

    async def test_move(self, web: Web, client: Client) -> None:
        """To another queue, which is not searched itself; results tell where each is now."""
        info = client.enqueue(Task("t"), queue="low")
        client.enqueue(Task("t"), queue="high")
        job = await post(web, "/jobs", {"action": "move", "filter": {}, "to_queue": "high"}, 202)
        assert (job["queues"], (await finished(web, job["id"]))["done"]) == (["low"], 1)
        assert (await get(web, "/queues/high"))["pending"] == 2
        (result,) = (await get(web, f"/jobs/{job['id']}/results"))["items"]
        assert (result["queue"], result["new_queue"], result["new_task_id"]) == ("low", "high", info.id)

    async def test_copies(self, web: Web, low: Queue) -> None:
        """Results of tasks that were enqueued again name the new ones; refusals name none."""
        fill(low)
        named = [{"queue": "low", "id": task_id} for task_id in ("archived", "pending")]
        job = await post(web, "/jobs", {"action": "again", "tasks": named}, 202)
        await finished(web, job["id"])
        made, refused = (await get(web, f"/jobs/{job['id']}/results"))["items"]
        assert (refused["task_id"], refused["new_queue"], refused["new_task_id"]) == ("pending", "", "")
        copy = await get(web, f"/queues/{made['new_queue']}/tasks/{made['new_task_id']}")
        assert (copy["queue"], copy["state"], copy["id"] != "archived") == ("low", "pending", True)

    async def test_cancel(self, web: Web, open_app: OpenApp, low: Queue, monkeypatch: Any) -> None:
        """A job that is stopped says so; what it has done stays done."""
        low.pending("a", "b")
        reached = asyncio.Event()
        broker = next(iter(web.app.brokers.values()))

        async def stuck(queue: str, task_id: str) -> None:
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(broker.inspector, "archive_task", stuck)
        job = await post(web, "/jobs", {"action": "archive", "tasks": [{"queue": "low", "id": "a"}]}, 202)
        await reached.wait()
        answer = await web.delete(f"{V2}/jobs/{job['id']}")
        assert answer.json()["state"] == "cancelled"

    async def test_what_is_under_way_is_counted(self, web: Web, low: Queue, monkeypatch: Any) -> None:
        """A job ends after the step that it is at, and tells all that it has done."""
        names = [f"task-{at}" for at in range(250)]
        low.pending(*names)
        second, go_on = asyncio.Event(), asyncio.Event()
        inspector = next(iter(web.app.brokers.values())).inspector
        archive, begun = inspector.archive_task, []

        async def slow(queue: str, task_id: str) -> None:
            begun.append(task_id)
            if len(begun) > 150:
                second.set()
                await go_on.wait()
            await archive(queue, task_id)

        monkeypatch.setattr(inspector, "archive_task", slow)
        job = await post(
            web, "/jobs", {"action": "archive", "tasks": [{"queue": "low", "id": name} for name in names]}, 202
        )
        await second.wait()
        stopping = asyncio.create_task(web.delete(f"{V2}/jobs/{job['id']}"))
        await asyncio.sleep(0)
        go_on.set()
        told = (await stopping).json()
        assert (told["state"], told["done"], told["failed"], told["total"]) == ("cancelled", 200, 0, 250)
        assert (await get(web, "/queues/low"))["archived"] == 200
        assert (await get(web, f"/jobs/{job['id']}/results"))["total"] == 200

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "run"},
            {"action": "run", "tasks": [], "filter": None},
            {"action": "run", "tasks": [{"queue": "low", "id": "a"}], "filter": {}},
            {"action": "cancel", "filter": {"states": ["pending"]}},
            {"action": "edit", "filter": {}},
            {"action": "move", "filter": {}},
        ],
    )
    async def test_that_make_no_sense(self, web: Web, low: Queue, body: Any) -> None:
        """Refused."""
        assert (await post(web, "/jobs", body, 422))["code"] == "invalid_query"
        assert (await get(web, "/jobs/none", 404))["code"] == "not_found"


class TestFailures:
    """Failures that are alike."""

    async def test_groups(self, web: Web, redis_url: str, client: Client) -> None:
        """By error, text and place, whatever the type and queue; one group can be run again."""
        mux = ServeMux()

        @mux.handler("a")
        @mux.handler("b")
        async def fail(task: Task) -> None:
            if task.json()["kind"] == "no user":
                raise KeyError(f"user {task.json()['n']}")
            raise SkipRetry(f"took {task.json()['n']} ms")

        for at in range(6):
            client.enqueue(
                Task("a" if at % 2 else "b", {"n": at, "kind": "slow" if at < 2 else "no user"}),
                queue="low" if at < 3 else "high",
                max_retry=0,
            )
        server = Server(redis_url, queues={"low": 1, "high": 1}, concurrency=5, app_version="1.4.2")
        async with server.running(mux):
            inspected: Any = Redis.from_url(redis_url)
            await eventually(
                lambda: sum(inspected.zcard(f"asynq:{{{name}}}:archived") for name in ("low", "high")) == 6
            )
            inspected.close()
        found = await get(web, "/failures")
        assert [(each["error_class"], each["text"], each["count"]) for each in found["items"]] == [
            ("KeyError", "<text>", 4),
            ("", "took <number> ms", 2),
        ]
        first = found["items"][0]
        assert (first["queues"], first["types"]) == ({"low": 1, "high": 3}, {"a": 2, "b": 2})
        here = f"{socket.gethostname()}:{os.getpid()}"
        assert (first["servers"], first["server_count"], first["versions"]) == ({here: 4}, 1, {"1.4.2": 4})
        assert first["frames"][0] == "test_api.py:fail"
        assert first["sample_traceback"].startswith("Traceback")
        assert sum(first["trend"]) == 4
        job = {"action": "run", "filter": {"fingerprint": first["fingerprint"]}}
        assert (await post(web, "/jobs/preview", job))["matched"] == 4
        assert (await finished(web, (await post(web, "/jobs", job, 202))["id"]))["done"] == 4
        left = await get(web, "/failures")
        assert [each["count"] for each in left["items"]] == [2]
        detail = left["items"][0]["sample"]
        task = await get(web, f"/queues/{detail['queue']}/tasks/{detail['id']}")
        assert task["fingerprint"] == left["items"][0]["fingerprint"]

    async def test_servers_and_versions_are_not_guessed(self, web: Web, low: Queue) -> None:
        """Of tasks that a server of Go, or nobody who said so, has failed last."""
        now = int(time.time())
        by = b'{"at":%d,"worker":"h:%d","retried":0,"version":"1.4.1"}'
        for number, fields in enumerate(
            [{}, {"py:failed_by": by % (now * 1000, 1)}, {"py:failed_by": by % ((now - 60) * 1000, 2)}]
        ):
            low.waiting("retry", f"{number}", now + 30)
            low.hash(
                f"{number}",
                "retry",
                {"result": "so far"} | fields,
                retried=1,
                retry=3,
                error_msg="boom",
                last_failed_at=now,
            )
        (found,) = (await get(web, "/failures"))["items"]
        assert found["sample"] == (await get(web, f"/tasks?id={found['sample']['id']}"))["items"][0]
        assert found["sample"]["result"]["text"] == "so far"
        assert (found["servers"], found["server_count"]) == ({"": 2, "h:1": 1}, 1)
        assert found["versions"] == {"": 2, "1.4.1": 1}


class TestWhy:
    """Why a task does not run."""

    async def causes(self, web: Web, task_id: str, queue: str = "low") -> list[str]:
        return [reason["cause"] for reason in (await get(web, f"/queues/{queue}/tasks/{task_id}/why"))["items"]]

    async def test_nobody_serves_its_queue(self, web: Web, low: Queue) -> None:
        """And it is paused as well."""
        fill(low)
        low.redis.set(low.keys.paused, 1)
        assert await self.causes(web, "pending") == ["queue_paused", "no_server"]
        assert await self.causes(web, "scheduled") == ["queue_paused", "no_server", "due_later"]
        assert await self.causes(web, "aggregating") == ["queue_paused", "no_server", "group_waits"]
        assert await self.causes(web, "archived") == ["archived", "id_held"]
        assert await self.causes(web, "completed") == ["completed", "id_held"]

    async def test_its_worker_is_known(self, web: Web, low: Queue) -> None:
        """It runs; without a lease it runs no more."""
        fill(low)
        announce(low)
        assert await self.causes(web, "active") == ["running"]
        low.redis.zadd(low.keys.lease, {"active": 1})
        web.app.brokers["default"].reads.forget()
        assert await self.causes(web, "active") == ["lease_expired", "running"]

    async def test_nobody_knows_its_type(self, web: Web, redis_url: str, client: Client, low: Queue) -> None:
        """A living Python server says what it handles."""
        mux = ServeMux()

        @mux.handler("known")
        async def handle(task: Task) -> None: ...

        info = client.enqueue(Task("unknown"), queue="low", process_in=3600)
        async with Server(redis_url, queues={"low": 1}, unknown_types="release").running(mux):
            broker = web.app.brokers["default"]
            await eventually(lambda: low.redis.zcard("asynq:servers"))
            broker.reads.forget()
            assert "type_unknown" in await self.causes(web, info.id)


class TestMachinery:
    """Servers, schedulers, Redis."""

    async def test_servers_and_schedulers(self, web: Web, low: Queue) -> None:
        """What runs where; what is enqueued when, and now."""
        announce(low)
        (server,) = (await get(web, "/servers"))["items"]
        assert (server["speaks"], server["busy"], server["workers"][0]["task_id"]) == ("unknown", 1, "active")
        assert (await get(web, "/servers/s1"))["host"] == "h"
        (entry,) = (await get(web, "/schedulers"))["items"]
        assert (entry["queue"], entry["is_duplicate"]) == ("low", False)
        runs = [datetime.fromisoformat(each) for each in entry["next_runs"]]
        assert (len(runs), entry["next_runs"][0]) == (5, entry["next_enqueue_at"])
        assert {later - earlier for earlier, later in pairwise(runs)} == {timedelta(hours=1)}
        assert (await get(web, "/schedulers/e1/events"))["items"][0]["task_id"] == "t1"
        task = await post(web, "/schedulers/e1/run", None, 201)
        assert (task["queue"], task["type"], task["state"]) == ("low", "report", "pending")
        assert (await post(web, "/schedulers/none/run", None, 404))["code"] == "entry_not_found"

    async def test_redis_cost_and_meta(self, web: Web, low: Queue) -> None:
        """What Redis is, what looking at it costs, and what a user interface must know."""
        told = await get(web, "/redis")
        assert (told["is_cluster"], told["info"]["cluster_enabled"], told["cluster"]) == (False, "0", {})
        assert told["nodes"] == {}
        await asyncio.gather(*(get(web, "/queues") for _ in range(10)))
        cost = await get(web, "/cost")
        assert cost["asked"] - cost["read"] >= 9
        meta = await get(web, "/meta")
        assert meta["user"]["name"] == "local"
        assert meta["actions"]["active"] == ["cancel"]
        assert meta["brokers"] == [{"name": "default", "path": ""}]


class TestContents:
    """Payloads that are not plain JSON."""

    @pytest.mark.parametrize(
        ("data", "kind", "text", "encodings"),
        [
            (b"", "empty", "", []),
            (b'{"n": 9007199254740993}', "json", '{"n": 9007199254740993}', []),
            (b"two\nlines", "text", "two\nlines", []),
            (gzip.compress(b"[1]", mtime=0), "json", "[1]", ["gzip"]),
            (msgspec.msgpack.encode({"a": [1, "é"]}), "json", '{"a": [1, "é"]}', ["msgpack"]),
            (b"\x80\x04\x95\x05.", "binary", base64.b64encode(b"\x80\x04\x95\x05.").decode(), []),
        ],
    )
    async def test_decoding(
        self, web: Web, low: Queue, data: bytes, kind: str, text: str, encodings: list[str]
    ) -> None:
        """Shown as what they are; a pickle stays bytes."""
        low.hash("a", "pending", payload=data)
        low.redis.lpush(low.keys.pending, "a")
        payload = (await get(web, "/queues/low/tasks/a"))["payload"]
        assert (payload["kind"], payload["text"], payload["encodings"]) == (kind, text, encodings)

    async def test_redaction(self, open_app: OpenApp, client: Client) -> None:
        """Nobody sees the field, however they ask; what cannot be looked into is hidden whole."""
        info = client.enqueue(Task("t", {"user": {"Password": "secret"}, "n": 1}), process_in=timedelta(hours=1))
        plain = client.enqueue(Task("t", b"secret"))
        web = open_app(redact_fields=["password"])
        where = f"{V2}/queues/default/tasks/{info.id}"
        assert json.loads((await web.get(where)).json()["payload"]["text"]) == {
            "user": {"Password": "(hidden)"},
            "n": 1,
        }
        assert (await web.get(f"{where}/payload")).status_code == 403
        for query in ("payload=secret", "field=user.Password", "field=n=1", "header=trace"):
            assert (await web.get(f"{V2}/tasks?{query}")).status_code == 422
        for asked in ({"fields": ["user.Password=secret"]}, {"headers": ["trace"]}, {"payload": "secret"}):
            answer = await web.post(f"{V2}/jobs/preview", json={"action": "delete", "filter": asked})
            assert answer.status_code == 422
            answer = await web.post(f"{V2}/jobs", json={"action": "delete", "filter": asked})
            assert answer.status_code == 422
        assert (await web.get(f"{V2}/queues/default/tasks/{plain.id}")).json()["payload"]["kind"] == "hidden"
        for path in (f"/api/queues/default/tasks/{info.id}", "/api/queues/default/scheduled_tasks"):
            assert "secret" not in (await web.get(path)).text

    async def test_own_decoders(self, open_app: OpenApp, client: Client) -> None:
        """Asked first; what they raise does not matter."""

        def reversed_text(data: bytes, subject: Any) -> Any:
            return data[::-1].decode() if subject.type == "backwards" else None

        def broken(data: bytes, subject: Any) -> Any:
            raise RuntimeError

        info = client.enqueue(Task("backwards", b"olleh"))
        web = open_app(decoders=[broken, reversed_text])
        payload = (await web.get(f"{V2}/queues/default/tasks/{info.id}")).json()["payload"]
        assert (payload["text"], payload["encodings"]) == ("hello", ["reversed_text"])


async def test_a_task_as_it_is_stored(web: Web, open_app: OpenApp, client: Client) -> None:
    """Bytes of the message and all other fields; nothing of it where something is hidden."""
    info = client.enqueue(Task("email:welcome", {"user": 1}), queue="low")
    path = f"/api/v2/queues/low/tasks/{info.id}/stored"
    found = (await web.get(path)).json()
    message = base64.b64decode(found["message_base64"])
    assert b"email:welcome" in message
    assert found["message_size"] == len(message)
    assert (found["error"], found["unknown_fields"]) == ("", [])
    state = next(field for field in found["fields"] if field["name"] == "state")
    assert state == {"name": "state", "size": 7, "text": "pending", "is_text": True}
    assert (await web.get("/api/v2/queues/low/tasks/none/stored")).status_code == 404
    assert (await open_app(redact_fields=["password"]).get(path)).status_code == 403
