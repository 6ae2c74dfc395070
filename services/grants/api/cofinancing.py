"""JSON: co-financing with lead firms. `version` in every act is that of the case one decided on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from pydantic import Field

from services.grants.api.applications import file_answer, store
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.match import leverage
from services.grants.handlers import cofinancing as act
from services.grants.handlers.base import Command
from shared.database import UnitOfWork
from shared.money import Money
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.paging import MAX_LIMIT

router = APIRouter(prefix="/api/cofinancing", tags=["co-financing"])
Version = Annotated[int, Field(ge=0)]


class Start(act.Concept):
    """A concept and the programme it is proposed to."""

    programme: str = Field(max_length=80)


class Save(act.Concept):
    """A concept as it now reads."""

    version: Version


class Draw(Command):
    """The project's total cost and what of the firm's share is in kind; `grant` when less than the most is agreed."""

    version: Version
    total: Money
    in_kind: Money
    grant: Money | None = None


class MoveCase(Command):
    """A move of the workflow."""

    version: Version
    transition: str = Field(max_length=60)
    reason: str | None = Field(default=None, max_length=2000)
    comment: str | None = Field(default=None, max_length=2000)


class Enter(act.EnterContribution):
    """A contribution."""

    version: Version


class Decide(Command):
    """A decision about a contribution or a release; `note` is the reason when it is not good."""

    version: Version
    good: bool
    note: str = Field(default="", max_length=2000)


class DecideContribution(Decide):
    """A decision about a contribution; `code` is the rule by which a refused cost is not eligible."""

    code: str = Field(default="", max_length=60)


class Reasoned(Command):
    """An act that needs a reason and nothing else."""

    version: Version
    note: str = Field(max_length=2000)


class StepBack(Command):
    """A conflict of interest, declared by staff."""

    version: Version
    nature: str = Field(max_length=2000)


class Refunded(Command):
    """What the firm paid back, when, and the reference of the payment."""

    version: Version
    amount: Money
    day: date
    payment: str = Field(max_length=120)


class Lent(Command):
    """A bank's loan that came beside the co-financing."""

    version: Version
    lender: str = Field(max_length=200)
    amount: Money
    day: date


class AskRelease(Command):
    """A matched release."""

    version: Version
    amount: Money


STANDING = (
    *("cash", "in_kind", "creditable", "match", "earned", "planned", "allowed", "held", "released", "requested"),
    *("free", "refunded", "reduction", "overpaid", "evidenced", "required"),
)


def _said(ratio: Decimal | None) -> str | None:
    return None if ratio is None else str(ratio)


def view(uow: UnitOfWork, who: Identity, case: CoFinancing) -> dict[str, Any]:
    """Return a case with how its match stands and the moves that `who` has; the firm sees no staff history."""
    uow.flush()  # so that the answer carries the version that the next act must name
    moves = [
        {
            "id": move.id,
            "name": move.transition.name,
            "to": move.transition.to,
            "asks": move.asks,
            "allowed": move.allowed,
            "blocked_by": move.blocked_by,
            "blockers": [one.as_dict() for one in move.blocked_by],
        }
        for move in act.moves_for(uow.connection, who, case)
    ]
    position = case.position(act.today_of(uow, case))
    standing: dict[str, str | None] = {name: str(getattr(position, name)) for name in STANDING}
    with_banks = leverage(position.match + case.mobilised(), position.out)
    standing |= {"mobilised_by_banks": str(case.mobilised())}
    standing |= {"leverage": _said(leverage(position.match, position.out)), "leverage_with_banks": _said(with_banks)}
    hidden: dict[str, Any] = {"id": True}
    if set(who.roles) <= {"applicant"}:
        hidden |= {"history": True, "contributions": {"__all__": {"alike"}}}
    shown = case.model_dump(mode="json", exclude=hidden)
    return shown | {"reference": case.id, "position": standing, "moves": moves}


