"""From what was said on the line, in the environment and in the file of profiles to the URL of one Redis.

What was said on the line comes first: an address, then ``--profile``. Then ``ASYNQPY_REDIS_URL`` and
``ASYNQPY_PROFILE``, then the profile that the file calls its default. User, password and database are looked for in the
same order; those of a profile go with its address alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from asynqpy.cli import profiles
from asynqpy.errors import ConfigError

DEFAULT_URL = "redis://localhost:6379/0"

GO_CLUSTER = ",".join(f"127.0.0.1:{port}" for port in range(7000, 7006))
"""Where asynq's own command looks for a cluster."""

_PATH_IS_DATABASE = ("redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster")


def find_url(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str | None:
    """The URL of Redis, credentials included; None when nothing says where it is.

    Args:
        given: the shared options by name, see `asynqpy.cli.options`.
        environ: the environment of the process unless given.

    Raises:
        ConfigError: an unknown profile, a file that cannot be read, options that exclude each other.
    """
    environ = os.environ if environ is None else environ
    profile = None
    url = _address(given)
    if url is None:
        profile = _profile(given, environ)
        url = profile.redis if profile else environ.get("ASYNQPY_REDIS_URL") or None
    extras = _extras(given, environ, profile)
    if url is None:
        return _with(DEFAULT_URL, **extras) if extras else None
    return _with(url, **extras) if extras or "://" not in url else url


def find_web_url(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str | None:
    """The address of the web dashboard: of the profile that says where Redis is, else ``ASYNQPY_WEB_URL``.

    Args:
        given: the shared options by name, see `asynqpy.cli.options`.
        environ: the environment of the process unless given.

    Raises:
        ConfigError: as `find_url`, or what is there is no address.
    """
    environ = os.environ if environ is None else environ
    profile = None if _address(given) else _profile(given, environ)
    url = (profile.web_url if profile else None) or environ.get("ASYNQPY_WEB_URL") or None
    if url is not None and not url.startswith(("http://", "https://")):
        raise ConfigError(f"the address of the dashboard must begin with http:// or https://, got {url!r}")
    return url


def _address(given: Mapping[str, Any]) -> str | None:
    """The address on the line: ours, or in one of asynq's ways."""
    url, uri, cluster = given.get("redis"), given.get("uri"), given.get("cluster")
    nodes = given.get("cluster_addrs")
    named = [name for name, value in {"--redis": url, "--uri": uri, "--cluster": cluster or nodes}.items() if value]
    if len(named) > 1:
        raise ConfigError(f"Redis can be in one place only, got {' and '.join(named)}")
    if cluster or nodes:
        return f"redis-cluster://{nodes or GO_CLUSTER}"
    return url or uri


def _profile(given: Mapping[str, Any], environ: Mapping[str, str]) -> profiles.Profile | None:
    name = given.get("profile")
    if name is None and environ.get("ASYNQPY_REDIS_URL"):
        return None
    found = profiles.read(environ, given.get("config"))
    name = name or environ.get("ASYNQPY_PROFILE") or found.default
    return found.profile(name) if name else None


def _extras(given: Mapping[str, Any], environ: Mapping[str, str], profile: profiles.Profile | None) -> dict[str, Any]:
    """What goes into the URL beside its address."""
    found: dict[str, Any] = {}
    for name, of_profile in {
        "username": profile.username if profile else None,
        "password": profile.password if profile else None,
        "db": profile.db if profile else None,
    }.items():
        value = given.get(name)
        if value is None:
            value = environ.get(f"ASYNQPY_REDIS_{name.upper()}") or None
        if value is None:
            value = of_profile
        if value is not None:
            found[name] = str(value)
    if given.get("tls") or given.get("tls_server"):
        found["tls"] = given.get("tls_server") or True
    if given.get("insecure"):
        found["insecure"] = True
    return found


def _with(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    db: str | None = None,
    tls: bool | str = False,
    insecure: bool = False,
) -> str:
    """*url* with these parts in their places; one without a scheme is ``host:port``."""
    try:
        parts = urlsplit(url if "://" in url else f"redis://{url}")
    except ValueError:
        return url  # `RedisOptions.from_url` says what is wrong with it, without showing a password
    scheme, query = parts.scheme, dict(parse_qsl(parts.query, keep_blank_values=True))
    if tls and scheme.split("-")[0] == "redis" and scheme != "redis-socket":
        scheme = f"rediss{scheme.removeprefix('redis')}"
    if isinstance(tls, str) and tls != parts.hostname:
        raise ConfigError(f"the certificate must be that of the server: use {tls} as its address, not {parts.hostname}")
    if insecure and scheme.startswith("rediss"):
        query["verify"] = "0"
    path = parts.path
    if db is not None:
        if scheme in _PATH_IS_DATABASE:
            path = f"/{db}"
        else:
            query["db"] = db
    netloc = parts.netloc
    if "sentinel" in scheme:  # the credentials in its address are those of the sentinels
        query |= {name: value for name, value in {"username": username, "password": password}.items() if value}
    elif (username or password) and scheme != "embedded":
        netloc = _with_credentials(parts, username, password)
    # By hand: `urlunsplit` forgets the slashes of schemes that it does not know.
    return f"{scheme}://{netloc}{path}{'?' + urlencode(query) if query else ''}"


def _with_credentials(parts: SplitResult, username: str | None, password: str | None) -> str:
    before, _, place = parts.netloc.rpartition("@")
    old_username, _, old_password = before.partition(":")
    user = old_username if username is None else quote(username, safe="")
    secret = old_password if password is None else quote(password, safe="")
    return f"{user}:{secret}@{place}" if secret else f"{user}@{place}"
