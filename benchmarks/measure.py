"""Run programs and say what they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

_LAUNCH = Path(__file__).with_name("launch.py")


@attrs.frozen
class Command:
    """A program to be run, as in a shell."""

    argv: Sequence[str | Path]
    env: Mapping[str, str] = attrs.field(factory=dict)
    cwd: Path | None = None


@attrs.frozen(kw_only=True)
class Cost:
    """What a run took."""

    #: Seconds by the clock.
    wall: float
    #: Seconds of processor time, user and system, with all children.
    cpu: float
    #: Bytes that the largest of its processes had in memory.
    peak: int


def run(commands: Sequence[Command]) -> Cost:
    """Run *commands* one after the other and return what they took together.

    :raises RuntimeError: One of them failed; the message has what it printed.
    """
    costs = [_run(command) for command in commands]
    return Cost(
        wall=sum(cost.wall for cost in costs),
        cpu=sum(cost.cpu for cost in costs),
        peak=max(cost.peak for cost in costs),
    )


def _run(command: Command) -> Cost:
    argv = [str(word) for word in command.argv]
    order = {"argv": argv, "env": dict(command.env), "cwd": str(command.cwd) if command.cwd else None}
    launched = subprocess.run(
        [sys.executable, "-S", "-E", _LAUNCH], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    took = json.loads(launched.stdout)
    if took["status"] != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {took['status']}: {took['said'].strip()}")
    return Cost(wall=took["wall"], cpu=took["cpu"], peak=took["peak"])


def stored_bytes(folder: Path) -> int:
    """Return the bytes of all files below *folder*, those with several names counted once."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            facts = os.lstat(os.path.join(parent, name))
            sizes[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(sizes.values())
