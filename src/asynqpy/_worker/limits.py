"""Keeps the limits of handlers: asks before an attempt starts, extends permits while it runs, gives them back after."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from random import Random

from asynqpy._broker.flow import Flow
from asynqpy._broker.limits import Gate, Permit, admit, call_up, give_back, keep, member_of
from asynqpy._transport.channel import Channel
from asynqpy._wire.moments import unix_milliseconds_up
from asynqpy._worker.in_flight import Running
from asynqpy.clock import Clock
from asynqpy.errors import BrokerError
from asynqpy.limits import Limit

log = logging.getLogger("asynqpy")

SECONDS_AFTER_TROUBLE = 1.0
"""How long a task waits when Redis cannot say whether it may start."""


class Limits:
    """The permits that this server holds. On the event loop, but for `keep`."""

    def __init__(self, channel: Channel, *, lease_seconds: float, clock: Clock, rng: Random | None = None) -> None:
        self._channel = channel
        self._lease_milliseconds = int(lease_seconds * 1000)
        self._clock = clock
        self._rng = rng or Random()
        self._held: dict[Running, Permit] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._last_trouble = float("-inf")

    async def admit(self, running: Running, limit: Limit, pattern: str) -> int | None:
        """None when the attempt may start now; else the Unix millisecond at which its task shall come back.

        Whatever happens, `release` must follow when the attempt ends.

        Raises:
            PayloadError: the key of the limit cannot be read.
            Exception: whatever a key function of the user's raises.
        """
        gate = _gate(limit, limit.scope(pattern, running.task))
        member = member_of(running.message.queue, running.message.id)
        if gate.max_active:
            self._held[running] = Permit(gate, member, running.token)
        flow = admit(gate, member, running.token, lease_milliseconds=self._lease_milliseconds, noise=self._rng.random())
        try:
            admission = await self._channel.run(flow)
        except BrokerError as error:
            self._report_trouble(error)
            return unix_milliseconds_up(time.time() + SECONDS_AFTER_TROUBLE)
        if admission.called:
            self._start(self._call_up(gate, admission.called))
        if admission.wait_seconds is None:
            self._held.pop(running, None)  # a permit that it keeps for its turn ends by itself
            return admission.back_at_milliseconds
        if admission.wait_seconds > 0:
            await asyncio.sleep(admission.wait_seconds)
        return None

    def release(self, running: Running) -> None:
        """The attempt has ended: give its permit, if it holds one, to the next."""
        permit = self._held.pop(running, None)
        if permit is not None:
            self._start(self._give_back(permit))

    @property
    def holds_permits(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self._held)

    def keep(self) -> Flow[None]:
        """Extend the permits of running attempts. May be run in another thread, and twice."""
        permits = list(self._held.values())  # copying is one step of the interpreter
        for gate, called in (yield from keep(permits, lease_milliseconds=self._lease_milliseconds)):
            yield from call_up(gate, called, now=self._clock.now())

    async def drain(self) -> None:
        """Wait until every permit is given back."""
        while self._errands:
            await asyncio.wait(self._errands)

    async def _give_back(self, permit: Permit) -> None:
        called = await self._channel.run(give_back(permit.gate, [(permit.member, permit.token)]))
        if called:
            await self._call_up(permit.gate, called)

    async def _call_up(self, gate: Gate, called: Sequence[str]) -> None:
        await self._channel.run(call_up(gate, called, now=self._clock.now()))

    def _start(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._run(errand), name="asynqpy limits")
        self._errands.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._errands.discard)

    async def _run(self, errand: Coroutine[None, None, None]) -> None:
        try:
            await errand
        except BrokerError as error:  # permits end by themselves, and who waits comes back
            log.debug("a permit could not be handed on: %s", error)

    def _report_trouble(self, error: BrokerError) -> None:
        """Log *error*, at most once in three seconds."""
        now = time.monotonic()
        if now - self._last_trouble >= 3:
            self._last_trouble = now
            log.warning("limited tasks wait, since Redis does not say whether they may start: %s", error)


def _gate(limit: Limit, scope: str) -> Gate:
    rate = limit.rate
    if rate is None:
        return Gate(scope, max_active=limit.max_active)
    interval = rate.interval_microseconds
    return Gate(scope, interval, (rate.burst - 1) * interval, limit.max_active)
