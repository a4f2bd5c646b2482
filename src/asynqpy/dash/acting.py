"""Doing things to tasks from a page: asking first, one by one or many at once, and telling what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from asynqpy.actions import Action, is_allowed
from asynqpy.dash import payloads, show
from asynqpy.dash.dialogs import Confirm, EditPayload, Outcome, Progress, Report
from asynqpy.dash.views.view import View
from asynqpy.errors import AsynqpyError
from asynqpy.task import TaskInfo, TaskState

_AT_ONCE = 50
"""Tasks handled together: they share a round trip."""

_SAMPLE = 5

_DONE: Mapping[Action, str] = {
    Action.RUN: "made pending",
    Action.ARCHIVE: "archived",
    Action.DELETE: "deleted",
    Action.CANCEL: "told to stop",
    Action.AGAIN: "enqueued again",
}

_MEANING: Mapping[Action, tuple[str, str]] = {
    Action.RUN: (
        "It becomes pending and runs after those that are pending already.",
        "They become pending and run after those that are pending already.",
    ),
    Action.ARCHIVE: (
        "It is set aside; an archive keeps the latest 10,000 tasks for 90 days.",
        "They are set aside; an archive keeps the latest 10,000 tasks for 90 days.",
    ),
    Action.DELETE: ("Nothing brings it back.", "Nothing brings them back."),
    Action.CANCEL: (
        "Its worker is told to stop it; it is tried again later.",
        "Their workers are told to stop them; what is stopped is tried again later.",
    ),
    Action.AGAIN: (
        "A copy is enqueued under a new id; the task itself stays.",
        "A copy of each is enqueued under a new id; the tasks themselves stay.",
    ),
}
"""What an action means, for one task and for many."""


class TaskActing(View):
    """A page with tasks that something can be done to."""

    CHANGES: ClassVar[frozenset[str]] = frozenset({"act", "act_on_all", "edit"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "act('run')", "Run"),
        Binding("a", "act('archive')", "Archive"),
        Binding("d", "act('delete')", "Delete"),
        Binding("c", "act('cancel')", "Cancel"),
        Binding("e", "edit", "Edit the payload", show=False),
        Binding("E", "act('again')", "Enqueue a copy", show=False),
        Binding("y", "copy_id", "Copy the id", show=False),
    ]

    def targets(self) -> list[TaskInfo]:
        """The tasks that an action is about."""
        raise NotImplementedError

    def done_with(self, action: Action) -> None:
        """Something was done to the targets."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offered is what can be done to one of the targets."""
        if action == "act" and parameters and not self.dash.read_only:
            wanted = Action(str(parameters[0]))
            return any(is_allowed(wanted, task.state) for task in self.targets())
        return super().check_action(action, parameters)

    def action_act(self, name: str) -> None:
        """Do something to the targets."""
        self._act(Action(name), self.targets())

    @work
    async def _act(self, action: Action, targets: Sequence[TaskInfo]) -> None:
        tasks = [task for task in targets if is_allowed(action, task.state)]
        if not tasks:
            return
        if not await self.app.push_screen_wait(_question(action, tasks, len(targets) - len(tasks))):
            return
        if len(tasks) == 1:
            await self.attempt(lambda: self.one(action, tasks[0]), lambda _: f"{_name(tasks[0])} {_DONE[action]}")
        else:
            await self._work_through(action, tasks)
        self.done_with(action)
        self.read_soon()

    async def one(self, action: Action, task: TaskInfo) -> None:
        """Do something to one task."""
        inspector = self.inspector
        match action:
            case Action.RUN:
                await inspector.run_task(task.queue, task.id)
            case Action.ARCHIVE:
                await inspector.archive_task(task.queue, task.id)
            case Action.DELETE:
                await inspector.delete_task(task.queue, task.id)
            case Action.CANCEL:
                await inspector.cancel_task(task.id)
            case Action.AGAIN:
                await inspector.enqueue_again(task.queue, task.id)
            case Action.EDIT | Action.MOVE:
                raise ValueError(f"{action} needs to know more")

    async def _work_through(self, action: Action, tasks: Sequence[TaskInfo]) -> None:
        async def job(report: Report, outcome: Outcome) -> None:
            for at in range(0, len(tasks), _AT_ONCE):
                piece = tasks[at : at + _AT_ONCE]
                results = await asyncio.gather(*(self.one(action, task) for task in piece), return_exceptions=True)
                for result in results:
                    if isinstance(result, AsynqpyError):
                        outcome.failures.append(str(result))
                    elif isinstance(result, BaseException):
                        raise result
                    else:
                        outcome.done += 1
                report(at + len(piece), len(tasks))

        title = f"{action.value.capitalize()} {show.count(len(tasks))} tasks"
        self.tell(action, await self.app.push_screen_wait(Progress(title, job, len(tasks))))

    def tell(self, action: Action, outcome: Outcome) -> None:
        """Say what became of many tasks."""
        text = f"{show.count(outcome.done)} {_DONE[action]}"
        if outcome.failures:
            text += f", {show.count(len(outcome.failures))} not"
        if outcome.was_stopped:
            text += "; stopped"
        self.notify(text, severity="warning" if outcome.failures or outcome.was_stopped else "information")

    @work
    async def act_on_everything(
        self, action: Action, queue: str, state: TaskState, group: str | None, total: int
    ) -> None:
        """Do something to all tasks of a state, or of a group, after a question."""
        where = f"group {group!r} of queue {queue!r}" if group else f"queue {queue!r}"
        question = f"{action.value.capitalize()} all {show.count(total)} {state} tasks of {where}?"
        is_final = action is Action.DELETE
        details = [_MEANING[action][True]]
        if not await self.app.push_screen_wait(
            Confirm(question, details, action.value.capitalize(), is_final=is_final, typed=queue if is_final else "")
        ):
            return
        job = self._job_on_all(action, queue, state, group)
        self.tell(action, await self.app.push_screen_wait(Progress(question.rstrip("?"), job, total)))
        self.done_with(action)
        self.read_soon()

    def _job_on_all(
        self, action: Action, queue: str, state: TaskState, group: str | None
    ) -> Callable[[Report, Outcome], Awaitable[None]]:
        async def job(report: Report, outcome: Outcome) -> None:
            def on_progress(handled: int, total: int) -> None:
                outcome.done = handled
                report(handled, total)

            inspector = self.inspector
            match action:
                case Action.RUN:
                    outcome.done = await inspector.run_all(queue, state, group=group, on_progress=on_progress)
                case Action.ARCHIVE:
                    outcome.done = await inspector.archive_all(queue, state, group=group, on_progress=on_progress)
                case Action.DELETE:
                    outcome.done = await inspector.delete_all(queue, state, group=group, on_progress=on_progress)
                case _:
                    await self._cancel_all(queue, on_progress)

        return job

    async def _cancel_all(self, queue: str, on_progress: Report) -> None:
        ids = [task.id async for task in self.inspector.iter_tasks(queue, TaskState.ACTIVE)]
        for at in range(0, len(ids), _AT_ONCE):
            piece = ids[at : at + _AT_ONCE]
            await asyncio.gather(*(self.inspector.cancel_task(task_id) for task_id in piece))
            on_progress(at + len(piece), len(ids))

    @work
    async def action_edit(self) -> None:
        """Exchange the payload of a task."""
        task = next(iter(self.targets()), None)
        if task is None:
            return
        if not is_allowed(Action.EDIT, task.state):
            self.notify(f"the payload of a task that is {task.state} stays as it is", severity="warning")
            return
        form = payloads.forms(task.payload)[0]
        if form is payloads.Form.HEX and task.payload:
            self.notify("this payload is no text; change it with a program", severity="warning")
            return
        text = task.payload.decode()
        edited = await self.app.push_screen_wait(
            EditPayload(f"Payload of {_name(task)}", text, lambda text: _trouble(text, form))
        )
        if edited is None or edited == task.payload:
            return
        await self.attempt(
            lambda: self.inspector.update_payload(task.queue, task.id, edited),
            lambda _: f"{_name(task)} has a new payload",
        )

    def action_copy_id(self) -> None:
        """Put the ids of the targets on the clipboard."""
        ids = [task.id for task in self.targets()]
        if ids:
            self.app.copy_to_clipboard("\n".join(ids))
            self.notify(f"copied {ids[0] if len(ids) == 1 else f'{len(ids)} ids'}")


def _question(action: Action, tasks: Sequence[TaskInfo], refused: int) -> Confirm:
    verb = action.value.capitalize()
    what = _name(tasks[0]) if len(tasks) == 1 else f"{show.count(len(tasks))} tasks"
    details = [_MEANING[action][len(tasks) > 1]]
    if len(tasks) > 1:
        details += ["", *(f"{task.queue}  {task.type}  {task.id}" for task in tasks[:_SAMPLE])]
        if len(tasks) > _SAMPLE:
            details.append(f"and {show.count(len(tasks) - _SAMPLE)} more")
    if refused:
        details += ["", f"Marked too, but their state does not allow it: {show.count(refused)}"]
    question = f"Enqueue {what} again?" if action is Action.AGAIN else f"{verb} {what}?"
    return Confirm(question, details, verb, is_final=action is Action.DELETE)


def _name(task: TaskInfo) -> str:
    return f"{task.type or 'unreadable task'} {task.id}"


def _trouble(text: str, form: payloads.Form) -> str:
    """Why *text* cannot take the place of a payload of this *form*; nothing if it can."""
    if form is payloads.Form.JSON and payloads.forms(text.encode())[0] is not payloads.Form.JSON:
        return "not JSON any more: it was, so its handler will expect that"
    return ""
