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


@pytest.mark.parametrize(
    ("text", "headers", "fields"),
    [
        ("header:tenant=acme header:trace", {"tenant": "acme", "trace": ...}, {}),
        ('header:tenant="Jo A"', {"tenant": "Jo A"}, {}),
        (r'header:"tenant=\"a\""', {"tenant": '"a"'}, {}),
        (r"header:a\=b=c=", {"a=b": "c="}, {}),
        ("header:tenant=Jo's", {"tenant": "Jo's"}, {}),
        ("header:tenant=", {"tenant": ""}, {}),
        ("field:user.id=7  field:to", {}, {"user.id": 7, "to": ...}),
        ('field:id="7" field:ok=true field:gone=null', {}, {"id": "7", "ok": True, "gone": None}),
        (r'field:user.name="say \"hi\" to"', {}, {"user.name": 'say "hi" to'}),
        ('field:"user.name=Jo A"', {}, {"user.name": "Jo A"}),
        (r"field:a\.b=1", {}, {r"a\.b": 1}),
        (f"field:n={2**53 + 1}", {}, {"n": 2**53 + 1}),
    ],
)
def test_headers_and_fields(text: str, headers: dict[str, object], fields: dict[str, object]) -> None:
    """In the words of the web's line: quotes in a field mean text; without = anything is asked for."""
    query = parse(text)
    assert (query.headers, query.fields, query.words) == (headers, fields, "")
    assert not query.is_empty


def test_headers_and_fields_among_others() -> None:
    """What stands in quotes of others is theirs, and what is before and after stays itself."""
    query = parse("""'the header:a' field:user.name="Jo A" queue:low it\\'s error:"field:x =" """)
    assert (query.words, query.error, query.queues) == ("the header:a it's", "field:x =", ["low"])
    assert query.fields == {"user.name": "Jo A"}


@pytest.mark.parametrize("text", ["", "  ", "queue:low"])
def test_nothing_to_look_for(text: str) -> None:
    """A queue alone is no search."""
    assert parse(text).is_empty


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("state:a", "'a' is no state"),
        ("type:", "after type:"),
        ('error:"x', "a quotation mark is missing"),
        ("x it's", "a quotation mark is missing"),
        ("header:", "after header:"),
        ('field:""', "after field:"),
        ('field:user.name="Jo', "a quotation mark is missing"),
        ("header:=acme", "no header to look for: write NAME or NAME=VALUE"),
        ("header:a=1 header:a=2", "header 'a' is asked for twice"),
        ("field:a..b=1", "no path of a field"),
        ("field:a=[1]", "a value without parts"),
    ],
)
def test_what_makes_no_sense(text: str, trouble: str) -> None:
    """It is said what."""
    with pytest.raises(ValueError, match=trouble):
        parse(text)
