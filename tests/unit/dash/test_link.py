"""When Redis is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from asynqpy.dash.link import Link

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_all_is_well() -> None:
    """As often as was asked for; less often where reading takes long, so that Redis has other things to do as well."""
    link = Link(2.0)
    link.succeeded(NOW, 0.01)
    assert link.pause == 2.0
    link.succeeded(NOW, 1.5)
    assert link.pause == 6.0
    assert link.age(NOW + timedelta(seconds=3)) == 3


def test_redis_is_away() -> None:
    """Less often each time, up to a limit that is no shorter than what was asked for."""
    link = Link(0.5)
    assert link.age(NOW) is None
    pauses = []
    for _ in range(20):
        link.failed("away")
        pauses.append(link.pause)
    assert pauses[:6] == [1, 2, 4, 8, 15, 15]
    assert pauses[-1] == 15
    link.succeeded(NOW, 0.01)
    assert (link.pause, link.error) == (0.5, "")
    rare = Link(60)
    rare.failed("away")
    rare.failed("away")
    assert rare.pause == 60
