"""An act on many cases: planned by a dry run, started by who planned it, done row by row."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError, TamgaError
from shared.events.grants.bulk import BulkFinished, BulkStarted
from shared.money import Money
from shared.workflow import Sentence

MOST_ROWS = 5_000
Status = Literal["planned", "running", "finished", "discarded"]


class Sayable(Part):
    """A sentence as it is kept: a gettext id with its values, or the words themselves by language."""

    message: str
    params: dict[str, str] = {}
    names: dict[str, str] = {}
    code: str = ""


class Bulk(Entity):
    """An act on many cases; `who` is the identity of its owner, checked anew at each row.

    `act` is a move's id, "assign", or "recommendations" of the panel `panel`.
    """

    KIND: ClassVar[str] = "bulk"

    programme: str
    owner: str
    owner_name: str
    who: dict[str, Any]
    act: str
    query: str = ""
    panel: str | None = None
    total: int
    expected: int
    status: Status = "planned"
    planned_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    done: int = 0
    refused: int = 0

    @property
    def carried_out(self) -> bool:
        """Return whether nothing of it is left to be done: it runs, or every row followed."""
        return self.status == "running" or (self.status == "finished" and not self.refused)

    def programme_id(self) -> str:
        return self.programme

    def _facts(self) -> dict[str, Any]:
        return {
            "bulk_id": self.id,
            "programme": self.programme,
            "act": self.act,
            "query": self.query,
            "rows": self.total,
        }

    def _must_be(self, user: str) -> None:
        if user != self.owner:
            raise ForbiddenError("Only %(who)s, who planned it, can do this", who=self.owner_name)
        if self.status != "planned":
            raise ConflictError("This is %(status)s already", status=self.status)

    def start(self, user: str, now: datetime) -> None:
        """Let it be done; raises ForbiddenError for another person, ConflictError when it is no plan any more."""
        self._must_be(user)
        self.status, self.started_at = "running", now
        self.record(BulkStarted(**self._facts(), expected=self.expected))

    def discard(self, user: str) -> None:
        """Throw the plan away; nothing has happened."""
        self._must_be(user)
        self.status = "discarded"

    def finish(self, done: int, refused: int, now: datetime) -> None:
        """Note that every row was tried."""
        self.status, self.done, self.refused, self.finished_at = "finished", done, refused, now
        self.record(BulkFinished(**self._facts(), done=done, refused=refused))


def sayable(refusal: TamgaError) -> list[Sayable]:
    """Return why a row was refused, in sentences that can be said in the reader's language."""
    if isinstance(refusal, IllegalTransitionError) and refusal.why:
        return [_kept(why) for why in refusal.why]
    if isinstance(refusal, IllegalTransitionError):
        text = "This move does not leave the stage %(stage)s"
        return [Sayable(message=text, params={"stage": refusal.stage}, code="stage")]
    if isinstance(refusal, InvalidError):
        return [
            Sayable(
                message=getattr(rule, "message", str(rule)),
                params=_texts(getattr(rule, "params", {})),
                code=field,
            )
            for field, rule in refusal.fields.items()
        ]
    return [Sayable(message=refusal.message, params=_texts(refusal.params), code=refusal.type)]


def _kept(why: str) -> Sayable:
    if isinstance(why, Sentence):
        return Sayable(message=why.message, params=_texts(why.params), names=dict(why.names), code=why.code)
    return Sayable(message=str(why))


def _texts(params: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) if isinstance(value, Money) else f"{value}" for name, value in params.items()}
