"""Restore conditions: what users have to accept before a restore."""

from __future__ import annotations

import attrs

from jetcore.settings.field import given, setting


@attrs.frozen
class RestoreCondition:
    """A text that users have to accept before they restore something."""

    id: int = given(0)
    condition: str = setting(
        title="Condition",
        help="The text that is shown and has to be accepted.",
        unit="characters",
        minimum=1,
        maximum=5000,
    )
    enabled: bool = setting(default=True, title="Enabled", help="Whether it has to be accepted.")
