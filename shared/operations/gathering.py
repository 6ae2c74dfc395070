"""Everything that a look needs is asked at once, and each question has a second: what does not answer is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from shared.clock import Clock, utc_now
from shared.commands import here
from shared.direct import ask
from shared.heartbeat import heartbeat_file, is_alive
from shared.messaging import drift
from shared.messaging.drift import Broker, Difference
from shared.messaging.link import user_of
from shared.messaging.topology import DEAD_LETTERS
from shared.operations import broker as of_broker
from shared.operations.backups import Backups, known_of
from shared.operations.backups import note_of as note_of_backups
from shared.operations.broker import Answer, Inside
from shared.operations.everyday import everyday
from shared.operations.lines import Facts, Line, Reconciled, judge
from shared.operations.processes import note_of
from shared.settings import SERVICES, Settings

PATIENCE = 1.0  # seconds
RECONCILING = ("relay", "watch")  # the process that does it on one machine, and where parts are apart
Figures = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Sources:
    """Whom a look asks. `queues` are those declared ({queue: its bindings}; empty: the topology is not compared).

    `figures` gives what a service's /health tells an operator, by whatever way the asker has; None: no answer.
    """

    settings: Settings
    queues: Mapping[str, tuple[str, ...]]
    figures: Callable[[str], Figures | None]


@dataclass(frozen=True)
class Look:
    """How everything was at one moment; `unanswered` has why a question got no answer."""

    at: datetime
    facts: Facts
    lines: tuple[Line, ...]
    unanswered: Mapping[str, str]

    @property
    def worst(self) -> str:
        """Return the state of the line that needs somebody most."""
        states = {line.state for line in self.lines}
        return next((state for state in ("bad", "look") if state in states), "good")

    def as_json(self) -> dict[str, Any]:
        """Return it for machines: `lines` by their keys, each with its state, its figures and the commands."""
        lines = [line.as_json() for line in self.lines]
        return {
            "looked_at": self.at.isoformat(),
            "state": self.worst,
            "lines": lines,
            "unanswered": dict(self.unanswered),
        }


def look(sources: Sources, *, clock: Clock = utc_now) -> Look:
    """Ask everything at once and say how it is; takes little longer than the one wait of a part that is silent."""
    settings, now = sources.settings, clock()
    api, unanswered = _api(settings), dict[str, str]()
    with ThreadPoolExecutor(len(SERVICES) + 9 + len(settings.metrics_urls)) as pool:

        def begin(name: str, question: Callable[..., T | None], *given: Any) -> Future[T | None]:
            return pool.submit(_quietly, unanswered, name, question, *given)

        services = [begin(service, sources.figures, service) for service in SERVICES]
        reconciled = begin("reconciling", _reconciled, settings)
        measured = [begin(f"figures of {name}", _measured, url) for name, url in _ours(settings).items()]
        backups = begin("backups", note_of_backups, settings.home)
        processes, relays = begin("processes", note_of, settings.home), begin("relays", _relays_blocked, settings)
        if asks_broker := bool(settings.amqp_admin_url):
            answer, alarms = begin("broker", _answer, settings), begin("alarms", of_broker.alarms, api.api)
            since = begin("nodes", of_broker.since, api.api, now)
            blocked = begin("connections", of_broker.blocked, api.api)
            differences = begin("topology", _differences, sources, api)
    heard = dict(zip(SERVICES, (asked.result() for asked in services), strict=True))
    facts = Facts(
        now=now,
        services=heard,
        reconciled=reconciled.result(),
        asks_broker=asks_broker,
        sees_topology=_sees_topology(sources),
        relays_blocked=relays.result() or 0,
        processes=processes.result(),
        kept_months=settings.outbox_retention_months,
        logs=settings.home / "log",
        measured=dict(zip(_ours(settings), (asked.result() for asked in measured), strict=True)),
        backups=known_of(backups.result() or Backups(), heard["audit"] or {}),
    )
    if asks_broker:
        known = alarms.result()
        facts = replace(
            facts,
            broker=answer.result(),
            inside=None if known is None else Inside(known, since.result(), blocked.result()),
            differences=differences.result(),
        )
    return Look(now, facts, _lines(facts), unanswered)


def _lines(facts: Facts) -> tuple[Line, ...]:
    """Return what the facts mean, with the commands as they are typed where we run."""
    found = (*judge(facts), *everyday(facts))
    return tuple(replace(line, commands=tuple(map(here, line.commands))) for line in found)


def _quietly(unanswered: dict[str, str], name: str, question: Callable[..., T | None], *given: Any) -> T | None:
    """Return an answer, or None: whatever a client raises, the look says that it does not know, and why."""
    try:
        return question(*given)
    except Exception as error:  # noqa: BLE001 - clients of three protocols, each with errors of its own
        unanswered[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        return None


def _api(settings: Settings) -> Broker:
    users = {service: user_of(url) for service, url in settings.amqp_urls.items()}
    found = Broker.at(settings.amqp_admin_url, settings.amqp_api_url, users)
    return replace(found, api=replace(found.api, patience=PATIENCE))


def _answer(settings: Settings) -> Answer:
    queues = [*(service for service in SERVICES if service != "portal"), DEAD_LETTERS]
    return of_broker.answer(settings.amqp_admin_url, queues, PATIENCE)


def _differences(sources: Sources, broker: Broker) -> list[Difference] | None:
    return drift.diff(broker, sources.queues) if _sees_topology(sources) else None


def _sees_topology(sources: Sources) -> bool:
    # Whoever does not know all users would take the others' permissions for superfluous.
    return bool(sources.queues) and set(sources.settings.amqp_urls) >= set(SERVICES)


def _reconciled(settings: Settings) -> Reconciled | None:
    for process in RECONCILING:
        if url := settings.metrics_urls.get(process):
            return reconciled_in(ask(url, PATIENCE).decode())
    return None


def _ours(settings: Settings) -> dict[str, str]:
    """Return where our own processes tell their figures; the broker's are hundreds, and it is asked otherwise."""
    return {name: url for name, url in settings.metrics_urls.items() if name != "broker"}


