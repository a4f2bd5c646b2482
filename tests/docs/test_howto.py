"""What the pages show does what they say of it, once a worker runs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from asynqpy import Next, ServeMux, Task
from tests.redis.server.stage import Stage

from .page import Page


def test_the_first_page_greets(open_page: Callable[[str], Page], capsys: pytest.CaptureFixture[str]) -> None:
    """The program prints what stands below it."""
    open_page("docs/index.md").run()
    assert capsys.readouterr().out == "hello, world\n"


def test_the_handlers_of_the_page_handle(open_page: Callable[[str], Page], stage: Stage) -> None:
    """Patterns, typed arguments, threads, processes and nested muxes: each task ends as the page says."""
    page = open_page("docs/howto/handle.md")
    page.run()
    mux: ServeMux = page.names["mux"]

    async def run_all() -> None:
        async with stage.serving(mux, queues={"default": 1, "critical": 1}):
            kept = {"retention": 600}
            expected = [
                (stage.enqueue("image:resize", {"src": "a.png"}, **kept), "completed", None),
                (stage.enqueue("image:resize", **kept), "archived", "nothing to resize"),
                (stage.enqueue("image:crop", **kept), "completed", None),
                (stage.enqueue("music:play", **kept), "archived", "nobody knows music:play"),
                (stage.enqueue("report:build", **kept), "completed", b"the report"),
                (stage.enqueue("video:encode", b"12345", **kept), "completed", b"5 bytes encoded"),
                (stage.enqueue("import:feed", **kept), "completed", None),
                (stage.enqueue("index:rebuild", **kept), "completed", None),
                (
                    stage.client.enqueue(page.names["task"], retention=600),
                    "completed",
                    b'{"order":7,"parcel":"Springfield-7","express":true}',
                ),
            ]
            for info, state, outcome in expected:
                stored = await stage.until_state(info, state)
                assert outcome == (stored.result if state == "completed" else stored.message.error_msg)

    page.runner.run(run_all())


def test_the_instructions_of_the_page_are_followed(open_page: Callable[[str], Page], stage: Stage) -> None:
    """Skipped, revoked, snoozed: each with the state and the text of the page, and no retry spent."""
    page = open_page("docs/howto/retry.md")
    page.run()

    async def run_all() -> None:
        async with stage.serving(page.names["mux"]):
            skipped = await stage.until_state(stage.enqueue("report:build", {}), "archived")
            snoozed = await stage.until_state(stage.enqueue("report:build", {"year": 2026}), "scheduled")
            await stage.until_gone(stage.enqueue("report:build", {"year": 2026, "cancelled": True}, retention=600))
        assert skipped.message.error_msg == "there is no year in the request"
        assert snoozed.message.error_msg == "the year is not complete yet"
        assert skipped.message.retried == snoozed.message.retried == 0
        assert stage.counters() == (2, 1)

    page.runner.run(run_all())


def test_the_group_of_the_page_becomes_a_letter(open_page: Callable[[str], Page], stage: Stage) -> None:
    """Three notifications are one letter with three news, to whom the group belongs."""
    page = open_page("docs/howto/aggregate.md")
    page.run()
    results: list[object] = []

    async def run_all() -> None:
        mux, aggregators = page.names["mux"], importlib.import_module("digest").aggregators

        async def noted(task: Task, next: Next) -> object:
            results.append(await next(task))
            return results[-1]

        mux.use(noted)
        async with stage.serving(mux, aggregator=aggregators, group_max_size=3):
            await stage.until_processed(1)

    page.runner.run(run_all())
    assert results == ["user-7: 3 news"]
    assert page.names["server"].config.group_max_size == 100


def test_the_waits_of_the_page_return(open_page: Callable[[str], Page], capsys: pytest.CaptureFixture[str]) -> None:
    """Results, an error, a sum, and progress up to the end: what the comments on the page say."""
    open_page("docs/howto/wait.md").run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["b'3'", 'handler not found for task "unknown"', "39800"]
    assert lines[-2:] == ["100% part 4 of 4", "b'encoded'"]


def test_the_limits_of_the_page_hold(
    open_page: Callable[[str], Page], stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of its handlers runs what its limit allows."""
    page = open_page("docs/howto/limit.md")
    page.run()

    async def run_all() -> None:
        async with stage.serving(page.names["mux"]):
            for n in range(3):
                stage.enqueue("sms:send", n)
                stage.enqueue("import:feed", {"shop": f"shop {n}", "url": "…"})
            for _ in range(20):
                stage.enqueue("search:index")
            downloads = [stage.enqueue("video:download"), stage.enqueue("audio:download")]
            await stage.until_processed(1 + 3 + 20 + 2)
            await stage.until_gone(*downloads)
            assert len(stage.ids("scheduled")) == 2
        await page.names["downloads"].close()

    page.runner.run(run_all())
    assert sorted(capsys.readouterr().out.splitlines()) == ["downloading", "downloading, too"]


def test_the_policy_of_the_page_waits_as_it_is_asked(open_page: Callable[[str], Page]) -> None:
    """A function is a policy; the error may know better than the curve."""
    page = open_page("docs/howto/retry.md")
    page.run()
    patient, busy = page.names["patient"], page.names["TooManyRequests"]
    assert (patient(3, busy(17.0), None), patient(3, ValueError(), None)) == (17, 8)
    assert patient(30, ValueError(), None) == 3600
    assert page.names["server"].config.error_handler is page.names["report"]
    charge = page.names["mux"].route("payment:charge")
    assert timedelta(seconds=1) <= charge.retry_delay(0, ValueError(), None) <= timedelta(seconds=2)
