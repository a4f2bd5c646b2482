"""Something that somebody else does in the middle of a flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def between(flow: Any, script: str, act: Callable[[], object], *, before: bool = False) -> Any:
    """*flow*, with something that happens once, before or after a script is called."""
    request, done = next(flow), False
    try:
        while True:
            is_it = not done and getattr(request, "script", None) is not None and request.script.name == script
            if is_it and before:
                act()
            reply = yield request
            if is_it and not before:
                act()
            done = done or is_it
            request = flow.send(reply)
    except StopIteration as finished:
        return finished.value
