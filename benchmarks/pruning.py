"""How long does a prune take after half of 20 points were dropped? ``python -m benchmarks.pruning``."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence

import click

from benchmarks.accounts import change_some, fill_home
from benchmarks.measure import Command, run
from benchmarks.peers import Tool
from benchmarks.versus import Versus, versus

_NIGHTS = 20


@click.command()
@click.option("--size", default=1.0, show_default=True, help="Size of the account; 1 is 2,400 files and 150 MB.")
@click.option("--share", default=0.05, show_default=True, help="Share of the files that change every night.")
def main(size: float, share: float) -> None:
    """Compare the prunes of jetcore and restic: 20 nightly points, every second one dropped."""
    with versus() as pair:
        fill_home(pair.home, "shop.example", rng=random.Random(1), size=size)
        files = sorted(path for path in pair.home.rglob("*") if path.is_file() and not path.is_symlink())
        for night in range(_NIGHTS):
            for tool in (pair.jetcore, pair.restic):
                run(tool.backup())
            change_some(files, share=share, seed=night)
        for tool in (pair.jetcore, pair.restic):
            run([_drop(pair, tool)])
        pair.measure(f"prune after {_NIGHTS // 2} of {_NIGHTS} points", lambda tool: [_prune(pair, tool)], stored=True)


def _drop(pair: Versus, tool: Tool) -> Command:
    name = pair.accounts.names[0]
    if tool is pair.restic:
        listed = _asked(tool.command("snapshots", "--json"))
        return tool.command("forget", "--quiet", *(point["short_id"] for point in listed[::2]))
    listed = _asked(tool.command("--json", "points", name))
    return tool.command("repository", "forget", name, *(point["id"][:12] for point in listed[::2]))


def _prune(pair: Versus, tool: Tool) -> Command:
    if tool is pair.restic:
        return tool.command("prune", "--quiet")
    return tool.command("repository", "prune", pair.accounts.names[0])


def _asked(command: Command) -> Sequence[dict[str, str]]:
    said = subprocess.run(list(map(str, command.argv)), capture_output=True, check=True)
    answer: Sequence[dict[str, str]] = json.loads(said.stdout)
    return answer


if __name__ == "__main__":
    main()
