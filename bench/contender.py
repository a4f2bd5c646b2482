"""What a contender is: how it is made, what it can be asked, and how its queue looks in Redis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from redis import Redis

ROOT = Path(__file__).parent
CACHE = ROOT / ".cache"
CONTENDERS = ROOT / "contenders"


class Kind(StrEnum):
    """Where a contender's driver runs."""

    OWN = "own"
    """In the environment of this project."""
    PYTHON = "python"
    """In a virtual environment of its own, made on demand from its requirements."""
    GO = "go"
    """As a binary, built on demand; needs a Go toolchain."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contender:
    """A task queue under test. There is one object for each, in the registry."""

    name: str
    """Its folder under `contenders/`."""
    title: str
    kind: Kind
    modes: frozenset[str]
    """The ways in which its driver produces tasks."""
    expected_rates: Mapping[int, int]
    """Roughly how many tasks a second it drains, by concurrency. Only decides how many tasks a run has."""
    backlog: Callable[[Redis], int]
    """How many tasks Redis still holds as waiting or running: 0 once all were acknowledged."""
    import_statement: str = ""
    """What an application imports, for the import time."""
    notes: tuple[str, ...] = field(default=())
    """What a reader of the tables must know."""

    @property
    def folder(self) -> Path:
        """Its driver and its requirements."""
        return CONTENDERS / self.name

    @property
    def cache(self) -> Path:
        """Its environment or binary; not in version control."""
        return CACHE / self.name

    @property
    def python(self) -> Path:
        """The interpreter of a Python contender's own environment."""
        return self.cache / "bin" / "python"

    @property
    def binary(self) -> Path:
        """The program of a Go contender."""
        return self.cache / self.name


class ContenderError(Exception):
    """A contender cannot be measured; the text says why, in words that fit a table's footnote."""
