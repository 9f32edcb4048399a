from __future__ import annotations

import socket
import traceback
from email import message_from_bytes
from email.policy import SMTP

import pytest
from jetcore_notify_email.settings import EmailSettings

import jetcore
from jetcore.testing import NotifierContract, PluginContract, a_message


class TestInstalled(PluginContract):
    plugin = "notify_email"


class TestContract(NotifierContract):
    @pytest.fixture
    def server(self, serve):
        return serve(login=True)

    @pytest.fixture
    def notifier(self, server):
        return server.notifier(**server.login)

    @pytest.fixture
    def unreachable(self, server):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        return server.notifier(**server.login, port=port)

    @pytest.fixture
    def delivered(self, server):
        return lambda: [f"{mail['Subject']}\n{mail.get_content()}" for mail in server.mailbox.mails]

    @pytest.fixture
    def secrets(self, server):
        return [server.login["password"].reveal()]


def shown(error: BaseException) -> str:
    """Return all that a log could show of an error."""
    return "".join(traceback.format_exception(error))


def test_mail_says_what_it_is(serve):
    """The headers name sender, recipients, level, time and a Message-ID, and mark the mail as automatic."""
    server = serve()

    answer = server.notifier(recipients=("admin@example.com", "night@example.com")).send(a_message(id="task-17"))

    assert answer == "250 2.0.0 Ok: queued as 4F2A"
    (mail,) = server.mailbox.mails
    assert {name: mail[name] for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")} == {
        "From": "backup@web1.example",
        "To": "admin@example.com, night@example.com",
        "Subject": "[jetcore] warning: Backup of alice is partial",
        "Date": "Fri, 02 Jan 2026 03:04:05 +0000",
        "Message-ID": "<task-17.jetcore@web1.example>",
        "Auto-Submitted": "auto-generated",
    }
    assert server.mailbox.recipients == [["admin@example.com", "night@example.com"]]
    assert mail["Importance"] is None


def test_critical_mail_is_important(serve):
    """A critical message is marked for the mail programs that sort by importance."""
    server = serve()

    server.notifier().send(a_message(level=jetcore.Level.CRITICAL))

    assert server.mailbox.mails[0]["Importance"] == "high"


def test_repeat_is_the_same_mail(serve):
    """The same message sent twice is the same mail, byte for byte."""
    server = serve()

    for _ in range(2):
        server.notifier().send(a_message())

    assert server.mailbox.raw[0] == server.mailbox.raw[1]


@pytest.mark.parametrize("id_", ["a b", "x@y>\r\nBcc: m@evil.example", "é", "1" * 200, "", "\udcff"])
def test_any_id_gives_a_valid_message_id(serve, id_):
    """An id that could not stand in a header is replaced by its hash."""
    server = serve()

    server.notifier().send(a_message(id=id_))

    (mail,) = server.mailbox.mails
    assert mail["Message-ID"].endswith(".jetcore@web1.example>")
    assert len(mail["Message-ID"]) < 80
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    "title",
    [
        "a\r\nBcc: mallory@evil.example\r\n\r\nbody",
        "a\nX-Evil: 1",
        "a\rX-Evil: 1",
        "a\x0bX-Evil: 1\x85X-Evil: 2\u2028X-Evil: 3",
        "=?utf-8?q?a=0AX-Evil=3A_1?=",
        "nul \0 and bytes \udcff",
        "x" * 5000,
        "ö" * 5000,
        "",
    ],
)
def test_title_cannot_add_headers(serve, title):
    """Whatever a title holds, the mail has the same headers, of printable ASCII in lines that every server takes."""
    server = serve()
    server.notifier().send(a_message())

    server.notifier().send(a_message(title=title))

    usual, mail = server.mailbox.mails
    assert mail.keys() == usual.keys()
    assert server.mailbox.recipients[1] == ["admin@example.com"]
    head = server.mailbox.raw[1].split(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(line) < 998 and b"\r" not in line and b"\n" not in line for line in head.split(b"\r\n"))


def test_mail_is_seven_bits(serve):
    """A mail needs no extension of the server: its bytes are ASCII and its lines short."""
    server = serve(enable_SMTPUTF8=False)

    server.notifier().send(a_message(title="Größe", text="ö" * 3000 + "\n.\n" + "x" * 3000))

    (raw,) = server.mailbox.raw
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


# Encryption and login -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_mail_with_login(serve, certificate, monkeypatch, security):
    """With STARTTLS or TLS the server's certificate is verified, the user logs in, and the mail goes encrypted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    server = encrypted(serve, certificate, security)

    server.notifier(security=security, **server.login).send(a_message())

    assert server.mailbox.encrypted == [True]
    assert server.mailbox.users == [b"ann"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_unknown_certificate_is_refused(serve, certificate, security):
    """A server that cannot prove that it is the host gets neither login nor mail, unless the user says so."""
    server = encrypted(serve, certificate, security)
    login = {"security": security, **server.login}

    with pytest.raises(jetcore.PluginError, match="no certificate that proves it: self-signed certificate"):
        server.notifier(**login).send(a_message())
    assert server.mailbox.mails == []

    server.notifier(**login, verify=False).send(a_message())
    assert server.mailbox.encrypted == [True]
    assert server.mailbox.users == [b"ann"]


def test_certificate_of_another_host_is_refused(serve, certificate, monkeypatch):
    """A certificate that is good for another name proves nothing."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    server = encrypted(serve, certificate, "tls")

    with pytest.raises(jetcore.PluginError, match="IP address mismatch"):
        server.notifier(security="tls", host="127.0.0.1").send(a_message())


