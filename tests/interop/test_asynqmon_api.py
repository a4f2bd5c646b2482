"""asynqmon's HTTP API, answered by asynqmon and by us, on the same Redis."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from asynqpy.web import create_app
from tests.redis.seed import Queue

from . import toolchain
from .asynqmon import BackEnd, Prometheus, Serving, read
from .ends import OTHER, SIDES
from .look import Look, eventually, go_url
from .pipes import LineProcess

StartBoth = Callable[..., tuple[httpx.Client, httpx.Client]]

STATES = ("active", "pending", "scheduled", "retry", "archived", "completed", "aggregating")

VERBS = {
    "delete": STATES[1:],
    "run": ("scheduled", "retry", "archived", "aggregating"),
    "archive": ("pending", "scheduled", "retry", "aggregating"),
    "cancel": ("active",),
}


def seconds_of(duration: str) -> float:
    """A duration as Go writes it."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(h|ms|m|s)", duration)
    assert "".join(number + unit for number, unit in parts) == duration
    return sum(float(number) * units[unit] for number, unit in parts)


VARYING: dict[str, Callable[[Any], float]] = {
    "latency_msec": lambda value: value / 1000,
    "display_latency": seconds_of,
    "timestamp": lambda value: datetime.fromisoformat(value).timestamp(),
    "ttl_seconds": float,
}
"""What goes on between two answers, as a number of seconds."""

CLOSE_SECONDS = 10.0

BINARY = "non-printable bytes"

DELIBERATE = (
    ("result", BINARY, "", "no result is no result, and not one that cannot be printed"),
    ("payload", BINARY, "", "so is an empty payload"),
    ("payload", BINARY, " ", "and so is one of blanks"),
    ("payload", BINARY, "a\nb", "text may have line breaks"),
    ("task_payload", BINARY, "", "so it is for an entry of a scheduler"),
    ("payload", BINARY, '{"n": 1}', "MessagePack and what is compressed is shown as it is meant"),
)
"""Fields whose values differ: the field, theirs, ours, and why."""

ROUTES: tuple[tuple[str, int, int, str], ...] = (
    ("/api/nothing", 200, 404, "a page answers no program"),
    ("/api/queues/", 200, 404, "so it is with a slash too much"),
    ("/api/metrics?duration=3600.5", 400, 500, "the front end may send parts of a second; there is no Prometheus here"),
)
"""Paths whose status differs: theirs, ours, and why."""

STEADY = ("redis_version", "run_id", "process_id", "tcp_port", "arch_bits", "os", "maxmemory_policy", "role")
"""Facts of INFO that are the same a moment later."""


@pytest.fixture(scope="session")
def asynqmon() -> Path:
    """The program that serves asynqmon's back end."""
    return toolchain.build(toolchain.ASYNQMON, "asynqmon")


@pytest.fixture
def start_both(asynqmon: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartBoth]:
    """Starts asynqmon and us and gives a client of each, in this order."""
    monkeypatch.setenv("TZ", "UTC")  # asynqmon writes moments in the zone of its machine, we write them in UTC
    with ExitStack() as stack:

        def start(*options: str, **settings: Any) -> tuple[httpx.Client, httpx.Client]:
            theirs = BackEnd(asynqmon, redis_url, *options)
            stack.callback(theirs.end)
            serving = stack.enter_context(Serving(create_app(redis_url, **settings)))
            return theirs.web, stack.enter_context(httpx.Client(base_url=serving.url, timeout=60))

        yield start


