"""What the machine allows: read, hash, compress and seal the same bytes on all cores, and store nothing.

The distance between this and jetcore's first backup is what the format, the durable writes and Python cost. Each core
has a process of its own, so nothing waits for an interpreter's lock.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from benchmarks.measure import Command

#: A blob's usual size in the repository format.
_BLOB_BYTES = 1 << 20


def command(home: Path) -> Command:
    """Return what does the work on all files below *home*."""
    return Command([sys.executable, "-m", "benchmarks.limit", home], cwd=Path(__file__).parents[1])


def _work(paths: Sequence[str]) -> None:
    compressor = zstandard.ZstdCompressor(level=1)
    encrypt_key, authenticate_key = os.urandom(32), os.urandom(32)
    buffer = bytearray(_BLOB_BYTES)
    view = memoryview(buffer)
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        while size := os.readv(descriptor, [buffer]):
            hashlib.sha256(view[:size]).digest()
            packed = compressor.compress(view[:size])
            sealed = Cipher(algorithms.AES256(encrypt_key), modes.CTR(os.urandom(16))).encryptor().update(packed)
            Poly1305.generate_tag(authenticate_key, sealed)
        os.close(descriptor)


def main(home: str) -> None:
    """Do the work on all files below *home*, dealt out to as many processes as there are cores."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(home) for name in names]
    regular = [path for path in paths if not os.path.islink(path)]
    cores = len(os.sched_getaffinity(0))
    children = []
    for core in range(cores):
        child = os.fork()
        if child == 0:
            _work(regular[core::cores])
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a process of the limit failed")


if __name__ == "__main__":
    main(sys.argv[1])
