"""Sealing and the master keys."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.crypto import OVERHEAD, Crypter, MasterKeys, UnsealError

KEYS = MasterKeys.from_bytes(bytes(range(64)))


def test_poly1305_aes_vector():
    """The authentication is Poly1305-AES: the first test vector of its paper opens, with one bit turned it does not."""
    keys = MasterKeys(
        bytes(32), bytes.fromhex("ec074c835580741701425b623235add6"), bytes.fromhex("851fc40c3467ac0be05cc20404f3f700")
    )
    nonce = bytes.fromhex("fb447350c4e868c52ac3275cf9d4327e")
    message = bytes.fromhex("f3f6")
    tag = bytes.fromhex("f4c633c3044fc145f84f335cb81953de")

    assert len(Crypter(keys).unseal(nonce + message + tag)) == 2
    with pytest.raises(UnsealError):
        Crypter(keys).unseal(nonce + b"\xf3\xf7" + tag)


def test_keys_are_masked():
    """The Poly1305 key is kept with the bits cleared that the format wants cleared."""
    r = MasterKeys(bytes(32), bytes(16), b"\xff" * 16).mac_r

    assert r.hex() == "ffffff0ffcffff0ffcffff0ffcffff0f"


def test_keys_do_not_show():
    """No key appears in a repr."""
    assert repr(KEYS) == "MasterKeys('***')"


def test_keys_survive_json():
    """Keys come back from their JSON form; another text is refused without a word of it."""
    assert MasterKeys.from_json(KEYS.to_json()) == KEYS
    for text in (b"", b"[]", b'{"mac": {"k": "secret", "r": ""}, "encrypt": ""}', b'{"encrypt": 1}'):
        with pytest.raises(CorruptRepositoryError) as caught:
            MasterKeys.from_json(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sizes", [(31, 16, 16), (32, 15, 16), (32, 16, 17)])
def test_keys_of_wrong_length(sizes):
    """Keys have their length or are none."""
    with pytest.raises(ValueError, match="bytes instead of"):
        MasterKeys(*map(bytes, sizes))


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_sealed_texts_open(texts):
    """Whatever is sealed, alone or with others, opens to the same, and is 32 bytes longer."""
    crypter = Crypter(KEYS)
    sealed = bytearray()
    crypter.seal_onto(sealed, texts)

    position = 0
    for text in texts:
        length = len(text) + OVERHEAD
        assert crypter.unseal(sealed[position : position + length]) == text
        position += length
    assert position == len(sealed)


def test_same_text_twice_is_sealed_differently():
    """Each text has its own IV."""
    sealed = bytearray()
    Crypter(KEYS).seal_onto(sealed, [b"same", b"same"])

    assert sealed[:36] != sealed[36:]
    assert sealed[16:20] != sealed[52:56]


@given(st.binary(max_size=40), st.data())
def test_a_changed_bit_is_noticed(text, data):
    """No bit of a sealed text can be turned without being noticed."""
    crypter = Crypter(KEYS)
    sealed = bytearray(crypter.seal(text))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(UnsealError):
        crypter.unseal(sealed)


def test_short_and_foreign_texts():
    """What is too short, or was sealed with other keys, does not open."""
    sealed = Crypter(KEYS).seal(b"text")

    with pytest.raises(UnsealError, match="too short"):
        Crypter(KEYS).unseal(sealed[:31])
    with pytest.raises(UnsealError, match="tag"):
        Crypter(MasterKeys.generate()).unseal(sealed)


def test_several_threads():
    """One crypter serves several threads at once."""
    crypter = Crypter(KEYS)
    texts = [os.urandom(100_000) for _ in range(4)]
    wrong = []

    def work(text):
        wrong.extend(1 for _ in range(100) if crypter.unseal(crypter.seal(text)) != text)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
