"""What the shell sees when a command fails: one line, and an exit code that tells what kind of failure it was."""

from __future__ import annotations

from enum import IntEnum

import typer

from asynqpy.errors import AsynqpyError, ConfigError, InvalidTaskError


class ExitCode(IntEnum):
    """The exit codes of every command. A command that ends as asked, a worker that drained included, gives 0."""

    OK = 0
    FAILURE = 1
    """It could not be done: Redis cannot be reached, the id is taken, a bug."""
    USAGE = 2
    """It could not be understood: an option, a module, a task that is not valid. Trying again will not help."""
    INTERRUPTED = 130
    """Ctrl-C, where there was nothing to bring to an end."""


EXPLANATION = (
    "Exit codes: 0 done, 1 failed (Redis cannot be reached, the id is taken …), 2 wrong usage, 130 interrupted. "
    "Errors are one line on standard error; ASYNQPY_DEBUG=1 shows the traceback too."
)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for a command that ended with *error*."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            return ExitCode.INTERRUPTED
        case ConfigError() | InvalidTaskError():
            return ExitCode.USAGE
        case typer.TyperException(exit_code=ExitCode.USAGE):
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILURE


def line_of(error: BaseException) -> str:
    """*error* in one line, with the next step where there is one."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            return "interrupted"
        case typer.TyperException():
            return f"{_first_line(error.format_message())}{_hint(error)}"
        case AsynqpyError() | OSError():
            return _first_line(str(error)) or type(error).__name__
        case _:
            text = _first_line(str(error))
            described = f"{type(error).__name__}: {text}" if text else type(error).__name__
            return f"unexpected error: {described} (ASYNQPY_DEBUG=1 shows where)"


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines:
        return ""
    if len(lines) == 1:
        return lines[0]
    return f"{lines[0].removesuffix(':')} … (ASYNQPY_DEBUG=1 shows the rest)"


def _hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""
