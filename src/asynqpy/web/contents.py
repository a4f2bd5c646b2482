"""Payloads and results as people can read them: decompressed, decoded, redacted, cut. Nothing is ever unpickled."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

import msgspec

from asynqpy.errors import ConfigError

LARGEST_DECODED = 4 * 1024 * 1024
"""Bytes that are made of compressed ones at most, however few these are."""

HIDDEN = "(hidden)"
NOT_PRINTABLE = "non-printable bytes"
"""What asynq's tools say of bytes that are no text."""


class ContentKind(StrEnum):
    """What bytes turned out to be."""

    EMPTY = "empty"
    JSON = "json"
    """Text that is JSON, or something decoded that is shown as JSON."""
    TEXT = "text"
    BINARY = "binary"
    """Shown as Base64."""
    HIDDEN = "hidden"
    """Not for whoever asks."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose bytes they are."""

    queue: str
    type: str
    what: Literal["payload", "result"] = "payload"


Decoder: TypeAlias = Callable[[bytes, Subject], Any]
"""Makes a value of the bytes of some task: text, bytes to be looked at further, or what has a JSON form. None when they
are none of its own. Whatever it raises counts as None."""

Redact: TypeAlias = Callable[[Any, Subject], Any]
"""Takes out of a decoded value what nobody may see, and returns the rest."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes made readable."""

    kind: ContentKind
    text: str
    """What to show; Base64 for `ContentKind.BINARY`."""
    size: int
    """Of the bytes as they are stored."""
    encodings: tuple[str, ...] = ()
    """What was undone, from the outside in: ``gzip``, ``msgpack`` …"""
    is_cut: bool = False
    """Whether there is more than is shown."""


@dataclass(frozen=True, slots=True)
class ProtobufDecoder:
    """Decodes protobuf messages.

    Args:
        messages: message classes by patterns of task types.
        results: the same for results.
    """

    messages: Mapping[str, Any]
    results: Mapping[str, Any] | None = None

    def __call__(self, data: bytes, subject: Subject) -> Any:
        """The message as a dictionary; None for a type without a message class."""
        from google.protobuf.json_format import MessageToDict

        known = self.messages if subject.what == "payload" else self.results or {}
        for pattern, message in known.items():
            if fnmatchcase(subject.type, pattern):
                return MessageToDict(message.FromString(data), preserving_proto_field_name=True)
        return None


class Contents:
    """Makes bytes readable.

    Args:
        decoders: asked in their order, before what is known here: JSON, text, gzip, zlib, Zstandard, MessagePack.
        redact_fields: names of fields whose values nobody may see, at whatever depth, in any case.
        redact: takes out of each decoded value what nobody may see.

    Raises:
        ConfigError: a field without a name.
    """

    def __init__(
        self,
        decoders: Sequence[Decoder] = (),
        *,
        redact_fields: Iterable[str] = (),
        redact: Redact | None = None,
    ) -> None:
        self._decoders = tuple(decoders)
        self._fields = frozenset(name.casefold() for name in redact_fields)
        if "" in self._fields or isinstance(redact_fields, str):
            raise ConfigError(f"redact_fields must be names of fields, got {redact_fields!r}")
        self._redact = redact

    @property
    def redacts(self) -> bool:
        """Whether something is taken out: then nobody gets the bytes themselves, nor searches in them."""
        return bool(self._fields or self._redact)

    def read(self, data: bytes, subject: Subject, *, longest: int, visible: bool = True) -> Content:
        """*data* for people, at most *longest* characters of it; nothing of it where it is not *visible*."""
        if not visible:
            return Content(ContentKind.HIDDEN, HIDDEN, len(data))
        if not data:
            return Content(ContentKind.EMPTY, "", 0)
        value, encodings = self._decoded(data, subject)
        if self.redacts:
            value = self._redacted(value, subject)
        return _shown(value, len(data), encodings, longest)

    def _decoded(self, data: bytes, subject: Subject) -> tuple[Any, tuple[str, ...]]:
        encodings: list[str] = []
        for decoder in self._decoders:
            value = _tried(decoder, data, subject)
            if isinstance(value, bytes | bytearray | memoryview):
                data = bytes(value)
                encodings.append(_name(decoder))
            elif value is not None:
                return value, (*encodings, _name(decoder))
        for _ in range(3):  # compressed, and compressed again; nobody does it more often
            found = _decompressed(data)
            if found is None:
                break
            data, name = found
            encodings.append(name)
        value, name = _value_of(data)
        return value, (*encodings, name) if name else tuple(encodings)

    def _redacted(self, value: Any, subject: Subject) -> Any:
        if isinstance(value, _Json):
            value = json.loads(value.text)
        if self._fields:
            # What is not made of fields may hold anything, and a search for them would find nothing.
            value = HIDDEN if isinstance(value, str | bytes) else _without(value, self._fields)
        if self._redact is not None:
            value = self._redact(value, subject)
        return value


