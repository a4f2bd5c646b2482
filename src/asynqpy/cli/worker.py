"""``asynqpy worker``: serve in this process, or in several under a supervisor."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from asynqpy.cli import values
from asynqpy.cli.logs import LogFormat, LogLevel, configure
from asynqpy.cli.metering import LOOPBACK, Address, of_children, of_this_process
from asynqpy.cli.options import RedisURL
from asynqpy.config import RedisOptions, ServerConfig, ServerSettings, redis_address, seconds
from asynqpy.errors import ConfigError

if TYPE_CHECKING:
    from asynqpy.cli.child import Leash
    from asynqpy.metrics.processes import ProcessesMetrics

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
log = logging.getLogger("asynqpy")


class UnknownTypesChoice(StrEnum):
    """The values of ``--unknown-types``."""

    FAIL = "fail"
    RELEASE = "release"


def _option(*names: str, variable: str, **more: Any) -> Any:
    """An option that may come from the environment; the help says so once for all of them."""
    return typer.Option(*names, envvar=f"ASYNQPY_{variable}", show_envvar=False, **more)


def _duration(name: str, variable: str, **more: Any) -> Any:
    return _option(name, variable=variable, metavar="DURATION", parser=values.parser(values.duration), **more)


Tasks: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODULE[:MUX]",
        show_default=False,
        help="The ServeMux to serve: tasks:mux. Without :MUX the module's 'mux', or the only one it has.",
    ),
]
Concurrency: TypeAlias = Annotated[
    int | None,
    _option(
        "--concurrency",
        "-c",
        variable="CONCURRENCY",
        metavar="N",
        show_default="number of CPUs",
        help="Tasks at once, in each process.",
    ),
]
Queues: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "--queue",
        "-q",
        variable="QUEUE",
        metavar="NAME[=WEIGHT]",
        show_default="default=1",
        help="A queue to work on, and its share of the work. Repeat it for more queues.",
    ),
]
Strict: TypeAlias = Annotated[
    bool, _option("--strict", variable="STRICT", help="Serve a queue only while all those of larger weight are empty.")
]
Processes: TypeAlias = Annotated[
    int | None,
    _option(
        "--processes",
        "-P",
        variable="PROCESSES",
        metavar="N",
        min=1,
        show_default="serve in this process",
        help="Worker processes under a supervisor, which replaces those that die and returns their tasks at once.",
    ),
]
Reload: TypeAlias = Annotated[
    bool, _option("--reload", variable="RELOAD", help="Start anew when Python files change, for development.")
]
Lease: TypeAlias = Annotated[
    timedelta | None,
    _duration(
        "--lease", "LEASE", show_default="30s", help="How long a claim on a task outlives a worker that is gone."
    ),
]
ShutdownTimeout: TypeAlias = Annotated[
    timedelta | None,
    _duration(
        "--shutdown-timeout",
        "SHUTDOWN_TIMEOUT",
        show_default="8s",
        help="How long running tasks may finish at the end before they are put back.",
    ),
]
AppVersion: TypeAlias = Annotated[
    str | None,
    _option(
        "--app-version",
        variable="APP_VERSION",
        metavar="VERSION",
        show_default="not told",
        help="The version of your application, told with the server and with each attempt that fails.",
    ),
]
AggregatorsReference: TypeAlias = Annotated[
    str | None,
    _option(
        "--aggregators",
        variable="AGGREGATORS",
        metavar="MODULE:NAME",
        show_default="groups are left alone",
        help="What makes one task of those of a group: Aggregators or a function, tasks:aggregators.",
    ),
]
GroupGracePeriod: TypeAlias = Annotated[
    timedelta | None,
    _duration(
        "--group-grace-period",
        "GROUP_GRACE_PERIOD",
        show_default="60s",
        help="Aggregate a group when no task has joined it for so long.",
    ),
]
GroupMaxDelay: TypeAlias = Annotated[
    timedelta | None,
    _duration(
        "--group-max-delay",
        "GROUP_MAX_DELAY",
        show_default="no limit",
        help="Aggregate a group when its oldest task has waited for so long, though more are coming.",
    ),
]
GroupMaxSize: TypeAlias = Annotated[
    int | None,
    _option(
        "--group-max-size",
        variable="GROUP_MAX_SIZE",
        metavar="N",
        show_default="no limit",
        help="Aggregate a group when it has so many tasks.",
    ),
]
MetricsPort: TypeAlias = Annotated[
    int | None,
    _option(
        "--metrics-port",
        variable="METRICS_PORT",
        metavar="PORT",
        min=1,
        max=65535,
        show_default="no metrics",
        help="Serve metrics for Prometheus, those of all processes together.",
    ),
]
MetricsHost: TypeAlias = Annotated[
    str,
    _option(
        "--metrics-host",
        variable="METRICS_HOST",
        metavar="ADDRESS",
        help="Where to serve them: this machine alone unless given; 0.0.0.0 or :: for everybody.",
    ),
]
UnknownTypesOption: TypeAlias = Annotated[
    UnknownTypesChoice,
    _option(
        "--unknown-types",
        variable="UNKNOWN_TYPES",
        metavar="fail|release",
        help="What to do with a task that has no handler here: fail it, or hand it on to a worker that knows it.",
    ),
]
Format: TypeAlias = Annotated[
    LogFormat, _option("--log-format", variable="LOG_FORMAT", metavar="text|json", help="How to log.")
]
Level: TypeAlias = Annotated[
    LogLevel,
    _option("--log-level", variable="LOG_LEVEL", metavar="LEVEL", help="Log at least: debug, info, warning or error."),
]


@app.command()
def worker(
    context: typer.Context,
    tasks: Tasks,
    *,
    redis: RedisURL = None,
    concurrency: Concurrency = None,
    queue: Queues = None,
    strict: Strict = False,
    processes: Processes = None,
    reload: Reload = False,
    lease: Lease = None,
    shutdown_timeout: ShutdownTimeout = None,
    app_version: AppVersion = None,
    aggregators: AggregatorsReference = None,
    group_grace_period: GroupGracePeriod = None,
    group_max_delay: GroupMaxDelay = None,
    group_max_size: GroupMaxSize = None,
    unknown_types: UnknownTypesOption = UnknownTypesChoice.FAIL,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = LOOPBACK,
    log_format: Format = LogFormat.TEXT,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run the handlers of a module: take tasks from queues until stopped.

    Ctrl-C or TERM lets running tasks finish, for the shutdown timeout, and puts the rest back; a second one puts all
    back at once. TSTP (kill -TSTP) takes no new tasks.

    Every option may come from the environment: ASYNQPY_CONCURRENCY=100, ASYNQPY_QUEUE="critical=6 default=3" …
    """
    from asynqpy.cli.child import Leash

    settings = ServerSettings(strict_priority=strict, unknown_types=unknown_types.value)
    if concurrency is not None:
        settings["concurrency"] = concurrency
    if queue:
        settings["queues"] = values.each("--queue", values.weight, queue)
    if lease is not None:
        settings["lease"] = lease
    if shutdown_timeout is not None:
        settings["shutdown_timeout"] = shutdown_timeout
    if app_version is not None:
        settings["app_version"] = app_version
    if group_grace_period is not None:
        settings["group_grace_period"] = group_grace_period
    if group_max_delay is not None:
        settings["group_max_delay"] = group_max_delay
    if group_max_size is not None:
        settings["group_max_size"] = group_max_size
    options = RedisOptions.default() if redis is None else RedisOptions.from_url(redis)
    config = ServerConfig(**settings)
    leash = Leash.from_environment()
    supervised = processes is not None or reload
    configure(log_format, log_level, with_process=supervised)
    address = None if metrics_port is None else Address(metrics_host, metrics_port)
    if supervised and leash is None:
        with of_children(address) as metrics:
            arguments = context.obj.arguments
            code = _supervise(tasks, arguments, options, config, processes or 1, reload=reload, metrics=metrics)
        raise typer.Exit(code)
    with of_this_process(address, is_child=leash is not None) as settings["observer"]:
        _serve(tasks, aggregators, options, settings, leash)


