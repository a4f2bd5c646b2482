"""What one client writes, the other side reads: options, payloads, headers, ids, queue names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import StartWorker
from .ends import OTHER, SIDES, Conflict, Enqueuer, Known, Order, Worker
from .look import Look, Near, decode, key
from .pipes import Peer

IN_A_DAY = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)

ORDERS = {
    "plain": Order(task_id="a"),
    "no payload": Order(task_id="a", payload=None),
    "empty payload": Order(task_id="a", payload=b""),
    "binary payload": Order(task_id="a", payload=bytes(range(256))),
    "one header": Order(task_id="a", headers={"trace": "00-ab"}),
    "many headers": Order(task_id="a", headers={f"k{n}": f"v{n}" for n in range(20)} | {"ключ": "слово", "": "empty"}),
    "empty headers": Order(task_id="a", headers={}),
    "no retry": Order(task_id="a", max_retry=0),
    "negative retry": Order(task_id="a", max_retry=-3),
    "timeout": Order(task_id="a", timeout=20),
    "timeout of zero": Order(task_id="a", timeout=0),
    "deadline": Order(task_id="a", deadline=IN_A_DAY),
    "deadline at the epoch": Order(task_id="a", deadline=datetime(1970, 1, 1, tzinfo=UTC)),
    "timeout and deadline": Order(task_id="a", timeout=20, deadline=IN_A_DAY),
    "retention": Order(task_id="a", retention=3600),
    "unique": Order(task_id="a", unique_for=600),
    "unique for a fraction": Order(task_id="a", unique_for=600.9),
    "unique without payload": Order(task_id="a", payload=None, unique_for=600),
    "unique with empty payload": Order(task_id="a", payload=b"", unique_for=600),
    "process in": Order(task_id="a", process_in=3600),
    "process at": Order(task_id="a", process_at=IN_A_DAY),
    "process in the past": Order(task_id="a", process_at=datetime(2020, 1, 1, tzinfo=UTC)),
    "process in less than nothing": Order(task_id="a", process_in=-5),
    "unique and scheduled": Order(task_id="a", process_in=3600, unique_for=600, retention=60),
    "group": Order(task_id="a", group="g:1"),
    "odd names": Order(task_id="ид: 1 {x} *", type="тип:ж\n", queue="q {1} ü:*?[a]"),
    "all": Order(
        task_id="a",
        type="email:send",
        payload=b'{"u":1}',
        headers={"h": "1"},
        max_retry=7,
        timeout=90,
        deadline=IN_A_DAY,
        unique_for=600,
        process_at=IN_A_DAY - timedelta(hours=1),
        retention=120,
    ),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_both_clients_leave_the_same_keys(order: Order, clients: dict[str, Enqueuer], look: Look) -> None:
    """Whatever the options, Redis holds the same after either client, and both return the same description."""
    queue = order.queue or "default"
    found = {}
    known = {}
    for side in SIDES:
        known[side] = clients[side].enqueue(order)
        assert queue.encode() in look.redis.smembers("asynq:queues")
        found[side] = look.snapshot(queue)
        look.redis.delete(*found[side])
    assert found["python"] == found["go"]
    assert len(found["go"]) >= 2
    assert _timeless(known["python"]) == _timeless(known["go"])
    assert _since_now(known["python"]) == _since_now(known["go"])


@pytest.mark.parametrize(
    "order",
    [Order(task_id="a", group="g", unique_for=60), Order(task_id="a", group="g", process_in=3600)],
    ids=["unique", "scheduled"],
)
def test_what_our_client_adds_for_groups(order: Order, clients: dict[str, Enqueuer], look: Look) -> None:
    """A unique or scheduled task of a group differs from Go's in one field: the lock, or the group, that Go forgets."""
    found = {}
    for side in SIDES:
        clients[side].enqueue(order)
        found[side] = look.snapshot("default")
        look.redis.flushdb()
    ours, theirs = found["python"][key("default", "t:a")], found["go"][key("default", "t:a")]
    added = {name: ours.pop(name) for name in set(ours) - set(theirs)}
    lock = f"{key('default', 'unique:record:')}99914b932bd37a50b983c5e7c90ae93b"
    assert added == ({"unique_key": lock.encode()} if order.unique_for else {"group": b"g"})
    assert found["python"] == found["go"]


