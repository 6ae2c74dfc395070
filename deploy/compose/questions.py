"""The four questions of the first start: each has an answer of its own, a rule, and a variable for unattended use."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_EMAIL = re.compile(r"[^@\s<>\"(),:;\\']{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?", re.IGNORECASE)
_ZONES = Path("/usr/share/zoneinfo")
NOBODY = "operator@localhost"  # stands where nobody has said who signs in first


@dataclass(frozen=True)
class Question:
    """What is asked, the variable that answers it, what is taken when nobody answers, and the answer's rule."""

    name: str
    words: str
    otherwise: str
    check: Callable[[str], str]  # returns what is wrong, nothing when all is well


def domain_problem(answer: str) -> str:
    """Return what is wrong with a host name."""
    return "" if _DOMAIN.fullmatch(answer.lower()) else "is no host name, such as grants.example.org"


def mail_problem(answer: str) -> str:
    """Return what is wrong with the address of a mail server."""
    if not answer:
        return ""
    try:
        parts = urlsplit(answer)
        _ = parts.port
    except ValueError:
        return "is no address of a mail server, such as smtp://mail.example.org:25"
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or "'" in answer or " " in answer:
        return "is no address of a mail server, such as smtp://mail.example.org:25"
    return ""


def zone_problem(answer: str, zones: Path = _ZONES) -> str:
    """Return what is wrong with the name of a time zone; without the system's list its form is all that counts."""
    if not re.fullmatch(r"[A-Za-z_+-]+(/[A-Za-z0-9_+-]+){0,2}", answer):
        return "is no time zone, such as Europe/Skopje"
    if zones.is_dir() and not (zones / answer).is_file():
        return "is no time zone that this machine knows, such as Europe/Skopje"
    return ""


def email_problem(answer: str) -> str:
    """Return what is wrong with an e-mail address."""
    return "" if _EMAIL.fullmatch(answer) else "is no e-mail address"


def address_problem(answer: str) -> str:
    """Return what is wrong with an address of this machine."""
    try:
        ipaddress.ip_address(answer.strip("[]"))
    except ValueError:
        return "is no address of this machine, such as 127.0.0.1 or 0.0.0.0"
    return ""


def moment_problem(answer: str) -> str:
    """Return what is wrong with a time of day."""
    return "" if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", answer) else "is no time of day, such as 02:30"


def zone_here(link: Path = Path("/etc/localtime")) -> str:
    """Return this machine's time zone."""
    name = str(link.resolve()).partition("zoneinfo/")[2]
    return name if name and not zone_problem(name) else "UTC"


def host_here() -> str:
    """Return this machine's full name if it has one that others could use; nobody else is asked for it."""
    name = socket.gethostname().lower()
    return name if "." in name and not domain_problem(name) and not name.startswith("localhost") else "localhost"


def questions() -> tuple[Question, ...]:
    """Return the questions in their order."""
    domain = host_here()
    return (
        Question("TAMGA_DOMAIN", "Under which name do people reach it?", domain, domain_problem),
        Question(
            "TAMGA_SMTP_URL",
            "Mail server (smtp://user:password@host:587?starttls); empty: letters are caught",
            "",
            mail_problem,
        ),
        Question("TAMGA_TIME_ZONE", "In which time zone do people work?", zone_here(), zone_problem),
        Question("TAMGA_OPERATOR_EMAIL", "Who signs in first (e-mail address)?", "", email_problem),
    )


def wrong_values(values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the settings that are set, in words, by the rules of the questions."""
    rules = {one.name: one.check for one in questions()}
    rules |= {"TAMGA_BIND": address_problem, "TAMGA_BACKUP_AT": moment_problem}
    given = ((name, values[name], check) for name, check in rules.items() if values.get(name))
    return {name: f"{name}={value} {wrong}" for name, value, check in given if (wrong := check(value))}


class AnswerError(RuntimeError):
    """An answer given in the environment can't be used; the message is one sentence with the cure."""


def from_environment(asked: tuple[Question, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the answers that stand in the environment; raises AnswerError for one that can't be used."""
    given = {one.name: environment[one.name].strip() for one in asked if one.name in environment}
    for one in asked:
        if one.name in given and (wrong := one.check(given[one.name])):
            raise AnswerError(f"{one.name}={given[one.name]} {wrong}: set it to another or leave it out.")
    return given


def ask(asked: tuple[Question, ...], read: Callable[[str], str], say: Callable[[str], None]) -> dict[str, str]:
    """Ask on the terminal until each answer can be used; an empty line takes the answer in brackets."""
    answers = {}
    for number, one in enumerate(asked, 1):
        shown = f" [{one.otherwise}]" if one.otherwise else ""
        while True:
            answer = read(f"{number}/{len(asked)}  {one.words}{shown} ").strip() or one.otherwise
            wrong = one.check(answer)
            if not wrong:
                break
            say(f"     {answer or 'An empty answer'} {wrong}.")
        answers[one.name] = answer
    return answers
