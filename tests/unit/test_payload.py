"""Payloads and results as bytes."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy import payload
from asynqpy.errors import InvalidTaskError, PayloadError


@dataclass
class Point:
    """A plain dataclass."""

    x: int
    y: int = 0


class Shape(msgspec.Struct):
    """A msgspec Struct."""

    name: str
    points: list[Point] = []


class Box(TypedDict):
    """A dictionary with known keys."""

    width: int


class Email(pydantic.BaseModel):
    """A pydantic model."""

    to: str
    sent_at: datetime | None = None


class Colour(Enum):
    """An enumeration."""

    RED = "red"


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")])
def test_bytes_stay_as_they_are(value: Any) -> None:
    """Whoever passes bytes has encoded already."""
    encoded = payload.encode(value)
    assert type(encoded) is bytes
    assert encoded == bytes(value)


@pytest.mark.parametrize(("value", "expected"), [("", b""), ("plain", b"plain"), ("grün", "grün".encode())])
def test_text_becomes_utf8_without_quotes(value: str, expected: bytes) -> None:
    """Text is a payload of its own, not a JSON document."""
    assert payload.encode(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"null"),
        (True, b"true"),
        (7, b"7"),
        (1.5, b"1.5"),
        ([1, "a"], b'[1,"a"]'),
        ({"b": 1, "a": [None]}, b'{"b":1,"a":[null]}'),
        (Point(1), b'{"x":1,"y":0}'),
        (Shape("dot", [Point(1, 2)]), b'{"name":"dot","points":[{"x":1,"y":2}]}'),
        (Email(to="a@b"), b'{"to":"a@b","sent_at":null}'),
        (
            [{"mail": Email(to="a@b", sent_at=datetime(2023, 11, 14, tzinfo=UTC))}],
            b'[{"mail":{"to":"a@b","sent_at":"2023-11-14T00:00:00Z"}}]',
        ),
        (Colour.RED, b'"red"'),
        (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (datetime(2023, 11, 14, tzinfo=UTC), b'"2023-11-14T00:00:00Z"'),
    ],
)
def test_everything_else_becomes_json(value: object, expected: bytes) -> None:
    """JSON without blanks, in the order of the fields; pydantic models at any depth."""
    assert payload.encode(value) == expected


def endless() -> list[Any]:
    """A list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "value",
    [object(), {"a": object()}, {(1, 2): 3}, Point, "\ud800", {"a": "\ud800"}, endless()],
    ids=["object", "object inside", "tuple as key", "class", "surrogate", "surrogate inside", "endless"],
)
def test_values_without_a_json_form_are_refused(value: object) -> None:
    """The error names the type of what was passed, and is raised before anything is sent."""
    with pytest.raises(InvalidTaskError, match=f"cannot encode a payload of type {type(value).__name__}"):
        payload.encode(value)


@pytest.mark.parametrize(
    ("data", "model", "expected"),
    [
        (b'{"x":1}', Point, Point(1)),
        (b'{"name":"dot","points":[{"x":1,"y":2}]}', Shape, Shape("dot", [Point(1, 2)])),
        (b'{"width":3}', Box, {"width": 3}),
        (b'{"to":"a@b"}', Email, Email(to="a@b")),
        (b"[1,2]", list[int], [1, 2]),
        (b"[1,2]", tuple[int, int], (1, 2)),
        (b'"red"', Colour, Colour.RED),
        (b"null", None, None),
        (b"1", int | str, 1),
    ],
)
def test_decoding_makes_what_is_asked_for(data: bytes, model: Any, expected: object) -> None:
    """Any type that msgspec decodes, and pydantic models."""
    assert payload.decode(data, model) == expected


@pytest.mark.parametrize(
    ("data", "model"),
    [
        (b"", Point),
        (b"{", Point),
        (b"\xff", Point),
        (b'{"y":1}', Point),
        (b'{"x":"one"}', Point),
        (b"", Email),
        (b"{", Email),
        (b"{}", Email),
        (b'"blue"', Colour),
        (b"[1", list[int]),
        (b"{}", object()),
    ],
)
def test_a_document_that_does_not_fit_is_a_payload_error(data: bytes, model: Any) -> None:
    """Whatever is wrong with the document, handlers need to know one error."""
    with pytest.raises(PayloadError, match="payload does not fit"):
        payload.decode(data, model)


def test_the_error_names_model_and_place() -> None:
    """Enough to find the field without a debugger, and the cause is kept."""
    with pytest.raises(PayloadError, match=r"payload does not fit Shape: .*\$\.points\[0\]\.x") as caught:
        payload.decode(b'{"name":"dot","points":[{"x":"one"}]}', Shape)
    assert isinstance(caught.value.__cause__, msgspec.ValidationError)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"{'a':1}", b"1 2"])
def test_what_is_not_json_is_a_payload_error(data: bytes) -> None:
    """`Task.json` has one error, too."""
    with pytest.raises(PayloadError, match="payload is not JSON"):
        payload.decode_any(data)


@pytest.mark.parametrize("decode", [payload.decode_any, lambda data: payload.decode(data, list)])
def test_a_document_nested_too_deeply_is_a_payload_error(decode: Any) -> None:
    """A payload from elsewhere cannot raise what handlers do not expect."""
    with pytest.raises(PayloadError):
        decode(b"[" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
).filter(lambda value: not isinstance(value, str))


@given(JSON)
def test_plain_values_come_back(value: object) -> None:
    """What JSON can hold survives encoding and decoding."""
    assert payload.decode_any(payload.encode(value)) == value


@given(st.binary())
def test_random_bytes_decode_or_raise_one_error(data: bytes) -> None:
    """No input makes decoding fail in another way."""
    for decode in (payload.decode_any, lambda given: payload.decode(given, dict[str, int])):
        with suppress(PayloadError):
            decode(data)
