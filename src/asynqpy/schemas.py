"""What the payloads of typed handlers look like, as JSON Schemas that servers publish in Redis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, draft 2020-12."""

LARGEST_PUBLICATION = 64 * 1024
"""Bytes that a server publishes at most."""


def describe(model: type[msgspec.Struct]) -> Schema | None:
    """The schema of *model*; None where a type in it cannot be described."""
    definitions: dict[str, Any] = {}

    def of_foreign(foreign: Any) -> dict[str, Any]:
        described: dict[str, Any] = foreign.model_json_schema(ref_template=f"#/$defs/{foreign.__name__}.{{model}}")
        for name, definition in described.pop("$defs", {}).items():
            definitions[f"{foreign.__name__}.{name}"] = definition
        return described

    try:
        found: dict[str, Any] = msgspec.json.schema(model, schema_hook=of_foreign)
    except Exception:  # noqa: BLE001 - whatever a user's type does: its tasks run all the same
        return None
    named = found.get("$defs", {})
    # The model itself stands behind a reference: its definition is the schema, unless others refer to it.
    if found.get("$ref") == f"#/$defs/{model.__name__}" and model.__name__ in named:
        own = named.pop(model.__name__)
        found = {**own}
    named |= definitions
    return {**found, "$defs": named} if named else found


def encode(schemas: Mapping[str, Schema]) -> bytes:
    """*schemas* by pattern as JSON, as many as have room; empty when there are none."""
    parts: list[bytes] = []
    size = 2
    for pattern in sorted(schemas):
        part = msgspec.json.encode(pattern) + b":" + msgspec.json.encode(schemas[pattern])
        if size + len(part) + 1 <= LARGEST_PUBLICATION:
            parts.append(part)
            size += len(part) + 1
    return b"{" + b",".join(parts) + b"}" if parts else b""


def decode(data: bytes | None) -> dict[str, Schema]:
    """The schemas in *data* by pattern; nothing where somebody else wrote it."""
    if not data:
        return {}
    try:
        found = msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        return {}
    return dict(found)
