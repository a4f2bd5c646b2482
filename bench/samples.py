"""Figures: one value each, gathered over runs, with enough beside them to be put into tables. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import ceil
from statistics import median
from typing import Any


class Better(StrEnum):
    """Which way a figure improves; decides how it is compared with the reference."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"
    """It is no contest; no ratio is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value from one run."""

    table: str
    column: str
    unit: str
    value: float
    better: Better
    row: str = ""
    """Added to the contender's name, where it has several rows."""
    reference_column: str = ""
    """The reference's column to compare with; the same column when empty."""


@dataclass(slots=True, kw_only=True)
class Figure:
    """The same value of all runs."""

    measure: str
    contender: str
    table: str
    row: str
    column: str
    unit: str
    better: Better
    reference_column: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The figure to publish."""
        return median(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A contender that could not be measured, and why."""

    measure: str
    contender: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that one call of the benchmark found out."""

    conditions: dict[str, str]
    """Machine, server, versions, size and number of runs."""
    figures: list[Figure] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def add(self, measure: str, contender: str, sample: Sample) -> None:
        """Put *sample* beside the same value of earlier runs."""
        identity = (measure, contender, sample.table, sample.row, sample.column)
        for figure in self.figures:
            if (figure.measure, figure.contender, figure.table, figure.row, figure.column) == identity:
                figure.values.append(sample.value)
                return
        self.figures.append(
            Figure(
                measure=measure,
                contender=contender,
                table=sample.table,
                row=sample.row,
                column=sample.column,
                unit=sample.unit,
                better=sample.better,
                reference_column=sample.reference_column or sample.column,
                values=[sample.value],
            )
        )

    def update(self, other: "Results") -> None:
        """Take over what *other* measured, in place of the same measure of the same contender here."""
        taken = {(f.measure, f.contender) for f in other.figures} | {(m.measure, m.contender) for m in other.missing}
        self.figures = [f for f in self.figures if (f.measure, f.contender) not in taken] + other.figures
        self.missing = [m for m in self.missing if (m.measure, m.contender) not in taken] + other.missing
        dates = [self.conditions["Date"], other.conditions["Date"]]
        self.conditions = {**other.conditions, "Date": ", ".join(dict.fromkeys(dates))}

    def to_json(self) -> dict[str, Any]:
        """A plain object, medians included."""
        figures = [{**asdict(figure), "median": figure.median} for figure in self.figures]
        return {
            "conditions": self.conditions,
            "figures": figures,
            "missing": [asdict(missing) for missing in self.missing],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Results":
        """What `to_json` wrote."""
        figures = []
        for entry in document["figures"]:
            fields = {name: value for name, value in entry.items() if name != "median"}
            figures.append(Figure(**{**fields, "better": Better(fields["better"])}))
        missing = [Missing(**entry) for entry in document["missing"]]
        return cls(conditions=document["conditions"], figures=figures, missing=missing)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least *share* (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
