"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

RedisURL: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--redis",
        "-r",
        envvar="ASYNQPY_REDIS_URL",
        metavar="URL",
        help="Where Redis is: redis://, rediss://, redis-sentinel://, redis-cluster://, unix:// or embedded://;"
        " redis://localhost:6379 unless given.",
    ),
]

JSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
