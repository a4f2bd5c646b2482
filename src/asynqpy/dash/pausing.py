"""Pausing queues and resuming them, after a question."""

from __future__ import annotations

from asynqpy.dash.dialogs import Confirm
from asynqpy.dash.views.view import View


async def ask_and_pause(view: View, queues: list[str], *, resume: bool) -> None:
    """Pause *queues* or resume them, after a question."""
    verb, inspector = "Resume" if resume else "Pause", view.inspector
    names = repr(queues[0]) if len(queues) == 1 else f"{len(queues)} queues"
    details = [
        "Their tasks run again." if resume else "What runs goes on; what waits is held back until they are resumed."
    ]
    if len(queues) > 1:
        details += ["", *queues[:8]]
    noun = "queue " if len(queues) == 1 else ""
    if not await view.app.push_screen_wait(Confirm(f"{verb} {noun}{names}?", details, verb)):
        return

    async def change() -> None:
        for queue in queues:
            await (inspector.unpause_queue(queue) if resume else inspector.pause_queue(queue))

    await view.attempt(change, lambda _: f"{noun}{names} {'resumed' if resume else 'paused'}")
