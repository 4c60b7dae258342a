"""E-mail over SMTP: plain text and HTML, one thread an incident.

The connection's host, port, login and password; its extra as Airflow's SMTP provider has it: `disable_ssl` (false:
TLS from the start), `disable_tls` (false: STARTTLS where TLS is not on from the start), `ssl_context` ("none": no
certificate is checked). `from` (one address) and `to` (a text, or a list of texts) are in the configuration.
"""

from __future__ import annotations

import email.policy
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from k8s_tuning import certificates, timestamps
from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.mailboxes import parse_mailboxes
from k8s_tuning.alerts.markup import cut, to_html, to_plain, utf8
from k8s_tuning.alerts.notice import Notice, Sent
from k8s_tuning.alerts.posting import quote
from k8s_tuning.errors import ConfigError, DeliveryError, InputError
from k8s_tuning.printable import one_line

# A header line of RFC 5322 has 998 characters; a mail client shows far fewer.
_MOST_SUBJECT = 200
_MOST_TEXT_BYTES = 200_000
_DOMAIN = "k8s-tuning.invalid"


def render(notice: Notice, config: ChannelConfig) -> list[Draft]:
    """One message. The same notice is the same bytes, boundaries and Message-ID included."""
    sender, recipients = _sender(config), _recipients(config)
    message = EmailMessage(policy=email.policy.SMTPUTF8 if _beyond_ascii(sender, recipients) else email.policy.SMTP)
    message["Subject"] = cut(one_line(notice.title), _MOST_SUBJECT)
    message["From"] = sender
    message["To"] = recipients
    message["Date"] = format_datetime(timestamps.to_datetime(notice.planned_at))
    message["Message-ID"] = f"<{notice.id}@{_DOMAIN}>"
    # Clients put messages with the same ancestor into one thread, whether they have seen it or not.
    thread = f"<incident-{notice.items[0].incident_id}@{_DOMAIN}>"
    message["References"] = thread
    message["In-Reply-To"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["X-K8s-Tuning-Incident"] = ", ".join(item.incident_id for item in notice.items[:20])
    text = cut(notice.text, _MOST_TEXT_BYTES, utf8)
    message.set_content(to_plain(text))
    message.add_alternative(f"<html><body><h3>{to_html(notice.title)}</h3>\n{to_html(text)}\n</body></html>", "html")
    message.set_boundary(f"=_{notice.id}")
    return [Draft("SMTP message", message.as_bytes())]


def check_options(config: ChannelConfig) -> None:
    """ConfigError where an address is none."""
    try:
        _sender(config)
        if not _recipients(config):
            raise InputError("`to` is empty; name at least one address")
    except InputError as error:
        raise ConfigError(f"channel {config.name!r}: {error}") from None


def _sender(config: ChannelConfig) -> Address:
    found = parse_mailboxes(config.options["from"])
    if len(found) != 1:
        raise InputError(f"`from` has {len(found)} addresses; it takes exactly one")
    return found[0]


def _recipients(config: ChannelConfig) -> list[Address]:
    given = config.options["to"]
    texts = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        raise InputError("`to` takes texts; put each address in quotes")
    return [address for text in texts for address in parse_mailboxes(text)]


def _beyond_ascii(sender: Address, recipients: list[Address]) -> bool:
    return not all(address.username.isascii() for address in (sender, *recipients))


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """Hand it to the SMTP server."""
    if not secret.host:
        raise ConfigError(f"connection {config.connection!r} of channel {config.name!r}: it has no host; put it there")
    port = secret.port or (25 if _is_on(secret, "disable_ssl") else 465)
    place = f"smtp {secret.host}:{port}"
    if secret.login and secret.password and not f"{secret.login}{secret.password}".isascii():
        raise ConfigError(
            f"connection {config.connection!r} of channel {config.name!r}: its login or password has letters beyond "
            "ASCII, which a login to an SMTP server cannot hold here; give the account one of ASCII letters"
        )
    sender, recipients = _sender(config), _recipients(config)
    addresses = list(dict.fromkeys(address.addr_spec for address in recipients))
    options = ["SMTPUTF8"] if _beyond_ascii(sender, recipients) else []
    try:
        with _connected(secret, port, config.timeout_seconds) as server:
            if secret.login and secret.password:
                server.login(secret.login, secret.password)
            server.ehlo_or_helo_if_needed()
            if options and not server.has_extn("smtputf8"):
                raise DeliveryError(
                    f"{place}: takes no address with letters beyond ASCII before its @ (no SMTPUTF8)", retryable=False
                )
            refused: dict[str, tuple[int, bytes]] = {}
            for draft in drafts:
                refused |= server.sendmail(sender.addr_spec, addresses, draft.body, mail_options=options)
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        words, retryable = _fault(error, config.timeout_seconds, secret)
        # `from None`: smtplib's errors hold what was said, credentials included.
        raise DeliveryError(f"{place}: {words}", retryable=retryable) from None
    note = f"; refused: {', '.join(sorted(refused))}" if refused else ""
    return Sent(f"accepted for {len(addresses) - len(refused)} recipient(s){note}")


def _fault(error: Exception, seconds: float, secret: ChannelSecret) -> tuple[str, bool]:
    """What went wrong, and whether it may pass."""
    match error:
        case TimeoutError():
            return f"no answer within {seconds:g} s", True
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(error.recipients.values()))
            return f"refused every recipient: {_said(code, said, secret)}", code < 500
        case smtplib.SMTPResponseException():
            return _said(error.smtp_code, error.smtp_error, secret), error.smtp_code < 500
        case smtplib.SMTPNotSupportedError():
            cure = "set disable_tls in the connection's extra, or take the login out"
            return f"lacks STARTTLS or a login that was asked for; {cure}", False
        case ssl.SSLError():
            return "no TLS connection; for port 587 or 25 set disable_ssl in the connection's extra", True
        case UnicodeError():  # IDNA has no form of it
            return "the host is no host name; correct the connection", False
    cause = getattr(error, "strerror", None) or type(error).__name__
    return f"cannot be connected to: {one_line(str(cause))}", True


def _connected(secret: ChannelSecret, port: int, timeout_seconds: float) -> smtplib.SMTP:
    host = secret.host or ""
    trust = certificates.trusting_all() if _unchecked(secret) else certificates.trusting_system()
    if not _is_on(secret, "disable_ssl"):
        return smtplib.SMTP_SSL(host, port, timeout=timeout_seconds, context=trust)
    server = smtplib.SMTP(host, port, timeout=timeout_seconds)
    try:
        if not _is_on(secret, "disable_tls"):
            server.starttls(context=trust)
    except BaseException:
        server.close()
        raise
    return server


def _unchecked(secret: ChannelSecret) -> bool:
    asked = secret.extra.get("ssl_context")
    if asked not in (None, "", "default", "none"):
        raise ConfigError(f"the connection's extra field ssl_context is {asked!r}; it takes default or none")
    return asked == "none"


def _is_on(secret: ChannelSecret, name: str) -> bool:
    return str(secret.extra.get(name, False)).lower() in ("true", "1", "yes")


def _said(code: int, words: bytes | str, secret: ChannelSecret) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return f"{code}{quote(text, secret)}"


CHANNEL = ChannelKind(
    "email",
    render,
    send,
    {"from": str, "to": (list, str)},
    ("from", "to"),
    connection_types=("smtp",),
    check=check_options,
)
