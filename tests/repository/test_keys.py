"""Key files."""

from __future__ import annotations

import hashlib
import json

import pytest

from jetcore.errors import CorruptRepositoryError, RepositoryError, WrongPasswordError
from jetcore.model import Secret
from jetcore.repository.crypto import MasterKeys
from jetcore.repository.files import Files
from jetcore.repository.keys import add_key, find_keys

KEYS = MasterKeys.from_bytes(bytes(range(64)))


@pytest.fixture
def files(memory):
    return Files(memory, "repo/")


def test_several_keys(files):
    """Each password opens the same master keys."""
    for password in ("one", "two", ""):
        add_key(files, KEYS, Secret(password))

    for password in ("two", "one", ""):
        assert find_keys(files, Secret(password)) == KEYS


def test_wrong_password(files):
    """A password that opens nothing is said to be wrong, and is not repeated."""
    add_key(files, KEYS, Secret("one"))

    with pytest.raises(WrongPasswordError) as caught:
        find_keys(files, Secret("hush-hush"))
    assert "hush" not in str(caught.value)


def test_no_keys(files):
    """A place without keys is no repository."""
    with pytest.raises(RepositoryError, match="no repository at repo/"):
        find_keys(files, Secret("one"))


def damaged(files, change):
    """Put a damaged copy of the only key file in its place, under the right name for its contents."""
    (name,) = files.destination.objects
    document = change(json.loads(files.destination.objects.pop(name)))
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    name = f"repo/keys/{hashlib.sha256(data).hexdigest()}"
    files.destination.objects[name] = data
    return name


@pytest.mark.parametrize(
    "change",
    [
        lambda key: b"{",
        lambda key: {},
        lambda key: key | {"kdf": "other"},
        lambda key: key | {"N": 1 << 40},
        lambda key: key | {"r": 1 << 30},
        lambda key: key | {"N": 0},
        lambda key: key | {"p": 10**6},
        lambda key: key | {"salt": "*"},
    ],
)
def test_damaged_keys_are_named(files, change):
    """A key file that makes no sense, or would cost unreasonably much, is named; others still open."""
    add_key(files, KEYS, Secret("one"))
    name = damaged(files, change)

    with pytest.raises(CorruptRepositoryError, match=name):
        find_keys(files, Secret("one"))
    add_key(files, KEYS, Secret("two"))
    assert find_keys(files, Secret("two")) == KEYS


def test_turned_bits_are_named(files):
    """A key file that does not match its name is named."""
    add_key(files, KEYS, Secret("one"))
    (name,) = files.destination.objects
    files.destination.objects[name] += b" "

    with pytest.raises(CorruptRepositoryError, match=name):
        find_keys(files, Secret("one"))
