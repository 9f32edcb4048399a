"""Content-defined chunks."""

from __future__ import annotations

import io
import random

import pytest

from jetcore.repository.chunker import MAX_BYTES, MIN_BYTES, Chunker

DATA = random.Random(1).randbytes(20 << 20)


def cut(data, seed=5):
    return [bytes(chunk) for chunk in Chunker(seed).chunks(io.BytesIO(data).readinto)]


@pytest.mark.parametrize("size", [0, 1, MIN_BYTES - 1, MIN_BYTES])
def test_small_files_are_one_blob(size):
    """Up to 512 KiB a file is one blob, and an empty one is none."""
    assert cut(DATA[:size]) == ([DATA[:size]] if size else [])


@pytest.mark.parametrize("size", [MIN_BYTES + 1, 1 << 20, (4 << 20) + 1, MAX_BYTES, len(DATA) - 1, len(DATA)])
def test_chunks_make_the_whole(size):
    """The chunks, one after the other, are the file, and none but the last is too short or too long."""
    pieces = cut(DATA[:size])

    assert b"".join(pieces) == DATA[:size]
    assert all(MIN_BYTES <= len(piece) <= MAX_BYTES for piece in pieces[:-1])
    assert 0 < len(pieces[-1]) <= MAX_BYTES


def test_zeros():
    """Data without any place to cut is cut at the longest length."""
    assert [len(piece) for piece in cut(bytes(20 << 20))] == [MAX_BYTES, MAX_BYTES, 4 << 20]


@pytest.mark.parametrize("piece", [1000, 65_536, 3 << 20])
def test_reads_do_not_matter(piece):
    """However many bytes a read gives, the cuts are the same."""
    source = io.BytesIO(DATA)

    def read_into(buffer):
        return source.readinto(buffer[:piece])

    assert [bytes(chunk) for chunk in Chunker(5).chunks(read_into)] == cut(DATA)


def test_one_stream_after_the_other():
    """A chunker that has cut one stream, or was stopped in the middle of one, cuts the next one as a new one would."""
    chunker = Chunker(5)
    next(chunker.chunks(io.BytesIO(DATA[::-1]).readinto))

    assert [bytes(chunk) for chunk in chunker.chunks(io.BytesIO(DATA).readinto)] == cut(DATA)


def test_an_insertion_moves_no_later_cut():
    """After an insertion at the beginning nearly all chunks are the same as before."""
    before, after = cut(DATA), cut(b"inserted" + DATA)

    assert len(set(after) - set(before)) <= 2


def test_seed():
    """Another repository cuts the same data elsewhere."""
    assert [len(piece) for piece in cut(DATA, 5)] != [len(piece) for piece in cut(DATA, 6)]


def test_average_length():
    """Chunks are about as long as restic's, so a file has about as many."""
    pieces = cut(DATA)

    assert 10 <= len(pieces) <= 22


def test_never_asked_for_nothing():
    """The source is never asked for zero bytes, whose answer would look like its end."""
    source = io.BytesIO(DATA)
    asked = []

    def read_into(buffer):
        asked.append(len(buffer))
        return source.readinto(buffer)

    for _ in Chunker(5).chunks(read_into):
        pass

    assert min(asked) > 0
