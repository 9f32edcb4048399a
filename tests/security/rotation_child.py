"""Rotates a copied installation over and over, each time killed one step later; run by the tests of the rotation."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from jetcore.security.rotation import rotate
from jetcore.state.engine import make_engine


def die_at(step: int) -> None:
    """Kill this process before its step of that number: a statement, a commit, or a change of the file system."""
    left = itertools.count(step, -1)

    def count(*_event: object) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(name: str, _arguments: tuple[object, ...]) -> None:
        if name in {"os.rename", "os.link", "os.remove", "open", "os.chmod", "os.truncate"}:
            count()

    def statement(_connection: Connection, _cursor: object, sql: str, *_rest: object) -> None:
        if not sql.startswith("SELECT"):
            count()

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "after_cursor_execute", statement)
    event.listen(Engine, "commit", count)
    sys.addaudithook(hook)


def main(home: Path, copies: Path) -> None:
    """Print the directories of the copies, each of which was killed at its own step; the last one was not."""
    for step in itertools.count():
        copy = copies / str(step)
        shutil.copytree(home, copy)
        child = os.fork()
        if child == 0:
            engine = make_engine(f"sqlite:///{copy / 'state.db'}")
            die_at(step)
            rotate(engine, copy / "master.key")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(copy, flush=True)
        if status == 0:
            return


main(Path(sys.argv[1]), Path(sys.argv[2]))
