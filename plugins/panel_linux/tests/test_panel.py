from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import attrs
import pytest
from jetcore_panel_linux import LinuxSettings, Plugin

import jetcore
from jetcore.testing import PanelContract, PluginContract

HASH = "$6$salt$0123456789abcdefghij"
CONFIG = jetcore.Part(jetcore.Contains.CONFIG)
HOMEDIR = jetcore.Part(jetcore.Contains.HOMEDIR)
CRON = jetcore.Part(jetcore.Contains.CRON)


class TestInstalled(PluginContract):
    plugin = "panel_linux"


class TestContract(PanelContract):
    @pytest.fixture
    def panel(self, tree, crontab):
        tree.run("groupadd", "sftponly")
        tree.useradd("alice", "--comment", "Al Ice", "--groups", "sftponly,sudo", "--password", HASH)
        tree.useradd("bob")
        crontab("alice", b"@daily true\n")
        return tree.panel()

    @pytest.fixture
    def account(self, panel):
        return panel.account("alice")

    @pytest.fixture
    def wanted(self, tree):
        return jetcore.Account(name="carol", panel="linux", home=tree.file("home/carol"), uid=1777, gid=1777)


def names(panel) -> list[str]:
    return [account.name for account in panel.accounts()]


# Accounts -------------------------------------------------------------------------------------------------------------


def test_account_has_what_passwd_says(tree):
    """An account's name, numbers and home come from passwd, the home below the root directory."""
    tree.run("groupadd", "sftponly")
    tree.useradd("alice", "--uid", "1500", "--comment", "Al Ice", "--groups", "sftponly")

    assert tree.panel().account("alice") == jetcore.Account(
        name="alice",
        panel="linux",
        home=tree.root / "home/alice",
        uid=1500,
        gid=1500,
        extra={
            "comment": "Al Ice",
            "home": "/home/alice",
            "shell": "/bin/bash",
            "group": "alice",
            "groups": "sftponly",
        },
    )


def test_plugin_looks_below_the_root_of_settings_or_host(tree):
    """The root directory of the settings is used, and that of the host where they leave it at ``/``."""
    tree.useradd("alice")
    elsewhere = jetcore.Host(name="web1", root=Path("/nonexistent"))

    by_settings = Plugin(LinuxSettings(root=str(tree.root))).jetcore_detect_panel(elsewhere)
    by_host = Plugin(LinuxSettings()).jetcore_detect_panel(jetcore.Host(name="web1", root=tree.root))

    assert names(by_settings) == names(by_host) == ["alice"]


def test_only_user_ids_of_the_range_are_accounts(tree):
    """Logins outside UID_MIN to UID_MAX of login.defs are none, nor is nobody; the settings can narrow the range."""
    for name, uid in [("low", 999), ("first", 1000), ("last", 60000), ("high", 60001), ("nobody", 65534)]:
        tree.append("passwd", f"{name}:x:{uid}:100::/home/{name}:/bin/sh".encode())

    assert names(tree.panel()) == ["first", "last"]
    assert names(tree.panel(uid_min=1001)) == ["last"]
    assert names(tree.panel(uid_max=70000)) == ["first", "last", "high"]
    assert tree.panel().account("low") is None


def test_range_has_defaults(tree):
    """Without login.defs the usual range holds."""
    tree.useradd("alice")
    tree.file("etc/login.defs").unlink()

    assert names(tree.panel()) == ["alice"]


@pytest.mark.parametrize(
    "line",
    [
        b"broken",
        b"six:x:1001:1001::/home/six",
        b"eight:x:1001:1001::/home/eight:/bin/sh:more",
        b"noid:x::1001::/home/noid:/bin/sh",
        b"letters:x:1oo1:1001::/home/letters:/bin/sh",
        b"minus:x:-5:1001::/home/minus:/bin/sh",
        b":x:1001:1001::/home/anonymous:/bin/sh",
        b"../etc:x:1001:1001::/home/up:/bin/sh",
        b".hidden:x:1001:1001::/home/hidden:/bin/sh",
        b"sp ace:x:1001:1001::/home/space:/bin/sh",
        b"m\xfcller:x:1001:1001::/home/mueller:/bin/sh",
        b"jose:x:1001:1001::/home/jos\xe9:/bin/sh",
        b"nul:x:1001:1001:\0:/home/nul:/bin/sh",
        b"alice:x:1001:1001::/home/second:/bin/sh",
    ],
)
def test_broken_line_is_named_and_passed_over(tree, caplog, line):
    """A line of passwd that makes no sense is logged with its number, and the others are accounts."""
    tree.useradd("alice")
    tree.append("passwd", line)
    tree.append("passwd", b"bob:x:1002:100::/home/bob:/bin/sh")

    with caplog.at_level(logging.WARNING):
        assert names(tree.panel()) == ["alice", "bob"]

    assert f"{tree.root}/etc/passwd, line 4 is passed over" in caplog.text


