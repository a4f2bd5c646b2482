"""The flows of the inspector, driven by hand: what they make of replies that a single healthy server does not give."""

from __future__ import annotations

import binascii
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._broker.inspect import info, move, places, presence, queues, tasks, walk
from asynqpy._broker.inspect.cursor import Bookmark
from asynqpy._broker.inspect.places import Place
from asynqpy._wire import keys, records
from asynqpy.errors import BrokerError, QueryError, TaskStateError
from asynqpy.inspection import ClusterNode, Orphan, QueueInfo, Trouble
from asynqpy.task import TaskState

from .by_hand import first, talk

NOW = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
REFUSAL = BrokerError("Redis refused")
NO_CLUSTER = BrokerError("Redis refused CLUSTER: ERR This instance has cluster support disabled")
SLOT = presence.cluster_key_slot("low")


class TestRefusals:
    """What Redis refuses is raised, unless it is of no importance."""

    @pytest.mark.parametrize(
        "flow",
        [
            lambda: queues.queue_counts("low", now=NOW),
            lambda: info.queue_infos(["low"], memory=False, now=NOW),
            lambda: tasks.task_page(Place("low", TaskState.RETRY), 1, 30, now=NOW),
            lambda: tasks.look_up([("low", "a")], now=NOW),
        ],
    )
    def test_is_raised(self, flow: Any) -> None:
        """The first one, whatever comes after it."""
        with pytest.raises(BrokerError):
            talk(flow(), [REFUSAL] * 8)

    def test_who_may_only_read_sees_servers(self) -> None:
        """Striking off the dead is refused, and does not matter."""
        server = records.ServerInfo(host="h", pid=1, server_id="s", concurrency=1, queues={"low": 1}, start_time=NOW)
        listed = [[b"asynq:servers:{h:1:s}"], REFUSAL]
        run = talk(presence.servers(now=NOW), listed, [[], REFUSAL], [server.encode(), None])
        assert [found.id for found in run.result] == ["s"]
        with pytest.raises(BrokerError):
            talk(presence.servers(now=NOW), [REFUSAL, 0])


class TestClusters:
    """What a cluster tells."""

    def test_nodes_of_a_queue(self) -> None:
        """The range that holds its slot; the primary comes first, and old servers give no ids."""
        elsewhere = [0, SLOT - 1, [b"10.0.0.1", 7000, b"id1"]]
        here = [SLOT, 16_383, [b"10.0.0.2", 7001, b"id2", []], [b"10.0.0.3", 7002]]
        run = talk(presence.cluster_nodes("low"), [elsewhere, here])
        assert run.result == [
            ClusterNode(id="id2", host="10.0.0.2", port=7001),
            ClusterNode(id="", host="10.0.0.3", port=7002),
        ]
        assert run.calls[0].key is None

    def test_slots_that_nobody_holds(self) -> None:
        """Are in the hands of no node."""
        assert talk(presence.cluster_nodes("low"), []).result == []

    def test_what_each_master_says(self) -> None:
        """Each is asked by a key of its own slots, its replicas are not asked."""
        one, other = [b"10.0.0.1", 7000, b"id1", []], [b"10.0.0.2", 7001, b"id2", []]
        slots = [[0, 99, one, other], [100, 16_000, other], [16_001, 16_001, one], [16_002, 16_383, one]]
        run = talk(presence.node_infos(), slots, [b"# Server\r\nrun_id:a\r\n", REFUSAL])
        assert run.result == {"10.0.0.1:7000": {"run_id": "a"}, "10.0.0.2:7001": {}}
        first, second = (binascii.crc_hqx(str(call.key).encode(), 0) % 16_384 for call in run.calls[1:])
        assert 16_002 <= first <= 16_383
        assert 100 <= second <= 16_000

    def test_facts(self) -> None:
        """Names and values; comments and blank lines are left out."""
        run = talk(presence.cluster_info(), b"cluster_enabled:1\r\ncluster_state:ok\r\n")
        assert run.result == {"cluster_enabled": "1", "cluster_state": "ok"}
        info_run = talk(presence.redis_info(), b"# Server\r\nexecutable:/a:b\r\n\r\nodd\r\n")
        assert info_run.result == {"executable": "/a:b"}

    def test_texts(self) -> None:
        """As Redis gives them; a cluster is asked about itself too."""
        alone = b"# Server\r\nredis_version:7\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n"
        assert talk(presence.redis_texts(), alone).result == {"INFO": alone.decode()}
        run = talk(presence.redis_texts(), b"cluster_enabled:1\r\n", b"cluster_state:ok\r\n", b"id1 a:1@2 myself\n")
        assert run.result == {
            "INFO": "cluster_enabled:1\r\n",
            "CLUSTER INFO": "cluster_state:ok\r\n",
            "CLUSTER NODES": "id1 a:1@2 myself\n",
        }

    def test_other_refusals_are_raised(self) -> None:
        """Only a server that is no cluster is asked in vain."""
        for flow in (presence.cluster_nodes("low"), presence.cluster_info(), presence.node_infos()):
            with pytest.raises(BrokerError):
                talk(flow, REFUSAL)
        assert talk(presence.cluster_nodes("low"), NO_CLUSTER).result == []
        assert talk(presence.cluster_info(), NO_CLUSTER).result == {}
        assert talk(presence.node_infos(), NO_CLUSTER).result == {}

    def test_slots_are_those_of_redis(self) -> None:
        """Of the name between the braces; an empty one leaves the whole key."""
        assert presence.cluster_key_slot("123456789") == 12_739
        assert presence.cluster_key_slot("}odd") != presence.cluster_key_slot("}even")


