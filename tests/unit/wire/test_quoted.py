"""Text between quotes in Go's form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy._wire.quoted import quote, unquote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("email", '"email"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1f\x7f", r'"\x00\x1f\x7f"'),
        ("\u0085\u00a0\u200b\ufeff", r'"\u0085\u00a0\u200b\ufeff"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("очередь ☃ 😀 ' `", '"очередь ☃ 😀 \' `"'),
        ("a(b)c", r'"a(b\x29c"'),
    ],
)
def test_written_as_go_writes_it(text: str, quoted: str) -> None:
    """What can be printed stands as it is; the rest is escaped, and so is the closing parenthesis."""
    assert quote(text) == quoted
    assert unquote(quoted) == text


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        ('`a\\nb"`', 'a\\nb"'),
        ("`a\rb`", "ab"),
        (r'"\xd0\xb9"', "й"),
        (r'"\101\u0431\U0001F600"', "Aб😀"),
        ('"a)b"', "a)b"),
    ],
)
def test_read_as_go_reads_it(quoted: str, text: str) -> None:
    """Back quotes are raw; bytes, octal and both lengths of code points are understood."""
    assert unquote(quoted) == text


@pytest.mark.parametrize(
    "quoted",
    ["", '"', "a", "'a'", '"a', "`a`b`", '"a"b"', '"\n"', r'"\q"', r'"\x1"', r'"\ud800"', r'"\U00110000"', r'"\xff"'],
)
def test_what_is_not_quoted_is_refused(quoted: str) -> None:
    """Open quotes, unknown escapes, surrogates, bytes that are no UTF-8."""
    with pytest.raises((ValueError, OverflowError)):
        unquote(quoted)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_is_read(text: str) -> None:
    """Whatever the text; and no parenthesis ends it early."""
    assert unquote(quote(text)) == text
    assert ")" not in quote(text)
    assert quote(text).isprintable()