@pytest.mark.parametrize("line", [b"", b"# a comment", b"+::::::", b"-mallory::::::", b"-rf:x:1001:1001::/:/bin/sh"])
def test_line_that_is_no_login_is_nothing_to_report(tree, caplog, line):
    """Comments and the marks of NIS are passed over in silence."""
    tree.append("passwd", line)
    tree.useradd("alice")

    assert names(tree.panel()) == ["alice"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("home", "path"),
    [
        (b"/", ""),
        (b"", ""),
        (b"/home/gone", "home/gone"),
        (b"/home/../../../etc", "etc"),
        (b"relative", "relative"),
        (b"//twice", "twice"),
    ],
)
def test_account_with_a_strange_home_is_listed(tree, home, path):
    """An account whose home is missing, the root or written strangely is there, with a home below the root."""
    tree.append("passwd", b"strange:x:1001:1001::" + home + b":/bin/sh")

    assert tree.panel().account("strange").home == tree.root / path


def test_text_in_any_encoding_is_kept(tree):
    """A comment that is not UTF-8 is kept as base64, since JSON has no bytes."""
    tree.append("passwd", b"jose:x:1001:1001:Jos\xe9:/home/jose:/bin/sh")

    extra = tree.panel().account("jose").extra

    assert extra["comment_base64"] == "Sm9z6Q=="
    assert "comment" not in extra


def test_changed_tables_are_read_again(tree):
    """A panel that lives long sees logins that come and go."""
    panel = tree.panel()
    assert names(panel) == []

    tree.useradd("alice")
    assert names(panel) == ["alice"]

    tree.run("usermod", "--shell", "/bin/sh", "alice")
    assert panel.account("alice").extra["shell"] == "/bin/sh"


def test_locked_login_is_suspended(tree):
    """A lock before a password hash is a suspension; a login that never had a password is not suspended."""
    tree.useradd("alice", "--password", HASH)
    tree.useradd("bob")
    tree.run("usermod", "--lock", "alice")

    assert [account.suspended for account in tree.panel().accounts()] == [True, False]


@pytest.mark.parametrize("trap", ["link", "fifo", "folder", "second name", "missing"])
def test_passwd_must_be_an_ordinary_file(tree, tmp_path, trap):
    """A passwd that leads elsewhere or is none is an error that names it."""
    passwd = tree.file("etc/passwd")
    kept = passwd.rename(tmp_path / "kept")
    match trap:
        case "link":
            passwd.symlink_to(kept)
        case "fifo":
            os.mkfifo(passwd)
        case "folder":
            passwd.mkdir()
        case "second name":
            passwd.hardlink_to(kept)

    with pytest.raises(jetcore.PanelError, match="etc/passwd"):
        list(tree.panel().accounts())


# Parts ----------------------------------------------------------------------------------------------------------------


def test_crontab_is_a_part_only_where_there_is_one(tree, crontab):
    """Login and home are parts of every account, a crontab of those that have one."""
    tree.useradd("alice")
    tree.useradd("bob")
    crontab("alice", b"")
    panel = tree.panel()

    assert panel.parts(panel.account("alice")) == [CONFIG, HOMEDIR, CRON]
    assert panel.parts(panel.account("bob")) == [CONFIG, HOMEDIR]


def test_config_holds_facts_and_password_apart(tree):
    """The facts are readable JSON with sorted keys, the line of shadow is a file of its own, both for root only."""
    tree.useradd("alice", "--uid", "1500", "--comment", "Al Ice", "--password", HASH)
    panel = tree.panel()

    account, shadow = panel.read(panel.account("alice"), CONFIG)

    facts = json.loads(account.data)
    assert account.path == "config/account.json"
    assert list(facts) == sorted(facts)
    assert facts == {
        "name": "alice",
        "uid": 1500,
        "gid": 1500,
        "comment": "Al Ice",
        "home": "/home/alice",
        "shell": "/bin/bash",
        "group": "alice",
        "groups": "",
    }
    (line,) = [line for line in tree.lines("shadow") if line.startswith(b"alice:")]
    assert shadow == jetcore.PartFile(path="config/shadow", data=line.removeprefix(b"alice:") + b"\n", mode=0o600)
    assert account.mode == 0o600
    assert HASH.encode() not in account.data


