"""The figures of the demo as a screen, as one line, and as the summary at its end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from asynqpy.cli.demo.figures import STATES, Figures
from asynqpy.cli.demo.journal import Kind

COLOURS = {
    "pending": "green",
    "active": "bright_blue",
    "scheduled": "yellow",
    "retry": "magenta",
    "archived": "red",
    "completed": "cyan",
}
_EVENT_COLOURS = {
    Kind.BURST: "green",
    Kind.SCHEDULED: "yellow",
    Kind.REFUSED: "white",
    Kind.RETRY: "magenta",
    Kind.ARCHIVED: "red",
    Kind.TROUBLE: "bold red",
}
_LINES_BESIDE_EVENTS = 13
"""And beside queues and legend; one more than they are: the last line of a terminal stays free."""

_LEAST_EVENTS = 4
"""Where there is no room for so many, the legend is left out."""


def screen(figures: Figures, *, title: str, legend: Mapping[str, str], height: int) -> RenderableType:
    """The whole screen. *legend* explains the names in it, *height* is that of the terminal."""
    room = height - _LINES_BESIDE_EVENTS - len(figures.counts)
    if room - len(legend) >= _LEAST_EVENTS:
        room -= len(legend)
    else:
        legend = {}
    room = max(1, room)
    return Group(
        _title(figures, title),
        _queues(figures),
        _totals(figures),
        Text(),
        _legend(legend),
        Panel(_events(figures, room), title="what happens", title_align="left", border_style="dim", box=box.ROUNDED),
    )


def line(figures: Figures) -> str:
    """The figures where there is no terminal."""
    states = " ".join(f"{state}={figures.total(state)}" for state in STATES)
    return (
        f"{figures.elapsed:.0f}s {states} enqueued={figures.enqueued} refused={figures.refused}"
        f" processed={figures.processed} failed={figures.failed} rate={figures.rate:.0f}/s"
    )


def summary(figures: Figures) -> str:
    """What has happened, when the demo ends."""
    peaks = ", ".join(f"{figures.peaks[state]} {state}" for state in STATES)
    waits = ", ".join(f"{queue} {_wait(wait)}" for queue, wait in figures.waits.items())
    average = figures.processed / figures.elapsed if figures.elapsed else 0.0
    counts = (
        f"In {figures.elapsed:.1f} s: {figures.enqueued:,} tasks enqueued, {figures.refused:,} duplicates refused,"
        f" {figures.processed:,} attempts ({average:.0f} a second), {figures.failed:,} of them failed."
    )
    sentences = (counts, f"Most at once: {peaks}.", f"From enqueue to start, median: {waits}.")
    return "\n".join(fill(sentence, 79, subsequent_indent="  ") for sentence in sentences)


def _title(figures: Figures, title: str) -> Text:
    text = Text.assemble(f"{_clock(figures.elapsed)}  ", (title, "bold"), "   ", ("Ctrl-C ends", "dim"))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _queues(figures: Figures) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, show_footer=True)
    table.add_column("queue", footer="all", style="bold", no_wrap=True)
    for state in STATES:
        colour = COLOURS[state]
        table.add_column(state, footer=_number(figures.total(state), colour), justify="right", header_style=colour)
    table.add_column("wait", justify="right", header_style="dim")
    for counts in figures.counts:
        numbers = [_number(getattr(counts, state), COLOURS[state]) for state in STATES]
        table.add_row(counts.queue, *numbers, Text(_wait(figures.waits[counts.queue]), style="dim"))
    return table


def _number(value: int, colour: str) -> Text:
    return Text(f"{value:,}", style=colour if value else "dim")


def _totals(figures: Figures) -> Text:
    return Text.assemble(
        (f"{figures.processed:,}", "bold"),
        f" attempts, {figures.rate:.0f} a second    ",
        (f"{figures.failed:,}", "bold magenta"),
        " failed    ",
        (f"{figures.enqueued:,}", "bold"),
        " enqueued    ",
        (f"{figures.refused:,}", "bold"),
        " duplicates refused",
        no_wrap=True,
        overflow="ellipsis",
    )


def _legend(legend: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, what in legend.items():
        table.add_row(Text(name, style="bold"), Text(what, style="dim", no_wrap=True, overflow="ellipsis"))
    return table


def _events(figures: Figures, room: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    shown = list(figures.events)[-room:]
    for event in shown:
        text.append(f"{event.at:%H:%M:%S} ", style="dim")
        text.append(f"{event.kind.value:<10}", style=_EVENT_COLOURS[event.kind])
        text.append(f"{event.text}\n")
    text.append("\n" * (room - len(shown)))
    text.right_crop(1)
    return text


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.1f} s"
