"""What users agree to, and what becomes of their data."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class Privacy:
    """Privacy and security settings."""

    user_agreement: str = setting(
        default="",
        title="User Agreement",
        help="A text that users have to accept before they use their backups. None is shown if it is empty.",
        unit="characters",
        maximum=100_000,
    )
    privacy_policy: str = setting(
        default="",
        title="Privacy Policy",
        help="A text that is shown to users. Where the GDPR holds, say in it where the backups are kept.",
        unit="characters",
        maximum=100_000,
    )
    encryption_selection: bool = setting(
        default=False,
        title="Account Encryption Selection",
        help="Let users choose how their backups are encrypted. Otherwise the keys of all accounts are kept on this "
        "server.",
    )
    forgotten_ttl: int = setting(
        default=0,
        title="The right to be forgotten",
        help="Delete everything of a terminated account after this time: restore points, logs, the rest. 0 keeps it.",
        unit="days",
        minimum=0,
        maximum=36_500,
    )
