"""Frozen records and their bytes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeAlias

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._wire import asynq_pb2 as pb
from asynqpy._wire import keys, records
from asynqpy._wire.records import (
    SchedulerEnqueueEvent,
    SchedulerEntry,
    ServerInfo,
    TaskMessage,
    WorkerInfo,
)
from asynqpy.errors import WireError

Record: TypeAlias = TaskMessage | ServerInfo | WorkerInfo | SchedulerEntry | SchedulerEnqueueEvent

INT32, INT64 = 2**31, 2**63
NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
INT32S = st.integers(-INT32, INT32 - 1)
INT64S = st.integers(-INT64, INT64 - 1)
EARLIEST = datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC)
# The first second after Go's zero time is the earliest that is told apart from "never".
TIMES = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment >= EARLIEST)

MESSAGES = st.builds(
    TaskMessage,
    type=TEXT,
    id=TEXT,
    queue=TEXT,
    payload=st.binary(),
    retry=INT32S,
    retried=INT32S,
    error_msg=TEXT,
    timeout=INT64S,
    deadline=INT64S,
    unique_key=TEXT,
    last_failed_at=INT64S,
    retention=INT64S,
    completed_at=INT64S,
    group_key=TEXT,
    headers=st.dictionaries(TEXT, TEXT, max_size=3),
)
SERVERS = st.builds(
    ServerInfo,
    host=TEXT,
    pid=INT32S,
    server_id=TEXT,
    concurrency=INT32S,
    queues=st.dictionaries(TEXT, INT32S, max_size=3),
    strict_priority=st.booleans(),
    status=TEXT,
    start_time=TIMES,
    active_worker_count=INT32S,
)
WORKERS = st.builds(
    WorkerInfo,
    host=TEXT,
    pid=INT32S,
    server_id=TEXT,
    task_id=TEXT,
    task_type=TEXT,
    task_payload=st.binary(),
    queue=TEXT,
    start_time=TIMES,
    deadline=st.none() | TIMES,
)
ENTRIES = st.builds(
    SchedulerEntry,
    id=TEXT,
    spec=TEXT,
    task_type=TEXT,
    task_payload=st.binary(),
    enqueue_options=st.lists(TEXT.map(lambda name: f"{name}()"), max_size=3).map(tuple),
    next_enqueue_time=st.none() | TIMES,
    prev_enqueue_time=st.none() | TIMES,
)
EVENTS = st.builds(SchedulerEnqueueEvent, task_id=TEXT, enqueue_time=TIMES)
KINDS: list[Any] = [TaskMessage, ServerInfo, WorkerInfo, SchedulerEntry, SchedulerEnqueueEvent]

MESSAGE = TaskMessage(type="email:send", payload=b'{"u":1}', id="abc", queue="default", retry=25, timeout=1800)
FULL_MESSAGE = msgspec.structs.replace(
    MESSAGE,
    retried=1,
    error_msg="boom",
    last_failed_at=1_700_000_000,
    retention=60,
    group_key="g1",
    headers={"k": "v"},
    unique_key=keys.of_queue("default").unique("email:send", b'{"u":1}'),
)
FULL_MESSAGE_HEX = (
    "0a0a656d61696c3a73656e6412077b2275223a317d1a03616263220764656661756c74281930013a04626f6f6d40880e5242"
    "6173796e713a7b64656661756c747d3a756e697175653a656d61696c3a73656e643a63666562343930363234386631386362"
    "393466323032373131633261333463665880e2cfaa06603c720267317a060a016b120176"
)
SERVER = ServerInfo(host="h", pid=1, server_id="sid", concurrency=10, queues={"default": 1}, start_time=NOON)
WORKER = WorkerInfo(
    host="h",
    pid=1,
    server_id="sid",
    task_id="abc",
    task_type="t",
    task_payload=b"{}",
    queue="default",
    start_time=NOON,
    deadline=None,
)
ENTRY = SchedulerEntry(
    id="e1", spec="@every 1m", task_type="t", next_enqueue_time=datetime.fromtimestamp(1_700_000_060, UTC)
)
EVENT = SchedulerEnqueueEvent(task_id="abc", enqueue_time=datetime.fromtimestamp(1_700_000_000, UTC))


class TestGoldenVectors:
    """Bytes that Go wrote, or would write."""

    @pytest.mark.parametrize(
        ("record", "hexadecimal"),
        [
            (
                MESSAGE,
                "0a0a656d61696c3a73656e6412077b2275223a317d1a03616263220764656661756c74281940880e",
            ),
            (
                FULL_MESSAGE,
                FULL_MESSAGE_HEX,
            ),
            (
                ENTRY,
                "0a026531120940657665727920316d1a0174320608bce2cfaa063a0b088092b8c398feffffff01",
            ),
        ],
        ids=["message", "full message", "scheduler entry"],
    )
    def test_are_written_and_read(self, record: Record, hexadecimal: str) -> None:
        """Encoding gives these bytes, decoding gives the record back."""
        assert record.encode().hex() == hexadecimal
        assert type(record).decode(bytes.fromhex(hexadecimal)) == record

    def test_nanoseconds_are_read_as_far_as_python_knows_them(self) -> None:
        """An event of Go carries nanoseconds; a datetime holds microseconds."""
        data = bytes.fromhex("0a0361626312080880e2cfaa061005")
        assert SchedulerEnqueueEvent.decode(data) == EVENT

    def test_any_order_of_fields_is_read(self) -> None:
        """Protobuf does not promise an order."""
        data = bytes.fromhex("40880e2819220764656661756c741a0361626312077b2275223a317d0a0a656d61696c3a73656e64")
        assert TaskMessage.decode(data) == MESSAGE

    def test_unknown_fields_are_skipped(self) -> None:
        """A later asynq may add some."""
        assert TaskMessage.decode(MESSAGE.encode() + bytes.fromhex("f20603616263")) == MESSAGE


class TestRoundTrips:
    """Whatever is encoded is decoded to the same."""

    @given(MESSAGES)
    def test_messages(self, record: TaskMessage) -> None:
        """All fields of a task, over their whole range."""
        assert TaskMessage.decode(record.encode()) == record

    @given(SERVERS)
    def test_servers(self, record: ServerInfo) -> None:
        """All fields of a server."""
        assert ServerInfo.decode(record.encode()) == record

    @given(WORKERS)
    def test_workers(self, record: WorkerInfo) -> None:
        """All fields of a running attempt, with and without a deadline."""
        assert WorkerInfo.decode(record.encode()) == record

    @given(ENTRIES)
    def test_entries(self, record: SchedulerEntry) -> None:
        """All fields of a periodic task, with and without times."""
        assert SchedulerEntry.decode(record.encode()) == record

    @given(EVENTS)
    def test_events(self, record: SchedulerEnqueueEvent) -> None:
        """Both fields of a firing."""
        assert SchedulerEnqueueEvent.decode(record.encode()) == record

    @given(MESSAGES)
    def test_encoding_is_what_protobuf_does(self, record: TaskMessage) -> None:
        """The short cut for fields that are seldom set leaves none out."""
        fields = msgspec.structs.asdict(record)
        assert pb.TaskMessage.FromString(record.encode()) == pb.TaskMessage(**fields)


class TestDecoding:
    """Bytes from elsewhere."""

    @pytest.mark.parametrize("kind", KINDS)
    @given(data=st.binary(max_size=60))
    def test_garbage_raises_one_error(self, kind: Any, data: bytes) -> None:
        """Random bytes are a record or a WireError, nothing else."""
        with suppress(WireError):
            assert isinstance(kind.decode(data), kind)

    @given(record=st.one_of(MESSAGES, SERVERS, WORKERS, ENTRIES, EVENTS), data=st.data())
    def test_truncated_bytes_raise_one_error(self, record: Record, data: st.DataObject) -> None:
        """A cut record is a shorter record or a WireError."""
        encoded = record.encode()
        cut = encoded[: data.draw(st.integers(0, len(encoded)))]
        with suppress(WireError):
            assert isinstance(type(record).decode(cut), type(record))

    @given(record=st.one_of(MESSAGES, SERVERS, WORKERS, ENTRIES, EVENTS), data=st.data())
    def test_flipped_bytes_raise_one_error(self, record: Record, data: st.DataObject) -> None:
        """One wrong byte anywhere."""
        encoded = bytearray(record.encode())
        if encoded:
            encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
        with suppress(WireError):
            assert isinstance(type(record).decode(bytes(encoded)), type(record))

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_an_empty_record(self, kind: Any) -> None:
        """No bytes are a valid message of proto3, as Go sees it."""
        assert isinstance(kind.decode(b""), kind)

    def test_the_error_tells_what_was_expected(self) -> None:
        """Type and size, with protobuf's own words and the cause."""
        with pytest.raises(WireError, match=r"not a task message \(3 bytes\)") as caught:
            TaskMessage.decode(b"\x0a\x05a")
        assert caught.value.__cause__ is not None
        with pytest.raises(WireError, match=r"not a ServerInfo \(3 bytes\)"):
            ServerInfo.decode(b"\x0a\x05a")

    @pytest.mark.parametrize("field", [1, 3, 4, 7, 10, 14])
    def test_text_that_is_not_utf8_is_refused(self, field: int) -> None:
        """As Go does: such a message cannot be handed on."""
        with pytest.raises(WireError):
            TaskMessage.decode(bytes([field << 3 | 2, 1, 0xFF]))

    @pytest.mark.parametrize("seconds", [2**62, -(2**62) + 2**40, 253_402_300_800])
    def test_a_moment_beyond_the_calendar_is_refused(self, seconds: int) -> None:
        """The year 10000 fits into a Timestamp and into no datetime."""
        data = pb.SchedulerEnqueueEvent(task_id="abc", enqueue_time=Timestamp(seconds=seconds)).SerializeToString()
        if seconds > 0:
            with pytest.raises(WireError, match="not a moment that a datetime can hold"):
                SchedulerEnqueueEvent.decode(data)
        else:  # before Go's zero time: never
            assert SchedulerEnqueueEvent.decode(data).enqueue_time == EPOCH


