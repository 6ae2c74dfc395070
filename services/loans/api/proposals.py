"""JSON API of proposals: every act of the MSME's pages."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import TypeAdapter

from services.loans import storage
from services.loans.api.shapes import (
    Agree,
    Given,
    PartnerOut,
    ProposalLine,
    ProposalList,
    ProposalOut,
    ReadinessOut,
    ReferralOut,
    Section,
    Start,
    SupporterOut,
)
from services.loans.domain.report import report
from services.loans.handlers import access, proposals, referrals
from shared.documents import DocumentStore
from shared.events.fields import Line
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["proposals"])
_JSON: TypeAdapter[Any] = TypeAdapter(Any)
Limit = Annotated[int, Query(ge=1, le=200)]


def store(request: Request) -> DocumentStore:
    """Return the document store of this installation."""
    settings = request.app.state.settings
    return DocumentStore(settings.documents_folder, clamd=settings.clamd)


@router.get("/supporters", dependencies=[allowed("loans.supporter.list")])
def supporters(who: Who, connection: Reader) -> list[SupporterOut]:
    rows = storage.supporters(connection, who.programmes)
    return [SupporterOut.model_validate(row, from_attributes=True) for row in rows]


@router.get("/partners", dependencies=[allowed("loans.partner.list")])
def partners(who: Who, connection: Reader) -> list[PartnerOut]:
    found = [storage.finance_of(connection, programme) for programme in who.programmes]
    return [
        PartnerOut.model_validate(item, from_attributes=True) for pack in found if pack for item in pack[0].partners
    ]


@router.get("/proposals", dependencies=[allowed("loans.proposal.mine")])
def mine(who: Who, connection: Reader, cursor: str | None = None, limit: Limit = 50) -> ProposalList:
    page = storage.proposal_rows(connection, organisation=who.organisation or "", cursor=cursor, limit=limit)
    names = set(ProposalLine.model_fields) - {"reference"}
    items = [ProposalLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return ProposalList(items=items, next=page.next)


@router.post("/proposals", status_code=201, dependencies=[allowed("loans.proposal.start")])
def start(given: Start, who: Who, uow: Uow) -> ProposalOut:
    proposal = proposals.start(uow, who, given.supporter, given.title)
    uow.flush()
    return ProposalOut.of(proposal)


@router.get("/proposals/{reference}", dependencies=[allowed("loans.proposal.read")])
def read(reference: str, who: Who, uow: Uow) -> ProposalOut:
    return ProposalOut.of(proposals.open_proposal(uow, who, reference))


@router.put("/proposals/{reference}/sections/{section}", dependencies=[allowed("loans.proposal.write")])
def save(reference: str, section: str, given: Section, who: Who, uow: Uow) -> ProposalOut:
    proposal = proposals.save_section(uow, who, reference, section, given.data, version=given.version)
    uow.flush()
    return ProposalOut.of(proposal)


@router.post("/proposals/{reference}/documents", status_code=201, dependencies=[allowed("loans.proposal.write")])
def add_document(
    *,
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    kind: Annotated[Line, Form()],
    file: Annotated[UploadFile, File()],
    issued: Annotated[date | None, Form()] = None,
    expires: Annotated[date | None, Form()] = None,
) -> ProposalOut:
    access.scoped(uow, who, "proposal", reference, "loans.proposal.write")
    stored = store(request).put(file.filename or "", file.file)
    proposal = proposals.add_document(uow, who, reference, kind, stored, issued=issued, expires=expires)
    uow.flush()
    return ProposalOut.of(proposal)


@router.delete("/proposals/{reference}/documents/{sha256}", dependencies=[allowed("loans.proposal.write")])
def remove_document(reference: str, sha256: str, who: Who, uow: Uow) -> ProposalOut:
    proposal = proposals.remove_document(uow, who, reference, sha256)
    uow.flush()
    return ProposalOut.of(proposal)


@router.get("/proposals/{reference}/readiness", dependencies=[allowed("loans.proposal.read")])
def readiness(reference: str, who: Who, uow: Uow) -> ReadinessOut:
    return ReadinessOut.of(proposals.assess(uow, proposals.open_proposal(uow, who, reference)))


@router.get("/proposals/{reference}/ratios", dependencies=[allowed("loans.proposal.read")])
def figures(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    found = proposals.assess(uow, proposals.open_proposal(uow, who, reference)).figures
    plain: dict[str, Any] = _JSON.dump_python(asdict(found), mode="json")
    return plain


@router.get("/proposals/{reference}/report", dependencies=[allowed("loans.proposal.read")])
def report_of(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return every figure with its formula, its unit and what is missing, and the stresses."""
    proposal = proposals.open_proposal(uow, who, reference)
    return report(proposal.plan, proposal.currency)


@router.post("/proposals/{reference}/submission", dependencies=[allowed("loans.proposal.submit")])
def submit(reference: str, given: Given, who: Who, uow: Uow) -> ProposalOut:
    proposal = proposals.submit(uow, who, reference, version=given.version)
    uow.flush()
    return ProposalOut.of(proposal)


@router.post("/proposals/{reference}/reopening", dependencies=[allowed("loans.proposal.submit")])
def reopen(reference: str, given: Given, who: Who, uow: Uow) -> ProposalOut:
    proposal = proposals.reopen(uow, who, reference, version=given.version)
    uow.flush()
    return ProposalOut.of(proposal)


@router.post("/proposals/{reference}/referrals", status_code=201, dependencies=[allowed("loans.proposal.refer")])
def refer(reference: str, given: Agree, who: Who, uow: Uow) -> ReferralOut:
    agreement = proposals.Agreement(**given.model_dump(exclude={"version"}))
    referral = proposals.refer(uow, who, reference, agreement, version=given.version)
    uow.flush()
    return ReferralOut.of(referrals.open_referral(uow, who, referral.id, "api"))


@router.get("/proposals/{reference}/referrals", dependencies=[allowed("loans.proposal.offers")])
def referrals_of(reference: str, who: Who, uow: Uow) -> list[ReferralOut]:
    access.scoped(uow, who, "proposal", reference, "loans.proposal.offers")
    return [
        ReferralOut.of(referrals.open_referral(uow, who, item, "api"))
        for item in storage.referrals_of(uow.connection, reference)
    ]
