"""How do time and memory grow with the number of files? ``python -m benchmarks.many_files``."""

from __future__ import annotations

import random
import time

import click

from benchmarks.versus import versus

_IN_A_FOLDER = 1000


@click.command()
@click.option("--files", default=1_000_000, show_default=True, help="How many files of 1 KB the account has.")
def main(files: int) -> None:
    """Compare jetcore with restic on very many small files: first backup, unchanged, and one file restored."""
    rng = random.Random(1)
    with versus() as pair:
        for start in range(0, files, _IN_A_FOLDER):
            folder = pair.home / "mail" / f"{start // _IN_A_FOLDER:04}"
            folder.mkdir(parents=True)
            for number in range(start, min(start + _IN_A_FOLDER, files)):
                (folder / f"{number}.eml").write_bytes(rng.randbytes(512).hex().encode())
        # What is as new as the first backup is read again by the second.
        time.sleep(3)
        pair.measure(f"{files:,} files of 1 KB, first", lambda tool: tool.backup())
        pair.measure("unchanged", lambda tool: tool.backup())
        pair.restore("one file restored", f"mail/{files // _IN_A_FOLDER // 2:04}/{files // 2}.eml")


if __name__ == "__main__":
    main()
