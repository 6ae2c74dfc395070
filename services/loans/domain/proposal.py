"""A bankable proposal: drafted section by section, locked when it is ready, referred from its locked version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.loans.domain.blocks import BLOCKS, Block, Plan
from services.loans.domain.disclosure import content
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.readiness import Todo
from shared.entity import Entity, canonical_hash
from shared.errors import ConflictError, IllegalTransitionError
from shared.events.loans.proposal import (
    ProposalDocumentAdded,
    ProposalDocumentRemoved,
    ProposalReopened,
    ProposalSaved,
    ProposalSettled,
    ProposalStarted,
    ProposalSubmitted,
    ProposalSupportEnded,
)
from shared.events.loans.teaser import ProposalTeased

MAX_DOCUMENTS = 30


class NotReadyError(ConflictError):
    """The proposal is not ready; carries what is still to do."""

    type = "not-ready"
    title = "The proposal is not ready yet"

    def __init__(self, todos: list[Todo]) -> None:
        self.todos = todos
        super().__init__("%(count)s things are still to do before this proposal is ready", count=len(todos))

    def extras(self) -> dict[str, Any]:
        return {"todos": [{"code": todo.code, "block": todo.block, "why": todo.text()} for todo in self.todos]}


class Proposal(Entity):
    """What an MSME prepares for banks. Its content never stands in the record of changes."""

    KIND: ClassVar[str] = "proposal"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"plan", "documents"})

    programme: str
    organisation: str
    organisation_name: str
    supporter: str
    supporter_name: str
    support_ended_at: datetime | None = None  # from then on its adviser reads nothing
    currency: str
    stage: Literal["draft", "locked"] = "draft"
    profile: int = 0  # the firm's profile that it was filled in from: its newest entry then; 0 for none
    number: int = 0  # how often it was locked: the number of its newest locked version
    plan: Plan = Plan()
    documents: list[ProposalDocument] = []
    accepted_referral: str | None = None

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this proposal says."""
        return {
            "proposal_id": self.id,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "supporter_id": self.supporter,
            "supporter_name": self.supporter_name,
            "notify": list(notify),
        }

    def title(self) -> str:
        """Return what people call it: its title, or the organisation's name before there is one."""
        return self.plan.request.title or self.organisation_name

    def adviser(self) -> str | None:
        """Return the organisation that may read as the firm's adviser; none once the firm has ended it."""
        return None if self.support_ended_at else self.supporter

    def end_support(self, now: datetime) -> None:
        """End what its adviser may read and do; who it was stays on record."""
        if self.support_ended_at:
            raise IllegalTransitionError("end the adviser's access", "ended", [])
        self.support_ended_at = now
        self.record(ProposalSupportEnded(**self.facts()))

    def start(self) -> None:
        """Record that it was begun."""
        self.record(ProposalStarted(**self.facts()))

    def _draft(self, attempted: str) -> None:
        if self.stage != "draft":
            legal = ["refer"] if self.accepted_referral else ["refer", "reopen"]
            raise IllegalTransitionError(attempted, self.stage, legal)

    def save(self, section: str, block: Block) -> None:
        """Replace one section of a draft."""
        self._draft("save")
        self.plan = self.plan.model_copy(update={section: block})
        self.record(ProposalSaved(**self.facts(), section=section))

    def fill_in(self, blocks: dict[str, dict[str, Any]], number: int) -> None:
        """Take over what the firm's profile says as of its entry `number`; what it does not know stays as it is."""
        self._draft("save")
        self.profile = number
        for section, found in blocks.items():
            self.save(section, BLOCKS[section].model_validate(getattr(self.plan, section).model_dump() | found))

    def add_document(self, document: ProposalDocument) -> None:
        """Add a document, in the place of one with the same content."""
        self._draft("add a document")
        if len(self.documents) >= MAX_DOCUMENTS:
            raise ConflictError("A proposal has at most %(limit)s documents", limit=MAX_DOCUMENTS)
        others = [item for item in self.documents if item.sha256 != document.sha256]
        self.documents = [*others, document]
        facts = {"kind": document.kind, "sha256": document.sha256}
        self.record(ProposalDocumentAdded(**self.facts(), **facts, expires=document.expires))

    def remove_document(self, document: ProposalDocument) -> None:
        """Take a document out of the draft; locked versions keep it."""
        self._draft("remove a document")
        self.documents = [item for item in self.documents if item != document]
        self.record(ProposalDocumentRemoved(**self.facts(), kind=document.kind, sha256=document.sha256))

    def submit(self, todos: list[Todo]) -> dict[str, Any]:
        """Lock the next version and return its content; raises NotReadyError while anything is to do that must be."""
        self._draft("submit")
        if missing := [todo for todo in todos if todo.blocking]:
            raise NotReadyError(missing)
        self.stage, self.number = "locked", self.number + 1
        locked = content(self.plan, self.documents)
        facts = self.facts("officer")
        self.record(ProposalSubmitted(**facts, number=self.number, content_sha256=canonical_hash(locked)))
        return locked

    def reopen(self) -> None:
        """Allow changes again; banks keep seeing the version that was referred to them."""
        if self.stage != "locked":
            raise IllegalTransitionError("reopen", self.stage, ["save", "submit"])
        if self.accepted_referral:
            raise IllegalTransitionError("reopen", "accepted", [], ["An offer has been accepted"])
        self.stage = "draft"
        self.record(ProposalReopened(**self.facts(), number=self.number))

    def tease(self, teasers: list[str], banks: list[str], until: date, left_out: list[str]) -> None:
        """Record that banks may see an anonymised teaser of it."""
        self.record(ProposalTeased(**self.facts(), teasers=teasers, banks=banks, until=until, left_out=left_out))

    def require_locked(self) -> None:
        """Raise unless the present version may be referred to banks."""
        if self.stage != "locked":
            raise IllegalTransitionError("refer", self.stage, ["save", "submit"])
        if self.accepted_referral:
            raise ConflictError(
                "An offer for this proposal has been accepted already: %(id)s", id=self.accepted_referral
            )

    def settle(self, referral: str) -> None:
        """Remember the one accepted offer; raises ConflictError when there is one already."""
        if self.accepted_referral:
            raise ConflictError(
                "An offer for this proposal has been accepted already: %(id)s", id=self.accepted_referral
            )
        self.accepted_referral = referral
        self.record(ProposalSettled(**self.facts(), referral_id=referral))
