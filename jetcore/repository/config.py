"""The config file: format version, id and chunker polynomial of a repository."""

from __future__ import annotations

import re
import secrets

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError, RepositoryError
from jetcore.repository.polynomial import is_irreducible, random_irreducible

#: The version of the format that is written.
VERSION = 2
_READABLE = (1, 2)


@attrs.frozen
class Config:
    """What a repository says of itself."""

    version: int
    #: 64 hex digits.
    id: str
    #: Decides where restic cuts files; our own cuts are seeded with it.
    polynomial: int

    @classmethod
    def generate(cls) -> Config:
        """Return the config of a new repository."""
        return cls(VERSION, secrets.token_hex(32), random_irreducible())

    def encode(self) -> bytes:
        """Return the JSON document."""
        return orjson.dumps(
            {"version": self.version, "id": self.id, "chunker_polynomial": f"{self.polynomial:x}"},
        )

    @classmethod
    def decode(cls, document: bytes) -> Config:
        """Return the config in a JSON *document*.

        :raises RepositoryError: The repository has a version that is unknown.
        :raises CorruptRepositoryError: The document makes no sense.
        """
        try:
            fields = orjson.loads(document)
            config = cls(int(fields["version"]), str(fields["id"]), int(fields["chunker_polynomial"], 16))
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptRepositoryError(f"it is no config of a repository: {error!r}") from error
        if config.version not in _READABLE:
            raise RepositoryError(
                f"the repository has format version {config.version}", hint="a newer jetcore may read it"
            )
        if not re.fullmatch("[0-9a-f]{64}", config.id) or not is_irreducible(config.polynomial):
            raise CorruptRepositoryError("it is no config of a repository: a value makes no sense")
        return config