def test_starttls_is_never_given_up(serve):
    """A server that offers no STARTTLS gets nothing in the clear, as somebody in between may have removed the offer."""
    server = serve(login=True)

    with pytest.raises(jetcore.PluginError, match="cannot do what is set: STARTTLS"):
        server.notifier(security="starttls", **server.login).send(a_message())

    assert server.mailbox.mails == []


def test_wrong_password_is_told_without_it(serve):
    """A refused login names server and user; not even a server that repeats the password brings it into the error."""
    server = serve(login=True)

    password = jetcore.Secret("-".join(["hunter2"] * 2))
    with pytest.raises(jetcore.PluginError) as raised:
        server.notifier(user="ann", password=password).send(a_message())

    assert str(raised.value) == (
        f"localhost:{server.port} refused the login of ann (535 5.7.8); look at user and password"
    )
    assert password.reveal() not in shown(raised.value)


def test_server_that_repeats_the_password_is_masked(serve):
    """Any other answer of the server is shown without the password."""
    server = serve(login=True)
    password = server.login["password"].reveal()
    server.mailbox.receipt = f"554 5.7.1 {password} looks like spam"

    with pytest.raises(jetcore.PluginError, match=r"answered 554 5\.7\.1 \*\*\* looks like spam") as raised:
        server.notifier(**server.login).send(a_message())

    assert password not in shown(raised.value)


def encrypted(serve, certificate, security):
    """Start a server that takes mail encrypted only."""
    if security == "starttls":
        return serve(login=True, tls_context=certificate.context(), require_starttls=True)
    return serve(login=True, ssl_context=certificate.context())


# Failures -------------------------------------------------------------------------------------------------------------


def test_recipient_who_is_refused_is_named(serve):
    """When some recipients are refused the others get the mail and the error names the refused ones."""
    server = serve()

    with pytest.raises(jetcore.PluginError, match=r"not for gone@example\.com \(550 5\.1\.1 No such user\)"):
        server.notifier(recipients=("gone@example.com", "admin@example.com")).send(a_message())

    assert server.mailbox.recipients == [["admin@example.com"]]


def test_nothing_is_sent_when_all_are_refused(serve):
    """When no recipient is taken there is no mail."""
    server = serve()

    with pytest.raises(jetcore.PluginError, match=r"takes nothing for gone@example\.com"):
        server.notifier(recipients=("gone@example.com",)).send(a_message())

    assert server.mailbox.mails == []


def test_silent_server_is_given_up():
    """A server that never answers costs the time limit and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        from jetcore_notify_email.notifier import EmailNotifier

        port = silent.getsockname()[1]
        notifier = EmailNotifier(
            EmailSettings(recipients=("a@example.com",), host="127.0.0.1", port=port, timeout=1, sender="b@example.com")
        )
        with pytest.raises(jetcore.PluginError, match=rf"127.0.0.1:{port} cannot be reached: .*timed out"):
            notifier.send(a_message())


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"recipients": ()},
        {"recipients": ("",)},
        {"recipients": ("admin",)},
        {"recipients": ("a@b.example, c@d.example",)},
        {"recipients": ("a@b.example\r\nRCPT TO:<m@evil.example>",)},
        {"recipients": ("<a@b.example>",)},
        {"sender": "Backup <a@b.example>"},
        {"sender": "a@b.example\nX: y"},
        {"host": ""},
        {"host": "mail.example\r\n"},
        {"port": 70000},
        {"security": "ssl"},
        {"timeout": 0},
    ],
)
def test_wrong_settings_are_refused(values):
    """Addresses, hosts and numbers that cannot be right do not get as far as a server."""
    with pytest.raises(ValueError):
        EmailSettings(**({"recipients": ("a@b.example",)} | values))


def test_password_is_not_sent_readable():
    """A password for another machine needs encryption; for this one it does not."""
    login = {"recipients": ("a@b.example",), "user": "ann", "password": jetcore.Secret("open-sesame")}

    with pytest.raises(ValueError, match=r"unencrypted: set security to starttls or tls") as raised:
        EmailSettings(**login, host="mail.example")

    assert "open-sesame" not in shown(raised.value)
    assert EmailSettings(**login, host="mail.example", security="tls").security == "tls"
    assert EmailSettings(**login).host == "localhost"


def test_mail_can_be_read_by_others(serve):
    """What is sent is an email by the rules: reading it and writing it again gives the same."""
    server = serve()
    server.notifier().send(a_message(title="Größe", text="ö\n"))

    (raw,) = server.mailbox.raw

    assert message_from_bytes(raw, policy=SMTP).defects == []
