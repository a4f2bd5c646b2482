"""Tasks that our server has no handler for: a Go server takes them, and nothing looks odd to it."""

from __future__ import annotations

import math

from asynqpy import Inspector

from .conftest import StartWorker
from .ends import Enqueuer, Known, Order
from .look import Look, eventually, key
from .pipes import Peer

RELEASE = {"unknown_types": "release"}


def test_a_task_that_python_hands_on_is_run_by_go(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, peer: Peer
) -> None:
    """Scheduled for a whole second, which Go's inspector shows; no retry is spent; a Go server knows the type."""
    old = start_worker("python", **RELEASE)
    known = clients["go"].enqueue(Order(type="go:only", task_id="a", max_retry=0))
    look.wait("a", "scheduled")
    stored = Known.from_go(peer.ask("task_info", queue="default", id="a"))
    assert (stored.state, stored.retried, stored.last_error) == ("scheduled", 0, "")
    score = look.score("default", "scheduled", "a")
    assert score is not None
    assert score == math.ceil(score)
    assert stored.next_process_at is not None
    old.terminate()
    worker = start_worker("go", handles=["go:"])
    assert worker.wait_start(known.id).retried == 0
    look.wait("a", None)
    assert look.counters("default") == (1, 0)


def test_who_handles_what_is_open_while_a_go_server_is_there(
    clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look, redis_url: str
) -> None:
    """Go servers publish nothing: a type that no Python server knows may be theirs, and certainly so without them."""
    with Inspector(redis_url) as inspector:
        start_worker("python", **RELEASE)
        clients["go"].enqueue(Order(type="new", task_id="a"))
        look.wait("a", "scheduled")
        (found,) = eventually(inspector.types_without_consumer)
        assert (found.queue, found.type, found.count, found.is_certain) == ("default", "new", 1, True)
        go = start_worker("go")
        look.redis.zadd(key("default", "scheduled"), {"a": 4_000_000_000})  # let nobody take it meanwhile
        look.redis.delete(key("default", "py:due"))
        eventually(lambda: len(inspector.handled_patterns()) == 2)
        said = {server.pid: server.patterns for server in inspector.handled_patterns()}
        assert said[go.pid] is None
        assert sum("act" in (patterns or ()) for patterns in said.values()) == 1
        (found,) = inspector.types_without_consumer("default")
        assert not found.is_certain
