"""What was probably meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MANY = 8


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
