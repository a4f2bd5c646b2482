"""``asynqpy scheduler``: run the scheduler of a module."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asynqpy.cli.logs import LogFormat, LogLevel, configure
from asynqpy.cli.options import RedisURL
from asynqpy.cli.worker import Format, Level
from asynqpy.config import RedisOptions, redis_address
from asynqpy.errors import ConfigError

if TYPE_CHECKING:
    from asynqpy.periodic import PeriodicTaskManager
    from asynqpy.scheduler import Scheduler

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
log = logging.getLogger("asynqpy")

Reference: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODULE[:SCHEDULER]",
        show_default=False,
        help="The Scheduler or PeriodicTaskManager to run: schedule:scheduler. Without :SCHEDULER the module's"
        " 'scheduler', or the only one it has.",
    ),
]


@app.command()
def scheduler(
    context: typer.Context,
    reference: Reference,
    *,
    redis: RedisURL = None,
    log_format: Format = LogFormat.TEXT,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run the scheduler of a module: enqueue periodic tasks until stopped.

    Start as many as you like: each tick is enqueued once, and when one dies the others go on. Ctrl-C or TERM ends it.

    --redis, and every other option, may come from the environment: ASYNQPY_REDIS_URL, ASYNQPY_LOG_FORMAT …
    """
    configure(log_format, log_level)
    source = context.get_parameter_source("redis")
    is_asked = source is not None and source.name == "COMMANDLINE"
    _run(reference, redis if is_asked else None)


def _run(reference: str, redis: str | None) -> None:
    options = RedisOptions.from_url(redis) if redis is not None else None
    if redis is not None:
        os.environ["ASYNQPY_REDIS_URL"] = redis  # for schedulers that do not say where Redis is
    found = _load(reference)
    if options is not None and _options_of(found) != options:
        raise ConfigError(
            f"the scheduler of {reference!r} says itself where Redis is: leave out --redis, or make it without an"
            " address"
        )
    asyncio.run(found.ping())
    used = _options_of(found)
    log.info(
        "scheduler starts",
        extra={"scheduler": reference, "redis": redis_address(used) if used is not None else "a client of its own"},
    )
    found.run()


def _load(reference: str) -> Scheduler | PeriodicTaskManager:
    from asynqpy.cli.references import Kind, load
    from asynqpy.periodic import PeriodicTaskManager
    from asynqpy.scheduler import Scheduler

    kind: Kind[Scheduler | PeriodicTaskManager] = Kind(
        classes=(Scheduler, PeriodicTaskManager),
        attribute="scheduler",
        named="Scheduler",
        plural="schedulers",
        module="schedule",
    )
    return load(reference, kind)


def _options_of(found: Scheduler | PeriodicTaskManager) -> RedisOptions | None:
    from asynqpy.scheduler import Scheduler

    scheduler = found if isinstance(found, Scheduler) else found._scheduler
    return scheduler._source.options