@dataclass(frozen=True, slots=True)
class _Json:
    """Text that is JSON, kept as it is: a browser would spoil its large numbers."""

    text: str


def _shown(value: Any, size: int, encodings: tuple[str, ...], longest: int) -> Content:
    kind, text = ContentKind.JSON, ""
    match value:
        case None:
            text = "null"
        case _Json(text=text):
            pass
        case str():
            kind, text = ContentKind.TEXT, value
        case bytes():
            kind = ContentKind.BINARY
            whole = len(value) <= longest // 4 * 3
            text = base64.b64encode(value if whole else value[: longest // 4 * 3]).decode()
            return Content(kind, text, size, encodings, is_cut=not whole)
        case _:
            text = json.dumps(value, ensure_ascii=False, default=_plain)
    if value == HIDDEN:
        kind = ContentKind.HIDDEN
    return Content(kind, text[:longest], size, encodings, is_cut=len(text) > longest)


def line_of(content: Content, longest: int) -> str:
    """*content* as asynq's front end wants it: text, cut after *longest* characters unless that is negative."""
    text = NOT_PRINTABLE if content.kind is ContentKind.BINARY else content.text
    is_cut = content.is_cut or 0 <= longest < len(text)
    return (text if longest < 0 else text[:longest]) + ("…" if is_cut else "")


def _tried(decoder: Decoder, data: bytes, subject: Subject) -> Any:
    try:
        return decoder(data, subject)
    except Exception:  # noqa: BLE001 - a decoder of the user's; these bytes are none of its own
        return None


def _name(decoder: Decoder) -> str:
    return str(getattr(decoder, "__name__", type(decoder).__name__)).removesuffix("Decoder").lower()


def _value_of(data: bytes) -> tuple[Any, str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text:
        try:
            msgspec.json.decode(data, type=msgspec.Raw)
            return _Json(text), ""
        except (msgspec.DecodeError, RecursionError):
            pass
        if is_printable(text):
            return text, ""
    if data and (data[0] & 0xE0 == 0x80 or data[0] in _MSGPACK_CONTAINERS):  # a map or an array: all else is too likely
        try:
            return msgspec.msgpack.decode(data), "msgpack"
        except (msgspec.DecodeError, ValueError, RecursionError, TypeError):
            pass
    return data, ""


_MSGPACK_CONTAINERS = {0xDC, 0xDD, 0xDE, 0xDF}


def is_printable(text: str) -> bool:
    """Whether it can be shown as it is: line breaks and tabs may be in it."""
    return all(each.isprintable() or each in "\n\r\t" for each in text)


def _decompressed(data: bytes) -> tuple[bytes, str] | None:
    """*data* with its compression undone, and its name; None when there is none that is known."""
    try:
        if data[:2] == b"\x1f\x8b":
            return _inflated(data, 16 + zlib.MAX_WBITS), "gzip"
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return _from_zstandard(data)
        if len(data) > 2 and data[0] & 0x0F == 8 and not (data[0] << 8 | data[1]) % 31 and not _is_text(data):
            return _inflated(data, zlib.MAX_WBITS), "zlib"
    except (zlib.error, ValueError, EOFError):
        return None
    return None


def _inflated(data: bytes, bits: int) -> bytes:
    found = zlib.decompressobj(bits).decompress(data, LARGEST_DECODED)
    if not found:
        raise ValueError("nothing in it")
    return found


def _from_zstandard(data: bytes) -> tuple[bytes, str] | None:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14
    except ImportError:
        try:
            import zstandard  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        try:
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                return reader.read(LARGEST_DECODED), "zstd"
        except zstandard.ZstdError:
            return None
    try:
        return zstd.ZstdDecompressor().decompress(data, LARGEST_DECODED), "zstd"
    except zstd.ZstdError:
        return None


def _is_text(data: bytes) -> bool:
    try:
        return is_printable(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _without(value: Any, fields: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if str(key).casefold() in fields else _without(each, fields) for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without(each, fields) for each in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return str(value)
