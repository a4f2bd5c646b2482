"""Periodic tasks from a file in TOML or YAML, read again when it has changed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from asynqpy._scheduling.periodic_config import PeriodicTaskConfig
from asynqpy._wire.durations import parse_duration
from asynqpy.errors import AsynqpyError, ConfigError
from asynqpy.options import EnqueueOptions
from asynqpy.task import Task

_OWN_KEYS = frozenset(["cron", "type", "payload", "id", "catch_up", "overlap"])
_DURATIONS = frozenset(["timeout", "unique_for", "process_in", "retention"])
_MOMENTS = frozenset(["deadline", "process_at"])
_KEYS = sorted(_OWN_KEYS | EnqueueOptions.__annotations__.keys())


class FileProvider:
    """Reads the periodic tasks of a `PeriodicTaskManager` from a file.

    The file has a list ``tasks``. Each item has ``cron`` and ``type``, and may have ``payload`` (text, or anything with
    a JSON form), ``id``, ``catch_up``, ``overlap`` and the options of ``enqueue``; durations are seconds or text such
    as ``1m30s``, moments have a time zone.

    Args:
        path: a file whose name ends with ``.toml``, ``.yaml`` or ``.yml``. YAML needs ``asynqpy[yaml]``.

    Raises:
        ConfigError: another ending, or YAML without its extra.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        match self.path.suffix.lower():
            case ".toml":
                self._parse = _parse_toml
            case ".yaml" | ".yml":
                _yaml()
                self._parse = _parse_yaml
            case _:
                raise ConfigError(f"{str(self.path)!r} is neither TOML nor YAML: its name must end with .toml or .yaml")
        self._seen: tuple[int, int, int] | None = None
        self._configs: list[PeriodicTaskConfig] = []

    def __call__(self) -> list[PeriodicTaskConfig]:
        """The tasks in the file; read again only if it has changed since the last time.

        Raises:
            ConfigError: the file cannot be read, or something in it cannot be understood; the message says what.
        """
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._configs = self._read(self._parse(self.path.read_bytes()))
                self._seen = seen
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"the periodic tasks in {str(self.path)!r} cannot be read: {error}") from error
        return list(self._configs)

    def _read(self, document: object) -> list[PeriodicTaskConfig]:
        match document:
            case {"tasks": list(items), **others} if not others:
                return [self._config(number, item) for number, item in enumerate(items, 1)]
            case {"tasks": None, **others} if not others:  # an empty list, as YAML has it
                return []
        raise ConfigError(f"{str(self.path)!r} must have a list 'tasks', and nothing beside it")

    def _config(self, number: int, item: object) -> PeriodicTaskConfig:
        if not isinstance(item, dict):
            raise self._refusal(number, f"is no table, but {item!r}")
        unknown = sorted(set(item) - set(_KEYS), key=str)
        if unknown:
            raise self._refusal(number, f"has {unknown[0]!r}, which is not known; there are {', '.join(_KEYS)}")
        missing = [key for key in ("cron", "type") if key not in item]
        if missing:
            raise self._refusal(number, f"has no {missing[0]!r}")
        try:
            return PeriodicTaskConfig(
                item["cron"],
                Task(item["type"], item.get("payload")),
                catch_up=item.get("catch_up", "none"),
                overlap=item.get("overlap", True),
                entry_id=item.get("id"),
                **_options(item),
            )
        except (AsynqpyError, ValueError) as error:
            raise self._refusal(number, f"cannot be understood: {error}") from error

    def _refusal(self, number: int, trouble: str) -> ConfigError:
        return ConfigError(f"task {number} in {str(self.path)!r} {trouble}")


def _options(item: Mapping[str, Any]) -> EnqueueOptions:
    options = {key: value for key, value in item.items() if key not in _OWN_KEYS}
    for key, value in options.items():
        if key in _DURATIONS and isinstance(value, str):
            options[key] = parse_duration(value)
        elif key in _MOMENTS and isinstance(value, str | date):
            options[key] = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return cast("EnqueueOptions", options)


def _parse_toml(data: bytes) -> object:
    return tomllib.loads(data.decode())


def _parse_yaml(data: bytes) -> object:
    yaml = _yaml()
    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _yaml() -> Any:
    try:
        return import_module("yaml")
    except ImportError:
        raise ConfigError("periodic tasks in YAML need a library: pip install 'asynqpy[yaml]'") from None
