"""Print one table: first backup, unchanged, 1 % changed and restore, for jetcore and its peers (``make bench``)."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import limit
from benchmarks.accounts import Accounts, change_some, make_accounts
from benchmarks.measure import Command, Cost, run, stored_bytes
from benchmarks.peers import PEERS, Jetcore, Tool

_BUILD = Path(__file__).parents[1] / "build" / "benchmarks"
_SEED = 20240229
_LIMIT = "(limit)"
#: The tools and the works in the order of the table.
TOOLS = (_LIMIT, *(tool.name for tool in PEERS))
WORKS = ("first backup", "unchanged", "one of them, unchanged", "1 % changed", "restore")


@attrs.frozen
class Result:
    """What one tool took for one work in one round."""

    work: str
    tool: str
    cost: Cost
    #: Bytes that all of the tool's backups take up afterwards; 0 where that does not change.
    stored: int = 0


def measure_round(folder: Path, accounts: Accounts, seed: int, tools: Sequence[type[Tool]]) -> Iterator[Result]:
    """Let each of *tools* do each work once, side by side, and yield what it took.

    All see the same files in the same state. What one has written is on the disk before the next one starts.
    """
    files = list(accounts.files())
    places = [tool(folder / tool.name.replace(" ", "_"), accounts) for tool in tools]
    for place in places:
        place.prepare()

    def each(work: str, commands: Callable[[Tool], Sequence[Command]]) -> Iterator[Result]:
        for place in places:
            if wanted := commands(place):
                os.sync()
                cost = run(wanted)
                yield Result(work, place.name, cost, place.stored())

    for path in files:
        path.read_bytes()
    yield Result("first backup", _LIMIT, run([limit.command(accounts.home)]))
    yield from each("first backup", lambda place: place.backup())
    yield from each("unchanged", lambda place: place.backup())
    yield from each("one of them, unchanged", lambda place: place.backup_one())
    change_some(files, share=0.01, seed=seed)
    yield from each("1 % changed", lambda place: place.backup())

    wanted_bytes = stored_bytes(accounts.home)
    for place in places:
        target = folder / "restored"
        target.mkdir()
        os.sync()
        yield Result("restore", place.name, run(place.restore(target)))
        if not wanted_bytes <= stored_bytes(target) <= wanted_bytes * 1.02:
            raise RuntimeError(f"{place.name} restored {stored_bytes(target)} bytes of {wanted_bytes}")
        shutil.rmtree(target)


def table_of(results: Sequence[Result]) -> Table:
    """Return a table of the medians, with jetcore's share of each peer's time."""
    table = Table("work", "tool", box=box.SIMPLE_HEAD)
    for heading in ("wall s", "CPU s", "peak MB", "stored MB", "jetcore / it"):
        table.add_column(heading, justify="right")
    for work in WORKS:
        of_work = [result for result in results if result.work == work]
        own = _median(result.cost.wall for result in of_work if result.tool == Jetcore.name)
        for place, tool in enumerate(tool for tool in TOOLS if any(result.tool == tool for result in of_work)):
            rounds = [result for result in of_work if result.tool == tool]
            wall = _median(result.cost.wall for result in rounds)
            stored = _median(result.stored for result in rounds)
            table.add_row(
                "" if place else work,
                tool,
                f"{wall:.2f}",
                f"{_median(result.cost.cpu for result in rounds):.2f}",
                f"{_median(result.cost.peak for result in rounds) / 1e6:.0f}",
                f"{stored / 1e6:.1f}" if stored else "",
                f"{own / wall:.2f}" if own and tool != Jetcore.name else "",
            )
        table.add_section()
    return table


def _median(figures: Iterable[float]) -> float:
    found = list(figures)
    return statistics.median(found) if found else 0


@click.command()
@click.option("--accounts", "count", default=6, show_default=True, help="How many accounts.")
@click.option("--size", default=1.0, show_default=True, help="Their size; 1 is 5,000 files and 165 MB each.")
@click.option("--rounds", default=3, show_default=True, help="How often all is done; the table has the medians.")
@click.option("--only", multiple=True, help="Measure only tools whose name begins like this.")
def main(count: int, size: float, rounds: int, only: tuple[str, ...]) -> None:
    """Compare jetcore with restic, borg, tar and rsync on the same accounts in the same run."""
    # So that what was made is removed then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=110)
    tools = [tool for tool in PEERS if not only or tool.name.startswith(only)]
    _BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as work:
        accounts = make_accounts(Path(work, "server"), count=count, size=size, seed=_SEED, cache=_BUILD / "wordpress")
        files = sum(1 for _ in accounts.files())
        console.print(
            f"{count} accounts, {files:,} files, {stored_bytes(accounts.home) / 1e6:,.0f} MB; {accounts.source}"
        )
        results: list[Result] = []
        for turn in range(rounds):
            folder = Path(work, f"round-{turn}")
            wanted = [tool for tool in tools if turn == 0 or not tool.slow]
            # Another one begins each time, so that none always runs in the same one's wake.
            start = turn % len(wanted)
            results += measure_round(folder, accounts, _SEED + turn, wanted[start:] + wanted[:start])
            shutil.rmtree(folder)
    console.print(table_of(results))
    console.print(
        f"Medians of {rounds} rounds (tar: 1) on {len(os.sched_getaffinity(0))} cores, files in the page cache. "
        "Stored: all backups so far. (limit) only reads, hashes, compresses and seals the same bytes on all cores."
    )
    console.print("; ".join(dict.fromkeys(tool.version() for tool in tools)))


if __name__ == "__main__":
    main()
