"""How somebody proves who they are: a password, a token, a trusted proxy, or a function of the embedding program."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable
from typing import Protocol, TypeAlias

from starlette.requests import HTTPConnection

from asynqpy.errors import ConfigError
from asynqpy.web.users import Account, Role, User

LoginFunction: TypeAlias = Callable[[HTTPConnection], "User | Awaitable[User | None] | None"]
"""Tells who asks, from the request; None when it cannot say."""


class Login(Protocol):
    """One way to log in."""

    @property
    def challenge(self) -> str | None:
        """What ``WWW-Authenticate`` says to those who have not; None for nothing."""
        ...

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Who asks; None when this way cannot say."""
        ...


class BasicLogin:
    """Names and passwords, which the browser asks for (HTTP Basic). Serve it over TLS.

    Args:
        accounts: by name: a password, which gives an operator, or an `Account`.

    Raises:
        ConfigError: no account, a blank password, or a name with a colon.
    """

    challenge = 'Basic realm="asynqpy", charset="UTF-8"'

    def __init__(self, accounts: Mapping[str, str | Account]) -> None:
        found = {name: Account(each) if isinstance(each, str) else each for name, each in accounts.items()}
        for name, account in found.items():
            if not name or ":" in name or not account.password:
                raise ConfigError(f"account {name!r} needs a name without a colon and a password")
        if not found:
            raise ConfigError("a login without accounts lets nobody in; give at least one")
        self._accounts = {name: (_digest(account.password), account.user(name)) for name, account in found.items()}

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whose name and password they are."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, colon, password = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        # An unknown name takes as long as a wrong password.
        digest, user = self._accounts.get(name, (_digest(""), None))
        return user if hmac.compare_digest(digest, _digest(password)) and colon else None


class TokenLogin:
    """Secret words: in the header ``Authorization: Bearer …`` for scripts, typed into a form for browsers.

    Args:
        tokens: the user by token; tokens have at least 16 characters.

    Raises:
        ConfigError: a token that can be guessed.
    """

    challenge = 'Bearer realm="asynqpy"'

    def __init__(self, tokens: Mapping[str, User]) -> None:
        if not tokens or any(len(token) < SHORTEST_TOKEN for token in tokens):
            raise ConfigError(f"a token needs at least {SHORTEST_TOKEN} characters; try secrets.token_urlsafe()")
        self._users = {_digest(token): user for token, user in tokens.items()}

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whose token it is."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        return self.user_by_digest(_digest(given.strip())) if scheme.lower() == "bearer" else None

    def user_by_digest(self, digest: bytes) -> User | None:
        """Whose token has this SHA-256."""
        return self._users.get(digest)


SHORTEST_TOKEN = 16


class ProxyLogin:
    """A header that a proxy sets after it has logged somebody in, such as oauth2-proxy.

    Args:
        header: with the name of the user.
        trusted: addresses or networks of the proxies; from anybody else the header is ignored. ``unix`` is whoever
            comes through a Unix socket.
        users: who is what; those who are not in it get *default*.
        default: what a name that is not in *users* gets; None for nobody.
    """

    challenge = None

    def __init__(
        self,
        header: str = "X-Forwarded-User",
        *,
        trusted: Iterable[str] = ("127.0.0.1", "::1"),
        users: Mapping[str, User] | None = None,
        default: Role | None = Role.VIEWER,
    ) -> None:
        self._header = header
        self._trusted = Peers(trusted)
        self._users = dict(users or {})
        self._default = default

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whom the proxy names."""
        names = connection.headers.getlist(self._header)
        if len(names) != 1 or not names[0].strip() or not self._trusted.include(connection):
            return None
        name = names[0].strip()
        if name in self._users:
            return self._users[name]
        return None if self._default is None else User(name=name, role=self._default)


class FunctionLogin:
    """A function of the embedding program."""

    challenge = None

    def __init__(self, function: LoginFunction) -> None:
        self._function = function

    async def user_of(self, connection: HTTPConnection) -> User | None:
        """Whom it names."""
        found = self._function(connection)
        return await found if isawaitable(found) else found


class Peers:
    """Addresses and networks of those at the other end of a connection."""

    def __init__(self, addresses: Iterable[str]) -> None:
        named = list(addresses)
        self._unix = "unix" in named
        try:
            self._networks = [ipaddress.ip_network(each, strict=False) for each in named if each != "unix"]
        except ValueError as error:
            raise ConfigError(f"trusted proxies are addresses, networks or 'unix': {error}") from error

    def include(self, connection: HTTPConnection) -> bool:
        """Whether whoever is at the other end is one of them."""
        address = address_of(connection)
        if address is None:
            return self._unix and connection.client is None
        return any(address in network for network in self._networks if network.version == address.version)


def address_of(connection: HTTPConnection) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of whoever is at the other end; None when there is none."""
    if connection.client is None:
        return None
    try:
        address = ipaddress.ip_address(connection.client.host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def logins_of(login: Login | LoginFunction | Iterable[Login | LoginFunction] | None) -> list[Login]:
    """The ways to log in, in the order in which they are tried.

    Raises:
        ConfigError: something that is no way to log in.
    """
    if login is None:
        return []
    if hasattr(login, "user_of"):
        return [login]  # type: ignore[list-item]
    if callable(login):
        return [FunctionLogin(login)]
    if isinstance(login, Iterable) and not isinstance(login, str | bytes | Mapping):
        found = [each for one in login for each in logins_of(one)]
        if found:
            return found
    raise ConfigError(f"login must be BasicLogin, TokenLogin, ProxyLogin, a function, or several, got {login!r}")


def _digest(secret: str) -> bytes:
    # What is compared has one length and tells nothing about its beginning.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
