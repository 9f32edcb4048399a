"""Make hosting accounts to measure with: a WordPress, pictures and mails each, the same bytes for the same seed."""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

#: Uid of the first account; the others follow.
FIRST_UID = 5001
PICTURES = 216
PICTURE_BYTES = (12_000, 2_000_000)
MAILS = 2_000
MAIL_BYTES = (1_200, 60_000)

_WORDS = (
    *(
        "the",
        "order",
        "of",
        "your",
        "shop",
        "has",
        "been",
        "sent",
        "today",
        "please",
        "find",
        "attached",
        "an",
        "invoice",
    ),
    *(
        "for",
        "last",
        "month",
        "with",
        "best",
        "regards",
        "delivery",
        "on",
        "Tuesday",
        "is",
        "possible",
        "since",
        "nobody",
    ),
)


@attrs.frozen(kw_only=True)
class Accounts:
    """Accounts in a tree of their own, laid out as on a server."""

    #: What ``/`` is on the server: holds ``etc/passwd`` and ``home``.
    root: Path
    names: tuple[str, ...]
    #: Where the WordPress came from.
    source: str

    @property
    def home(self) -> Path:
        """The folder of all home directories."""
        return self.root / "home"

    def files(self) -> Iterator[Path]:
        """Yield every regular file of every account, in a stable order."""
        for folder, subfolders, names in os.walk(self.home):
            subfolders.sort()
            yield from (path for name in sorted(names) if not (path := Path(folder, name)).is_symlink())


def make_accounts(root: Path, *, count: int, size: float, seed: int, cache: Path) -> Accounts:
    """Make *count* accounts below *root*.

    :param size: 1 makes accounts of about 5,000 files and 165 MB; the number of pictures and mails follows it.
    :param cache: Directory that keeps the downloaded WordPress from run to run.
    """
    rng = random.Random(seed)
    wordpress = _download_wordpress(cache)
    names = tuple(f"shop{number:02}" for number in range(1, count + 1))
    (root / "etc").mkdir(parents=True)
    for name in names:
        fill_home(root / "home" / name, f"{name}.example", rng=rng, size=size, wordpress=wordpress)
    passwd = "".join(
        f"{name}:x:{uid}:{uid}:{name}.example:/home/{name}:/bin/bash\n" for uid, name in enumerate(names, FIRST_UID)
    )
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n" + passwd)
    source = "WordPress of Debian" if wordpress else "a made-up site, as Debian's WordPress could not be downloaded"
    return Accounts(root=root, names=names, source=source)


def fill_home(home: Path, domain: str, *, rng: random.Random, size: float, wordpress: Path | None = None) -> None:
    """Put a site, pictures and the mails of one box into *home*.

    :param size: As in :func:`make_accounts`.
    :param wordpress: An unpacked WordPress to be copied; without it a site like it is made up.
    """
    prose = _prose(rng, 2 << 20)
    if wordpress:
        shutil.copytree(wordpress, home / "public_html", symlinks=True)
    else:
        _make_site(home / "public_html", rng, prose)
    _make_pictures(home / "public_html/wp-content/uploads/2024", rng, round(PICTURES * size))
    _make_mails(home / "mail" / domain / "info" / "cur", rng, prose, round(MAILS * size))


def change_some(files: Sequence[Path], *, share: float, seed: int) -> int:
    """Rewrite the beginning of a *share* of *files*, as an update of a site does; return how many."""
    rng = random.Random(seed)
    chosen = rng.sample(files, max(1, round(len(files) * share)))
    for path in chosen:
        with path.open("r+b") as file:
            file.write(f"changed {rng.getrandbits(64):016x}\n".encode())
    return len(chosen)


def _download_wordpress(cache: Path) -> Path | None:
    """Return Debian's WordPress unpacked, without installing it; None if it cannot be had."""
    site = cache / "usr/share/wordpress"
    if site.is_dir():
        return site
    cache.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", "-qq", "wordpress"], cwd=cache, check=True, capture_output=True)
        package = next(cache.glob("wordpress_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, cache], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError, StopIteration):
        return None
    package.unlink()
    return site


def _make_site(folder: Path, rng: random.Random, prose: bytes) -> None:
    """Make what resembles an unpacked WordPress: 2,700 text files of 200 bytes to 200 kB, 20 in a folder."""
    for number in range(2_700):
        path = folder / f"wp-{number // 400}" / f"part-{number // 20}" / f"class-{number}.php"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_slice(prose, rng, _between(rng, 200, 200_000)))


def _make_pictures(folder: Path, rng: random.Random, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 12 + 1:02}" / f"IMG_{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(_between(rng, *PICTURE_BYTES)))


def _make_mails(folder: Path, rng: random.Random, prose: bytes, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        time = 1_700_000_000 + number * 3_600
        body = _slice(prose, rng, _between(rng, *MAIL_BYTES))
        mail = b"Message-ID: <%016x@mail.example>\nSubject: Order %d\n\n%b\n" % (rng.getrandbits(64), number, body)
        (folder / f"{time}.M{rng.randrange(10**6)}P{number}.mail,S={len(mail)}:2,S").write_bytes(mail)


def _prose(rng: random.Random, size: int) -> bytes:
    text = " ".join(rng.choice(_WORDS) if rng.random() < 0.7 else f"{rng.getrandbits(24):x}" for _ in range(size // 5))
    return text.encode()


def _slice(prose: bytes, rng: random.Random, size: int) -> bytes:
    start = rng.randrange(len(prose) - size)
    return prose[start : start + size]


def _between(rng: random.Random, low: int, high: int) -> int:
    """Return a size whose logarithm is evenly spread: many small ones, few large ones, as files are."""
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))
