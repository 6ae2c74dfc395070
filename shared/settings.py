"""Configuration: environment first, then what `tamga run` wrote down for the tools of the same machine."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

SERVICES = ("portal", "grants", "loans", "notifications", "audit")


class Settings(BaseModel):
    """What one process needs to know. Names in the environment are TAMGA_<FIELD>.

    `database_urls` and `amqp_urls` have one entry a service (TAMGA_GRANTS_DATABASE_URL, …).
    """

    model_config = ConfigDict(frozen=True)

    home: Path = Path(".tamga")
    base_url: str = "http://127.0.0.1:8400"
    database_urls: dict[str, str] = {}
    owner_database_urls: dict[str, str] = {}  # for migrations only
    database_admin_url: str = ""  # for restores and drills only: they make databases
    amqp_urls: dict[str, str] = {}
    amqp_admin_url: str = ""  # for topology and queue depths only
    amqp_api_url: str = ""  # the broker's HTTP API; by default port 15672 beside amqp_admin_url
    metrics_urls: dict[str, str] = {}  # of this machine's processes by name: their figures for Prometheus
    smtp_url: str = ""  # smtp://host:port; the built-in catcher on one machine
    mail_from: str = "Tamga <no-reply@tamga.example>"
    signing_key_file: Path | None = None  # portal only: Ed25519 private key (PEM)
    identity_key_file: Path | None = None  # every service: its public half (PEM)
    documents: Path | None = None
    backups: Path | None = None
    backup_key_file: Path | None = None  # an age key; on one machine it is made in the home folder
    backup_at: str = "02:30"  # when the nightly backup is made, by the clocks of `time_zone`
    backup_keep_days: int = 14  # every backup of so many days is kept,
    backup_keep_weeks: int = 8  # and the last of each of so many weeks
    programmes: Path = Path("programmes")
    time_zone: str = "Europe/Skopje"  # in which people read times; stored times are UTC
    log_level: str = "INFO"
    outbox_retention_months: int = 0  # full months for which published events stay in the outbox; 0: for ever
    gap_seconds: float = 45.0  # how long an event may be missing before that is an alarm (a relay tries again after 30)

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
        if (given := os.environ.get(f"TAMGA_{name.upper()}")) is not None and "urls" not in name:
            values[name] = given
    for service in SERVICES:
        for field, suffix in (("database_urls", "DATABASE_URL"), ("amqp_urls", "AMQP_URL")):
            if given := os.environ.get(f"TAMGA_{service.upper()}_{suffix}"):
                values[field] = dict(values.get(field, {})) | {service: given}
    return Settings.model_validate(values)


@cache
def settings() -> Settings:
    """Return this process's settings, read once."""
    return load()
