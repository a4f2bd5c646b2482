"""What a server handles, as it is published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynqpy import ServeMux, Task, WireError
from asynqpy.patterns import EVERYTHING, PatternTree, decode, encode, fits, listed

NESTED: PatternTree = {"email:": {"email:welcome": None, "email:news:": {"email:news:daily": None}}, "image": None}


async def handler(task: Task) -> None:
    """Succeed."""


@pytest.mark.parametrize(
    ("task_type", "found"),
    [
        ("image", True),
        ("images", True),
        ("imag", False),
        ("email:welcome", True),
        ("email:welcome:again", True),
        ("email:other", False),
        ("email:news:daily", True),
        ("email:news:weekly", False),
        ("", False),
    ],
)
def test_a_type_fits_as_in_a_mux(task_type: str, found: bool) -> None:
    """The longest pattern that the type begins with decides, at each level."""
    assert fits(NESTED, task_type) is found


def test_everything_fits_the_empty_pattern() -> None:
    """A single function, or a not-found handler, takes what no other pattern takes."""
    assert fits(EVERYTHING, "whatever")
    assert fits({"email:": {"email:welcome": None}, "": None}, "other")
    assert not fits({"email:": {"email:welcome": None}, "": None}, "email:other")


def test_people_read_them_in_one_row() -> None:
    """The pattern that decides in the end, each once, sorted."""
    assert listed(NESTED) == ("email:news:daily", "email:welcome", "image")
    assert listed({"b": None, "a:long": {"a": None, "a:long:er": None, "x": None}, "": None}) == (
        "",
        "a:long",
        "a:long:er",
        "b",
    )


def test_what_is_published_is_read_again() -> None:
    """JSON, whatever stands in a pattern."""
    tree: PatternTree = {'quote " ü \n': {"": None}, **NESTED}
    assert decode(encode(tree)) == tree


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"b": []}}', b"\xff", b'{"a":' * 5000])
def test_something_else_is_refused(data: bytes) -> None:
    """A later version may publish more than is understood here."""
    with pytest.raises(WireError):
        decode(data)


names = st.text("ab:", min_size=1, max_size=5)
trees = st.recursive(st.none(), lambda below: st.dictionaries(names, below, max_size=4), max_leaves=12)


@given(st.dictionaries(names, trees, max_size=4), st.text("ab:", max_size=8))
def test_the_tree_of_a_mux_says_what_the_mux_does(tree: dict[str, PatternTree | None], task_type: str) -> None:
    """A type fits just when the mux has a route for it, and what it publishes is how it was made."""
    mux = mux_of(tree)
    assert mux.handled() == tree
    assert fits(tree, task_type) is not mux.route(task_type).is_unknown


def mux_of(tree: PatternTree) -> ServeMux:
    """A mux with these patterns."""
    mux = ServeMux()
    for pattern, below in tree.items():
        mux.handle(pattern, handler if below is None else mux_of(below))
    return mux


def test_a_not_found_handler_handles_everything() -> None:
    """The user chose what becomes of other types, so none is unknown."""
    mux, inner = ServeMux(), ServeMux()
    mux.handle("email:", inner)
    assert mux.route("other").is_unknown
    mux.not_found(handler)
    assert mux.handled() == {"email:": {}, "": None}
    assert not mux.route("other").is_unknown
    assert mux.route("email:other").is_unknown
    inner.not_found(handler)
    assert not mux.route("email:other").is_unknown


def test_middlewares_do_not_hide_that_a_type_is_unknown() -> None:
    """They are around the not-found route too."""
    mux = ServeMux()

    @mux.middleware
    async def through(task: Task, next: object) -> None:
        """Do nothing."""

    assert mux.route("other").is_unknown
