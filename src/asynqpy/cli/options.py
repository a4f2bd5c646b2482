"""Options that several commands share, and the classes of commands that have them all.

An option of these classes may stand behind the command or before it (``asynqpy --profile production queue ls``): its
value goes to ``Invocation.given``, and is no argument of the function. Options in asynq's spelling are understood, and
not shown.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from asynqpy.cli import values
from asynqpy.cli.completers import profile_names
from asynqpy.cli.invocation import Invocation

F = TypeVar("F", bound=Callable[..., Any])

HELP = {"help_option_names": ["-h", "--help"]}
"""How help is asked for."""

PANEL_REDIS = "Redis"
PANEL_OUTPUT = "Output"


def _noted(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    """Keep the value of a shared option where all commands find it."""
    is_given = value is not None and value is not False
    if is_given and isinstance(context.obj, Invocation) and parameter.name:
        context.obj.given[parameter.name] = value
    return value


def _redis_url(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    _noted(context, parameter, value)
    if context.resilient_parsing or not isinstance(context.obj, Invocation):
        return value
    return context.obj.redis_url()


def _shared(*names: str, panel: str = PANEL_REDIS, **more: Any) -> Any:
    return typer.Option(*names, callback=_noted, expose_value=False, rich_help_panel=panel, **more)


def _of_go(*names: str, **more: Any) -> Any:
    """An option of asynq's command."""
    return _shared(*names, hidden=True, **more)


_URL_HELP = (
    "Where Redis is: redis://, rediss://, unix://, redis-sentinel://, redis-cluster:// or embedded://, or HOST:PORT; "
    "ASYNQPY_REDIS_URL or a profile unless given, else redis://localhost:6379."
)

RedisURL: TypeAlias = Annotated[
    str | None, typer.Option("--redis", "-r", metavar="URL", callback=_redis_url, help=_URL_HELP, show_default=False)
]
"""For commands that take the URL as an argument: with what the environment and profiles say when none was given."""

JSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _connection(
    *,
    redis: Annotated[str | None, _shared("--redis", "-r", metavar="URL", help=_URL_HELP)] = None,
    profile: Annotated[
        str | None,
        _shared("--profile", metavar="NAME", help="A Redis of your config file.", autocompletion=profile_names),
    ] = None,
    config: Annotated[str | None, _of_go("--config", metavar="FILE")] = None,
    uri: Annotated[str | None, _of_go("--uri", "-u")] = None,
    db: Annotated[int | None, _of_go("--db", "-n", min=0)] = None,
    username: Annotated[str | None, _of_go("--username", "-U")] = None,
    password: Annotated[str | None, _of_go("--password", "-p")] = None,
    cluster: Annotated[bool, _of_go("--cluster")] = False,
    cluster_addrs: Annotated[str | None, _of_go("--cluster_addrs", "--cluster-addrs")] = None,
    tls: Annotated[bool, _of_go("--tls")] = False,
    tls_server: Annotated[str | None, _of_go("--tls_server", "--tls-server")] = None,
    insecure: Annotated[bool, _of_go("--insecure")] = False,
) -> None: ...


def _json(*, as_json: Annotated[bool, _shared("--json", panel=PANEL_OUTPUT, help="Print JSON.")] = False) -> None: ...


def _moments(
    *,
    utc: Annotated[bool, _shared("--utc", panel=PANEL_OUTPUT, help="Show moments by the clock, in UTC.")] = False,
) -> None: ...


def _repeated(
    *,
    watch: Annotated[
        float | None,
        _shared("--watch", "-w", panel=PANEL_OUTPUT, metavar="SECONDS", min=0.1, help="Show it anew so often."),
    ] = None,
) -> None: ...


def _opened(
    *,
    open_web: Annotated[
        bool,
        _shared("--open", panel=PANEL_OUTPUT, help="Open it in the web dashboard instead: see ASYNQPY_WEB_URL."),
    ] = False,
) -> None: ...


def _confirmed(
    *,
    yes: Annotated[bool, _shared("--yes", "-y", panel=PANEL_OUTPUT, help="Do not ask.")] = False,
) -> None: ...


@functools.cache
def _parameters(function: Callable[..., None]) -> tuple[Any, ...]:
    """The options that *function* declares, as typer makes them."""
    holder = typer.Typer(add_completion=False)
    holder.command()(function)
    return tuple(typer.main.get_command(holder).params)


def connection_parameters() -> tuple[Any, ...]:
    """The options that say where Redis is."""
    return _parameters(_connection)


class Connected(TyperCommand):
    """A command that talks to Redis."""

    shares: tuple[Callable[..., None], ...] = (_connection,)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        taken = {name for parameter in self.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for function in self.shares:
            for shared in _parameters(function):
                names = [name for name in shared.opts if name not in taken]
                mine = shared if len(names) == len(shared.opts) else copy.copy(shared)
                mine.opts = names  # without those by which the command has one of its own
                if names:
                    self.params.append(mine)


class Shown(Connected):
    """A command that shows what the web dashboard shows too."""

    shares: tuple[Callable[..., None], ...] = (_json, _moments, _opened, _connection)

    def invoke(self, ctx: Any) -> Any:
        """Run it, or with ``--open`` lead to the dashboard."""
        if not ctx.obj.given.get("open_web"):
            return super().invoke(ctx)
        from asynqpy.cli.weblinks import open_page

        return open_page(ctx)


class Reading(Shown):
    """A command that shows something: as text, as JSON, again and again."""

    shares = (_json, _moments, _repeated, _opened, _connection)


class Streaming(Connected):
    """A command that shows something as it comes, as text or as JSON."""

    shares = (_json, _moments, _connection)


class Telling(Connected):
    """A command that tells what it has done, as text or as JSON."""

    shares = (_json, _connection)


class Asking(Connected):
    """A command that asks before it takes something away, and tells what it has done."""

    shares = (_confirmed, _json, _connection)


class ConnectedGroup(TyperGroup):
    """A command that has others below it, which talk to Redis."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.params.extend(connection_parameters())


def group(help: str) -> typer.Typer:  # noqa: A002 - the word of typer
    """A command that has others below it, and shows them when none is named."""
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

    @app.callback(cls=ConnectedGroup, help=help, invoke_without_command=True, context_settings=HELP)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app


def command(app: typer.Typer, name: str, *aliases: str, cls: type[TyperCommand] = Connected) -> Callable[[F], F]:
    """Register a function as a command of *app*, under further names too, which the help does not list."""

    def register(function: F) -> F:
        app.command(name, cls=cls, context_settings=HELP)(function)
        for alias in aliases:
            app.command(alias, cls=cls, hidden=True, context_settings=HELP)(function)
        return function

    return register


def duration_option(*names: str, **more: Any) -> Any:
    """An option that is a duration."""
    return typer.Option(*names, metavar="DURATION", parser=values.parser(values.duration), **more)


def moment_option(*names: str, **more: Any) -> Any:
    """An option that is a moment."""
    return typer.Option(*names, metavar="MOMENT", parser=values.parser(values.moment), **more)
