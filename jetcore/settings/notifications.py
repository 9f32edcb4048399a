"""Notification integrations: who is told of which alerts, how and how soon."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from jetcore.settings.field import given, setting


class Frequency(enum.StrEnum):
    """How soon alerts of a level are sent."""

    OFF = "off"
    #: At once.
    REALTIME = "realtime"
    #: Together, once a day.
    DAILY = "daily"


@attrs.frozen
class Integration:
    """A notification integration."""

    name: str = setting(
        title="Integration Name", help="What it is called here.", unit="characters", minimum=1, maximum=100
    )
    type: str = setting(
        title="Integration Type", help="Type of notifier, such as email.", unit="characters", minimum=1, maximum=100
    )
    owner: str = setting(
        default="root",
        title="Owner",
        help="Who may change and delete it, besides those above.",
        unit="characters",
        minimum=1,
        maximum=255,
    )
    information: Frequency = setting(
        default=Frequency.OFF, title="Information", help="How soon alerts of the level information are sent."
    )
    warning: Frequency = setting(
        default=Frequency.REALTIME, title="Warning", help="How soon alerts of the level warning are sent."
    )
    critical: Frequency = setting(
        default=Frequency.REALTIME, title="Critical", help="How soon alerts of the level critical are sent."
    )
    enabled: bool = setting(default=True, title="Enabled", help="Whether it is used.")
    #: Given when it is added.
    uuid: str = given("")
    #: An instance of the type's ``Settings``.
    settings: Any = given(None)
