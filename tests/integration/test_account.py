"""One account through the command line: backed up, lost, brought back."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from jetcore.testing.mariadb import MariaDB
from jetcore.testing.trees import fingerprint, make_tree_with_everything

from .conftest import Server


def test_a_lost_home_comes_back_as_it_was(server: Server, alice: Path) -> None:
    """Every file, with all its metadata, is what it was before the home was deleted."""
    make_tree_with_everything(alice / "everything")
    before = fingerprint(alice)
    backup = server("backup", "alice")
    shutil.rmtree(alice)

    server("restore", "alice")

    assert fingerprint(alice) == before, backup


def test_a_lost_login_comes_back_with_its_crontab(server: Server, alice: Path) -> None:
    """A restore makes the account again if the panel does not have it any more."""
    server.ok("backup", "alice")
    crontab = server.prefix / "var/spool/cron/crontabs/alice"
    before = server.passwd.read_text(), crontab.read_text()
    subprocess.run(["userdel", "-P", server.prefix, "alice"], check=False)
    assert "alice" not in server.passwd.read_text()
    shutil.rmtree(alice, ignore_errors=True)
    crontab.unlink()

    server.ok("restore", "alice")

    assert (server.passwd.read_text(), crontab.read_text()) == before
    assert (alice / "public_html" / "index.php").read_text() == "<?php echo 'alice'; ?>\n"


def test_a_lost_database_comes_back_with_its_user(server: Server, alice: Path, mariadb: MariaDB) -> None:
    """Tables, password hash and grants are what they were."""
    server.ok("plugins", "enable", "dump_mysql")
    server.ok("settings", "set", "panel.mysql_enabled=yes", f"panel.mysql_host={mariadb.socket}")
    mariadb.run(
        "CREATE DATABASE alice_shop; CREATE TABLE alice_shop.t (id INT PRIMARY KEY, v BLOB);"
        "INSERT INTO alice_shop.t VALUES (1, x'00ff27'), (2, NULL);"
        "CREATE USER alice_web@localhost IDENTIFIED BY 'geheim'; GRANT SELECT ON alice_shop.* TO alice_web@localhost;"
        "CREATE DATABASE bob_shop;"
    )
    facts = "SELECT id, HEX(v) FROM alice_shop.t; SHOW GRANTS FOR alice_web@localhost"
    before = mariadb.run(facts)
    point = server.ok("backup", "alice", "--json").json[0]
    assert [part["part"] for part in point["parts"] if part["part"].startswith("database")] == [
        "database:alice_shop",
        "database_user:alice_web@localhost",
    ]
    mariadb.run("DROP DATABASE alice_shop; DROP USER alice_web@localhost")

    server.ok("restore", "alice", "--part", "database", "--part", "database_user")

    assert mariadb.run(facts) == before


def test_a_database_server_that_refuses_us_makes_the_point_partial(
    server: Server, alice: Path, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password is said, the home is saved, and the point is not called complete."""
    server.ok("plugins", "enable", "dump_mysql")
    server.ok("settings", "set", "panel.mysql_enabled=yes", f"panel.mysql_host={mariadb.socket}")
    monkeypatch.setattr("sys.stdin", io.StringIO("swordfish\n"))
    server.ok("settings", "set", "panel.mysql_user=nobody_here", "panel.mysql_password=-")

    said = server("backup", "alice")

    assert said.status == 3
    assert "partial" in said.out
    assert "Access denied" in said.err
    assert "swordfish" not in said.out + said.err
    assert server.ok("points", "alice", "--json").json[0]["outcome"] == "partial"


def test_an_unchanged_account_adds_a_snapshot_file_and_nothing_else(server: Server, alice: Path) -> None:
    """The second of two backups writes one file of at most 2 KiB."""
    server.ok("backup", "alice")
    repository = Path(server.ok("repository", "path", "alice").out.strip())
    before = _files(repository)

    server.ok("backup", "alice")

    new = _files(repository) - before
    assert len(new) == 1
    assert next(iter(new)).parent.name == "snapshots"
    assert next(iter(new)).stat().st_size <= 2048


def test_one_file_is_restored_without_touching_the_others(server: Server, alice: Path) -> None:
    """--path brings one file back and leaves later changes of its neighbours alone."""
    server.ok("backup", "alice")
    (alice / "public_html" / "index.php").write_text("broken")
    (alice / "public_html" / "new.txt").write_text("new")

    server.ok("restore", "alice", "--path", "public_html/index.php")

    assert "alice" in (alice / "public_html" / "index.php").read_text()
    assert (alice / "public_html" / "new.txt").read_text() == "new"


def test_an_older_point_can_be_chosen(server: Server, alice: Path) -> None:
    """--point takes the first digits of a point's id."""
    old = server.ok("backup", "alice", "--json").json[0]["id"]
    (alice / "public_html" / "index.php").write_text("newer")
    server.ok("backup", "alice")

    server.ok("restore", "alice", "--point", old[:8], "--path", "public_html/index.php")

    assert "alice" in (alice / "public_html" / "index.php").read_text()


def test_a_point_is_written_to_a_directory_in_its_own_layout(server: Server, alice: Path, tmp_path: Path) -> None:
    """--to changes nothing of the account."""
    server.ok("backup", "alice")
    before = fingerprint(alice / "public_html")
    (alice / "public_html" / "index.php").unlink()

    server.ok("restore", "alice", "--to", str(tmp_path / "out"))

    assert fingerprint(tmp_path / "out" / "homedir" / "public_html") == before
    assert not (alice / "public_html" / "index.php").exists()


def test_the_stock_restic_opens_the_repository(server: Server, alice: Path, tmp_path: Path) -> None:
    """Path and password that jetcore prints are all that restic needs to check and restore everything."""
    server.ok("backup", "alice")
    (tmp_path / "password").write_text(server.ok("repository", "password", "alice").out.strip())
    repository = server.ok("repository", "path", "alice").out.strip()
    restic = ["restic", "--no-cache", "-r", repository, "--password-file", tmp_path / "password"]

    subprocess.run([*restic, "check", "--read-data"], check=True, capture_output=True)
    subprocess.run([*restic, "restore", "latest", "--target", tmp_path / "out"], check=True, capture_output=True)

    assert fingerprint(tmp_path / "out" / "homedir") == fingerprint(alice)


def test_a_restore_refuses_to_write_through_a_planted_link(server: Server, alice: Path, tmp_path: Path) -> None:
    """A symbolic link where the point has a folder leads nowhere, and the restore says so."""
    server.ok("backup", "alice")
    victim = tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(alice / "public_html")
    os.symlink(victim, alice / "public_html")
    os.chown(alice / "public_html", 1000, 1000, follow_symlinks=False)

    said = server("restore", "alice")

    assert said.status != 0
    assert "public_html" in said.err
    assert list(victim.iterdir()) == []


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_compression_level_is_a_setting(server: Server, alice: Path) -> None:
    """A higher level makes the same account smaller."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefgh", k=6)) for _ in range(300)]
    text = " ".join(rng.choices(words, k=100_000))
    (alice / "dump.sql").write_text(text)
    fast = server.ok("backup", "alice", "--json").json[0]["added_bytes"]
    bob = server.add_account("bob")
    (bob / "dump.sql").write_text(text)
    server.ok("settings", "set", "performance.compression_level=12")

    small = server.ok("backup", "bob", "--json").json[0]["added_bytes"]

    assert small < fast
