"""The flows, driven by hand: what they say to Redis, and what they make of its replies."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
import pytest

from asynqpy._broker import dequeue, due, finish, leases, presence, scripts
from asynqpy._broker.dequeue import Claimed, Held
from asynqpy._broker.finish import (
    Archive,
    Complete,
    Delay,
    Done,
    Finish,
    Requeue,
    Retry,
)
from asynqpy._broker.flow import Batch, Call, command
from asynqpy._broker.leases import Recovered
from asynqpy._broker.turn import turn
from asynqpy._wire.records import ServerInfo, TaskMessage
from asynqpy.errors import (
    BrokerError,
    ConnectionLostError,
    LeaseExpiredError,
)

from .by_hand import first, first_call, ids, talk

NOW = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
REFUSAL = BrokerError("Redis refused")
LOST = ConnectionLostError("the connection broke")
SERVER = ServerInfo(host="h", pid=1, server_id="sid", concurrency=1, queues={"low": 1}, start_time=NOW)


class TestClaim:
    """Claimed tasks, and those of earlier claims."""

    def test_reads_a_flat_list(self) -> None:
        """Id, message, waiting since, crashes; an empty moment is unknown, an empty number is none."""
        flow = dequeue.claim("low", 2, token="token", lease_milliseconds=30_000)
        run = talk(flow, [b"a", b"message a", b"1700000000250000000", b"", b"b", b"message b", b"", b"2"])
        assert run.result == [
            Claimed("a", b"message a", 1_700_000_000_250_000_000, 0),
            Claimed("b", b"message b", 0, 2),
        ]

    @pytest.mark.parametrize("reply", [[], -1])
    def test_an_empty_and_a_paused_queue_give_nothing(self, reply: object) -> None:
        """A caller that wants to know the difference takes a turn."""
        assert talk(dequeue.claim("low", 2, token="token", lease_milliseconds=30_000), reply).result == []

    def test_finds_the_tasks_of_a_claim(self) -> None:
        """With what recovery needs: the lease as Redis spells it, crashes, whether it had begun, the whole token."""
        run = talk(
            dequeue.claimed_by("low", "tok"),
            [b"a", b"message", b"1700000030.125", b"2", 1, b"token-1", b"b", b"", b"1.5", b"0", 0, b"token-2"],
        )
        assert run.result == [
            Held("a", b"message", "1700000030.125", 2, True, "token-1"),
            Held("b", b"", "1.5", 0, False, "token-2"),
        ]


def one_of_each(queue: str, n: int) -> list[Finish]:
    """The six outcomes."""
    return [
        Done(queue, f"done-{n}", "token"),
        Complete(queue, f"complete-{n}", "token", b"m", 1),
        Retry(queue, f"retry-{n}", "token", b"m", 1000),
        Delay(queue, f"delay-{n}", "token", b"m", 1000),
        Archive(queue, f"archive-{n}", "token", b"m"),
        Requeue(queue, f"requeue-{n}", "token"),
    ]


class TestFinish:
    """Outcomes, gathered by queue and kind."""

    def test_one_call_per_queue_and_kind(self) -> None:
        """Records of one kind share a call, in the order they came; put off is not retried."""
        records = [record for n in range(2) for queue in ("low", "high") for record in one_of_each(queue, n)]
        calls = finish.finish_calls(records, now=NOW)
        assert len(calls) == 12
        for call, carried in calls:
            assert ids(call) == [record.id for record in carried]
            assert {record.queue for record in carried} == {keys_queue(call)}
            assert len({type(record) for record in carried}) == 1
            assert [record.id.partition("-")[2] for record in carried] == ["0", "1"]
        assert sorted(record.id for _, carried in calls for record in carried) == sorted(r.id for r in records)

    @pytest.mark.parametrize(
        ("count", "sizes"),
        [(0, []), (1, [1]), (999, [999]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])],
    )
    def test_a_call_takes_a_thousand_records(self, count: int, sizes: list[int]) -> None:
        """No outcome is left out between two pieces."""
        records = [Done("low", str(n), "token") for n in range(count)]
        calls = finish.finish_calls(records, now=NOW)
        assert [len(carried) for _, carried in calls] == sizes
        assert [task_id for call, _ in calls for task_id in ids(call)] == [str(n) for n in range(count)]

    def test_returns_the_ids_refused(self) -> None:
        """Of all calls."""
        records = [*one_of_each("low", 0)[:2], *one_of_each("low", 1)[:2]]
        assert talk(finish.finish(records, now=NOW), [[b"done-1"], [b"complete-0"]]).result == ["done-1", "complete-0"]

    def test_raises_the_first_error(self) -> None:
        """The caller cannot know what was written; a turn can."""
        with pytest.raises(BrokerError, match="Redis refused"):
            talk(finish.finish(one_of_each("low", 0)[:2], now=NOW), [[], REFUSAL])

    @pytest.mark.parametrize("result", [None, b"", b"result"])
    def test_an_empty_result_is_a_result(self, result: bytes | None) -> None:
        """None keeps what the handler wrote itself, empty bytes replace it."""
        said = first(finish.finish([Complete("low", "a", "token", b"m", 1, "", result)], now=NOW))
        assert isinstance(said, Batch)
        assert said.calls[0].words[-2:] == ((0, b"") if result is None else (1, result))


def keys_queue(call: Call) -> str:
    """The queue of a script call."""
    match = re.match(r"asynq:\{(.*?)\}:", str(call.key))
    assert match is not None
    return match[1]


class TestTurn:
    """One round trip that writes what ended and claims what is wanted."""

    def test_reports_by_position(self) -> None:
        """Each error belongs to its call alone: the others count as done."""
        records: list[Finish] = [
            Done("low", "a", "token"),
            Done("low", "b", "token"),
            Done("high", "c", "token"),
            Retry("low", "d", "token", b"m", 1),
        ]
        another = BrokerError("another refusal")
        wanted = {"low": 2, "high": 1, "idle": 1, "halted": 1, "refusing": 1}
        run = talk(
            turn(records, wanted, token="t", lease_milliseconds=1, now=NOW),
            [[b"b"], REFUSAL, [], [b"x", b"message", b"5", b""], LOST, [], -1, another],
        )
        [said] = run.said
        assert isinstance(said, Batch)
        assert [keys_queue(call) for call in said.calls] == ["low", "high", "low", *wanted]
        report = run.result
        assert report.claimed == {"low": [Claimed("x", b"message", 5)], "idle": []}
        assert report.paused == ["halted"]
        assert report.refused == [records[1]]
        assert report.unwritten == [records[2]]
        assert report.lost_claims == ["high"]  # the other one was refused
        assert report.error is another

    def test_writes_come_before_claims(self) -> None:
        """What ends frees its place before new tasks are taken."""
        said = first(turn([Done("low", "a", "token")], {"low": 1}, token="t", lease_milliseconds=1, now=NOW))
        assert isinstance(said, Batch)
        assert [call.script for call in said.calls] == [scripts.DONE, scripts.CLAIM]

    def test_a_piece_that_failed_is_all_unwritten(self) -> None:
        """Of 1,500 outcomes the failed 500 are to be written again, and no other."""
        records = [Done("low", str(n), "token") for n in range(1500)]
        report = talk(turn(records, {}, token="t", lease_milliseconds=1, now=NOW), [[], REFUSAL]).result
        assert report.unwritten == records[1000:]
        assert report.refused == []

    def test_all_errors(self) -> None:
        """With Redis down every outcome stays and every claim is in doubt."""
        records = one_of_each("low", 0)
        report = talk(turn(records, {"low": 1}, token="t", lease_milliseconds=1, now=NOW), [LOST] * 7).result
        assert report.unwritten == records
        assert report.lost_claims == ["low"]
        assert (report.claimed, report.paused, report.refused, report.error) == ({}, [], [], LOST)

    def test_nothing_went_wrong(self) -> None:
        """Then there is no error to look at."""
        report = talk(
            turn([Done("low", "a", "t")], {"low": 1}, token="t", lease_milliseconds=1, now=NOW), [[], []]
        ).result
        assert (report.error, report.unwritten, report.refused, report.lost_claims) == (None, [], [], [])
        assert report.claimed == {"low": []}


class TestLeases:
    """Keeping claims, and taking tasks back."""

    def test_extends_a_thousand_claims_a_call(self) -> None:
        """And gathers the ids that are lost from all calls."""
        claims = [(str(n), "token") for n in range(2001)]
        run = talk(leases.extend("low", claims, lease_milliseconds=30_000), [[b"7"], [], [b"2000"]])
        assert [len(ids(call)) for call in run.calls] == [1000, 1000, 1]
        assert run.result == ["7", "2000"]

    def test_extends_the_claims_of_all_queues_in_one_round_trip(self) -> None:
        """An error is that of its queue alone."""
        claims = {"low": [(str(n), "token") for n in range(1500)], "high": [("a", "token")], "none": []}
        run = talk(leases.extend_each(claims, lease_milliseconds=30_000), [[b"7"], LOST, [b"a"]])
        assert len(run.said) == 1
        assert [keys_queue(call) for call in run.calls] == ["low", "low", "high"]
        assert run.result == {"low": LOST, "high": ["a"], "none": []}
        with pytest.raises(BrokerError):
            talk(leases.extend("high", claims["high"], lease_milliseconds=30_000), [REFUSAL])

    def test_extends_nothing_without_a_word(self) -> None:
        """An idle server asks nothing."""
        assert talk(leases.extend("low", [], lease_milliseconds=30_000)) == ([], [])

    def test_reads_what_has_expired(self) -> None:
        """Also an id without a message, which is to be cleared away."""
        run = talk(leases.expired("low"), [b"a", b"message", b"1.5", b"1", 1, b"b", b"", b"2.5", b"0", 0])
        assert run.result == [Held("a", b"message", "1.5", 1, True), Held("b", b"", "2.5", 0, False)]

    def test_recovers_nothing_without_a_word(self) -> None:
        """Most rounds find nothing."""
        assert talk(leases.recover("low", [], max_crashes=3, now=NOW)) == ([], [])

    def test_counts_crashes_and_archives_at_the_limit(self) -> None:
        """What Redis moved is reported; a task that somebody else took meanwhile is not."""
        lost = [Held("a", b"", "1.5", 0), Held("b", b"", "1.5", 1), Held("c", b"", "1.5", 2), Held("d", b"", "1.5", 0)]
        run = talk(leases.recover("low", lost, max_crashes=3, now=NOW), [b"a", b"b", b"c"])
        assert run.result == [Recovered("a", 1, False), Recovered("b", 2, False), Recovered("c", 3, True)]

    @pytest.mark.parametrize(
        ("crashes", "begun", "limit", "fate"),
        [
            (0, False, 3, Recovered("a", 1, False)),
            (0, True, 3, Recovered("a", 1, False)),
            (1, False, 3, Recovered("a", 2, False)),
            (2, False, 3, Recovered("a", 2, False)),
            (2, True, 3, Recovered("a", 3, True)),
            (7, False, 3, Recovered("a", 7, False)),
            (7, True, 3, Recovered("a", 8, True)),
            (0, False, 1, Recovered("a", 1, True)),
            (0, False, 2, Recovered("a", 1, False)),
            (1, False, 2, Recovered("a", 1, False)),
            (1, True, 2, Recovered("a", 2, True)),
        ],
    )
    def test_a_last_chance_that_was_not_taken_stays(
        self, *, crashes: int, begun: bool, limit: int, fate: Recovered
    ) -> None:
        """A task that would be archived next must have been running to be blamed; earlier losses count in any case."""
        lost = [Held("a", b"", "1.5", crashes, begun)]
        run = talk(leases.recover("low", lost, max_crashes=limit, now=NOW), [b"a"])
        assert run.result == [fate]
        assert run.calls[0].words[-4::2] == (int(fate.archived), fate.crashes)
        assert (run.calls[0].words[-1] == b"") is (fate.crashes == crashes)

    @pytest.mark.parametrize(
        ("crashes", "limit", "expected"),
        [(0, 3, False), (1, 3, False), (2, 3, True), (3, 3, True), (0, 1, False), (0, 2, False), (1, 2, True)],
    )
    def test_which_chance_is_the_last(self, *, crashes: int, limit: int, expected: bool) -> None:
        """One more loss would archive; a task that was never lost is nobody's suspect."""
        assert leases.is_last_chance(crashes, limit) is expected

    def test_an_attempt_that_lost_its_claim_does_not_begin(self) -> None:
        """The worker learns it before the handler is called."""
        assert talk(leases.begin("low", "a", "token"), 1).result is None
        with pytest.raises(LeaseExpiredError):
            talk(leases.begin("low", "a", "token"), 0)

    def test_an_archived_task_tells_why(self) -> None:
        """The stored message gets the reason and the moment; no retry is spent."""
        message = TaskMessage(type="t", id="a", queue="low", retry=5, retried=1, error_msg="before")
        call = first_call(leases.recover("low", [Held("a", message.encode(), "1.5", 2)], max_crashes=3, now=NOW))
        stored = call.words[-3]
        assert isinstance(stored, bytes)
        assert TaskMessage.decode(stored) == msgspec.structs.replace(
            message, error_msg="the worker died 3 times while it ran this task", last_failed_at=1_700_000_000
        )

    def test_an_unreadable_message_is_archived_as_it_is(self) -> None:
        """An empty message keeps the stored one."""
        call = first_call(leases.recover("low", [Held("a", b"\xff", "1.5", 2)], max_crashes=3, now=NOW))
        assert call.words[-4:-1] == (1, b"", 3)

    def test_a_task_put_back_keeps_its_message(self) -> None:
        """Nothing of it changes."""
        message = TaskMessage(type="t", id="a", queue="low").encode()
        call = first_call(leases.recover("low", [Held("a", message, "1.5", 0)], max_crashes=3, now=NOW))
        assert call.words[-4:-1] == (0, b"", 1)

    def test_tells_what_was_mended(self) -> None:
        """Ids restored and the number cleared."""
        assert talk(leases.mend("low", now=NOW), [[b"a", b"b"], 3]).result == (["a", "b"], 3)