REFUSED = [
    msgspec.structs.replace(MESSAGE, **{field: value})
    for field, value in [
        ("type", "\ud800"),
        ("id", "\ud800"),
        ("queue", "\ud800"),
        ("error_msg", "boom \udfff"),
        ("unique_key", "\ud800"),
        ("group_key", "\ud800"),
        ("headers", {"\ud800": "v"}),
        ("headers", {"k": "\ud800"}),
        ("retry", INT32),
        ("retry", -INT32 - 1),
        ("retried", INT32),
        ("timeout", INT64),
        ("deadline", INT64),
        ("last_failed_at", -INT64 - 1),
        ("retention", INT64),
        ("completed_at", INT64),
        ("type", b"\xff"),
        ("payload", "text"),
        ("retry", 1.5),
    ]
] + [
    msgspec.structs.replace(SERVER, **{field: value})
    for field, value in [
        ("host", "\ud800"),
        ("status", "\ud800"),
        ("pid", INT32),
        ("concurrency", -INT32 - 1),
        ("queues", {"\ud800": 1}),
        ("queues", {"q": INT32}),
        ("active_worker_count", INT32),
    ]
] + [
    msgspec.structs.replace(WORKER, task_type="\ud800"),
    msgspec.structs.replace(WORKER, pid=INT32),
    msgspec.structs.replace(ENTRY, spec="\ud800"),
    msgspec.structs.replace(ENTRY, enqueue_options=("Queue(\ud800)",)),
    msgspec.structs.replace(EVENT, task_id="\ud800"),
]  # fmt: skip


