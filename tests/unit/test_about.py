"""What a server publishes about itself."""

from __future__ import annotations

import pytest

from asynqpy import about
from asynqpy.about import LONGEST_VERSION, About


@pytest.mark.parametrize("known", [About("1.4.2", "0.1.0"), About(None, "0.1.0"), About()])
def test_what_is_told_is_read_again(known: About) -> None:
    """What nobody knows takes no bytes."""
    assert about.decode(about.encode(known)) == known
    assert about.encode(About()) == b"{}"


@pytest.mark.parametrize("data", [None, b"", b"nonsense", b"[]", b"7", b'{"app":7,"asynqpy":null}', b'{"app":""}'])
def test_what_nobody_of_ours_wrote_says_nothing(data: bytes | None) -> None:
    """Nor does the key of a Go server, which is none."""
    assert about.decode(data) == About()


def test_one_that_cannot_be_does_not_hide_the_other() -> None:
    """A later version may write something else."""
    assert about.decode(b'{"app":["1"],"asynqpy":"2.0","more":1}') == About(None, "2.0")


@pytest.mark.parametrize("text", ["", " ", "1\n2", "\x1b[5m", "v" * (LONGEST_VERSION + 1), "\ud800"])
def test_no_version(text: str) -> None:
    """Nothing to see, or that breaks lines, or too much of it."""
    assert not about.is_version(text)


@pytest.mark.parametrize("text", ["1.4.2", "2026-11-24 main@1f2e3d", "é", "v" * LONGEST_VERSION])
def test_a_version(text: str) -> None:
    """Whatever people call theirs."""
    assert about.is_version(text)
