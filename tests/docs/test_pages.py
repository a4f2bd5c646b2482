"""Every Python block in the documentation runs, in the order of its page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .page import ROOT, Page, blocks

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if blocks(ROOT / page, "python")]
IN_TERMINALS = ["docs/start/index.md"]
"""Pages whose blocks are programs that run beside each other; they have tests of their own."""


@pytest.mark.parametrize("page", [page for page in WITH_CODE if page not in IN_TERMINALS])
def test_the_blocks_of_a_page_run(page: str, open_page: Callable[[str], Page]) -> None:
    """No block raises, in one namespace, against a real server."""
    assert open_page(page).run() > 0
