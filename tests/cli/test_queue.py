"""``asynqpy queue`` and ``asynqpy group``."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from asynqpy import Inspector
from asynqpy.cli import draining, progress
from asynqpy.cli.invocation import Invocation
from asynqpy.cli.screen import Screen
from tests.redis.inspected import Inspected

from .conftest import Ran, table

Ask = Callable[..., Ran]


def test_ls_names_the_queues(ask: Ask, low: Inspected) -> None:
    """One a line, sorted, for scripts."""
    Inspected(low.redis, "high")
    assert ask("queue", "ls") == (0, "high\nlow\n", "")
    assert ask("queue", "list") == (0, "high\nlow\n", "")


def test_ls_without_queues_prints_nothing(ask: Ask, redis: Any) -> None:
    """No line for no queue; a table says so."""
    assert ask("queue", "ls") == (0, "", "")
    assert ask("queue", "ls", "--long").out == "No queues\n"
    assert json.loads(ask("queue", "ls", "--json").out) == {"queues": []}


def test_ls_long_tells_their_numbers(ask: Ask, low: Inspected) -> None:
    """A row for each queue."""
    low.pending("a", "b")
    low.archived("c")
    low.redis.set(low.keys.paused, 1)
    head, _, row = (line.split() for line in ask("queue", "ls", "-l").out.splitlines())
    found = dict(zip(head, row, strict=True))
    assert (found["Queue"], found["State"], found["Size"], found["Pending"], found["Archived"]) == (
        *("low", "PAUSED", "3", "2", "1"),
    )
    assert "Memory" not in found
    assert "Memory" in ask("queue", "ls", "-l", "--memory").out.splitlines()[0]


def test_ls_as_json(ask: Ask, low: Inspected) -> None:
    """Every number by its name."""
    low.pending("a")
    (found,) = json.loads(ask("queue", "ls", "--json").out)["queues"]
    assert (found["name"], found["size"], found["pending"], found["paused"]) == ("low", 1, 1, False)
    assert (found["memory_bytes"], found["cluster_slot"], found["cluster_nodes"]) == (None, None, [])


def test_inspect_shows_everything_about_queues(ask: Ask, low: Inspected) -> None:
    """One block a queue, a line between them; states, latency and memory, and what was done today."""
    low.pending("a")
    low.redis.set(low.keys.processed_on(f"{datetime.now(UTC):%Y-%m-%d}"), 4)
    low.redis.set(low.keys.failed_on(f"{datetime.now(UTC):%Y-%m-%d}"), 1)
    Inspected(low.redis, "high")
    ran = ask("queue", "inspect", "low", "high")
    assert ran.code == 0
    first, second = ran.out.split("=" * 49)
    assert "Name:    low\nSize:    1\n" in first
    assert "Name:    high\nSize:    0\n" in second
    assert "active  pending  aggregating  scheduled  retry  archived  completed" in first
    assert "25.00%" in first
    assert "N/A" in second


def test_inspect_as_json_estimates_memory(ask: Ask, low: Inspected) -> None:
    """In the same shape as a list."""
    low.pending("a")
    (found,) = json.loads(ask("queue", "inspect", "low", "--json").out)["queues"]
    assert found["memory_bytes"] > 100
    assert found["latency_seconds"] > 0


@pytest.mark.parametrize("command", ["inspect", "history", "pause", "resume", "rm", "drain"])
def test_an_unknown_queue_is_not_found(ask: Ask, low: Inspected, command: str) -> None:
    """One line on standard error, exit code 4."""
    ran = ask("queue", command, "none", *(["--yes"] if command == "rm" else []))
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "asynqpy: there is no queue 'none'; `asynqpy queue ls` tells which there are\n"


def test_history_has_a_row_for_each_day(ask: Ask, low: Inspected) -> None:
    """The newest first, also for days without tasks."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    low.redis.mset({low.keys.processed_on(today): 200, low.keys.failed_on(today): 1})
    title, _, text = ask("queue", "history", "low", "--days", "3").out.partition("\n")
    head, first, *rest = table(text)
    assert title == "Queue: low"
    assert head == ["date (UTC)", "processed", "failed", "error rate"]
    assert first == [today, "200", "1", "0.50%"]
    assert [row[1:] for row in rest] == [["0", "0", "N/A"]] * 2
    assert ask("queue", "history", "low", "-x", "0").code == 2


