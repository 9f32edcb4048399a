"""Names of objects: the same rules for every destination, checked on the way in and on the way out."""

from __future__ import annotations

import re

from jetcore.errors import BadInputError

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}"
_NAME = re.compile(f"{_PART}(?:/{_PART})*")
_FOLDER = re.compile(f"(?:{_PART}/)*")


def is_valid_name(name: str) -> bool:
    """Say whether *name* can be an object's name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Refuse what cannot be an object's name.

    :raises BadInputError: It is not relative, or has a character, or a part, that no name may have.
    """
    if _NAME.fullmatch(name) is None:
        raise BadInputError(
            f"{name!r} cannot be the name of an object",
            hint="letters, digits, dots, dashes, underscores; parts divided by /, none beginning with a dot",
        )


def check_folder(prefix: str) -> None:
    """Refuse what cannot be a folder: ``""`` or a valid name and ``/``.

    :raises BadInputError: It is something else.
    """
    if _FOLDER.fullmatch(prefix) is None:
        raise BadInputError(f"{prefix!r} cannot be a folder of objects", hint="it is empty, or a name that ends in /")
