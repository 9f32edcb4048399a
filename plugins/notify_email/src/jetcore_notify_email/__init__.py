"""Messages by email, through an SMTP server."""

from __future__ import annotations

from collections.abc import Sequence

from jetcore import Notifier, hookimpl


class Plugin:
    """Announces the notifier type ``email``."""

    @hookimpl
    def jetcore_notifier_types(self) -> Sequence[type[Notifier]]:
        """Return the type."""
        # Here and not above: the library's mail modules would cost every start of jetcore, and few of them send a mail.
        from jetcore_notify_email.notifier import EmailNotifier  # noqa: PLC0415

        return [EmailNotifier]
