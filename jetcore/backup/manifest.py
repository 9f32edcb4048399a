"""``/config/parts.json`` of a restore point: whose it is, and how each part fared.

It makes a point explain itself when the state database is lost, so it lies in the repository; and it says the same as
long as nothing changes, so it holds no times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.model import Account, Outcome, Part, PartReport, part_kind

#: Path of the manifest in a restore point.
MANIFEST = "config/parts.json"
_VERSION = 1


@attrs.frozen(kw_only=True)
class Manifest:
    """What a restore point says of itself."""

    account: Account
    parts: tuple[PartReport, ...]

    def encode(self) -> bytes:
        """Return the file's contents."""
        document = {
            "version": _VERSION,
            "account": {**attrs.asdict(self.account), "home": str(self.account.home)},
            "parts": [_part_out(report) for report in self.parts],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read a manifest.

        :raises CorruptRepositoryError: It is not one that this version understands.
        """
        try:
            document = orjson.loads(data)
            if document["version"] != _VERSION:
                raise CorruptRepositoryError(
                    f"/{MANIFEST} of the restore point has version {document['version']}, not {_VERSION}",
                    hint="use a newer jetcore",
                )
            account = document["account"]
            return cls(
                account=Account(
                    **{**account, "home": Path(account["home"]), "domains": tuple(account["domains"])},
                ),
                parts=tuple(_part_in(part) for part in document["parts"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise CorruptRepositoryError(f"/{MANIFEST} of the restore point is damaged: {error}") from error


def _part_out(report: PartReport) -> dict[str, Any]:
    return {
        "part": str(report.part),
        "engine": report.part.engine,
        "outcome": report.outcome.value,
        "path": report.path,
        "files": report.files,
        "bytes": report.bytes,
        "messages": list(report.messages),
    }


def _part_in(document: Mapping[str, Any]) -> PartReport:
    label: str = document["part"]
    messages: Sequence[str] = document["messages"]
    return PartReport(
        part=Part(part_kind(label), label.partition(":")[2], document["engine"]),
        outcome=Outcome(document["outcome"]),
        path=document["path"],
        files=document["files"],
        bytes=document["bytes"],
        messages=tuple(messages),
    )
