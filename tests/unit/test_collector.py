"""What the collector of the web dashboard makes of what it sees."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")

from asynqpy.inspection import SchedulerEntry
from asynqpy.web.collector import marked


def entry(id: str, spec: str = "@every 30s", payload: bytes = b"") -> SchedulerEntry:
    return SchedulerEntry(
        id=id,
        scheduler="host:1:uuid",
        spec=spec,
        task_type="t",
        task_payload=payload,
        options={},
        option_texts=(),
        next_enqueue_at=None,
        previous_enqueue_at=None,
    )


def test_entries_that_are_alike_are_marked() -> None:
    """Both of them; what differs in anything is not."""
    found = marked([entry("a"), entry("b"), entry("c", spec="@hourly"), entry("d", payload=b"{}")])
    assert [(each.entry.id, each.is_duplicate) for each in found] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
    ]