def test_login_without_shadow_is_read(tree):
    """A login that shadow does not know has facts only."""
    tree.append("passwd", b"alice:x:1001:1001::/home/alice:/bin/sh")
    panel = tree.panel()

    assert [file.path for file in panel.read(panel.account("alice"), CONFIG)] == ["config/account.json"]


@pytest.mark.parametrize("folder", ["crontabs", "tabs", ""])
def test_crontab_is_found_in_every_distributions_spool(tree, folder):
    """Debian, SUSE and Red Hat keep crontabs in different folders."""
    tree.useradd("alice")
    tree.file("var/spool/cron/crontabs").rmdir()
    spool = tree.file("var/spool/cron") / folder
    spool.mkdir(exist_ok=True)
    (spool / "alice").write_bytes(b"0 0 * * * caf\xe9\n")
    panel = tree.panel()
    alice = panel.account("alice")

    (file,) = panel.read(alice, CRON)
    assert file == jetcore.PartFile(path="cron/crontab", data=b"0 0 * * * caf\xe9\n", mode=0o600)

    panel.apply(alice, CRON, [attrs.evolve(file, data=b"new\n")])
    assert (spool / "alice").read_bytes() == b"new\n"


@pytest.mark.parametrize("trap", ["link", "fifo", "folder", "second name"])
def test_crontab_must_be_an_ordinary_file(tree, tmp_path, trap):
    """A crontab that leads elsewhere is not read; the part is there, so that a point without it is not called whole."""
    tree.useradd("alice")
    secret = tmp_path / "secret"
    secret.write_text("root's")
    place = tree.file("var/spool/cron/crontabs/alice")
    match trap:
        case "link":
            place.symlink_to(secret)
        case "fifo":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "second name":
            place.hardlink_to(secret)
    panel = tree.panel()
    alice = panel.account("alice")

    assert CRON in panel.parts(alice)
    with pytest.raises(jetcore.PanelError, match="crontabs/alice"):
        panel.read(alice, CRON)


def test_part_that_has_gone_is_an_error(tree, crontab):
    """A crontab, or an account, that went away between listing and reading is named."""
    tree.useradd("alice")
    crontab("alice", b"").unlink()
    panel = tree.panel()
    alice = panel.account("alice")

    with pytest.raises(jetcore.PanelError, match="'alice' has no crontab any more"):
        panel.read(alice, CRON)
    with pytest.raises(jetcore.PanelError, match="keeps no homedir"):
        panel.read(alice, HOMEDIR)

    tree.run("userdel", "alice")
    with pytest.raises(jetcore.PanelError, match="no account 'alice'"):
        panel.read(alice, CONFIG)


# Databases ------------------------------------------------------------------------------------------------------------


def test_longest_name_owns_the_database(tree):
    """A database belongs to the account with the longest name that it begins with."""
    for name in ("a", "a_b", "alice"):
        tree.useradd(name)
    tree.append("passwd", b"a_sys:x:999:999::/:/bin/sh")
    panel = tree.panel()
    existing = ["a", "a_", "a_b", "a_b_shop", "a_bc", "a_shop", "a_sys_x", "alice", "alice_a_b", "ab", "other", "_a"]

    owned = {name: panel.databases(panel.account(name), "mysql", existing) for name in ("a", "a_b", "alice")}

    assert owned == {
        "a": ["a", "a_", "a_bc", "a_shop", "a_sys_x"],
        "a_b": ["a_b", "a_b_shop"],
        "alice": ["alice", "alice_a_b"],
    }


# Putting back ---------------------------------------------------------------------------------------------------------


def snapshot_of(panel, name: str) -> tuple[jetcore.Account, dict]:
    """Return an account and what a backup of it holds."""
    account = panel.account(name)
    return account, {part: panel.read(account, part) for part in panel.parts(account) if part != HOMEDIR}


