"""``jetcore priorities``."""

from __future__ import annotations

from jetcore.cli.objects import object_group
from jetcore.settings.priorities import PriorityGroup

priorities = object_group(
    "priorities",
    PriorityGroup,
    "priority group",
    lambda core: core.priorities,
    about="Queue priority groups: how urgent the tasks of an account are. The lower a value, the sooner.",
)
