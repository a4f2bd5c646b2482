"""From ``module:mux`` on the command line to the `ServeMux` that it names."""

from __future__ import annotations

from asynqpy.cli.references import Kind, load
from asynqpy.mux import ServeMux

MUX = Kind(classes=(ServeMux,), attribute="mux", named="ServeMux", plural="muxes", module="tasks")


def load_mux(reference: str) -> ServeMux:
    """The mux that *reference* names: ``module:attribute``, or ``module`` for its ``mux``, else its only one.

    Raises:
        ConfigError: no such module, an import inside it that fails, no such attribute, or not a mux.
    """
    return load(reference, MUX)
