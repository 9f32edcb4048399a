"""A small hosting server in a directory of its own: accounts, a site, mails and a database each."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import attrs

from benchmarks.accounts import change_some, fill_home
from jetcore.testing.mariadb import MariaDB

#: Share of a benchmark's account that one of these has in pictures and mails.
_SIZE = 0.25
_POSTS = 3_000


@attrs.frozen
class Account:
    """One of the accounts and what it owns."""

    name: str
    home: Path

    @property
    def database(self) -> str:
        """Its database."""
        return f"{self.name}_wp"

    @property
    def password(self) -> str:
        """The password of the database user, who is named like the database."""
        return f"{self.name} likes long passwords"


@attrs.frozen
class Server:
    """The directory that stands for ``/``, and the database server."""

    root: Path
    mariadb: MariaDB

    def add_account(self, name: str) -> Account:
        """Make an account as a server's administrator does, and give it a site, mails, a crontab and a database."""
        account = Account(name, self.root / "home" / name)
        self._add_user(name)
        account.home.mkdir(parents=True, exist_ok=True)
        fill_home(account.home, f"{name}.example", rng=random.Random(name), size=_SIZE)
        _add_oddities(account.home)
        self._fill_database(account)
        crontabs = self.root / "var/spool/cron/crontabs"
        crontabs.mkdir(parents=True, exist_ok=True)
        crontab = crontabs / name
        crontab.write_text("*/5 * * * * php ~/public_html/wp-cron.php\n")
        crontab.chmod(0o600)
        owner = (self.root / "etc/passwd").read_text().partition(f"\n{name}:")[2].split(":")
        for path in (account.home, crontab):
            subprocess.run(["chown", "-R", "-h", f"{owner[1]}:{owner[2]}", path], check=True)
        return account

    def change(self, account: Account) -> int:
        """Do what a day does: change one file in a hundred and some rows; return the number of files."""
        files = [Path(folder, name) for folder, _, names in os.walk(account.home) for name in names]
        regular = sorted(path for path in files if path.is_file() and not path.is_symlink())
        self.mariadb.run("UPDATE posts SET title = CONCAT('New: ', title) WHERE id % 300 = 0", account.database)
        return change_some(regular, share=0.01, seed=1)

    def destroy(self, account: Account) -> None:
        """Lose the home directory's contents, the crontab, the database and its user."""
        for entry in account.home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        (self.root / "var/spool/cron/crontabs" / account.name).unlink()
        self.mariadb.run(f"DROP DATABASE {account.database}; DROP USER '{account.database}'@'localhost'")

    def database_facts(self, account: Account) -> list[tuple[str, ...]]:
        """Return what tells two states of the database and its user apart; nothing if they are gone."""
        try:
            return self._database_facts(account)
        except RuntimeError:
            return []

    def crontab(self, account: Account) -> bytes:
        """Return the account's crontab; nothing if it is gone."""
        path = self.root / "var/spool/cron/crontabs" / account.name
        return path.read_bytes() if path.exists() else b""

    def _database_facts(self, account: Account) -> list[tuple[str, ...]]:
        user = f"'{account.database}'@'localhost'"
        return [
            *self.mariadb.run("CHECKSUM TABLE posts, options EXTENDED", account.database),
            *self.mariadb.run("SHOW CREATE TABLE posts; SHOW CREATE TABLE options", account.database),
            *self.mariadb.run(f"SHOW CREATE USER {user}; SHOW GRANTS FOR {user}"),
        ]

    def _add_user(self, name: str) -> None:
        etc = self.root / "etc"
        if not etc.exists():
            etc.mkdir(parents=True)
            (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
            (etc / "login.defs").write_text("UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n")
            for table in ("group", "shadow", "gshadow"):
                (etc / table).touch()
        if os.geteuid() == 0:
            words = ["--prefix", str(self.root), "--create-home", "--user-group", "--shell", "/bin/bash", name]
            subprocess.run(["useradd", *words], check=True, capture_output=True)
        else:
            # Only root may run useradd; a line with one's own uid does as well.
            with (etc / "passwd").open("a") as passwd:
                passwd.write(f"{name}:x:{os.getuid()}:{os.getgid()}::/home/{name}:/bin/bash\n")

    def _fill_database(self, account: Account) -> None:
        rng = random.Random(account.name)
        texts = (rng.randbytes(rng.randrange(200, 2_000)).hex() for _ in range(_POSTS))
        posts = ",".join(f"('Post {number} ✓', 0x{text}, '2024-02-29 12:00:00')" for number, text in enumerate(texts))
        user = f"'{account.database}'@'localhost'"
        self.mariadb.run(
            f"CREATE DATABASE {account.database} CHARACTER SET utf8mb4; USE {account.database};"
            "CREATE TABLE posts (id INT PRIMARY KEY AUTO_INCREMENT, title TEXT, body BLOB, written DATETIME);"
            f"INSERT INTO posts (title, body, written) VALUES {posts};"
            "CREATE TABLE options (name VARCHAR(64) PRIMARY KEY, value LONGTEXT);"
            f"INSERT INTO options VALUES ('home', 'https://{account.name}.example'), ('motto', '“Süßes” 🍰');"
            f"CREATE USER {user} IDENTIFIED BY '{account.password}';"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {account.database}.* TO {user};"
        )


def _add_oddities(home: Path) -> None:
    """Add what simple copies lose: links, a sparse file, attributes, an ACL, a name that is not UTF-8, a fine time."""
    folder = home / "odds and ends"
    folder.mkdir()
    plain = folder / "plain"
    plain.write_text("the same file under two names\n")
    (folder / "hard link").hardlink_to(plain)
    (folder / "symbolic link").symlink_to("plain")
    (folder / "dangling link").symlink_to("/nowhere")
    with (folder / "sparse").open("wb") as sparse:
        sparse.truncate(50 << 20)
        sparse.seek(20 << 20)
        sparse.write(b"an island")
    with open(os.fsencode(folder) + b"/caf\xe9", "wb") as latin:
        latin.write(b"a name in Latin-1\n")
    os.setxattr(plain, "user.colour", b"blue")
    subprocess.run(["setfacl", "-m", "u:65534:r", plain], check=True)
    os.utime(plain, ns=(0, 981_173_106_123_456_789))
    (folder / "empty").mkdir(mode=0o750)
