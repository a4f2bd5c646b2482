"""What a server handles, as a tree of patterns: made by a mux, published in Redis, asked about a task type. Pure.

A pattern stands for itself and for every type that begins with it; the longest one that fits a type decides. Below it
is nothing more (None), or what the mux handles that is registered there, which sees the whole type again. The empty
pattern fits everything: a not-found handler, or a server whose handler is a single function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from asynqpy.errors import WireError

PatternTree: TypeAlias = "Mapping[str, PatternTree | None]"
"""Patterns, each with None or with the tree of the mux that is registered there."""

EVERYTHING: PatternTree = {"": None}
"""What a single function handles."""


def fits(tree: PatternTree, task_type: str) -> bool:
    """Whether tasks of *task_type* find a handler in *tree*."""
    return deciding(tree, task_type) is not None


def deciding(tree: PatternTree, task_type: str) -> str | None:
    """Which of the `listed` patterns decides about *task_type*; None when it finds no handler."""
    longest = max((pattern for pattern in tree if task_type.startswith(pattern)), key=len, default=None)
    if longest is None:
        return None
    below = tree[longest]
    if below is None:
        return longest
    inner = deciding(below, task_type)
    return None if inner is None else max(longest, inner, key=len)


def listed(tree: PatternTree) -> tuple[str, ...]:
    """The patterns of *tree* in one row, for people: each with a handler behind it, sorted, ``""`` for everything."""
    return tuple(sorted(set(_leaves(tree, ""))))


def _leaves(tree: PatternTree, above: str) -> Iterator[str]:
    for pattern, below in tree.items():
        # Both have to fit, so the longer one says it all if it begins with the other; if not, nothing ever gets there.
        longer, shorter = (pattern, above) if len(pattern) >= len(above) else (above, pattern)
        if not longer.startswith(shorter):
            continue
        if below is None:
            yield longer
        else:
            yield from _leaves(below, longer)


def encode(tree: PatternTree) -> bytes:
    """*tree* as JSON."""
    return msgspec.json.encode(tree)


def decode(data: bytes) -> PatternTree:
    """The tree in *data*.

    Raises:
        WireError: something else is in there.
    """
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"not a tree of patterns: {error}") from error
    return _checked(found)


def _checked(found: object) -> PatternTree:
    if not isinstance(found, dict):
        raise WireError(f"not a tree of patterns: {found!r}")
    return {pattern: None if below is None else _checked(below) for pattern, below in found.items()}
