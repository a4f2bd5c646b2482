"""Text between quotes as Go writes and reads it. A closing parenthesis is escaped too: see `option_text`."""

from __future__ import annotations

import re

_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
    ")": r"\x29",
}
_LETTERS = {escape[1]: text for text, escape in _ESCAPES.items() if len(escape) == 2}
_PIECE = re.compile(
    r"""\\(?P<letter>[abfnrtv\\"])"""
    r"""|\\x(?P<byte>[0-9a-fA-F]{2})|\\(?P<octal>[0-3][0-7]{2})"""
    r"""|\\u(?P<short>[0-9a-fA-F]{4})|\\U(?P<long>[0-9a-fA-F]{8})"""
    r"""|(?P<plain>[^"\\\n]+)"""
)


def quote(text: str) -> str:
    """*text* in double quotes."""
    return '"' + "".join(map(_shown, text)) + '"'


def unquote(text: str) -> str:
    """What stands between the quotes of *text*, double quotes or back quotes.

    Raises:
        ValueError: not quoted, or with an escape that Go does not know.
    """
    inner = text[1:-1]
    if len(text) >= 2 and text[0] == text[-1] == "`" and "`" not in inner:
        return inner.replace("\r", "")
    if len(text) < 2 or not text[0] == text[-1] == '"':
        raise ValueError(f"not quoted: {text!r}")
    data, at = bytearray(), 0
    while at < len(inner):
        piece = _PIECE.match(inner, at)
        if piece is None:
            raise ValueError(f"not quoted as Go does: {text!r}")
        data += _meant(piece)
        at = piece.end()
    return data.decode()


def _shown(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _meant(piece: re.Match[str]) -> bytes:
    kind, value = piece.lastgroup, piece[piece.lastgroup or 0]
    match kind:
        case "letter":
            return _LETTERS[value].encode()
        case "byte":
            return bytes([int(value, 16)])
        case "octal":
            return bytes([int(value, 8)])
        case "short" | "long":
            return chr(int(value, 16)).encode()  # a surrogate has no UTF-8, which is a ValueError, as in Go
        case _:
            return value.encode()
