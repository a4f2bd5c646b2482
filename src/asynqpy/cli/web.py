"""``asynqpy web``: the dashboard and its HTTP API, in a process of its own."""

from __future__ import annotations

import gc
import importlib.util
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asynqpy.cli.options import Connected, command
from asynqpy.config import RedisOptions, redis_address
from asynqpy.errors import ConfigError

if TYPE_CHECKING:
    from asynqpy.web import BasicLogin, ProxyLogin, TokenLogin

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8080
"""That of asynqmon."""

TRUSTED = ("127.0.0.1", "::1")
"""Where proxies are that are believed, unless somebody says it."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

DRAIN_SECONDS = 3
"""How long open requests may take at the end: streams of events never end by themselves."""


@command(app, "web", cls=Connected)
def web(
    context: typer.Context,
    *,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="NAME=URL",
            show_default=False,
            help="Another Redis, by name; then each has its own path, the first one as /main. Repeat it for more.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; this machine alone unless given.")
    ] = LOOPBACK,
    port: Annotated[
        int, typer.Option("--port", "-p", metavar="PORT", min=0, max=65535, help="0 takes a free one.")
    ] = DEFAULT_PORT,
    base_path: Annotated[
        str, typer.Option("--base-path", metavar="PATH", help="What stands before all paths, such as /ops/tasks.")
    ] = "",
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            metavar="NAME:PASSWORD[:ROLE]",
            envvar="ASYNQPY_WEB_USERS",
            show_default=False,
            help="Somebody who may log in; an operator, or a viewer. Better in ASYNQPY_WEB_USERS, by spaces.",
        ),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option(
            "--token",
            metavar="TOKEN[:ROLE]",
            envvar="ASYNQPY_WEB_TOKENS",
            show_default=False,
            help="A secret word for scripts. Better in ASYNQPY_WEB_TOKENS, by spaces.",
        ),
    ] = None,
    login_header: Annotated[
        str,
        typer.Option(
            "--login-header",
            metavar="HEADER[:ROLE]",
            envvar="ASYNQPY_WEB_LOGIN_HEADER",
            help="Where a trusted proxy names who has logged in, such as X-Forwarded-User; a viewer, or an operator.",
        ),
    ] = "",
    operator: Annotated[
        list[str] | None,
        typer.Option(
            "--operator",
            metavar="NAME",
            envvar="ASYNQPY_WEB_OPERATORS",
            show_default=False,
            help="An operator among those whom the proxy names. Repeat it.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            metavar="ADDRESS",
            envvar="ASYNQPY_WEB_TRUSTED_PROXIES",
            show_default=False,
            help="Address or network of a proxy that is believed; this machine unless given. Repeat it.",
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let in everybody who gets here, without a login.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse whatever changes something.")] = False,
    redact: Annotated[
        list[str] | None,
        typer.Option("--redact", metavar="FIELD", show_default=False, help="Hide this field of payloads and results."),
    ] = None,
    no_memory: Annotated[bool, typer.Option("--no-memory", help="Never ask Redis how much memory tasks take.")] = False,
    max_body: Annotated[
        int,
        typer.Option(
            "--max-body",
            metavar="BYTES",
            envvar="ASYNQPY_WEB_MAX_BODY",
            show_default=False,
            help="How large a request may be, 8 MiB unless given; a payload is a quarter smaller.",
        ),
    ] = 8 * 1024 * 1024,
    prometheus: Annotated[
        str, typer.Option("--prometheus", metavar="URL", help="Of a Prometheus, for charts of what was long ago.")
    ] = "",
) -> None:
    """Serve the dashboard and its HTTP API, until Ctrl-C or TERM.

    Without a login only this machine gets in, and it listens nowhere else unless --insecure is said. Behind a proxy
    that logs people in, --login-header takes its word, and of nobody but a --trusted-proxy. The API of
    asynqmon is at /api, ours at /api/v2, described at /api/v2/openapi.json; /healthz and /metrics are for machines.
    """
    check_installed()
    from asynqpy.web import create_app
    from asynqpy.web.guard import is_local_name

    trusted = tuple(trusted_proxy or TRUSTED)
    logins = [*logins_of(user or [], token or []), *proxy_logins_of(login_header, operator or [], trusted)]
    if not logins and not insecure and not is_local_name(host):
        raise ConfigError(
            f"whoever reaches {host} could delete every task: give --user, --token or --login-header, or say --insecure"
        )
    options = context.obj.redis()
    targets: Any = options
    if also:
        targets = {"main": options} | {name: RedisOptions.from_url(url) for name, url in map(_named, also)}
    application = create_app(
        targets,
        login=logins or None,
        insecure=insecure,
        read_only=read_only,
        base_path=base_path,
        trusted_proxies=trusted,
        max_body_bytes=max_body,
        redact_fields=redact or (),
        memory_usage=not no_memory,
        prometheus_url=prometheus,
    )
    _serve(application, host=host, port=port, told=f"dashboard of {redis_address(options)}", base_path=base_path)


def check_installed() -> None:
    """Raises `ConfigError` when the extra is missing."""
    missing = [
        name for name in ("fastapi", "jsonschema", "uvicorn", "sse_starlette") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ConfigError(f"asynqpy web needs {', '.join(missing)}: pip install 'asynqpy[web]'")


def logins_of(users: list[str], tokens: list[str]) -> list[BasicLogin | TokenLogin]:
    """The ways to log in that the options ask for.

    Raises:
        ConfigError: one that cannot be understood.
    """
    from asynqpy.web import Account, BasicLogin, Role, TokenLogin, User

    found: list[BasicLogin | TokenLogin] = []
    accounts: dict[str, Account] = {}
    for text in users:
        name, colon, rest = text.partition(":")
        password, role = _with_role(rest)
        if not name or not colon or not password:
            raise ConfigError("--user must be NAME:PASSWORD or NAME:PASSWORD:viewer")
        accounts[name] = Account(password, role=Role(role))
    if accounts:
        found.append(BasicLogin(accounts))
    if tokens:
        roles = dict(_with_role(text) for text in tokens)
        known = {token: User(name=f"token {at}", role=Role(role)) for at, (token, role) in enumerate(roles.items(), 1)}
        found.append(TokenLogin(known))
    return found


def proxy_logins_of(header: str, operators: list[str], trusted: tuple[str, ...]) -> list[ProxyLogin]:
    """The login by a header that proxies at *trusted* addresses set; none without a *header*.

    Raises:
        ConfigError: one that cannot be understood, or operators whom nobody would name.
    """
    from asynqpy.web import ProxyLogin, Role, User

    if not header:
        if operators:
            raise ConfigError("--operator is somebody whom a proxy names: say in which header, --login-header")
        return []
    name, role = _with_role(header, "viewer")
    if not _HEADER.fullmatch(name):
        raise ConfigError(f"--login-header must be HEADER or HEADER:operator, got {header!r}")
    users = {each: User(name=each, role=Role.OPERATOR) for each in operators}
    return [ProxyLogin(name, trusted=trusted, users=users, default=Role(role))]


def _with_role(text: str, default: str = "operator") -> tuple[str, str]:
    """What is before the last colon and the role behind it, if one is there."""
    before, _, role = text.rpartition(":")
    return (before, role) if role in ("viewer", "operator") and before else (text, default)


def _named(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals:
        raise ConfigError(f"--also must be NAME=URL, got {text!r}")
    return name, url


def _serve(application: Any, *, host: str, port: int, told: str, base_path: str) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Says where it is once it is there: port 0 is known only then. Being told to end is no failure."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                # What is there by now stays, tens of thousands of objects: looking through them again and again for
                # garbage would stop the server for as long as an answer takes.
                gc.collect()
                gc.freeze()
                at = self.servers[0].sockets[0].getsockname()[1]
                named = f"[{host}]" if ":" in host else host
                print(f"{told} at http://{named}:{at}{base_path.rstrip('/')}/, Ctrl-C ends it", flush=True)

    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is trusted to say where a request comes from is decided by the logins
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = Server(config)
    server.run()
    if not server.started:
        raise ConfigError(f"cannot listen on {host}, port {port}")
    print("ended", flush=True)
