"""From ``module:mux`` on the command line to the `ServeMux` that it names, and the same for aggregate functions."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from asynqpy.aggregators import Aggregators, as_aggregators
from asynqpy.errors import ConfigError
from asynqpy.mux import ServeMux

DEFAULT_ATTRIBUTE = "mux"


def load_mux(reference: str) -> ServeMux:
    """The mux that *reference* names: ``module:attribute``, or ``module`` for its ``mux``, else its only one.

    The current directory is searched first, as by ``python -m``.

    Raises:
        ConfigError: no such module, an import inside it that fails, no such attribute, or not a mux.
    """
    module_name, _, attribute = reference.partition(":")
    if not _is_module_name(module_name):
        raise ConfigError(f"{reference!r} names no module: write MODULE:MUX, as in tasks:mux or shop.tasks:mux")
    module = _imported(module_name)
    return _named(module, attribute) if attribute else _only(module)


def load_aggregators(reference: str) -> Aggregators:
    """What *reference* names: an `Aggregators` or an aggregate function, ``module:attribute``.

    Raises:
        ConfigError: as for `load_mux`; or no aggregate function.
    """
    module_name, _, attribute = reference.partition(":")
    if not _is_module_name(module_name) or not attribute:
        raise ConfigError(f"{reference!r} names no aggregate function: write MODULE:NAME, as in tasks:aggregators")
    module = _imported(module_name)
    return as_aggregators(_found(module, attribute, hint=""))


def _is_module_name(text: str) -> bool:
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


def _named(module: ModuleType, attribute: str) -> ServeMux:
    found = _found(module, attribute, hint=_suggestion(module))
    if not isinstance(found, ServeMux):
        raise ConfigError(
            f"{module.__name__}:{attribute} is of type {type(found).__name__}, no ServeMux{_suggestion(module)}"
        )
    return found


def _found(module: ModuleType, attribute: str, *, hint: str) -> Any:
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ConfigError(f"module {module.__name__!r} has no {attribute!r}{hint}")
        found = getattr(found, name)
    return found


def _only(module: ModuleType) -> ServeMux:
    muxes = _muxes(module)
    if DEFAULT_ATTRIBUTE in muxes:
        return muxes[DEFAULT_ATTRIBUTE]
    distinct = {id(mux): mux for mux in muxes.values()}
    match list(distinct.values()):
        case [mux]:
            return mux
        case []:
            raise ConfigError(f"module {module.__name__!r} has no ServeMux: it needs a line such as mux = ServeMux()")
        case _:
            raise ConfigError(f"module {module.__name__!r} has several muxes{_suggestion(module)}")


def _suggestion(module: ModuleType) -> str:
    names = [f"{module.__name__}:{name}" for name in _muxes(module)]
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _muxes(module: ModuleType) -> dict[str, ServeMux]:
    return {name: value for name, value in vars(module).items() if isinstance(value, ServeMux)}
