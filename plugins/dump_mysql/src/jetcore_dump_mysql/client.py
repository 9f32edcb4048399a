"""The client programs: where they are, how they are told who we are, and what their errors mean."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import attrs

from jetcore import DatabaseAuth, JetcoreError
from jetcore_dump_mysql.child import Child, OptionFile, StalledError
from jetcore_dump_mysql.settings import MysqlSettings

#: Where the programs are looked for besides PATH, which is short for services and cron.
_MORE_PATHS = ("/usr/local/bin", "/usr/bin", "/usr/local/mysql/bin")
#: A longer line of an option file is cut off without a word.
_LONGEST_LINE = 4000
#: Seconds that a program may take to say its version.
_VERSION_TIMEOUT = 30
_OUTPUT_ESCAPES = {b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
_OPTION_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"})
_ERROR_LINE = re.compile(
    r"^ERROR(?: (?P<code>\d+) \(\w+\))?(?: at line (?P<line>\d+))?(?: in file: '.*?')?: (?P<text>.*)$"
)
#: The forms in which the dump programs write the number of an error.
_DUMP_ERROR = re.compile(r"[Ee]rror:? (\d{3,5})\b|\((\d{3,5})\)\s*$|\berrno:? (\d+)")
_NOISE = re.compile(r"Deprecated program name|^\S*:? ?\[?warning\b", re.IGNORECASE)
_HINTS = {
    1040: "raise max_connections of the server, or run fewer backups at once",
    1044: "grant the user that is set for MySQL in the panel settings the privileges that are missing",
    1045: "check user and password of MySQL in the panel settings",
    1153: "raise max_allowed_packet of the server",
    1227: "restore as a user with all privileges",
    1273: "the dump comes from another kind of server, whose collations this one does not know",
    1449: "restore the account's database users first",
    1698: "check user and password of MySQL in the panel settings",
    2002: "check that the server runs, and the hostname of MySQL in the panel settings",
    2003: "check that the server runs, and hostname and port of MySQL in the panel settings",
    2005: "check the hostname of MySQL in the panel settings",
    2006: "see the server's log; it was restarted, or a row is larger than its max_allowed_packet",
    2013: "see the server's log for why it went away",
}


class ClientError(Exception):
    """A client program cannot be run or has failed.

    :param text: What it said, in one line.
    :param code: Number of the server's or the client's error; 0 if there is none.
    :param line: Line of the input that it stopped at; 0 if there is none.
    :param hint: What to do about it.
    """

    def __init__(self, text: str, *, code: int = 0, line: int = 0, hint: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.line = line
        self.hint = hint or _HINTS.get(code, "")


@contextlib.contextmanager
def reported(kind: type[JetcoreError], what: str) -> Iterator[None]:
    """Raise *kind* for a :class:`ClientError`: *what*, and why."""
    try:
        yield
    except ClientError as error:
        raise kind(f"{what}: {error}", hint=error.hint) from error


@attrs.frozen
class DumpProgram:
    """A kind of dump program."""

    mariadb: bool
    version: tuple[int, int]

    @property
    def arguments(self) -> list[str]:
        """What it needs so that nothing of one server's transactions and statistics gets into another."""
        if self.mariadb:
            return []
        return ["--set-gtid-purged=OFF", *(["--column-statistics=0"] if self.version >= (8, 0) else [])]

    @property
    def knows_history(self) -> bool:
        """Whether it can dump the past rows of system-versioned tables."""
        return self.mariadb and self.version >= (10, 11)


