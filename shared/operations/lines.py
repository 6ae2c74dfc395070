"""What the facts of a look mean: one line a question, good, to be looked at or bad, with the command that helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from shared.commands import in_containers
from shared.errors import Rule as Say
from shared.messaging.drift import Difference
from shared.messaging.topology import DEAD_LETTERS
from shared.operations.backups import Backups
from shared.operations.broker import Answer, Inside
from shared.operations.processes import Processes
from shared.operations.telling import plainly, told

State = Literal["good", "look", "bad"]
STALE = timedelta(minutes=10)  # the watch looks every half minute, and less often only where that takes long
SLOW, STUCK = 10, 120  # seconds that a committed event waits for the broker
VERIFIED = timedelta(days=7)
ENDED = timedelta(days=1)  # for which a process that ended is to be looked at, unless somebody has seen it
QUARANTINE = "/operations/quarantine"


@dataclass(frozen=True)
class Reconciled:
    """What the last reconciling found; `at` None: there was none yet."""

    unaccounted: int
    contradictory: int
    at: datetime | None


@dataclass(frozen=True)
class Facts:
    """What a look has learned; None stands for what did not answer or can't be asked."""

    now: datetime
    services: Mapping[str, dict[str, Any] | None]
    reconciled: Reconciled | None = None
    asks_broker: bool = True
    broker: Answer | None = None
    inside: Inside | None = None
    relays_blocked: int = 0
    differences: list[Difference] | None = None
    sees_topology: bool = True  # not so for a process that may not know who may do what on the broker
    processes: Processes | None = None
    kept_months: int = 0
    logs: Path = Path("log")
    measured: Mapping[str, dict[str, float] | None] = field(default_factory=dict)  # by process
    backups: Backups = field(default_factory=Backups)
    contained: bool = field(default_factory=in_containers)

    def of(self, name: str) -> dict[str, Any]:
        """Return one figure of every service that tells it."""
        return {service: told[name] for service, told in self.services.items() if told and told.get(name) is not None}

    def starting(self, *otherwise: str) -> tuple[str, ...]:
        """Return what starts a part that is down: in containers one command does, whichever part it is."""
        return ("make up",) if self.contained else otherwise

    @property
    def silent(self) -> list[str]:
        """Return the services that tell no figures."""
        return [service for service, told in self.services.items() if not told or "outbox_unpublished" not in told]


