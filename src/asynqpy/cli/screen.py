"""Where a command writes: text for people, JSON for machines; colours and questions only where a person sits."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from asynqpy.cli.failures import RefusedError
from asynqpy.cli.invocation import Invocation

if TYPE_CHECKING:
    from asynqpy.cli.documents import Document
    from asynqpy.cli.view.table import Column

T = TypeVar("T")

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}

_JSON = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")|(?P<rest>-?\d[\d.eE+-]*|true|false|null)'
)
"""What is to be told apart in JSON that is known to be JSON."""

_PATIENCE_SECONDS = 0.1
"""How long a line may wait for the next one, where there are many."""

_TO_START, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class Screen:
    """Standard output as one command uses it."""

    def __init__(self, invocation: Invocation) -> None:
        given = invocation.given
        self.as_json = bool(given.get("as_json"))
        self.utc = bool(given.get("utc"))
        self._watch: float | None = given.get("watch")
        self._is_agreed = bool(given.get("yes"))
        self.is_terminal = sys.stdout.isatty()
        self._is_long = False
        self._widths: dict[tuple[str, ...], Sequence[int]] = {}
        self._picture: list[str] = []
        self._flushed_at = 0.0
        self._has_colours = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines may be of any length."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def styled(self, text: str, *styles: str) -> str:
        """*text* in a colour, or bold, where there are colours."""
        if not self._has_colours or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"

    def heading(self, text: str) -> str:
        """A title."""
        return self.styled(text, "bold")

    def json_line(self, line: str) -> str:
        """A line of JSON with colours, where there are colours."""
        return _JSON.sub(self._highlighted, line) if self._has_colours else line

    def _highlighted(self, found: re.Match[str]) -> str:
        style = {"key": "cyan", "text": "green", "rest": "yellow"}[found.lastgroup or "rest"]
        return self.styled(found[0], style)

    def note(self, text: str) -> None:
        """A remark beside the output, on standard error."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
        """A table that fits. One that is shown in pieces is at each piece at least as wide as before."""
        from asynqpy.cli.view.table import table

        names = tuple(column.name for column in columns)
        made = table(columns, rows, width=self.width, least=self._widths.get(names, ()) if self._is_long else ())
        self._widths[names] = made.widths
        lines = [self.styled(made.lines[0], "bold"), self.styled(made.lines[1], "dim"), *made.lines[2:]]
        if made.left_out:
            from textwrap import wrap

            note = f"(no room for {', '.join(made.left_out)}; --json has all)"
            lines += [self.styled(line, "dim") for line in wrap(note, self.width or len(note))]
        return lines

    def print(self, lines: Iterable[str]) -> None:
        """Write *lines*."""
        text = "\n".join(lines)
        sys.stdout.write(f"{text}\n" if text else "")
        sys.stdout.flush()

    def print_in_pieces(self) -> None:
        """What comes is long: its tables go on each other, and it is written when there is much or it was long ago."""
        self._is_long = True

    def print_json(self, document: Document | dict[str, Any]) -> None:
        """Write a document in one line; at once, for whoever reads line by line, unless another one comes soon."""
        from asynqpy.cli.documents import encode

        sys.stdout.write(encode(document) + "\n")
        now = time.monotonic()
        if not self._is_long or now - self._flushed_at > _PATIENCE_SECONDS:
            sys.stdout.flush()
            self._flushed_at = now

    def show(
        self,
        fetch: Callable[[], T],
        document: Callable[[T], Document | dict[str, Any]],
        text: Callable[[T], Iterable[str]],
    ) -> None:
        """Show what *fetch* gives, once or, with ``--watch``, again and again until Ctrl-C."""
        if self._watch is None:
            self._show(fetch(), document, text)
            return
        with suppress(KeyboardInterrupt):  # the only end that there is
            self._show_again(self._watch, fetch, document, text)

    def _show(
        self,
        found: T,
        document: Callable[[T], Document | dict[str, Any]],
        text: Callable[[T], Iterable[str]],
    ) -> None:
        if self.as_json:
            self.print_json(document(found))
        else:
            self.print(text(found))

    def _show_again(
        self,
        every: float,
        fetch: Callable[[], T],
        document: Callable[[T], Document | dict[str, Any]],
        text: Callable[[T], Iterable[str]],
    ) -> None:
        if self.as_json or not self.is_terminal:
            while True:
                self._show(fetch(), document, text)
                time.sleep(every)
        sys.stdout.write(_OTHER_SCREEN)
        try:
            while True:
                self._draw(every, fetch, text)
                time.sleep(every)
        finally:
            sys.stdout.write(_OWN_SCREEN)
            self.print(self._picture)

    def _draw(self, every: float, fetch: Callable[[], T], text: Callable[[T], Iterable[str]]) -> None:
        """Draw over what is there, so that nothing flickers. When Redis is away the last lines stay."""
        from asynqpy.errors import BrokerError

        moment = datetime.now(UTC) if self.utc else datetime.now().astimezone()
        head = self.styled(f"every {every:g}s, {moment:%H:%M:%S}, Ctrl-C ends it", "dim")
        try:
            self._picture = [line for block in text(fetch()) for line in block.split("\n")]
        except BrokerError as error:
            head = self.styled(" ".join(str(error).split()), "red")
        room = shutil.get_terminal_size().lines - 2
        last = self._picture
        shown = last if len(last) <= room else [*last[: room - 1], self.styled(f"… {len(last) - room + 1} more", "dim")]
        sys.stdout.write(_TO_START + "".join(f"{line}{_CLEAR_LINE}\n" for line in [head, *shown]) + _CLEAR_BELOW)
        sys.stdout.flush()

    def confirm(self, question: str) -> None:
        """Ask before something is taken away.

        Raises:
            RefusedError: there is nobody to ask.
            typer.Abort: the answer is no.
        """
        if self._is_agreed:
            return
        if not sys.stdin.isatty():
            raise RefusedError(f"{question} Nobody can be asked here, so say yes with --yes")
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise RefusedError("nothing was done")


def screen(context: typer.Context) -> Screen:
    """The screen of the command that was called."""
    return Screen(context.obj)