def test_account_that_was_removed_comes_back_as_it_was(tree, crontab):
    """After userdel an account is made again with every line of every table and its crontab as before."""
    tree.run("groupadd", "sftponly")
    tree.run("groupadd", "--gid", "2222", "customers")
    tree.useradd(
        "alice", "--uid", "1500", "--comment", "Zoë Ünal,,,", "--password", HASH, "--groups", "sftponly,customers"
    )
    tree.run("usermod", "--expiredate", "2031-01-02", "--inactive", "30", "alice")
    crontab("alice", b"@daily true\n")
    os.chown(tree.file("var/spool/cron/crontabs/alice"), 1500, 105)
    panel = tree.panel()
    before, parts = snapshot_of(panel, "alice")
    tables = {table: sorted(tree.lines(table)) for table in ("passwd", "group", "shadow")}
    tree.run("userdel", "alice")
    tree.file("home/alice").rmdir()
    tree.file("var/spool/cron/crontabs/alice").unlink()

    created = panel.create_account(before)
    for part, files in parts.items():
        panel.apply(created, part, files)

    assert panel.account("alice") == before
    assert {table: sorted(tree.lines(table)) for table in tables} == tables
    place = tree.file("var/spool/cron/crontabs/alice")
    assert place.read_bytes() == b"@daily true\n"
    facts = place.stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode) == (1500, 105, 0o100600)
    home = tree.file("home/alice").stat()
    assert (home.st_uid, home.st_gid) == (1500, 1500)
    assert os.listdir(tree.file("home/alice")) == []


def test_taken_user_id_is_replaced(tree):
    """An account whose user id somebody else has got meanwhile is made with another one."""
    tree.useradd("alice", "--uid", "1500")
    panel = tree.panel()
    before = panel.account("alice")
    tree.run("userdel", "--remove", "alice")
    tree.useradd("bob", "--uid", "1500")

    created = panel.create_account(before)

    assert created.uid != 1500
    assert tree.file("home/alice").stat().st_uid == created.uid


def test_user_id_outside_the_range_is_replaced(tree):
    """A restore point cannot bring a login with the rights of the system."""
    wanted = jetcore.Account(name="alice", panel="linux", home=tree.file("home/alice"), uid=0, gid=0)

    assert tree.panel().create_account(wanted).uid >= 1000


@pytest.mark.parametrize("kind", ["folder of root", "folder of another", "link", "file"])
def test_home_of_somebody_else_is_not_taken(tree, tmp_path, kind):
    """Where the home directory would be stands something else, the account is not made."""
    tree.useradd("bob", "--uid", "1600")
    home = tree.file("home/alice")
    uid = 1500
    match kind:
        case "folder of root":
            home.mkdir()
        case "folder of another":
            home.mkdir()
            os.chown(home, 1600, 1600)
            uid = 1600
        case "link":
            home.symlink_to(tmp_path)
            os.chown(home, 1500, 1500, follow_symlinks=False)
        case "file":
            home.touch()
            os.chown(home, 1500, 1500)
    wanted = jetcore.Account(name="alice", panel="linux", home=home, uid=uid, gid=uid)

    with pytest.raises(jetcore.PanelError, match=r"'alice' cannot be made: .*/home/alice is there already"):
        tree.panel().create_account(wanted)

    assert tree.panel().account("alice") is None


def test_home_that_was_left_over_is_kept(tree):
    """A home directory that stayed when the login was removed is taken again with what is in it."""
    tree.useradd("alice", "--uid", "1500")
    panel = tree.panel()
    before = panel.account("alice")
    tree.file("home/alice/index.php").write_text("<?php")
    tree.run("userdel", "alice")

    panel.create_account(before)

    assert tree.file("home/alice/index.php").read_text() == "<?php"


def test_groups_that_cannot_be_given_are_named(tree):
    """A group of the system, or one that is missing, is not joined; the rest is put back and the error names them."""
    tree.run("groupadd", "customers")
    tree.run("groupadd", "gone")
    tree.useradd("alice", "--comment", "Al Ice", "--groups", "customers,gone,sudo")
    panel = tree.panel()
    _, parts = snapshot_of(panel, "alice")
    tree.run("usermod", "--groups", "", "--comment", "somebody", "alice")
    tree.run("groupdel", "gone")

    with pytest.raises(jetcore.PanelError, match="'alice' was not put into gone, sudo"):
        panel.apply(panel.account("alice"), CONFIG, parts[CONFIG])

    extra = panel.account("alice").extra
    assert (extra["comment"], extra["groups"]) == ("Al Ice", "customers")


