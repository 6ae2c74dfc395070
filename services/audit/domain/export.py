"""An export of what a search of the log shows: who asked for it and what for, how far it is, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from shared.entity import Entity
from shared.errors import InvalidError, Rule
from shared.events.audit import ExportCompleted, ExportFailed, ExportRequested

FORMATS = ("csv", "xlsx", "jsonl", "pdf", "bundle")
DOSSIER = "dossier"  # of one case: its proof bundle with the checklist of what is missing
SUFFIX = {"bundle": "zip", DOSSIER: "zip"}
MAX_PURPOSE = 500


class Export(Entity):
    """One export. What was looked for may name people; on record is what the search itself puts there."""

    KIND = "export"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"search"})

    search: str
    filters: dict[str, str]
    format: str
    purpose: str
    locale: str
    by: str
    by_name: str
    leaves: int  # of the log when it was asked for: what came later is not in it
    asked_at: datetime
    stage: str = "running"  # running | ready | failed
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    problem: str = ""
    finished_at: datetime | None = None

    @classmethod
    def ask(cls, **facts: Any) -> Export:
        """Return a new one; raises InvalidError that names the field and its rule."""
        purpose = str(facts["purpose"]).strip()
        if facts["format"] not in {*FORMATS, DOSSIER}:
            raise InvalidError({"format": Rule("must be one of: %(names)s", names=", ".join(FORMATS))})
        if facts["format"] == DOSSIER and facts["filters"].keys() != {"case"}:
            raise InvalidError({"format": "a dossier is of one case: search for it alone, as case:REFERENCE"})
        if not purpose:
            raise InvalidError({"purpose": "is required"})
        if len(purpose) > MAX_PURPOSE:
            raise InvalidError({"purpose": "is too long"})
        made = cls(**(facts | {"purpose": purpose}))
        made.record(ExportRequested(**made._facts()))
        return made

    def _facts(self) -> dict[str, Any]:
        names = ("filters", "format", "purpose", "leaves")
        return {"export_id": self.id} | {name: getattr(self, name) for name in names}

    @property
    def file(self) -> str:
        """The name under which it is given away."""
        return f"tamga-audit-{self.asked_at:%Y%m%d-%H%M}-{self.id[-6:]}.{SUFFIX.get(self.format, self.format)}"

    def finish(self, *, rows: int, size: int, sha256: str, now: datetime) -> None:
        """Say that the file is there."""
        self.stage, self.rows, self.bytes, self.sha256, self.finished_at = "ready", rows, size, sha256, now
        self.record(ExportCompleted(**self._facts(), rows=rows, bytes=size, sha256=sha256))

    def fail(self, problem: str, now: datetime) -> None:
        """Say that there will be no file, and why."""
        self.stage, self.problem, self.finished_at = "failed", problem, now
        self.record(ExportFailed(**self._facts(), problem=problem))