def _measured(url: str) -> dict[str, float]:
    return measured_in(ask(url, PATIENCE).decode())


def measured_in(figures: str) -> dict[str, float]:
    """Return a process's memory, and how many requests it has answered, how well and how slowly."""
    found = dict.fromkeys(("memory", "requests", "failed", "slow", "under_way"), 0.0)
    for line in figures.splitlines():
        if line.startswith("process_resident_memory_bytes "):
            found["memory"] = _value(line)
        elif line.startswith("tamga_http_requests_total{"):
            found["requests"] += _value(line)
            found["failed"] += _value(line) if 'status="5xx"' in line else 0.0
        elif line.startswith("tamga_http_request_seconds_count"):
            found["slow"] += _value(line)
        elif line.startswith("tamga_http_request_seconds_bucket") and 'le="1.0"' in line:
            found["slow"] -= _value(line)
        elif line.startswith("tamga_http_requests_in_progress{"):
            found["under_way"] += _value(line)
    return found


def _value(line: str) -> float:
    return float(line.rpartition(" ")[2])


def reconciled_in(figures: str) -> Reconciled:
    """Return what the figures of the process that reconciles say of its last look."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(figures):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    at = found.get("tamga_reconcile_timestamp_seconds")
    return Reconciled(
        unaccounted=int(found.get("tamga_events_unaccounted", 0)),
        contradictory=int(found.get("tamga_events_contradictory", 0)),
        at=datetime.fromtimestamp(at, UTC) if at else None,
    )


def _relays_blocked(settings: Settings) -> int:
    names = [f"relay.{service}" for service in SERVICES]
    beats = [heartbeat_file(settings.home, name) for name in names if is_alive(settings.home, name)]
    return sum('"blocked"' in beat.read_text() for beat in beats)
