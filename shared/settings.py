"""Configuration: environment first, then what `tamga run` wrote down for the tools of the same machine.

Passwords come as files: TAMGA_GRANTS_DATABASE_PASSWORD_FILE and the like, or by their own names in the folder
TAMGA_SECRETS (`grants_database_password`). They are put into the URLs, which then name no password themselves.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, field_validator

from shared.commands import in_containers
from shared.infrastructure.names import app_role, database_name, owner_role

SERVICES = ("portal", "grants", "loans", "notifications", "audit")
_PORTS = {"http": 80, "https": 443}


_PLACEHOLDER = re.compile(
    r"change.?(me|this|it)\b|placeholder|^<.*>$|^(password|secret|guest|postgres)$", re.IGNORECASE
)


class Settings(BaseModel):
    """What one process needs to know. Names in the environment are TAMGA_<FIELD>.

    `database_urls` and `amqp_urls` have one entry a service (TAMGA_GRANTS_DATABASE_URL, …).
    """

    model_config = ConfigDict(frozen=True)

    home: Path = Path(".tamga")
    base_url: str = "http://127.0.0.1:8400"
    inside_url: str = ""  # where our own processes reach the services' pages; by default where people do
    ca_file: Path | None = None  # whose certificates of the pages are trusted besides the system's own
    database_urls: dict[str, str] = {}
    owner_database_urls: dict[str, str] = {}  # for migrations only
    database_admin_url: str = ""  # for making databases and roles only: first start, restore, drill
    amqp_urls: dict[str, str] = {}
    amqp_admin_url: str = ""  # for topology and queue depths only
    amqp_api_url: str = ""  # the broker's HTTP API; by default port 15672 beside amqp_admin_url
    metrics_urls: dict[str, str] = {}  # of this machine's processes by name: their figures for Prometheus
    smtp_url: str = ""  # smtp://host:port; the built-in catcher on one machine
    mail_from: str = "Tamga <no-reply@tamga.example>"
    signing_key_file: Path | None = None  # portal only: Ed25519 private key (PEM)
    identity_key_file: Path | None = None  # every service: its public half (PEM)
    payee_key_file: Path | None = None  # grants only: the keys under which bank numbers are sealed, one a line
    webhook_key_file: Path | None = None  # notifications only: the keys under which webhooks' secrets are sealed
    webhook_networks: str = ""  # inside networks in which banks' systems may be called, such as 10.20.0.0/16
    webhook_plain_http: bool = False  # for development only: endpoints without TLS
    signer: str = ""  # who signs the log: its socket, or HOST:PORT; without one the audit service does it itself
    documents: Path | None = None
    clamd: str = ""  # a virus scanner that sees each document first: host:port, or the path of its socket
    backups: Path | None = None
    backup_key_file: Path | None = None  # an age key; on one machine it is made in the home folder
    backup_at: str = "02:30"  # when the nightly backup is made, by the clocks of `time_zone`
    backup_keep_days: int = 14  # every backup of so many days is kept,
    backup_keep_weeks: int = 8  # and the last of each of so many weeks
    programmes: Path = Path("programmes")
    time_zone: str = "Europe/Skopje"  # in which people read times; stored times are UTC
    log_level: str = "INFO"
    log_asks_purpose: bool = False  # who searches the log says what for; it stands in the log with the search
    erasure_by_two_people: bool = True  # who asks for one, or places a hold, neither confirms nor ends it
    outbox_retention_months: int = 0  # full months for which published events stay in the outbox; 0: for ever
    gap_seconds: float = 45.0  # how long an event may be missing before that is an alarm (a relay tries again after 30)

    @field_validator("base_url")
    @classmethod
    def _as_browsers_say(cls, url: str) -> str:
        """Return the address without its scheme's own port: so it stands in a browser's Origin."""
        parts = urlsplit(url)
        return url.replace(f":{parts.port}", "", 1) if parts.port == _PORTS.get(parts.scheme) else url

    @property
    def own_url(self) -> str:
        """Return where our own processes reach the services' pages."""
        return (self.inside_url or self.base_url).rstrip("/")

    def database_url(self, service: str) -> str:
        """Return a service's database URL (its own least-privileged role)."""
        return _required(self.database_urls, service, "database")

    def amqp_url(self, service: str) -> str:
        """Return a service's broker URL (its own user)."""
        return _required(self.amqp_urls, service, "broker")

    @property
    def documents_folder(self) -> Path:
        """Return the folder in which documents are stored by content."""
        return self.documents or self.home / "documents"

    @property
    def backups_folder(self) -> Path:
        """Return the folder in which backups are kept."""
        return self.backups or self.home / "backups"


def _required(urls: dict[str, str], service: str, what: str) -> str:
    if service not in urls:
        raise SettingsError(f"no {what} is known for {service}: start Tamga with `make run` first, or set TAMGA_HOME")
    return urls[service]


class SettingsError(RuntimeError):
    """Configuration is missing; the message says what to do."""


