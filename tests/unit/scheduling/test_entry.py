"""What entries are named, and when two are the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from asynqpy import Task
from asynqpy._scheduling.entry import Entry, Zone, make_entry
from asynqpy.options import EnqueueOptions

BERLIN = Zone("Europe/Berlin", ZoneInfo("Europe/Berlin"))
ZERO = Zone("UTC", UTC)


def entry(spec: str = "@daily", task: Task | None = None, zone: Zone = ZERO, **more: Any) -> Entry:
    """An entry."""
    policies = {"catch_up": "none", "overlap": True, "entry_id": None}
    policies |= {name: more.pop(name) for name in list(more) if name in policies}
    options: EnqueueOptions = more  # type: ignore[assignment]
    return make_entry(spec, task or Task("t", b"x"), options, zone=zone, **policies)  # type: ignore[arg-type]


def test_ids_are_the_same_everywhere() -> None:
    """In each process, on each machine, in each version: pinned here."""
    assert entry().id == "5c98275d-1e35-5d02-a640-34f743e35608"
    assert UUID(entry().id).version == 5


@pytest.mark.parametrize(
    "other",
    [
        entry("@midnight"),
        entry(task=Task("u", b"x")),
        entry(task=Task("t", b"y")),
        entry(task=Task("t", b"")),
        entry(task=Task("t")),
        entry(zone=BERLIN),
        entry(queue="low"),
        entry(max_retry=3),
        entry(headers={"a": "b"}),
        entry(task=Task("t", b"x", headers={"a": "c"})),
        entry(process_at=datetime(2030, 1, 1, tzinfo=UTC)),
        entry(task_id="mine"),
        entry(entry_id="named"),
    ],
    ids=lambda other: f"{other.spec} {other.given}",
)
def test_what_makes_another_entry(other: Entry) -> None:
    """Spec, type, payload, options, headers, zone, or a name."""
    assert other.id != entry().id
    assert other.content != entry().content


@pytest.mark.parametrize(
    "same",
    [
        entry(queue="default"),
        entry(max_retry=25),
        entry(task=Task("t", b"x", queue="low"), queue="default"),
        entry(headers={}),
    ],
    ids=lambda same: str(same.given),
)
def test_what_does_not(same: Entry) -> None:
    """Defaults that are spelt out, whether of the task or of the registration."""
    assert same.id == entry().id


def test_where_an_option_stands_does_not_matter() -> None:
    """With the task, or with the registration; in whatever order."""
    assert entry(queue="low", max_retry=1).id == entry(task=Task("t", b"x", max_retry=1, queue="low")).id
    assert entry(headers={"a": "1", "b": "2"}).id == entry(headers={"b": "2", "a": "1"}).id


def test_the_zone_counts_only_where_it_matters() -> None:
    """Not for intervals, nor for specs that name their own."""
    assert entry("@every 5m", zone=BERLIN).id == entry("@every 5m").id
    assert entry("TZ=Asia/Tokyo @daily", zone=BERLIN).id == entry("TZ=Asia/Tokyo @daily").id


def test_policies_do_not_change_the_id_but_the_content() -> None:
    """So an entry whose policy changes goes on where it stands."""
    for other in (entry(catch_up="all"), entry(overlap=False)):
        assert other.id == entry().id
        assert other.content != entry().content


def test_the_id_of_a_task_names_entry_and_tick() -> None:
    """Unless the options say another."""
    tick = datetime(2026, 1, 1, tzinfo=UTC)
    assert entry(entry_id="e").task_id(tick) == f"e:{int(tick.timestamp())}"
    assert entry(task_id="mine").task_id(tick) == "mine"
