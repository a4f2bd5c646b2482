"""The processor: claims tasks and writes outcomes, one round trip after the other.

A lane owns a connection and some of the slots, and repeats the turn: in one round trip it writes what has ended since
the last turn and claims as many tasks as it has free slots. While a turn is in flight handlers run and end, so batches
form by themselves under load, and a lone task still leaves at once. With enough slots there are two lanes, so that
Redis works on one turn while Python works on the other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from random import Random

from asynqpy._broker.dequeue import Claimed, claimed_by_each
from asynqpy._broker.finish import Finish
from asynqpy._broker.turn import TurnReport, turn
from asynqpy._transport.connect import Source
from asynqpy._transport.lane import Lane
from asynqpy._wire.records import TaskMessage
from asynqpy._worker.executor import Executor
from asynqpy._worker.in_flight import InFlight
from asynqpy._worker.queue_order import QueueOrder
from asynqpy._worker.readiness import Readiness
from asynqpy.clock import Clock
from asynqpy.errors import AsynqpyError, ConnectionLostError, WireError
from asynqpy.observer import ServerObserver

log = logging.getLogger("asynqpy")

LARGEST_TURN = 250
"""Tasks claimed in one turn at most: larger ones are no faster, and would make other clients of Redis wait."""

SLOTS_FOR_TWO_LANES = 30
"""Below this one lane is faster: half the slots would make the batches too small."""

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.05, 3.0


class ProcessorLane:
    """One connection and its share of the slots."""

    def __init__(self, processor: Processor, slots: int, number: int) -> None:
        self._processor = processor
        self._free = slots
        self._lane = Lane(processor.source, patience=timedelta(0))  # the next turn tries again
        self._token_prefix = f"{processor.token}:{number}"
        self._turns = 0
        self._outbox: list[Finish] = []
        self._lost_claims: list[tuple[str, str, int]] = []
        """Queue, token and size of claims whose reply never came: until they are found, their tasks hold slots."""
        self._asleep: asyncio.Future[None] | None = None
        self._backoff = 0.0
        self._connects = 0
        self.settled = asyncio.Event()
        """Set while no claim is on its way."""
        self.settled.set()

    # What the executor calls.

    def write(self, record: Finish) -> None:
        """Write *record* with the next turn."""
        self._outbox.append(record)
        self.wake()

    def release_slot(self) -> None:
        """A handler has ended."""
        self._free += 1
        self.wake()

    # What wakes the lane.

    def wake(self) -> None:
        """There may be something to do."""
        if self._asleep is not None:
            if not self._asleep.done():
                self._asleep.set_result(None)
            self._asleep = None

    async def run(self) -> None:
        """Take turns until cancelled."""
        try:
            while True:
                if self._lost_claims:
                    self.settled.clear()
                    await self._find_lost_claims()
                    if not self._lost_claims:
                        self.settled.set()
                wanted = self._wanted()
                if not wanted and not self._outbox:
                    if self._lost_claims:
                        continue
                    self._asleep = asyncio.get_running_loop().create_future()
                    await self._asleep
                    continue
                if wanted:
                    self.settled.clear()
                await self._turn(wanted)
                if not self._lost_claims:
                    self.settled.set()
        finally:
            await self._lane.close()

    def _wanted(self) -> dict[str, int]:
        processor = self._processor
        free = self._free
        if self._lost_claims:
            free -= sum(count for _, _, count in self._lost_claims)
        if free <= 0 or not processor.claiming or not processor.readiness.ready:
            return {}
        return processor.order.share(min(free, LARGEST_TURN), processor.readiness.ready)

    async def _turn(self, wanted: dict[str, int]) -> None:
        processor = self._processor
        outbox, self._outbox = self._outbox, []
        self._turns += 1
        token = f"{self._token_prefix}.{self._turns:x}"
        sent_at = time.monotonic()
        flow = turn(
            outbox,
            wanted,
            token=token,
            lease_milliseconds=processor.lease_milliseconds,
            now=processor.clock.now(),
        )
        try:
            report = await self._lane.run(flow)
        except asyncio.CancelledError:
            self._outbox = outbox + self._outbox
            raise
        if processor.observer is not None:
            self._observe(processor.observer, len(outbox), report, time.monotonic() - sent_at)
        self._forget_written(outbox, report)
        lease_until = sent_at + processor.lease_milliseconds / 1000
        for queue, tasks in report.claimed.items():
            self._start(queue, tasks, token, lease_until)
            if len(tasks) < wanted[queue]:
                processor.readiness.ran_dry(queue)
        for queue in report.paused:
            processor.readiness.is_paused(queue)
        if report.error is not None:
            self._lost_claims += ((queue, token, wanted[queue]) for queue in report.lost_claims)
            if any(report.claimed.values()):
                self._backoff = 0.0  # some node of a cluster works: its queues must not wait for the others
            await self._recover_from(report.error)
        else:
            self._backoff = 0.0

    def _observe(self, observer: ServerObserver, written: int, report: TurnReport, seconds: float) -> None:
        size = written + sum(map(len, report.claimed.values()))
        connects, self._connects = self._connects, self._lane.connects
        for _ in range(max(connects, 1), self._connects):
            observer.reconnected("tasks")
        if report.error is None:
            observer.turn_ended(size, seconds)

    def _start(self, queue: str, tasks: list[Claimed], token: str, lease_until: float) -> None:
        executor = self._processor.executor
        now = time.time()
        self._free -= len(tasks)
        for task in tasks:
            try:
                message = TaskMessage.decode(task.message)
                if message.id != task.id or message.queue != queue:
                    raise WireError(f"the message of task {task.id!r} names task {message.id!r} in {message.queue!r}")
            except WireError as error:
                executor.reject(queue, task.id, task.message, token, self, error)
            else:
                executor.start(message, token, lease_until, task.pending_since, self, now, task.crashes)

    def _forget_written(self, outbox: list[Finish], report: TurnReport) -> None:
        in_flight = self._processor.in_flight
        if report.unwritten:
            self._keep_unwritten(report.unwritten)
            unwritten = {id(record) for record in report.unwritten}
            outbox = [record for record in outbox if id(record) not in unwritten]
        for record in outbox:
            in_flight.discard(record.queue, record.id, record.token)
        for record in report.refused:
            log.warning(
                "outcome came too late: the task is no longer held by this claim",
                extra={"queue": record.queue, "task_id": record.id, "outcome": type(record).__name__.lower()},
            )

    def _keep_unwritten(self, unwritten: list[Finish]) -> None:
        """Write again what failed, as long as its lease may still hold; after that the recoverer has the task."""
        in_flight, now = self._processor.in_flight, time.monotonic()
        keep: list[Finish] = []
        for record in unwritten:
            running = in_flight.get(record.queue, record.id)
            if running is not None and running.lease_until > now:
                keep.append(record)
            else:
                log.warning(
                    "outcome dropped: its lease ended before it could be written",
                    extra={"queue": record.queue, "task_id": record.id},
                )
                in_flight.discard(record.queue, record.id, record.token)
        self._outbox = keep + self._outbox

    async def _find_lost_claims(self) -> None:
        """Start the tasks of claims that happened although their reply was lost; where Redis is still away, later."""
        lost = self._lost_claims  # they stay until they are found, also when this is cancelled
        results = await self._lane.run(claimed_by_each([(queue, token) for queue, token, _ in lost]))
        self._lost_claims = []
        trouble: AsynqpyError | None = None
        known = self._processor.in_flight
        for claim, held in zip(lost, results, strict=True):
            queue, token, _ = claim
            if isinstance(held, AsynqpyError):
                self._lost_claims.append(claim)
                trouble = held
                continue
            found = [
                Claimed(task.id, task.message, 0, task.crashes)
                for task in held  # also of claims whose token only begins like this one
                if task.token == token and known.get(queue, task.id) is None
            ]
            # Their leases run since the claim; the heartbeater extends them within seconds.
            self._start(queue, found, token, time.monotonic() + self._processor.lease_milliseconds / 1000)
        if trouble is not None:
            await self._recover_from(trouble)

    async def _recover_from(self, error: AsynqpyError) -> None:
        self._processor.report_trouble(error)
        self._backoff = min(max(self._backoff * 2, FIRST_BACKOFF_SECONDS), LONGEST_BACKOFF_SECONDS)
        await asyncio.sleep(self._backoff * (0.5 + self._processor.rng.random() / 2))
        if isinstance(error, ConnectionLostError):
            self._processor.readiness.assume_all_ready()


class Processor:
    """The lanes and what they share."""

    def __init__(
        self,
        source: Source,
        executor: Executor,
        in_flight: InFlight,
        readiness: Readiness,
        order: QueueOrder,
        *,
        concurrency: int,
        lease: timedelta,
        token: str,
        clock: Clock,
        rng: Random | None = None,
        observer: ServerObserver | None = None,
    ) -> None:
        self.source = source
        self.executor = executor
        self.in_flight = in_flight
        self.readiness = readiness
        self.order = order
        self.lease_milliseconds = int(lease.total_seconds() * 1000)
        self.token = token
        self.clock = clock
        self.rng = rng or Random()
        self.observer = observer
        self.claiming = True
        """Whether new tasks are taken."""
        self._last_trouble = float("-inf")
        shares = (
            [concurrency] if concurrency < SLOTS_FOR_TWO_LANES else [concurrency - concurrency // 2, concurrency // 2]
        )
        self.lanes = [ProcessorLane(self, share, number) for number, share in enumerate(shares)]
        readiness.when_ready = self.wake

    def wake(self) -> None:
        """Some queue may have tasks."""
        for lane in self.lanes:
            lane.wake()

    async def stop_claiming(self) -> None:
        """Take no new tasks, and return when no claim is on its way any more."""
        self.claiming = False
        for lane in self.lanes:
            await lane.settled.wait()

    def report_trouble(self, error: AsynqpyError) -> None:
        """Log *error*, at most once in three seconds."""
        now = time.monotonic()
        if now - self._last_trouble >= 3:
            self._last_trouble = now
            log.error("cannot work with Redis, will try again: %s", error)
