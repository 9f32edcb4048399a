"""Tests that every type of destination has to pass, to inherit from; see :mod:`jetcore.testing`."""

from __future__ import annotations

import threading

import pytest

from jetcore.abc import Destination
from jetcore.errors import BadInputError, DestinationError, ObjectNotFoundError

_BAD_NAMES = (
    *("", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.", ".hidden", "a/.b"),
    *("a b", "a\nb", "a\0b", "ä", "a\\b"),
)


class DestinationContract:
    """What holds for every destination.

    A subclass gives two fixtures: ``destination``, an empty one, and ``again``, a second instance on the same store.
    """

    def test_what_was_put_is_got(self, destination: Destination) -> None:
        """An object comes back byte for byte, the empty one too."""
        destination.put("a", b"\x00\xff contents")
        destination.put("empty", b"")

        assert destination.get("a") == b"\x00\xff contents"
        assert destination.get("empty") == b""

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_every_kind_of_buffer_can_be_put(self, destination: Destination, kind: type) -> None:
        """Bytes, bytearrays and memoryviews are taken, alone and several at once."""
        destination.put("one", kind(b"one"))
        destination.put("several", [kind(b"one"), b"", kind(b"two")])

        assert destination.get("one") == b"one"
        assert destination.get("several") == b"onetwo"

    def test_many_and_large_buffers_can_be_put(self, destination: Destination) -> None:
        """Thousands of buffers and many megabytes make one object."""
        buffers = [bytes([number % 251]) * 7 for number in range(3000)] + [bytes(9 << 20)]
        destination.put("many", buffers)

        assert destination.get("many") == b"".join(buffers)

    def test_put_replaces(self, destination: Destination) -> None:
        """A second put of the same name wins as a whole."""
        destination.put("a", b"long first contents")
        destination.put("a", b"second")

        assert destination.get("a") == b"second"
        assert [(info.name, info.bytes) for info in destination.list()] == [("a", 6)]

    def test_ranges(self, destination: Destination) -> None:
        """A part of an object can be read by offset and length."""
        destination.put("a", b"0123456789")

        assert destination.get("a", 3) == b"3456789"
        assert destination.get("a", 3, 4) == b"3456"
        assert destination.get("a", 10) == b""
        assert destination.get("a", 4, 0) == b""

    @pytest.mark.parametrize(("offset", "length"), [(0, 11), (9, 2), (11, None), (11, 0)])
    def test_ranges_beyond_the_end_are_refused(self, destination: Destination, offset: int, length: int | None) -> None:
        """An object that is shorter than asked for is an error, never a short answer."""
        destination.put("a", b"0123456789")

        with pytest.raises(DestinationError) as caught:
            destination.get("a", offset, length)
        assert not isinstance(caught.value, ObjectNotFoundError)

    def test_a_missing_object_is_named(self, destination: Destination) -> None:
        """Getting what is not there says so, in an empty store, beside others and below another object's name."""
        with pytest.raises(ObjectNotFoundError, match="nothing"):
            destination.get("folder/nothing")
        destination.put("folder/something", b"x")
        with pytest.raises(ObjectNotFoundError, match="nothing"):
            destination.get("folder/nothing")

    def test_list(self, destination: Destination) -> None:
        """A folder lists all that is below it, at any depth, and nothing else."""
        for name in ("config", "data/ab/1", "data/ab/2", "data/cd/3", "database/4", "index/5"):
            destination.put(name, name.encode())

        assert sorted((info.name, info.bytes) for info in destination.list("data/")) == [
            ("data/ab/1", 9),
            ("data/ab/2", 9),
            ("data/cd/3", 9),
        ]
        assert sorted(info.name for info in destination.list("data/ab/")) == ["data/ab/1", "data/ab/2"]
        assert len(list(destination.list())) == 6

    def test_lists_of_nothing(self, destination: Destination) -> None:
        """An empty store and a folder that nobody made list nothing."""
        assert list(destination.list()) == []
        assert list(destination.list("data/")) == []

    def test_delete(self, destination: Destination) -> None:
        """A deleted object is gone, its neighbours are not, and deleting it again is no error."""
        destination.put("a/b", b"1")
        destination.put("a/c", b"2")
        destination.delete("a/b")
        destination.delete("a/b")
        destination.delete("never/was")

        assert [info.name for info in destination.list()] == ["a/c"]
        with pytest.raises(ObjectNotFoundError):
            destination.get("a/b")

    def test_another_instance_sees_the_same(self, destination: Destination, again: Destination) -> None:
        """What one instance stores or removes, another one on the same store finds so."""
        destination.put("a", b"1")
        destination.put("b", b"2")
        again.delete("b")

        assert again.get("a") == b"1"
        assert [info.name for info in destination.list()] == ["a"]

    @pytest.mark.parametrize("name", _BAD_NAMES)
    def test_impossible_names_are_refused(self, destination: Destination, name: str) -> None:
        """A name that could lead elsewhere, or that some store cannot keep, is refused by every verb."""
        with pytest.raises(BadInputError):
            destination.put(name, b"")
        with pytest.raises(BadInputError):
            destination.get(name)
        with pytest.raises(BadInputError):
            destination.delete(name)

    @pytest.mark.parametrize("prefix", ["/", "a", "../", "a/../", "./", "a//", ".a/"])
    def test_impossible_folders_are_refused(self, destination: Destination, prefix: str) -> None:
        """A folder to list is empty or a valid name and a slash."""
        with pytest.raises(BadInputError):
            list(destination.list(prefix))

    def test_several_threads(self, destination: Destination) -> None:
        """Several threads can store at once, also into a folder that none of them finds there."""
        threads = [
            threading.Thread(target=destination.put, args=(f"new/folder/{number}", bytes([number]) * 1000))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for number in range(8):
            assert destination.get(f"new/folder/{number}") == bytes([number]) * 1000

    def test_closing_is_not_the_end(self, destination: Destination) -> None:
        """A closed destination opens itself again when it is used."""
        destination.put("a", b"1")
        destination.close()
        destination.close()

        assert destination.get("a") == b"1"

    def test_free_bytes(self, destination: Destination) -> None:
        """The free space is a number or unknown, never negative."""
        free = destination.free_bytes()

        assert free is None or free >= 0
