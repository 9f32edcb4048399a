"""Sealing: AES-256 in counter mode with Poly1305-AES over the ciphertext, for everything that the format stores.

A sealed text is ``IV (16) || ciphertext || tag (16)``. The one-time key of the tag is ``r || AES-128(k, IV)``.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from jetcore.abc import Data
from jetcore.errors import CorruptRepositoryError, JetcoreError

#: Bytes that sealing adds: the IV and the tag.
OVERHEAD = 32
_IV = 16
_TAG = 16
#: Bits that Poly1305 wants to be zero in its key ``r``.
_R_MASK = int.from_bytes(bytes.fromhex("ffffff0ffcffff0ffcffff0ffcffff0f"), "little")


class UnsealError(JetcoreError):
    """A sealed text is damaged, or was sealed with other keys. Callers turn it into an error that names the place."""


def _has_length(length: int) -> Callable[[Any, attrs.Attribute[bytes], bytes], None]:
    def check(_instance: Any, attribute: attrs.Attribute[bytes], value: bytes) -> None:
        if len(value) != length:
            raise ValueError(f"{attribute.name} has {len(value)} bytes instead of {length}")

    return check


def _mask_r(r: bytes) -> bytes:
    return (int.from_bytes(r, "little") & _R_MASK).to_bytes(len(r), "little")


@attrs.frozen(repr=False)
class MasterKeys:
    """The three keys that everything in a repository but its key files is sealed with."""

    #: 32 bytes, for AES-256.
    encrypt: bytes = attrs.field(validator=_has_length(32))
    #: 16 bytes, for AES-128 in the authentication.
    mac_k: bytes = attrs.field(validator=_has_length(16))
    #: 16 bytes, for Poly1305; kept masked as Poly1305 uses it.
    mac_r: bytes = attrs.field(validator=_has_length(16), converter=_mask_r)

    @classmethod
    def generate(cls) -> MasterKeys:
        """Return new random keys."""
        return cls.from_bytes(os.urandom(64))

    @classmethod
    def from_bytes(cls, raw: bytes) -> MasterKeys:
        """Return the keys made of 64 bytes: encrypt 32, k 16, r 16."""
        return cls(raw[:32], raw[32:48], raw[48:])

    def to_json(self) -> bytes:
        """Return the keys in the form that a key file holds sealed. Secret."""
        k, r, encrypt = (base64.b64encode(key).decode() for key in (self.mac_k, self.mac_r, self.encrypt))
        return orjson.dumps({"mac": {"k": k, "r": r}, "encrypt": encrypt})

    @classmethod
    def from_json(cls, data: bytes | str) -> MasterKeys:
        """Return the keys that :meth:`to_json` wrote.

        :raises CorruptRepositoryError: *data* is something else.
        """
        try:
            document = orjson.loads(data)
            mac = document["mac"]
            return cls(*(base64.b64decode(text) for text in (document["encrypt"], mac["k"], mac["r"])))
        except (KeyError, TypeError, ValueError):
            # Without the cause: its text may hold a piece of the keys.
            raise CorruptRepositoryError("the master keys are not in the form of a repository's keys") from None

    def __repr__(self) -> str:
        return "MasterKeys('***')"


class _Contexts(threading.local):
    """The cipher contexts of one thread: making them costs more than sealing a small blob with them."""

    def __init__(self, keys: MasterKeys) -> None:
        counter = modes.CTR(bytes(_IV))
        self.ctr = Cipher(algorithms.AES(keys.encrypt), counter).encryptor()
        # One block a text, each of them a fresh random IV: what ECB leaks of equal blocks is nothing here.
        self.ecb = Cipher(algorithms.AES(keys.mac_k), modes.ECB()).encryptor()  # noqa: S305


class Crypter:
    """Seals and unseals with one set of keys. Safe to use from several threads."""

    def __init__(self, keys: MasterKeys) -> None:
        self._r = keys.mac_r
        self._contexts = _Contexts(keys)

    def seal(self, plaintext: Data) -> bytes:
        """Return *plaintext* sealed under a fresh random IV."""
        sealed = bytearray()
        self.seal_onto(sealed, [plaintext])
        return bytes(sealed)

    def seal_onto(self, target: bytearray, plaintexts: Sequence[Data]) -> None:
        """Seal each of *plaintexts* on its own and append the results to *target*.

        The IVs of all texts are drawn and encrypted in one go: with small blobs that saves a third of the time.
        """
        contexts = self._contexts
        ctr = contexts.ctr
        ivs = os.urandom(_IV * len(plaintexts))
        pads = contexts.ecb.update(ivs)
        r = self._r
        tag_of = Poly1305.generate_tag
        start = 0
        for plaintext in plaintexts:
            end = start + _IV
            iv = ivs[start:end]
            ctr.reset_nonce(iv)
            ciphertext = ctr.update(plaintext)
            target += iv
            target += ciphertext
            target += tag_of(r + pads[start:end], ciphertext)
            start = end

    def unseal(self, sealed: Data) -> bytes:
        """Return the plaintext of *sealed* after its tag was found right.

        :raises UnsealError: It is damaged or was sealed with other keys.
        """
        if len(sealed) < OVERHEAD:
            raise UnsealError(f"{len(sealed)} bytes are too short for a sealed text")
        view = memoryview(sealed)
        iv = bytes(view[:_IV])
        ciphertext = view[_IV:-_TAG]
        contexts = self._contexts
        try:
            Poly1305.verify_tag(self._r + contexts.ecb.update(iv), ciphertext, bytes(view[-_TAG:]))
        except InvalidSignature:
            raise UnsealError("the authentication tag does not match") from None
        contexts.ctr.reset_nonce(iv)
        return contexts.ctr.update(ciphertext)
