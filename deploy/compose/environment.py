"""The file `.env`: which variables there are, what they are by themselves, and how the file is read and completed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.compose import files

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,?&=-]*")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[?+-])([^}]*))?\}")
_SECRET_FILE = re.compile(r"\bfile:\s*[\"']?(?:\./|\.\./)*secrets/([A-Za-z0-9_.-]+)")
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)

_BRINGS_SERVICES = re.compile(r"^services:$(.*\n)+?    (image|networks):", re.MULTILINE)
CHOICE, MAIL_FILE = "COMPOSE_FILE", "deploy/outbound/mail.yml"

Values = dict[str, str]


@dataclass(frozen=True)
class Variable:
    """One line of `.env`: its name, what it is when nobody says otherwise, and what it is for."""

    name: str
    value: str
    purpose: str


def variables(
    version: str, *, domain: str, time_zone: str, operator: str, chosen: str = files.COMPOSE
) -> list[Variable]:
    """Return every variable of `.env`, with the answers of the one who installs in their places."""
    images = {
        "APP": "the application's",
        "BROKER": "RabbitMQ's",
        "DATABASE": "PostgreSQL's",
        "PROXY": "the proxy's",
    }
    return [
        Variable("TAMGA_VERSION", version, "the release that runs; `make upgrade` changes it"),
        Variable("TAMGA_DOMAIN", domain, "the name under which people reach it"),
        Variable("TAMGA_BIND", "127.0.0.1", "the address that listens; 0.0.0.0 opens it to the network"),
        Variable("TAMGA_HTTP_PORT", "8080", "leads to the next one"),
        Variable("TAMGA_HTTPS_PORT", "8443", "where the pages are; 443 for everybody's browsers"),
        Variable("TAMGA_TIME_ZONE", time_zone, "in which people read times"),
        Variable("TAMGA_MAIL_FROM", f"Tamga <no-reply@{domain}>", "the sender of letters"),
        Variable("TAMGA_SMTP_URL", "", "smtp://user@host:587?starttls; empty: letters are caught and shown, not sent"),
        Variable(CHOICE, chosen, f"what runs; {MAIL_FILE} lets letters out (docs/operations.md)"),
        Variable("TAMGA_OPERATOR_EMAIL", operator, "who gets the first sign-in link"),
        *(
            Variable(f"TAMGA_{part}_IMAGE", f"tamga/{part.lower()}:{version}", f"{whose} image")
            for part, whose in images.items()
        ),
    ]


def read(text: str) -> Values:
    """Return the variables of an `.env` file; the last of two with one name counts."""
    found: Values = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match and not line.lstrip().startswith("#"):
            found[match[1]] = _unquoted(match[2].strip())
    return found


def _unquoted(value: str) -> str:
    for quote in ("'", '"'):
        if len(value) > 1 and value[0] == quote and quote in value[1:]:
            return value[1 : value.index(quote, 1)]
    return value.split(" #", maxsplit=1)[0].rstrip()


def quoted(value: str) -> str:
    """Return a value as it stands in the file; raises ValueError for what no quoting can carry."""
    if _PLAIN.fullmatch(value):
        return value
    if "'" in value or "\n" in value or "\r" in value:
        raise ValueError("must be one line without the sign '")
    return f"'{value}'"


def completed(text: str, wanted: list[Variable], filled: Mapping[str, str]) -> str:
    """Return the file with what it lacks: variables at its end, and `filled` in the place of empty ones."""
    lines = text.splitlines()
    there = read(text)
    for number, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        if match and match[1] in filled and not there.get(match[1]):
            lines[number] = f"{match[1]}={quoted(filled[match[1]])}"
    missing = [variable for variable in wanted if variable.name not in there]
    if missing and not text:
        lines.append("# Made by `make init`, which changes nothing that stands here. Secrets are in secrets/.")
    lines += [f"# {one.purpose}\n{one.name}={quoted(filled.get(one.name, one.value))}" for one in missing]
    return "\n".join(lines) + "\n"


def chosen_compose_files(root: Path, values: Mapping[str, str]) -> list[Path]:
    """Return the compose files that run: those that `.env` chooses, else the main one with its override."""
    if values.get(CHOICE):
        return [root / name for name in values[CHOICE].split(":") if name]
    override = root / "docker-compose.override.yml"
    return [root / files.COMPOSE, *([override] if override.exists() else [])]


def every_compose_file(root: Path) -> list[Path]:
    """Return all compose files of this folder, chosen or not."""
    others = sorted((root / "deploy").rglob("*.yml"))
    return [root / files.COMPOSE, *(path for path in others if _BRINGS_SERVICES.search(files.text_of(path)))]


def compose_text(paths: Iterable[Path]) -> str:
    """Return what these files say."""
    return "\n".join(map(files.text_of, paths))


@dataclass(frozen=True)
class Needs:
    """What compose files ask for: variables that must be set (with what they say if not), others, secret files."""

    required: Values
    optional: Values
    secrets: list[str]


def needs(compose: str) -> Needs:
    """Return what the text of compose files asks for."""
    text = _COMMENT.sub("", compose).replace("$$", "")
    required, optional = {}, {}
    for name, how, rest in _REFERENCE.findall(text):
        if how.endswith("?"):
            required[name] = rest
        else:
            optional[name] = rest
    return Needs(required, optional, sorted(set(_SECRET_FILE.findall(text))))
