"""The config file and its polynomial."""

from __future__ import annotations

import pytest

from jetcore.errors import CorruptRepositoryError, RepositoryError
from jetcore.repository.config import Config
from jetcore.repository.polynomial import is_irreducible, random_irreducible


def test_survives():
    """A config comes back as it was written."""
    config = Config.generate()

    assert Config.decode(config.encode()) == config
    assert config.version == 2
    assert config.id != Config.generate().id


def test_polynomials():
    """Random polynomials are irreducible and of degree 53; products of others are not irreducible."""
    polynomial = random_irreducible()

    assert polynomial.bit_length() == 54
    assert is_irreducible(polynomial)
    assert [p for p in range(2, 32) if is_irreducible(p)] == [2, 3, 7, 11, 13, 19, 25, 31]
    assert is_irreducible(0x3DA3358B4DC173)
    assert not is_irreducible(0x3DA3358B4DC173 << 1)


def test_other_versions():
    """Version 1 is known, a later version is refused with a hint."""
    polynomial = b'"id":"%b","chunker_polynomial":"3da3358b4dc173"}' % (b"0" * 64)

    assert Config.decode(b'{"version":1,' + polynomial).version == 1
    with pytest.raises(RepositoryError, match=r"version 3.*newer"):
        Config.decode(b'{"version":3,' + polynomial)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b'{"version":2,"id":"x","chunker_polynomial":"3da3358b4dc173"}',
        b'{"version":2,"id":"%b","chunker_polynomial":"4"}' % (b"0" * 64),
    ],
)
def test_nonsense(document):
    """What is no config is said to be damaged."""
    with pytest.raises(CorruptRepositoryError):
        Config.decode(document)
