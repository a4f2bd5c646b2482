"""What a measure is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.contender import Contender
from bench.registry import CONTENDERS
from bench.samples import Sample
from bench.stage import Stage

Run = Callable[[Stage, Contender], Iterator[Sample]]
"""Measure one contender once. May raise `ContenderError`; what was yielded before still counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One question that the benchmark answers, for some of the contenders."""

    name: str
    title: str
    explanation: str
    run: Run
    contenders: tuple[str, ...] = tuple(CONTENDERS)
    slow_contenders: tuple[str, ...] = ()
    """Contenders that are measured only with `--slow`."""
    most_runs: int = 100
    """Long measures are repeated no more often than this."""
