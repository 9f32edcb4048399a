"""A database put back from its dump: proved whole, built beside the old one, then moved into its place.

1. The dump is read once to its end: its first and last line are ours, and it is as long as they say.
2. Everything but the events is loaded into a new database beside the old one. An error here ends the restore, and
   nothing has changed. Events are left out, because they would begin to run.
3. The old database is dropped and made anew; the tables are moved into it, which copies nothing; triggers, stored
   programs, views and events, which cannot be moved, are made in it. All but the events were accepted before.

It takes the room of the old and the new database at once, and reads the dump twice.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO

import attrs

from jetcore import RestoreError
from jetcore_dump_mysql.client import Client, ClientError, quoted, same
from jetcore_dump_mysql.dump import SECTIONS
from jetcore_dump_mysql.schema import read_schema

#: Names of the databases that a restore builds in; the hyphens keep them apart from every account's ``NAME_``.
STAGING = re.compile(r"jetcore-restore-[0-9a-f]{12}")

_HEAD = re.compile(rb"-- jetcore dump 1: mysql, character set (\w+), collation (\w+)\n")
_FOOT = re.compile(
    rb"\n(-- jetcore dump complete: " + b", ".join(b"%s (\\d+)" % name.encode() for name in SECTIONS) + rb" bytes\n)\Z"
)
#: The first and the last line are no longer than this.
_LINE_BYTES = 1024
_PIECE_BYTES = 1 << 20
#: How much of views and stored programs is held in memory.
_MEMORY_BYTES = 16 << 20
#: Seconds that the move waits for those who are using the old database.
_LOCK_WAIT = 120
_ERROR_RMDIR = 1010
_ERROR_LOCK_WAIT = 1205


@attrs.frozen(kw_only=True)
class _Layout:
    """What the first and the last line of a dump say of it."""

    charset: str
    collation: str
    #: Bytes of the first line.
    head: int
    #: Bytes of each section.
    sizes: tuple[int, ...]


def restore(client: Client, database: str, open_dump: Callable[[], BinaryIO]) -> None:
    """Replace *database* by the dump that *open_dump* opens.

    :raises RestoreError: The dump is not whole or none of ours, or the server refused something.
    """
    with open_dump() as dump:
        layout = _prove(dump, database)
    staging = f"jetcore-restore-{secrets.token_hex(6)}"
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as rest:
        try:
            _make(client, staging, layout)
            with open_dump() as dump:
                dump.read(layout.head)
                tables = _Section(dump, layout.sizes[0], first_line=2)
                tables.load(client, staging)
                shutil.copyfileobj(dump, rest, _PIECE_BYTES)
            _load_rest(client, staging, rest, layout, first_line=tables.next_line, events=False)
            to_move = _statements_to_move(client, staging, database)
        except ClientError as error:
            _drop(client, staging)
            raise RestoreError(
                f"database {database!r} is as it was, because its dump was refused: {error}", hint=error.hint
            ) from error
        except BaseException:
            _drop(client, staging)
            raise
        _replace(client, database, staging, layout, to_move)
        try:
            _load_rest(client, database, rest, layout, first_line=tables.next_line, events=True)
        except ClientError as error:
            raise RestoreError(
                f"database {database!r} has its tables back, but not all of its programs, views and events: {error}",
                hint=error.hint,
            ) from error
        finally:
            _drop(client, staging)


class _Section:
    """A part of a dump on its way to the server."""

    def __init__(self, source: IO[bytes], size: int, *, first_line: int) -> None:
        self._source = source
        self._left = size
        self._first_line = first_line
        #: Number of the line behind it, once it has been loaded.
        self.next_line = first_line

    def load(self, client: Client, database: str) -> None:
        """Run it in *database*.

        :raises ClientError: A statement failed; the text names its line.
        """
        try:
            client.run(self._pieces(), database=database)
        except ClientError as error:
            if error.line:
                error.args = (f"line {self._first_line + error.line - 1}: {error}",)
            raise

    def _pieces(self) -> Iterator[bytes]:
        while self._left:
            piece = self._source.read(min(self._left, _PIECE_BYTES))
            if not piece:
                raise RestoreError("the dump was longer when it was first read", hint="run: jetcore repository check")
            self._left -= len(piece)
            self.next_line += piece.count(b"\n")
            yield piece


def _prove(dump: BinaryIO, database: str) -> _Layout:
    """Read *dump* to its end and return what it says of itself.

    :raises RestoreError: It is not what it says, or says nothing.
    """
    first = dump.readline(_LINE_BYTES)
    head = _HEAD.fullmatch(first)
    if head is None:
        raise RestoreError(
            f"what is to be restored into database {database!r} is not a dump that jetcore made of a MySQL database",
            hint="a dump from elsewhere is loaded with the mysql program",
        )
    size, end = len(first), first
    while piece := dump.read(_PIECE_BYTES):
        size += len(piece)
        end = (end + piece)[-_LINE_BYTES:]
    foot = _FOOT.search(end)
    if foot is not None:
        layout = _Layout(
            charset=head[1].decode(),
            collation=head[2].decode(),
            head=len(first),
            sizes=tuple(map(int, foot.groups()[1:])),
        )
        if layout.head + sum(layout.sizes) + len(foot[1]) == size:
            return layout
    raise RestoreError(
        f"the dump of database {database!r} is cut short: it does not end with what completes it",
        hint="restore from another point",
    )


def _make(client: Client, name: str, layout: _Layout) -> None:
    client.query(f"CREATE DATABASE {quoted(name)} {_charset(layout)};")


def _charset(layout: _Layout) -> str:
    return f"CHARACTER SET {layout.charset} COLLATE {layout.collation}"


def _load_rest(
    client: Client, database: str, rest: IO[bytes], layout: _Layout, *, first_line: int, events: bool
) -> None:
    rest.seek(0)
    for size in layout.sizes[1:] if events else layout.sizes[1:-1]:
        section = _Section(rest, size, first_line=first_line)
        if size:
            section.load(client, database)
        first_line = section.next_line


def _statements_to_move(client: Client, staging: str, database: str) -> str:
    """Return the statements that move the tables of *staging* to *database*: without triggers, which forbid that."""
    schema = read_schema(client, staging)
    tables = sorted(schema.tables) if schema else []
    triggers = client.query(
        f"SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE {same('TRIGGER_SCHEMA', staging)};"  # noqa: S608  # quoted by same()
    )
    statements = [f"DROP TRIGGER {quoted(staging)}.{quoted(name)};\n" for (name,) in triggers]
    if tables:
        moves = ", ".join(f"{quoted(staging)}.{quoted(name)} TO {quoted(database)}.{quoted(name)}" for name in tables)
        statements.append(f"RENAME TABLE {moves};\n")
    return "".join(statements)


def _replace(client: Client, database: str, staging: str, layout: _Layout, to_move: str) -> None:
    """Drop *database* and move the tables of *staging* into its place. From here on there is no way back.

    :raises RestoreError: The server refused; the message says where the tables are.
    """
    wait = f"SET SESSION lock_wait_timeout={_LOCK_WAIT}, foreign_key_checks=0;\n"
    try:
        client.query(f"{wait}DROP DATABASE IF EXISTS {quoted(database)};")
    except ClientError as error:
        if error.code == _ERROR_LOCK_WAIT:
            _drop(client, staging)
            raise RestoreError(
                f"database {database!r} is as it was, because others were using it all the time: {error}",
                hint="suspend the account or stop its site, and restore again",
            ) from error
        if error.code != _ERROR_RMDIR:  # foreign files in its folder: it is empty now, and that will do
            raise _lost(database, staging, error) from error
    try:
        client.query(
            f"{wait}CREATE DATABASE IF NOT EXISTS {quoted(database)};\n"
            f"ALTER DATABASE {quoted(database)} {_charset(layout)};\n{to_move}"
        )
    except ClientError as error:
        raise _lost(database, staging, error) from error


def _lost(database: str, staging: str, error: ClientError) -> RestoreError:
    return RestoreError(
        f"database {database!r} could not be replaced: {error}",
        hint=f"the restored tables are complete in database {staging!r}; move them, or drop it and restore again",
    )


def _drop(client: Client, staging: str) -> None:
    """Drop what is left of *staging*; if even that fails, :meth:`MysqlEngine.probe` tells of it."""
    with contextlib.suppress(ClientError):
        client.query(f"DROP DATABASE IF EXISTS {quoted(staging)};")
