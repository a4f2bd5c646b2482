"""The page about testing is a test suite itself: it is saved, and pytest runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .page import ROOT, blocks

PAGE = ROOT / "docs/howto/test.md"


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    """Blocks with a file name become that file, all others one module of tests."""
    tests = []
    for block in blocks(PAGE, "python"):
        first = block.partition("\n")[0]
        if first.endswith(".py"):
            (tmp_path / first.removeprefix("# ")).write_text(block)
        else:
            tests.append(block)
    (tmp_path / "test_shop.py").write_text("\n".join(tests))
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:randomly", "--rootdir", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout
    assert "5 passed" in ran.stdout