@dataclass(frozen=True)
class Line:
    """One question and its answer. `says` are sentences with their values, `commands` what helps, `href` a page."""

    key: str
    name: str
    state: State
    says: tuple[Say, ...]
    commands: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    href: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for machines; the sentences are English, times are UTC."""
        facts = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in self.facts.items()
        }
        said = [str(told(sentence, plainly, locale="en").unescape()) for sentence in self.says]
        found: dict[str, Any] = {"key": self.key, "state": self.state, "says": said, "facts": facts}
        return found | {"commands": list(self.commands), "href": self.href}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def judge(facts: Facts) -> Iterator[Line]:
    """Yield the lines in the order in which an operator asks."""
    yield _broker(facts)
    yield _databases(facts)
    yield _unaccounted(facts)
    yield _outbox(facts)
    yield _gaps(facts)
    yield _quarantined(facts)
    if facts.sees_topology:
        yield _topology(facts)
    if facts.processes:
        yield _ended(facts, facts.processes)
    yield _verification(facts)
    yield from _missing(facts)
    yield _retention(facts)


def _broker(facts: Facts) -> Line:
    log = facts.processes.broker_log if facts.processes else ""
    commands: tuple[str, ...] = (f"tail {log}",) if log else ("rabbitmq-diagnostics status",)
    if not facts.asks_broker:
        unset = Say("Not known here: the broker's address (TAMGA_AMQP_ADMIN_URL) is not set.")
        return Line("broker", "Broker", "look", (unset,), commands)
    if facts.broker is None:
        silent = [Say("The broker does not answer.")]
        silent.append(Say("What is written meanwhile waits in the outboxes and is not lost."))
        if log:
            silent.append(Say("The one that was started here starts again with Tamga: Ctrl-C, then make run."))
            commands += ("make run",)
        return Line("broker", "Broker", "bad", tuple(silent), facts.starting(*commands), {"answers": False})
    return _living(facts, facts.broker, commands)


_ALARMS = {
    "memory": Say("Alarm: it is short of memory and takes nothing more until that is over."),
    "disk": Say("Alarm: its disk is nearly full and it takes nothing more until there is room."),
}


def _living(facts: Facts, broker: Answer, commands: tuple[str, ...]) -> Line:
    inside = facts.inside or Inside(())
    since = inside.since or (facts.processes.broker_since if facts.processes else None)
    blocked = max(inside.blocked or 0, facts.relays_blocked)
    if since:
        says = [Say("Up since %(since)s, RabbitMQ %(version)s.", since=since, version=broker.version)]
    else:
        says = [Say("Up, RabbitMQ %(version)s.", version=broker.version)]
    says += [_ALARMS[name] for name in inside.alarms if name in _ALARMS]
    if blocked:
        says.append(Say("Connections that it lets send nothing: %(count)s.", count=blocked))
    if facts.inside is None:
        says.append(Say("Its alarms are not known: its management plugin does not answer."))
    elif not (inside.alarms or blocked):
        says.append(Say("No alarm, no blocked connection."))
    dead = broker.queues[DEAD_LETTERS].messages if DEAD_LETTERS in broker.queues else 0
    if dead:
        says.append(Say("Dead letters, which nobody could take: %(count)s.", count=dead))
    alarms = list(inside.alarms) if facts.inside else None
    figures = {"answers": True, "version": broker.version, "since": since, "alarms": alarms, "blocked": blocked}
    state: State = "bad" if blocked or inside.alarms or dead else "good"
    return Line("broker", "Broker", state, tuple(says), commands, figures | {"dead_letters": dead})


def _databases(facts: Facts) -> Line:
    down = [service for service, told in facts.services.items() if told and told.get("database", "ok") != "ok"]
    mute = [service for service, told in facts.services.items() if told is None]
    says = [Say("%(of)s: its database does not answer.", of=service) for service in down]
    says += [Say("%(of)s: no answer.", of=service) for service in mute]
    if says:
        says.append(Say("Their pages say so; what was committed is not lost."))
    logs = (f"tail {facts.logs / 'web'}.log",) if facts.processes else ()
    state: State = "bad" if says else "good"
    figures = {"down": down, "no_answer": mute}
    commands = facts.starting("tamga status", *logs) if says else ("tamga status", *logs)
    return Line("databases", "Databases", state, tuple(says or [Say("All answer.")]), commands, figures)


def _unaccounted(facts: Facts) -> Line:
    found = facts.reconciled
    if found is None:
        says = [Say("Not known: the process that reconciles does not answer.")]
        return _account("look", says, {})
    figures = {"unaccounted": found.unaccounted, "contradictory": found.contradictory, "looked_at": found.at}
    if found.at is None:
        return _account("look", [Say("The first look is not over yet.")], figures)
    says = [Say("Missing at a consumer: %(count)s.", count=found.unaccounted)] if found.unaccounted else []
    says += [Say("In two states at once: %(count)s.", count=found.contradictory)] if found.contradictory else []
    stale = facts.now - found.at > STALE
    state: State = "bad" if says else "look" if stale else "good"
    says = [*(says or [Say("None.")]), Say("Looked at %(at)s.", at=found.at)]
    return _account(state, says + ([Say("That is long ago.")] if stale else []), figures)


def _account(state: State, says: list[Say], figures: dict[str, Any]) -> Line:
    missing = figures.get("unaccounted", 0) > 0
    commands = ("tamga reconcile --send-again",) if missing else ("tamga reconcile",)
    href = "#missing" if missing else ""
    return Line("unaccounted", "Events unaccounted for", state, tuple(says), commands, figures, href)


def _outbox(facts: Facts) -> Line:
    waiting = {service: count for service, count in facts.of("outbox_unpublished").items() if count}
    oldest, held = facts.of("outbox_oldest_seconds"), facts.of("outbox_held")
    ages = {service: timedelta(seconds=oldest[service]) for service in waiting}
    worst = max((oldest[service] for service in waiting), default=0)
    says = [
        Say("%(of)s: waiting: %(count)s, the oldest for %(age)s.", of=service, count=count, age=ages[service])
        for service, count in waiting.items()
    ] or [Say("Nothing waits.")]
    says += [Say("%(of)s: held back by the broker: %(count)s.", of=of, count=held[of]) for of in held if held[of]]
    state: State = "bad" if worst > STUCK else "look" if worst > SLOW or any(held.values()) else "good"
    figures = {"waiting": waiting, "oldest_seconds": {of: round(oldest[of], 1) for of in waiting}, "held": held}
    return of_services(facts, Line("outbox", "Not yet published", state, tuple(says), ("tamga events lag",), figures))


def _gaps(facts: Facts) -> Line:
    alarmed, young = facts.of("gaps"), facts.of("gaps_unalarmed")
    says = [
        Say("%(of)s: alarmed: %(alarmed)s, not yet: %(young)s.", of=of, alarmed=alarmed[of], young=young.get(of, 0))
        for of in alarmed
        if alarmed[of] or young.get(of)
    ] or [Say("None.")]
    state: State = "bad" if any(alarmed.values()) else "look" if any(young.values()) else "good"
    figures = {"alarmed": alarmed, "not_alarmed": young}
    line = Line("gaps", "Gaps in what came", state, tuple(says), ("tamga events gaps",), figures, QUARANTINE)
    return of_services(facts, line)


def _quarantined(facts: Facts) -> Line:
    held = facts.of("quarantined")
    says = tuple(Say("%(of)s: %(count)s.", of=of, count=held[of]) for of in held if held[of]) or (Say("None."),)
    state: State = "look" if any(held.values()) else "good"
    line = Line("quarantined", "In quarantine", state, says, ("tamga quarantine list",), {"held": held}, QUARANTINE)
    return of_services(facts, line)


def _topology(facts: Facts) -> Line:
    key, name, commands = "topology", "Topology", ("tamga topology diff",)
    found = facts.differences
    if found is None:
        silent = Say("Not known: the broker does not answer.")
        says = Say("Not known: the broker's management plugin does not answer.") if facts.broker else silent
        return Line(key, name, "look", (says,), commands, {"differences": None})
    if not found:
        return Line(key, name, "good", (Say("The broker stands as declared."),), commands, {"differences": 0})
    lacks = any(change.state != "superfluous" for change in found)
    says = Say("Differences from what is declared: %(count)s.", count=len(found))
    more = ("tamga topology apply",) if lacks else ()
    return Line(key, name, "bad" if lacks else "look", (says,), (*commands, *more), {"differences": len(found)})


def _ended(facts: Facts, processes: Processes) -> Line:
    says = [
        Say("%(of)s: %(count)s, the last at %(at)s.", of=of, count=processes.ends.get(of, 1), at=at)
        for of, at in processes.ended_at.items()
    ] or [Say("None.")]
    last, seen = max(processes.ended_at.values(), default=None), processes.seen_at
    if last and seen and seen >= last:
        says.append(Say("Seen at %(at)s.", at=seen))
    fresh = last is not None and (seen is None or seen < last) and facts.now - last < ENDED
    says.append(Say("Tamga was started at %(at)s.", at=processes.since))
    logs = tuple(f"tail {facts.logs / name}.log" for name in processes.ended_at) or (f"ls {facts.logs}",)
    commands = (*logs, "tamga status --seen") if fresh else logs
    figures = {
        "ends": processes.ends,
        "ended_at": {of: at.isoformat() for of, at in processes.ended_at.items()},
        "seen_at": seen,
        "since": processes.since,
    }
    return Line("restarts", "Processes that ended", "look" if fresh else "good", tuple(says), commands, figures)


def _verification(facts: Facts) -> Line:
    told = facts.services.get("audit") or {}
    command, href = ("tamga audit verify",), "/audit/verification"
    found = {name: told.get(name) for name in ("verification", "verification_whole")}
    if "verification" not in told:
        says: tuple[Say, ...] = (Say("Not known: %(of)s does not answer.", of="audit"),)
        return Line("verification", "Last verification", "look", says, command, {}, href)
    runs = {run["id"]: run for run in found.values() if run}.values()
    says = tuple(_verified(run) for run in runs)
    newest = max((datetime.fromisoformat(run["at"]) for run in runs), default=None)
    late = newest is None or facts.now - newest > VERIFIED
    if late:
        says += (Say("That is long ago.") if newest else Say("The record has not been verified yet."),)
    state: State = "look" if late else "good"
    if not all(run["ok"] for run in runs):
        state = "bad"
    return Line("verification", "Last verification", state, says, command, found, href)


def _missing(facts: Facts) -> Iterator[Line]:
    """Yield what is wrong with the record's completeness; nothing as long as nothing is."""
    told = facts.services.get("audit") or {}
    disputed, outside = told.get("disputed") or 0, told.get("outside") or 0
    if disputed:
        says = Say("What services told of and the log has not: %(count)s.", count=disputed)
        command, found = ("tamga reconcile",), {"disputed": disputed}
        yield Line("missing", "Is anything missing?", "bad", (says,), command, found, "/audit/completeness")
    watched = told.get("watched") or 0
    if watched:
        says = Say("Hits of the watch that nobody has decided about: %(count)s.", count=watched)
        command, found = ("tamga audit watch",), {"watched": watched}
        yield Line("watch", "Watch", "look", (says,), command, found)
    if outside:
        says = Say("Records changed past the programs: %(count)s.", count=outside)
        command, found = ("tamga audit compare-state",), {"outside": outside}
        yield Line("outside", "Changes past the programs", "bad", (says,), command, found)


