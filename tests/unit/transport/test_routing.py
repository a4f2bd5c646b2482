"""Where calls go on a cluster, driven by hand: no nodes, only what they would say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis.exceptions import AskError, ClusterDownError, MovedError, ReadOnlyError, ResponseError, TryAgainError

from asynqpy import BrokerError, ConnectionLostError
from asynqpy._broker import scripts
from asynqpy._broker.flow import Call, command
from asynqpy._transport.exchange import RefusedForNow, Unreachable, refusal
from asynqpy._transport.routing import MOST_REDIRECTIONS, guarded, route
from asynqpy._transport.topology import SLOTS, Topology, Watching, hash_tag, slot_of_tag
from asynqpy.config import Address

A, B, C = ("a", 1), ("b", 2), ("c", 3)
NODES = (A, B, C)


def slots(*bounds: tuple[int, int, Address]) -> list[Any]:
    """A reply to CLUSTER SLOTS."""
    return [[first, last, [host.encode(), port, b"id", []]] for first, last, (host, port) in bounds]


WHOLE = slots((0, 5460, A), (5461, 10922, B), (10923, SLOTS - 1, C))


def known() -> Topology:
    """A cluster of three nodes that share the slots evenly."""
    topology = Topology(NODES, lambda address: address)
    assert topology.learn(WHOLE, A)
    return topology


def key_on(node: Address, topology: Topology) -> str:
    """A key that *node* serves."""
    return next(f"k{n}" for n in range(10_000) if topology.owner(f"k{n}") == node)


Answer = Callable[[Address, Call], Any]


def talk(calls: Sequence[Call], topology: Topology, answer: Answer) -> tuple[list[Any], list[dict[Address, list[str]]]]:
    """The results, and what was sent to whom in each round, when nodes say *answer*."""
    rounds: list[dict[Address, list[str]]] = []
    routing = route(calls, topology)
    try:
        parcels = next(routing)
        while True:
            rounds.append({address: [str(call.words[0]) for call in sent] for address, sent in parcels})
            replies = []
            for address, sent in parcels:
                said = [answer(address, call) for call in sent]
                replies.append(
                    [
                        refusal(reply, call) if isinstance(reply, ResponseError) else reply
                        for reply, call in zip(said, sent, strict=True)
                    ]
                )
            parcels = routing.send(replies)
    except StopIteration as finished:
        return finished.value, rounds


def echo(address: Address, call: Call) -> Any:
    return WHOLE if call.words[:2] == ("CLUSTER", "SLOTS") else (address, call.words[1])


@pytest.mark.parametrize(
    ("key", "tag"),
    [
        ("plain", "plain"),
        ("asynq:{low}:pending", "low"),
        ("asynq:{a}b}:pending", "a"),
        ("asynq:{{x}:pending", "{x"),
        ("asynq:{}}:pending", "asynq:{}}:pending"),
        ("{", "{"),
        ("}{", "}{"),
        ("", ""),
    ],
)
def test_the_hash_tag_decides(key: str, tag: str) -> None:
    """As Redis does it; the slot is that of redis-py too."""
    from redis.crc import key_slot

    assert hash_tag(key) == tag
    assert slot_of_tag(hash_tag(key)) == key_slot(key.encode())


def test_calls_are_split_and_replies_put_in_order() -> None:
    """One parcel a node, all in one round."""
    topology = known()
    keys = [key_on(node, topology) for node in (A, B, A, C, B)]
    results, rounds = talk([command("GET", key) for key in keys], topology, echo)
    assert results == [(A, keys[0]), (B, keys[1]), (A, keys[2]), (C, keys[3]), (B, keys[4])]
    assert rounds == [{A: ["GET", "GET"], B: ["GET", "GET"], C: ["GET"]}]


def test_an_unknown_cluster_is_asked_first() -> None:
    """A start node that does not answer is passed over; a node without a host in its reply is the one asked."""
    topology = Topology([A, B], lambda address: address)

    def answer(address: Address, call: Call) -> Any:
        if address == A:
            return Unreachable("down")
        return slots((0, SLOTS - 1, ("", 7))) if call.words[0] == "CLUSTER" else address

    results, rounds = talk([command("GET", "k")], topology, answer)
    assert results == [("b", 7)]
    assert rounds[-1] == {("b", 7): ["GET"]}
    assert topology.masters == (("b", 7),)
    assert not topology.wants_a_look


def test_nobody_answers() -> None:
    """The error is that of the last who was asked."""
    for trouble in (Unreachable("down"), BrokerError("wrong password")):
        results, _ = talk([command("GET", "k")], Topology([A], lambda one: one), lambda *_, trouble=trouble: trouble)
        assert results == [trouble]


def test_moved_is_followed_and_remembered() -> None:
    """The call goes to the new node; the next one goes there directly; the topology is in doubt."""
    topology = known()
    key = key_on(A, topology)
    slot = slot_of_tag(key)

    def answer(address: Address, call: Call) -> Any:
        if call.words[0] == "CLUSTER":
            return []
        return MovedError(f"{slot} b:2") if address == A else address

    results, rounds = talk([command("GET", key)], topology, answer)
    assert results == [B]
    assert rounds[0] == {A: ["GET"]}
    assert rounds[-1] == {B: ["GET"]}
    assert topology.owner(key) == B


def test_ask_is_followed_once_and_not_remembered() -> None:
    """ASKING goes before the call, and its reply to nobody."""
    topology = known()
    key = key_on(A, topology)

    def answer(address: Address, call: Call) -> Any:
        if call.words[0] == "ASKING":
            return "nobody's"
        return AskError(f"{slot_of_tag(key)} c:3") if address == A else address

    results, rounds = talk([command("GET", key)], topology, answer)
    assert (results, rounds) == ([C], [{A: ["GET"]}, {C: ["ASKING", "GET"]}])
    assert topology.owner(key) == A


def test_redirections_in_a_circle_end() -> None:
    """With a refusal for now."""
    topology = known()
    key = key_on(A, topology)
    other = {A: "b:2", B: "a:1"}

    def answer(address: Address, call: Call) -> Any:
        return [] if call.words[0] == "CLUSTER" else MovedError(f"{slot_of_tag(key)} {other[address]}")

    results, rounds = talk([command("GET", key)], topology, answer)
    assert isinstance(results[0], RefusedForNow)
    assert len([sent for sent in rounds if ["GET"] in sent.values()]) == MOST_REDIRECTIONS


@pytest.mark.parametrize("error", [TryAgainError("x"), ClusterDownError("x"), ReadOnlyError("x")])
def test_what_cannot_be_done_for_now_is_said_so(error: ResponseError) -> None:
    """It is for the lane to be patient; meanwhile a look is due."""
    topology = known()
    results, rounds = talk([command("GET", "k")], topology, lambda *_: error)
    assert isinstance(results[0], RefusedForNow)
    assert len(rounds) == 1


@pytest.mark.parametrize(
    "text",
    [
        "READONLY You can't write against a read only replica. script: 5, on @user_script:3.",
        "NOREPLICAS Not enough good replicas to write.",
        "Script attempted to access a non local key in a cluster node script: 5",
        "Script attempted to execute a write command while the cluster is down and readonly",
    ],
)
def test_the_same_inside_of_scripts(text: str) -> None:
    """Whatever kind of error a version of Redis makes of it."""
    assert isinstance(refusal(ResponseError(text), scripts.CLAIM(("k",), ())), RefusedForNow)
    assert not isinstance(refusal(ResponseError("ERR other"), scripts.CLAIM(("k",), ())), RefusedForNow)


def test_a_lost_connection_is_not_tried_again() -> None:
    """The call may have been executed."""
    topology = known()
    lost = ConnectionLostError("lost")
    results, rounds = talk([command("GET", "k")], topology, lambda *_: lost)
    assert (results, len(rounds)) == ([lost], 1)


def test_a_node_that_cannot_be_reached_is_left_alone_for_a_while() -> None:
    """Its calls fail without being sent; those to others are not held up."""
    topology = known()
    keys = [key_on(A, topology), key_on(B, topology)]

    def answer(address: Address, call: Call) -> Any:
        return Unreachable("down") if address == A else echo(address, call)

    talk([command("GET", key) for key in keys], topology, answer)
    results, rounds = talk([command("GET", key) for key in keys], topology, answer)
    assert isinstance(results[0], Unreachable)
    assert results[1] == (B, keys[1])
    assert all(A not in sent for sent in rounds)


def test_a_call_without_a_key_goes_to_any_node_that_answers() -> None:
    """Each is tried once."""

    def answer(address: Address, call: Call) -> Any:
        if address != C:
            return Unreachable("x")
        return [] if call.words[0] == "CLUSTER" else "up"

    topology = known()
    results, _ = talk([command("PING")] * 2, topology, answer)
    assert results == ["up", "up"]
    topology = known()
    results, rounds = talk([command("PING")], topology, lambda *_: Unreachable("x"))
    assert isinstance(results[0], Unreachable)
    assert len(rounds) <= 6


def test_scripts_name_two_keys_that_never_exist() -> None:
    """Of the slot of the others, behind them, and within the pattern of the ACL."""
    call = scripts.MEND(("asynq:{q}:active", "asynq:{q}:lease", "asynq:{q}:pending"), ("asynq:{q}:t:", 5))
    sent = guarded(call)
    assert sent.words[2] == 5
    assert sent.words[3:6] == call.words[3:6]
    assert sent.words[8:] == call.words[6:]
    for key in sent.words[6:8]:
        assert hash_tag(str(key)) == "q"
        assert str(key).startswith("asynq:")
    assert (sent.script, sent.key) == (call.script, call.key)
    plain = scripts.MEND(("asynq:servers",) * 3, ("x", 5))
    assert {hash_tag(str(key)) for key in guarded(plain).words[3:8]} == {"asynq:servers"}
    assert guarded(command("GET", "k")) == command("GET", "k")


def test_a_script_across_slots_is_refused_here() -> None:
    """It would be a mistake of ours; the message names both keys."""
    with pytest.raises(BrokerError, match=r"mend.*'\{a\}x' and '\{b\}x'"):
        guarded(scripts.MEND(("{a}x", "{b}x", "{a}y"), ("t", 5)))


def test_changes_are_told() -> None:
    """To whoever wants to know, when an owner is another one; not when nothing has changed."""

    class Listener(Watching):
        told = 0

        def place_changed(self) -> None:
            self.told += 1

    topology, listener = known(), Listener()
    topology.watch(listener)
    topology.learn(WHOLE, B)
    assert listener.told == 0
    topology.moved(5, B)
    topology.moved(5, B)
    assert listener.told == 1
    topology.learn(WHOLE, B)
    assert listener.told == 2
    assert not topology.learn([], A)


def test_announced_addresses_are_translated() -> None:
    """Those of CLUSTER SLOTS and those of redirections."""
    topology = Topology([A], lambda address: ("outside", address[1]))
    topology.learn(WHOLE, A)
    assert topology.masters == (("outside", 1), ("outside", 2), ("outside", 3))
    assert topology.announced("b", 2, A) == ("outside", 2)
    assert topology.announced("", 2, A) == ("a", 2)
    assert topology.announced(b"?", 2, A) == ("a", 2)
    assert topology.announced(None, 2, A) == ("a", 2)
