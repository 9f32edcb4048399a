"""One account, jetcore and restic: what the benchmarks with a single question share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
from rich.console import Console

from benchmarks.accounts import FIRST_UID, Accounts
from benchmarks.measure import Command, Cost, run
from benchmarks.peers import Jetcore, Restic, Tool

_BUILD = Path(__file__).parents[1] / "build" / "benchmarks"
_console = Console(width=110)


@attrs.frozen
class Versus:
    """Jetcore and restic, each with a store of its own, and an account that both back up."""

    accounts: Accounts
    jetcore: Tool
    restic: Tool

    @property
    def home(self) -> Path:
        """The account's home directory."""
        return self.accounts.home / self.accounts.names[0]

    def measure(self, work: str, commands: Callable[[Tool], Sequence[Command]], *, stored: bool = False) -> None:
        """Let both do *work* and print a line with what each took, and jetcore's share of restic's.

        :param stored: Also compare by how much the stores grew.
        """
        costs: list[Cost] = []
        grown: list[int] = []
        for tool in (self.jetcore, self.restic):
            before = tool.stored()
            os.sync()
            costs.append(run(commands(tool)))
            grown.append(tool.stored() - before)
        own, its = costs
        line = (
            f"{work}: jetcore {own.wall:.2f} s, {own.peak / 1e6:.0f} MB; restic {its.wall:.2f} s, "
            f"{its.peak / 1e6:.0f} MB; time ratio {own.wall / its.wall:.2f}, memory ratio {own.peak / its.peak:.2f}"
        )
        if stored:
            line += f"; added {grown[0] / 1e6:.2f} and {grown[1] / 1e6:.2f} MB, ratio {grown[0] / (grown[1] or 1):.2f}"
        _console.print(line)

    def restore(self, work: str, path: str) -> None:
        """Let both restore one path of the home directory into an empty directory."""
        targets = [Path(tempfile.mkdtemp(dir=self.accounts.root.parent)) for _ in range(2)]

        def commands(tool: Tool) -> Sequence[Command]:
            if tool is self.jetcore:
                return [tool.command("restore", self.accounts.names[0], "--path", path, "--to", str(targets[0]))]
            words = ("restore", "--quiet", "latest", "--include", str(self.home / path), "--target", str(targets[1]))
            return [tool.command(*words)]

        self.measure(work, commands)
        for target in targets:
            shutil.rmtree(target)


@contextmanager
def versus() -> Iterator[Versus]:
    """Make an account with an empty home, and a store for each program; remove everything in the end."""
    _BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as work:
        root = Path(work, "server")
        (root / "etc").mkdir(parents=True)
        (root / "home" / "shop").mkdir(parents=True)
        (root / "etc" / "passwd").write_text(f"shop:x:{FIRST_UID}:{FIRST_UID}::/home/shop:/bin/bash\n")
        accounts = Accounts(root=root, names=("shop",), source="made up")
        made = Versus(accounts, Jetcore(Path(work, "jetcore"), accounts), Restic(Path(work, "restic"), accounts))
        for tool in (made.jetcore, made.restic):
            tool.prepare()
        yield made
