"""What searches ask of headers and of fields of payloads, and how people type it. Pure.

Nothing here knows how tasks are stored: a condition is made once, and asked of each task that may fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from types import EllipsisType
from typing import Any, TypeAlias, TypeVar

import msgspec

from asynqpy.errors import QueryError

T = TypeVar("T")

Scalar: TypeAlias = "str | int | float | Decimal | bool | None"
"""A value in a payload that has no parts; None is ``null``."""

_NOTHING: Any = object()
"""What is in the place of a field that is not there."""

_PIECE = re.compile(r"(?:[^\\.]|\\.)+", re.DOTALL)
_NAME = re.compile(r"((?:[^\\=]|\\.)*)(?:=(.*))?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MSGPACK_CONTAINERS = {0xDC, 0xDD, 0xDE, 0xDF}


class HeaderCondition(msgspec.Struct, frozen=True):
    """A header must be there, and have a value."""

    name: str
    value: str | EllipsisType
    """Ellipsis for any."""

    @property
    def needles(self) -> tuple[bytes, ...]:
        """What is in the bytes of every message that fits."""
        return tuple(each.encode() for each in (self.name, self.value) if isinstance(each, str) and each)

    def suits(self, headers: Mapping[str, str]) -> bool:
        """Whether it holds for a task with these *headers*."""
        found = headers.get(self.name)
        return found is not None and (isinstance(self.value, EllipsisType) or found == self.value)


class FieldCondition(msgspec.Struct, frozen=True):
    """A field of a payload must be there, and have a value."""

    path: tuple[str, ...]
    value: str | Decimal | bool | EllipsisType | None
    """Ellipsis for any."""

    @property
    def needles(self) -> tuple[bytes, ...]:
        """What is in the bytes of every payload that fits, unless something in it is escaped."""
        names = [each for each in self.path if not each.isdecimal()]  # those may be indexes
        if isinstance(self.value, str) and self.value:
            names.append(self.value)
        return tuple(name.encode() for name in names)

    def suits(self, document: Any) -> bool:
        """Whether it holds for a payload that is this *document*."""
        for name in self.path:
            if isinstance(document, Mapping):
                document = document.get(name, _NOTHING)
            elif isinstance(document, list) and name.isdecimal() and len(name) < 10 and int(name) < len(document):
                document = document[int(name)]
            else:
                return False
            if document is _NOTHING:
                return False
        return _is(document, self.value)


def document_in(payload: bytes) -> Any:
    """What *payload* says as JSON or, where it is a map or an array, as MessagePack; text if it is neither.

    No field is in a text, so none is found in it. Numbers are exact, however large.
    """
    try:
        return _JSON.decode(payload)
    except (ValueError, RecursionError, ArithmeticError):
        pass
    if payload and (payload[0] & 0xE0 == 0x80 or payload[0] in _MSGPACK_CONTAINERS):
        try:
            return msgspec.msgpack.decode(payload)
        except (ValueError, RecursionError, TypeError):
            pass
    return ""


def header_conditions(headers: Mapping[str, str | EllipsisType] | None) -> tuple[HeaderCondition, ...]:
    """The conditions for *headers*: the value of each by name, Ellipsis for any.

    Raises:
        QueryError: something that no header can be.
    """
    _check_mapping("headers", headers)
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str | EllipsisType):
            raise QueryError(f"headers have texts as names, and texts or ... as values; got {name!r}: {value!r}")
        _check_unicode("headers", name, value)
    return tuple(HeaderCondition(name, value) for name, value in (headers or {}).items())


def field_conditions(fields: Mapping[str, Scalar | EllipsisType] | None) -> tuple[FieldCondition, ...]:
    """The conditions for *fields*: the value of each by its path, Ellipsis for any.

    Raises:
        QueryError: no path, or a value that has parts or is no number.
    """
    _check_mapping("payload_fields", fields)
    return tuple(FieldCondition(_path(path), _value(path, value)) for path, value in (fields or {}).items())


def headers_in(texts: Iterable[str]) -> dict[str, str | EllipsisType]:
    r"""The headers in *texts* that people have typed: ``NAME``, or ``NAME=VALUE``; ``\=`` is one in a name.

    Raises:
        QueryError: one without a name, or asked for twice.
    """
    return _each(texts, "header", "NAME or NAME=VALUE", lambda name: _ESCAPED.sub(r"\1", name), lambda value: value)


def fields_in(texts: Iterable[str]) -> dict[str, Scalar | EllipsisType]:
    r"""The fields in *texts* that people have typed: ``PATH``, or ``PATH=VALUE``.

    A value that is a JSON number, text in quotes, true, false or null is that; everything else is text.

    Raises:
        QueryError: one without a path, one asked for twice, or a value that has parts.
    """
    return _each(texts, "field", "PATH or PATH=VALUE", lambda path: path, _typed)


def _each(
    texts: Iterable[str], what: str, form: str, named: Callable[[str], str], typed: Callable[[str], T]
) -> dict[str, T | EllipsisType]:
    found: dict[str, T | EllipsisType] = {}
    for text in texts:
        match = _NAME.fullmatch(text)
        if match is None or not match[1]:
            raise QueryError(f"{text!r} is no {what} to look for: write {form}")
        name = named(match[1])
        value: T | EllipsisType = ... if match[2] is None else typed(match[2])
        if found.setdefault(name, value) != value:
            raise QueryError(f"{what} {name!r} is asked for twice")
    return found


def _typed(text: str) -> Scalar:
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError, ArithmeticError):
        return text
    if isinstance(value, dict | list):
        raise QueryError(f"a field is looked for by a value without parts: write text in quotes, got {text!r}")
    return value  # type: ignore[no-any-return]


def _path(path: str) -> tuple[str, ...]:
    pieces = _PIECE.findall(path) if isinstance(path, str) else []
    if not pieces or ".".join(pieces) != path:
        raise QueryError(
            rf"{path!r} is no path of a field: write names and indexes with dots between, \. for a dot in a name"
        )
    _check_unicode("payload_fields", path, ...)
    return tuple(_ESCAPED.sub(r"\1", piece) for piece in pieces)


def _value(path: str, value: Scalar | EllipsisType) -> str | Decimal | bool | EllipsisType | None:
    match value:
        case None | bool() | EllipsisType():
            return value
        case str():
            _check_unicode("payload_fields", path, value)
            return value
        case int():
            return Decimal(value)
        case float() if math.isfinite(value):
            return Decimal(repr(value))
        case Decimal() if value.is_finite():
            return value
    raise QueryError(f"field {path!r} is looked for by text, a number, True, False, None or ...; got {value!r}")


def _is(found: Any, wanted: object) -> bool:
    match wanted:
        case EllipsisType():
            return True
        case str():
            return isinstance(found, str) and found == wanted
        case None | bool():
            return found is wanted
    if isinstance(found, float):
        found = Decimal(repr(found))
    return isinstance(found, int | Decimal) and not isinstance(found, bool) and found == wanted


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds: equal to nothing
        return Decimal("nan")


def _check_mapping(name: str, given: object) -> None:
    if given is not None and not isinstance(given, Mapping):
        raise QueryError(f"{name} must be a mapping from names to values, got {given!r}")


def _check_unicode(what: str, name: str, value: object) -> None:
    try:
        f"{name}{value if isinstance(value, str) else ''}".encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"{what} must be valid Unicode: {error}") from None


_JSON = msgspec.json.Decoder(float_hook=_number)
