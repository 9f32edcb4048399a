"""``jetcore repository``: looking after an account's repository from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from jetcore.testing.trees import fingerprint, make_tree_with_everything

from .conftest import Server


@pytest.fixture
def points(server: Server, alice: Path) -> list[str]:
    """Ids of three points of alice, each with a file of its own."""
    found = []
    for number in range(3):
        (alice / "own.bin").write_bytes(os.urandom(100_000) + bytes([number]))
        found.append(server.ok("backup", "alice", "--json").json[0]["id"])
    return found


@pytest.fixture
def place(server: Server, points: list[str]) -> Path:
    return Path(server.ok("repository", "path", "alice").out.strip())


def listed(server: Server) -> list[str]:
    return [point["id"] for point in server.ok("points", "alice", "--json").json]


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


def largest_pack(place: Path) -> Path:
    return max((path for path in place.glob("data/*/*")), key=lambda path: path.stat().st_size)


def dumped(server: Server, *words: str) -> bytes:
    """What a command writes to its standard output, as bytes: in a process of its own."""
    command = [Path(sys.executable).with_name("jetcore"), "--home", server.home, "repository", "dump", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_a_point_is_forgotten_and_pruned(server: Server, points: list[str], place: Path) -> None:
    """It is off the list, its data is gone after a prune, and the others are whole."""
    size = sum(path.stat().st_size for path in place.rglob("*"))

    server.ok("repository", "forget", "alice", points[0][:8])
    assert listed(server) == points[1:]
    freed = server.ok("repository", "prune", "alice", "--json").json["freed_bytes"]

    assert freed > 100_000
    assert sum(path.stat().st_size for path in place.rglob("*")) < size - 90_000
    said = server.ok("repository", "check", "alice", "--read-data", "--json").json
    assert (said["findings"], said["snapshots"]) == ([], 2)
    server.ok("restore", "alice", "--point", points[1][:8], "--to", str(place.parent / "out"))


def test_a_dry_prune(server: Server, points: list[str], place: Path) -> None:
    """--dry-run tells and does nothing."""
    server.ok("repository", "forget", "alice", points[0])
    before = {path: path.stat().st_size for path in place.rglob("*") if path.is_file()}

    assert "would be freed" in server.ok("repository", "prune", "alice", "--dry-run").out

    assert {path: path.stat().st_size for path in place.rglob("*") if path.is_file()} == before


def test_prune_stops_when_listed_points_have_no_snapshots(server: Server, points: list[str], place: Path) -> None:
    """With the snapshots wiped out, a prune would remove everything; it refuses."""
    for path in (place / "snapshots").iterdir():
        path.unlink()
    packs = sorted(place.glob("data/*/*"))

    said = server("repository", "prune", "alice")

    assert said.status == 7
    assert "snapshots of 3 listed restore points are missing" in said.err
    assert sorted(place.glob("data/*/*")) == packs


def test_what_does_not_exist(server: Server, points: list[str]) -> None:
    """An unknown account, point or key is bad input, said in one line."""
    for words in (
        ("check", "alcie"),
        ("forget", "alice", "0000"),
        ("ls", "alice", "latest", "/nowhere"),
        ("dump", "alice", points[0], "nowhere"),
        ("diff", "alice", points[0], "zz"),
        ("keys", "remove", "alice", "zz"),
        ("check", "alice", "--read-data=200%"),
    ):
        said = server("repository", *words)
        assert (said.status, said.err.count("\n")) == (2, 1), (words, said)


def test_damage_gives_its_own_status(server: Server, points: list[str], place: Path) -> None:
    """A wrong byte is found by --read-data, named, recorded as an alert, and is status 7."""
    flip(largest_pack(place), 1000)
    assert server("repository", "check", "alice").status == 0

    said = server("repository", "check", "alice", "--read-data")

    assert said.status == 7
    assert largest_pack(place).name in said.out
    assert "DAMAGED" in said.out
    assert server.ok("alerts", "--json").json[0]["level"] == "critical"


def test_shares_are_remembered(server: Server, points: list[str], place: Path) -> None:
    """Each check with a small share reads another pack, until all have been read."""
    packs = len(list(place.glob("data/*/*")))
    flip(largest_pack(place), 1000)

    statuses = [server("repository", "check", "alice", "--read-data=0.01%").status for _ in range(packs)]

    assert 7 in statuses


def test_a_repair_marks_what_is_lost(
    server: Server, alice: Path, points: list[str], place: Path, tmp_path: Path
) -> None:
    """The point says what it lost, what is left of it is restored, and the next backup is complete."""
    before = set(place.glob("data/*/*"))
    (alice / "own.bin").write_bytes(os.urandom(100_001))
    damaged = server.ok("backup", "alice", "--json").json[0]["id"]
    max(set(place.glob("data/*/*")) - before, key=lambda path: path.stat().st_size).unlink()
    assert server("repository", "prune", "alice").status == 7

    said = server("repository", "repair", "alice")

    assert said.status == 3
    assert "/homedir/own.bin" in said.out
    found = {point["id"]: point for point in server.ok("points", "alice", "--json").json}
    assert {point: found[point]["outcome"] for point in found} == dict.fromkeys(points, "completed") | {
        damaged: "partial"
    }
    (home,) = [part for part in found[damaged]["parts"] if part["part"] == "homedir"]
    assert home["outcome"] == "partial"
    assert "lost: /homedir/own.bin" in home["messages"][0]
    assert server("repository", "check", "alice", "--read-data").status == 0
    assert server("restore", "alice", "--point", damaged, "--to", str(tmp_path / "left")).status == 3
    assert (tmp_path / "left/homedir/public_html/index.php").read_text() == "<?php echo 'alice'; ?>\n"
    new = server.ok("backup", "alice", "--json").json[0]["id"]
    server.ok("restore", "alice", "--point", new, "--to", str(tmp_path / "new"))
    assert (tmp_path / "new/homedir/own.bin").read_bytes() == (alice / "own.bin").read_bytes()
    server.ok("repository", "forget", "alice", damaged)
    assert damaged not in listed(server)
    server.ok("repository", "prune", "alice")
    assert not list(place.glob("damaged/*"))


def test_a_missing_snapshot_is_marked(server: Server, points: list[str], place: Path) -> None:
    """A listed point whose snapshot has gone is damage, and failed after a repair; it can then be forgotten."""
    (place / "snapshots" / points[1]).unlink()
    assert "its snapshot is missing" in server("repository", "check", "alice").out

    server("repository", "repair", "alice")

    assert [point["outcome"] for point in server.ok("points", "alice", "--json").json] == [
        "completed",
        "failed",
        "completed",
    ]
    server.ok("repository", "forget", "alice", points[1][:8])
    assert server("repository", "check", "alice").status == 0


def test_a_point_that_comes_back(server: Server, points: list[str], place: Path) -> None:
    """When lost packs are brought back, the next repair makes the points complete again."""
    pack = largest_pack(place)
    data = pack.read_bytes()
    pack.unlink()
    assert server("repository", "repair", "alice").status == 3
    assert {point["outcome"] for point in server.ok("points", "alice", "--json").json} == {"partial"}
    pack.write_bytes(data)

    assert "whole again" in server.ok("repository", "repair", "alice").out

    assert {point["outcome"] for point in server.ok("points", "alice", "--json").json} == {"completed"}
    assert server("repository", "check", "alice", "--read-data").out.count("\n") == 1


def test_another_password(server: Server, points: list[str], place: Path, tmp_path: Path) -> None:
    """The owner's password opens the repository with stock restic, until it is removed; jetcore's own stays."""
    (tmp_path / "password").write_text("the owner's own\n")
    restic = ["restic", "--no-cache", "-r", place, "--password-file", tmp_path / "password", "snapshots"]
    assert subprocess.run(restic, capture_output=True).returncode != 0
    key = server.ok("repository", "keys", "add", "alice", "--password-file", str(tmp_path / "password"), "--json").json
    subprocess.run(restic, check=True, capture_output=True)
    keys = server.ok("repository", "keys", "list", "alice", "--json").json
    assert [(entry["info"]["id"] == key["key"], entry["own"]) for entry in keys] == [(False, True), (True, False)]

    refused = server("repository", "keys", "remove", "alice", keys[0]["info"]["id"])
    server.ok("repository", "keys", "remove", "alice", key["key"][:8])

    assert (refused.status, "it stays" in refused.err) == (2, True)
    assert subprocess.run(restic, capture_output=True).returncode != 0
    assert len(server.ok("repository", "keys", "list", "alice", "--json").json) == 1


def test_a_lost_key_is_made_anew(server: Server, points: list[str], place: Path) -> None:
    """When the file of jetcore's own key is gone, a repair brings it back: the stock restic opens the repository."""
    (key,) = (place / "keys").iterdir()
    key.unlink()
    assert "no password opens the repository" in server("repository", "check", "alice").out

    server.ok("repository", "repair", "alice")

    assert server.ok("repository", "keys", "list", "alice", "--json").json[0]["own"]


