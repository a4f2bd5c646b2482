"""What servers tell of the payloads of typed handlers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from jsonschema import Draft202012Validator

from asynqpy import ServeMux, Task, schemas
from asynqpy.inspection import HandledPatterns, PayloadSchema
from asynqpy.patterns import deciding, listed
from asynqpy.schemas import LARGEST_PUBLICATION
from asynqpy.web.problems import Problem
from asynqpy.web.validation import MOST_ERRORS, check, misfits_of, schemas_for


class Leaf(pydantic.BaseModel):
    """Inside of another model."""

    colour: str


class Tree(pydantic.BaseModel):
    """Contains itself."""

    leaves: list[Leaf] = []
    below: Tree | None = None


class Node(msgspec.Struct):
    """Contains itself."""

    n: int
    next: Node | None = None


@dataclass
class Point:
    """Of dataclasses."""

    x: float


class Names(TypedDict):
    """Of dictionaries."""

    first: str


mux = ServeMux()


@mux.task("all")
def everything(
    user: int, tree: Tree, node: Node, point: Point, names: Names, whatever: Any = None, *, loud: bool = False
) -> None:
    """Whatever can be described."""


GOOD: dict[str, Any] = {
    "user": 1,
    "tree": {"leaves": [{"colour": "red"}], "below": {"below": None}},
    "node": {"n": 1, "next": {"n": 2}},
    "point": {"x": 1.5},
    "names": {"first": "a"},
    "unknown": "is ignored",
}


def test_every_kind_of_type_is_described() -> None:
    """A valid schema, which takes what the handler takes."""
    schema = everything.payload_schema
    assert schema is not None
    Draft202012Validator.check_schema(schema)
    assert misfits_of(GOOD, schema) == []
    everything.handle(Task("all", GOOD))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"user": "1"}, "$.user"),
        ({"tree": {"leaves": [{"colour": 1}]}}, "$.tree.leaves[0].colour"),
        ({"tree": {"below": {"leaves": 1}}}, "$.tree.below"),
        ({"node": {"n": "1"}}, "$.node.n"),
        ({"point": {}}, "$.point"),
        ({"names": {}}, "$.names"),
        ({"loud": "yes"}, "$.loud"),
    ],
)
def test_what_does_not_fit_is_told_by_its_path(change: dict[str, Any], path: str) -> None:
    """Where the handler would fail."""
    schema = everything.payload_schema
    assert schema is not None
    assert [each.path for each in misfits_of(GOOD | change, schema)] == [path]


def test_what_cannot_be_described_is_not() -> None:
    """A model that refuses; its tasks run all the same."""

    class Refusing(pydantic.BaseModel):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            raise RuntimeError

    def handler(model: Any) -> None: ...

    handler.__annotations__["model"] = Refusing
    other = ServeMux()
    assert other.task("x")(handler).payload_schema is None
    assert other.schemas() == {}


def test_a_mux_tells_the_schemas_of_its_typed_handlers() -> None:
    """By the pattern that decides, those of nested muxes too; others have none."""
    inner, outer = ServeMux(), ServeMux()
    inner.task("email:welcome")(lambda_of("welcome"))
    inner.task("sms:")(lambda_of("never"))
    outer.handle("email:", inner)
    outer.task("image")(lambda_of("image"))
    outer.handle("raw", lambda task: None)
    assert sorted(outer.schemas()) == ["email:welcome", "image"]
    assert set(outer.schemas()) <= set(listed(outer.handled()))


def lambda_of(name: str) -> Any:
    def handler(number: int) -> None: ...

    handler.__name__ = name
    return handler


@pytest.mark.parametrize(
    ("task_type", "pattern"),
    [("email:welcome:now", "email:welcome"), ("email:other", None), ("image:x", "image"), ("sms:x", None)],
)
def test_the_pattern_that_decides(task_type: str, pattern: str | None) -> None:
    """The same that is listed."""
    tree = {"email:": {"email:welcome": None, "e": {"zzz": None}}, "image": None}
    assert deciding(tree, task_type) == pattern
    assert pattern is None or pattern in listed(tree)


def test_a_publication_is_bounded() -> None:
    """What has no room is left out, and what comes after it may have some."""
    found = schemas.encode({"a": {"title": "x" * LARGEST_PUBLICATION}, "b": {"type": "object"}})
    assert schemas.decode(found) == {"b": {"type": "object"}}
    many = schemas.encode({f"{n}": {"title": "x" * 1000} for n in range(100)})
    assert LARGEST_PUBLICATION - 1100 < len(many) <= LARGEST_PUBLICATION
    assert schemas.encode({}) == b""


@pytest.mark.parametrize("data", [None, b"", b"nonsense", b'{"a":1}', b"[]"])
def test_what_others_published_is_nothing(data: bytes | None) -> None:
    """A later version's, perhaps."""
    assert schemas.decode(data) == {}


def server(server_id: str, *patterns: str, queue: str = "low", publishes: bool = True) -> HandledPatterns:
    tree = dict.fromkeys(patterns) if publishes else None
    return HandledPatterns(
        server_id=server_id, host="h", pid=1, queues=(queue,), patterns=listed(tree) if tree else None, tree=tree
    )


INTEGER = {"type": "object", "properties": {"n": {"type": "integer"}}}
STRING = {"type": "object", "properties": {"n": {"type": "string"}}}
KNOWN = [
    PayloadSchema(pattern="t", schema=INTEGER, server_ids=("a", "c")),
    PayloadSchema(pattern="t", schema=STRING, server_ids=("b",)),
]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([], []),
        ([server("a", "t")], [INTEGER]),
        ([server("a", "t"), server("b", "t"), server("c", "t")], [INTEGER, STRING]),
        ([server("a", "t"), server("b", "t", queue="high")], [INTEGER]),
        ([server("b", "t", queue="high")], [STRING]),
        ([server("a", "t"), server("raw", "t")], []),
        ([server("a", "t"), server("go", publishes=False), server("d", "other")], [INTEGER]),
    ],
)
def test_which_schemas_count(servers: list[HandledPatterns], expected: list[Any]) -> None:
    """Those of the servers of the queue; none where one of them takes anything."""
    assert schemas_for("t:x", "low", servers, KNOWN) == expected


def test_one_schema_that_fits_is_enough() -> None:
    """While a new version is rolled out. Otherwise the problem lists what is wrong."""
    check({"n": "x"}, [INTEGER, STRING])
    check({"n": 1.5}, [])
    check(None, [INTEGER])
    with pytest.raises(Problem) as caught:
        check({"n": 1.5}, [STRING, INTEGER])
    assert (caught.value.status, caught.value.code) == (422, "payload_invalid")
    assert caught.value.facts["errors"] == [{"path": "$.n", "message": "1.5 is not of type 'integer'"}]
    with pytest.raises(Problem, match="does not fit its handler, at"):
        check(b"\xff", [STRING])


def test_errors_are_bounded() -> None:
    """However long the payload is."""
    schema = {"type": "array", "items": {"type": "string"}}
    found = misfits_of([1] * 100, schema)
    assert len(found) == MOST_ERRORS
    assert len(misfits_of("[" + "1" * 4000 + ".5]", schema)[0].message) <= 500


@pytest.mark.parametrize("schema", [{"type": 7}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/schema.json"}])
def test_a_schema_that_cannot_be_used_refuses_nothing(schema: dict[str, Any]) -> None:
    """Nor is anything fetched."""
    assert misfits_of({}, schema) == []
