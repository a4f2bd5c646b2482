"""``asynqpy redis``."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from asynqpy import Client, Task

from .conftest import Ran
from .programs import Program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended(start: Callable[..., Program], folder: Path, number: signal.Signals) -> None:
    """It prints where it is, for asynqpy and for others; what was written is there the next time."""
    for expected in (0, 1):
        server = start("redis", "--folder", "data")
        server.until("Ctrl-C ends it")
        assert f"embedded://{folder / 'data'}\n" in server.output
        socket = re.search(r"redis-socket://(\S+)", server.output)
        assert socket
        with Redis(unix_socket_path=socket[1]) as redis:
            assert redis.llen("asynq:{default}:pending") == expected
        with Client(f"embedded://{folder / 'data'}") as client:
            client.enqueue(Task("t"))
        assert server.end(number) == 0


def test_a_folder_that_cannot_be_used(run: Callable[..., Ran], tmp_path: Path) -> None:
    """One line, exit code 2."""
    (tmp_path / "file").write_text("")
    code, out, err = run("redis", "--folder", str(tmp_path / "file" / "below"))
    assert (code, out) == (2, "")
    assert "cannot be written" in err
    assert err.count("\n") == 1
