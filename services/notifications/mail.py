"""Handing a letter to a mail server by SMTP, and understanding what it answers."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr
from textwrap import wrap
from urllib.parse import unquote, urlsplit

from services.notifications.act_links import address_of
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.retry import Answer, Verdict, classify
from services.notifications.rendering import html_of
from shared.checkpoints import HEADER, Kept
from shared.i18n import translate

FOOTER = (
    "Checkpoint of the record when this was sent: %(checkpoint)s. Whoever keeps it can see at %(page)s that nothing "
    "recorded until then was changed since."
)
_PIECE = 60  # characters of a header between two spaces, at which it may be folded
TIMEOUT = 20.0  # seconds for each step; a conversation has at most ten


def compose(delivery: Delivery, mail_from: str, base_url: str, checkpoint: Kept | None = None) -> EmailMessage:
    """Return the letter as a message: text and HTML, the same Message-ID at every attempt.

    `checkpoint` is the state of the log that travels along: in a line below the letter, and signed in a header.

    Raises ValueError when the address can't stand in a message.
    """
    name, sender = parseaddr(mail_from)
    domain = sender.rpartition("@")[2]
    message = EmailMessage(policy=WIRE)
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = _address(delivery.recipient_name, delivery.address)
    message["Subject"] = delivery.subject
    message["Date"] = format_datetime(delivery.created_at)
    message["Message-ID"] = f"<{delivery.id}@{domain}>"
    if delivery.case_reference:  # letters of one case lie together in the reader's mail program
        message["References"] = f"<{delivery.case_reference}.{delivery.recipient}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = delivery.locale
    message["List-Unsubscribe"] = f"<{base_url.rstrip('/')}/notifications/preferences>"
    footer = _footer(checkpoint, delivery.locale, base_url) if checkpoint else ""
    if checkpoint:
        message[HEADER.title()] = " ".join(wrap(checkpoint.carried(), _PIECE))
    message.set_content(f"{delivery.text.rstrip()}\n\n{footer}\n" if footer else delivery.text)
    acts = address_of(base_url, "")
    html = html_of(delivery.subject, delivery.text, delivery.link, delivery.locale, acts, footer=footer)
    message.add_alternative(html, subtype="html")
    return message


def _footer(checkpoint: Kept, locale: str, base_url: str) -> str:
    """Return the line by which the letter's reader can see later that the log was not rewritten."""
    facts = {"checkpoint": checkpoint.short(), "page": f"{base_url.rstrip('/')}/audit/checkpoint"}
    return translate("notifications", FOOTER, facts, locale=locale)


def _address(name: str, address: str) -> Address:
    if not address.isascii():
        raise ValueError("the address has letters that SMTP can't carry")
    try:
        return Address(name, addr_spec=address)
    except (HeaderParseError, IndexError, ValueError) as error:
        raise ValueError("the address can't be read") from error


class _AnsweredError(Exception):
    """The server answered something that ends the conversation."""

    def __init__(self, code: int, reply: bytes, *, about_letter: bool) -> None:
        self.answer = Answer(
            verdict=classify(code, about_letter=about_letter), code=code, reply=reply.decode(errors="replace")
        )
        super().__init__(self.answer.reply)


@dataclass(frozen=True)
class Mailer:
    """Sends through `smtp://[user:password@]host[:port][?starttls]` or `smtps://…`."""

    url: str
    mail_from: str
    base_url: str
    timeout: float = TIMEOUT
    checkpoint: Kept | None = None  # the newest that was announced

    def send(self, delivery: Delivery) -> Answer:
        """Try once to hand the letter over, and return what came of it; never raises for what a server does."""
        try:
            message = compose(delivery, self.mail_from, self.base_url, self.checkpoint)
        except ValueError as error:
            return Answer(verdict=Verdict.PERMANENT, reply=str(error))
        try:
            smtp = self._open()
        except smtplib.SMTPResponseException as error:
            return _refused(error)
        except (smtplib.SMTPException, OSError) as error:
            return Answer(verdict=Verdict.TEMPORARY, reply=_words(error))
        try:
            return self._converse(smtp, message, delivery.address)
        finally:
            with suppress(smtplib.SMTPException, OSError):  # the answer is known; a rude goodbye changes nothing
                smtp.quit()
            smtp.close()

    def _open(self) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        host = parts.hostname or "127.0.0.1"
        if parts.scheme == "smtps":
            secure = ssl.create_default_context()
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=self.timeout, context=secure)
        else:
            smtp = smtplib.SMTP(host, parts.port or 25, timeout=self.timeout)
        try:
            smtp.ehlo_or_helo_if_needed()
            if "starttls" in parts.query:
                smtp.starttls(context=ssl.create_default_context())
            if parts.username:
                smtp.login(unquote(parts.username), unquote(parts.password or ""))
        except (smtplib.SMTPException, OSError):
            smtp.close()
            raise
        return smtp

    def _converse(self, smtp: smtplib.SMTP, message: EmailMessage, address: str) -> Answer:
        in_data = False
        try:
            code, reply = smtp.mail(parseaddr(self.mail_from)[1])
            _go_on(code, reply, about_letter=False)
            code, reply = smtp.rcpt(address)
            _go_on(code, reply, about_letter=True)
            in_data = True
            code, reply = smtp.data(message.as_bytes())
        except _AnsweredError as refusal:
            return refusal.answer
        except smtplib.SMTPDataError as error:
            return _refused(error, about_letter=True)
        except (smtplib.SMTPException, OSError) as error:
            verdict = Verdict.UNCERTAIN if in_data else Verdict.TEMPORARY
            return Answer(verdict=verdict, reply=_words(error))
        return Answer(verdict=classify(code, about_letter=True), code=code, reply=bytes(reply).decode(errors="replace"))


def _go_on(code: int, reply: bytes, *, about_letter: bool) -> None:
    if not 200 <= code < 300:
        raise _AnsweredError(code, reply, about_letter=about_letter)


def _refused(error: smtplib.SMTPResponseException, *, about_letter: bool = False) -> Answer:
    reply = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
    code = error.smtp_code
    verdict = classify(code, about_letter=about_letter) if code >= 400 else Verdict.TEMPORARY
    return Answer(verdict=verdict, code=code, reply=reply)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
