"""Tests that every dump engine has to pass, to inherit from; see :mod:`jetcore.testing`."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import attrs
import pytest

from jetcore.abc import DumpEngine
from jetcore.errors import DumpError, JetcoreError, RestoreError
from jetcore.model import DatabaseUser

#: A folder's name in a restore point.
_FOLDER = re.compile(r"[a-z][a-z0-9_]*")
_NOBODY_HAS_THIS = "no_such_database"


class DumpEngineContract:
    """What holds for every dump engine.

    Needs the fixtures :meth:`engine`, :meth:`unreachable`, :meth:`filled`, :meth:`spare`, :meth:`contents`,
    :meth:`change` and :meth:`forget_user`; a real server stands behind them.
    """

    @pytest.fixture
    def engine(self) -> DumpEngine:
        """Return an engine on a server that may be changed."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> DumpEngine:
        """Return an engine whose server does not exist."""
        raise NotImplementedError

    @pytest.fixture
    def filled(self) -> str:
        """Make a database with contents, in which a user other than the administrator has privileges; return its name.

        It holds everything that the engine claims to dump.
        """
        raise NotImplementedError

    @pytest.fixture
    def spare(self) -> str:
        """Return the name of a database that does not exist and may be made."""
        raise NotImplementedError

    @pytest.fixture
    def contents(self) -> Callable[[str], object]:
        """Return a function that reads a database without the engine, into something that can be compared."""
        raise NotImplementedError

    @pytest.fixture
    def change(self) -> Callable[[str], object]:
        """Return a function that changes rows of a database and adds something to it."""
        raise NotImplementedError

    @pytest.fixture
    def forget_user(self) -> Callable[[DatabaseUser], object]:
        """Return a function that removes a user from the server."""
        raise NotImplementedError

    def test_type_describes_itself(self, engine: DumpEngine) -> None:
        """Name and ending fit into a path, and the settings are an attrs class that has a default for each field."""
        kind = type(engine)

        assert _FOLDER.fullmatch(kind.name)
        assert _FOLDER.fullmatch(kind.suffix)
        assert kind.Settings is None or attrs.has(kind.Settings)
        if kind.Settings is not None:
            kind(kind.Settings(), None)

    def test_server_is_looked_at(self, engine: DumpEngine) -> None:
        """A server that works has a version, and the engine is available."""
        assert engine.probe().version
        assert engine.available()

    def test_databases_are_sorted(self, engine: DumpEngine, filled: str) -> None:
        """Each database is listed once, in the order of their names, with an estimate of its size."""
        databases = engine.databases()
        names = [database.name for database in databases]

        assert filled in names
        assert names == sorted(set(names))
        assert all(database.bytes >= 0 for database in databases)

    def test_missing_server_is_an_error(self, unreachable: DumpEngine) -> None:
        """Without a server each question ends with one clear line, and none with an empty answer."""
        questions: Sequence[Callable[[], object]] = (
            unreachable.probe,
            unreachable.databases,
            lambda: unreachable.users(["shop"]),
            lambda: read_dump(unreachable, "shop"),
        )
        for question in questions:
            with pytest.raises(DumpError) as caught:
                question()
            assert_clear(caught.value)

    def test_dump_of_unchanged_database_is_the_same(self, engine: DumpEngine, filled: str) -> None:
        """Two dumps of a database that nobody changed have the same bytes, and lack nothing."""
        assert read_dump(engine, filled) == read_dump(engine, filled)

    def test_dump_comes_in_pieces_of_any_size(self, engine: DumpEngine, filled: str) -> None:
        """A read gives no more than it was asked for, and after the end the end again."""
        whole = read_dump(engine, filled)
        pieces = []
        with engine.dump(filled) as dump:
            while piece := dump.read(1000):
                assert len(piece) <= 1000
                pieces.append(piece)
            assert dump.read(1000) == b""

        assert b"".join(pieces) == whole

    def test_dump_can_be_given_up(self, engine: DumpEngine, filled: str) -> None:
        """A dump is closed in the middle, twice, without an error, and the next one is whole."""
        with engine.dump(filled) as dump:
            dump.read(1)
            dump.close()

        assert read_dump(engine, filled)

    def test_dump_of_missing_database_is_an_error(self, engine: DumpEngine) -> None:
        """A database that was listed and is gone at dump time gives a line that names it."""
        with pytest.raises(DumpError) as caught:
            read_dump(engine, _NOBODY_HAS_THIS)

        assert_clear(caught.value)
        assert _NOBODY_HAS_THIS in caught.value.message

    def test_restore_to_another_name(
        self, engine: DumpEngine, filled: str, spare: str, contents: Callable[[str], object]
    ) -> None:
        """A dump makes a new database that equals the old one, which stays as it is."""
        before = contents(filled)

        engine.restore(spare, opener(read_dump(engine, filled)))

        assert contents(spare) == before
        assert contents(filled) == before

    def test_restore_replaces(
        self,
        engine: DumpEngine,
        filled: str,
        contents: Callable[[str], object],
        change: Callable[[str], object],
    ) -> None:
        """What was changed or added after the dump is gone after the restore, and nothing is left beside it."""
        names = [database.name for database in engine.databases()]
        before = contents(filled)
        dump = read_dump(engine, filled)
        change(filled)
        assert contents(filled) != before

        engine.restore(filled, opener(dump))

        assert contents(filled) == before
        assert [database.name for database in engine.databases()] == names
        assert read_dump(engine, filled) == dump

    @pytest.mark.parametrize("cut", ["nothing", "first byte", "half", "last line", "last byte"])
    def test_dump_cut_short_is_refused(
        self, engine: DumpEngine, filled: str, contents: Callable[[str], object], cut: str
    ) -> None:
        """A dump that ends too early changes nothing on the server."""
        dump = read_dump(engine, filled)
        size = {
            "nothing": 0,
            "first byte": 1,
            "half": len(dump) // 2,
            "last line": dump.rstrip(b"\n").rfind(b"\n") + 1,
            "last byte": len(dump) - 1,
        }[cut]
        names = [database.name for database in engine.databases()]
        before = contents(filled)

        with pytest.raises(RestoreError) as caught:
            engine.restore(filled, opener(dump[:size]))

        assert_clear(caught.value)
        assert contents(filled) == before
        assert [database.name for database in engine.databases()] == names

    @pytest.mark.parametrize("foreign", [b"\x00" * 5000, b"DROP DATABASE shop;\n" * 100, b"PK\x03\x04zip"])
    def test_foreign_dump_is_refused(
        self, engine: DumpEngine, filled: str, contents: Callable[[str], object], foreign: bytes
    ) -> None:
        """What is no dump of this engine changes nothing on the server."""
        before = contents(filled)

        with pytest.raises(RestoreError) as caught:
            engine.restore(filled, opener(foreign))

        assert_clear(caught.value)
        assert contents(filled) == before

    @pytest.mark.parametrize("reading", [0, 1])
    def test_unreadable_dump_changes_nothing(
        self, engine: DumpEngine, filled: str, contents: Callable[[str], object], reading: int
    ) -> None:
        """A dump that cannot be read to its end, the first or the second time, leaves the database as it was."""
        dump = read_dump(engine, filled)
        before = contents(filled)
        names = [database.name for database in engine.databases()]
        streams: list[_Stream] = []

        def open_dump() -> io.BufferedReader:
            streams.append(_Stream(dump, broken=len(streams) == reading))
            return io.BufferedReader(streams[-1])

        try:
            engine.restore(filled, open_dump)
        except JetcoreError as error:
            assert "the disk is gone" in str(error)  # noqa: PT017  # an engine that reads once meets no error
        else:
            assert len(streams) == 1
            assert reading == 1

        assert contents(filled) == before
        assert [database.name for database in engine.databases()] == names
        assert all(stream.closed for stream in streams)

    def test_users_of_no_database(self, engine: DumpEngine) -> None:
        """Nobody has privileges in no database."""
        assert not engine.users([])

    def test_users_come_back(
        self, engine: DumpEngine, filled: str, forget_user: Callable[[DatabaseUser], object]
    ) -> None:
        """A user that was removed is the same after its restore, and a second restore changes nothing."""
        users = engine.users([filled])
        assert users
        assert [user.name for user in users] == sorted({user.name for user in users})
        assert all(user.databases == (filled,) and user.definition for user in users)

        for user in users:
            forget_user(user)
        assert not engine.users([filled])
        for user in [*users, *users]:
            engine.restore_user(user)

        assert engine.users([filled]) == users


def read_dump(engine: DumpEngine, database: str) -> bytes:
    """Return a whole dump that lacks nothing."""
    with engine.dump(database) as dump:
        whole = b"".join(iter(lambda: dump.read(1 << 20), b""))
        assert not dump.missing
        return whole


def opener(dump: bytes) -> Callable[[], io.BytesIO]:
    """Return what :meth:`jetcore.DumpEngine.restore` takes."""
    return lambda: io.BytesIO(dump)


def assert_clear(error: JetcoreError) -> None:
    """Check that *error* is one line that says something."""
    assert error.message.strip()
    assert "\n" not in str(error)


class _Stream(io.RawIOBase):
    """A stream, the second half of which can be gone."""

    def __init__(self, data: bytes, *, broken: bool) -> None:
        super().__init__()
        self._data = io.BytesIO(data[: len(data) // 2] if broken else data)
        self._broken = broken

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what RawIOBase gives it
        size = self._data.readinto(buffer)
        if not size and self._broken:
            raise JetcoreError("the disk is gone")
        return size