@attrs.frozen
class Client:
    """The client programs of a server."""

    settings: MysqlSettings
    auth: DatabaseAuth

    @property
    def server(self) -> str:
        """The server for people: its socket, or host and port."""
        if self.auth.socket:
            return self.auth.socket
        host = self.auth.host or "localhost"
        return f"{host}:{self.auth.port}" if self.auth.port else host

    @cached_property
    def mysql(self) -> str:
        """Path of ``mariadb`` or ``mysql``.

        :raises ClientError: It is not there.
        """
        return _find(self.settings.mysql, ("mariadb", "mysql"))

    @cached_property
    def mysqldump(self) -> str:
        """Path of ``mariadb-dump`` or ``mysqldump``.

        :raises ClientError: It is not there.
        """
        return _find(self.settings.mysqldump, ("mariadb-dump", "mysqldump"))

    @cached_property
    def dump_program(self) -> DumpProgram:
        """What kind of program :attr:`mysqldump` is.

        :raises ClientError: It is not there, or is no dump program.
        """
        with self.start(self.mysqldump, ["--version"], stall_timeout=_VERSION_TIMEOUT) as child:
            try:
                text = b"".join(iter(lambda: child.read(4096), b"")).decode(errors="replace")
                status = child.wait()
            except StalledError as error:
                raise ClientError(f"{self.mysqldump} does not answer when asked for its version") from error
        found = re.search(r"(?:Distrib|from) (\d+)\.(\d+)", text) or re.search(r"Ver (\d+)\.(\d+)\.\d", text)
        if status or found is None:
            raise ClientError(f"{self.mysqldump} is not a dump program: asked for its version it said {text[:200]!r}")
        return DumpProgram("MariaDB" in text, (int(found[1]), int(found[2])))

    def start(
        self, program: str, arguments: Sequence[str], *, writable: bool = False, stall_timeout: float = 0
    ) -> Child:
        """Start *program*.

        :raises ClientError: It cannot be started.
        """
        try:
            return Child(
                program,
                arguments,
                self._options,
                environment=self._environment,
                writable=writable,
                stall_timeout=stall_timeout or self.settings.stall_timeout,
            )
        except (OSError, ValueError) as error:
            raise ClientError(f"{program} cannot be run: {error}") from error

    def run(self, pieces: Iterable[bytes], *, database: str = "") -> bytes:
        """Run SQL and return what it prints; the first error ends it.

        Comments are kept, since those in stored programs are part of them, and all commands of the client itself but
        ``DELIMITER`` are off.

        :raises ClientError: A statement failed, or the server cannot be reached.
        """
        arguments = ["--batch", "--skip-column-names", "--binary-mode", "--comments", "--local-infile=0"]
        arguments.append("--loose-skip-print-query-on-error")  # a definition has password hashes in it
        arguments += ["--default-character-set=utf8mb4", *self.packet]
        if database:
            arguments.append(f"--database={database}")
        with self.start(self.mysql, arguments, writable=True) as child:
            try:
                output = child.exchange(pieces)
                status = child.wait()
            except StalledError as error:
                raise self.stalled(self.mysql) from error
            if status:
                raise client_error(child.errors, status)
            return output

    def query(self, sql: str) -> list[tuple[str, ...]]:
        """Run SQL and return the rows of its results; NULL is ``NULL``, so queries avoid it.

        :raises ClientError: As :meth:`run`.
        """
        output = self.run([f"{_SESSION}{sql}".encode(errors="surrogateescape")])
        return [tuple(_unescape(field) for field in line.split(b"\t")) for line in output.split(b"\n")[:-1]]

    def stalled(self, program: str) -> ClientError:
        """Return the error for a program that says nothing any more."""
        return ClientError(
            f"{os.path.basename(program)} showed no progress for {self.settings.stall_timeout} seconds",
            hint="look for locks with SHOW PROCESSLIST, or raise dump_mysql.stall_timeout",
        )

    @property
    def packet(self) -> list[str]:
        """The argument that sets the largest packet, if it is set."""
        size = self.settings.max_packet
        return [f"--max-allowed-packet={size}M"] if size else []

    @property
    def _options(self) -> OptionFile:
        auth = self.auth
        values = {"socket": auth.socket} if auth.socket else {"host": auth.host, "port": str(auth.port or "")}
        if auth.user:
            values |= {"user": auth.user}
        lines = [b"[client]"]
        lines += [_option(name, value) for name, value in values.items() if value]
        if auth.user:  # an empty password is one, too: the program must not ask for another
            lines.append(_option("password", auth.password.reveal()))
        return OptionFile(b"\n".join(lines) + b"\n", alone=bool(auth.user))

    @property
    def _environment(self) -> dict[str, str]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        if not self.auth.user and "HOME" in os.environ:
            environment["HOME"] = os.environ["HOME"]  # where the user's own option file is
        return environment


#: What the answers must not depend on.
_SESSION = "SET SESSION sql_mode='', sql_quote_show_create=1;\n"


def quoted(name: str) -> str:
    """Return *name* as an SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return *text* as an SQL string that means the same under every ``sql_mode``."""
    return f"_utf8mb4 X'{text.encode(errors='surrogateescape').hex()}'"


def same(column: str, text: str) -> str:
    """Return a condition that *column* of the catalogue is *text*, to the letter.

    The first half lets the server look up that one name, the second tells apart names that differ in case only.
    """
    return f"{column} = {literal(text)} AND BINARY {column} = {literal(text)}"


def error_lines(errors: str) -> list[str]:
    """Return the lines of *errors* that say that something went wrong."""
    return [line.strip() for line in errors.splitlines() if line.strip() and not _NOISE.search(line)]


def client_error(errors: str, status: int) -> ClientError:
    """Return the error that ``mysql`` reported before it ended with *status*."""
    lines = error_lines(errors)
    found = next(filter(None, map(_ERROR_LINE.match, lines)), None)
    if found is None:
        return ClientError(lines[0] if lines else _ending(status))
    code = int(found["code"] or 0)
    text = f"{found['text']} (error {code})" if code else found["text"]
    return ClientError(text, code=code, line=int(found["line"] or 0))


def dump_error(errors: str, status: int) -> ClientError:
    """Return the error that a dump program reported before it ended with *status*."""
    line = next(iter(error_lines(errors)), "")
    return ClientError(line or _ending(status), code=error_code(line))


def error_code(line: str) -> int:
    """Return the number of the error that a dump program reports in *line*; 0 if it gives none."""
    found = _DUMP_ERROR.search(line)
    return int(next(filter(None, found.groups()))) if found else 0


def _ending(status: int) -> str:
    return f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status} and no message"


def _unescape(field: bytes) -> str:
    plain = re.sub(rb"\\(.)", lambda found: _OUTPUT_ESCAPES.get(found[1], found[0]), field, flags=re.DOTALL)
    return plain.decode(errors="surrogateescape")


def _option(name: str, value: str) -> bytes:
    """Return a line of an option file, quoted as https://dev.mysql.com/doc/refman/8.4/en/option-files.html says."""
    line = f'{name}="{value.translate(_OPTION_ESCAPES)}"'.encode(errors="surrogateescape")
    if b"\0" in line or len(line) > _LONGEST_LINE:
        raise ClientError(f"the {name} of MySQL in the panel settings is too long, or holds a zero byte")
    return line


def _find(configured: Path | None, names: Sequence[str]) -> str:
    if configured is not None:
        if os.path.isfile(configured) and os.access(configured, os.X_OK):
            return str(configured)
        raise ClientError(
            f"{configured} is not a program that can be run", hint="correct its location in the binaries settings"
        )
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_PATHS])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise ClientError(
        f"neither {' nor '.join(names)} is installed",
        hint="install the package mariadb-client, or set the location in the binaries settings",
    )
