"""The master key, and texts that are sealed with it.

A sealed text is ``jcs1:KEY:DATA``: the version of this form, the key's id, and in URL-safe Base64 a nonce of 12 bytes
followed by the AES-256-GCM ciphertext and tag. What the secret belongs to (``repositories.password:…``) is the
associated data, so a sealed text that is copied to another place does not open there.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jetcore.errors import MasterKeyError
from jetcore.model import Secret

_VERSION = "jcs1"
#: What a sealed text begins with.
SEALED = f"{_VERSION}:"
_NONCE_BYTES = 12
_HINT = "restore the master key file that belongs to this state database"


def sealed_with(sealed: str) -> str:
    """Return the id of the key that a sealed text was sealed with; empty if it is none."""
    version, _, rest = sealed.partition(":")
    return rest.partition(":")[0] if version == _VERSION else ""


class MasterKey:
    """The 32 bytes that seal every secret in the state database. Shown masked, never pickled."""

    SIZE = 32

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        if len(data) != self.SIZE:
            raise MasterKeyError(f"a master key has {self.SIZE} bytes, not {len(data)}")
        self._data = bytes(data)

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls(secrets.token_bytes(cls.SIZE))

    @classmethod
    def from_text(cls, text: Secret) -> Self:
        """Return the key that :meth:`to_text` wrote.

        :raises MasterKeyError: The text is not one.
        """
        try:
            data = base64.b64decode("".join(text.reveal().split()), validate=True)
        except ValueError:
            raise MasterKeyError(
                "the text is not a master key", hint="paste what `jetcore key export` printed"
            ) from None
        return cls(data)

    def to_text(self) -> Secret:
        """Return the key in Base64, to be kept outside this server."""
        return Secret(base64.b64encode(self._data).decode("ascii"))

    def reveal(self) -> bytes:
        """Return the bytes. Call it where they are written or used and nowhere earlier."""
        return self._data

    @property
    def id(self) -> str:
        """Eight hex digits that tell keys apart and say nothing about the key itself."""
        return hashlib.sha256(b"jetcore master key id\0" + self._data).hexdigest()[:8]

    def seal(self, secret: Secret, context: str) -> str:
        """Return *secret* encrypted.

        :param context: What the secret belongs to; the same is needed to open it again.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = nonce + AESGCM(self._data).encrypt(nonce, secret.reveal().encode(), context.encode())
        return f"{_VERSION}:{self.id}:{base64.urlsafe_b64encode(data).decode('ascii')}"

    def unseal(self, sealed: str, context: str) -> Secret:
        """Return the secret that :meth:`seal` encrypted for the same *context*.

        :raises MasterKeyError: It was sealed with another key or for something else, or it is damaged.
        """
        version, _, rest = sealed.partition(":")
        key_id, _, text = rest.partition(":")
        if version != _VERSION:
            raise MasterKeyError(
                f"the secret {context} is not sealed in a form that this version of jetcore knows",
                hint="was it written by a newer jetcore, or by hand?",
            )
        if key_id != self.id:
            raise MasterKeyError(f"the secret {context} was sealed with master key {key_id}, not {self.id}", hint=_HINT)
        try:
            data = base64.b64decode(text, altchars=b"-_", validate=True)
            nonce, encrypted = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            plain = AESGCM(self._data).decrypt(nonce, encrypted, context.encode())
        except (ValueError, InvalidTag):
            raise MasterKeyError(
                f"the secret {context} is damaged, or was copied there from elsewhere", hint="enter it anew"
            ) from None
        return Secret(plain.decode())

    def __repr__(self) -> str:
        return "MasterKey('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MasterKey) and secrets.compare_digest(other._data, self._data)

    def __hash__(self) -> int:
        return hash((MasterKey, self._data))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a MasterKey cannot be pickled")