def test_golden_bytes(clients: dict[str, Enqueuer], look: Look) -> None:
    """Go's bytes are the golden vector that our own codec is tested with, and ours decode to the same."""
    golden = "0a0a656d61696c3a73656e6412077b2275223a317d1a03616263220764656661756c74281940880e"
    order = Order(type="email:send", payload=b'{"u":1}', task_id="abc")
    messages = {}
    for side in SIDES:
        clients[side].enqueue(order)
        messages[side] = look.field("default", "abc", "msg") or b""
        look.redis.flushdb()
    assert messages["go"].hex() == golden
    assert decode(messages["python"]) == decode(messages["go"])


@pytest.mark.parametrize("producer", SIDES)
def test_a_handler_sees_what_the_other_side_enqueued(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Id, type, payload, headers, queue, retry limit and deadline reach a handler of the other side."""
    worker = start_worker(OTHER[producer], queues={"critical": 1})
    before = datetime.now(UTC)
    clients[producer].enqueue(
        Order(
            type="record:all",
            payload=b'{"n": 1}',
            headers={"trace": "00-ab", "ü": "ß"},
            queue="critical",
            task_id="id-1",
            max_retry=3,
            timeout=60,
            unique_for=60,
            retention=60,
        )
    )
    clients[producer].enqueue(Order(queue="critical", task_id="id-2", deadline=IN_A_DAY))
    seen = worker.wait_start("id-1")
    assert (seen.id, seen.type, seen.payload) == ("id-1", "record:all", b'{"n": 1}')
    assert seen.headers == {"trace": "00-ab", "ü": "ß"}
    assert (seen.queue, seen.retried, seen.max_retry) == ("critical", 0, 3)
    assert seen.deadline is not None
    assert before + timedelta(seconds=59) <= seen.deadline <= seen.now + timedelta(seconds=61)
    assert worker.wait_start("id-2").deadline == IN_A_DAY
    assert worker.wait_start("id-2").max_retry == 25
    worker.wait_end("id-1")
    worker.wait_end("id-2")


@pytest.mark.parametrize("producer", SIDES)
def test_unusual_values_arrive_unchanged(
    producer: str, clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look
) -> None:
    """Empty, absent, binary and large payloads, odd types, ids, headers and queue names survive the way across."""
    queues = ["default", "q {1} ü:*?[a]", "очередь", "UPPER", " padded "]
    payloads = [None, b"", bytes(range(256)) * 4, b"\0", "ünï".encode(), b"x" * (1 << 20), b"\n\r\n"]
    orders = [Order(type=f"record:{n}", payload=payload, task_id=f"p{n}") for n, payload in enumerate(payloads)]
    orders += [Order(queue=queue, task_id=f"in {queue}") for queue in queues]
    ids = ("ид", "a b", "a:b", "{", "}", "*", "'\"\\", "a\nb", "0", "1e3", "x" * 500)
    orders += [Order(task_id=task_id) for task_id in ids]
    orders += [Order(type=f"record:{name}", task_id=f"t{name}") for name in ("ü", "\t", " ", "::", "%s", "*")]
    headers: tuple[dict[str, str], ...] = (
        {},
        {"": ""},
        {"k": "v" * 10_000},
        {"ключ": "\0\n"},
        {str(n): "" for n in range(200)},
    )
    orders += [Order(task_id=f"h{n}", headers=given) for n, given in enumerate(headers)]
    worker = start_worker(OTHER[producer], queues=dict.fromkeys(queues, 1))
    clients[producer].enqueue_many(orders)
    for order in orders:
        assert order.task_id is not None
        seen = worker.wait_start(order.task_id)
        expected = (order.type, order.payload or b"", dict(order.headers or {}), order.queue or "default")
        assert (seen.type, seen.payload, seen.headers, seen.queue) == expected
        worker.wait_end(order.task_id)
    for queue in queues:
        look.wait_empty(queue)
    assert sum(look.counters(queue)[0] for queue in queues) == len(orders)


@pytest.mark.parametrize("state", ["pending", "scheduled", "active", "completed", "archived", "retry", "aggregating"])
@pytest.mark.parametrize("first", SIDES)
def test_a_taken_id_is_refused_by_the_other_client(
    first: str,
    state: str,
    clients: dict[str, Enqueuer],
    start_worker: StartWorker,
    look: Look,
    bring: Callable[..., str],
) -> None:
    """An id is taken in every state of its task, whichever side made and ran it; nothing is changed by the attempt."""
    task_id = bring(state, producer=first, worker=first)
    before = look.snapshot("default")
    for order in (Order(task_id=task_id), Order(task_id=task_id, process_in=60), Order(task_id=task_id, group="other")):
        with pytest.raises(Conflict):
            clients[OTHER[first]].enqueue(order)
    assert look.snapshot("default") == before


def test_options_may_sit_on_the_task(peer: Peer, start_worker: StartWorker) -> None:
    """It makes no difference to a Python worker whether Go's options were given to the task or to the call."""
    worker = start_worker("python", queues={"low": 1})
    task = {"type": "record", "queue": "low", "max_retry": 2, "headers": {"a": "b"}}
    for place in ("task", "call"):
        peer.ask("enqueue", options_on_task=place == "task", task=task | {"task_id": place})
        seen = worker.wait_start(place)
        assert (seen.queue, seen.max_retry, seen.headers) == ("low", 2, {"a": "b"})


def test_fractions_of_a_second(clients: dict[str, Enqueuer], start_worker: StartWorker, look: Look) -> None:
    """Go cuts a short timeout or retention down to none, which a Python worker understands; our client rounds up."""
    for side in SIDES:
        clients[side].enqueue(Order(task_id=side, timeout=0.5, retention=1.5))
    messages = {side: look.message("default", side) for side in SIDES}
    assert (messages["go"].get("timeout"), messages["go"]["retention"]) == (None, 1)
    assert (messages["python"]["timeout"], messages["python"]["retention"]) == (1, 2)
    worker = start_worker("python")
    allowed = {}
    for side in SIDES:
        event = worker.wait_start(side)
        assert event.deadline is not None
        allowed[side] = event.deadline - event.now
    assert timedelta(minutes=29) < allowed["go"] <= timedelta(minutes=30)
    assert allowed["python"] <= timedelta(seconds=1)


@pytest.mark.parametrize("producer", SIDES)
def test_an_idle_worker_of_the_other_side_gets_the_task(
    producer: str,
    clients: dict[str, Enqueuer],
    start_worker: StartWorker,
    record_property: Callable[[str, object], None],
) -> None:
    """A lone task reaches an idle worker. How fast is recorded, never asserted: figures belong to the benchmarks."""
    worker: Worker = start_worker(OTHER[producer])
    delays = []
    for n in range(20):
        sent = datetime.now(UTC)
        clients[producer].enqueue(Order(task_id=f"{n}"))
        delays.append((worker.wait_start(f"{n}").now - sent).total_seconds())
        worker.wait_end(f"{n}")
    record_property("median_milliseconds", round(sorted(delays)[len(delays) // 2] * 1000, 2))


def _timeless(known: Known) -> dict[str, object]:
    return {k: v for k, v in vars(known).items() if k != "next_process_at"}


def _since_now(known: Known) -> Near | None:
    moment = known.next_process_at
    return None if moment is None else Near((moment - datetime.now(UTC)).total_seconds())
