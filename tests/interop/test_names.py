"""The table of names in the documentation has every name that the Go packages export."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs.test_names import rows

from .toolchain import SOURCES

PACKAGES = ("", "/x/rate", "/x/metrics")


def test_the_table_has_every_exported_name(program: Path) -> None:
    """And no other: as the pinned versions of the packages export them. *program* means that there is a toolchain."""
    assert program.exists()
    listed = subprocess.run(
        ["go", "run", "./names", *(f"github.com/hibiken/asynq{package}" for package in PACKAGES)],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        check=True,
    )
    exported = {name.removeprefix("asynq.") for name in listed.stdout.split()}
    assert {row.go for row in rows()} == exported
