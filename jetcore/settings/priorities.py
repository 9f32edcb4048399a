"""Queue priority groups: how urgent the tasks of an account are."""

from __future__ import annotations

from typing import Any

import attrs

from jetcore.settings.field import setting

#: Longest name of a tag.
_LONGEST_TAG = 50


def tags_are_names(_instance: Any, _attribute: Any, tags: tuple[str, ...]) -> None:
    """Validate a list of tags: short words, each once, and none with a comma, which separates them."""
    for tag in tags:
        if not tag or len(tag) > _LONGEST_TAG or "," in tag or tag != tag.strip():
            raise ValueError(f"must hold tags of 1 to {_LONGEST_TAG} characters without commas")
    if len(set(tags)) < len(tags):
        raise ValueError("must hold each tag once")


def _value(title: str, what: str) -> Any:
    return setting(
        default=50,
        title=title,
        help=f"How soon {what} of these accounts get their turn: the lower, the sooner.",
        minimum=1,
        maximum=999,
    )


@attrs.frozen
class PriorityGroup:
    """A queue priority group. An account is in the group that it was given, else in that of a tag, else the default."""

    name: str = setting(title="Name", help="Its name.", unit="characters", minimum=1, maximum=100)
    backup: int = _value("Backup Priority", "backups")
    restore: int = _value("Restore Priority", "restores")
    download: int = _value("Download Priority", "downloads")
    clone: int = _value("Clone Priority", "clones")
    tags: tuple[str, ...] = setting(
        default=(),
        title="Tags",
        help="Accounts with one of these tags are in this group. A tag belongs to one group at most.",
        unit="tags",
        maximum=100,
        validator=tags_are_names,
    )
    default: bool = setting(
        default=False,
        title="Default",
        help="Whether accounts are in this group that are in no other. Exactly one group is the default.",
    )
