"""What does a large SQL dump add when rows were inserted in its middle? ``python -m benchmarks.changed_dump``."""

from __future__ import annotations

import random
from pathlib import Path

import click

from benchmarks.versus import versus

_ROW = "INSERT INTO `orders` VALUES (%d,'%s','2026-01-01 00:00:00',%d,'%s');\n"


def _write(path: Path, *, size: int, inserted: int) -> None:
    """Write a dump of about *size* bytes, with *inserted* more rows in the middle."""
    rng = random.Random(1)
    written = number = 0
    done = False
    with path.open("w", encoding="ascii", buffering=1 << 20) as file:
        while written < size:
            if not done and written > size // 2:
                for extra in range(inserted):
                    file.write(_ROW % (10**9 + extra, "inserted row", extra, "new"))
                done = True
            number += 1
            written += file.write(
                _ROW % (number, rng.randbytes(24).hex(), rng.randrange(10**6), rng.randbytes(12).hex())
            )


@click.command()
@click.option("--size", default=4096, show_default=True, help="Size of the dump in MiB.")
def main(size: int) -> None:
    """Compare jetcore with restic on one large dump, and again with 200 rows inserted in its middle."""
    with versus() as pair:
        dump = pair.home / "shop.sql"
        _write(dump, size=size << 20, inserted=0)
        pair.measure(f"dump of {size} MiB, first", lambda tool: tool.backup(), stored=True)
        _write(dump, size=size << 20, inserted=200)
        pair.measure("with 200 rows inserted", lambda tool: tool.backup(), stored=True)


if __name__ == "__main__":
    main()
