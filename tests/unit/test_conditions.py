"""What searches ask of headers and of fields of payloads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from asynqpy.conditions import document_in, field_conditions, fields_in, header_conditions, headers_in
from asynqpy.errors import QueryError

DOCUMENT = (
    b'{"user":{"id":7,"name":"Jo \\u00e9","7":"seven","a.b":1,"big":9007199254740993,"ratio":0.1,"huge":1e400},'
    b'"items":[{"sku":"7"},{"sku":null}],"ok":true,"beyond":1e99999999999999999999,"empty":{}}'
)


def suits(path: str, value: Any, payload: bytes = DOCUMENT) -> bool:
    (condition,) = field_conditions({path: value})
    return condition.suits(document_in(payload))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.id", 7),
        ("user.id", 7.0),
        ("user.id", Decimal("7.00")),
        ("user.id", ...),
        ("user.7", "seven"),
        ("user.name", "Jo é"),
        (r"user.a\.b", 1),
        ("user.big", 9007199254740993),
        ("user.ratio", 0.1),
        ("user.ratio", Decimal("0.1")),
        ("user.huge", Decimal("1e400")),
        ("user", ...),
        ("items.0.sku", "7"),
        ("items.1.sku", None),
        ("items.1.sku", ...),
        ("items", ...),
        ("empty", ...),
        ("beyond", ...),
        ("ok", True),
    ],
)
def test_a_field_that_suits(path: str, value: Any) -> None:
    """Names, indexes, and every kind of value; numbers are exact."""
    assert suits(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.id", "7"),
        ("user.id", True),
        ("user.id", 8),
        ("user.big", 9007199254740992),
        ("user.big", 9007199254740992.0),
        ("items.0.sku", 7),
        ("items.1.sku", "null"),
        ("items.2.sku", ...),
        ("items.-1.sku", ...),
        ("items.sku", ...),
        ("items.99999999999999999999", ...),
        ("user.none", None),
        ("user.id.more", ...),
        ("ok", 1),
        ("ok", "true"),
        ("beyond", 1),
        ("user", "Jo é"),
    ],
)
def test_a_field_that_does_not(path: str, value: Any) -> None:
    """A number is no text, true is no number, and what is not there is not null."""
    assert not suits(path, value)


@pytest.mark.parametrize(
    "payload", [b"", b"7", b'"user"', b"user.id=7", b"\xff\x00", b'{"user":{"id":7}', b"\x80", b"\xdf"]
)
def test_payloads_without_fields(payload: bytes) -> None:
    """Neither JSON nor MessagePack, or without parts."""
    assert not suits("user.id", 7, payload)


def test_message_pack() -> None:
    """Maps and arrays, with numbers as they are written."""
    payload = msgspec.msgpack.encode({"user": {"id": 2**63, "ratio": 0.1, "é": ["x"]}})
    for path, value in {"user.id": 2**63, "user.ratio": 0.1, "user.é.0": "x"}.items():
        assert suits(path, value, payload)
    assert not suits("user.id", 2**63 + 1, payload)
    assert suits("1", 2, msgspec.msgpack.encode([1, 2]))


def test_headers() -> None:
    """There, or there with a value."""
    one, other = header_conditions({"tenant": "acme", "trace": ...})
    assert one.suits({"tenant": "acme"})
    assert not one.suits({"tenant": "acme "})
    assert not one.suits({})
    assert other.suits({"trace": ""})
    assert not other.suits({"tenant": "acme"})


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("user.id=7", ("user.id", 7)),
        ("user.id", ("user.id", ...)),
        ("user.id=", ("user.id", "")),
        ('user.id="7"', ("user.id", "7")),
        ("user.name=Jo", ("user.name", "Jo")),
        ("q=a=b", ("q", "a=b")),
        (r"a\=b=c", (r"a\=b", "c")),
        ("ok=true", ("ok", True)),
        ("ok=True", ("ok", "True")),
        ("none=null", ("none", None)),
        ("ratio=0.10", ("ratio", Decimal("0.10"))),
        ("big=123456789012345678901234567890", ("big", 123456789012345678901234567890)),
        ("odd=[x", ("odd", "[x")),
        ("odd=007", ("odd", "007")),
    ],
)
def test_fields_as_people_type_them(text: str, field: tuple[str, Any]) -> None:
    """JSON where it is a value without parts, else text."""
    assert fields_in([text]) == dict([field])
    (value,) = fields_in([text]).values()
    assert type(value) is type(field[1])


def test_what_is_escaped_in_a_path() -> None:
    """Dots, equals signs, backslashes."""
    (condition,) = field_conditions(fields_in([r"a\.b.c\=d\\=1"]))
    assert condition.path == ("a.b", "c=d\\")
    assert condition.suits({"a.b": {"c=d\\": 1}})


def test_headers_as_people_type_them() -> None:
    """The value is text in any case."""
    assert headers_in(["tenant=7", "trace", r"a\=b=c=d", "empty="]) == {
        "tenant": "7", "trace": ..., "a=b": "c=d", "empty": "",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "=", "=7", "a\\"])
def test_texts_without_a_name(text: str) -> None:
    """Say how to write them."""
    for read in (headers_in, fields_in):
        with pytest.raises(QueryError, match="VALUE"):
            read([text])


def test_asked_twice() -> None:
    """Both cannot hold; the same thing twice can."""
    for read in (headers_in, fields_in):
        assert len(read(["a=1", "a=1"])) == 1
        with pytest.raises(QueryError, match="twice"):
            read(["a=1", "a=2"])


def test_values_with_parts() -> None:
    """Are refused with a way out: in quotes they are text."""
    with pytest.raises(QueryError, match="in quotes"):
        fields_in(["tags=[1]"])
    assert fields_in(['tags="[1]"']) == {"tags": "[1]"}


NONSENSE: list[Any] = [
    {"": 1},
    {".a": 1},
    {"a..b": 1},
    {"a.": 1},
    {"a": [1]},
    {"a": {}},
    {"a": float("nan")},
    {"a": Decimal("inf")},
    {"a": b"x"},
    {7: 1},
    {"a\ud800": 1},
    {"a": "\ud800"},
    ["a"],
    "a=1",
]


@pytest.mark.parametrize("fields", NONSENSE, ids=ascii)
def test_fields_that_cannot_be(fields: Any) -> None:
    """No path, no value."""
    with pytest.raises(QueryError):
        field_conditions(fields)


@pytest.mark.parametrize("headers", [{"a": 1}, {"a": None}, {7: "a"}, {"a\ud800": "x"}, ["a"], "a"], ids=ascii)
def test_headers_that_cannot_be(headers: Any) -> None:
    """Names and values are text."""
    with pytest.raises(QueryError):
        header_conditions(headers)
