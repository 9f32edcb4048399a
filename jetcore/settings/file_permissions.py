"""File permission rules: owner and mode of restored files of homes and mailboxes."""

from __future__ import annotations

import enum
import re
from typing import Any

import attrs

from jetcore.settings.field import given, setting

_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")


class Category(enum.StrEnum):
    """Which restored files a rule is about."""

    HOMEDIR = "homedir"
    EMAIL = "email"


def _is_pattern(_instance: Any, _attribute: Any, pattern: str) -> None:
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts or "\n" in pattern:
        raise ValueError("must be a pattern relative to the home, without '..'")


def _is_login(_instance: Any, _attribute: Any, name: str) -> None:
    if name and not _LOGIN.fullmatch(name):
        raise ValueError("must be the name of a user or group, or empty")


def _is_file_mode(_instance: Any, _attribute: Any, mode: str) -> None:
    # No rule makes a program of an account run as somebody else.
    if mode and not re.fullmatch(r"0?[0-7]{3}", mode):
        raise ValueError("must be a mode from 0000 to 0777, or empty")


def _is_directory_mode(_instance: Any, _attribute: Any, mode: str) -> None:
    if mode and not re.fullmatch(r"[0-3]?[0-7]{3}", mode):
        raise ValueError("must be a mode from 0000 to 3777, or empty")


@attrs.frozen
class FilePermissionRule:
    """Owner and mode of restored files that a pattern matches. Of several rules that match, the newest counts."""

    id: int = given(0)
    pattern: str = setting(
        title="Pattern",
        help="Glob pattern of paths in the home: public_html/*.php.",
        unit="characters",
        minimum=1,
        maximum=4096,
        validator=_is_pattern,
    )
    category: Category = setting(
        default=Category.HOMEDIR, title="File Category", help="Whether it is about files of homes or of mailboxes."
    )
    owner: str = setting(
        default="", title="Owner", help="User that owns them; as backed up if empty.", maximum=255, validator=_is_login
    )
    group: str = setting(
        default="", title="Group", help="Group that owns them; as backed up if empty.", maximum=255, validator=_is_login
    )
    file_mode: str = setting(
        default="",
        title="File Permissions",
        help="Mode of files, such as 0644; as backed up if empty.",
        validator=_is_file_mode,
    )
    directory_mode: str = setting(
        default="",
        title="Directory Permissions",
        help="Mode of directories, such as 0755; as backed up if empty.",
        validator=_is_directory_mode,
    )
    recursive: bool = setting(
        default=False, title="Recursive", help="Whether it also holds for all that is below a directory that matches."
    )

    def __attrs_post_init__(self) -> None:
        if not (self.owner or self.group or self.file_mode or self.directory_mode):
            raise ValueError("a rule gives an owner, a group, or a mode")
