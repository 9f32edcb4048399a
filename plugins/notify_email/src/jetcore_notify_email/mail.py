"""A message as an email: RFC 5322, with RFC 3834's mark of automatic mail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from jetcore import Level, Message

#: Seven bits throughout, so that no server needs an extension to take the mail.
_POLICY = SMTP.clone(cte_type="7bit")

_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST_SUBJECT = 200


def compose(message: Message, *, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Return the email that tells *message*; the same message always gives the same email."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    title = _one_line(message.title)
    mail["Subject"] = _shortened(f"[jetcore] {message.level.value}: {title}")
    mail["Date"] = format_datetime(message.created)
    mail["Message-ID"] = f"<{_id(message.id)}.jetcore@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # no out-of-office reply comes back
    if message.level is Level.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(f"{title}\n\n{_encodable(message.text)}\n")
    return mail


def _id(text: str) -> str:
    return text if _ID.fullmatch(text) else hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:40]


def _one_line(text: str) -> str:
    """Titles can hold file names, and file names line breaks: the way into other headers."""
    line = "".join(letter for letter in " ".join(_encodable(text).split()) if letter.isprintable())
    return line.replace("=?", "= ?")  # or it would be taken for RFC 2047's encoding, which can hide a line break


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"


def _encodable(text: str) -> str:
    """Write bytes of a name that are no UTF-8 as backslash, ``udc`` and two digits, which any mail program can show."""
    return text.encode(errors="backslashreplace").decode()
