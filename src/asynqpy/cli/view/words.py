"""Values as words: durations, moments, sizes, and text that somebody else wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTES_A_LINE = 16


def one_line(text: str) -> str:
    """*text* without anything that moves a cursor or breaks a row: control characters become escapes."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def many_lines(text: str) -> str:
    """The same, but lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(character if character in "\n\t" else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_text(data: bytes) -> bool:
    """Whether *data* is text that people can read: UTF-8 without control characters but for those of white space."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\n\r\t" for character in text)


def data_line(data: bytes) -> str:
    """A payload or result in one line: as text where it is text, else in hexadecimal."""
    return one_line(data.decode()) if is_text(data) else f"0x{data.hex()}"


def data_lines(data: bytes) -> list[str]:
    """A payload or result for reading: JSON with indentation, else text, else hexadecimal beside its characters."""
    if not data:
        return []
    if is_json_object(data):
        return many_lines(msgspec.json.format(data, indent=2).decode()).splitlines()
    if is_text(data):
        return many_lines(data.decode()).split("\n")
    return hex_lines(data)


def is_json(data: bytes) -> bool:
    """Whether *data* is a JSON document."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def is_json_object(data: bytes) -> bool:
    """Whether *data* is a JSON object or array, which reads better with indentation."""
    return data.lstrip()[:1] in (b"{", b"[") and is_json(data) and is_text(data)


def hex_lines(data: bytes) -> list[str]:
    """*data* as hexadecimal, sixteen bytes a line, with what is printable of it."""
    lines = []
    for at in range(0, len(data), _BYTES_A_LINE):
        piece = data[at : at + _BYTES_A_LINE]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
        lines.append(f"{at:08x}  {piece.hex(' '):<{_BYTES_A_LINE * 3 - 1}}  {shown}")
    return lines


def span(duration: timedelta) -> str:
    """A duration to its two largest units, in whole seconds: ``45s``, ``2h5m``, ``3d4h``."""
    rest = max(0, round(duration.total_seconds()))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def due(moment: datetime | None, now: datetime) -> str:
    """When something comes: ``in 5m``, ``right now``; nothing when never."""
    if moment is None:
        return ""
    return f"in {span(moment - now)}" if (moment - now) >= timedelta(seconds=1) else "right now"


def ago(moment: datetime | None, now: datetime) -> str:
    """When something was: ``5m ago``, ``just now``; nothing when never."""
    if moment is None:
        return ""
    return f"{span(now - moment)} ago" if (now - moment) >= timedelta(seconds=1) else "just now"


def absolute(moment: datetime | None, *, utc: bool = False) -> str:
    """A moment by the clock: local time with its offset, or UTC; nothing for none."""
    if moment is None:
        return ""
    if utc:
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def size(count: int | None) -> str:
    """Bytes in decimal units: ``532 B``, ``1.2 kB``, ``3.4 MB``; a dash for unknown ones."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95 or (unit == "B" and count < 1000):
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def error_rate(processed: int, failed: int) -> str:
    """How many of *processed* failed, in per cent; N/A when there were none."""
    return f"{failed / processed:.2%}" if processed else "N/A"


def counted(count: int, noun: str) -> str:
    """``1 task``, ``1,234 tasks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
