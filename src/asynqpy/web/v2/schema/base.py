"""What all objects of the API have in common. Pydantic ends in these modules: below are plain values."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from asynqpy.web.contents import ContentKind

T = TypeVar("T")

MOST_SELECTED = 1000
LONGEST_NAME = 512
MOST_CONDITIONS = 20


class Model(BaseModel):
    """What all have in common: built from values of the library, and nothing else gets in."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
"""What a header or a field must be: `name` or `name=value`."""


class Page(Model, Generic[T]):
    """Some of a list, and where to go on."""

    items: list[T]
    total: int | None = Field(description="How many there are altogether; null where nobody has counted.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get what follows; null at the end.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str = Field(description="What it is, for programs.")
    detail: str
    errors: list[dict[str, str]] | None = Field(
        default=None, description="What is wrong with a payload: `path` and `message` of each."
    )


class Content(Model):
    """Bytes made readable."""

    kind: ContentKind
    text: str = Field(description="What to show; Base64 where the kind is binary.")
    size: int = Field(description="Bytes as they are stored.")
    encodings: list[str] = Field(description="What was undone, from the outside in: gzip, msgpack …")
    is_cut: bool


class Coverage(Model):
    """How much a search has looked at."""

    scanned: int
    matched: int
    total: int = Field(description="Tasks in the places that were to be looked at; 0 when ids are looked up.")
    is_complete: bool
