"""The operator's figures for Prometheus: asked of every database from time to time, told at each scrape.

What is told is the same that page and command show. A service that did not answer tells nothing, for old figures
would look like good ones; that it did not is a figure too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.database import reading
from shared.operations import backups
from shared.operations.figures import figures

log = structlog.get_logger(__name__)

Own = Callable[[Connection], dict[str, Any]]
_DATABASE = {
    "database_bytes": "Size of a service's database",
    "database_connections": "Connections to a service's database",
    "database_connections_all": "Connections to its server",
    "database_connections_allowed": "Connections that its server allows",
    "database_deadlocks": "Deadlocks since the statistics began",
    "database_longest_seconds": "Age of the oldest transaction",
    "database_wal_bytes": "Write-ahead log that its server has written",
}
_CASES = {
    "open": ("cases_open", "Open cases"),
    "overdue": ("cases_overdue", "Open cases past their day"),
    "oldest_seconds": ("cases_oldest_seconds", "How long the oldest case has been so"),
}
_CASE_LABELS = ("kind", "programme", "stage", "holder")


class Measuring(Collector):
    """Asks with `measure`; tells what it heard with `collect`. `own` has the figures that only one service has."""

    def __init__(self, engines: Mapping[str, Engine], own: Mapping[str, Own], home: Path) -> None:
        self.engines, self.own, self.home = engines, own, home
        self.heard: dict[str, dict[str, Any] | None] = {}

    def measure(self) -> None:
        """Ask every service's database; one that is away keeps no other from being asked."""
        self.heard = {service: self._ask(service, engine) for service, engine in self.engines.items()}

    def _ask(self, service: str, engine: Engine) -> dict[str, Any] | None:
        try:
            with reading(engine) as connection:
                own = self.own[service](connection) if service in self.own else {}
                return figures(connection, service) | own
        except SQLAlchemyError as error:
            log.warning("a service's figures can't be had", service=service, error=type(error).__name__)
            return None

    def collect(self) -> Iterator[Metric]:
        """Yield what was heard last, and what is noted of backups."""
        answered = _gauge("figures_heard", "Whether a service's database told its figures", "service")
        for service, told in self.heard.items():
            answered.add_metric([service], float(told is not None))
        yield answered
        heard = {service: told for service, told in self.heard.items() if told is not None}
        for name, what in _DATABASE.items():
            yield _by_service(name, what, heard)
        yield _late(heard)
        yield from _cases(heard)
        if (letters := heard.get("notifications", {}).get("letters")) is not None:
            yield from _letters(letters)
        if "log_size" in (record := heard.get("audit", {})):
            yield from _record(record)
        yield from _backups(backups.known_of(backups.note_of(self.home), heard.get("audit", {})))


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tamga_{name}", what, labels=labels)


def _one(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tamga_{name}", what, value=value)


def _by_service(name: str, what: str, heard: Mapping[str, dict[str, Any]]) -> Metric:
    family = _gauge(name, what, "service")
    for service, told in heard.items():
        family.add_metric([service], float(told[name]))
    return family


def _late(heard: Mapping[str, dict[str, Any]]) -> Metric:
    # What has been told to wait is not late before its time: nobody should be woken for it.
    family = _gauge("outbox_late_seconds", "How long the event that is due longest has been due", "source")
    for service, told in heard.items():
        family.add_metric([service], float(told["outbox_oldest_seconds"]))
    return family


def _cases(heard: Mapping[str, dict[str, Any]]) -> Iterator[Metric]:
    for key, (name, what) in _CASES.items():
        family = _gauge(name, what, "service", *_CASE_LABELS)
        for service, told in heard.items():
            for group in told.get("casework", ()):
                family.add_metric([service, *(group[label] for label in _CASE_LABELS)], float(group[key]))
        yield family


def _letters(letters: Mapping[str, Any]) -> Iterator[Metric]:
    yield _one("letters_waiting", "Letters to be sent", letters["waiting"])
    yield _one("letters_retrying", "Letters of those that a mail server put off before", letters["retrying"])
    yield _one("letters_late_seconds", "How long the letter that is due longest has been due", letters["late_seconds"])


def _record(record: Mapping[str, Any]) -> Iterator[Metric]:
    yield _one("audit_log_size", "Entries of the log", record["log_size"])
    if signed := record["checkpoint"]:
        yield _one("audit_checkpoint_size", "Entries that the last checkpoint covers", signed["size"])
        yield _one("audit_checkpoint_timestamp_seconds", "When it was signed", _moment(signed["at"]))
    stopped = (record.get("unsigned") or {}).get("kind")
    yield _one("audit_signing_refused", "Whether the signer refuses to sign the log", float(stopped == "refused"))
    yield _one("audit_signing_silent", "Whether the signer does not answer", float(stopped == "silent"))
    at = _gauge("audit_verification_timestamp_seconds", "When the log was verified last", "extent")
    sound = _gauge("audit_verification_sound", "Whether that found nothing wrong", "extent")
    for extent, key in (("newest", "verification"), ("whole", "verification_whole")):
        if run := record[key]:
            at.add_metric([extent], _moment(run["at"]))
            sound.add_metric([extent], float(run["ok"]))
    yield from (at, sound)


def _backups(known: backups.Backups) -> Iterator[Metric]:
    if known.kept is not None:
        yield _one("backups_kept", "Backups that are kept", known.kept)
    if known.last:
        yield _one("backup_ok", "Whether the last try to make a backup succeeded", float(known.last.ok))
    if known.good:
        yield _one("backup_timestamp_seconds", "When the last good backup was made", known.good.at.timestamp())
        yield _one("backup_size_bytes", "Its size", known.good.size)
        yield _one("backup_seconds", "How long it took", known.good.seconds)
    if known.drill:
        yield _one("drill_timestamp_seconds", "When a restore was tried last", known.drill.at.timestamp())
        yield _one("drill_ok", "Whether it succeeded", float(known.drill.ok))
        yield _one("drill_rpo_seconds", "Work that was not in the backup", known.drill.rpo_seconds)
        yield _one("drill_rto_seconds", "How long the restore took", known.drill.rto_seconds)


def _moment(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()