def runtime_file(home: Path) -> Path:
    """Return the file in which a running Tamga says where its parts are (owner-readable only)."""
    return home / "runtime.json"


def load() -> Settings:
    """Return the settings of this process: TAMGA_* over the runtime file of TAMGA_HOME (default .tamga)."""
    home = Path(os.environ.get("TAMGA_HOME", ".tamga"))
    values: dict[str, Any] = {"home": home}
    if runtime_file(home).exists():
        values |= json.loads(runtime_file(home).read_text())
    for name in Settings.model_fields:
        if (given := os.environ.get(f"TAMGA_{name.upper()}")) is not None and not name.endswith("_urls"):
            values[name] = given
    if told := os.environ.get("TAMGA_METRICS_URLS"):
        values["metrics_urls"] = json.loads(told)
    for service in SERVICES:
        for field, url in _urls_of(service).items():
            if url:
                values[field] = dict(values.get(field, {})) | {service: url}
    return Settings.model_validate(values | _with_secrets(values))


def _urls_of(service: str) -> dict[str, str]:
    """Return what the environment says of a service's URLs, nothing where it says nothing."""
    return {
        "database_urls": _url(service, "DATABASE", "database", "postgresql+psycopg", app_role(service)),
        "owner_database_urls": _url(service, "OWNER_DATABASE", "owner", "postgresql+psycopg", owner_role(service)),
        "amqp_urls": _url(service, "AMQP", "broker", "amqp", service),
    }


def _url(service: str, name: str, secret: str, scheme: str, user: str) -> str:
    """Return a URL with its password: one that is given, or the usual one where its host and password are known."""
    start = f"TAMGA_{service.upper()}_{name}"
    password = _secret(f"{start}_PASSWORD_FILE", f"{service}_{secret}_password")
    hosts = os.environ.get("TAMGA_BROKER_HOST" if scheme == "amqp" else "TAMGA_DATABASE_HOST", "")
    usual = _broker_at(hosts, user) if scheme == "amqp" else _database_at(hosts, user, database_name(service))
    given = os.environ.get(f"{start}_URL") or (usual if hosts and password else "")
    return _with_password(given, password)


def _broker_at(hosts: str, user: str) -> str:
    """Return a user's URL of a broker; of a cluster, whose nodes stand with commas between them, a URL a node."""
    return ";".join(f"amqp://{user}@{host}//" for host in hosts.split(","))


def _database_at(hosts: str, user: str, database: str) -> str:
    """Return a user's URL of a database; of several servers the one that takes changes is asked for."""
    if "," not in hosts:
        return f"postgresql+psycopg://{user}@{hosts}/{database}"
    return f"postgresql+psycopg://{user}@/{database}?host={hosts}&target_session_attrs=read-write"


def _with_secrets(values: dict[str, Any]) -> dict[str, str]:
    """Return the URLs of administrators and of mail with their passwords, where these are files."""
    known = {
        "database_admin_url": _secret("TAMGA_DATABASE_ADMIN_PASSWORD_FILE", "postgres_password"),
        "amqp_admin_url": _secret("TAMGA_AMQP_ADMIN_PASSWORD_FILE", "broker_admin_password"),
        "amqp_api_url": _secret("TAMGA_AMQP_ADMIN_PASSWORD_FILE", "broker_admin_password"),
        "smtp_url": _secret("TAMGA_SMTP_PASSWORD_FILE", "smtp_password"),
    }
    return {field: _with_password(values[field], password) for field, password in known.items() if field in values}


def _secret(variable: str, name: str) -> str:
    """Return the secret of the file that `variable` names, else of the file `name` in TAMGA_SECRETS if it is there."""
    folder = os.environ.get("TAMGA_SECRETS")
    usual = Path(folder) / name if folder else None
    named = os.environ.get(variable)
    file = Path(named) if named else usual if usual and usual.exists() else None
    if file is None:
        return ""
    what = variable if named else "TAMGA_SECRETS"
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except PermissionError as error:
        cure = (
            f"`chmod 444 secrets/{file.name}`" if in_containers() else f"`chmod u+r {file}`, or run this as its owner"
        )
        raise SettingsError(f"{what}: {file} can't be read ({error.strerror}): {cure}") from error
    except OSError as error:
        raise SettingsError(f"{what}: {file} can't be read ({error.strerror}): run `make init` first") from error
    if _PLACEHOLDER.search(secret) or not (secret or name == "smtp_password"):
        state = "is a placeholder" if secret else "is empty"
        raise SettingsError(f"{what}: {file} {state}: delete it and run `make init`")
    return secret


def _with_password(url: str, password: str) -> str:
    """Return `url`, or each of several with `;` between them, with this password if it names a user and has none."""
    return ";".join(_completed(one, password) for one in url.split(";"))


def _completed(url: str, password: str) -> str:
    parts = urlsplit(url)
    if not password or not parts.username or parts.password:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))


@cache
def settings() -> Settings:
    """Return this process's settings, read once."""
    return load()
