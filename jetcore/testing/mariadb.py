"""A private MariaDB server for tests: own data directory, own socket, no network unless asked for."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from jetcore.model import DatabaseAuth

#: The user that the server runs as when the tests run as root, which MariaDB refuses to be.
_USER = "mysql"

#: Free space from which on a data directory is put into memory.
_ROOM_BYTES = 4 << 30

#: What a server does for durability is of no use to a test.
_FAST = (
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--performance-schema=OFF",
    "--skip-log-bin",
)


def initialise(directory: Path) -> None:
    """Make a data directory: the system tables, and ``root@localhost`` with an empty password."""
    command = [
        _program("mariadb-install-db", "mysql_install_db"),
        "--no-defaults",
        f"--datadir={directory}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--innodb-log-file-size=16M",
        "--innodb-flush-method=nosync",
    ]
    if os.geteuid() == 0:
        command.append(f"--user={_USER}")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"no data directory could be made: {done.stdout.decode(errors='replace')}")


class MariaDB:
    """A running server; a context manager that stops it and removes everything it made.

    Its user ``root@localhost`` has an empty password and all privileges. The server dies with the test process, however
    that ends.

    :param template: A directory that :func:`initialise` made, to be copied; without it a new one is made.
    :param options: More options of ``mariadbd``; they come last and win.
    :param network: Whether it listens on a private port of 127.0.0.1 as well, see :attr:`port`.
    """

    def __init__(self, template: Path | None = None, *, options: tuple[str, ...] = (), network: bool = False) -> None:
        self._template = template
        self._options = options
        self._network = network
        self._server: subprocess.Popen[bytes] | None = None
        self._directory = Path()
        #: Port on 127.0.0.1; 0 without network.
        self.port = 0

    def __enter__(self) -> Self:
        # Not pytest's tmp_path: only its owner may enter that, and a socket's path has to be short.
        self._directory = _new_directory("jetcore-mariadb-")
        try:
            self._directory.chmod(0o755)
            if self._template is None:
                initialise(self._data)
            else:
                subprocess.run(["cp", "-a", "--reflink=auto", "--", self._template, self._data], check=True)
            if os.geteuid() == 0:
                shutil.chown(self._directory, _USER, _USER)
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def socket(self) -> Path:
        """Path of the Unix socket."""
        return self._directory / "socket"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._server is None:
            raise RuntimeError("the server is stopped")
        return self._server.pid

    @property
    def auth(self) -> DatabaseAuth:
        """How ``root`` reaches the server."""
        return DatabaseAuth(socket=str(self.socket), user="root")

    @property
    def log(self) -> str:
        """What the server has written to its error log."""
        return (self._directory / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        if self._network:
            self.port = _free_port()
        command = [
            _program("mariadbd", "mysqld"),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={self.socket}",
            f"--pid-file={self._directory / 'pid'}",
            "--skip-name-resolve",
            *_FAST,
            *(["--bind-address=127.0.0.1", f"--port={self.port}"] if self._network else ["--skip-networking"]),
            *self._options,
        ]
        wrapper = ["setpriv", "--pdeathsig=KILL"]
        if os.geteuid() == 0:
            wrapper += [f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
        # The server reports that it is ready the way it tells systemd: no polling, no race.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (self._directory / "log").open("ab") as log:
            address = self._directory / "ready"
            ready.bind(str(address))
            address.chmod(0o777)
            self._server = subprocess.Popen(
                [*wrapper, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "NOTIFY_SOCKET": str(address)},
            )
            process = os.pidfd_open(self._server.pid)
            try:
                while True:
                    readable, _, _ = select.select([ready.fileno(), process], [], [])
                    if ready.fileno() in readable and b"READY=1" in ready.recv(65536):
                        break
                    if process in readable:
                        raise RuntimeError(f"the server did not start: {self.log[-2000:]}")
            finally:
                os.close(process)
                address.unlink()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server and wait for its end; ``SIGKILL`` is a crash. :meth:`start` brings it back with its data."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait()
            self._server = None

    def run(self, sql: str | bytes, database: str = "") -> list[tuple[str, ...]]:
        """Run SQL statements as ``root`` and return the rows of all their results, as ``mariadb --raw`` prints them.

        :raises RuntimeError: A statement failed.
        """
        command = [_program("mariadb", "mysql"), "--no-defaults", f"--socket={self.socket}", "--user=root"]
        command += ["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4", "--binary-mode"]
        if database:
            command.append(f"--database={database}")
        text = sql.encode() if isinstance(sql, str) else sql
        environment = {"PATH": os.environ.get("PATH", os.defpath)}  # no MYSQL_PWD, no MYSQL_HOST
        done = subprocess.run(command, input=text, capture_output=True, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        lines = done.stdout.decode(errors="surrogateescape").split("\n")[:-1]
        return [tuple(line.split("\t")) for line in lines]

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _remove(self) -> None:
        self.stop(signal.SIGKILL)  # nothing of it is kept, and a kill cannot hang
        shutil.rmtree(self._directory, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_template() -> Iterator[Path]:
    """Make a data directory once for all servers of a test run."""
    directory = _new_directory("jetcore-mariadb-template-")
    try:
        directory.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(directory, _USER, _USER)
        initialise(directory / "data")
        yield directory / "data"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _program(*names: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise RuntimeError(f"{names[0]} is not installed; install the package mariadb-server")


def _new_directory(prefix: str) -> Path:
    """Make a directory, in memory if there is plenty: MariaDB syncs at every change of a table's definition."""
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a private directory in it
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if roomy else None))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
