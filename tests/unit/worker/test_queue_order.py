"""How free slots are shared between queues."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from asynqpy._worker.queue_order import QueueOrder

WEIGHTS = {"low": 1, "critical": 6, "default": 3}


def test_shares_follow_the_weights() -> None:
    """Over many slots each queue gets its part, whether they are drawn one by one or many at once."""
    for slots in (1, 7, 100):
        order = QueueOrder(WEIGHTS, strict=False, rng=Random(1))
        drawn: Counter[str] = Counter()
        for _ in range(30_000 // slots):
            drawn.update(order.share(slots, WEIGHTS))
        total = drawn.total()
        assert {queue: round(drawn[queue] / total, 1) for queue in drawn} == {
            "critical": 0.6,
            "default": 0.3,
            "low": 0.1,
        }


def test_every_slot_is_given_away() -> None:
    """The parts always add up to the slots, and a queue that gets none is left out."""
    order = QueueOrder(WEIGHTS, strict=False, rng=Random(2))
    for slots in range(1, 200):
        share = order.share(slots, WEIGHTS)
        assert sum(share.values()) == slots
        assert min(share.values()) >= 1


def test_queues_without_tasks_leave_theirs_to_the_others() -> None:
    """Only ready queues are drawn, in proportion to each other."""
    order = QueueOrder(WEIGHTS, strict=False, rng=Random(3))
    assert order.share(10, {"low"}) == {"low": 10}
    drawn = order.share(10_000, {"low", "default"})
    assert set(drawn) == {"low", "default"}
    assert 2300 < drawn["low"] < 2700


def test_no_queue_starves() -> None:
    """A weight of one beside a million is small, not nothing."""
    order = QueueOrder({"big": 1000, "small": 1}, strict=False, rng=Random(4))
    assert order.share(20_000, {"big", "small"})["small"] > 0


@pytest.mark.parametrize("strict", [True, False])
def test_nothing_is_shared_when_there_is_nothing_to_share(*, strict: bool) -> None:
    """No slots, or no queue with tasks, or one that is not ours."""
    order = QueueOrder(WEIGHTS, strict=strict)
    assert order.share(0, WEIGHTS) == order.share(-1, WEIGHTS) == order.share(5, set()) == {}


def test_strict_priority_gives_everything_to_the_heaviest_ready_queue() -> None:
    """Whatever the others weigh."""
    order = QueueOrder(WEIGHTS, strict=True)
    assert order.queues == ("critical", "default", "low")
    assert order.share(9, WEIGHTS) == {"critical": 9}
    assert order.share(9, {"low", "default"}) == {"default": 9}
    assert order.share(9, {"low"}) == {"low": 9}


def test_equal_weights_under_strict_priority_have_a_fixed_order() -> None:
    """That of the settings."""
    assert QueueOrder({"b": 1, "a": 1, "c": 1}, strict=True).queues == ("b", "a", "c")


def test_the_order_is_repeatable_with_a_seed() -> None:
    """Randomness comes from outside."""
    one, two = (QueueOrder(WEIGHTS, strict=False, rng=Random(5)) for _ in range(2))
    assert [one.share(10, WEIGHTS) for _ in range(20)] == [two.share(10, WEIGHTS) for _ in range(20)]
