"""Any sequence of changes, backups, forgetting, pruning and restoring, compared with a model in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from jetcore.backup import reader, walk
from jetcore.repository.check import ReadData, check
from jetcore.repository.forget import forget
from jetcore.repository.prune import prune
from jetcore.repository.repair import repair
from jetcore.restore.writer import restore_tree
from jetcore.state import points
from jetcore.state.engine import writing

SOAK = int(os.environ.get("SOAK", "0"))
#: A few names at a few places, so that they meet: as file and as folder, one in the place of the other.
NAMES = st.sampled_from([b"a", b"b", b"\xff", b"a\n"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.sampled_from([b"", b"1", b"2", b"x" * 5000, b"y" * 5000, bytes(1_200_000), b"z" * 600_000])


class Machine(RuleBasedStateMachine):
    """The real account in a folder, and what it holds as a dictionary."""

    def __init__(self, stored, folder):
        super().__init__()
        self.own = tempfile.TemporaryDirectory(dir=folder)
        own = Path(self.own.name)
        self.site, self.place, _ = stored.copy(own)
        self.home = os.fsencode(own / "home")
        os.mkdir(self.home)
        self.site.account = attrs.evolve(self.site.account, home=own / "home")
        self.core = self.site.core(self.place)
        self.target = own / "target"
        #: Content by path; None for a folder.
        self.files = {}
        #: What the home held when each listed point was made.
        self.points = {}

    def teardown(self):
        try:
            for point in self.points:
                self.compare(point)
        finally:
            self.core.close()
            self.own.cleanup()

    @rule(path=PATHS, content=CONTENTS)
    def write(self, path, content):
        """Write a file, with the folders on the way; what is there of another type goes."""
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            above = b"/".join(parts[:depth])
            if self.files.get(above, b"") is not None:
                self.remove(above)
                os.mkdir(self.home + b"/" + above)
                self.files[above] = None
        if self.files.get(path, b"") is None:
            self.remove(path)
        with open(self.home + b"/" + path, "wb") as file:
            file.write(content)
        self.files[path] = content

    @rule(path=PATHS)
    def remove(self, path):
        """Remove a file, or a folder with everything in it."""
        place = self.home + b"/" + path
        if self.files.get(path, b"") is None:
            shutil.rmtree(place)
        elif path in self.files:
            os.unlink(place)
        self.files = {other: kept for other, kept in self.files.items() if not (other + b"/").startswith(path + b"/")}

    @rule(path=PATHS)
    def edit_in_secret(self, path):
        """Change a file so that neither its size nor its mtime tell."""
        if self.files.get(path):
            place = self.home + b"/" + path
            times = os.stat(place)
            self.files[path] = self.files[path][:-1] + bytes([self.files[path][-1] ^ 1])
            with open(place, "r+b") as file:
                file.write(self.files[path])
            os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))

    @rule()
    def let_settle(self):
        """Let so much time pass that what did not change since is taken over from the former point unread."""
        time.sleep(2 * walk.GRANULARITY_NS / 1e9)

    @rule()
    def back_up(self):
        self.points[self.core.backup("alice").id] = dict(self.files)

    @precondition(lambda self: self.points)
    @rule(data=st.data())
    def forget(self, data):
        point = data.draw(st.sampled_from(sorted(self.points)))
        listed = self.core.point("alice", point)

        def unlist(_point):
            with writing(self.core._engine) as connection:
                points.remove(connection, listed)

        forget(self.core.repository("alice"), [point], first=unlist)
        del self.points[point]

    @precondition(lambda self: self.points)
    @rule()
    def prune(self):
        prune(self.core.repository("alice"))

    @precondition(lambda self: self.points)
    @rule()
    def repair(self):
        report = repair(self.core.repository("alice"))
        assert not report.damaged
        assert not report.lost_packs

    @precondition(lambda self: self.points)
    @rule()
    def check(self):
        assert check(self.core.repository("alice"), read_data=ReadData()).is_sound

    @precondition(lambda self: self.points)
    @rule(data=st.data())
    def restore(self, data):
        self.compare(data.draw(st.sampled_from(sorted(self.points))))

    @precondition(lambda self: self.points)
    @rule()
    def list(self):
        assert {point.id for point in self.core.points("alice")} == set(self.points)
        assert {snapshot.id for snapshot in self.core.repository("alice").snapshots()} == set(self.points)

    def compare(self, point):
        """Restore a point and compare it with what the home held."""
        repository = self.core.repository("alice")
        home = repository.find(repository.snapshot(point).tree, b"homedir")
        assert restore_tree(repository, home.subtree, self.target, root=home, workers=1).problems == ()
        root = os.fsencode(self.target)
        found = {}
        for folder, folders, files in os.walk(root):
            for name in folders:
                found[os.path.join(folder, name)[len(root) + 1 :]] = None
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path[len(root) + 1 :]] = file.read()
        shutil.rmtree(self.target)
        assert found == self.points[point]


def test_any_sequence(nothing_stored, folder, monkeypatch):
    """Whatever happened before, each point gives back what the home held when it was made."""
    # The clock of this file system is finer than the coarsest in use, so less has to be waited for.
    for module in (walk, reader):
        monkeypatch.setattr(module, "GRANULARITY_NS", 20_000_000)
    run_state_machine_as_test(
        lambda: Machine(nothing_stored, folder),
        settings=settings(
            max_examples=SOAK or 60,
            stateful_step_count=25,
            deadline=None,
            derandomize=not SOAK,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
