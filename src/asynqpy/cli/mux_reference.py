"""From ``module:mux`` on the command line to the `ServeMux` that it names, and the same for aggregate functions."""

from __future__ import annotations

from typing import Any

from asynqpy.aggregators import Aggregators, as_aggregators
from asynqpy.cli.references import Kind, load, load_any
from asynqpy.mux import ServeMux

MUX = Kind(classes=(ServeMux,), attribute="mux", named="ServeMux", plural="muxes", module="tasks")


def load_mux(reference: str) -> ServeMux:
    """The mux that *reference* names: ``module:attribute``, or ``module`` for its ``mux``, else its only one.

    Raises:
        ConfigError: no such module, an import inside it that fails, no such attribute, or not a mux.
    """
    return load(reference, MUX)


def load_aggregators(reference: str) -> Aggregators:
    """What *reference* names: an `Aggregators` or an aggregate function, ``module:attribute``.

    Raises:
        ConfigError: as for `load_mux`; or no aggregate function.
    """
    found: Any = load_any(reference, called="aggregate function", example="tasks:aggregators")
    return as_aggregators(found)
