"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy import api as mypy

from jetcore.testing.mariadb import MariaDB

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPET = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[-1]
HOME = "/var/lib/jetcore"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MariaDB]:
    """Set up jetcore in ``tmp_path / "jetcore"`` for a server with one account, alice, who has a shop."""
    root = tmp_path / "root"
    home = root / "home/alice"
    home.mkdir(parents=True)
    (home / "index.html").write_text("Welcome to the shop")
    os.chown(home, 12345, 12345)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("alice:x:12345:12345::/home/alice:/bin/bash\n")
    (root / "etc/group").write_text("alice:x:12345:\n")
    with MariaDB() as mariadb:
        mariadb.run("CREATE DATABASE alice_shop; USE alice_shop; CREATE TABLE cakes (name TEXT)")
        mariadb.run("INSERT INTO cakes VALUES ('Sacher')", "alice_shop")
        jetcore = [Path(sys.executable).with_name("jetcore"), "--home", tmp_path / "jetcore"]
        mysql = ["panel.mysql_enabled=yes", f"panel.mysql_host={mariadb.socket}", "panel.mysql_user=root"]
        subprocess.run([*jetcore, "init"], check=True)
        subprocess.run([*jetcore, "settings", "set", f"panel_linux.root={root}", *mysql], check=True)
        yield mariadb


def test_library_snippet_backs_up_and_restores(server: MariaDB, tmp_path: Path) -> None:
    """The lines for programs back an account up and bring its database back."""
    assert HOME in SNIPPET

    snippet = SNIPPET.replace(HOME, str(tmp_path / "jetcore"))
    lost = snippet.replace("    core.restore", "    lose()\n    core.restore")
    exec(lost, {"lose": lambda: server.run("DROP DATABASE alice_shop")})

    assert server.run("SELECT name FROM cakes", "alice_shop") == [("Sacher",)]


def test_library_snippet_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines for programs pass mypy --strict, and the restore point in them has a type."""
    monkeypatch.chdir(ROOT)  # where mypy finds the package
    program = tmp_path / "program.py"
    program.write_text(SNIPPET + "\nreveal_type(point)\n")

    said, _, status = mypy.run(
        ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}", str(program)]
    )

    assert status == 0, said
    assert 'Revealed type is "jetcore.model.RestorePoint"' in said


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!https?:)[^)]+)\)", README))
def test_link_leads_somewhere(path: str) -> None:
    """A link to a file of the project names one that is there."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("words", sorted(set(re.findall(r"^jetcore ([a-z]+(?: add)?)", README, re.MULTILINE))))
def test_command_exists(words: str) -> None:
    """A command of the README is one of the command line's."""
    done = subprocess.run(
        [Path(sys.executable).with_name("jetcore"), *words.split(), "--help"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
