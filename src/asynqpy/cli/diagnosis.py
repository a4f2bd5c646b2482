"""What is wrong, or may become so, told from facts that the inspector gave. Pure.

Each check is a function from the facts to findings; each finding says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from asynqpy.cli.view.words import counted, one_line, size, span
from asynqpy.inspection import OrphanReport, QueueInfo, SchedulerEntry, ServerInfo

OLDEST_REDIS, OLDEST_VALKEY = (6, 2), (7, 2)
ARCHIVE_LIMIT = 10_000
"""Tasks that an archive keeps."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    """It may go wrong."""
    PROBLEM = "problem"
    """Tasks are lost, do not run, or will not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    message: str
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked of Redis."""

    now: datetime
    round_trip: timedelta
    clock_skew: timedelta
    """How far this machine is ahead of Redis; what the round trip may account for is left out."""
    tracks: bool
    redis: Mapping[str, str]
    cluster: Mapping[str, str]
    queues: Sequence[QueueInfo]
    servers: Sequence[ServerInfo]
    entries: Sequence[SchedulerEntry]
    orphans: Sequence[OrphanReport] = ()
    unchecked: Sequence[str] = ()
    """Queues that are too large to be looked through without being asked for it."""
    without_consumer: Sequence[tuple[str, str, int]] = field(default_factory=tuple)
    """Queue, type and number of tasks that no server is known to handle."""


def diagnose(facts: Facts) -> list[Finding]:
    """Everything that the checks find, in their order."""
    return [finding for check in _CHECKS for finding in check(facts)]


def _connection(facts: Facts) -> Iterator[Finding]:
    milliseconds = facts.round_trip.total_seconds() * 1000
    if milliseconds > 20:
        yield Finding(
            "connection",
            Level.WARNING,
            f"a round trip to Redis takes {milliseconds:.0f} ms",
            "run servers near Redis: each needs some round trips a second",
        )
    else:
        yield Finding("connection", Level.OK, f"a round trip to Redis takes {milliseconds:.1f} ms")


def _version(facts: Facts) -> Iterator[Finding]:
    is_valkey = "valkey_version" in facts.redis or facts.redis.get("server_name") == "valkey"
    name = "Valkey" if is_valkey else "Redis"
    text = facts.redis.get("valkey_version") or facts.redis.get("redis_version", "")
    numbers = tuple(int(number) for number in re.findall(r"\d+", text)[:2])
    oldest = OLDEST_VALKEY if is_valkey else OLDEST_REDIS
    if numbers and numbers < oldest:
        wanted = ".".join(map(str, oldest))
        yield Finding("version", Level.PROBLEM, f"{name} {text} is too old", f"asynqpy needs {name} {wanted} or later")
    else:
        yield Finding("version", Level.OK, f"{name} {text}")
    if facts.redis.get("role") == "slave":
        yield Finding(
            "version",
            Level.PROBLEM,
            "this is a replica, which takes no tasks",
            f"connect to its master, {facts.redis.get('master_host')}:{facts.redis.get('master_port')}",
        )


def _tracking(facts: Facts) -> Iterator[Finding]:
    if facts.tracks:
        yield Finding("tracking", Level.OK, "Redis tells idle servers what has changed")
    else:
        yield Finding(
            "tracking",
            Level.WARNING,
            "Redis refuses CLIENT TRACKING, so idle servers poll once a second",
            "allow CLIENT to this user, or connect to Redis without a proxy",
        )


def _clock(facts: Facts) -> Iterator[Finding]:
    skew = abs(facts.clock_skew)
    if skew > timedelta(seconds=2):
        direction = "ahead of" if facts.clock_skew > timedelta(0) else "behind"
        level = Level.PROBLEM if skew > timedelta(seconds=15) else Level.WARNING
        yield Finding(
            "clock",
            level,
            f"the clock of this machine is {skew.total_seconds():.1f} s {direction} that of Redis",
            "synchronise clocks (NTP): scheduled tasks start at the wrong time, and Go servers judge leases by theirs",
        )
    else:
        yield Finding("clock", Level.OK, "this machine and Redis agree on the time")


def _memory(facts: Facts) -> Iterator[Finding]:
    limit, used = _number(facts.redis, "maxmemory"), _number(facts.redis, "used_memory")
    policy = facts.redis.get("maxmemory_policy", "noeviction")
    if _number(facts.redis, "evicted_keys"):
        yield Finding(
            "memory",
            Level.PROBLEM,
            f"Redis has thrown away {counted(_number(facts.redis, 'evicted_keys'), 'key')}: tasks may be among them",
            "set maxmemory-policy noeviction, and look for tasks in pieces with asynqpy doctor --repair",
        )
    elif limit and policy != "noeviction":
        yield Finding(
            "memory",
            Level.PROBLEM,
            f"when its {size(limit)} are full Redis throws keys away ({policy}), tasks and locks among them",
            "set maxmemory-policy noeviction: then enqueueing fails, and nothing is lost",
        )
    if limit and used > 0.9 * limit:
        yield Finding(
            "memory",
            Level.WARNING,
            f"Redis uses {size(used)} of {size(limit)}",
            "raise maxmemory, keep completed tasks for a shorter time, or delete archived ones",
        )
    elif policy == "noeviction" or not limit:
        yield Finding("memory", Level.OK, f"Redis uses {size(used)}, and throws nothing away")


def _persistence(facts: Facts) -> Iterator[Finding]:
    info = facts.redis
    failed = [
        what
        for what, name in (("snapshot", "rdb_last_bgsave_status"), ("append-only file", "aof_last_write_status"))
        if info.get(name, "ok") != "ok"
    ]
    if failed:
        yield Finding(
            "persistence",
            Level.PROBLEM,
            f"Redis could not write its {' and '.join(failed)}",
            "look for a full disk in the log of Redis: tasks since then are in memory alone",
        )
    elif info.get("aof_enabled") == "1":
        yield Finding("persistence", Level.OK, "Redis writes every change to its append-only file")
    else:
        unsaved = _number(info, "rdb_changes_since_last_save")
        yield Finding(
            "persistence",
            Level.WARNING,
            f"Redis writes no append-only file: after a crash up to {counted(unsaved, 'change')} would be lost now",
            "set appendonly yes where tasks must survive a crash of Redis",
        )


def _clients(facts: Facts) -> Iterator[Finding]:
    connected, most = _number(facts.redis, "connected_clients"), _number(facts.redis, "maxclients")
    if most and connected > 0.8 * most:
        yield Finding(
            "clients",
            Level.WARNING,
            f"{connected:,} of at most {most:,} clients are connected",
            "raise maxclients, or share a client where programs make many",
        )


def _cluster(facts: Facts) -> Iterator[Finding]:
    if facts.cluster and facts.cluster.get("cluster_state") != "ok":
        yield Finding(
            "cluster",
            Level.PROBLEM,
            f"the cluster is in state {facts.cluster.get('cluster_state')}",
            "bring back the nodes whose slots are not served: CLUSTER NODES tells which",
        )


def _servers(facts: Facts) -> Iterator[Finding]:
    waiting = [info for info in facts.queues if info.pending]
    if not facts.servers:
        level = Level.PROBLEM if waiting else Level.NOTE
        yield Finding("servers", level, "no server is running", "start one: asynqpy worker MODULE:MUX")
        return
    concurrency = sum(server.concurrency for server in facts.servers)
    number = counted(len(facts.servers), "server")
    yield Finding("servers", Level.OK, f"{number}, for up to {counted(concurrency, 'task')} at once")
    served = {queue for server in facts.servers if server.status == "active" for queue in server.queues}
    for info in waiting:
        if info.queue not in served and not info.paused:
            yield Finding(
                "servers",
                Level.PROBLEM,
                f"no server works on queue {one_line(info.queue)!r}: {counted(info.pending, 'task')} wait",
                f"start one with --queue {one_line(info.queue)}",
            )


def _types(facts: Facts) -> Iterator[Finding]:
    served = {queue for server in facts.servers for queue in server.queues}
    for queue, task_type, count in facts.without_consumer:
        if queue not in served:
            continue  # that nobody works on it was told already
        yield Finding(
            "types",
            Level.PROBLEM,
            f"no server handles {one_line(task_type)!r}: {counted(count, 'task')} in queue {one_line(queue)!r}",
            "deploy a server with a handler for it, or delete these tasks",
        )


def _queues(facts: Facts) -> Iterator[Finding]:
    for info in facts.queues:
        name = one_line(info.queue)
        if info.paused:
            yield Finding(
                "queues",
                Level.WARNING if info.pending else Level.NOTE,
                f"queue {name!r} is paused, {counted(info.pending, 'task')} wait",
                f"asynqpy queue resume {name}",
            )
        elif info.latency > timedelta(minutes=1):
            yield Finding(
                "queues",
                Level.WARNING,
                f"the next task of queue {name!r} has waited for {span(info.latency)}",
                "start more servers, raise --concurrency, or give the queue more weight",
            )
        if info.archived > 0.9 * ARCHIVE_LIMIT:
            yield Finding(
                "queues",
                Level.WARNING,
                f"the archive of queue {name!r} holds {info.archived:,} tasks; beyond {ARCHIVE_LIMIT:,} the oldest go",
                f"look at them, then asynqpy task runall or deleteall -q {name} -s archived",
            )
        if info.processed >= 20 and info.failed > 0.5 * info.processed:
            yield Finding(
                "queues",
                Level.WARNING,
                f"{info.failed:,} of {info.processed:,} attempts in queue {name!r} failed today",
                f"asynqpy task ls -q {name} -s retry shows why",
            )


def _biggest(facts: Facts) -> Iterator[Finding]:
    largest = sorted(facts.queues, key=lambda info: (-(info.memory_usage or 0), -info.size))[:5]
    if named := [info for info in largest if info.size]:
        told = ", ".join(
            f"{one_line(info.queue)} {counted(info.size, 'task')}"
            + (f" {size(info.memory_usage)}" if info.memory_usage else "")
            for info in named
        )
        yield Finding("sizes", Level.OK, f"biggest queues: {told}")


def _orphans(facts: Facts) -> Iterator[Finding]:
    for report in facts.orphans:
        if report.is_clean:
            continue
        what = ", ".join(f"{count:,} × {trouble.replace('_', ' ')}" for trouble, count in report.counts.items())
        is_mended = report.repaired == sum(report.counts.values())
        yield Finding(
            "orphans",
            Level.NOTE if is_mended else Level.PROBLEM,
            f"queue {one_line(report.queue)!r}: {what}" + (f"; {report.repaired:,} mended" if report.repaired else ""),
            "" if is_mended else "asynqpy doctor --repair mends it",
        )
    checked = len(facts.orphans)
    if checked and all(report.is_clean for report in facts.orphans):
        yield Finding("orphans", Level.OK, f"no lost tasks, leases or locks in {counted(checked, 'queue')}")
    if facts.unchecked:
        names = ", ".join(one_line(name) for name in facts.unchecked[:5])
        yield Finding(
            "orphans", Level.NOTE, f"not looked through, because they are large: {names}", "asynqpy doctor --deep does"
        )


def _schedules(facts: Facts) -> Iterator[Finding]:
    for entry in facts.entries:
        due = entry.next_enqueue_at
        if due is not None and facts.now - due > timedelta(minutes=1):
            yield Finding(
                "schedules",
                Level.WARNING,
                f"{one_line(entry.spec)} {one_line(entry.task_type)!r} is {span(facts.now - due)} late",
                f"look at the log of scheduler {one_line(entry.scheduler)}",
            )
    if facts.entries:
        yield Finding("schedules", Level.OK, f"{len(facts.entries):,} periodic tasks")


def _number(facts: Mapping[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0


_CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _connection,
    _version,
    _tracking,
    _clock,
    _memory,
    _persistence,
    _clients,
    _cluster,
    _servers,
    _types,
    _queues,
    _biggest,
    _orphans,
    _schedules,
)


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level there is."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)


_WANTS_LOGIN = "it wants a password: put it into the URL, a profile, or ASYNQPY_REDIS_PASSWORD"


def of_unreachable(message: str) -> Finding:
    """What to do when Redis cannot be reached, told from the text of the error."""
    hints = (
        ("refused", "is Redis running, and is that its port?"),
        ("name or service", "is the name of the host right?"),
        ("name resolution", "is the name of the host right?"),
        ("timed out", "is a firewall between, or is Redis busy?"),
        ("timeout", "is a firewall between, or is Redis busy?"),
        ("noauth", _WANTS_LOGIN),
        ("hello must be called", _WANTS_LOGIN),
        ("authentication", _WANTS_LOGIN),
        ("wrongpass", "the user or the password is wrong"),
        ("invalid username", "the user or the password is wrong"),
        ("noperm", "this user may not do that: see the ACL of Redis"),
        ("ssl", "is it a server with TLS, and is its certificate trusted? rediss://…?ca=FILE names one"),
        ("no such file", "is that the path of the socket?"),
    )
    lowered = message.lower()
    advice = next((advice for word, advice in hints if word in lowered), "--redis URL or a profile say where Redis is")
    return Finding("connection", Level.PROBLEM, message, advice)
