"""Names that people type: finding the one that is meant, and saying what there is when there is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jetcore.errors import BadInputError

_MANY = 8


def choose(name: str, names: Iterable[str], what: str) -> str:
    """Return *name* if it is one of *names*.

    :param what: What they are names of, for the message.
    :raises BadInputError: It is not; the message names similar ones.
    """
    existing = list(names)
    if name in existing:
        return name
    raise unknown(name, existing, what)


def unknown(name: str, names: Iterable[str], what: str) -> BadInputError:
    """Return the error for a *name* that is none of *names*; it names similar ones."""
    return BadInputError(f"unknown {what} {name!r}", hint=nearest(name, names))


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint that names the ones of *names* closest to *name*, or all of them when they are few."""
    existing = sorted(names)
    if not existing:
        return "there are none yet"
    close = difflib.get_close_matches(name, existing, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if len(existing) <= _MANY:
        return f"there are: {', '.join(existing)}"
    return f"there are {len(existing)}, among them {', '.join(existing[:3])}"
