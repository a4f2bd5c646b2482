"""Whether a payload fits what its handler expects, by the schemas that servers publish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from asynqpy import payload as payloads
from asynqpy.inspection import HandledPatterns, PayloadSchema
from asynqpy.schemas import Schema
from asynqpy.web.problems import Problem

MOST_ERRORS = 20
"""Errors told at most."""

LONGEST_MESSAGE = 500


class Misfit(NamedTuple):
    """One thing that is wrong with a payload."""

    path: str
    """Where, as a JSON path: ``$.user_id``."""
    message: str


def schemas_for(
    task_type: str, queue: str, servers: Iterable[HandledPatterns], known: Sequence[PayloadSchema]
) -> list[Schema]:
    """The schemas of which a payload should fit one; none where nothing is known, or some server takes anything.

    The servers of *queue* decide; where it has none, all that there are.
    """
    handling = [(server, pattern) for server in servers if (pattern := server.pattern_of(task_type)) is not None]
    handling = [each for each in handling if queue in each[0].queues] or handling
    found: list[Schema] = []
    for server, pattern in handling:
        schema = next((s.schema for s in known if s.pattern == pattern and server.server_id in s.server_ids), None)
        if schema is None:
            return []
        if schema not in found:
            found.append(schema)
    return found


def check(payload: object, schemas: Sequence[Schema]) -> None:
    """Look whether *payload*, as `asynqpy.Task` takes it, fits one of *schemas*; anything fits where there are none.

    Raises:
        Problem: it fits none; it tells what the last one, that of the newest server, has against it.
    """
    misfits: list[Misfit] = []
    for schema in schemas:
        misfits = misfits_of(payload, schema)
        if not misfits:
            return
    if misfits:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "payload_invalid",
            f"the payload does not fit its handler, at {misfits[0].path}",  # its values stay out of logs
            errors=[each._asdict() for each in misfits],
        )


def misfits_of(payload: object, schema: Schema) -> list[Misfit]:
    """What is wrong with *payload*; nothing where the schema itself cannot be used."""
    data = b"" if payload is None else payloads.encode(payload)
    try:
        document = msgspec.json.decode(data or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        return [Misfit("$", f"not a JSON document: {error}")]
    try:
        Draft202012Validator.check_schema(schema)
        # With a registry of its own it never fetches what a schema refers to.
        validator: Any = Draft202012Validator(schema, registry=Registry())
        errors = list(islice(validator.iter_errors(document), MOST_ERRORS))
    except (SchemaError, Unresolvable, RecursionError):
        return []
    return [Misfit(error.json_path, error.message[:LONGEST_MESSAGE]) for error in errors]
