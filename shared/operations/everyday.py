"""Further lines of a look: how much is asked and how well, letters, cases, the record, databases, backups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Rule as Say
from shared.messaging.topology import DEAD_LETTERS
from shared.operations.backups import Backups
from shared.operations.lines import Facts, Line, State, of_services

FAILING = 0.02  # share of requests
LATE_LETTER, LONG, UNSIGNED, SILENT = 900, 600, 600, 60  # seconds
FULL = 0.8  # share of the connections
MANY = 1000  # messages in a queue
BACKUP, DRILL = timedelta(hours=26), timedelta(days=30)
MB = 2**20
_UNKNOWN = "Not known: %(of)s does not answer."


def everyday(facts: Facts) -> Iterator[Line]:
    """Yield the lines."""
    if facts.broker:
        yield _queues(facts)
    if facts.measured:
        yield _processes(facts)
    if any(told and told["requests"] for told in facts.measured.values()):
        yield _requests(facts)
    yield _letters(facts)
    yield _casework(facts)
    yield _record(facts)
    yield _databases(facts)
    yield _backup(facts)
    yield _drill(facts)


def _queues(facts: Facts) -> Line:
    depths = facts.broker.queues if facts.broker else {}
    queues = {name: depth for name, depth in depths.items() if name != DEAD_LETTERS}
    left = [name for name, depth in queues.items() if not depth.consumers]
    full = {name: depth.messages for name, depth in queues.items() if depth.messages}
    says = [Say("%(of)s: nobody consumes.", of=name) for name in left]
    says += [Say("%(of)s: waiting: %(count)s.", of=name, count=count) for name, count in full.items()]
    state: State = "bad" if left else "look" if any(count > MANY for count in full.values()) else "good"
    figures = {
        name: {"messages": depth.messages, "consumers": depth.consumers} for name, depth in sorted(depths.items())
    }
    commands = facts.starting("tamga events lag") if left else ("tamga events lag",)
    return Line("queues", "Queues", state, tuple(says) or (Say("Nothing waits."),), commands, figures)


def _processes(facts: Facts) -> Line:
    silent = [name for name, told in facts.measured.items() if told is None]
    memory = {name: told["memory"] for name, told in facts.measured.items() if told}
    says = [Say(_UNKNOWN, of=name) for name in silent]
    if memory:
        most = max(memory, key=memory.__getitem__)
        values = {"count": len(memory), "size": round(sum(memory.values()) / MB), "most": round(memory[most] / MB)}
        says.append(Say("Answering: %(count)s; memory: %(size)s MB, the most: %(of)s, %(most)s MB.", of=most, **values))
    figures = {"memory": memory, "silent": silent}
    state: State = "look" if silent else "good"
    commands = facts.starting("tamga status") if silent else ("tamga status",)
    return Line("processes", "Processes", state, tuple(says), commands, figures)


def _requests(facts: Facts) -> Line:
    told = [figures for figures in facts.measured.values() if figures]
    total = {name: int(sum(each[name] for each in told)) for name in ("requests", "failed", "slow", "under_way")}
    says = [Say("Answered since the start: %(count)s.", count=total["requests"])]
    says.append(Say("Failed: %(failed)s, slower than a second: %(slow)s.", failed=total["failed"], slow=total["slow"]))
    state: State = "look" if total["failed"] > FAILING * total["requests"] else "good"
    log = f"tail {facts.logs / 'web.log'}" if facts.processes else "docker compose logs --tail 100 proxy"
    return Line("requests", "Requests", state, tuple(says), (log,), total)


def _letters(facts: Facts) -> Line:
    key, name, commands, href = "letters", "Letters", ("tamga letters list",), "/notifications/deliveries"
    found: dict[str, Any] | None = facts.of("letters").get("notifications")
    if found is None:
        return Line(key, name, "look", (Say(_UNKNOWN, of="notifications"),), commands, {}, href)
    waits = Say("Waiting: %(count)s, put off before: %(again)s.", count=found["waiting"], again=found["retrying"])
    day = [states for channel in found["last_day"].values() for states in channel.items()]
    sent, failed = (sum(n for state, n in day if state == wanted) for wanted in ("sent", "permanent_failure"))
    says = [waits, Say("Of the last day: delivered: %(sent)s, came back: %(failed)s.", sent=sent, failed=failed)]
    late = found["late_seconds"] > LATE_LETTER
    if late:
        says.append(Say("The oldest is late by %(age)s.", age=timedelta(seconds=found["late_seconds"])))
    return Line(key, name, "look" if late else "good", tuple(says), commands, found, href)


def _casework(facts: Facts) -> Line:
    cases = [group for groups in facts.of("casework").values() for group in groups]
    opened, overdue = (sum(group[name] for group in cases) for name in ("open", "overdue"))
    says = [Say("Open: %(open)s, past their day: %(late)s.", open=opened, late=overdue)]
    says += [
        Say("%(kind)s, %(stage)s: past their day: %(count)s (%(holder)s).", count=group["overdue"], **_named(group))
        for group in cases
        if group["overdue"]
    ]
    state: State = "look" if overdue else "good"
    line = Line("casework", "Cases", state, tuple(says), ("tamga status --json",), {"cases": cases})
    return of_services(facts, line)


def _named(group: dict[str, Any]) -> dict[str, str]:
    return {name: group[name] for name in ("kind", "stage", "holder")}


def _record(facts: Facts) -> Line:
    key, name, commands, href = "record", "The record", ("tamga audit verify",), "/audit/verification"
    told = facts.services.get("audit") or {}
    if "log_size" not in told:
        return Line(key, name, "look", (Say(_UNKNOWN, of="audit"),), commands, {}, href)
    size, signed = told["log_size"], told["checkpoint"]
    unsigned = told.get("unsigned")
    figures = {"size": size, "checkpoint": signed, "unsigned": unsigned}
    if unsigned and _matters(facts, unsigned):
        return Line(key, name, "bad", _unsigned(size, signed, unsigned), ("tamga signer show",), figures, href)
    if signed is None:
        says = Say("Entries: %(count)s, none signed yet.", count=size)
        return Line(key, name, "look" if size else "good", (says,), commands, figures, href)
    at = datetime.fromisoformat(signed["at"])
    says = Say(
        "Entries: %(count)s, signed: %(signed)s, the last time at %(at)s.", count=size, signed=signed["size"], at=at
    )
    stopped = size > signed["size"] and (facts.now - at).total_seconds() > UNSIGNED
    return Line(key, name, "bad" if stopped else "good", (says,), commands, figures, href)


def _matters(facts: Facts, unsigned: dict[str, Any]) -> bool:
    """Say whether this is more than a signer that starts anew."""
    silent = (facts.now - datetime.fromisoformat(unsigned["since"])).total_seconds()
    return unsigned["kind"] == "refused" or silent > SILENT


def _unsigned(size: int, signed: dict[str, Any] | None, unsigned: dict[str, Any]) -> tuple[Say, ...]:
    since = datetime.fromisoformat(unsigned["since"])
    refused = Say("The signer has refused to sign since %(since)s: %(why)s.", since=since, why=unsigned["why"])
    silent = Say("Nobody has signed since %(since)s: %(why)s.", since=since, why=unsigned["why"])
    counts = Say("Entries: %(count)s, signed: %(signed)s.", count=size, signed=signed["size"] if signed else 0)
    return (refused if unsigned["kind"] == "refused" else silent), counts


def _databases(facts: Facts) -> Line:
    figures = {name: facts.of(f"database_{name}") for name in ("bytes", "connections", "longest_seconds", "deadlocks")}
    taken = max(facts.of("database_connections_all").values(), default=0)
    allowed = max(facts.of("database_connections_allowed").values(), default=0)
    longest = max(figures["longest_seconds"].values(), default=0.0)
    says = [
        Say("Size: %(size)s MB.", size=round(sum(figures["bytes"].values()) / MB)),
        Say("Connections: %(count)s of %(allowed)s.", count=taken, allowed=allowed),
    ]
    if longest > LONG:
        says.append(Say("The oldest transaction: %(age)s.", age=timedelta(seconds=longest)))
    state: State = "look" if longest > LONG or taken > FULL * allowed else "good"
    line = Line("storage", "Size of the databases", state, tuple(says), ("tamga status --json",), figures)
    return of_services(facts, line)


def _backup(facts: Facts) -> Line:
    known = facts.backups
    figures = known.model_dump(mode="json", exclude={"drill"})
    says = []
    if known.last and not known.last.ok:
        says.append(Say("%(at)s: failed: %(problem)s", at=known.last.at, problem=known.last.problem))
    elif known.good is None and (silent := _mute(facts, "backup", "Last backup", figures)):
        return silent
    says += _good(known) if known.good else [Say("None yet.")]
    late = known.good is None or facts.now - known.good.at > BACKUP
    if late and known.good:
        says.append(Say("That is long ago."))
    look = late or known.kept == 0
    state: State = "bad" if known.last and not known.last.ok else "look" if look else "good"
    return Line("backup", "Last backup", state, tuple(says), ("tamga backup create",), figures)


def _good(known: Backups) -> Iterator[Say]:
    if known.good is None:
        return
    size = max(1, round(known.good.size / MB))
    if known.kept is None:
        yield Say("%(at)s: good, %(size)s MB.", at=known.good.at, size=size)
    else:
        yield Say("%(at)s: good, %(size)s MB; kept: %(kept)s.", at=known.good.at, size=size, kept=known.kept)
    if known.kept == 0:
        yield Say("Its file is not here any more.")


def _mute(facts: Facts, key: str, name: str, figures: dict[str, Any]) -> Line | None:
    """Return the line of what only the record could tell, when it does not answer: that is not the same as nothing."""
    if "log_size" in (facts.services.get("audit") or {}):
        return None
    says = (Say("Not known: the database does not answer."),)
    return Line(key, name, "look", says, facts.starting("tamga status"), figures)


def _drill(facts: Facts) -> Line:
    drill, commands = facts.backups.drill, ("tamga drill",)
    if drill is None:
        if silent := _mute(facts, "drill", "Last drill", {}):
            return silent
        says: tuple[Say, ...] = (Say("No restore has been tried yet."),)
        return Line("drill", "Last drill", "look", says, commands, {})
    figures = drill.model_dump(mode="json")
    if not drill.ok:
        failed = Say("%(at)s: failed: %(problem)s", at=drill.at, problem=drill.problem)
        return Line("drill", "Last drill", "bad", (failed,), commands, figures)
    lost, took = (timedelta(seconds=seconds) for seconds in (drill.rpo_seconds, drill.rto_seconds))
    says = (Say("%(at)s: restored in %(took)s; work that would be lost: %(lost)s.", at=drill.at, took=took, lost=lost),)
    late = facts.now - drill.at > DRILL
    says += (Say("That is long ago."),) if late else ()
    return Line("drill", "Last drill", "look" if late else "good", says, commands, figures)