class TestEncoding:
    """What the wire cannot carry is refused before it is written."""

    @pytest.mark.parametrize(
        "record", REFUSED, ids=lambda record: repr(record)[:60].encode("ascii", "replace").decode()
    )
    def test_refuses_what_a_reader_could_not_read(self, record: Record) -> None:
        """Invalid Unicode, integers out of range, wrong types: one undecodable record stops a Go peer."""
        with pytest.raises(WireError, match="cannot be stored"):
            record.encode()

    def test_names_the_task(self) -> None:
        """Among ten thousand tasks the error says which."""
        with pytest.raises(WireError, match="task 'abc' cannot be stored: Value out of range"):
            msgspec.structs.replace(MESSAGE, retry=INT32).encode()

    @pytest.mark.parametrize("option", ["", "Queue", "unique"])
    def test_refuses_options_that_make_go_panic(self, option: str) -> None:
        """A Go inspector panics at an option without a bracket."""
        entry = msgspec.structs.replace(ENTRY, enqueue_options=('Queue("low")', option))
        with pytest.raises(WireError, match="Go inspector panics"):
            entry.encode()

    def test_writes_never_as_the_zero_time_of_go(self) -> None:
        """An absent Timestamp would show as 1970 there."""
        for data, name in [
            (msgspec.structs.replace(ENTRY, next_enqueue_time=None).encode(), "next_enqueue_time"),
            (ENTRY.encode(), "prev_enqueue_time"),
        ]:
            stored = pb.SchedulerEntry.FromString(data)
            assert stored.HasField(name)
            assert (getattr(stored, name).seconds, getattr(stored, name).nanos) == (-62_135_596_800, 0)
        assert pb.WorkerInfo.FromString(WORKER.encode()).deadline.seconds == -62_135_596_800

    def test_writes_moments_in_utc(self) -> None:
        """The zone of a datetime does not change the moment."""
        elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
        assert msgspec.structs.replace(SERVER, start_time=elsewhere).encode() == SERVER.encode()

    def test_leaves_out_what_is_empty(self) -> None:
        """Proto3: zero values take no bytes."""
        assert TaskMessage(type="t", id="a", queue="q").encode() == b"\n\x01t\x1a\x01a\x22\x01q"


def test_records_are_frozen() -> None:
    """A record that was read is a fact."""
    with pytest.raises(AttributeError):
        MESSAGE.retry = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("grün", "grün"), ("a\ud800b", "a?b"), ("", ""), ("nul\0", "nul\0")],
)
def test_error_texts_are_made_storable(text: str, expected: str) -> None:
    """An outcome is never lost over a lone surrogate in its text."""
    assert records.storable_text(text) == expected
    assert TaskMessage.decode(msgspec.structs.replace(MESSAGE, error_msg=expected).encode()).error_msg == expected