def seconds_between(one: str, other: str) -> float:
    """How far two moments are from each other."""
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def differences(theirs: Any, ours: Any, where: str = "") -> Iterator[str]:
    """Where two JSON values are not the same, beside what varies and what differs on purpose."""
    name = where.rpartition(".")[2]
    if isinstance(theirs, dict) and isinstance(ours, dict) and set(theirs) == set(ours):
        is_due = theirs.get("state") == ours.get("state") == "pending"
        for each in theirs:
            if is_due and each == "next_process_at":  # that is now, for both
                assert seconds_between(theirs[each], ours[each]) < CLOSE_SECONDS
                continue
            yield from differences(theirs[each], ours[each], f"{where}.{each}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for at, pair in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(*pair, f"{where}[{at}]")
    elif type(theirs) is not type(ours):
        yield f"{where}: {theirs!r} there, {ours!r} here"
    elif name in VARYING:
        if abs(VARYING[name](theirs) - VARYING[name](ours)) > CLOSE_SECONDS:
            yield f"{where}: {theirs!r} there, {ours!r} here"
    elif theirs != ours and not any(each[:3] == (name, theirs, ours) for each in DELIBERATE):
        yield f"{where}: {theirs!r} there, {ours!r} here"


def assert_same(theirs: httpx.Response, ours: httpx.Response) -> None:
    """Both answer with the same status and JSON, or with text of their own that the front end cannot take for data."""
    asked = f"{ours.request.method} {ours.request.url.raw_path.decode()}"
    assert theirs.status_code == ours.status_code, (asked, theirs.text, ours.text)
    if theirs.status_code == 200:
        assert theirs.text[:1] == ours.text[:1] == "{", asked
        assert not list(differences(theirs.json(), ours.json())), asked
    elif theirs.text == "":
        assert ours.text == "", asked
    else:
        assert isinstance(read(theirs), str), asked
        assert isinstance(read(ours), str), asked
        assert ours.text.strip(), asked
        assert ours.text.endswith("\n"), asked
        assert ours.headers["content-type"] == theirs.headers["content-type"] == "text/plain; charset=utf-8"


def list_of(queue: str, state: str) -> str:
    """The path of a list."""
    return f"/api/queues/{queue}/{'groups/g/' if state == 'aggregating' else ''}{state}_tasks"


def fill(redis: Redis, name: str) -> Queue:
    """A queue with a task of every state, named after it, and some odd ones."""
    queue = Queue(redis, name)
    now = int(queue.now())
    redis.sadd("asynq:queues", name)
    queue.pending("pending", "pending-2")
    queue.go_active("active")
    queue.go_active("orphaned", ends_in=-100)
    for state in ("scheduled", "retry"):
        queue.hash(state, state, error_msg="boom" if state == "retry" else "", last_failed_at=now - 5, retried=1)
        queue.hash(f"{state}-2", state, deadline=now + 5000)
        redis.zadd(queue.keys.prefix + state, {state: now + 1000, f"{state}-2": now + 2000})
    for task_id, failed_at in (("archived", now), ("archived-2", 0)):
        queue.hash(task_id, "archived", error_msg="boom" if failed_at else "", last_failed_at=failed_at)
        redis.zadd(queue.keys.archived, {task_id: now})
    for task_id, result in (("completed", b"done"), ("completed-2", b"")):
        queue.hash(task_id, "completed", {"result": result} if result else {}, completed_at=now, retention=600)
        redis.zadd(queue.keys.completed, {task_id: now + 600})
    for task_id in ("aggregating", "aggregating-2"):
        queue.hash(task_id, "aggregating", {"group": "g"}, group_key="g")
        redis.zadd(queue.keys.group("g"), {task_id: now})
    redis.sadd(queue.keys.groups, "g")
    return queue


PAYLOADS = {"json": b'{"a": [1, "x"]}', "text": "käse".encode(), "none": b"", "blank": b" ", "lines": b"a\nb"}
PAYLOADS |= {"bytes": b"\x00\xff", "msgpack": b"\x81\xa1n\x01", "number": b"12345678901234567890", "markup": b"<&>"}


def test_they_tell_the_same_of_what_is_stored(start_both: StartBoth, redis: Redis) -> None:
    """Every list with its pages, every task, the groups and the statistics."""
    queue = fill(redis, "low")
    for name, payload in PAYLOADS.items():
        queue.hash(f"payload-{name}", "pending", payload=payload)
        redis.lpush(queue.keys.pending, f"payload-{name}")
    for counter, count in (("processed", 5), ("failed", 2)):
        redis.set(f"{queue.keys.prefix}{counter}:{queue.today():%Y-%m-%d}", count)
    redis.set(queue.keys.paused, 1)
    redis.sadd("asynq:queues", "empty")
    theirs, ours = start_both(max_payload_length=-1)
    paths = [f"/api/{path}" for path in ("queue_stats", "queues/low", "queues/empty", "queues/low/groups")]
    for state in STATES:
        path = list_of("low", state)
        pages = ("", "?size=1", "?size=1&page=2", "?page=2", "?size=x&page=y", "?size=0", "?size=-1", "?page=-3")
        paths += [path + page for page in pages] + [list_of("empty", state)]
    rows = [row for state in STATES for row in theirs.get(list_of("low", state)).json()["tasks"]]
    assert len(rows) == 2 * len(STATES) + len(PAYLOADS)
    for path in [*paths, *(f"/api/queues/low/tasks/{row['id']}" for row in rows)]:
        assert_same(theirs.get(path), ours.get(path))
    snapshots = [{each["queue"]: each for each in web.get("/api/queues").json()["queues"]} for web in (theirs, ours)]
    assert not list(differences(*snapshots))


@pytest.mark.parametrize("side", SIDES)
def test_they_tell_the_same_of_what_runs(
    side: str, start_both: StartBoth, bring: Callable[..., str], look: Look, program: Path, redis_url: str, redis: Redis
) -> None:
    """Tasks that went through a worker of either side, its server, and a scheduler of the other."""
    ids = {state: bring(state, producer=OTHER[side], worker=side) for state in STATES if state != "pending"}
    ids["pending"] = bring("pending", producer=OTHER[side], worker=side)
    theirs, ours = start_both()
    eventually(lambda: theirs.get("/api/servers").json()["servers"][0]["active_workers"], "the worker to tell its task")
    paths = ["/api/servers", "/api/queues", "/api/queue_stats", *(list_of("default", state) for state in STATES)]
    for path in [*paths, *(f"/api/queues/default/tasks/{task_id}" for task_id in ids.values())]:
        assert_same(theirs.get(path), ours.get(path))


def test_they_tell_the_same_of_schedulers(start_both: StartBoth, program: Path, redis_url: str) -> None:
    """A Go scheduler's entries with all their options, and what they have enqueued."""
    task = {"type": "record", "queue": "low", "max_retry": 3, "retention": 60, "timeout": 30, "unique_for": 1}
    entries = [{"spec": "@every 1s", "task": task}, {"spec": "0 0 1 1 *", "task": {"type": "yearly"}}]
    command = [str(program), "scheduler", "-redis", go_url(redis_url), "-config", json.dumps({"entries": entries})]
    scheduler = LineProcess(*command)
    theirs, ours = start_both()
    path = "/api/scheduler_entries"

    def previous() -> str | None:
        """The entry that has enqueued something, once the scheduler has told of it."""
        known = theirs.get(path).json()["entries"]
        return next((entry["id"] for entry in known if "prev_enqueue_at" in entry and len(known) == 2), None)

    try:
        entry_id = eventually(previous, "the entries and what they did")
    finally:
        scheduler.end()  # by force, so that it cannot take back what it has told
    found = [sorted(web.get(path).json()["entries"], key=lambda entry: str(entry["id"])) for web in (theirs, ours)]
    assert not list(differences(*found))
    events = f"{path}/{entry_id}/enqueue_events"
    assert theirs.get(events).json()["events"]
    for which in (events, f"{events}?size=1", f"{events}?size=1&page=2", f"{path}/nobody/enqueue_events"):
        assert_same(theirs.get(which), ours.get(which))


def test_they_tell_the_same_of_redis(start_both: StartBoth) -> None:
    """The same facts under the same names, and those that stand still are equal."""
    theirs, ours = (web.get("/api/redis_info").json() for web in start_both())
    assert set(theirs["info"]) == set(ours["info"])
    for each in (theirs, ours):
        each["info"] = {name: each["info"][name] for name in STEADY}
        # what stands behind a colon moves on; headings, blank lines and their order do not
        each["raw_info"] = [line.partition(":")[0] for line in each["raw_info"].split("\r\n")]
    assert not list(differences(theirs, ours))


def test_mistakes_have_the_same_status(start_both: StartBoth, redis: Redis) -> None:
    """What does not exist, wrong methods, bodies that cannot be read."""
    fill(redis, "low")
    theirs, ours = start_both()
    for state in STATES:
        path = list_of("nope", state)
        assert_same(theirs.get(path), ours.get(path))
    for path in ("queues/nope", "queues/nope/groups", "queues/nope/tasks/x", "queues/low/tasks/nope", "metrics"):
        assert_same(theirs.get(f"/api/{path}"), ours.get(f"/api/{path}"))
    for method in ("PUT", "PATCH"):
        for path in ("queues", "queues/low", "servers", list_of("low", "retry").removeprefix("/api/")):
            assert_same(theirs.request(method, f"/api/{path}"), ours.request(method, f"/api/{path}"))
    batch = list_of("low", "retry") + ":batch_run"
    too_much = b'{"task_ids": ["' + b"x" * 1_000_001
    for body in (b"", b"{", b"[]", b'{"task_ids": 5}', b'{"task_ids": ["x"], "more": 1}', too_much):
        assert_same(theirs.post(batch, content=body), ours.post(batch, content=body))


def test_what_differs_on_purpose(start_both: StartBoth) -> None:
    """Routes that would help nobody as they are."""
    theirs, ours = start_both()
    for path, there, here, why in ROUTES:
        assert (theirs.get(path).status_code, ours.get(path).status_code) == (there, here), (path, why)


@pytest.mark.parametrize("state", STATES)
def test_changes_of_one_task_leave_the_same(state: str, start_both: StartBoth, redis: Redis, look: Look) -> None:
    """Each verb in the list of *state* on a task in any state, on one that is not there, and in a queue that is not."""
    theirs, ours = start_both()
    for verb, states in VERBS.items():
        if state not in states:
            continue
        redis.flushall()
        fill(redis, "theirs")
        fill(redis, "ours")
        method, suffix = ("DELETE", "") if verb == "delete" else ("POST", f":{verb}")
        for task_id in (*STATES, "orphaned", "nope"):
            assert_same(
                theirs.request(method, f"{list_of('theirs', state)}/{task_id}{suffix}"),
                ours.request(method, f"{list_of('ours', state)}/{task_id}{suffix}"),
            )
            assert left(look, "theirs") == left(look, "ours"), (verb, task_id)
        nowhere = f"{list_of('nope', state)}/x{suffix}"
        assert_same(theirs.request(method, nowhere), ours.request(method, nowhere))


@pytest.mark.parametrize("state", STATES)
def test_changes_of_many_tasks_leave_the_same(state: str, start_both: StartBoth, redis: Redis, look: Look) -> None:
    """Each verb on all tasks of *state*, on those of a batch in any state, and in a queue that is not there."""
    theirs, ours = start_both()
    some = {"task_ids": [*STATES, "orphaned", "nope", state]}
    for verb, states in VERBS.items():
        if state not in states:
            continue
        method = "DELETE" if verb == "delete" else "POST"
        for suffix, how in ((f":{verb}_all", {}), (f":batch_{verb}", {"json": some})):
            redis.flushall()
            fill(redis, "theirs")
            fill(redis, "ours")
            by = "POST" if how else method
            for queues in (("theirs", "ours"), ("theirs", "ours"), ("nope", "nope")):
                answers = [
                    web.request(by, list_of(queue, state) + suffix, **how)
                    for web, queue in zip((theirs, ours), queues, strict=True)
                ]
                assert_same(*answers)
                assert left(look, "theirs") == left(look, "ours"), suffix


def test_changes_of_queues_leave_the_same(start_both: StartBoth, redis: Redis, look: Look) -> None:
    """Pause and resume, twice each; delete a queue with tasks, an empty one, and one that is not there."""
    theirs, ours = start_both()
    fill(redis, "theirs")
    fill(redis, "ours")
    redis.sadd("asynq:queues", "theirs-empty", "ours-empty")
    for verb in ("pause", "pause", "resume", "resume"):
        assert_same(theirs.post(f"/api/queues/theirs:{verb}"), ours.post(f"/api/queues/ours:{verb}"))
        assert left(look, "theirs") == left(look, "ours"), verb
    for name in ("", "-empty", "-empty", "-nope"):
        assert_same(theirs.delete(f"/api/queues/theirs{name}"), ours.delete(f"/api/queues/ours{name}"))
        assert left(look, f"theirs{name}") == left(look, f"ours{name}"), name
    assert {name.decode() for name in redis.smembers("asynq:queues")} == {"theirs", "ours"}


def test_both_refuse_changes_where_they_are_read_only(start_both: StartBoth, redis: Redis, look: Look) -> None:
    """Reading goes on; all else has the same status."""
    fill(redis, "low")
    before = left(look, "low")
    theirs, ours = start_both("-read-only", read_only=True)
    for path in ("/api/queues/low", list_of("low", "retry")):
        assert_same(theirs.get(path), ours.get(path))
    for state in STATES:
        for verb, states in VERBS.items():
            if state in states:
                for suffix in ("/x" if verb == "delete" else f"/x:{verb}", f":{verb}_all", f":batch_{verb}"):
                    method = "DELETE" if verb == "delete" and "batch" not in suffix else "POST"
                    path = list_of("low", state) + suffix
                    assert_same(theirs.request(method, path), ours.request(method, path))
    for method, path in (("DELETE", "low"), ("POST", "low:pause"), ("POST", "low:resume")):
        assert_same(theirs.request(method, f"/api/queues/{path}"), ours.request(method, f"/api/queues/{path}"))
    assert left(look, "low") == before


def test_both_answer_below_a_root_path(start_both: StartBoth, redis: Redis) -> None:
    """And nowhere else."""
    fill(redis, "low")
    theirs, ours = start_both("-root", "/monitoring", base_path="/monitoring")
    for path in ("/monitoring/api/queues/low", f"/monitoring{list_of('low', 'archived')}"):
        assert theirs.get(path).status_code == 200
        assert_same(theirs.get(path), ours.get(path))


def test_both_ask_prometheus_the_same(start_both: StartBoth) -> None:
    """The same queries, and its documents are passed on as they are, errors too."""
    with Prometheus({"status": "error", "errorType": "bad_data", "error": "no"}, status=400) as prometheus:
        theirs, ours = start_both("-prometheus", prometheus.url, prometheus_url=prometheus.url)
        for days in (0.04, 0.25, 1, 8, 30, 90):
            path = f"/api/metrics?duration={int(days * 86400)}&endtime=1700000000&queues=low,mail"
            answers, asked = zip(*((web.get(path), prometheus.asked()) for web in (theirs, ours)), strict=True)
            assert_same(*answers)
            assert len(answers[1].json()) == len(asked[1]) == 9
            assert asked[0] == asked[1]
        for query in ("duration=x", "endtime=x"):
            assert_same(theirs.get(f"/api/metrics?{query}"), ours.get(f"/api/metrics?{query}"))


def left(look: Look, queue: str) -> Any:
    """All that is stored of *queue*, under names that do not tell it.

    Without ``pending_since``: asynq gives it to no task that an inspector sends to the pending ones, and leaves it with
    those that it archives, so that its latency and ours differ for them.
    """
    found = look.snapshot(queue)
    for fields in found.values():
        if isinstance(fields, dict):
            fields.pop("pending_since", None)
    return renamed(found, queue)


def renamed(value: Any, queue: str) -> Any:
    """*value* with another name of its queue."""
    if isinstance(value, dict):
        return {name.replace(f"{{{queue}}}", "{}"): renamed(each, queue) for name, each in value.items()}
    return "" if value == queue else value
