"""A Python client waits for tasks, whichever side runs them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from asynqpy import Client, ResultLostError, Task, TaskFailedError

from .conftest import StartWorker
from .ends import SIDES, program


@pytest.mark.parametrize("side", SIDES)
def test_results_and_errors_come_from_either_side(side: str, redis_url: str, start_worker: StartWorker) -> None:
    """All are waited for before the worker starts; one is retried on the way."""
    with Client(redis_url) as client, ThreadPoolExecutor(4) as threads:
        done = client.enqueue(Task("echo", b"the result"), retention=60)
        retried = client.enqueue(Task("act", program(do="fail", until=1, result="second")), retention=60)
        failed = client.enqueue(Task("act", program(do="fail", error="boom")), max_retry=0)
        gone = client.enqueue(Task("record"))
        waits = [threads.submit(client.wait, info, timeout=60) for info in (done, retried, failed, gone)]
        start_worker(side, retry_delay=0.1)
        assert waits[0].result() == b"the result"
        assert waits[1].result() == b"second"
        with pytest.raises(TaskFailedError, match="boom"):
            waits[2].result()
        with pytest.raises(ResultLostError):
            waits[3].result()
