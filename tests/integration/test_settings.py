"""Settings and what belongs to them, from the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import jetcore

from .conftest import Server


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The standard input: what is written here is read by the next command."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdin", stream)
    return stream


def say(stream: io.StringIO, text: str) -> None:
    stream.seek(0)
    stream.truncate()
    stream.write(text)
    stream.seek(0)


def test_settings_are_set_got_and_unset(server: Server) -> None:
    """Several settings of several sections change at once, are shown, and get their defaults back."""
    server.ok("settings", "set", "performance.backup_forks=4", "general.logs_ttl=7", "resources.cpu_limit=250")

    assert server.ok("settings", "get", "performance.backup_forks").out == "4\n"
    assert "general.logs_ttl = 7\n" in server.ok("settings", "show", "general").out
    assert server.ok("settings", "show", "resources", "--json").json["resources"]["cpu_limit"] == 250

    server.ok("settings", "unset", "performance.backup_forks", "resources.cpu_limit")

    assert server.ok("settings", "get", "performance.backup_forks").out == "5\n"
    assert server.ok("settings", "get", "resources.cpu_limit").out == "none\n"
    assert server.ok("settings", "get", "general.logs_ttl").out == "7\n"
    server.ok("settings", "unset", "general")
    assert server.ok("settings", "get", "general.logs_ttl").out == "30\n"


def test_nonsense_changes_nothing_and_says_everything(server: Server) -> None:
    """The exit status is that of bad input, and each fault has field, value and limits."""
    said = server(
        *("settings", "set", "performance.backup_forks=99", "general.logs_ttl=x", "general.alerts_ttl=7"),
        "on_demand.backup=nightly",
    )

    assert said.status == 2
    assert "performance.backup_forks: must be 1 to 10 tasks (it is 99)" in said.err
    assert "general.logs_ttl: must be a whole number, 1 to 36500 days (it is 'x')" in said.err
    assert "on_demand.backup: there is no job 'nightly'" in said.err
    assert server.ok("settings", "get", "general.alerts_ttl").out == "60\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "performance.backup_fork=4"], "has no setting 'backup_fork'; did you mean backup_forks?"),
        (["set", "performanc.backup_forks=4"], "no section 'performanc'; did you mean performance?"),
        (["set", "nonsense"], "'nonsense' is no assignment"),
        (["get", "general"], "'general' names no setting"),
        (["unset", "general.log_ttl"], "general.log_ttl: there is no such setting, did you mean logs_ttl?"),
        (["unset", "generl"], "did you mean general?"),
        (["set", "performance.directories_queue_priority=Hihg"], "no priority group 'Hihg'; did you mean High"),
        (["set", "on_demand.backup=nightly"], "on_demand.backup: there is no job 'nightly'"),
        (["set", "binaries.tar=/etc/passwd"], "binaries.tar: /etc/passwd is not a program that can be run"),
        (["set", "general.workspace_path=work"], "must be an absolute path without '..' (it is 'work')"),
    ],
)
def test_wrong_word_is_named(server: Server, words: list[str], said: str) -> None:
    """What does not exist is named with the nearest thing that does."""
    answer = server("settings", *words)

    assert answer.status == 2
    assert said in answer.err


def test_secret_is_not_typed_in_the_open(server: Server, typed: io.StringIO) -> None:
    """A secret on the command line is refused without being repeated; from the standard input it is taken, masked."""
    refused = server("settings", "set", "panel.mysql_password=hunter2")
    assert refused.status == 2
    assert "write panel.mysql_password=-" in refused.err
    assert "hunter2" not in refused.err

    say(typed, "hunter2\nhunter3\n")
    server.ok("settings", "set", "panel.mysql_password=-", "panel.pg_password=-", "panel.mysql_user=root")

    with jetcore.open(home=server.home) as core:
        panel = core.settings.load("panel", core.sections()["panel"])
    assert (panel.mysql_password.reveal(), panel.pg_password.reveal()) == ("hunter2", "hunter3")
    shown = [
        server.ok("settings", *words, *form).out
        for words in (["show"], ["get", "panel.mysql_password"], ["history"], ["export"])
        for form in ([], ["--json"])
    ]
    assert "hunter" not in "".join(shown)
    assert "mysql_password changed" in server.ok("settings", "history", "panel").out
    server.ok("settings", "set", "panel.mysql_password=")
    say(typed, "")
    assert "no secret on the standard input" in server("settings", "set", "panel.mysql_password=-").err


def test_history_tells_every_change(server: Server) -> None:
    """Each change is listed with what was before and after, the newest first."""
    server.ok("settings", "set", "general.logs_ttl=7", "general.debug=yes")
    server.ok("settings", "set", "general.logs_ttl=8")

    first, second, *_ = server.ok("settings", "history", "general").out.splitlines()[1:]

    assert first.endswith("logs_ttl: 7 -> 8")
    assert "debug: no -> yes" in second
    assert "logs_ttl: 30 -> 7" in second


def test_export_is_imported_elsewhere(server: Server, tmp_path: Path, typed: io.StringIO) -> None:
    """What one installation exports makes another one equal to it; its secrets stay as they were there."""
    say(typed, "hunter2\n")
    server.ok(
        "settings", "set", "general.workspace_path=/var/lib/work", "resources.cpu_limit=50", "panel.mysql_password=-"
    )
    server.ok("settings", "set", 'privacy.user_agreement=Ünïcode "quoted"\n[line] = 2', "panel.assign_type=manual")
    other = Server(server.prefix, tmp_path / "other")
    other.ok("init")
    other.ok("settings", "set", "resources.io_read_limit=5")
    file = tmp_path / "settings.toml"
    file.write_text(server.ok("settings", "export").out)

    other.ok("settings", "import", str(file))

    assert other.ok("settings", "export").out == file.read_text()
    assert other.ok("settings", "get", "panel.mysql_password").out == "Secret('')\n"
    assert "hunter2" not in file.read_text()


def test_sealed_export_is_for_the_same_key(server: Server, tmp_path: Path, typed: io.StringIO) -> None:
    """With its sealed secrets an export brings everything back, but not to an installation with another key."""
    say(typed, "hunter2\n")
    server.ok("settings", "set", "panel.mysql_password=-")
    file = tmp_path / "settings.toml"
    file.write_text(server.ok("settings", "export", "--sealed", "panel").out)
    assert "hunter2" not in file.read_text()
    server.ok("settings", "unset", "panel.mysql_password")

    server.ok("settings", "import", str(file))

    with jetcore.open(home=server.home) as core:
        assert core.settings.load("panel", core.sections()["panel"]).mysql_password.reveal() == "hunter2"
    other = Server(server.prefix, tmp_path / "other")
    other.ok("init")
    assert other("settings", "import", str(file)).status == 11


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[general]\nlogs_ttl = "7"\n', "general.logs_ttl: must be a whole number, 1 to 36500 days (it is '7')"),
        ("[general]\nlog_ttl = 7\n", "general.log_ttl: there is no such setting, did you mean logs_ttl?"),
        ("[generl]\n", "did you mean general?"),
        ("logs_ttl = 7\n", "logs_ttl: stands outside of a section"),
        ("[general\n", "the file is not valid TOML"),
        ('[privacy]\nuser_agreement = "a\\u0000"\n', "must not hold control characters"),
        (f'[privacy]\nuser_agreement = "{"x" * 200_000}"\n', "must not be longer than 100000 characters (it is 'xxx"),
        (f"# {'x' * 10_000_000}\n", "the file is larger than"),
    ],
)
def test_file_that_makes_no_sense_changes_nothing(server: Server, tmp_path: Path, text: str, said: str) -> None:
    """A file is taken as a whole or not at all, and what is wrong with it is named."""
    (tmp_path / "settings.toml").write_text(text + "[performance]\nbackup_forks = 2\n" if text[0] == "[" else text)

    answer = server("settings", "import", str(tmp_path / "settings.toml"))

    assert answer.status == 2
    assert said in answer.err
    assert len(answer.err) < 1000
    assert server.ok("settings", "get", "performance.backup_forks").out == "5\n"


def test_check_finds_what_has_changed_since(server: Server, tmp_path: Path) -> None:
    """A directory that was fine when it was set, and is no longer, is found; free space and programs are told."""
    work = tmp_path / "work"
    work.mkdir()
    said = server.ok("settings", "set", f"general.workspace_path={work}")
    assert f"general.workspace_path: {work} has " in said.err
    assert "GB free" in said.err
    whole = server.ok("settings", "check").out
    assert "binaries.tar: /usr/bin/tar: tar (GNU tar)" in whole

    os.chown(work, 1000, 1000)

    said = server("settings", "check", "general")
    assert said.status == 2
    assert f"general.workspace_path: {work} is not safe from other users: {work} belongs to user 1000" in said.err


def test_priority_groups_are_managed(server: Server, alice: Path) -> None:
    """Groups are created, listed, shown, changed and deleted, and an account is put into one."""
    server.ok("priorities", "create", "Night", "backup=70", "tags=slow")
    server.ok("priorities", "change", "Night", "restore=5", "name=Late")

    assert server.ok("priorities", "show", "Late", "--json").json == {
        "name": "Late", "backup": 70, "restore": 5, "download": 50, "clone": 50, "tags": ["slow"], "default": False,
    }  # fmt: skip
    assert [line.split()[0] for line in server.ok("priorities", "list").out.splitlines()] == [
        "NAME", "High", "Normal", "Late", "Low",
    ]  # fmt: skip
    server.ok("accounts", "set", "alice", "priority_group=Late", "on_demand_retain=2")
    assert "group Late" in server.ok("accounts", "show", "alice").out
    in_use = server("priorities", "delete", "Late")
    assert (in_use.status, "in use by account alice" in in_use.err) == (2, True)
    server.ok("accounts", "set", "alice", "priority_group=none", "tags=slow")
    assert server.ok("accounts", "show", "alice", "--json").json["effective_priority_group"] == "Late"
    server.ok("priorities", "delete", "Late")
    assert "Normal" in server.ok("accounts", "show", "alice").out
    assert "alice" in server.ok("accounts").out
    assert server.ok("accounts", "--json").json == server.ok("accounts", "list", "--json").json


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["priorities", "create", "X", "backup=0"], "priority group.backup: must be 1 to 999"),
        (["priorities", "create", "X", "bakup=1"], "did you mean backup?"),
        (["priorities", "show", "Hihg"], "did you mean High"),
        (["priorities", "delete", "Normal"], "is the default"),
        (["conditions", "create"], "FIELD=VALUE"),
        (["conditions", "show", "7"], "there is no restore condition 7"),
        (["conditions", "show", "x"], "'x' is not a valid integer"),
        (["file-permissions", "create", "pattern=*"], "gives an owner, a group, or a mode"),
        (["file-permissions", "create", "pattern=/etc/*", "owner=root"], "must be a pattern relative to the home"),
        (["accounts", "show", "alicf"], "unknown account 'alicf'; did you mean alice?"),
        (["accounts", "set", "alice", "priority_group=Hihg"], "no priority group 'Hihg'"),
        (["accounts", "set", "alice", "on_demand_retain=100"], "must be 0 to 99 backups (it is 100)"),
    ],
)
def test_object_that_makes_no_sense_is_refused(server: Server, alice: Path, words: list[str], said: str) -> None:
    """A mistake is named in a line, with the exit status of one."""
    answer = server(*words)

    assert answer.status == 2, answer
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_conditions_and_rules_are_managed(server: Server) -> None:
    """Objects without a name are told apart by their numbers."""
    for noun, first, change, found in (
        ("conditions", ["condition=I know."], "enabled=no", "enabled = no"),
        ("file-permissions", ["pattern=*.php", "file_mode=0644"], "category=email", "category = email"),
    ):
        number = str(server.ok(noun, "create", *first, "--json").json["id"])
        server.ok(noun, "change", number, change)
        assert found in server.ok(noun, "show", number).out
        assert len(server.ok(noun, "list", "--json").json) == 1
        server.ok(noun, "delete", number)
        assert server.ok(noun, "list", "--json").json == []


def test_objects_are_managed_from_python(server: Server, alice: Path) -> None:
    """What the command line does, the library does with the same words."""
    from jetcore.settings.conditions import RestoreCondition
    from jetcore.settings.overrides import AccountOverrides
    from jetcore.settings.priorities import PriorityGroup

    with jetcore.open(home=server.home) as core:
        core.priorities.add(PriorityGroup(name="Night", backup=70))
        assert core.priorities.change("Night", backup=71).backup == 71
        core.override("alice", AccountOverrides(priority_group="Night"))
        assert core.priority_of("alice").name == "Night"
        number = core.conditions.add(RestoreCondition(condition="I know.")).id
        core.conditions.remove(number)
        with pytest.raises(jetcore.BadInputError, match="in use by account alice"):
            core.priorities.remove("Night")


def test_key_goes_out_and_comes_back(server: Server, alice: Path, tmp_path: Path, typed: io.StringIO) -> None:
    """The key is shown by its id, exported, and put back after it was lost; the backups open again."""
    server.ok("backup", "alice")
    shown = server.ok("key", "show", "--json").json
    exported = server.ok("key", "export")
    assert exported.out.strip() not in server.ok("key", "show").out
    assert "keep it" in exported.err
    (server.home / "master.key").unlink()
    lost = server("points", "alice")
    assert (lost.status, lost.err.count("\n")) == (11, 1)
    say(typed, "AAAA" * 10 + "AAA=\n")
    assert server("key", "import").status == 11

    say(typed, exported.out)
    server.ok("key", "import")

    assert server.ok("key", "show", "--json").json == shown
    server.ok("restore", "alice", "--to", str(tmp_path / "out"))
    say(typed, exported.out)
    assert "holds this key already" in server("key", "import").err


def test_wrong_key_gives_one_line(server: Server, typed: io.StringIO) -> None:
    """A key of another installation is named as such; the right one takes its place, and the wrong one is kept."""
    exported = server.ok("key", "export").out
    (server.home / "master.key").write_bytes(os.urandom(32))

    for words in (["accounts"], ["init"], ["key", "show"], ["key", "rotate"]):
        said = server(*words)
        assert (said.status, said.err.count("\n")) == (11, 1)
        assert "was sealed with master key" in said.err

    say(typed, exported)
    assert ".old" in server.ok("key", "import").err
    server.ok("accounts")


def test_key_is_rotated_under_everything(server: Server, alice: Path, tmp_path: Path, typed: io.StringIO) -> None:
    """After a rotation, backups, restores and secrets work, and the key is another one."""
    server.ok("backup", "alice")
    say(typed, "hunter2\n")
    server.ok("settings", "set", "panel.mysql_password=-")
    before = server.ok("key", "export").out

    said = server.ok("key", "rotate")

    assert "older copies of the state database" in said.err
    assert server.ok("key", "export").out != before
    server.ok("backup", "alice")
    server.ok("restore", "alice", "--to", str(tmp_path / "out"))
    assert server.ok("settings", "get", "panel.mysql_password").out == "Secret('***')\n"


def test_key_comes_first_on_a_new_server(server: Server, tmp_path: Path, typed: io.StringIO) -> None:
    """The key of a lost server is put into a new one before it is set up, which then goes on with it."""
    exported = server.ok("key", "export").out
    new = Server(server.prefix, tmp_path / "new")
    say(typed, exported)

    new.ok("key", "import")
    new.ok("init")

    assert new.ok("key", "export").out == exported
    assert json.loads(new.ok("key", "show", "--json").out)["id"] == server.ok("key", "show", "--json").json["id"]


def test_a_spoiled_section_does_not_hide_the_others(server: Server) -> None:
    """A row that was edited by hand is named with what is wrong, the others are shown, and it can be put right."""
    server.ok("settings", "set", "general.logs_ttl=7")
    with contextlib.closing(sqlite3.connect(server.home / "state.db", isolation_level=None)) as database:
        database.execute("UPDATE settings SET document = '{\"logs_ttl\": 0}' WHERE section = 'general'")

    said = server("settings", "show")

    assert said.status == 2
    assert "general.logs_ttl: must be 1 to 36500 days (it is 0)" in said.err
    assert "performance.backup_forks = 5" in said.out
    server.ok("settings", "set", "general.logs_ttl=8")
    server.ok("settings", "show")


def test_dump_engine_goes_by_the_settings(server: Server, typed: io.StringIO) -> None:
    """What is set for MySQL reaches the engine that dumps it, at once."""
    server.ok("plugins", "enable", "dump_mysql")
    with jetcore.open(home=server.home) as core:
        before: Any = core.dump_engines["mysql"]
        say(typed, "hunter2\n")
        server.ok("settings", "set", "mysql.max_packet=64", "mysql.force=no", "dump_mysql.stall_timeout=9")
        server.ok("settings", "set", "panel.mysql_enabled=yes", "panel.mysql_user=jet", "panel.mysql_password=-")
        after: Any = core.dump_engines["mysql"]

    assert (before._client.settings.max_packet, before._client.settings.force, before._client.auth.user) == (
        1024, True, "",
    )  # fmt: skip
    settings, auth = after._client.settings, after._client.auth
    assert (settings.max_packet, settings.force, settings.stall_timeout) == (64, False, 9)
    assert (auth.host, auth.port, auth.user, auth.password.reveal()) == ("localhost", 3306, "jet", "hunter2")
    assert os.path.basename(settings.mysqldump) in {"mariadb-dump", "mysqldump"}
    refused = server("settings", "set", "dump_mysql.force=no")
    assert refused.status == 2
