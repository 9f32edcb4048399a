"""Work in forked processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from jetcore.scheduler.fork import Ended, run_forked


def test_each_item_is_worked_on_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Three items leave the process ids of three processes, none of them ours."""

    def work(item: int) -> int:
        (tmp_path / str(item)).write_text(str(os.getpid()))
        return 0

    assert sorted(run_forked(work, [1, 2, 3], forks=2)) == [(item, Ended(0, 0)) for item in (1, 2, 3)]
    assert len({os.getpid(), *(int(path.read_text()) for path in tmp_path.iterdir())}) == 4


def test_the_exit_status_comes_back() -> None:
    """What the work returns is what the parent gets."""
    assert list(run_forked(lambda item: item, [6], forks=1)) == [(6, Ended(6, 0))]


def test_a_killed_fork_is_told_from_one_that_ended() -> None:
    """The signal that killed it comes back, and the next item is worked on."""

    def work(item: int) -> int:
        if item:
            os.kill(os.getpid(), item)
        return 0

    assert list(run_forked(work, [signal.SIGKILL, 0], forks=1)) == [
        (signal.SIGKILL, Ended(0, signal.SIGKILL)),
        (0, Ended(0, 0)),
    ]


def test_nothing_escapes_from_a_fork() -> None:
    """An exception, and even an exit, in the work ends the fork and nothing else."""

    def work(item: str) -> int:
        if item == "exit":
            sys.exit(0)
        raise ValueError(item)

    assert dict(run_forked(work, ["error", "exit"], forks=2)) == {"error": Ended(1, 0), "exit": Ended(1, 0)}


def test_no_more_forks_than_allowed_run_at_once(tmp_path: Path) -> None:
    """With two forks, the third item is begun only after one of the others has ended."""
    told, tell = os.pipe()

    def work(item: int) -> int:
        os.write(tell, b"(%d" % item)
        os.write(tell, b")%d" % item)
        return 0

    list(run_forked(work, list(range(8)), forks=2))
    story = os.read(told, 4096).decode()
    os.close(told)
    os.close(tell)

    depths = [story[:end].count("(") - story[:end].count(")") for end in range(len(story))]
    assert max(depths) <= 2
    assert story.count(")") == 8


def test_stopping_early_leaves_no_process_behind() -> None:
    """Whoever stops asking stops the forks that still run."""
    told, tell = os.pipe()

    def work(item: int) -> int:
        if not item:
            return 0
        os.write(tell, b"%d\n" % os.getpid())
        signal.pause()
        return 0

    ended = run_forked(work, [1, 0], forks=2)
    assert next(ended) == (0, Ended(0, 0))
    pid = int(os.read(told, 100))
    ended.close()
    os.close(told)
    os.close(tell)

    assert not Path(f"/proc/{pid}").exists()
