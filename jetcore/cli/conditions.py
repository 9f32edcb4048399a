"""``jetcore conditions``."""

from __future__ import annotations

from jetcore.cli.objects import object_group
from jetcore.settings.conditions import RestoreCondition

conditions = object_group(
    "conditions",
    RestoreCondition,
    "restore condition",
    lambda core: core.conditions,
    about="Restore conditions: texts that users have to accept before a restore.",
)
