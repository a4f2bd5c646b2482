"""What matters of what Redis tells about itself, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from asynqpy.dash import show
from asynqpy.dash.palette import Piece

Fact = tuple[str, list[Piece]]
"""A name, and what is told of it."""

_NEAR_FULL = 0.85
_FRAGMENTED = 1.5
_LEAST_FRAGMENTED_BYTES = 100_000_000
"""Below this, fragmentation is what an empty server looks like."""


def number(info: Mapping[str, str], name: str) -> float:
    """A number out of the answer of ``INFO``; 0 where it is none."""
    try:
        return float(info.get(name, 0))
    except ValueError:
        return 0.0


def warnings(info: Mapping[str, str], cluster: Mapping[str, str]) -> list[str]:
    """What endangers tasks, each with its remedy."""
    found = []
    policy, limit, used = info.get("maxmemory_policy", ""), number(info, "maxmemory"), number(info, "used_memory")
    if policy and policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}: when memory is full Redis drops tasks; set it to noeviction")
    if limit and used / limit > _NEAR_FULL:
        found.append(
            f"{used / limit:.0%} of maxmemory is used: soon nothing more can be enqueued; delete tasks or raise it"
        )
    if info.get("aof_enabled") == "0" and info.get("rdb_last_save_time") and not _saves(info):
        found.append("nothing was ever saved and there is no append-only file: a restart loses every task")
    if info.get("rdb_last_bgsave_status") == "err" or info.get("aof_last_write_status") == "err":
        found.append("the last attempt to save failed: look at the log of Redis, and at its disk")
    if number(info, "mem_fragmentation_ratio") > _FRAGMENTED and used > _LEAST_FRAGMENTED_BYTES:
        found.append("memory is fragmented: consider activedefrag yes")
    if number(info, "rejected_connections"):
        found.append(f"{info['rejected_connections']} connections were refused: raise maxclients")
    if cluster and cluster.get("cluster_state") != "ok":
        found.append(f"the cluster is {cluster.get('cluster_state', 'in trouble')}: some slots are not served")
    return found


def _saves(info: Mapping[str, str]) -> bool:
    return number(info, "rdb_saves") > 0 or number(info, "rdb_last_bgsave_time_sec") >= 0


def cards(info: Mapping[str, str], cluster: Mapping[str, str]) -> list[tuple[str, Sequence[Fact]]]:
    """The facts in groups."""
    found: list[tuple[str, Sequence[Fact]]] = [
        ("Server", _server(info)),
        ("Memory", _memory(info)),
        ("Clients and commands", _traffic(info)),
        ("Saving", _saving(info)),
        ("Replication", _replication(info)),
    ]
    if cluster:
        names = ("cluster_state", "cluster_known_nodes", "cluster_size", "cluster_slots_ok", "cluster_slots_fail")
        found.append(
            ("Cluster", [_plain(name.removeprefix("cluster_"), cluster.get(name, show.NONE)) for name in names])
        )
    return found


def _plain(name: str, text: str, style: str = "") -> Fact:
    return (name.replace("_", " "), [(text, style)])


def _server(info: Mapping[str, str]) -> list[Fact]:
    name = "Valkey" if info.get("server_name") == "valkey" or "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", show.NONE)
    return [
        _plain("version", f"{name} {version}", "!"),
        _plain("mode", info.get("redis_mode") or info.get("server_mode") or show.NONE),
        _plain("up for", show.span(timedelta(seconds=number(info, "uptime_in_seconds")))),
        _plain("system", info.get("os", show.NONE)),
        _plain("port", info.get("tcp_port", show.NONE)),
    ]


def _memory(info: Mapping[str, str]) -> list[Fact]:
    limit = int(number(info, "maxmemory"))
    policy = info.get("maxmemory_policy", show.NONE)
    return [
        _plain("used", show.size(int(number(info, "used_memory"))), "!"),
        _plain("peak", show.size(int(number(info, "used_memory_peak")))),
        _plain("limit", show.size(limit) if limit else "none"),
        _plain("fragmentation", info.get("mem_fragmentation_ratio", show.NONE)),
        _plain("when full", policy, "good" if policy == "noeviction" else "bad!"),
    ]


def _traffic(info: Mapping[str, str]) -> list[Fact]:
    hits, misses = number(info, "keyspace_hits"), number(info, "keyspace_misses")
    return [
        _plain("commands", f"{show.rate(number(info, 'instantaneous_ops_per_sec'))}/s", "!"),
        _plain("clients", show.count(int(number(info, "connected_clients")))),
        _plain("blocked", show.count(int(number(info, "blocked_clients")))),
        _plain("network", f"{_kilobytes(info, 'input')}/s in, {_kilobytes(info, 'output')}/s out"),
        _plain("hits", show.share(int(hits), int(hits + misses))),
        _plain(
            "evicted", show.count(int(number(info, "evicted_keys"))), "bad!" if number(info, "evicted_keys") else ""
        ),
    ]


def _kilobytes(info: Mapping[str, str], way: str) -> str:
    return show.size(int(number(info, f"instantaneous_{way}_kbps") * 1000))


def _saving(info: Mapping[str, str]) -> list[Fact]:
    has_log = info.get("aof_enabled") == "1"
    status = info.get("rdb_last_bgsave_status", show.NONE)
    return [
        _plain("append-only file", "on" if has_log else "off", "good" if has_log else "warn"),
        _plain("snapshot", status, "good" if status == "ok" else "bad"),
        _plain("changes since", show.count(int(number(info, "rdb_changes_since_last_save")))),
        _plain("loading", "yes" if info.get("loading") == "1" else "no"),
    ]


def _replication(info: Mapping[str, str]) -> list[Fact]:
    return [
        _plain("role", info.get("role", show.NONE), "!"),
        _plain("replicas", show.count(int(number(info, "connected_slaves")))),
        *([_plain("primary", f"{info['master_host']}:{info.get('master_port', '')}")] if "master_host" in info else []),
        *([_plain("link", info["master_link_status"])] if "master_link_status" in info else []),
    ]
