from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from jetcore_notify_email.notifier import EmailNotifier
from jetcore_notify_email.settings import EmailSettings

import jetcore

#: Name and password of the only user that a server lets in.
LOGIN = {"user": "ann", "password": jetcore.Secret("correct horse battery")}


@attrs.frozen
class Certificate:
    """A certificate for localhost that signs itself, and a context that shows it."""

    path: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.path)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return Certificate(path)


class Mailbox:
    """What a server does with mail: it keeps it, refuses recipients called ``gone``, answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.users: list[bytes | None] = []
        self.receipt = "250 2.0.0 Ok: queued as 4F2A"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.receipt.startswith("250"):
            self.raw.append(envelope.content)
            self.mails.append(message_from_bytes(envelope.content, policy=default))
            self.recipients.append(envelope.rcpt_tos)
            self.users.append(session.auth_data.login if session.auth_data else None)
            self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("cipher") is not None)
        return self.receipt


@attrs.frozen
class Server:
    """A running SMTP server and its mailbox."""

    port: int
    mailbox: Mailbox
    login = LOGIN

    def notifier(self, **changes) -> EmailNotifier:
        """Return a notifier that sends to this server."""
        facts = {
            "recipients": ("admin@example.com",),
            "sender": "backup@web1.example",
            "host": "localhost",
            "port": self.port,
            "timeout": 10,
        }
        return EmailNotifier(EmailSettings(**(facts | changes)))


def check(server, session, envelope, mechanism, data) -> AuthResult:
    """Let ``ann`` in with the right password; repeat what was said to everybody else."""
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False)
    if (data.login, data.password) == (b"ann", LOGIN["password"].reveal().encode()):
        return AuthResult(success=True, auth_data=data)
    return AuthResult(success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} is wrong")


@contextmanager
def running(mailbox: Mailbox, ssl_context: ssl.SSLContext | None, options: dict[str, Any]) -> Iterator[int]:
    """Run a server in a thread of its own and give its port."""
    loop = asyncio.new_event_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncio.Server:
        return await loop.create_server(
            lambda: SMTP(mailbox, hostname="mail.example", loop=loop, **options), sock=listening, ssl=ssl_context
        )

    async def stop(server: asyncio.Server) -> None:
        server.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield listening.getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server on a port of its own.

    ``login=True`` lets users log in without encryption, ``ssl_context`` encrypts from the start; the other options are
    those of aiosmtpd's ``SMTP``.
    """
    with ExitStack() as servers:

        def start(*, login: bool = False, ssl_context: ssl.SSLContext | None = None, **options) -> Server:
            mailbox = Mailbox()
            if login:
                options |= {"authenticator": check, "auth_require_tls": False}
            return Server(servers.enter_context(running(mailbox, ssl_context, options)), mailbox)

        yield start
