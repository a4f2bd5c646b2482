"""Hearing of a failover from the sentinels themselves.

A master that was deposed while it lives goes on to take writes until a sentinel makes it a replica, which may last ten
seconds, and then forgets them. So a thread listens to what the sentinels publish, and as soon as they name another
master, everybody connects anew. Its own thread, because lanes are in loops and in threads alike.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from asynqpy._transport.access import Access, Endpoint
from asynqpy._transport.exchange import pack
from asynqpy._transport.sentinel import question
from asynqpy._transport.topology import Watching

log = logging.getLogger("asynqpy")

CHANNEL = "+switch-master"
LISTEN_AGAIN_SECONDS = 1.0
WAKE_SECONDS = 0.5
"""How often the thread looks whether it should end."""
DEPOSED_SECONDS = 10.0
"""How long sentinels may disagree who the master is."""
PING_SECONDS = 5.0
"""A sentinel that is silent for so long is asked who the master is, which also shows whether it lives."""


class Switches:
    """Counts the failovers of one master, for as long as somebody wants to know.

    Args:
        access: the sentinels, and the name of the master.
        connect: opens a connection to a sentinel, for threads.
    """

    def __init__(self, access: Access, connect: Callable[[Endpoint], Any]) -> None:
        self._access = access
        self._connect = connect
        self._listeners: WeakSet[Watching] = WeakSet()
        self._master: tuple[bytes, bytes] | None = None
        self._deposed: tuple[bytes, bytes] | None = None
        self._deposed_at = 0.0
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self.count = 0
        """Grows when the sentinels name another master: connections made before lead to the wrong one."""

    def watch(self, watching: Watching) -> None:
        """Tell *watching* of switches for as long as it exists; from the thread."""
        self._listeners.add(watching)

    def is_deposed(self, master: tuple[bytes, bytes]) -> bool:
        """Whether another one is known to have taken over from *master* lately."""
        return master == self._deposed and time.monotonic() - self._deposed_at < DEPOSED_SECONDS

    def start(self) -> None:
        """Listen, unless that is done already in this process."""
        if self._process == os.getpid() and self._thread is not None:
            return
        with self._lock:
            if self._process != os.getpid() or self._thread is None:
                self._process = os.getpid()
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=[self._ended], name="asynqpy sentinels", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Listen no more; the thread ends within a second."""
        self._ended.set()
        self._thread = None

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            for sentinel in list(self._access.sentinels):
                try:
                    self._listen(sentinel, ended)
                except (RedisError, OSError, EOFError) as error:
                    log.debug("cannot listen to a sentinel: %s", error)
                if ended.is_set():
                    return
            ended.wait(LISTEN_AGAIN_SECONDS)

    def _listen(self, sentinel: Endpoint, ended: threading.Event) -> None:
        connection = self._connect(sentinel)
        try:
            connection.send_packed_command([pack(("SUBSCRIBE", CHANNEL)), pack(question(self._access))])
            heard_at = time.monotonic()
            asked_at: float | None = heard_at
            while not ended.is_set():
                if not connection.can_read(timeout=WAKE_SECONDS):
                    now = time.monotonic()
                    if asked_at is not None and now - asked_at > PING_SECONDS:
                        raise RedisConnectionError("the sentinel does not answer")
                    if asked_at is None and now - heard_at > PING_SECONDS:
                        connection.send_packed_command([pack(question(self._access))])
                        asked_at = now
                    continue
                reply = connection.read_response(disable_decoding=True, push_request=True)
                heard_at = time.monotonic()
                if self._reads_as_answer(reply):
                    asked_at = None
        finally:
            connection.disconnect()

    def _reads_as_answer(self, reply: Any) -> bool:
        """Whether *reply* answers who the master is; a message about it is believed as well."""
        if not isinstance(reply, list):
            return reply is None
        if reply[0] == b"message":  # the name, the old address, the new one
            name, _, _, host, port = reply[2].split(b" ")
            if name == self._access.sentinel_master.encode():
                self._is_now((host, port))
        elif len(reply) == 2:
            self._is_now((reply[0], reply[1]))
            return True
        return False

    def _is_now(self, master: tuple[bytes, bytes]) -> None:
        known, self._master = self._master, master
        if known is not None and known != master:
            log.info("the sentinels name another master", extra={"master": b":".join(master).decode()})
            self._deposed, self._deposed_at = known, time.monotonic()
            self.count += 1
            for listener in list(self._listeners):
                listener.place_changed()
