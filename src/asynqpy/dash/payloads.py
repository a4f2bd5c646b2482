"""A payload to read: JSON indented and coloured, text, or a hexadecimal dump, however long. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from asynqpy.dash import show
from asynqpy.dash.palette import Piece

LONGEST = 64 * 1024
"""Bytes shown of one payload."""

_WIDTH = 16
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
    r"|(?P<word>true|false|null)"
)


class Form(StrEnum):
    """How bytes are shown."""

    JSON = "json"
    """Indented, with colours."""
    TEXT = "text"
    """As they are."""
    HEX = "hex"
    """Their numbers, with the letters beside."""


def forms(data: bytes) -> list[Form]:
    """The forms that *data* has, the best one first."""
    found = []
    if data.lstrip()[:1] in (b"{", b"[") and _indented(data) is not None:
        found.append(Form.JSON)
    if show.readable(data[:LONGEST], is_cut=len(data) > LONGEST) is not None:
        found.append(Form.TEXT)
    return [*found, Form.HEX]


def lines(data: bytes, form: Form) -> list[list[Piece]]:
    """*data* in *form*, line by line; where it is longer than `LONGEST` the last line says so."""
    if not data:
        return [[("empty", "dim")]]
    piece = data[:LONGEST]
    match form:
        case Form.JSON:
            text = (_indented(data) or b"").decode("utf-8", "replace")
            found = [_coloured(line) for line in text[:LONGEST].split("\n")]
            is_cut = len(text) > LONGEST
        case Form.TEXT:
            text = show.readable(piece, is_cut=len(data) > LONGEST) or ""
            found = [[(line.expandtabs(4), "")] for line in text.splitlines()]
            is_cut = len(data) > LONGEST
        case Form.HEX:
            found = [*_dump(piece[: LONGEST // 4])]
            is_cut = len(data) > LONGEST // 4
    if is_cut:
        found.append([(f"… cut: {show.size(len(data))} in all", "warn")])
    return found


def _indented(data: bytes) -> bytes | None:
    """JSON on many lines; None when it is none, or too long to be made so at every look."""
    if len(data) > 16 * LONGEST:
        return None
    try:
        msgspec.json.decode(data)
        return msgspec.json.format(data, indent=2)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _coloured(line: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    for match in _TOKEN.finditer(line):
        if match.start() > at:
            pieces.append((line[at : match.start()], "dim"))
        pieces.append((show_controls(match[0]), match.lastgroup or ""))
        at = match.end()
    if at < len(line):
        pieces.append((line[at:], "dim"))
    return pieces


def show_controls(text: str) -> str:
    """*text* without characters that a terminal would obey."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "·" for each in text)


def _dump(data: bytes) -> Iterator[list[Piece]]:
    for at in range(0, len(data), _WIDTH):
        row = data[at : at + _WIDTH]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        yield [(f"{at:06x}  ", "dim"), (f"{left:<23}  {right:<23}  ", ""), (letters, "string")]
