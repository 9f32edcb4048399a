"""Programs of others that jetcore runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from jetcore.errors import SettingsError
from jetcore.settings.binaries import Binaries, find_program, program_if_any, version_of


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "rsync"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_program_is_found_on_the_path(program: Path) -> None:
    """Without a setting the first program of the name counts; the PATH of this process is the default."""
    assert find_program(Binaries(), "rsync", search=str(program.parent)) == program
    assert find_program(Binaries(), "tar").name == "tar"


def test_setting_wins_over_the_path(program: Path, tmp_path: Path) -> None:
    """A path that is set is taken, whatever is on the PATH."""
    assert find_program(Binaries(rsync=program), "rsync", search=str(tmp_path)) == program


def test_missing_program_is_named(tmp_path: Path) -> None:
    """A program that is nowhere is named with what to do."""
    with pytest.raises(SettingsError, match=r"no mongodump on the PATH; install it, or set binaries\.mongodump"):
        find_program(Binaries(), "mongodump", search=str(tmp_path))
    with pytest.raises(SettingsError, match=r"binaries\.tar: cannot use .*/nothing: No such file"):
        find_program(Binaries(tar=tmp_path / "nothing"), "tar")


def test_what_cannot_be_run_is_refused(program: Path) -> None:
    """A file without permission to run, and a directory, are no programs."""
    program.chmod(0o644)
    with pytest.raises(SettingsError, match="not a program that can be run"):
        find_program(Binaries(rsync=program), "rsync")
    with pytest.raises(SettingsError, match="not a program that can be run"):
        find_program(Binaries(rsync=program.parent), "rsync")


@pytest.mark.parametrize("mode", [0o757, 0o777])
def test_program_that_others_can_write_is_refused(program: Path, mode: int) -> None:
    """What everybody can change is not run by root: neither the program nor its directory."""
    program.chmod(mode)
    with pytest.raises(SettingsError, match=f"not safe to run: {program} can be written by everybody"):
        find_program(Binaries(rsync=program), "rsync")

    program.chmod(0o755)
    program.parent.chmod(mode)
    with pytest.raises(SettingsError, match=f"not safe to run: {program.parent} can be written by everybody"):
        find_program(Binaries(rsync=program), "rsync")


def test_link_is_judged_by_what_it_leads_to(program: Path, tmp_path: Path) -> None:
    """A link in an unsafe place, or to a program that everybody can change, is refused."""
    (tmp_path / "rsync").symlink_to(program)
    assert find_program(Binaries(rsync=tmp_path / "rsync"), "rsync") == tmp_path / "rsync"

    tmp_path.chmod(0o777)
    with pytest.raises(SettingsError, match=f"{tmp_path} can be written by everybody"):
        find_program(Binaries(rsync=tmp_path / "rsync"), "rsync")

    tmp_path.chmod(0o755)
    program.chmod(0o777)
    with pytest.raises(SettingsError, match=f"{program} can be written by everybody"):
        find_program(Binaries(rsync=tmp_path / "rsync"), "rsync")


def test_program_of_another_user_is_refused(program: Path) -> None:
    """A program that belongs to a user, or that a user's group can write, is not run by root."""
    if os.geteuid() != 0:
        # Only root can give files away; to anybody else, a program of root is safe.
        assert find_program(Binaries(), "tar").name == "tar"
        return
    os.chown(program, 1000, 0)
    with pytest.raises(SettingsError, match="belongs to user 1000"):
        find_program(Binaries(rsync=program), "rsync")

    os.chown(program, 0, 1000)
    program.chmod(0o775)
    with pytest.raises(SettingsError, match="can be written by group 1000"):
        find_program(Binaries(rsync=program), "rsync")


def test_other_name_of_a_program_counts(program: Path) -> None:
    """MariaDB's own names are found for MySQL's programs, and are the better ones."""
    for name in ("mysqldump", "mariadb-dump"):
        program.rename(program.with_name(name))
        program = program.with_name(name)
        assert find_program(Binaries(), "mysqldump", search=str(program.parent)) == program
    (program.parent / "mysqldump").symlink_to(program)
    assert find_program(Binaries(), "mysqldump", search=str(program.parent)) == program


def test_program_that_is_not_installed_may_be_missing(program: Path, tmp_path: Path) -> None:
    """A program that nobody has set may be missing; one that is set or found has to be safe."""
    assert program_if_any(Binaries(), "psql", search=str(tmp_path)) is None

    program.chmod(0o777)
    with pytest.raises(SettingsError, match="not safe"):
        program_if_any(Binaries(), "rsync", search=str(program.parent))


@pytest.mark.parametrize("name", ["tar", "gzip", "gunzip", "rsync"])
def test_program_says_its_version(name: str) -> None:
    """What a program answers is shown in a line."""
    assert re.search(r"\d\.\d", version_of(find_program(Binaries(), name), name))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "ended with status 3 and said ''"),
        ("true", "ended with status 0 and said ''"),
        ("printf 'no \\033[1msuch option'; exit 1", r"status 1 and said 'no \x1b[1msuch option'"),
    ],
)
def test_program_without_a_version_is_refused(program: Path, script: str, said: str) -> None:
    """A program that fails, or says nothing, is named with what it said."""
    program.write_text(f"#!/bin/sh\n{script}\n")

    with pytest.raises(SettingsError) as raised:
        version_of(program, "rsync")

    assert raised.value.message.startswith(f"binaries.rsync: {program} does not answer to --version")
    assert said in raised.value.message


def test_file_that_is_no_program_is_refused(program: Path) -> None:
    """A file that the kernel cannot run is an error of ours."""
    program.write_bytes(b"\x7fELF nonsense")

    with pytest.raises(SettingsError, match="cannot be run"):
        version_of(program, "rsync")
