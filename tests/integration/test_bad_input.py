"""What the command line says when something is wrong: one line that names it, and the right exit status."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Server


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["backup", "alicf"], "unknown account 'alicf'; did you mean alice?", id="account"),
        pytest.param(["points", "alicf"], "unknown account 'alicf'; did you mean alice?", id="account of points"),
        pytest.param(["backup", "alice", "--destination", "locl"], "'locl'", id="destination"),
        pytest.param(["backup", "alice", "--part", "homdir"], "unknown part 'homdir'", id="kind of part"),
        pytest.param(["restore", "alice", "--part", "database:shop"], "no part 'database:shop'", id="part"),
        pytest.param(["restore", "alice", "--point", "ffffffff"], "'ffffffff'", id="point"),
        pytest.param(["restore", "alice", "--path", "public_html/indx.php"], "public_html/index.php", id="path"),
        pytest.param(["restore", "alice", "--path", "../bob"], "no path in the home directory", id="path outside"),
        pytest.param(["destinations", "add", "x", "--type", "locl"], "unknown type of destination 'locl'", id="type"),
        pytest.param(
            ["destinations", "add", "x", "--set", "path=/x", "--set", "pth=/x"],
            "did you mean path?",
            id="setting of a destination",
        ),
        pytest.param(["plugins", "disable", "panel_linx"], "did you mean panel_linux?", id="plugin"),
        pytest.param(["settings", "set", "panel_linux.uid_min=many"], "panel_linux.uid_min", id="value"),
        pytest.param(["settings", "set", "panel_linux.uid=1"], "no setting 'uid'", id="setting"),
        pytest.param(["settings", "show", "panel_lin"], "panel_linux", id="section"),
        pytest.param(["backup"], "name accounts to back up, or say --all", id="nothing to do"),
        pytest.param(["bakup", "alice"], "bakup", id="command"),
    ],
)
def test_a_wrong_word_is_named_in_one_line(server: Server, alice: Path, words: list[str], said: str) -> None:
    """The line holds the word and the nearest right ones; the exit status is that of a mistake by the user."""
    server.ok("backup", "alice")

    result = server(*words)

    assert result.status == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def test_everything_needs_an_initialised_jetcore(tmp_path: Path) -> None:
    """Before `jetcore init`, the error says to run it."""
    said = Server(tmp_path, tmp_path / "nowhere")("accounts")

    assert said.status == 9
    assert "jetcore init" in said.err


def test_a_second_init_keeps_everything(server: Server, alice: Path) -> None:
    """Points, master key and settings are what they were."""
    server.ok("backup", "alice")
    before = server.ok("points", "alice").out, (server.home / "master.key").read_bytes()

    server.ok("init")

    assert (server.ok("points", "alice").out, (server.home / "master.key").read_bytes()) == before


def test_a_lost_master_key_is_not_replaced(server: Server) -> None:
    """Neither a command nor a second init makes a new key for a database that was sealed with another."""
    (server.home / "master.key").unlink()

    for words in (["accounts"], ["init"]):
        said = server(*words)
        assert said.status == 11
        assert "master.key is missing" in said.err
    assert not (server.home / "master.key").exists()


def test_a_vanished_account_is_said_to_be_gone(server: Server, alice: Path) -> None:
    """An account that was once backed up is not called unknown, and the hint says how to get it back."""
    server.ok("backup", "alice")
    server.passwd.write_text("")

    said = server("backup", "alice")

    assert said.status == 5
    assert "no longer on this server" in said.err
    assert "jetcore restore alice" in said.err


def test_a_broken_dump_plugin_makes_points_partial(server: Server, alice: Path) -> None:
    """Databases that a broken plugin would have dumped are missing, and the point says so."""
    server.ok("plugins", "enable", "dump_mysql")
    with contextlib.closing(sqlite3.connect(server.home / "state.db", isolation_level=None)) as database:
        database.execute(
            "INSERT INTO settings (section, version, document, changed, changed_by)"
            " VALUES ('dump_mysql', 1, '{\"sokket\": 1}', '2026-01-01 00:00:00', 'hand')"
        )

    said = server("backup", "alice")

    assert said.status == 3
    assert "sokket" in said.err
    assert server.ok("points", "alice", "--json").json[0]["outcome"] == "partial"


@pytest.mark.parametrize("home", ["symlink", "missing", "/"])
def test_an_impossible_home_is_reported_and_the_others_are_backed_up(server: Server, alice: Path, home: str) -> None:
    """The account's point is partial and says what is wrong with its home; the next account is complete."""
    server.add_account("bob")
    if home == "symlink":
        alice.rename(alice.with_name("elsewhere"))
        os.symlink("/etc", alice)
    elif home == "missing":
        alice.rename(alice.with_name("elsewhere"))
    else:
        server.passwd.write_text(server.passwd.read_text().replace(":/home/alice:", ":/:"))

    said = server("backup", "--all", "--json")

    assert said.status == 3
    assert {point["account"]: point["outcome"] for point in said.json} == {"alice": "partial", "bob": "completed"}
    assert "homedir" in said.err