class TestBulk:
    """How much is asked for, and when it ends."""

    def test_a_list_is_not_read_beyond_its_length(self) -> None:
        """The last batch is as small as what is left."""
        flow = move.delete_all(Place("low", TaskState.PENDING))
        run = talk(flow, 1, 250, [200, 200, b""], [49, 50, b""])
        assert run.result == 249
        assert [call.words[-1] for call in run.calls[2:]] == [200, 50]

    def test_a_list_that_others_empty(self) -> None:
        """Ends with the first batch that is not full."""
        assert talk(move.delete_all(Place("low", TaskState.PENDING)), 1, 1000, [3, 3, b""]).result == 3

    def test_a_set_is_read_from_score_to_score(self) -> None:
        """Each batch begins where the last one ended, up to what was the highest."""
        flow = move.run_all(Place("low", TaskState.RETRY), now=NOW)
        run = talk(flow, 1, [400, [b"last"]], b"90", [200, 200, b"30"], [200, 200, b"60"], [0, 0, b""])
        assert run.result == 400
        assert [call.words[-3:] for call in run.calls[4:]] == [
            ("-inf", 90.0, 200),
            (b"30", 90.0, 200),
            (b"60", 90.0, 200),
        ]

    def test_a_set_whose_last_member_is_gone(self) -> None:
        """Has no end but its own."""
        flow = move.run_all(Place("low", TaskState.RETRY), now=NOW)
        assert talk(flow, 1, [1, [b"last"]], None, [0, 0, b""]).calls[-1].words[-2] == "+inf"

    @pytest.mark.parametrize(
        ("code", "state", "remedy"),
        [
            (-1, b"active", "cancel"),
            (-1, b"what?", "recover_orphans"),
            (-2, b"retry", "recover_orphans"),
            (-2, b"aggregating", "aggregated just now"),
        ],
    )
    def test_refusals_name_a_remedy(self, code: int, state: bytes, remedy: str) -> None:
        """For whatever stands in the way."""
        with pytest.raises(TaskStateError, match=remedy):
            move.refuse(code, state, "low", "a", "delete")


class TestBookmarks:
    """Where a search has got to."""

    @given(
        st.builds(
            Bookmark,
            queue=st.text(),
            state=st.sampled_from(list(TaskState)).map(str),
            group=st.text(),
            score=st.one_of(st.just(b""), st.floats(allow_nan=False, allow_infinity=False).map(repr).map(str.encode)),
            member=st.binary(),
            position=st.integers(0, 2**40),
            anchors=st.tuples(st.binary(), st.binary(), st.binary()),
            lookups_left=st.integers(0, 2**40),
        )
    )
    def test_survive_being_text(self, bookmark: Bookmark) -> None:
        """Of characters that need no escape in a URL."""
        cursor = bookmark.encode()
        assert Bookmark.decode(cursor) == bookmark
        assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")

    @pytest.mark.parametrize(
        "wrong", [Bookmark(score=b"nan"), Bookmark(score=b"1;DEL"), Bookmark(position=-1), Bookmark(lookups_left=2**60)]
    )
    def test_what_no_walk_can_have_said_is_refused(self, wrong: Bookmark) -> None:
        """Before it gets to Redis."""
        with pytest.raises(QueryError):
            Bookmark.decode(wrong.encode())

    @given(st.text())
    def test_nonsense_is_refused(self, text: str) -> None:
        """With a typed error, or it happens to be one."""
        with suppress(QueryError):
            assert isinstance(Bookmark.decode(text), Bookmark)


def test_a_walk_that_is_over_says_nothing_more() -> None:
    """Not even to ask."""
    steps = walk.Walk(Place("low", TaskState.RETRY), fields=("msg",))
    assert talk(steps.step(10), [b"a", b"1", b"", b"m"]).result == [(b"a", b"1", b"", b"m")]
    assert talk(steps.step(10)).result == []


def test_places_begin_with_the_queue() -> None:
    """Asking for the keys of a place asks for those of its queue."""
    assert places.place("low", "retry", None) == Place("low", TaskState.RETRY)
    assert first(places.require_queue("low")).words == ("SISMEMBER", keys.QUEUES, "low")  # type: ignore[union-attr]


def test_what_is_told_can_be_compared_and_kept() -> None:
    """Values are equal when what they tell is; they cannot be changed."""
    orphan = Orphan(trouble=Trouble.STALE_LOCK, name="a")
    assert orphan == Orphan(trouble=Trouble.STALE_LOCK, name="a", state="", is_repaired=False)
    with pytest.raises(AttributeError):
        orphan.name = "b"  # type: ignore[misc]
    assert set(TaskState) <= set(QueueInfo.__struct_fields__)
