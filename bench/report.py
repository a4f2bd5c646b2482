"""Results as Markdown tables, with ratios against Go asynq. Pure."""

from collections.abc import Sequence

from bench.registry import CONTENDERS, REFERENCE
from bench.samples import Better, Figure, Missing, Results


def markdown(results: Results, measures: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """The text of each measure that has results, by name; *measures* are names, titles and explanations in order."""
    sections = {}
    for name, title, explanation in measures:
        figures = [figure for figure in results.figures if figure.measure == name]
        missing = [missing for missing in results.missing if missing.measure == name]
        if figures or missing:
            sections[name] = _section(title, explanation, figures, missing)
    return sections


def conditions(results: Results) -> str:
    """Where and how the figures were measured, as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in results.conditions.items())


def _section(title: str, explanation: str, figures: list[Figure], missing: list[Missing]) -> str:
    parts = [f"### {title}", explanation]
    for table in dict.fromkeys(figure.table for figure in figures):
        parts.append(_table(table, [figure for figure in figures if figure.table == table]))
    notes = [f"- {CONTENDERS[entry.contender].title}: not measured: {entry.reason}." for entry in missing]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts)


def _table(title: str, figures: list[Figure]) -> str:
    columns = list(dict.fromkeys(figure.column for figure in figures))
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        name = CONTENDERS[figure.contender].title + (f", {figure.row}" if figure.row else "")
        rows.setdefault(name, {})[figure.column] = f"{format_value(figure)}{_ratio(figure, figures)}"
    lines = [f"| {title} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(cells.get(column, '') for column in columns)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def format_value(figure: Figure) -> str:
    """The median with its unit, as precise as it deserves."""
    value = figure.median
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    number = f"{value:,.{digits}f}"
    return number if figure.unit == "per second" else f"{number} {figure.unit}"


def _ratio(figure: Figure, figures: list[Figure]) -> str:
    """How many times better than the reference, in parentheses; nothing for the reference itself."""
    if figure.contender == REFERENCE:
        return ""
    for other in figures:
        if other.contender == REFERENCE and other.column == figure.reference_column and other.row == "":
            times = improvement(figure.median, other.median, figure.better)
            return "" if times is None else f" ({_two_digits(times)} x)"
    return ""


def _two_digits(times: float) -> str:
    """A ratio as short as it may be: 0.023, 0.23, 2.3, 23, 230."""
    digits = next((digits for digits, limit in ((0, 10), (1, 1), (2, 0.1)) if times >= limit), 3)
    return f"{times:,.{digits}f}"


def improvement(value: float, reference: float, better: Better) -> float | None:
    """How many times better *value* is than *reference*; none where a ratio says nothing."""
    if value <= 0 or reference <= 0 or better is Better.NEITHER:
        return None
    return value / reference if better is Better.HIGHER else reference / value
