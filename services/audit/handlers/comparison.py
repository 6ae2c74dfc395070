"""Comparing every live row with the last act on record about it: whoever changed data past the programs shows.

Reads the services' databases, as `tamga reconcile` does, and changes nothing in them. In batches, so that memory does
not grow with the data; how far it is stands in the record's database, so that a run that was ended goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from services.audit.domain.comparison import PERSONAL, Audited, Finding, Live, differing, judge, rebuilt
from services.audit.storage import comparing
from services.audit.storage.opening import Opener
from shared.clock import Clock, new_id, utc_now
from shared.database import Context, UnitOfWork, reading
from shared.events import Actor
from shared.events.audit import ChangeFound, ComparisonCompleted
from shared.observability import gauge

KEPT = 500  # findings that are kept in full; the others are counted
TOLD = 100  # findings of one run that become events of their own
RESUMED = timedelta(hours=20)
# How often, and after how many seconds, a row is read again whose newest act was on its way to the log.
PATIENCE, PAUSE = 5, 1.0
OUTSIDE = gauge("audit_outside_changes", "Live rows that are not as their last recorded act left them")
Say = Callable[[str, int], None]
"""(service and table, rows so far) is called after each batch."""


@dataclass
class Comparison:
    """What a run found. `place` is where to go on: [step, service, table or "", id or entity]."""

    id: UUID
    place: list[str] = field(default_factory=list)
    rows: int = 0
    waiting: int = 0
    found: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.found

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {name: value for name, value in asdict(self).items() if name != "place"} | {"ok": self.ok}

    def note(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.found += 1
        if len(self.findings) < KEPT:
            self.findings.append(asdict(finding))


class Comparing:
    """One run over the services' databases. `engines` has each service's; `audit` is the record's own."""

    def __init__(
        self,
        audit: Engine,
        engines: Mapping[str, Engine],
        opener: Opener,
        *,
        clock: Clock = utc_now,
        pause: float = PAUSE,
        say: Say = lambda _place, _rows: None,
    ) -> None:
        self.audit, self.engines, self.opener = audit, engines, opener
        self.clock, self.pause, self.say = clock, pause, say

    def run(self, by: Actor) -> Comparison:
        """Compare everything, going on where a run of the same night was ended; keeps and records what was found."""
        run = self._begin(by)
        for step, source, table in self._steps(run.place):
            (self._rows if step == "rows" else self._vanished)(run, source, table)
        self._finish(run, by)
        return run

    def _begin(self, by: Actor) -> Comparison:
        with self.audit.begin() as connection:
            before = comparing.unfinished(connection, self.clock() - RESUMED)
            if before:
                return Comparison(
                    before.id, before.place, before.rows, before.waiting, before.found, list(before.findings)
                )
            run = Comparison(new_id())
            comparing.begin(connection, run.id, by.name or by.id, self.clock())
            return run

    def _steps(self, place: list[str]) -> Iterator[tuple[str, str, str]]:
        """Yield each service's tables, then the service as a whole, from `place` on."""
        steps = []
        for source in sorted(self.engines):
            with reading(self.engines[source]) as connection:
                steps += [("rows", source, table) for table in comparing.kinds(connection, source)]
            steps.append(("vanished", source, ""))
        here = tuple(place[:3])
        yield from steps[steps.index(here) :] if here in steps else steps

    def _rows(self, run: Comparison, source: str, table: str) -> None:
        kind = self._kinds(source)[table]
        after = self._after(run, "rows", source, table)
        while True:
            with reading(self.engines[source]) as connection:
                rows = comparing.batch(connection, table, kind, after)
            if not rows:
                return
            after = rows[-1].entity.partition(":")[2]
            waiting = self._judge(run, source, rows)
            for _ in range(PATIENCE):
                if not waiting:
                    break
                time.sleep(self.pause)
                with reading(self.engines[source]) as connection:
                    fresh = comparing.again(connection, table, kind, waiting)
                waiting = self._judge(run, source, fresh)
            run.waiting += len(waiting)
            run.rows += len(rows)
            self._keep(run, ["rows", source, table, after])

    def _judge(self, run: Comparison, source: str, rows: list[Live]) -> list[str]:
        """Note what is not as it was left; returns the ids of the rows whose newest act is on its way."""
        with reading(self.audit) as connection:
            known = comparing.audited(connection, self.opener, source, {row.entity: row.last for row in rows})
        waiting = []
        for row in rows:
            audited = known.get(row.entity)
            verdict = judge(row, audited)
            if verdict == "waiting":
                waiting.append(row.entity.partition(":")[2])
            elif verdict == "appeared":
                run.note(Finding(source, row.entity, "appeared", version=row.version))
            elif verdict == "altered" and audited is not None:
                run.note(self._altered(source, row, audited))
        return waiting

    def _altered(self, source: str, row: Live, audited: Audited) -> Finding:
        upto = audited.sequence or 0
        with reading(self.audit) as connection:
            acts = comparing.history(connection, self.opener, source, row.entity, upto)
        fields = differing(rebuilt(acts), row.state)
        if (source, row.entity.partition(":")[0]) in PERSONAL:
            fields = {name: [None, None] for name in fields}
        return Finding(
            source,
            row.entity,
            "altered",
            fields,
            upto,
            audited.event_id,
            audited.at,
            audited.by,
            audited.case,
            row.version,
        )

    def _vanished(self, run: Comparison, source: str, _table: str) -> None:
        """Note entities whose state is on record and that have no row any more."""
        tables = {kind: table for table, kind in self._kinds(source).items()}
        after = self._after(run, "vanished", source, "")
        while True:
            with reading(self.audit) as connection:
                names = comparing.entities(connection, source, after)
            if not names:
                return
            after = names[-1]
            gone = self._gone(source, tables, names)
            with reading(self.audit) as connection:
                known = comparing.audited(connection, self.opener, source, dict.fromkeys(gone))
            for entity, item in known.items():
                if item.sequence is not None:
                    facts = (item.sequence, item.event_id, item.at, item.by, item.case)
                    run.note(Finding(source, entity, "vanished", {}, *facts))
            self._keep(run, ["vanished", source, "", after])

    def _gone(self, source: str, tables: Mapping[str, str], names: list[str]) -> list[str]:
        gone: list[str] = []
        by_kind: dict[str, list[str]] = {}
        for entity in names:
            kind, _, own = entity.partition(":")
            if kind in tables:
                by_kind.setdefault(kind, []).append(own)
        with reading(self.engines[source]) as connection:
            for kind, ids in by_kind.items():
                there = comparing.there(connection, tables[kind], ids)
                gone += [f"{kind}:{own}" for own in ids if own not in there]
        return gone

    def _kinds(self, source: str) -> dict[str, str]:
        with reading(self.engines[source]) as connection:
            return comparing.kinds(connection, source)

    def _after(self, run: Comparison, *step: str) -> str:
        return run.place[3] if tuple(run.place[:3]) == step else ""

    def _keep(self, run: Comparison, place: list[str]) -> None:
        run.place = place
        with self.audit.begin() as connection:
            facts = {name: getattr(run, name) for name in ("place", "rows", "waiting", "found", "findings")}
            comparing.keep(connection, run.id, **facts)
        self.say(" ".join(place[1:3]).strip(), run.rows)

    def _finish(self, run: Comparison, by: Actor) -> None:
        with UnitOfWork(self.audit, "audit", Context(actor=by), clock=self.clock) as uow:
            facts = {name: getattr(run, name) for name in ("rows", "waiting", "found", "findings")}
            comparing.keep(uow.connection, run.id, finished_at=uow.now(), **facts)
            for item in run.findings[:TOLD]:
                event = ChangeFound(
                    of=item["source"],
                    about=item["entity"],
                    nature=item["nature"],
                    fields=sorted(item["fields"]),
                    audited_sequence=item["sequence"],
                    row_version=item["version"],
                )
                about = f"change:{item['source']}/{item['entity']}"[:160]
                uow.record(event, entity=about, case=item["case"], outcome="refused")
            counts = {"rows": run.rows, "waiting": run.waiting, "found": run.found, "ok": run.ok}
            done = ComparisonCompleted(comparison_id=str(run.id), **counts)
            uow.record(done, entity=f"comparison:{run.id}", outcome="success" if run.ok else "refused")
        OUTSIDE.set(run.found)
