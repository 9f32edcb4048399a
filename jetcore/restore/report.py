"""What a restore did: the result that callers get, and the tally that is kept on the way."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from jetcore.restore.names import shown

_MOST_PROBLEMS = 1000
_LONGEST_PATH = 4096


@attrs.frozen
class RestoreProblem:
    """Something of the restore point that is not in the target as it should be."""

    #: Relative to the target; the end of it where it is longer than 4096 bytes.
    path: bytes
    message: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.message}"


@attrs.frozen(kw_only=True)
class RestoredTree:
    """What :func:`jetcore.restore.writer.restore_tree` put back."""

    #: Everything but directories: files, symbolic links, FIFOs, devices.
    files: int = 0
    #: Directories that were made or given their metadata.
    directories: int = 0
    #: Size of the restored files' contents.
    bytes: int = 0
    #: The first thousand problems.
    problems: tuple[RestoreProblem, ...] = ()
    #: How many problems there were in all.
    problem_count: int = 0
    #: What was left out on purpose, a sentence each: sockets, setuid bits, owners that were replaced.
    notes: tuple[str, ...] = ()


class Tally:
    """Counts what a restore does; each process has its own and the parent adds them up."""

    def __init__(self) -> None:
        self.files = 0
        self.directories = 0
        self.bytes = 0
        self.problem_count = 0
        self._problems: list[RestoreProblem] = []
        # What is said once, however often it happens: message -> (first path, count).
        self._losses: dict[str, tuple[bytes, int]] = {}
        self._notes: dict[str, tuple[bytes, int]] = {}

    def problem(self, path: bytes, message: str) -> None:
        """Record that *path* is missing or not as it should be."""
        self.problem_count += 1
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(RestoreProblem(path[-_LONGEST_PATH:], message))

    def loss(self, path: bytes, message: str) -> None:
        """Record that something of *path*, not the whole of it, was lost; said once with the first path."""
        _count(self._losses, message, path[-_LONGEST_PATH:], 1)

    def note(self, path: bytes, message: str) -> None:
        """Record that something of *path* was left out on purpose; said once with the first path."""
        _count(self._notes, message, path[-_LONGEST_PATH:], 1)

    def result(self) -> RestoredTree:
        """Return everything that was counted."""
        losses = [RestoreProblem(path, _with_others(message, n)) for message, (path, n) in self._losses.items()]
        return RestoredTree(
            files=self.files,
            directories=self.directories,
            bytes=self.bytes,
            problems=tuple(sorted(self._problems, key=lambda problem: problem.path) + losses),
            problem_count=self.problem_count + len(losses),
            notes=tuple(f"{shown(path)}: {_with_others(message, n)}" for message, (path, n) in self._notes.items()),
        )

    def encode(self) -> bytes:
        """Return the tally as one line of JSON; paths are written as Latin-1 so that any bytes survive."""
        return orjson.dumps(
            {
                "files": self.files,
                "directories": self.directories,
                "bytes": self.bytes,
                "problem_count": self.problem_count,
                "problems": [(problem.path.decode("latin-1"), problem.message) for problem in self._problems],
                "losses": [(message, path.decode("latin-1"), n) for message, (path, n) in self._losses.items()],
                "notes": [(message, path.decode("latin-1"), n) for message, (path, n) in self._notes.items()],
            }
        )

    def add(self, encoded: dict[str, Any]) -> None:
        """Add the tally that another process encoded."""
        self.files += encoded["files"]
        self.directories += encoded["directories"]
        self.bytes += encoded["bytes"]
        for path, message in encoded["problems"]:
            self.problem(path.encode("latin-1"), message)
        self.problem_count += encoded["problem_count"] - len(encoded["problems"])
        for counts, key in ((self._losses, "losses"), (self._notes, "notes")):
            for message, path, n in encoded[key]:
                _count(counts, message, path.encode("latin-1"), n)


def _count(counts: dict[str, tuple[bytes, int]], message: str, path: bytes, n: int) -> None:
    first, before = counts.get(message, (path, 0))
    counts[message] = (first, before + n)


def _with_others(message: str, n: int) -> str:
    return message if n == 1 else f"{message} (and {n - 1} more)"