@router.get("", dependencies=[allowed("grants.cofinancing.list")])
def listed(
    who: Who,
    connection: Reader,
    stage: Annotated[str, Query(max_length=60)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> dict[str, Any]:
    """Return the cases that one may see, by due day."""
    page = act.listed_for(connection, who, stage=stage, cursor=cursor, limit=limit)
    return {"items": [act.row_view(row) for row in page.items], "next": page.next}


@router.post("", status_code=201, dependencies=[allowed("grants.cofinancing.start")])
def start(command: Start, who: Who, uow: Uow) -> dict[str, Any]:
    """Begin a concept for one's own firm."""
    concept = act.Concept(**command.model_dump(exclude={"programme"}))
    return view(uow, who, act.start_concept(uow, who, command.programme, concept))


@router.get("/rules/{programme}", dependencies=[allowed("grants.cofinancing.list")])
def rules(programme: str, connection: Reader) -> dict[str, Any]:
    """Return a programme's co-financing rules."""
    return act.rules_of(connection, programme)[1]


@router.get("/{reference}", dependencies=[allowed("grants.cofinancing.read")])
def read(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return a case."""
    return view(uow, who, act.look_at(uow.connection, who, reference))


@router.put("/{reference}/concept", dependencies=[allowed("grants.cofinancing.write")])
def save(reference: str, command: Save, who: Who, uow: Uow) -> dict[str, Any]:
    """Change a concept that is not sent."""
    concept = act.Concept(**command.model_dump(exclude={"version"}))
    return view(uow, who, act.save_concept(uow, who, reference, command.version, concept))


@router.post("/{reference}/terms", dependencies=[allowed("grants.cofinancing.draw")])
def draw(reference: str, command: Draw, who: Who, uow: Uow) -> dict[str, Any]:
    """Settle the shares of the agreement."""
    shares: dict[str, Any] = {"total": command.total, "in_kind": command.in_kind, "grant": command.grant}
    return view(uow, who, act.draw_terms(uow, who, reference, command.version, **shares))


@router.post("/{reference}/moves", dependencies=[allowed("grants.cofinancing.move")])
def move(reference: str, command: MoveCase, who: Who, uow: Uow) -> dict[str, Any]:
    """Make a move of the workflow; 409 names the legal ones."""
    words = {"reason": command.reason, "comment": command.comment}
    return view(uow, who, act.move(uow, who, reference, command.version, command.transition, **words))


@router.post("/{reference}/contributions", status_code=201, dependencies=[allowed("grants.cofinancing.contribute")])
def enter(reference: str, command: Enter, who: Who, uow: Uow) -> dict[str, Any]:
    """Enter what the firm paid or gave."""
    contribution = act.EnterContribution(**command.model_dump(exclude={"version"}))
    return view(uow, who, act.enter(uow, who, reference, command.version, contribution))


@router.post(
    "/{reference}/contributions/{number}/evidence",
    status_code=201,
    dependencies=[allowed("grants.cofinancing.contribute")],
)
def evidence(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    reference: str,
    number: int,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=60)],
    version: Annotated[int, Form()],
) -> dict[str, Any]:
    """Put a document behind a contribution (multipart)."""
    name = file.filename or ""
    case = act.add_evidence(
        uow, who, reference, version, store(request), number=number, kind=kind, name=name, content=file.file
    )
    return view(uow, who, case)


@router.post("/{reference}/contributions/{number}/decision", dependencies=[allowed("grants.cofinancing.verify")])
def decide(reference: str, number: int, command: DecideContribution, who: Who, uow: Uow) -> dict[str, Any]:
    """Verify a contribution or refuse it."""
    said = {"note": command.note, "code": command.code}
    return view(uow, who, act.decide(uow, who, reference, command.version, number, good=command.good, **said))


@router.post(
    "/{reference}/contributions/{number}/market-value",
    dependencies=[allowed("grants.cofinancing.approve-market-value")],
)
def market_value(reference: str, number: int, command: Reasoned, who: Who, uow: Uow) -> dict[str, Any]:
    """Let property count at its market value above its book value."""
    case = act.approve_market_value(uow, who, reference, command.version, number, note=command.note)
    return view(uow, who, case)


@router.post("/{reference}/contributions/{number}/reversal", dependencies=[allowed("grants.cofinancing.verify")])
def reverse(reference: str, number: int, command: Reasoned, who: Who, uow: Uow) -> dict[str, Any]:
    """Take back a verification because of what was found later."""
    return view(uow, who, act.reverse(uow, who, reference, command.version, number, note=command.note))


@router.post("/{reference}/refunds", status_code=201, dependencies=[allowed("grants.cofinancing.refund")])
def refund(reference: str, command: Refunded, who: Who, uow: Uow) -> dict[str, Any]:
    """Record what the firm paid back."""
    about: dict[str, Any] = {"amount": command.amount, "day": command.day, "payment": command.payment}
    return view(uow, who, act.record_refund(uow, who, reference, command.version, **about))


@router.post("/{reference}/loans", status_code=201, dependencies=[allowed("grants.cofinancing.record-loan")])
def loan(reference: str, command: Lent, who: Who, uow: Uow) -> dict[str, Any]:
    """Record a bank's loan that came beside the co-financing."""
    about: dict[str, Any] = {"lender": command.lender, "amount": command.amount, "day": command.day}
    return view(uow, who, act.record_loan(uow, who, reference, command.version, **about))


@router.post("/{reference}/releases", status_code=201, dependencies=[allowed("grants.cofinancing.request-release")])
def ask(reference: str, command: AskRelease, who: Who, uow: Uow) -> dict[str, Any]:
    """Ask for a matched release; 409 "match-too-small" carries the arithmetic."""
    return view(uow, who, act.request_release(uow, who, reference, command.version, command.amount))


@router.post("/{reference}/releases/{number}/decision", dependencies=[allowed("grants.cofinancing.release")])
def settle(reference: str, number: int, command: Decide, who: Who, uow: Uow) -> dict[str, Any]:
    """Release what another person asked for, or refuse it."""
    case = act.settle_release(uow, who, reference, command.version, number, good=command.good, note=command.note)
    return view(uow, who, case)


@router.post("/{reference}/recusals", status_code=201, dependencies=[allowed(act.STEP_BACK)])
def step_back(reference: str, command: StepBack, who: Who, uow: Uow) -> dict[str, Any]:
    """Declare a conflict of interest: one decides nothing in this case from now on."""
    made = act.step_back(uow, who, reference, command.version, command.nature)
    uow.flush()
    return made.model_dump(mode="json")


@router.get("/{reference}/documents/{document_id}", dependencies=[allowed("grants.cofinancing.read")])
def download(request: Request, reference: str, document_id: str, who: Who, uow: Uow) -> Response:
    """Return a document's content, its hash checked; the read is recorded."""
    return file_answer(*act.read_evidence(uow, who, reference, document_id, store(request)))
