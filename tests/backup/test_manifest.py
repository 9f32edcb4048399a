"""What a restore point says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetcore.backup.manifest import Manifest
from jetcore.errors import CorruptRepositoryError
from jetcore.model import Account, Contains, Outcome, Part, PartReport

ACCOUNT = Account(
    name="alice",
    panel="linux",
    home=Path("/home/alice"),
    uid=1000,
    gid=1000,
    uuid="00000000-0000-4000-8000-000000000000",
    domains=("a.example", "b.example"),
    extra={"shell": "/bin/sh"},
)
PARTS = (
    PartReport(
        part=Part(Contains.HOMEDIR), outcome=Outcome.PARTIAL, path="/homedir", files=3, bytes=9, messages=("x: y",)
    ),
    PartReport(
        part=Part(Contains.DATABASES, "a:b", "mysql"), outcome=Outcome.COMPLETED, path="/databases/mysql/a%3Ab.sql"
    ),
)


def test_a_manifest_reads_as_it_was_written() -> None:
    """Account and parts come back equal, names with colons included."""
    manifest = Manifest(account=ACCOUNT, parts=PARTS)

    assert Manifest.decode(manifest.encode()) == manifest


def test_the_same_account_gives_the_same_bytes() -> None:
    """Nothing in a manifest depends on when it is written."""
    assert Manifest(account=ACCOUNT, parts=PARTS).encode() == Manifest(account=ACCOUNT, parts=PARTS).encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b'{"version": 1, "account": {"name": "x"}, "parts": []}', id="fields missing"),
        pytest.param(b'{"version": 99}', id="newer version"),
    ],
)
def test_a_damaged_manifest_is_called_damaged(data: bytes) -> None:
    """Whatever is wrong with it, the error says which file it is."""
    with pytest.raises(CorruptRepositoryError, match=r"/config/parts\.json"):
        Manifest.decode(data)
