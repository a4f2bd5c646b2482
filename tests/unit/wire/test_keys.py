"""The name of every key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asynqpy import Task
from asynqpy._wire import keys
from asynqpy.limits import limit_of

NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


def test_keys_without_a_queue() -> None:
    """The keys that all queues share, as asynq names them."""
    assert keys.QUEUES == "asynq:queues"
    assert keys.SERVERS == "asynq:servers"
    assert keys.WORKERS == "asynq:workers"
    assert keys.SCHEDULERS == "asynq:schedulers"
    assert keys.CANCEL_CHANNEL == "asynq:cancel"


def test_keys_of_a_queue() -> None:
    """Every key of a queue, as asynq names it."""
    q = keys.of_queue("low")
    assert q.name == "low"
    assert q.prefix == "asynq:{low}:"
    assert q.task("abc") == "asynq:{low}:t:abc"
    assert q.pending == "asynq:{low}:pending"
    assert q.active == "asynq:{low}:active"
    assert q.lease == "asynq:{low}:lease"
    assert q.scheduled == "asynq:{low}:scheduled"
    assert q.retry == "asynq:{low}:retry"
    assert q.archived == "asynq:{low}:archived"
    assert q.completed == "asynq:{low}:completed"
    assert q.groups == "asynq:{low}:groups"
    assert q.group("g1") == "asynq:{low}:g:g1"
    assert q.aggregation_sets == "asynq:{low}:aggregation_sets"
    assert q.paused == "asynq:{low}:paused"
    assert q.processed == "asynq:{low}:processed"
    assert q.failed == "asynq:{low}:failed"
    assert q.processed_on("2023-11-14") == "asynq:{low}:processed:2023-11-14"
    assert q.failed_on("2023-11-14") == "asynq:{low}:failed:2023-11-14"


def test_our_own_key_says_so() -> None:
    """What asynq does not know has the prefix ``py:``."""
    assert keys.of_queue("low").due == "asynq:{low}:py:due"


def test_keys_of_servers_and_schedulers() -> None:
    """The identity is the hash tag, so that one script may write both keys of a server."""
    assert keys.server("host:1:sid") == "asynq:servers:{host:1:sid}"
    assert keys.workers("host:1:sid") == "asynq:workers:{host:1:sid}"
    assert keys.schedulers("host:1:uuid") == "asynq:schedulers:{host:1:uuid}"
    assert keys.scheduler_history("e1") == "asynq:scheduler_history:e1"


def test_names_are_used_raw() -> None:
    """No escaping, no change of case: Go does none."""
    assert keys.of_queue("A {b} c").pending == "asynq:{A {b} c}:pending"
    assert keys.of_queue("q").group("a:b") == "asynq:{q}:g:a:b"


def test_keys_are_made_once() -> None:
    """The hot path asks for the same queues again and again."""
    assert keys.of_queue("low") is keys.of_queue("low")


class TestUniqueLock:
    """The lock of a unique task."""

    def test_holds_a_digest_of_the_payload(self) -> None:
        """The golden vector of the wire contract."""
        assert keys.of_queue("default").unique("email:send", b'{"u":1}') == (
            "asynq:{default}:unique:email:send:cfeb4906248f18cb94f202711c2a34cf"
        )

    def test_of_an_empty_payload_has_the_digest_of_nothing(self) -> None:
        """Empty bytes are a payload."""
        assert keys.of_queue("q").unique("t", b"") == "asynq:{q}:unique:t:d41d8cd98f00b204e9800998ecf8427e"

    def test_without_a_payload_ends_with_a_colon(self) -> None:
        """No payload at all is another task than an empty one, as in asynq."""
        assert keys.of_queue("q").unique("t", None) == "asynq:{q}:unique:t:"


def hash_tag(key: str) -> str:
    """What a cluster hashes: the text between the first ``{`` and the first following ``}``, or the whole key."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return tag if opened and closed and tag else key


@given(queue=NAMES.filter(lambda name: not name.startswith("}")), other=NAMES)
def test_a_cluster_keeps_a_queue_together(queue: str, other: str) -> None:
    """All keys of a queue hash alike, whatever its name, its tasks and its groups are."""
    q = keys.QueueKeys(queue)
    names = [getattr(q, slot) for slot in keys.QueueKeys.__slots__ if slot not in {"name", "prefix", "task_prefix"}]
    names += [q.task(other), q.group(other), q.processed_on(other), q.failed_on(other), q.unique(other, b"")]
    assert {hash_tag(name) for name in names} == {queue.partition("}")[0]}
    assert len(set(names)) == len(names)


@given(pattern=st.text(min_size=1), value=st.text())
def test_a_cluster_keeps_a_limit_together(pattern: str, value: str) -> None:
    """All keys of a limit hash alike, whatever the pattern of its handler and its key are, and are different keys."""
    limit = limit_of("1/s", None, lambda task: value)
    assert limit is not None
    scope = limit.scope(pattern, Task("t"))
    names = [getattr(keys.LimitKeys(scope), slot) for slot in keys.LimitKeys.__slots__]
    assert {hash_tag(name) for name in names} == {scope}
    assert len(set(names)) == len(names)
    assert all(name.startswith("asynq:py:limit:{") for name in names)


def test_the_semaphore_is_that_of_asynq() -> None:
    """A key without a hash tag: it is used alone."""
    assert keys.semaphore("sms") == "asynq:sema:sms"