def test_a_broken_passwd_line_is_no_obstacle(server: Server, alice: Path) -> None:
    """The accounts of the other lines are backed up."""
    server.passwd.write_text("broken:line\n" + server.passwd.read_text() + "x:y:z\n\xff\n")

    assert [point["account"] for point in server.ok("backup", "--all", "--json").json] == ["alice"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_destination_ends_the_backup_and_lists_nothing(server: Server, alice: Path, small_disk: Path) -> None:
    """The exit status is that of a destination error, and no point is listed."""
    (alice / "big.bin").write_bytes(os.urandom(3 << 20))
    server.ok("destinations", "add", "small", "--set", f"path={small_disk / 'jetcore'}")

    said = server("backup", "alice", "--destination", "small")

    assert said.status == 6
    assert "space" in said.err.lower()
    assert server.ok("points", "alice", "--json").json == []
    alert = server.ok("alerts", "--json").json[0]
    assert (alert["level"], alert["account"]) == ("critical", "alice")


def test_a_damaged_pack_is_named_and_the_rest_is_restored(server: Server, alice: Path) -> None:
    """What does not need the pack comes back; what does is named, and the result is not called complete."""
    (alice / "a.bin").write_bytes(os.urandom(700_000))
    server.ok("backup", "alice")
    (alice / "b.txt").write_text("in another pack")
    server.ok("backup", "alice")
    repository = Path(server.ok("repository", "path", "alice").out.strip())
    largest = max(
        (path for path in (repository / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    damaged = bytearray(largest.read_bytes())
    damaged[1000] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(damaged)
    for name in ("a.bin", "b.txt"):
        (alice / name).unlink()

    said = server("restore", "alice")

    assert said.status == 3
    assert largest.name[:8] in said.err
    assert (alice / "b.txt").read_text() == "in another pack"


def test_what_is_damaged_is_told_of_its_own_part_only(server: Server, alice: Path, tmp_path: Path) -> None:
    """A restore into a directory calls the part partial that a damaged file lies in, and no other."""
    (alice / "a.bin").write_bytes(os.urandom(700_000))
    server.ok("backup", "alice")
    repository = Path(server.ok("repository", "path", "alice").out.strip())
    packs = [path for path in (repository / "data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    position = content.index(content[350_000:350_032])
    largest.chmod(0o600)
    largest.write_bytes(content[:position] + bytes(32) + content[position + 32 :])

    said = server("restore", "alice", "--to", str(tmp_path / "out"), "--json")

    assert said.status == 3
    assert {part["part"]: part["outcome"] for part in said.json["parts"]} == {
        "config": "completed",
        "homedir": "partial",
        "cron": "completed",
    }


def test_a_backup_of_nothing_makes_no_point(server: Server, alice: Path) -> None:
    """When the account has nothing of the kind that was asked for, that is an error and no empty point is listed."""
    said = server("backup", "alice", "--part", "email")

    assert said.status == 5
    assert "'alice' has nothing of what was asked for" in said.err
    assert server.ok("points", "alice", "--json").json == []


def test_nothing_is_restored_into_a_root_directory(server: Server, alice: Path) -> None:
    """An account whose home has become the root directory gets its parts back, but not the home."""
    server.ok("backup", "alice")
    server.passwd.write_text(server.passwd.read_text().replace(":/home/alice:", ":/:"))
    before = server.prefix.stat(), sorted(server.prefix.iterdir())

    said = server("restore", "alice", "--part", "homedir")

    assert said.status == 10
    assert "is a root directory" in said.err
    after = server.prefix.stat(), sorted(server.prefix.iterdir())
    assert (before[0].st_uid, before[0].st_mode, before[1]) == (after[0].st_uid, after[0].st_mode, after[1])


def test_a_place_of_another_server_is_not_taken(server: Server, tmp_path: Path) -> None:
    """A directory that another jetcore writes to is refused as a destination."""
    other = Server(server.prefix, tmp_path / "other")
    other.ok("init")

    said = server("destinations", "add", "stolen", "--set", f"path={other.home / 'local'}")

    assert said.status == 2
    assert "in use already" in said.err


def test_a_plugin_that_is_switched_off_is_listed_with_its_reason(server: Server) -> None:
    """The list shows every installed plugin, also those that are not in use."""
    listed = {info["name"]: info for info in server.ok("plugins", "list", "--json").json}

    assert (listed["panel_linux"]["state"], listed["panel_linux"]["reason"]) == ("active", "")
    assert (listed["dump_mysql"]["state"], listed["dump_mysql"]["reason"]) == (
        "disabled",
        "switched off in the settings",
    )


def test_errors_are_json_when_json_is_asked_for(server: Server) -> None:
    """A program that reads JSON gets the message, the hint and the exit status as JSON."""
    said = server("backup", "nobody", "--json")

    assert said.status == 2
    assert said.err.startswith('{"error":{"message":"unknown account')


def test_a_mistake_of_ours_is_one_line_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error shows no traceback but says how to get one."""
    monkeypatch.setattr("jetcore.core.Core.accounts", lambda _core: 1 / 0)

    said = server("accounts")

    assert said.status == 1
    assert "division by zero" in said.err
    assert "--debug" in said.err
    assert "Traceback" not in said.err
