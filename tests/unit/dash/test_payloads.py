"""Payloads in each of their forms."""

from __future__ import annotations

from asynqpy.dash import payloads
from asynqpy.dash.payloads import LONGEST, Form


def letters(data: bytes, form: Form) -> list[str]:
    """The lines without their colours."""
    return ["".join(text for text, _ in line) for line in payloads.lines(data, form)]


def test_which_forms_there_are() -> None:
    """JSON is text too, text is bytes too; the best comes first. A number alone is text."""
    assert payloads.forms(b'{"a": 1}') == [Form.JSON, Form.TEXT, Form.HEX]
    assert payloads.forms(b"[1,") == [Form.TEXT, Form.HEX]
    assert payloads.forms(b"42") == [Form.TEXT, Form.HEX]
    assert payloads.forms(b"\xff\x00") == [Form.HEX]
    assert payloads.forms(b"[" * 100_000) == [Form.TEXT, Form.HEX]


def test_json_is_indented_and_coloured() -> None:
    """Keys, texts, numbers and words have styles of their own."""
    assert letters(b'{"a":[1,true],"b":"x: \\"y\\""}', Form.JSON)[0] == "{"
    assert payloads.lines(b'{"a": -1.5e3, "b": "c"}', Form.JSON)[1:3] == [
        [("  ", "dim"), ('"a"', "key"), (": ", "dim"), ("-1.5e3", "number"), (",", "dim")],
        [("  ", "dim"), ('"b"', "key"), (": ", "dim"), ('"c"', "string")],
    ]


def test_bytes_are_a_dump() -> None:
    """Sixteen in a line, with the letters beside."""
    assert letters(b"0123456789abcdef\xffz", Form.HEX) == [
        "000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef",
        "000010  ff 7a                                             ·z",
    ]


def test_what_is_too_long_is_cut_and_says_so() -> None:
    """In every form."""
    for data, form in (
        (b"x" * (LONGEST + 1), Form.TEXT),
        (b"\xff" * LONGEST, Form.HEX),
        (b"[%s]" % (b"1," * LONGEST + b"1"), Form.JSON),
    ):
        assert "… cut: " in letters(data, form)[-1]
    assert letters(b"", Form.TEXT) == ["empty"]