def test_history_as_json(ask: Ask, low: Inspected) -> None:
    """The rate is a fraction, or null."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    low.redis.mset({low.keys.processed_on(today): 4, low.keys.failed_on(today): 1})
    (found,) = json.loads(ask("queue", "history", "low", "-x", "2", "--json").out)["histories"]
    assert found["queue"] == "low"
    assert found["days"][0] == {"date": today, "processed": 4, "failed": 1, "error_rate": 0.25}
    assert found["days"][1]["error_rate"] is None


def test_pause_and_resume(ask: Ask, low: Inspected) -> None:
    """Each tells what it did; a second time it is an error, as in asynq."""
    assert ask("queue", "pause", "low") == (0, "queue 'low' is paused now\n", "")
    assert low.redis.exists(low.keys.paused)
    assert ask("queue", "pause", "low") == (1, "", "asynqpy: queue 'low' is paused already\n")
    assert ask("queue", "unpause", "low") == (0, "queue 'low' goes on\n", "")
    assert not low.redis.exists(low.keys.paused)
    assert ask("queue", "resume", "low") == (1, "", "asynqpy: queue 'low' is not paused\n")


def test_of_several_queues_the_others_are_done(ask: Ask, low: Inspected) -> None:
    """What failed is told when it fails, and once; exit code 5 for a part, that of the failure for all."""
    ran = ask("queue", "pause", "none", "low", "nowhere")
    assert (ran.code, ran.out) == (5, "queue 'low' is paused now\n")
    assert ran.err.splitlines() == [
        "asynqpy: there is no queue 'none'; `asynqpy queue ls` tells which there are",
        "asynqpy: there is no queue 'nowhere'; `asynqpy queue ls` tells which there are",
        "asynqpy: 2 of 3 could not be done",
    ]
    assert ask("queue", "pause", "none", "nowhere").code == 4


def test_acting_as_json(ask: Ask, low: Inspected) -> None:
    """An outcome for each, failures included."""
    ran = ask("queue", "pause", "low", "none", "--json")
    assert ran.code == 5
    done, failed = json.loads(ran.out)["outcomes"]
    assert done == {"action": "pause", "queue": "low", "name": "low", "is_done": True, "error": None}
    assert (failed["is_done"], failed["name"]) == (False, "none")
    assert failed["error"].startswith("there is no queue 'none'")


@pytest.mark.parametrize("name", ["rm", "remove", "delete"])
def test_an_empty_queue_is_removed(ask: Ask, low: Inspected, name: str) -> None:
    """With its counters and completed tasks, under each of the names."""
    low.completed("a", low.now() + 60)
    low.redis.set(low.keys.processed, 5)
    assert ask("queue", name, "low", "-y") == (0, "queue 'low' is removed\n", "")
    assert low.redis.dbsize() == 0


def test_a_queue_with_tasks_is_removed_by_force(ask: Ask, low: Inspected) -> None:
    """Without --force it is refused, and the message tells how; with it the tasks go too."""
    low.pending("a")
    refused = ask("queue", "rm", "low", "--yes")
    assert refused == (1, "", "asynqpy: queue 'low' is not empty: it holds 1 pending; --force deletes its tasks too\n")
    assert ask("queue", "rm", "low", "--force", "--yes").code == 0
    assert low.redis.dbsize() == 0


def test_a_queue_with_running_tasks_stays(ask: Ask, low: Inspected) -> None:
    """Not even force takes a task from its worker."""
    low.active("a")
    ran = ask("queue", "rm", "low", "-f", "-y")
    assert ran.code == 1
    assert "1 active; wait until the active ones have ended" in ran.err


def test_without_a_person_nothing_is_removed_unasked(ask: Ask, low: Inspected) -> None:
    """Standard input is no terminal here: it is refused, with what would be removed and what to say."""
    low.pending("a")
    ran = ask("queue", "rm", "low", "--force")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "asynqpy: Remove queue low with 1 task and all counters? Nobody can be asked here, so say yes with --yes\n"
    )
    assert low.redis.exists(low.keys.pending)


def test_drain_of_an_empty_queue_ends_at_once(ask: Ask, low: Inspected) -> None:
    """There is nothing to wait for."""
    ran = ask("queue", "drain", "low")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("queue 'low' is drained after 0.")


def test_drain_waits_for_what_is_pending_and_active(low: Inspected, redis_url: str) -> None:
    """It ends when both are gone, and not before; scheduled tasks are not waited for."""
    low.pending("a")
    low.active("b")
    low.bring("scheduled", "c")
    low.redis.sadd("asynq:queues", "low")
    ended = threading.Event()

    def drain() -> None:
        with Inspector(redis_url) as inspector:
            screen = Screen(Invocation([], debug=False))
            draining.drain(screen, inspector, ["low"], pause=False, everything=False, timeout=None, interval=0.05)
        ended.set()

    thread = threading.Thread(target=drain)
    thread.start()
    low.redis.delete(low.keys.pending)
    assert not ended.is_set()
    low.redis.delete(low.keys.active)
    thread.join(30)
    assert ended.is_set()


def test_drain_gives_up_in_time(ask: Ask, low: Inspected) -> None:
    """Exit code 124, with what is left; that nobody works on it was said at once."""
    low.pending("a", "b")
    low.active("c")
    ran = ask("queue", "drain", "low", "--timeout", "0")
    assert (ran.code, ran.out) == (124, "")
    assert ran.err.splitlines() == [
        "asynqpy: no live server works on queue 'low': it drains when one is started",
        "asynqpy: not drained within 0 s: low: 2 pending, 1 active",
    ]


def test_drain_all_waits_for_what_is_scheduled(ask: Ask, low: Inspected) -> None:
    """And retried, and aggregating."""
    low.bring("scheduled", "a")
    assert ask("queue", "drain", "low").code == 0
    assert ask("queue", "drain", "low", "--all", "--timeout", "0").code == 124


def test_drain_of_a_paused_queue_is_refused(ask: Ask, low: Inspected) -> None:
    """It would never end."""
    low.pending("a")
    low.redis.set(low.keys.paused, 1)
    ran = ask("queue", "drain", "low")
    assert ran.code == 1
    assert "queue 'low' is paused" in ran.err


def test_drain_with_pause_holds_back_what_waits(ask: Ask, low: Inspected) -> None:
    """For a deployment: nothing runs any more, nothing is lost."""
    low.pending("a", "b")
    ran = ask("queue", "drain", "low", "--pause")
    assert ran == (0, "queue 'low' is paused and nothing in it runs, 2 pending are held back\n", "")
    assert low.redis.exists(low.keys.paused)
    (found,) = json.loads(ask("queue", "drain", "low", "--pause", "--json").out)["queues"]
    assert (found["paused"], found["pending"], found["active"]) == (True, 2, 0)


def test_move_takes_what_waits_to_another_queue(ask: Ask, low: Inspected) -> None:
    """State by state; archived tasks only when they are named."""
    for state in ("pending", "scheduled", "retry", "archived", "aggregating"):
        low.bring(state, state)
    ran = ask("queue", "move", "low", "high")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "1 scheduled task moved from queue 'low' to 'high'",
        "1 retry task moved from queue 'low' to 'high'",
        "1 task of group 'g' moved from queue 'low' to 'high'",
        "1 pending task moved from queue 'low' to 'high'",
    ]
    assert (
        ask("queue", "mv", "low", "high", "-s", "archived").out == "1 archived task moved from queue 'low' to 'high'\n"
    )
    assert ask("queue", "move", "low", "high").out == "nothing to move in queue 'low'\n"
    Inspected(low.redis, "high").check()


def test_move_tells_what_it_would_do(ask: Ask, low: Inspected) -> None:
    """With --dry-run nothing moves."""
    low.pending("a", "b")
    low.bring("aggregating", "c")
    assert ask("queue", "move", "low", "high", "--dry-run").out.splitlines() == [
        "would move 1 task of group 'g' from queue 'low' to 'high'",
        "would move 2 pending tasks from queue 'low' to 'high'",
    ]
    assert low.redis.llen(low.keys.pending) == 2


def test_move_tells_what_stayed(ask: Ask, low: Inspected) -> None:
    """Exit code 5 where some moved, with the reason of each that did not; as JSON too."""
    low.pending("a", "b")
    high = Inspected(low.redis, "high")
    high.bring("completed", "a")
    ran = ask("queue", "move", "low", "high")
    assert (ran.code, ran.out) == (5, "1 pending task moved from queue 'low' to 'high'\n")
    assert "asynqpy: a: task ID conflicts with another task: 'a' in queue 'high'" in ran.err
    again = ask("queue", "move", "low", "high", "--json")
    assert again.code == 1
    (found,) = json.loads(again.out)["moves"]
    assert (found["count"], found["stayed"], found["tasks_stayed"][0]["task_id"]) == (0, 1, "a")


def test_move_refuses_what_cannot_be(ask: Ask, low: Inspected) -> None:
    """The same queue, a state that does not move, no such state, no such queue."""
    low.pending("a")
    assert ask("queue", "move", "low", "low").code == 2
    assert "completed tasks cannot be moved" in ask("queue", "move", "low", "high", "-s", "completed").err
    assert "'nope' is not a state" in ask("queue", "move", "low", "high", "-s", "nope").err
    assert ask("queue", "move", "none", "high").code == 4


def test_group_ls(ask: Ask, low: Inspected) -> None:
    """Names, one a line; with --long how many tasks are in each; a word when there are none."""
    assert ask("group", "ls", "-q", "low").out == "No groups found in queue 'low'\n"
    low.grouped("a", "g1")
    low.grouped("b", "g2")
    low.grouped("c", "g2")
    assert ask("group", "list", "--queue", "low").out == "g1\ng2\n"
    assert table(ask("group", "ls", "-q", "low", "-l").out) == [["Group", "Size"], ["g1", "1"], ["g2", "2"]]
    found = json.loads(ask("group", "ls", "-q", "low", "--json").out)
    assert found == {"queue": "low", "groups": [{"name": "g1", "size": 1}, {"name": "g2", "size": 2}]}


def test_group_ls_of_no_queue(ask: Ask, low: Inspected) -> None:
    """The queue is needed, and must be there."""
    assert ask("group", "ls").code == 2
    assert ask("group", "ls", "-q", "none").code == 4


def test_an_interruption_waits_for_the_batch(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the work between two batches, and tells what was done so far; a second one at once."""
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with progress.progress("moving", "moved") as on_progress:
            on_progress(100, 1000)
            signal.raise_signal(signal.SIGINT)
            on_progress(200, 1000)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert capfd.readouterr().err == "asynqpy: 200 of 1,000 moved so far\n"
    assert signal.getsignal(signal.SIGINT) is before
