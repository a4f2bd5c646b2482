"""JSON: what is printed is what the schema says, for every command that prints it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from asynqpy.cli import documents
from scripts.reference import FOLDER
from tests.redis.inspected import Inspected

from .conftest import Ran
from .test_whole import bring_entries, bring_server

Ask = Callable[..., Ran]

PRINTED: list[tuple[str, type[documents.Document]]] = [
    ("queue ls", documents.Queues),
    ("queue inspect low", documents.Queues),
    ("queue history low", documents.Histories),
    ("queue drain low --pause", documents.Queues),
    ("queue pause low", documents.Outcomes),
    ("queue resume low", documents.Outcomes),
    ("queue move low high", documents.Moves),
    ("queue rm empty --yes", documents.Outcomes),
    ("task ls -q low -s retry", documents.TaskPage),
    ("task ls -q low -s aggregating -g g", documents.TaskPage),
    ("task ls -q low -s archived --all", documents.Task),
    ("task inspect archived", documents.Task),
    ("task inspect archived retry", documents.Tasks),
    ("task find -s archived --limit 1 archived", documents.Task),
    ("task run archived", documents.Outcomes),
    ("task archive retry", documents.Outcomes),
    ("task delete retry --yes", documents.Outcomes),
    ("task cancel active", documents.Outcomes),
    ("task runall -q low -s retry", documents.Bulk),
    ("task archiveall -q low -s retry --yes", documents.Bulk),
    ("task deleteall -q low -s retry --dry-run", documents.Bulk),
    ('task edit archived --payload {"n":1}', documents.Task),
    ("task reschedule retry --in 1h", documents.Outcomes),
    ("task again archived", documents.Task),
    ("task again archived completed", documents.Outcomes),
    ("task enqueue t x", documents.Task),
    ("enqueue t x", documents.Task),
    ("task wait completed", documents.Task),
    ("task watch completed", documents.Task),
    ("group ls -q low", documents.Groups),
    ("server ls", documents.Servers),
    ("cron ls", documents.Entries),
    ("cron history e1", documents.EntryHistories),
    ("doctor", documents.Diagnosis),
]


@pytest.mark.parametrize(("words", "document"), PRINTED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_printed_is_what_the_schema_says(
    ask: Ask, low: Inspected, words: str, document: type[documents.Document]
) -> None:
    """One line, every field of the document and no other, each of its type."""
    for state in ("pending", "active", "scheduled", "retry", "archived", "completed", "aggregating"):
        low.bring(state, state, payload=b"{}")
    Inspected(low.redis, "empty")
    bring_server(low.redis, worker=True)
    bring_entries(low.redis)
    if words.startswith("queue resume"):
        low.redis.set(low.keys.paused, 1)
    if words.startswith("queue drain"):
        low.redis.delete(low.keys.active)
    first = ask(*words.split(), "--json").out.splitlines()[0]
    found = msgspec.json.decode(first, type=document, strict=True)
    assert set(json.loads(first)) == set(document.__struct_fields__)
    assert documents.encode(found) == first


def test_every_command_that_prints_json_is_tried() -> None:
    """So that none is forgotten; `stats` prints what asynq prints."""
    from .test_app import leaves

    printing = {words for words, command in leaves() if any("--json" in each.opts for each in command.params)}
    tried = {" ".join(words.split()[:2]) for words, _ in PRINTED} | {words.split()[0] for words, _ in PRINTED}
    aliases = {words for words, command in leaves() if command.hidden}
    assert printing - aliases - tried == {"stats"}


def test_the_schema_is_that_of_the_documents() -> None:
    """Each document is in it by its name."""
    schema: dict[str, Any] = json.loads((FOLDER / "json-schema.json").read_text("utf-8"))
    names = {
        name
        for name, value in vars(documents).items()
        if isinstance(value, type) and issubclass(value, documents.Document)
    }
    assert names - {"Document"} <= set(schema["$defs"])


def test_bytes_are_text_or_base64() -> None:
    """Never both, and nothing for nothing."""
    assert documents.text_and_base64(b"text") == ("text", None)
    assert documents.text_and_base64(b"\xff") == (None, "/w==")
    assert documents.text_and_base64(None) == (None, None)


def test_moments_are_in_utc() -> None:
    """With a Z."""
    moment = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
    assert documents.encode({"at": moment}) == '{"at":"2026-01-31T18:30:00Z"}'