def test_a_lost_config_is_made_anew(server: Server, points: list[str], place: Path, tmp_path: Path) -> None:
    """Without its config the repository does not open; a repair makes one, and the points restore."""
    flip(place / "config", 30)
    said = server("repository", "check", "alice")
    assert (said.status, "config is damaged" in said.err) == (7, True)

    server.ok("repository", "repair", "alice")

    server.ok("repository", "check", "alice", "--read-data")
    server.ok("restore", "alice", "--to", str(tmp_path / "out"))


def test_locks_are_removed(server: Server, points: list[str], place: Path, tmp_path: Path) -> None:
    """A lock of a process that is gone goes at once, that of a living one only with --all."""
    (tmp_path / "password").write_text(server.ok("repository", "password", "alice").out.strip())
    restic = ["restic", "--no-cache", "-r", place, "--password-file", tmp_path / "password", "backup", "--stdin"]
    with subprocess.Popen(
        [*restic, "--verbose"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        while b"load index files" not in process.stdout.readline():
            assert process.poll() is None
        assert server.ok("repository", "unlock", "alice", "--json").json == {"removed": 0}
        assert server("repository", "prune", "alice").status == 8
        process.kill()
        process.wait()

    assert server.ok("repository", "unlock", "alice", "--json").json == {"removed": 1}
    server.ok("repository", "prune", "alice")


def test_a_damaged_lock(server: Server, points: list[str], place: Path) -> None:
    """Nobody knows what a lock forbids that cannot be read; it is named, and removed when that is wanted."""
    (place / "locks").mkdir(exist_ok=True)
    (place / "locks" / ("0" * 64)).write_bytes(b"damaged")

    said = server("repository", "prune", "alice")

    assert (said.status, "unlock --all" in said.err, said.err.count("\n")) == (7, True, 1)
    assert server.ok("repository", "unlock", "alice", "--json").json == {"removed": 0}
    assert server.ok("repository", "unlock", "alice", "--all", "--json").json == {"removed": 1}
    server.ok("repository", "prune", "alice")


def test_looking_inside(server: Server, alice: Path, points: list[str]) -> None:
    """ls lists a folder, or all below it; diff tells what has changed."""
    (alice / "public_html" / "new.txt").write_text("new")
    (alice / "own.bin").unlink()
    os.utime(alice / "public_html" / "index.php", (1, 1))
    last = server.ok("backup", "alice", "--json").json[0]["id"]

    folder = server.ok("repository", "ls", "alice", points[0], "/homedir", "--json").json
    everything = server.ok("repository", "ls", "alice", "--recursive").out
    changes = server.ok("repository", "diff", "alice", points[0], last).out.splitlines()

    assert {"path": "/homedir/own.bin", "type": "file", "size": 100_001}.items() <= {
        key: value for entry in folder if entry["path"].endswith("own.bin") for key, value in entry.items()
    }.items()
    assert not any("index.php" in entry["path"] for entry in folder)
    assert "/homedir/public_html/new.txt" in everything
    assert {"- /homedir/own.bin", "+ /homedir/public_html/new.txt", "U /homedir/public_html/index.php"} <= set(changes)


def test_a_file_is_dumped(server: Server, alice: Path, points: list[str]) -> None:
    """A file comes out as it is."""
    assert dumped(server, "alice", "latest", "/homedir/own.bin") == (alice / "own.bin").read_bytes()


def test_a_folder_is_dumped_as_tar(server: Server, alice: Path, tmp_path: Path) -> None:
    """GNU tar makes of the archive what the folder was, with all metadata that an archive has."""
    make_tree_with_everything(alice / "everything")
    server.ok("backup", "alice")
    (tmp_path / "out").mkdir()

    archive = dumped(server, "alice", "latest", "/homedir")
    subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "-xpf", "-", "--numeric-owner", "-C", tmp_path / "out"],
        input=archive,
        check=True,
        capture_output=True,
    )

    assert fingerprint(tmp_path / "out" / "homedir") == fingerprint(alice)