def _verified(run: Mapping[str, Any]) -> Say:
    values = {"at": datetime.fromisoformat(run["at"]), "by": run["by"], "count": run["events"]}
    if not run["ok"]:
        return Say("%(at)s: findings: %(findings)s (%(by)s).", findings=run["findings"], **values)
    if run["whole"]:
        return Say("%(at)s: the whole log is sound, entries: %(count)s (%(by)s).", **values)
    return Say("%(at)s: the newest part is sound, entries: %(count)s (%(by)s).", **values)


def _retention(facts: Facts) -> Line:
    first, following = facts.of("outbox_first_month"), facts.of("outbox_next_month")
    lacking = [service for service, there in following.items() if not there]
    kept = {service: month.replace("_", "-") for service, month in first.items()}
    says = [Say("Kept since %(month)s.", month=min(kept.values()))] if kept else []
    over = [
        service for service, month in kept.items() if facts.kept_months and _age(month, facts.now) > facts.kept_months
    ]
    if over:
        says.append(Say("Older than %(months)s months: %(of)s.", months=facts.kept_months, of=", ".join(over)))
    if lacking:
        says.append(Say("No place for next month's events yet: %(of)s.", of=", ".join(lacking)))
    elif following:
        says.append(Say("There is a place for next month's events."))
    state: State = "look" if lacking or over else "good"
    figures = {"oldest_month": kept, "next_month": following, "kept_months": facts.kept_months}
    commands = ("tamga events retention --dry-run",)
    return of_services(facts, Line("retention", "Months of the outbox", state, tuple(says), commands, figures))


def _age(month: str, now: datetime) -> int:
    today = now.astimezone(UTC)
    return (today.year - int(month[:4])) * 12 + today.month - int(month[5:])


def of_services(facts: Facts, line: Line) -> Line:
    """Return the line, which is not good while a service does not tell its part of it."""
    if not facts.silent:
        return line
    says = (*line.says, *(Say("Not known: %(of)s does not answer.", of=service) for service in facts.silent))
    told = tuple(said for said in says if said not in _NOTHING or len(facts.silent) < len(facts.services))
    state: State = "bad" if line.state == "bad" else "look"
    return Line(line.key, line.name, state, told, line.commands, line.facts, line.href)


_NOTHING = (Say("None."), Say("Nothing waits."))
