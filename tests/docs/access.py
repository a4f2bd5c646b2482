"""The users that the page about security defines."""

from __future__ import annotations

from tests.docs.page import ROOT, blocks

PAGE = ROOT / "docs/howto/secure.md"


def rules_of(user: str, *more: str) -> list[str]:
    """The words of a user on the page, from `on` on, and *more*."""
    (block,) = (block for block in blocks(PAGE, "text") if block.startswith(f"user {user} "))
    return [*block.split()[2:], *more]
