"""Snapshots: the small documents that name a tree; a restore point is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobId
from jetcore.repository.times import format_time, parse_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Snapshot:
    """A state of the backed-up paths at one point in time."""

    #: 64 hex digits; empty before it is saved.
    id: str = ""
    #: When it was begun; aware.
    time: datetime
    #: Tree blob of the topmost folder.
    tree: BlobId
    #: Id (hex) of the snapshot that this one was compared with.
    parent: str | None = None
    #: Absolute.
    paths: tuple[str, ...] = ()
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    tags: tuple[str, ...] = ()
    program_version: str = ""
    #: Counters by the format's names: ``files_new``, ``data_added``, ``total_bytes_processed`` …
    summary: Mapping[str, Any] = attrs.field(factory=dict)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return *snapshot* as the JSON document of its file."""
    document: dict[str, Any] = {
        "time": encode_datetime(snapshot.time),
        "parent": snapshot.parent,
        "tree": snapshot.tree.hex(),
        "paths": [_text(path) for path in snapshot.paths],
        "hostname": _text(snapshot.hostname),
        "username": _text(snapshot.username),
        "uid": snapshot.uid,
        "gid": snapshot.gid,
        "tags": [_text(tag) for tag in snapshot.tags],
        "program_version": snapshot.program_version,
        "summary": dict(snapshot.summary),
    }
    needed = ("time", "tree", "paths")
    return orjson.dumps({name: value for name, value in document.items() if value or name in needed})


def decode_snapshot(snapshot_id: str, document: bytes) -> Snapshot:
    """Return the snapshot in a JSON *document*.

    :raises CorruptRepositoryError: The document makes no sense.
    """
    try:
        fields = orjson.loads(document)
        tree = bytes.fromhex(fields["tree"])
        if len(tree) != 32:
            raise ValueError("its tree is no id")  # noqa: TRY301  # the same answer as to all other nonsense
        return Snapshot(
            id=snapshot_id,
            time=decode_datetime(fields["time"]),
            tree=tree,
            parent=fields.get("parent"),
            paths=tuple(fields["paths"] or ()),
            hostname=fields.get("hostname", ""),
            username=fields.get("username", ""),
            uid=fields.get("uid", 0),
            gid=fields.get("gid", 0),
            tags=tuple(fields.get("tags") or ()),
            program_version=fields.get("program_version", ""),
            summary=fields.get("summary") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptRepositoryError(f"it is no snapshot: {error!r}") from error


def encode_datetime(time: datetime) -> str:
    """Return an aware *time* as the format writes times."""
    return format_time((time - _EPOCH) // timedelta(microseconds=1) * 1000).decode()


def decode_datetime(text: str) -> datetime:
    """Return the time in *text*, in UTC and to the microsecond."""
    return _EPOCH + timedelta(microseconds=parse_time(text) // 1000)


def _text(text: str) -> str:
    # A name that is no UTF-8 carries surrogates, which JSON cannot; the format has no other place for it here.
    return text.encode("utf-8", "replace").decode()