def test_main_group_of_all_is_given_again(tree):
    """An account whose main group is ``users`` gets it again, and one whose group has gone a group of its own."""
    tree.run("groupadd", "customers")
    tree.useradd("alice", "--gid", "users")
    tree.useradd("bob", "--gid", "customers")
    panel = tree.panel()
    alice, bob = panel.account("alice"), panel.account("bob")
    tree.run("userdel", "--remove", "alice")
    tree.run("userdel", "--remove", "bob")
    tree.run("groupdel", "customers")

    assert panel.create_account(alice).extra["group"] == "users"
    assert panel.create_account(bob).extra["group"] == "bob"


def test_password_is_in_no_command_line(tree, monkeypatch, tmp_path):
    """The hash reaches the system through a pipe: no program gets it as an argument or in its environment."""
    import subprocess

    tree.useradd("alice", "--password", HASH)
    panel = tree.panel()
    alice, parts = snapshot_of(panel, "alice")
    tree.run("usermod", "--password", "*", "alice")
    seen = []
    real = subprocess.run

    def run(command, **options):
        seen.append(repr((command, options.get("env"))))
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    panel.apply(alice, CONFIG, parts[CONFIG])

    assert seen
    assert not [command for command in seen if HASH in command]
    assert any(HASH.encode() in line for line in tree.lines("shadow"))


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("config/account.json", b"{"),
        ("config/account.json", b"[]"),
        ("config/account.json", b'{"shell": "/bin/sh:0:0"}'),
        ("config/account.json", b'{"comment": "a\\nroot2::0:0::/:/bin/sh"}'),
        ("config/account.json", b'{"comment_base64": "?"}'),
        ("config/shadow", b"short\n"),
        ("config/shadow", b"a\nroot::::::::\n"),
        ("config/shadow", b"hash:x:0:99999:7:::\n"),
    ],
)
def test_damaged_config_changes_nothing(tree, path, data):
    """Facts that could not stand in a table of logins are refused, and the tables stay as they are."""
    tree.useradd("alice", "--password", HASH)
    panel = tree.panel()
    alice, parts = snapshot_of(panel, "alice")
    tables = {table: tree.lines(table) for table in ("passwd", "group", "shadow")}

    files = [attrs.evolve(file, data=data) if file.path == path else file for file in parts[CONFIG]]
    with pytest.raises(jetcore.PanelError):
        panel.apply(alice, CONFIG, files)

    assert {table: tree.lines(table) for table in tables} == tables


def test_refusal_of_a_program_is_told(tree):
    """What a program of the shadow suite refuses is an error that says why, in its words and in ours."""
    wanted = jetcore.Account(name="alice", panel="linux", home=tree.file("home/alice"), uid=1500, gid=1500)
    tree.append("group", b"alice:x:27:")

    with pytest.raises(jetcore.PanelError, match=r"'alice' cannot be made: the name is taken \(useradd: group alice"):
        tree.panel().create_account(wanted)


def test_crontab_is_replaced_whole_and_never_followed(tree, tmp_path, crontab):
    """A link in the place of a crontab is replaced by the file, and what it led to stays as it is."""
    tree.useradd("alice")
    outside = tmp_path / "outside"
    outside.write_text("kept")
    place = tree.file("var/spool/cron/crontabs/alice")
    place.symlink_to(outside)
    panel = tree.panel()

    panel.apply(panel.account("alice"), CRON, [jetcore.PartFile(path="cron/crontab", data=b"@daily true\n")])

    assert not place.is_symlink()
    assert place.read_bytes() == b"@daily true\n"
    assert outside.read_text() == "kept"
    assert os.listdir(place.parent) == ["alice"]


def test_part_without_files_removes_the_crontab(tree, crontab):
    """Putting back that there was none removes a crontab, once or twice."""
    tree.useradd("alice")
    place = crontab("alice", b"@daily true\n")
    panel = tree.panel()

    panel.apply(panel.account("alice"), CRON, [])
    panel.apply(panel.account("alice"), CRON, [])

    assert not place.exists()


def test_server_without_cron_says_so(tree):
    """Where no cron is installed a crontab cannot be put back, and the error says what is missing."""
    tree.useradd("alice")
    tree.file("var/spool/cron/crontabs").rmdir()
    tree.file("var/spool/cron").rmdir()
    panel = tree.panel()
    alice = panel.account("alice")

    assert panel.parts(alice) == [CONFIG, HOMEDIR]
    with pytest.raises(jetcore.PanelError, match="install the package cron"):
        panel.apply(alice, CRON, [jetcore.PartFile(path="cron/crontab", data=b"")])
