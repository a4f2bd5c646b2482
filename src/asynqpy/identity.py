"""Fresh identifiers: UUIDv4 text, as asynq uses for tasks, servers and schedulers."""

from __future__ import annotations

import os


def new_id() -> str:
    """A random UUIDv4 in its usual text form.

    Same distribution as ``str(uuid.uuid4())`` at a third of its cost; the bytes come from the operating system, so
    neither a fork nor a seeded ``random`` module repeats them.
    """
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_token() -> str:
    """Twelve random hexadecimal digits: the part of a claim token that names one server."""
    return os.urandom(6).hex()
