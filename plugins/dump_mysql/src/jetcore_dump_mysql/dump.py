"""A dump of one database as a stream.

Its form: a first line of ours, then up to four complete outputs of the dump program one after the other, then a last
line of ours that says how long each was::

    -- jetcore dump 1: mysql, character set utf8mb4, collation utf8mb4_general_ci
    …                                   tables with their rows
    …                                   triggers and stored programs, if there are any
    …                                   views, if there are any
    …                                   events, if there are any
    -- jetcore dump complete: tables 81235, programs 0, views 2210, events 0 bytes

To the ``mysql`` client all of it is one script. A restore needs the pieces apart, because tables can be moved from one
database to another and the rest cannot; and it must not find the seams by looking for words, since whoever owns the
database chooses the words in a procedure's body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jetcore import DumpError, DumpStream
from jetcore_dump_mysql.child import Child, StalledError
from jetcore_dump_mysql.client import Client, ClientError, dump_error, error_code, error_lines, quoted, reported
from jetcore_dump_mysql.schema import Schema, read_schema

SECTIONS = ("tables", "programs", "views", "events")

END = re.compile(rb"\n-- Dump completed[^\n]*\n*\Z")
#: Enough of the end of a section to find its end mark in.
_END_BYTES = 256
#: Errors of one table, view or program that leave the rest of a dump whole: no right to see it, an invalid view, a
#: definer who is gone, a damaged or missing table file. An error of the connection is never among them.
_OF_ONE_OBJECT = frozenset({144, 145, 1033, 1142, 1143, 1146, 1194, 1195, 1305, 1356, 1370, 1449, 1457, 1578, 1932})


def head(schema: Schema) -> bytes:
    """Return the first line of a dump."""
    return f"-- jetcore dump 1: mysql, character set {schema.charset}, collation {schema.collation}\n".encode()


def foot(sizes: Sequence[int]) -> bytes:
    """Return the last line of a dump, whose sections have *sizes* bytes."""
    pairs = ", ".join(f"{name} {size}" for name, size in zip(SECTIONS, sizes, strict=True))
    return f"-- jetcore dump complete: {pairs} bytes\n".encode()


class MysqlDump(DumpStream):
    """The dump program's output, section after section.

    :raises ClientError: The program cannot be started.
    """

    def __init__(self, client: Client, database: str, schema: Schema) -> None:
        self._client = client
        self._database = database
        self._schema = schema
        if schema.broken_views and not client.settings.force:
            name, reason = next(iter(schema.broken_views.items()))
            raise ClientError(f"view {name!r}: {reason}", hint="repair or drop the view, or set the force flag")
        self._commands = _commands(client, database, schema)
        self._waiting = head(schema)
        self._sizes: list[int] = []
        self._missing = [f"view {name!r}: {reason}" for name, reason in schema.broken_views.items()]
        if schema.versioned and not client.dump_program.knows_history:
            self._missing.append(
                f"past rows of {', '.join(schema.versioned)}: it takes mariadb-dump 10.11 to dump them"
            )
        self._broken: DumpError | None = None
        self._section: _Section | None = None
        self._next_section()

    @property
    def missing(self) -> Sequence[str]:
        """What the finished dump lacks, a sentence each."""
        return tuple(self._missing)

    def read(self, size: int) -> bytes:
        if self._broken is not None:
            raise self._broken
        try:
            with reported(DumpError, f"the dump of database {self._database!r} broke off"):
                while not self._waiting and self._section is not None:
                    self._waiting = self._section.read(size)
                    if not self._waiting:
                        self._end_section(self._section)
        except DumpError as error:
            self._broken = error
            self.close()
            raise
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        return piece

    def close(self) -> None:
        if self._section is not None:
            self._section.child.close()
            self._section = None

    def _next_section(self) -> None:
        while len(self._sizes) < len(SECTIONS):
            command = self._commands[len(self._sizes)]
            if command:
                child = self._client.start(self._client.mysqldump, command)
                self._section = _Section(self._client, child, self._database, rows=not self._sizes)
                return
            self._sizes.append(0)
        self._missing += self._altered()
        self._waiting = foot(self._sizes)

    def _end_section(self, section: _Section) -> None:
        self._missing += section.check(force=self._client.settings.force)
        self._sizes.append(section.size)
        self.close()
        self._next_section()

    def _altered(self) -> Iterator[str]:
        """Say which tables were made anew or altered meanwhile: their rows may not be those of the dump's moment."""
        now = read_schema(self._client, self._database)
        if now is None:
            raise ClientError("the database was dropped meanwhile")
        before = self._schema.tables
        altered = [name for name in before if name in now.tables and now.tables[name] != before[name]]
        if altered:
            yield f"altered during the dump, so that their rows may not match the rest: {', '.join(sorted(altered))}"


