"""What every measure works with: the server, the size of a run, and ways to make contenders work and produce."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, sleep

from bench import environments
from bench.contender import CACHE, Contender, ContenderError
from bench.contenders.shared import tally
from bench.contenders.shared.settings import Settings
from bench.contenders.shared.workload import Production
from bench.processes import WorkerProcess, running
from bench.redis_server import RedisServer

POLL_SECONDS = 0.02
SETTLE_TIMEOUT_SECONDS = 10
PRODUCE_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Stage:
    """One benchmark run's surroundings."""

    server: RedisServer
    quick: bool
    """Whether runs are short: to try the harness, not to publish figures."""
    slow: bool
    """Whether measures that take minutes for Go asynq are taken too."""
    folder: Path
    """Where the tallies are; gone after the run."""
    commands: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def on(cls, server: RedisServer, *, quick: bool, slow: bool) -> Iterator["Stage"]:
        """A stage with a folder of its own while the block runs."""
        with tempfile.TemporaryDirectory(prefix="asynqpy-bench-") as folder:
            yield cls(server, quick, slow, Path(folder))

    def size(self, full: int, quick: int) -> int:
        """*full* or *quick*, as asked on the command line."""
        return quick if self.quick else full

    def command(self, contender: Contender) -> list[str]:
        """The command of the contender's driver; its environment is made once."""
        if contender.name not in self.commands:
            self.commands[contender.name] = environments.driver_command(contender)
        return self.commands[contender.name]

    def settings(self) -> Settings:
        """Settings that reach this stage's server."""
        return Settings(redis_url=self.server.url)

    def produce(self, contender: Contender, settings: Settings) -> Production:
        """Let *contender* produce, and return how long it took."""
        process = self.start_producing(contender, settings)
        try:
            output, errors = process.communicate(timeout=PRODUCE_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise ContenderError(f"producing took over {PRODUCE_TIMEOUT_SECONDS} s") from None
        if process.returncode:
            raise ContenderError(f"the producer failed: {(errors.strip().splitlines() or ['?'])[-1]}")
        return Production(**json.loads(output.splitlines()[-1]))

    def start_producing(self, contender: Contender, settings: Settings) -> "subprocess.Popen[str]":
        """Let *contender* produce while the caller does something else."""
        return subprocess.Popen(
            [*self.command(contender), "produce"],
            env={**environments.driver_environment(), **settings.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def worker(self, contender: Contender, settings: Settings) -> Iterator["Worker"]:
        """A running worker of *contender*, with a fresh tally for `settings.count` tasks."""
        command = [*self.command(contender), "work"]
        with self.process(command, settings, contender.name) as worker:
            yield worker

    @contextmanager
    def process(
        self, command: list[str], settings: Settings, name: str, variables: Mapping[str, str] | None = None
    ) -> Iterator["Worker"]:
        """A running worker of any command that ends up in a driver's handler."""
        path = self.folder / f"tally-{monotonic()}"
        tally.create(path, settings.count)
        settings = replace(settings, tally_path=str(path))
        environment = {**environments.driver_environment(), **(variables or {}), **settings.environment()}
        try:
            with running(command, environment, CACHE / "logs" / f"work-{name}.log") as process:
                yield Worker(process, tally.TallyReader(path))
        finally:
            path.unlink()

    def wait_until_settled(self, contender: Contender) -> None:
        """Wait until Redis holds no task of *contender* any more: all were acknowledged."""
        deadline = monotonic() + SETTLE_TIMEOUT_SECONDS
        while left := contender.backlog(self.server.client):
            if monotonic() > deadline:
                raise ContenderError(f"{left:,} tasks were never acknowledged")
            sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process and the count of what it ran."""

    process: WorkerProcess
    tally: tally.TallyReader

    def wait_for(self, tasks: int, timeout_seconds: float) -> None:
        """Wait until so many tasks started. Raises `ContenderError` when they do not, or when the worker ends."""
        deadline = monotonic() + timeout_seconds
        while (done := self.tally.tasks()) < tasks:
            if not self.process.running:
                raise ContenderError(f"the worker ended: {self.process.last_words()}")
            if monotonic() > deadline:
                raise ContenderError(f"only {done:,} of {tasks:,} tasks started within {timeout_seconds:.0f} s")
            sleep(POLL_SECONDS)

    def check_each_ran_once(self, tasks: int) -> None:
        """Raise `ContenderError` unless the tasks 0 to *tasks* - 1 all started, and none twice."""
        sleep(POLL_SECONDS)
        count, missed = self.tally.tasks(), self.tally.delays_ns()[:tasks].count(0)
        if count != tasks or missed:
            raise ContenderError(f"{tasks:,} tasks, but {count:,} starts and {missed:,} tasks that never started")
