"""Whether somebody other than root could change a place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jetcore.settings.trust import open_to_others, way_open_to_others


def test_place_of_root_alone_is_safe(tmp_path: Path) -> None:
    """A directory below directories of root is safe, also one that does not exist yet."""
    assert way_open_to_others(tmp_path) == ""
    assert way_open_to_others(tmp_path / "new" / "deep") == ""


@pytest.mark.parametrize(("mode", "said"), [(0o777, "by everybody"), (0o770, "by group 1000")])
def test_writable_directory_on_the_way_is_found(tmp_path: Path, mode: int, said: str) -> None:
    """A directory that others can write is found, however far above it is."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.chown(tmp_path / "a", 0, 1000)
    (tmp_path / "a").chmod(mode)

    assert way_open_to_others(tmp_path / "a" / "b" / "c") == f"{tmp_path / 'a'} can be written {said}"


def test_home_of_an_account_is_found(tmp_path: Path) -> None:
    """A directory that belongs to a user is not root's alone."""
    os.chown(tmp_path, 1000, 1000)

    assert way_open_to_others(tmp_path / "x") == f"{tmp_path} belongs to user 1000"


def test_link_is_judged_on_both_ways(tmp_path: Path) -> None:
    """What a link leads to counts, and so does where the link lies."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "safe").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "open")
    (tmp_path / "open" / "link").symlink_to(tmp_path / "safe")

    assert way_open_to_others(tmp_path / "link") != ""
    assert way_open_to_others(tmp_path / "open" / "link") != ""


def test_sticky_directory_is_safe_for_what_exists_only(tmp_path: Path) -> None:
    """In a directory such as /tmp others can make a name that is not there yet, but not change one of root's."""
    shared = tmp_path / "shared"
    (shared / "there").mkdir(parents=True)
    shared.chmod(0o1777)

    assert way_open_to_others(shared / "there") == ""
    assert way_open_to_others(shared / "new") == f"{shared} can be written by everybody"


def test_access_list_is_not_overlooked(tmp_path: Path) -> None:
    """A user who may write by an access list is found, although group and mode look like root's own."""
    assert open_to_others(tmp_path) == ""

    subprocess.run(["setfacl", "-m", "u:1000:rwx", tmp_path], check=True)

    assert open_to_others(tmp_path) == "can be written by those in its access list"