def _serve(
    tasks: str, aggregators: str | None, options: RedisOptions, settings: ServerSettings, leash: Leash | None
) -> None:
    from asynqpy.cli.mux_reference import load_aggregators, load_mux
    from asynqpy.server import Server

    mux = load_mux(tasks)
    if aggregators is not None:
        settings["aggregator"] = load_aggregators(aggregators)
    server = Server(options, claim_token=leash.token if leash else None, **settings)
    if leash is None:
        asyncio.run(server.ping())
    else:
        leash.hold(server, shutdown_timeout=timedelta(seconds=seconds(server.config.shutdown_timeout)))
    log.info("worker starts", extra={"tasks": tasks, "patterns": mux.patterns, "redis": redis_address(options)})
    if not mux.patterns:
        what = "fail" if server.config.unknown_types == "fail" else "be handed on"
        log.warning("the mux has no handlers: every task will %s", what)
    server.run(mux)


def _supervise(
    tasks: str,
    arguments: Sequence[str],
    options: RedisOptions,
    config: ServerConfig,
    processes: int,
    *,
    reload: bool,
    metrics: ProcessesMetrics | None,
) -> int:
    from asynqpy._worker.supervisor import Supervisor
    from asynqpy.cli.reload import changes, check_installed, watched_folders

    if sys.platform == "win32":
        raise ConfigError("--processes and --reload need Linux or macOS; on Windows start several workers")
    if reload:
        check_installed()
    supervisor = Supervisor(
        [sys.executable, "-m", "asynqpy", *arguments],
        processes=processes,
        redis=options,
        queues=list(config.queues),
        max_crashes=config.max_crashes,
        shutdown_timeout=timedelta(seconds=seconds(config.shutdown_timeout)),
        changes=functools.partial(changes, watched_folders(tasks.partition(":")[0])) if reload else None,
        environment=metrics.environment if metrics else None,
        when_ended=metrics.child_ended if metrics else None,
    )
    log.info("supervisor starts", extra={"tasks": tasks, "processes": processes, "redis": redis_address(options)})
    return supervisor.run()