def test_figures(server: Server, points: list[str], place: Path) -> None:
    """stats says what is kept and what deduplication saves."""
    found = server.ok("repository", "stats", "alice", "--json").json

    assert found["snapshots"] == 3
    assert found["logical_bytes"] > 3 * 2_100_000
    assert found["stored_bytes"] == sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert found["stored_files"] == sum(path.is_file() for path in place.rglob("*"))
    assert found["deduplication"] > 2
    assert "deduplication" in server.ok("repository", "stats", "alice").out


def test_points_are_mounted(server: Server, alice: Path, points: list[str], tmp_path: Path) -> None:
    """All points are folders of a read-only file system, with contents and metadata as they were."""
    make_tree_with_everything(alice / "everything")
    last = server.ok("backup", "alice", "--json").json[0]["id"]
    directory = tmp_path / "mounted"
    directory.mkdir()
    command = [
        Path(sys.executable).with_name("jetcore"),
        "--home",
        server.home,
        "repository",
        "mount",
        "alice",
        directory,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not os.path.ismount(directory):
            assert process.poll() is None, process.stderr.read()
        try:
            shown = {path.name.rpartition("-")[2]: path for path in directory.iterdir()}
            assert shown.keys() == {point[:8] for point in (*points, last)}
            found = {
                path: attrs.evolve(mark, link_group=b"")
                for path, mark in fingerprint(shown[last[:8]] / "homedir").items()
            }
            with pytest.raises(OSError, match="Read-only"):
                (shown[last[:8]] / "new").touch()
        finally:
            subprocess.run(["umount", directory], check=True)
        assert process.wait() == 0
    assert found == {path: attrs.evolve(mark, link_group=b"") for path, mark in fingerprint(alice).items()}
    server.ok("repository", "prune", "alice")


def test_what_cannot_be_mounted_at(server: Server, points: list[str], tmp_path: Path) -> None:
    """A directory that is missing or holds something is refused in one line."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for directory in ("missing", "full"):
        said = server("repository", "mount", "alice", str(tmp_path / directory))
        assert said.status == 2
        assert "is no empty directory" in said.err
