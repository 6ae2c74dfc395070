"""JSON API of value-chain finance: the agreement of three, deliveries, deductions and transfers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.loans.api.chain_shapes import (
    Because,
    DeliveryState,
    Draft,
    Propose,
    ReceiptIn,
    ReportIn,
    ReportOut,
    Revise,
    Sign,
    TransferIn,
    TransferOut,
    TripartiteLine,
    TripartiteList,
    TripartiteOut,
)
from services.loans.api.shapes import Given
from services.loans.domain.tripartite import Tripartite
from services.loans.handlers import chain_view, deliveries, tripartite
from services.loans.handlers.chain_printing import agreement_pdf
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["value chains"])
READ = [allowed("loans.tripartite.read")]
DRAFT = [allowed("loans.tripartite.draft")]
SIGN = [allowed("loans.tripartite.sign")]
END = [allowed("loans.tripartite.end")]
ANSWER = [allowed("loans.delivery.answer")]
RECEIVE = [allowed("loans.delivery.receive")]
REPORT = [allowed("loans.delivery.report")]


def _out(uow: UnitOfWork, who: Identity, item: Tripartite) -> TripartiteOut:
    uow.flush()
    return TripartiteOut.of(chain_view.open_agreement(uow, who, item.id))


def seen_by(who: Identity) -> dict[str, Any]:
    """Return which agreements a person sees in lists: staff those of their programmes, others their own."""
    staff = {"officer", "programme_manager", "auditor"} & set(who.roles)
    return {"programmes": who.programmes} if staff else {"party": who.organisation or ""}


@router.get("/tripartite", dependencies=[allowed("loans.tripartite.list")])
def read_all(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> TripartiteList:
    page = chain.tripartite_rows(connection, **seen_by(who), cursor=cursor, limit=limit)
    names = set(TripartiteLine.model_fields) - {"reference"}
    items = [TripartiteLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return TripartiteList(items=items, next=page.next)


@router.post("/referrals/{reference}/tripartite", status_code=201, dependencies=DRAFT)
def draft(reference: str, given: Draft, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.draft(uow, who, reference, given.buyer, given.wanted()))


@router.get("/tripartite/{reference}", dependencies=READ)
def read(reference: str, who: Who, uow: Uow, cursor: str | None = None) -> TripartiteOut:
    return TripartiteOut.of(chain_view.open_agreement(uow, who, reference, cursor))


@router.get("/tripartite/{reference}/versions/{number}/document", dependencies=READ, response_class=Response)
def document(reference: str, number: int, who: Who, uow: Uow) -> Response:
    opened = chain_view.open_agreement(uow, who, reference)
    row = next((row for row in opened.texts if row.number == number), None)
    if row is None:
        raise NotFoundError("There is no such version of the agreement")
    headers = {"content-disposition": f'attachment; filename="{reference}-v{number}.pdf"', "cache-control": "no-store"}
    return Response(agreement_pdf(opened.item, row), media_type="application/pdf", headers=headers)


@router.post("/tripartite/{reference}/revision", dependencies=[allowed("loans.tripartite.write")])
def revise(reference: str, given: Revise, who: Who, uow: Uow) -> TripartiteOut:
    wanted = given.wanted()
    return _out(uow, who, tripartite.revise(uow, who, reference, wanted, given.why, version=given.version))


@router.post("/tripartite/{reference}/proposal", dependencies=DRAFT)
def propose(reference: str, given: Propose, who: Who, uow: Uow) -> TripartiteOut:
    words = (given.text_version, given.language)
    return _out(uow, who, tripartite.propose(uow, who, reference, *words, version=given.version))


@router.post("/tripartite/{reference}/signature", dependencies=SIGN)
def sign(reference: str, given: Sign, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.sign(uow, who, reference, given.sha256, version=given.version))


@router.post("/tripartite/{reference}/refusal", dependencies=SIGN)
def decline(reference: str, given: Because, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.decline(uow, who, reference, given.why, version=given.version))


@router.post("/tripartite/{reference}/withdrawal", dependencies=DRAFT)
def withdraw(reference: str, given: Given, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.withdraw(uow, who, reference, version=given.version))


@router.post("/tripartite/{reference}/notice", dependencies=END)
def give_notice(reference: str, given: Because, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.give_notice(uow, who, reference, given.why, version=given.version))


@router.post("/tripartite/{reference}/breach", dependencies=END)
def declare_breach(reference: str, given: Because, who: Who, uow: Uow) -> TripartiteOut:
    return _out(uow, who, tripartite.declare_breach(uow, who, reference, given.why, version=given.version))


@router.post("/deliveries", status_code=201, dependencies=REPORT)
def report(given: ReportIn, who: Who, uow: Uow, response: Response) -> ReportOut:
    if given.dry_run:
        out = ReportOut.of(deliveries.check(uow, who, list(given.rows)), dry_run=True)
        uow.abandon()
        response.status_code = 200
        return out
    found = deliveries.report(uow, who, list(given.rows), result=given.result)
    response.status_code = 201 if found.new else 200
    return ReportOut.of(found, dry_run=False)


@router.post("/tripartite/{reference}/deliveries/{delivery}/confirmation", dependencies=ANSWER)
def confirm(reference: str, delivery: str, who: Who, uow: Uow) -> DeliveryState:
    return DeliveryState.of(deliveries.confirm(uow, who, reference, delivery))


@router.post("/tripartite/{reference}/deliveries/{delivery}/dispute", dependencies=ANSWER)
def dispute(reference: str, delivery: str, given: Because, who: Who, uow: Uow) -> DeliveryState:
    return DeliveryState.of(deliveries.dispute(uow, who, reference, delivery, given.why))


@router.post("/tripartite/{reference}/deliveries/{delivery}/removal", dependencies=ANSWER)
def take_back(reference: str, delivery: str, who: Who, uow: Uow) -> DeliveryState:
    return DeliveryState.of(deliveries.take_back(uow, who, reference, delivery))


TRANSFER = [allowed("loans.delivery.transfer")]


@router.post("/tripartite/{reference}/transfers", status_code=201, dependencies=TRANSFER)
def transfer(reference: str, given: TransferIn, who: Who, uow: Uow) -> TransferOut:
    item = deliveries.transfer(uow, who, reference, given.deliveries, given.on, given.payment)
    uow.flush()
    return TransferOut.made(item)


@router.post("/tripartite/{reference}/transfers/{number}/receipt", dependencies=RECEIVE)
def receive(reference: str, number: str, given: ReceiptIn, who: Who, uow: Uow) -> TransferOut:
    item = deliveries.receive(uow, who, reference, number, given.on, version=given.version)
    uow.flush()
    return TransferOut.made(item)


@router.post("/tripartite/{reference}/transfers/{number}/refusal", dependencies=RECEIVE)
def refuse(reference: str, number: str, given: Because, who: Who, uow: Uow) -> TransferOut:
    item = deliveries.refuse(uow, who, reference, number, given.why, version=given.version)
    uow.flush()
    return TransferOut.made(item)
