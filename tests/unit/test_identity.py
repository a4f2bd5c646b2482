"""Fresh identifiers."""

from __future__ import annotations

import random
import re
import uuid

from asynqpy.identity import new_id, new_token


def test_an_id_is_a_version_4_uuid() -> None:
    """Ids are what ``str(uuid.uuid4())`` gives: lower case, version 4, RFC variant."""
    for _ in range(500):
        text = new_id()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_every_variant_digit_occurs() -> None:
    """The four variants of RFC 9562 are all in use, so no randomness is lost."""
    assert {new_id()[19] for _ in range(500)} == set("89ab")


def test_ids_differ() -> None:
    """No id comes twice."""
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_a_seeded_random_module_repeats_nothing() -> None:
    """Ids do not come from ``random``, which programs seed."""
    state = random.getstate()
    try:
        random.seed(1)
        first = new_id(), new_token()
        random.seed(1)
        assert (new_id(), new_token()) != first
    finally:
        random.setstate(state)


def test_a_token_is_twelve_hexadecimal_digits() -> None:
    """A token names one server in a claim: short, and without characters that need care."""
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("[0-9a-f]{12}", token) for token in tokens)