class TestDue:
    """What becomes due by itself."""

    def test_tells_how_many_and_when_next(self) -> None:
        """Two numbers."""
        assert talk(due.forward("low"), [3, 1500]).result == due.Swept(3, 1500)
        assert talk(due.delete_expired("low", limit=100), [0, -1]).result == due.Swept(0, -1)

    @pytest.mark.parametrize(("asked", "sent"), [(1, 1), (1000, 1000), (100_000, 1000)])
    def test_a_janitor_takes_a_thousand_at_most(self, asked: int, sent: int) -> None:
        """A large batch size of the user must not meet Lua's limit of unpacked values: there is a next call."""
        assert first_call(due.delete_expired("low", limit=asked)).words[-1] == sent


class TestPresence:
    """Servers that make themselves known."""

    def test_announces_in_one_round_trip(self) -> None:
        """The sets of servers and workers first, each with the moment when the server is forgotten."""
        run = talk(presence.announce("h:1:sid", SERVER, [], now=NOW), [1, 1, None])
        assert run.calls[:2] == [
            command("ZADD", "asynq:servers", 1_700_000_010, "asynq:servers:{h:1:sid}"),
            command("ZADD", "asynq:workers", 1_700_000_010, "asynq:workers:{h:1:sid}"),
        ]
        assert run.result

    def test_withdraws_in_one_round_trip(self) -> None:
        """From both sets and with all its keys."""
        run = talk(presence.withdraw("h:1:sid"), [1, 1, 2])
        assert run.calls == [
            command("ZREM", "asynq:servers", "asynq:servers:{h:1:sid}"),
            command("ZREM", "asynq:workers", "asynq:workers:{h:1:sid}"),
            command(
                "DEL",
                *(
                    f"asynq:{each}:{{h:1:sid}}"
                    for each in ("servers", "workers", "py:handled", "py:schemas", "py:about")
                ),
            ),
        ]

    @pytest.mark.parametrize(
        ("is_known", "reply", "words", "is_there"),
        [
            (False, b"OK", ("SETEX", "asynq:py:schemas:{h:1:sid}", 10, b"{}"), True),
            (True, 1, ("EXPIRE", "asynq:py:schemas:{h:1:sid}", 10), True),
            (True, 0, ("EXPIRE", "asynq:py:schemas:{h:1:sid}", 10), False),
        ],
    )
    def test_schemas_are_told_once(
        self, *, is_known: bool, reply: object, words: tuple[object, ...], is_there: bool
    ) -> None:
        """Then they are only kept, and told again if they were lost."""
        flow = presence.announce("h:1:sid", SERVER, [], schemas=b"{}", schemas_are_known=is_known, now=NOW)
        run = talk(flow, [1, 1, None, reply])
        assert run.calls[-1].words == words
        assert run.result is is_there

    def test_versions_are_told_in_the_same_round_trip(self) -> None:
        """Anew each time: they are short."""
        run = talk(presence.announce("h:1:sid", SERVER, [], about=b"{}", now=NOW), [1, 1, None, b"OK"])
        assert run.calls[-1] == command("SETEX", "asynq:py:about:{h:1:sid}", 10, b"{}")

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_raises_the_first_refusal(self, at: int) -> None:
        """Whichever command it was."""
        replies: list[object] = [1, 1, 1]
        replies[at] = REFUSAL
        with pytest.raises(BrokerError, match="Redis refused"):
            talk(presence.announce("h:1:sid", SERVER, [], now=NOW), replies)
        with pytest.raises(BrokerError, match="Redis refused"):
            talk(presence.withdraw("h:1:sid"), replies)

    def test_a_result_has_a_size(self) -> None:
        """In bytes."""
        assert talk(presence.write_result("low", "a", "token", b"12345"), 1).result == 5

    def test_a_result_without_a_claim_is_an_error(self) -> None:
        """The handler learns that its attempt no longer counts."""
        with pytest.raises(LeaseExpiredError):
            talk(presence.write_result("low", "a", "token", b"12345"), 0)

    def test_ping_goes_to_any_node(self) -> None:
        """It has no key."""
        run = talk(presence.ping(), b"PONG")
        assert run.said == [Call(("PING",), None)]
        assert run.result is None


def test_a_command_is_routed_by_its_second_word() -> None:
    """Unless a key is named."""
    assert command("GET", "a").key == "a"
    assert command("EVAL", "return 1", 0, key="b").key == "b"
    assert command("PING").key is None
