from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jetcore.errors import UnsafeTargetError
from jetcore.restore import beneath
from jetcore.restore.beneath import Beneath, open_target


@pytest.fixture(params=["openat2", "steps"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beneath]:
    """A directory opened on a kernel that has openat2, and on one that has not."""
    if request.param == "steps":
        monkeypatch.setattr(beneath, "_OPENAT2", 999_999)
    (tmp_path / "root").mkdir()
    with open_target(tmp_path / "root") as opened:
        yield opened


def test_opens_what_is_beneath(root: Beneath, tmp_path: Path) -> None:
    """A path leads to the directory below the root; the empty path is the root itself."""
    (tmp_path / "root/a/b").mkdir(parents=True)

    for path, expected in ((b"", "root"), (b"a", "root/a"), (b"a/b", "root/a/b")):
        opened = root.open(path)
        assert os.path.sameopenfile(opened, os.open(tmp_path / expected, os.O_RDONLY))
        os.close(opened)


@pytest.mark.parametrize("path", [b"link", b"a/link", b"link/in", b"a/link/in/deeper"])
@pytest.mark.parametrize("target", ["/", "in", ".", "nowhere"])
def test_links_are_unsafe(root: Beneath, tmp_path: Path, path: bytes, target: str) -> None:
    """A symbolic link anywhere in a path is refused and named, wherever it leads."""
    (tmp_path / "root/a/in/deeper").mkdir(parents=True)
    (tmp_path / "root/in").mkdir()
    (tmp_path / "root/link").symlink_to(target)
    (tmp_path / "root/a/link").symlink_to(target)
    link = path[: path.index(b"link") + 4].decode()

    with pytest.raises(UnsafeTargetError, match=f"^{link} in "):
        root.open(path)


@pytest.mark.parametrize("path", [b"missing", b"file", b"file/x", b"fifo"])
def test_no_directory(root: Beneath, tmp_path: Path, path: bytes) -> None:
    """What is missing or no directory is an ordinary error, and a FIFO does not block."""
    (tmp_path / "root/file").touch()
    os.mkfifo(tmp_path / "root/fifo")

    with pytest.raises(OSError) as caught:
        root.open(path)

    assert caught.value.errno in (errno.ENOENT, errno.ENOTDIR)


def test_no_descriptor_is_left_open(root: Beneath, tmp_path: Path) -> None:
    """Neither success nor failure leaves a descriptor open."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/link").symlink_to("a")
    before = os.listdir("/proc/self/fd")

    os.close(root.open(b"a/b"))
    for path in (b"a/missing", b"link/b", b"a/b/c/d"):
        with pytest.raises((OSError, UnsafeTargetError)):
            root.open(path)

    assert os.listdir("/proc/self/fd") == before


def test_way_to_the_target_is_made(tmp_path: Path) -> None:
    """Missing directories on the way to a target are made for us alone."""
    with open_target(tmp_path / "a/b"):
        assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


def test_relative_links_on_the_way(tmp_path: Path) -> None:
    """A trusted link on the way may be relative, absolute, and lead on to another one."""
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "one").symlink_to("real/../two")
    (tmp_path / "two").symlink_to(tmp_path / "real")

    with open_target(tmp_path / "one/deep") as opened:
        assert os.path.samestat(os.fstat(opened.fd), (tmp_path / "real/deep").stat())
