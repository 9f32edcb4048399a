"""The file that holds the master key."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from jetcore.errors import MasterKeyError
from jetcore.security import master_key
from jetcore.settings.secret import MasterKey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def test_key_is_kept_in_a_private_file(path: Path) -> None:
    """A new key is read back; its file has 32 bytes, is for its owner only, and is the only file that was left."""
    key = master_key.create(path)

    assert master_key.load(path) == key
    assert path.read_bytes() == key.reveal()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_two_keys_are_never_the_same(tmp_path: Path) -> None:
    """Each key is random."""
    assert master_key.create(tmp_path / "a") != master_key.create(tmp_path / "b")


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_mode_does_not_depend_on_the_umask(path: Path, umask: int) -> None:
    """Whatever the umask, the file is for its owner only."""
    before = os.umask(umask)
    try:
        master_key.create(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_key_is_never_replaced(path: Path) -> None:
    """A key that is there stays, whatever it is: losing it would lose every sealed secret."""
    path.write_bytes(b"even a broken one")

    with pytest.raises(MasterKeyError, match="there is a master key already"):
        master_key.create(path)

    assert path.read_bytes() == b"even a broken one"
    assert list(path.parent.iterdir()) == [path]


def test_key_is_not_written_through_a_link(path: Path, tmp_path: Path) -> None:
    """A symbolic link in the key's place is not followed, even where it leads nowhere yet."""
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(MasterKeyError, match="already"):
        master_key.create(path)

    assert not (tmp_path / "elsewhere").exists()


def test_key_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A key that cannot be written is an error that names the file."""
    with pytest.raises(MasterKeyError, match=r"cannot write the master key .*/no/master\.key: No such file"):
        master_key.create(tmp_path / "no" / "master.key")


def test_missing_key_is_named(path: Path) -> None:
    """Without the file the error says that a copy is wanted, and warns of making a new one."""
    with pytest.raises(MasterKeyError, match=r"master\.key is missing; put its copy back"):
        master_key.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_key_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    """A key that is open to group or others is refused with the command that closes it."""
    master_key.create(path)
    path.chmod(mode)

    with pytest.raises(MasterKeyError, match=rf"open to others \(mode {mode:04o}\); chmod 600 {path}"):
        master_key.load(path)


@pytest.mark.parametrize("size", [0, 31, 33, 10_000_000])
def test_key_of_another_size_is_refused(path: Path, size: int) -> None:
    """A file that was cut off, or is something else, is refused with both sizes."""
    path.touch(0o600)
    os.truncate(path, size)

    with pytest.raises(MasterKeyError, match=f"has {size} bytes instead of 32"):
        master_key.load(path)


def test_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    """A symbolic link to a good key is refused."""
    master_key.create(tmp_path / "real")
    path.symlink_to(tmp_path / "real")

    with pytest.raises(MasterKeyError, match="symbolic link"):
        master_key.load(path)


def test_what_is_no_file_is_refused(path: Path) -> None:
    """A directory or a pipe in the key's place is refused at once; nobody waits for a writer."""
    path.mkdir()
    with pytest.raises(MasterKeyError, match="not a plain file"):
        master_key.load(path)

    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(MasterKeyError, match="not a plain file"):
        master_key.load(path)


def test_imported_key_is_saved_like_a_new_one(path: Path) -> None:
    """A key that was exported elsewhere is kept in the same way."""
    key = MasterKey.generate()

    master_key.save(path, MasterKey.from_text(key.to_text()))

    assert master_key.load(path) == key
