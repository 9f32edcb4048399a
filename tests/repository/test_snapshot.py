"""Snapshot documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository import Snapshot
from jetcore.repository.snapshot import decode_snapshot, encode_snapshot

snapshots = st.builds(
    Snapshot,
    id=st.just("0" * 64),
    time=st.datetimes(timezones=st.just(UTC)),
    tree=st.binary(min_size=32, max_size=32),
    parent=st.none() | st.just("1" * 64),
    paths=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    hostname=st.text(max_size=10),
    username=st.text(max_size=10),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    tags=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    program_version=st.text(max_size=10),
    summary=st.dictionaries(st.text(max_size=5), st.integers(0, 2**63) | st.text(max_size=5), max_size=3),
)


@given(snapshots)
def test_any_snapshot_survives(snapshot):
    """Whatever a snapshot holds comes back as it was."""
    assert decode_snapshot(snapshot.id, encode_snapshot(snapshot)) == snapshot


def test_json():
    """The JSON has the format's fields; what is empty is left out but for paths."""
    time = datetime(2024, 5, 6, 7, 8, 9, 120_000, tzinfo=timezone(timedelta(hours=2)))

    assert orjson.loads(encode_snapshot(Snapshot(time=time, tree=bytes(32)))) == {
        "time": "2024-05-06T05:08:09.12Z",
        "tree": "00" * 32,
        "paths": [],
    }


def test_paths_that_are_no_utf8():
    """A path that JSON cannot hold loses the odd byte and not the snapshot."""
    snapshot = Snapshot(time=datetime.now(UTC), tree=bytes(32), paths=("/a\udcff",))

    assert decode_snapshot("", encode_snapshot(snapshot)).paths == ("/a?",)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"time":"x","tree":"00","paths":[]}', b'{"time":1,"tree":2}']
)
def test_nonsense(document):
    """What is no snapshot is said to be damaged."""
    with pytest.raises(CorruptRepositoryError):
        decode_snapshot("", document)
