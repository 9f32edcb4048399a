"""Key files: the master keys, sealed under a password. A repository can have several, one for each password."""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError, ObjectNotFoundError, RepositoryError, WrongPasswordError
from jetcore.model import Secret
from jetcore.repository.crypto import Crypter, MasterKeys, UnsealError
from jetcore.repository.files import Files, Kind
from jetcore.repository.snapshot import encode_datetime

_SALT = 64
#: A key file that wants more memory than this is not obeyed: it could stop the server.
_MAX_MEMORY = 1 << 30


@attrs.frozen
class _Scrypt:
    """The cost of deriving a key from a password."""

    n: int
    r: int
    p: int

    def derive(self, password: Secret, salt: bytes) -> Crypter:
        memory = 128 * self.r * (self.n + self.p + 2)
        if not 0 < memory <= _MAX_MEMORY or self.p > 64:
            raise ValueError(f"its scrypt parameters {self.n}, {self.r}, {self.p} are out of all bounds")
        derived = hashlib.scrypt(
            password.reveal().encode(), salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory + (1 << 20), dklen=64
        )
        return Crypter(MasterKeys.from_bytes(derived))


#: What OWASP advises for scrypt with 32 MiB of memory.
_COST = _Scrypt(n=1 << 15, r=8, p=3)
#: For a password of 32 random bytes: nobody can try those out, however little each try costs.
_COST_OF_RANDOM = _Scrypt(n=1 << 10, r=8, p=1)


def username() -> str:
    """Return the name of the user that this process runs as, for keys and locks; its uid if it has none."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def add_key(files: Files, keys: MasterKeys, password: Secret, *, random: bool = False) -> str:
    """Store *keys* sealed under *password* and return the key file's id.

    :param random: Whether the password is 32 random bytes or more, which need no costly derivation to be safe.
    """
    salt = os.urandom(_SALT)
    cost = _COST_OF_RANDOM if random else _COST
    sealed = cost.derive(password, salt).seal(keys.to_json())
    document = {
        "created": encode_datetime(datetime.now(UTC)),
        "username": username(),
        "hostname": os.uname().nodename,
        "kdf": "scrypt",
        "N": cost.n,
        "r": cost.r,
        "p": cost.p,
        "salt": base64.b64encode(salt).decode(),
        "data": base64.b64encode(sealed).decode(),
    }
    return files.put(Kind.KEY, orjson.dumps(document))


@attrs.frozen(kw_only=True)
class KeyInfo:
    """What a key file says of itself."""

    id: str
    #: When, by whom and where it was made, as it was written down then.
    created: str
    username: str
    hostname: str


def list_keys(files: Files) -> tuple[list[KeyInfo], dict[str, str]]:
    """Return the key files, oldest first; and by id what is wrong with those that cannot be used."""
    found: list[KeyInfo] = []
    damaged: dict[str, str] = {}
    for key_id in files.list(Kind.KEY):
        try:
            fields = orjson.loads(files.get(Kind.KEY, key_id))
            _cost_and_data(fields)
            info = KeyInfo(
                id=key_id,
                created=str(fields.get("created", "")),
                username=str(fields.get("username", "")),
                hostname=str(fields.get("hostname", "")),
            )
            found.append(info)
        except ObjectNotFoundError:
            continue  # removed since it was listed
        except CorruptRepositoryError as error:
            damaged[key_id] = error.message
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            damaged[key_id] = files.corrupt(Kind.KEY, key_id, error).message
    return sorted(found, key=lambda info: info.created), damaged


def find_keys(files: Files, password: Secret) -> MasterKeys:
    """Return the master keys out of the first key file that opens with *password*, see :func:`find_key`."""
    return find_key(files, password)[1]


def find_key(files: Files, password: Secret) -> tuple[str, MasterKeys]:
    """Return the id of the first key file that opens with *password*, and the master keys in it.

    :raises WrongPasswordError: None does.
    :raises CorruptRepositoryError: None does, but one is damaged and might have.
    :raises RepositoryError: There is no key file, so there is no repository.
    """
    damaged: list[str] = []
    tried = 0
    for key_id in files.list(Kind.KEY):
        try:
            document = files.get(Kind.KEY, key_id)
        except ObjectNotFoundError:
            continue  # removed since it was listed
        except CorruptRepositoryError as error:
            damaged.append(error.message)
            continue
        tried += 1
        try:
            return key_id, _open(document, password)
        except UnsealError:
            continue  # another password's
        except (KeyError, TypeError, ValueError, CorruptRepositoryError) as error:
            damaged.append(f"{files.path(f'{Kind.KEY}/{key_id}')} is damaged: {error}")
    if damaged:
        raise CorruptRepositoryError("; ".join(damaged), hint="no other key opens with the password")
    if tried:
        raise WrongPasswordError(f"none of the keys of {files.path('')} opens with the password")
    raise RepositoryError(f"there is no repository at {files.path('')}: it has no keys")


def _open(document: bytes, password: Secret) -> MasterKeys:
    cost, salt, sealed = _cost_and_data(orjson.loads(document))
    return MasterKeys.from_json(cost.derive(password, salt).unseal(sealed))


def _cost_and_data(fields: dict[str, Any]) -> tuple[_Scrypt, bytes, bytes]:
    if fields["kdf"] != "scrypt":
        raise ValueError(f"its key derivation {fields['kdf']!r} is unknown")
    cost = _Scrypt(int(fields["N"]), int(fields["r"]), int(fields["p"]))
    salt, sealed = (base64.b64decode(fields[name], validate=True) for name in ("salt", "data"))
    return cost, salt, sealed
