"""Real clusters and real sentinels for the tests, made of the servers of `tests.servers`: loopback, small timeouts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import redis
from redis.cluster import ClusterNode
from redis.crc import key_slot
from redis.exceptions import RedisError

from asynqpy._wire import keys
from tests.servers import HOST, Certificates, Kind, RedisServer, free_port, wait_until

SLOTS = 16_384
NODE_TIMEOUT_MILLISECONDS = 1500
DOWN_AFTER_MILLISECONDS = 2000
FAILOVER_TIMEOUT_MILLISECONDS = 2000
MASTER = "tasks"
MANUAL_FAILOVER_SECONDS = 8.0
"""After so long an order to fail over has surely come to nothing, and is given again."""

PATIENCE_SECONDS = 60.0

_FAST_REPLICATION = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


class Cluster:
    """Three masters with a replica each. Who is a master may change; ask `master_of` and `replica_of`."""

    def __init__(
        self,
        kind: Kind = "valkey",
        *,
        options: Mapping[str, str | Sequence[str]] | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
        masters: int = 3,
        replicas: bool = True,
    ) -> None:
        count = masters * (2 if replicas else 1)
        self.password = password
        self.certificates = certificates
        self._masters_at_start = masters
        secret: dict[str, str] = {"masterauth": password} if password else {}
        if certificates:
            secret |= {"tls-cluster": "yes", "tls-replication": "yes"}
        self.servers = [
            RedisServer(
                kind,
                password=password,
                certificates=certificates,
                options={
                    "cluster-enabled": "yes",
                    "cluster-port": str(free_port()),
                    "cluster-node-timeout": str(NODE_TIMEOUT_MILLISECONDS),
                    "cluster-replica-validity-factor": "0",
                    "cluster-allow-replica-migration": "no",
                    **_FAST_REPLICATION,
                    **secret,
                    **(options or {}),
                },
            )
            for _ in range(count)
        ]
        self._clients: dict[int, Any] = {}

    @property
    def url(self) -> str:
        """For asynqpy: two of the nodes, with the password; certificates are not in it."""
        secret = f":{quote(self.password, safe='')}@" if self.password else ""
        scheme = "rediss-cluster" if self.certificates else "redis-cluster"
        return f"{scheme}://{secret}{HOST}:{self.servers[0].port},{HOST}:{self.servers[-1].port}"

    def start(self) -> Self:
        """Start the nodes and make them one cluster."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(RedisServer.start, self.servers))
        masters = self.servers[: self._masters_at_start]
        bounds = [SLOTS * n // len(masters) for n in range(len(masters) + 1)]
        for number, server in enumerate(masters):
            self.say(server, "CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            self.say(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            bus = str(server.options["cluster-port"])
            self.say(self.servers[0], "CLUSTER", "MEET", HOST, server.port, bus)
        wait_until(self._all_know_all, limit_seconds=PATIENCE_SECONDS)
        for master, replica in zip(masters, self.servers[self._masters_at_start :], strict=False):
            self.say(replica, "CLUSTER", "REPLICATE", self.node_id(master))
        self.wait_until_whole()
        return self

    def say(self, server: RedisServer, *words: Any) -> Any:
        """The reply of one node as it came: bytes, numbers and lists of these."""
        client = self._clients.get(server.port)
        if client is None:
            client = self._clients[server.port] = server.client(socket_timeout=20, protocol=2)
        connection = client.connection_pool.get_connection()
        try:
            connection.send_command(*words)
            return connection.read_response()
        finally:
            client.connection_pool.release(connection)

    def node_id(self, server: RedisServer) -> str:
        return str(self.say(server, "CLUSTER", "MYID").decode())

    def is_master(self, server: RedisServer) -> bool:
        return bool(self.say(server, "ROLE")[0] == b"master")

    def master_of(self, queue: str) -> RedisServer:
        """The node that serves a queue."""
        return self.owner(key_slot(keys.of_queue(queue).pending.encode()))

    def owner(self, slot: int) -> RedisServer:
        """The node that says of itself that it serves *slot*."""
        for server in self.servers:
            if not server.is_running:
                continue
            try:
                if self.is_master(server) and slot in self._own_slots(server):
                    return server
            except RedisError:
                continue
        raise AssertionError(f"nobody serves slot {slot}")

    def _own_slots(self, server: RedisServer) -> _Slots:
        rows = self.say(server, "CLUSTER", "SLOTS")
        return _Slots([(row[0], row[1]) for row in rows if row[2][1] == server.port])

    def replica_of(self, master: RedisServer) -> RedisServer:
        """Its replica."""
        for server in self.servers:
            if server.is_running:
                role = self.say(server, "ROLE")
                if role[0] == b"slave" and int(role[2]) == master.port:
                    return server
        raise AssertionError(f"no replica of {master.port}")

    def queue_of(self, server: RedisServer, prefix: str = "queue") -> str:
        """A name of a queue that this master serves."""
        slots = self._own_slots(server)
        number = 0
        while key_slot(keys.of_queue(f"{prefix}{number}").pending.encode()) not in slots:
            number += 1
        return f"{prefix}{number}"

    def masters(self) -> list[RedisServer]:
        """The masters that live."""
        return [server for server in self.servers if server.is_running and self.is_master(server)]

    def queues(self, prefix: str = "queue") -> list[str]:
        """One queue on each master."""
        return [self.queue_of(server, prefix) for server in self.masters()]

    def flush(self) -> None:
        """Forget all keys."""
        for server in self.masters():
            self.say(server, "FLUSHALL")
            self.say(server, "SCRIPT", "FLUSH")

    def wait_until_whole(self) -> None:
        """Return when all nodes live, agree, and every master has a replica that is in step."""
        wait_until(self._is_whole, limit_seconds=PATIENCE_SECONDS)

    def heal(self) -> None:
        """Start the nodes that were killed, and wait until the cluster is whole again."""
        for server in self.servers:
            server.resume()
            if not server.is_running:
                server.start()
        self.wait_until_whole()

    def wait_for_replicas(self) -> None:
        """Return when what was written so far is on the replicas too: nothing is in the replication window."""
        for server in self.masters():
            key = f"{keys.of_queue(self.queue_of(server)).prefix}test:mark"
            self.say(server, "SET", key, 1, "PX", 1)  # WAIT is about what its own connection has written
            wait_until(lambda server=server: self.say(server, "WAIT", 1, 1000) >= 1)  # type: ignore[misc]

    def fail_over(self, master: RedisServer) -> RedisServer:
        """Let the replica of *master* take over in good order; returns when it has."""
        replica = self.replica_of(master)
        asked_at = -math.inf

        def has_changed() -> bool:
            nonlocal asked_at
            if self.is_master(replica) and not self.is_master(master):
                return True
            if time.monotonic() - asked_at > MANUAL_FAILOVER_SECONDS and not self.is_master(replica):
                with suppress(RedisError):
                    self.say(replica, "CLUSTER", "FAILOVER")  # it gives up after five seconds
                asked_at = time.monotonic()
            return False

        wait_until(has_changed, limit_seconds=PATIENCE_SECONDS)
        return replica

    def move_slot(self, queue: str, target: RedisServer, *, pause: float = 0.0) -> None:
        """Move the slot of *queue* key by key, as ``--cluster reshard`` does."""
        slot = key_slot(keys.of_queue(queue).pending.encode())
        source = self.owner(slot)
        with self.moving_slot(slot, source, target):
            while found := self.say(source, "CLUSTER", "GETKEYSINSLOT", slot, 50):
                auth = ("AUTH", self.password) if self.password else ()
                self.say(source, "MIGRATE", HOST, target.port, "", 0, 5000, *auth, "KEYS", *found)
                time.sleep(pause)

    @contextmanager
    def moving_slot(self, slot: int, source: RedisServer, target: RedisServer) -> Iterator[None]:
        """Around what moves the keys."""
        self.say(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.node_id(source))
        self.say(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.node_id(target))
        yield
        for server in (target, source):
            self.say(server, "CLUSTER", "SETSLOT", slot, "NODE", self.node_id(target))
        for server in self.masters():
            if server not in (source, target):
                self.say(server, "CLUSTER", "SETSLOT", slot, "NODE", self.node_id(target))

    def client(self, **options: Any) -> Any:
        """A redis-py client of the whole cluster that gives bytes."""
        options.setdefault("password", self.password)
        if self.certificates:
            options |= {"ssl": True, "ssl_ca_certs": str(self.certificates.ca)}
        nodes = [ClusterNode(HOST, server.port) for server in self.servers if server.is_running]
        return redis.RedisCluster(startup_nodes=nodes, **options)

    def _all_know_all(self) -> bool:
        return all(
            _fields(self.say(server, "CLUSTER", "INFO"))["cluster_known_nodes"] == str(len(self.servers))
            for server in self.servers
        )

    def _is_whole(self) -> bool:
        try:
            with_replicas = len(self.servers) > self._masters_at_start
            replicated: set[int] = set()
            masters = 0
            for server in self.servers:
                if _fields(self.say(server, "CLUSTER", "INFO"))["cluster_state"] != "ok":
                    return False
                role = self.say(server, "ROLE")
                if role[0] == b"slave":
                    if role[3] != b"connected":
                        return False
                    replicated.add(int(role[2]))
                else:
                    masters += 1
            if masters != self._masters_at_start or (with_replicas and len(replicated) != masters):
                return False
            return all(self._nodes_agree(server) for server in self.servers)
        except RedisError:
            return False

    def _nodes_agree(self, server: RedisServer) -> bool:
        lines = self.say(server, "CLUSTER", "NODES")
        return b"fail" not in lines and b"handshake" not in lines

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        for server in self.servers:
            server.close()


class _Slots:
    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._ranges = ranges

    def __contains__(self, slot: int) -> bool:
        return any(first <= slot <= last for first, last in self._ranges)


class Sentinels:
    """A master with a replica, and three sentinels that watch over them."""

    def __init__(
        self,
        kind: Kind = "valkey",
        *,
        password: str | None = None,
        sentinel_password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.password = password
        self.sentinel_password = sentinel_password
        self.certificates = certificates
        options = {**_FAST_REPLICATION}
        if password:
            options["masterauth"] = password
        if certificates:
            options["tls-replication"] = "yes"
        self.servers = [
            RedisServer(kind, password=password, certificates=certificates, options=options) for _ in range(2)
        ]
        self.sentinels: list[RedisServer] = []

    @property
    def url(self) -> str:
        """For asynqpy, with the passwords; certificates are not in it."""
        secret = f":{quote(self.sentinel_password, safe='')}@" if self.sentinel_password else ""
        places = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        scheme = "rediss-sentinel" if self.certificates else "redis-sentinel"
        data = f"&password={quote(self.password, safe='')}" if self.password else ""
        return f"{scheme}://{secret}{places}/0?master={MASTER}{data}"

    def start(self) -> Self:
        """Start all, and return when they agree."""
        for server in self.servers:
            server.start()
        master, replica = self.servers
        with replica.client() as client:
            client.replicaof(HOST, master.port)
        lines = [
            f"sentinel monitor {MASTER} {HOST} {master.port} 2",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MILLISECONDS}",
            f"sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MILLISECONDS}",
            *([f"sentinel auth-pass {MASTER} {self.password}"] if self.password else []),
        ]
        options = {"tls-replication": "yes"} if self.certificates else {}
        for _ in range(3):
            self.sentinels.append(
                RedisServer(
                    self.kind,
                    password=self.sentinel_password,
                    certificates=self.certificates,
                    options=options,
                    sentinel=lines,
                ).start()
            )
        self._look_often()
        self.wait_until_whole()
        return self

    def master(self) -> RedisServer:
        """The present master, as the sentinels say."""
        port = self._named_by(self.sentinels[0])
        return next(server for server in self.servers if server.port == port)

    @staticmethod
    def _named_by(sentinel: RedisServer) -> int:
        with sentinel.client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return int(port)

    def fail_over(self) -> RedisServer:
        """Promote the replica in good order; returns the new master when all sentinels have heard of it."""
        old = self.master()
        asked_at = -math.inf

        def has_changed() -> bool:
            nonlocal asked_at
            if self.master() is not old:
                return True
            is_overdue = time.monotonic() - asked_at > 2 * FAILOVER_TIMEOUT_MILLISECONDS / 1000
            if is_overdue and _accepted(client):  # an order may come to nothing
                asked_at = time.monotonic()
            return False

        with self.sentinels[0].client() as client:
            wait_until(has_changed, limit_seconds=PATIENCE_SECONDS)
        new = self.master()
        wait_until(lambda: all(self._named_by(sentinel) == new.port for sentinel in self.sentinels))
        return new

    def wait_for_replicas(self) -> None:
        """Return when what was written so far is on the replica too."""
        with self.master().client(single_connection_client=True) as client:
            client.set("test:mark", 1, px=1)  # WAIT is about what its own connection has written
            wait_until(lambda: client.wait(1, 1000) >= 1)

    def heal(self) -> None:
        """Start what was killed, and wait until all is well again."""
        for server in (*self.servers, *self.sentinels):
            server.resume()
            if not server.is_running:
                server.start()
        self._look_often()
        self.wait_until_whole()

    def _look_often(self) -> None:
        """Sentinels ask and tell every few seconds, which is long for a test.

        They tell less often than they ask: a sentinel that has heard nothing of a promotion for four such periods takes
        the new master for a mistake and makes it a replica again.
        """
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PUBLISH-PERIOD", 1000)

    def wait_until_whole(self) -> None:
        """Return when the sentinels know each other, the master and a replica that is in step."""
        wait_until(self._is_whole, limit_seconds=PATIENCE_SECONDS)

    def _is_whole(self) -> bool:
        try:
            master = self.master()
            for sentinel in self.sentinels:
                with sentinel.client() as client:
                    state = client.sentinel_master(MASTER)
                healthy = state["flags"] == "master" and state["port"] == master.port
                if not healthy or (state["num-other-sentinels"], state["num-slaves"]) != (2, 1):
                    return False
            with master.client() as client:
                role = client.execute_command("ROLE")
            return bool(role[0] == b"master" and len(role[2]) == 1)
        except RedisError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.close()


def _accepted(client: Any) -> bool:
    try:
        client.execute_command("SENTINEL", "FAILOVER", MASTER)
    except RedisError:  # NOGOODSLAVE or INPROG: the replica of the last failover has just come back
        return False
    return True


def _fields(info: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
