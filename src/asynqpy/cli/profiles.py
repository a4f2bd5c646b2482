"""The file of profiles: names for the Redis servers that a person works with.

default = "local"

[profile.local]
redis = "redis://localhost:6379/0"

[profile.production]
redis = "rediss://asynq@redis.example.com:6380/0"
password_file = "~/.secrets/redis"
web_url = "https://ops.example.com/tasks"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asynqpy.errors import ConfigError

_KNOWN = frozenset({"redis", "username", "password", "password_file", "password_env", "db", "web_url"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One Redis."""

    name: str
    redis: str
    """Its URL."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int | None = None
    web_url: str | None = None
    """Where its web dashboard is."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """What is in the file."""

    path: Path
    default: str | None
    by_name: Mapping[str, Mapping[str, Any]]

    def profile(self, name: str) -> Profile:
        """The profile of that *name*, with its password read from where it is.

        Raises:
            ConfigError: there is none, or it cannot work.
        """
        table = self.by_name.get(name)
        if table is None:
            known = f"it has {', '.join(sorted(self.by_name))}" if self.by_name else "it has none"
            raise ConfigError(f"there is no profile {name!r} in {self.path}: {known}")
        unknown = sorted(set(table) - _KNOWN)
        if unknown:
            raise ConfigError(
                f"profile {name!r} in {self.path}: unknown {', '.join(unknown)}; known: {_listed(_KNOWN)}"
            )
        for key, value in table.items():
            wanted: type = int if key == "db" else str
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise ConfigError(f"profile {name!r} in {self.path}: {key} must be {_NAMES[wanted]}, got {value!r}")
        if "redis" not in table:
            raise ConfigError(f'profile {name!r} in {self.path} does not say where Redis is: redis = "redis://…"')
        return Profile(
            name,
            table["redis"],
            table.get("username"),
            self._password(name, table),
            table.get("db"),
            table.get("web_url"),
        )

    def _password(self, name: str, table: Mapping[str, Any]) -> str | None:
        if (variable := table.get("password_env")) is not None:
            if variable not in os.environ:
                raise ConfigError(f"profile {name!r} in {self.path}: the variable {variable} is not set")
            return os.environ[variable]
        if (file := table.get("password_file")) is not None:
            try:
                return Path(file).expanduser().read_text("utf-8").strip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"profile {name!r} in {self.path}: its password cannot be read: {error}") from None
        return table.get("password")


_NAMES = {int: "a whole number", str: "text"}


def file_of_profiles(environ: Mapping[str, str], named: str | None = None) -> Path:
    """Where the file is: as *named*, or ``ASYNQPY_CONFIG``, or ``asynqpy/config.toml`` in the folder of settings."""
    given = named or environ.get("ASYNQPY_CONFIG")
    if given:
        return Path(given).expanduser()
    home = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "asynqpy" / "config.toml"


def read(environ: Mapping[str, str], named: str | None = None) -> Profiles:
    """The profiles; none when there is no file and nobody named one.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = file_of_profiles(environ, named)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named or environ.get("ASYNQPY_CONFIG"):
            raise ConfigError(f"there is no file {path}") from None
        return Profiles(path, None, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    profiles, default = table.get("profile", {}), table.get("default")
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise ConfigError(f"{path}: profiles are tables such as [profile.local]")
    if default is not None and not isinstance(default, str):
        raise ConfigError(f"{path}: default must be the name of a profile, got {default!r}")
    return Profiles(path, default, profiles)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
