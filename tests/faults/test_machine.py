"""Any sequence of changes, backups, forgetting, pruning and restoring, compared with a model in memory."""

from __future__ import annotations

import os
import random
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
SIZES = [0, 1, 5000, 20_000, 100_000, 600_000]
#: Half of them cannot be compressed, so that what is removed leaves gaps that are worth closing.
CONTENTS = st.integers(0, 40).map(
    lambda number: (random.Random(number).randbytes if number % 2 else bytes)(SIZES[number % len(SIZES)])
)


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

    @rule(files=st.lists(st.tuples(PATHS, CONTENTS), min_size=1, max_size=8), removed=st.lists(PATHS, max_size=2))
    def change(self, files, removed):
        for path in removed:
            self.remove(path)
        for path, content in files:
            self.write(path, content)

    @rule(files=st.lists(st.tuples(PATHS, CONTENTS), max_size=3))
    def change_and_back_up(self, files):
        for path, content in files:
            self.write(path, content)
        self.points[self.core.backup("alice").id] = dict(self.files)

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

    def remove(self, path):
        """Remove a file, or a folder with everything in it."""
        place = self.home + b"/" + path
        if self.files.get(path, b"") is None:
            shutil.rmtree(place)
        elif path in self.files:
            os.unlink(place)
        self.files = {other: kept for other, kept in self.files.items() if not (other + b"/").startswith(path + b"/")}

    @precondition(lambda self: any(self.files.values()))
    @rule(data=st.data())
    def edit_in_secret(self, data):
        """Change a file so that neither its size nor its mtime tell."""
        path = data.draw(st.sampled_from(sorted(path for path, content in self.files.items() if content)))
        place = self.home + b"/" + path
        times = os.stat(place)
        self.files[path] = self.files[path][:-1] + bytes([self.files[path][-1] ^ 1])
        with open(place, "r+b") as file:
            file.write(self.files[path])
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))

    @rule()
    def back_up_what_is_settled(self):
        """Let so much time pass that the next backup takes over unread what does not change from now on."""
        time.sleep(2 * walk.GRANULARITY_NS / 1e9)
        self.change_and_back_up([])
        time.sleep(2 * walk.GRANULARITY_NS / 1e9)

    @precondition(lambda self: len(self.points) > 1)
    @rule(data=st.data())
    def forget(self, data):
        point = data.draw(st.sampled_from(list(self.points)))
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
        for point in self.points:
            self.compare(point)

    @precondition(lambda self: self.points)
    @rule()
    def look(self):
        repository = self.core.repository("alice")
        assert check(repository, read_data=ReadData()).is_sound
        assert {point.id for point in self.core.points("alice")} == set(self.points)
        assert {snapshot.id for snapshot in repository.snapshots()} == set(self.points)
        report = repair(repository)
        assert not report.damaged
        assert not report.lost_packs

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
            max_examples=SOAK or 18,
            stateful_step_count=30,
            deadline=None,
            derandomize=not SOAK,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
