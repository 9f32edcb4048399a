"""``jetcore file-permissions``."""

from __future__ import annotations

from jetcore.cli.objects import object_group
from jetcore.settings.file_permissions import FilePermissionRule

file_permissions = object_group(
    "file-permissions",
    FilePermissionRule,
    "file permission rule",
    lambda core: core.file_permissions,
    about="File permission rules: owner and mode of restored files of homes and mailboxes.",
)
