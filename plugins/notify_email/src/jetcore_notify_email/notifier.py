"""Sending an email.

By the standard library and not by apprise, whose answer is yes or no: the server's own words go to its log only, and
the Message-ID is a new one each time, so that a receiver could not drop the repeat of a message.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import ClassVar

from jetcore import Message, Notifier, PluginError
from jetcore_notify_email.mail import compose
from jetcore_notify_email.settings import EmailSettings

_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class EmailNotifier(Notifier):
    """Sends messages through an SMTP server."""

    name: ClassVar[str] = "email"
    Settings = EmailSettings

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._server = f"{settings.host}:{settings.port or _PORTS[settings.security]}"

    def send(self, message: Message) -> str:
        """Send *message* to all recipients and return the server's receipt."""
        settings = self._settings
        sender = settings.sender or f"jetcore@{socket.getfqdn()}"
        mail = compose(message, sender=sender, recipients=settings.recipients)
        # "from None": what smtplib raises holds the server's words, and a server may repeat what it was told.
        try:
            with self._connection() as client:
                self._log_in(client)
                return self._hand_over(client, sender, mail)
        except smtplib.SMTPNotSupportedError as error:
            raise PluginError(f"{self._server} cannot do what is set: {error}", hint="look at security") from None
        except smtplib.SMTPResponseException as error:
            raise PluginError(f"{self._server} answered {self._said(error.smtp_code, error.smtp_error)}") from None
        except ssl.SSLCertVerificationError as error:
            raise PluginError(
                f"{self._server} has no certificate that proves it: {error.verify_message}",
                hint="name the host as in its certificate, or have the certificate signed",
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise PluginError(f"{self._server} cannot be reached: {self._without_password(str(error))}") from None

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        host, port = settings.host, settings.port or _PORTS[settings.security]
        if settings.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=settings.timeout, context=self._context())
        else:
            client = smtplib.SMTP(host, port, timeout=settings.timeout)
        try:
            if settings.security == "starttls":
                client.starttls(context=self._context())  # raises where the server does not offer it
            yield client
            # The mail has been taken: a server that goes away without its goodbye changes nothing of that.
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
        finally:
            client.close()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self._settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _log_in(self, client: smtplib.SMTP) -> None:
        settings = self._settings
        if not settings.user:
            return
        try:
            client.login(settings.user, settings.password.reveal())
        except smtplib.SMTPAuthenticationError as error:
            # Its code alone: of all answers this is the one that may repeat the password, in whatever encoding.
            status = _STATUS.search(_text(error.smtp_error))
            code = f"{error.smtp_code} {status.group()}" if status else str(error.smtp_code)
            raise PluginError(
                f"{self._server} refused the login of {settings.user} ({code})", hint="look at user and password"
            ) from None

    def _hand_over(self, client: smtplib.SMTP, sender: str, mail: EmailMessage) -> str:
        """Do what ``SMTP.send_message`` does, which keeps the receipt to itself."""
        client.ehlo_or_helo_if_needed()
        code, text = client.mail(sender)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, text, sender)
        refused = []
        for recipient in self._settings.recipients:
            code, text = client.rcpt(recipient)
            if code not in {250, 251}:
                refused.append(f"{recipient} ({self._said(code, text)})")
        if len(refused) == len(self._settings.recipients):
            raise PluginError(f"{self._server} takes nothing for {', '.join(refused)}", hint="look at recipients")
        code, text = client.data(mail.as_bytes())
        if code != 250:
            raise smtplib.SMTPDataError(code, text)
        if refused:
            raise PluginError(
                f"{self._server} took the message for the others but not for {', '.join(refused)}",
                hint="look at recipients",
            )
        return self._said(code, text)

    def _said(self, code: int, text: bytes | str) -> str:
        """Return an answer of the server in one short line without secrets."""
        line = " ".join(_text(text).split())
        return self._without_password(f"{code} {line}"[:200])

    def _without_password(self, text: str) -> str:
        password = self._settings.password.reveal()
        return text.replace(password, "***") if password else text


def _text(said: bytes | str) -> str:
    return said.decode("ascii", "backslashreplace") if isinstance(said, bytes) else said
