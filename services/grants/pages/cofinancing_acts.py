"""What people do on the page of a co-financing: each form is one act, or is shown again with what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import Response

from services.grants.api.applications import file_answer, store
from services.grants.handlers import cofinancing as act
from services.grants.pages import cofinancing_forms as forms
from services.grants.pages.cofinancing import STAY, case_page, seen
from services.grants.pages.cofinancing_forms import Posted, parsed
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/cofinancing", include_in_schema=False)
CONTRIBUTE = [STAY, allowed("grants.cofinancing.contribute")]


@contextmanager
def named(**fields: str) -> Iterator[None]:
    """Say what is wrong by the names of this page's fields, where several forms stand on one page."""
    try:
        yield
    except InvalidError as error:
        raise InvalidError({fields.get(name, name): rule for name, rule in error.fields.items()}) from error


def _act(  # noqa: PLR0917 - what every route has
    request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: dict[str, str], do: Callable[[], Any]
) -> Response:
    """Do it and show the case, or show the form again with what is wrong in it."""
    try:
        do()
    except InvalidError as error:
        uow.abandon()
        case = act.look_at(uow.connection, who, reference)
        return case_page(request, uow, who, case, errors=error.fields, given=posted, sent_to=request.scope["path"])
    return seen(reference)


@router.post("/{reference}/concept", dependencies=[STAY, allowed("grants.cofinancing.write")])
def save(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ConceptForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        act.save_concept(uow, who, reference, form.version, forms.concept(form, currency))

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/terms", dependencies=[STAY, allowed("grants.cofinancing.draw")])
def draw(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.TermsForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        total, in_kind = forms.money("total", form.total, currency), forms.money("in_kind", form.in_kind, currency)
        grant = None if form.grant is None else forms.money("grant", form.grant, currency)
        act.draw_terms(uow, who, reference, form.version, total=total, in_kind=in_kind, grant=grant)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/moves", dependencies=[STAY, allowed("grants.cofinancing.move")])
def move(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.MoveForm, posted)
        words = {"reason": form.reason, "comment": form.comment}
        act.move(uow, who, reference, form.version, form.transition, **words)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions", dependencies=CONTRIBUTE)
def enter(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ContributionForm, posted)
        act.enter(uow, who, reference, form.version, form.command())

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions/{number}/evidence", dependencies=CONTRIBUTE)
def evidence(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    reference: str,
    number: int,
    posted: Posted,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
) -> Response:
    def do() -> None:
        form = parsed(forms.FileForm, posted)
        about: dict[str, Any] = {"number": number, "kind": form.kind, "name": file.filename or "", "content": file.file}
        act.add_evidence(uow, who, reference, form.version, store(request), **about)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions/{number}/decision", dependencies=[STAY, allowed("grants.cofinancing.verify")])
def decide(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.ContributionDecisionForm, posted)
        said = {"note": form.note, "code": form.code}
        act.decide(uow, who, reference, form.version, number, good=form.verdict == "good", **said)

    return _act(request, uow, who, reference, posted, do)


MARKET = [STAY, allowed("grants.cofinancing.approve-market-value")]


@router.post("/{reference}/contributions/{number}/market-value", dependencies=MARKET)
def market_value(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.ReasonForm, posted)
        act.approve_market_value(uow, who, reference, form.version, number, note=form.note)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions/{number}/reversal", dependencies=[STAY, allowed("grants.cofinancing.verify")])
def reverse(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.ReasonForm, posted)
        act.reverse(uow, who, reference, form.version, number, note=form.note)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/refunds", dependencies=[STAY, allowed("grants.cofinancing.refund")])
def refund(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.RefundForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        about: dict[str, Any] = {
            "amount": forms.money("refund", form.refund, currency),
            "day": form.paid_on,
            "payment": form.payment,
        }
        with named(amount="refund"):
            act.record_refund(uow, who, reference, form.version, **about)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/loans", dependencies=[STAY, allowed("grants.cofinancing.record-loan")])
def loan(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.LoanForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        about: dict[str, Any] = {
            "lender": form.lender,
            "amount": forms.money("lent", form.lent, currency),
            "day": form.lent_on,
        }
        with named(amount="lent", given_on="lent_on"):
            act.record_loan(uow, who, reference, form.version, **about)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/releases", dependencies=[STAY, allowed("grants.cofinancing.request-release")])
def ask(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ReleaseForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        act.request_release(uow, who, reference, form.version, forms.money("amount", form.amount, currency))

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/releases/{number}/decision", dependencies=[STAY, allowed("grants.cofinancing.release")])
def settle(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.DecisionForm, posted)
        act.settle_release(uow, who, reference, form.version, number, good=form.verdict == "good", note=form.note)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/recusals", dependencies=[STAY, allowed(act.STEP_BACK)])
def step_back(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.RecusalForm, posted)
        act.step_back(uow, who, reference, form.version, form.nature)

    return _act(request, uow, who, reference, posted, do)


@router.get("/{reference}/documents/{document_id}", dependencies=[allowed("grants.cofinancing.read")])
def download(request: Request, reference: str, document_id: str, who: Who, uow: Uow) -> Response:
    return file_answer(*act.read_evidence(uow, who, reference, document_id, store(request)))
