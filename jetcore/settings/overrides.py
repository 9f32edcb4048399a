"""What holds for one account alone."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting
from jetcore.settings.priorities import tags_are_names


@attrs.frozen
class AccountOverrides:
    """What an administrator has set for an account, in place of what holds for all."""

    priority_group: str | None = setting(
        default=None,
        title="Queue Priority Group Override",
        help="Name of the account's queue priority group. If not set, its tags decide, then the default group.",
        unit="characters",
        minimum=1,
        maximum=100,
    )
    on_demand_retain: int | None = setting(
        default=None,
        title="Maximum Backups on Demand",
        help="How many backups on demand the account may have; 0 for none. That of all accounts if not set.",
        unit="backups",
        minimum=0,
        maximum=99,
    )
    tags: tuple[str, ...] = setting(
        default=(),
        title="Tags",
        help="Words by which accounts are grouped.",
        unit="tags",
        maximum=100,
        validator=tags_are_names,
    )
