from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jetcore.repository.index import Location
from jetcore.repository.spans import MAX_BYTES, MAX_GAP_BYTES, spans

A, B = b"a" * 32, b"b" * 32


def at(pack: bytes, offset: int, length: int) -> tuple[bytes, Location]:
    return b"%d" % offset, Location(pack, offset, length, 0)


def test_neighbours_are_read_at_one_go() -> None:
    """Blobs that lie side by side, or nearly, make one span, in whatever order they are asked for."""
    blobs = [at(A, 150, 50), at(A, 0, 100), at(A, 100, 50), at(A, 200 + MAX_GAP_BYTES, 10)]

    (span,) = spans(blobs)

    assert (span.pack, span.offset, span.length) == (A, 0, 210 + MAX_GAP_BYTES)
    assert [location.offset for _, location in span.blobs] == [0, 100, 150, 200 + MAX_GAP_BYTES]


def test_what_lies_far_apart_is_not() -> None:
    """A wide gap, another pack and a span that is long enough begin a new one."""
    far = MAX_GAP_BYTES + 101
    blobs = [at(A, 0, 100), at(A, far, MAX_BYTES), at(A, far + MAX_BYTES, 1), at(B, far + MAX_BYTES + 1, 1)]

    assert [(span.pack, span.offset, span.length) for span in spans(blobs)] == [
        (A, 0, 100),
        (A, far, MAX_BYTES),
        (A, far + MAX_BYTES, 1),
        (B, far + MAX_BYTES + 1, 1),
    ]


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 1 << 24)), unique=True))
def test_every_blob_is_in_one_span(places: list[tuple[bytes, int]]) -> None:
    """Each blob lies whole in exactly one span of its pack."""
    blobs = [at(pack, number * 1000, 1000) for pack, number in places]
    found: list[tuple[bytes, Location]] = []

    for span in spans(blobs):
        for blob in span.blobs:
            assert span.offset <= blob[1].offset
            assert blob[1].offset + blob[1].length <= span.offset + span.length
            assert blob[1].pack == span.pack
        found += span.blobs

    assert sorted(found) == sorted(blobs)
