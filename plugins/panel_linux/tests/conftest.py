from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest
from jetcore_panel_linux.panel import LinuxPanel

LOGIN_DEFS = """\
# a comment
UID_MIN			 1000
UID_MAX			60000
GID_MIN			 1000
USERGROUPS_ENAB yes
UMASK		022
MAIL_DIR        /var/mail
"""


@attrs.frozen
class Tree:
    """A root directory with the tables of logins, changed by the real programs."""

    root: Path

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run([program, "--prefix", self.root, *arguments], check=True, capture_output=True)

    def useradd(self, name: str, *arguments: str) -> None:
        self.run("useradd", "--create-home", "--skel", "/nonexistent", "--shell", "/bin/bash", *arguments, name)

    def panel(self, **settings: int) -> LinuxPanel:
        return LinuxPanel(self.root, **settings)

    def file(self, path: str) -> Path:
        return self.root / path

    def lines(self, table: str) -> Sequence[bytes]:
        return (self.root / "etc" / table).read_bytes().splitlines()

    def append(self, table: str, line: bytes) -> None:
        with (self.root / "etc" / table).open("ab") as file:
            file.write(line + b"\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty root directory with the folders of Debian's cron."""
    for folder in ("etc", "home", "var/spool/cron/crontabs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nsudo:x:27:\nwww-data:x:33:\nusers:x:100:\ncrontab:x:105:\n")
    (tmp_path / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
    (tmp_path / "etc/gshadow").touch()
    (tmp_path / "etc/login.defs").write_text(LOGIN_DEFS)
    return Tree(tmp_path)


@pytest.fixture
def crontab(tree: Tree) -> Callable[[str, bytes], Path]:
    """Return a function that gives a login a crontab."""

    def write(name: str, data: bytes) -> Path:
        path = tree.file(f"var/spool/cron/crontabs/{name}")
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    return write
