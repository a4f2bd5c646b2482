"""What is typed to find tasks."""

from __future__ import annotations

import pytest

from asynqpy import TaskState
from asynqpy.dash.query import parse


def test_everything_at_once() -> None:
    """Names with values, in any order, quoted where there are blanks; the rest is words."""
    query = parse(
        'type:email:* error:"no such user" state:ret state:archived queue:low id:7 payload:x group:g and more'
    )
    assert (query.type, query.error, query.payload, query.group) == ("email:*", "no such user", "x", "g")
    assert (query.ids, query.queues) == (["7"], ["low"])
    assert query.states == [TaskState.RETRY, TaskState.ARCHIVED]
    assert query.words == "and more"


def test_a_type_without_a_pattern_is_how_it_begins() -> None:
    """So that ``type:email`` finds ``email:welcome``."""
    assert (parse("type:email").type, parse("type:*:welcome").type) == ("email*", "*:welcome")


def test_a_colon_in_other_words() -> None:
    """A type that is typed without its name is words."""
    assert parse("email:welcome").words == "email:welcome"


@pytest.mark.parametrize("text", ["", "  ", "queue:low"])
def test_nothing_to_look_for(text: str) -> None:
    """A queue alone is no search."""
    assert parse(text).is_empty


@pytest.mark.parametrize(
    ("text", "trouble"),
    [("state:a", "'a' is no state"), ("type:", "after type:"), ('error:"x', "a quotation mark is missing")],
)
def test_what_makes_no_sense(text: str, trouble: str) -> None:
    """It is said what."""
    with pytest.raises(ValueError, match=trouble):
        parse(text)
