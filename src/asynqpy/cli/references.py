"""From ``module:attribute`` on the command line to the object that it names."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from asynqpy.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What is looked for."""

    classes: tuple[type[T], ...]
    attribute: str
    """Its usual name, which is tried when none is given."""
    named: str
    """What it is called in messages: ``ServeMux``."""
    plural: str
    module: str
    """The usual name of a module that has one."""


def load(reference: str, kind: Kind[T]) -> T:
    """What *reference* names: ``module:attribute``, or ``module`` for its usual name, else the only one it has.

    The current directory is searched first, as by ``python -m``.

    Raises:
        ConfigError: no such module, an import inside it that fails, no such attribute, or one of another kind.
    """
    module_name, _, attribute = reference.partition(":")
    if not _names_a_module(module_name):
        example = f"{kind.module}:{kind.attribute}"
        raise ConfigError(
            f"{reference!r} names no module: write MODULE:{kind.attribute.upper()}, as in {example} or shop.{example}"
        )
    module = _imported(module_name)
    return _named(module, attribute, kind) if attribute else _only(module, kind)


def load_any(reference: str, *, called: str, example: str) -> object:
    """What *reference*, always ``module:attribute``, names, of whatever kind; *called* and *example* are for messages.

    Raises:
        ConfigError: as for `load`.
    """
    module_name, _, attribute = reference.partition(":")
    if not _names_a_module(module_name) or not attribute:
        raise ConfigError(f"{reference!r} names no {called}: write MODULE:NAME, as in {example}")
    return _found(_imported(module_name), attribute, hint="")


def _names_a_module(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            hint = f"; did you mean {name.removesuffix('.py')}?" if name.endswith(".py") else ""
            raise ConfigError(f"there is no module {error.name!r} in {here} or on the path of Python{hint}") from error
        raise ConfigError(f"module {name!r} cannot be imported: {error}{_place(error)}") from error
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        text = " ".join(str(error).split())
        raise ConfigError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {text}{_place(error)}"
        ) from error


def _place(error: BaseException) -> str:
    """Where in the user's code an import failed; for a syntax error the text says it."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    last = frames[-1]
    return "" if last.filename == __file__ else f" ({last.filename}, line {last.lineno})"


def _named(module: ModuleType, attribute: str, kind: Kind[T]) -> T:
    found = _found(module, attribute, hint=_suggestion(module, kind))
    if not isinstance(found, kind.classes):
        raise ConfigError(
            f"{module.__name__}:{attribute} is of type {type(found).__name__}, no {kind.named}"
            f"{_suggestion(module, kind)}"
        )
    return found


def _found(module: ModuleType, attribute: str, *, hint: str) -> object:
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ConfigError(f"module {module.__name__!r} has no {attribute!r}{hint}")
        found = getattr(found, name)
    return found


def _only(module: ModuleType, kind: Kind[T]) -> T:
    found = _all(module, kind)
    if kind.attribute in found:
        return found[kind.attribute]
    distinct = {id(each): each for each in found.values()}
    match list(distinct.values()):
        case [only]:
            return only
        case []:
            line = f"{kind.attribute} = {kind.named}()"
            raise ConfigError(f"module {module.__name__!r} has no {kind.named}: it needs a line such as {line}")
        case _:
            raise ConfigError(f"module {module.__name__!r} has several {kind.plural}{_suggestion(module, kind)}")


def _suggestion(module: ModuleType, kind: Kind[T]) -> str:
    names = [f"{module.__name__}:{name}" for name in _all(module, kind)]
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _all(module: ModuleType, kind: Kind[T]) -> Mapping[str, T]:
    return {name: value for name, value in vars(module).items() if isinstance(value, kind.classes)}
