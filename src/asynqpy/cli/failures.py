"""What the shell sees when a command fails: one line, and an exit code that tells what kind of failure it was."""

from __future__ import annotations

from enum import IntEnum

import typer

from asynqpy.errors import (
    AsynqpyError,
    BrokerError,
    ConfigError,
    InvalidTaskError,
    QueryError,
    QueueNotEmptyError,
    QueueNotFoundError,
    TaskNotFoundError,
    TaskStateError,
    WaitTimeoutError,
)


class ExitCode(IntEnum):
    """The exit codes of every command. A command that ends as asked, a worker that drained included, gives 0."""

    OK = 0
    FAILURE = 1
    """It could not be done: the id is taken, the state of the task does not allow it, a bug."""
    USAGE = 2
    """It could not be understood: an option, a module, a task that is not valid. Trying again will not help."""
    UNREACHABLE = 3
    """Redis cannot be reached, or refuses."""
    NOT_FOUND = 4
    """There is no such queue or task."""
    PARTLY = 5
    """Of several things some were done and some were not."""
    TIMEOUT = 124
    """It was waited for as long as asked."""
    INTERRUPTED = 130
    """Ctrl-C, where there was nothing to bring to an end."""
    PIPE_CLOSED = 141
    """Whoever read the output has ended: what a shell tells of programs that end this way."""


EXPLANATION = (
    "Exit codes: 0 done, 1 failed (the id is taken, the state does not allow it …), 2 wrong usage, 3 Redis cannot be "
    "reached, 4 no such queue or task, 5 done in part, 124 timed out, 130 interrupted. "
    "Errors are one line on standard error; ASYNQPY_DEBUG=1 shows the traceback too."
)


class RefusedError(AsynqpyError):
    """A command did nothing because nobody agreed to it."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


class DoneInPartError(AsynqpyError):
    """Of several things some could not be done; each was told already."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for a command that ended with *error*."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            return ExitCode.INTERRUPTED
        case RefusedError() | DoneInPartError():
            return error.code
        case ConfigError() | InvalidTaskError() | QueryError():
            return ExitCode.USAGE
        case typer.TyperException(exit_code=ExitCode.USAGE):
            return ExitCode.USAGE
        case WaitTimeoutError():
            return ExitCode.TIMEOUT
        case BrokerError():
            return ExitCode.UNREACHABLE
        case QueueNotFoundError() | TaskNotFoundError():
            return ExitCode.NOT_FOUND
        case _:
            return ExitCode.FAILURE


def line_of(error: BaseException) -> str:
    """*error* in one line, with the next step where there is one."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            return "interrupted"
        case typer.TyperException():
            return f"{_first_line(error.format_message())}{_hint(error)}"
        case QueueNotFoundError():
            return f"there is no queue {error.queue!r}; `asynqpy queue ls` tells which there are"
        case TaskNotFoundError():
            return (
                f"there is no task {error.task_id!r} in queue {error.queue!r}; `asynqpy task find` looks in all of them"
            )
        case QueueNotEmptyError():
            return f"{_held(error)}; {_way_to_empty(error)}"
        case TaskStateError():
            return f"task {error.task_id!r} in queue {error.queue!r} is {error.state}; {_way(error)}"
        case BrokerError():
            text = _first_line(str(error)) or type(error).__name__
            return f"{text.removesuffix('.')}; {_WHERE}" if text.startswith("cannot reach Redis") else text
        case AsynqpyError() | OSError():
            return _first_line(str(error)) or type(error).__name__
        case _:
            text = _first_line(str(error))
            described = f"{type(error).__name__}: {text}" if text else type(error).__name__
            return f"unexpected error: {described} (ASYNQPY_DEBUG=1 shows where)"


_WHERE = "--redis URL, ASYNQPY_REDIS_URL or a profile say where it is, `asynqpy doctor` helps"

_WAYS = {
    "cancel it with cancel_task(), or wait until it has ended": "cancel it (`asynqpy task cancel`) or wait for its end",
    "it has run already; enqueue_again() takes another payload": "`asynqpy task again --payload` runs it with another",
}


def _way(error: TaskStateError) -> str:
    """What to do about the state of a task, in words of the command line."""
    return _WAYS.get(error.remedy, error.remedy.split("; recover_orphans")[0])


def _held(error: QueueNotEmptyError) -> str:
    held = ", ".join(f"{count} {state}" for state, count in error.counts.items())
    return f"queue {error.queue!r} is not empty" + (f": it holds {held}" if held else "")


def _way_to_empty(error: QueueNotEmptyError) -> str:
    if error.counts.get("active"):
        return "wait until the active ones have ended (`asynqpy queue drain --pause`) or cancel them"
    return "--force deletes its tasks too"


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