class _Section:
    """One run of the dump program."""

    def __init__(self, client: Client, child: Child, database: str, *, rows: bool) -> None:
        self._client = client
        self.child = child
        self.size = 0
        self._end = b""
        #: Rows are passed on as they are; in the definitions the name of their database is left out.
        self._nameless = None if rows else _Nameless(database)

    def read(self, size: int) -> bytes:
        """Return the next piece; ``b""`` when the program has ended its output."""
        data = self._read(size)
        if self._nameless is not None:
            while not (piece := self._nameless.feed(data)) and data:
                data = self._read(size)
            data = piece
        self.size += len(data)
        return data

    def _read(self, size: int) -> bytes:
        try:
            data = self.child.read(size)
        except StalledError as error:
            raise self._client.stalled(self._client.mysqldump) from error
        self._end = data[-_END_BYTES:] if len(data) >= _END_BYTES else (self._end + data)[-_END_BYTES:]
        return data

    def check(self, *, force: bool) -> list[str]:
        """Return what a section that has ended lacks.

        :raises ClientError: It is not whole.
        """
        try:
            status = self.child.wait()
        except StalledError as error:
            raise self._client.stalled(self._client.mysqldump) from error
        lines = error_lines(self.child.errors)
        ended = END.search(self._end) is not None
        if status == 0 and ended:
            return []
        if status == 0:
            raise ClientError("the program ended without an error, but its output lacks the end mark")
        tolerable = lines and not self.child.errors_cut and all(error_code(line) in _OF_ONE_OBJECT for line in lines)
        if not (force and ended and tolerable):
            raise dump_error(self.child.errors, status)
        return lines


class _Nameless:
    """Takes the name of the database out of statements, so that they mean the one that they are run in.

    The dump program writes it in two places: where the character set of a stored program is not that of its database,
    and where whoever made a trigger wrote it. (Everything else the server writes anew, without it.)
    """

    def __init__(self, database: str) -> None:
        backticks = quoted(database).encode()
        name = b"|".join(re.escape(form) for form in (backticks, b'"%s"' % database.encode(), database.encode()))
        word = rb"""(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\s`".]+)"""
        self._alter = re.compile(rb"^ALTER DATABASE " + re.escape(backticks) + rb" (?=CHARACTER SET )", re.MULTILINE)
        self._trigger = re.compile(
            rb"^(/\*!50003 CREATE\*/ (?:/\*!50017 DEFINER=.*?\*/ )?/\*!50003 TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)"
            rb"(?:(?:%(name)s)\s*\.\s*)?(%(word)s\s+(?:BEFORE|AFTER)\s+(?:INSERT|UPDATE|DELETE)\s+ON\s+)"
            rb"(?:(?:%(name)s)\s*\.\s*)?(?=%(word)s\s+FOR\s)" % {b"name": name, b"word": word},
            re.MULTILINE | re.IGNORECASE,
        )
        self._waiting = b""

    def feed(self, data: bytes) -> bytes:
        """Take more text, ``b""`` at its end, and return what is ready: whole statements."""
        text = self._waiting + data
        head, mark, self._waiting = text.rpartition(b";\n") if data else (text, b"", b"")
        return self._trigger.sub(rb"\1\2", self._alter.sub(b"ALTER DATABASE ", head + mark))


def _commands(client: Client, database: str, schema: Schema) -> list[list[str]]:
    """Return the arguments of the dump program for each section, empty for one that has nothing in it."""
    settings = client.settings
    common = ["--quick", "--hex-blob", "--default-character-set=utf8mb4", "--skip-dump-date", "--no-tablespaces"]
    common += [*client.packet, *client.dump_program.arguments]
    if not settings.opt:
        common = ["--skip-opt", "--create-options", "--set-charset", "--add-drop-table", *common]
    if settings.force:
        common.append("--force")
    if schema.non_transactional and not settings.skip_lock_tables:
        common.append("--lock-tables")
    else:
        common += ["--skip-lock-tables", "--single-transaction"]
    views = [*schema.views, *schema.broken_views]
    rows = ["--skip-triggers", *(f"--ignore-table={database}.{view}" for view in views)]
    if schema.versioned and client.dump_program.knows_history:
        rows.append("--dump-history")
    if not schema.non_transactional:
        rows.append("--order-by-primary")  # costs nothing in InnoDB, which keeps rows in that order; MyISAM would sort
    no_tables = ["--no-data", "--no-create-info"]
    programs = [*common, *no_tables, "--triggers", "--routines", "--", database]
    only_views = [*common, "--no-data", "--skip-triggers", "--", database, *schema.views]
    events = [*common, *no_tables, "--skip-triggers", "--events", "--", database]
    return [
        [*common, *rows, "--", database],
        programs if schema.programs else [],
        only_views if schema.views else [],
        events if schema.events else [],
    ]
