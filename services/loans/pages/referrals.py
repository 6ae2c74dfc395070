"""Pages of a referral: the bank's inbox and decision, the applicant's view of what became of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from services.loans import charts, storage
from services.loans.api.proposals import store
from services.loans.domain.disclosure import ALL_FIELDS
from services.loans.domain.referral import Referral, legal_moves
from services.loans.domain.sla import days_left
from services.loans.handlers import access, referrals
from services.loans.handlers.referrals import Opened
from services.loans.pages import forms, group_words, product_words, words
from services.loans.pages.editor import download
from services.loans.pages.proposals import seen
from services.loans.pages.values import Values
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Folder = Literal["", "turn", "overdue", "new", "analysis", "waiting", "offered", "disbursed", "declined", "closed"]
_SIDES = {"applicant": "applicant", "finance_partner": "bank"}


@router.get("/referrals", dependencies=[allowed("loans.referral.list")])
def inbox(
    *,
    request: Request,
    who: Who,
    connection: Reader,
    folder: Folder = "",
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: str | None = None,
) -> HTMLResponse:
    bank, today = who.organisation or "", access.local_day(request.app.state.clock())
    return render(
        request,
        "referrals.html",
        page=storage.referral_rows(connection, bank, today=today, folder=folder, q=q, cursor=cursor),
        counts=storage.inbox_counts(connection, bank, today),
        folders=words.FOLDERS,
        folder=folder,
        q=q,
        stages=words.STAGES,
        today=today,
    )


@router.get("/referrals/{reference}", dependencies=[allowed("loans.referral.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    opened = referrals.open_referral(uow, who, reference)
    item, side = opened.referral, _SIDES.get(opened.role, "nobody")
    own = [f"referral:{item.id}", *([f"loan:{item.loan}"] if item.loan else [])]
    letters_to = None if side == "nobody" else who.organisation
    letters = by_event(storage.letters(uow.connection, item.proposal, letters_to))
    left = days_left(access.today(uow), item.due, item.country) if item.due else item.days_left
    plans = storage.improvements_of(uow.connection, item.proposal) if side != "bank" and item.decline_reasons else []
    context = {"chosen": [], "done": "", "conflict": None, "group": opened.group, "gw": group_words} | more
    return render(
        request,
        "referral.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        referral=item,
        side=side,
        fields=opened.fields,
        field_count=(len(item.consent.fields) if item.consent else 0, len(ALL_FIELDS)),
        partner=opened.partner,
        rules=[(check.met, words.say(check.message, check.params)) for check in opened.rules],
        product_lines=product_words.findings(opened.match.findings, opened.finance, advise=side != "bank")
        if opened.match
        else [],
        product_match=opened.match,
        product_name=opened.terms.said(request.state.locale) if opened.terms else "",
        possible=legal_moves(item.stage, side),
        reasons=[(entry.code, entry.said(request.state.locale)) for entry in opened.finance.decline_reasons],
        purposes={entry.code: entry.said(request.state.locale) for entry in opened.finance.consent.purposes},
        left=left,
        again_of=_before(uow, item, side),
        improvement=next((plan.id for plan in plans if plan.referral == item.id), None),
        cover=_cover(request, opened),
        blocks=words.BLOCKS,
        written=_written(request, opened),
        stages=words.STAGES,
        lines=words.acts(storage.timeline(uow.connection, item.proposal, own, refused=side == "nobody"), letters),
        move_names=words.move_names(),
        today=access.today(uow),
        per_cent=lambda rate: f"{rate * 100:f}".rstrip("0").rstrip(".") or "0",
        **context,
    )


def _before(uow: UnitOfWork, item: Referral, side: str) -> str | None:
    """Return the declined referral that this one follows; a bank is never told what another bank decided."""
    if item.again_of is None or side != "bank":
        return item.again_of
    row = storage.standing(uow.connection, "referral", item.again_of)
    return item.again_of if row is not None and row.bank == item.bank else None


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    done = request.url.path.rsplit("/", 1)[-1]
    return _page(
        request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed, done=done
    )


STAY = stay(_stays)
DECIDE = [STAY, allowed("loans.referral.decide")]


def _written(request: Request, opened: Opened) -> dict[str, list[dict[str, Any]]]:
    """Return the disclosed blocks in words; documents have a card of their own."""
    currency, locale = opened.referral.amount.currency, request.state.locale
    values = Values(request.app.state.pages, opened.finance, currency, locale)
    return {name: values.block(name, shown) for name, shown in opened.fields.items() if name != "documents"}


def _cover(request: Request, opened: Opened) -> Any:
    covers = [None if cover is None else Decimal(cover) for cover in opened.fields.get("ratios", {}).get("dscr") or []]
    if not covers or opened.partner is None:
        return None
    floor = opened.partner.dscr_floor
    params = {"covers": ", ".join(str(cover) for cover in covers), "floor": floor}
    label = words.say("Debt service cover by year: %(covers)s; floor %(floor)s", params)
    return charts.cover_chart(
        covers, floor, label, words.say("Year"), words.say("floor"), request.app.state.pages.number
    )


@router.get("/referrals/{reference}/documents/{sha256}", dependencies=[allowed("loans.referral.document")])
def document(request: Request, reference: str, sha256: str, who: Who, uow: Uow) -> Response:
    found = referrals.open_document(uow, who, reference, sha256)
    return download(store(request).get(sha256), found["media_type"], found["name"])


Act = Callable[[], object]


def _do(*, request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: FormData, act: Act) -> Response:
    """Do one act and show the referral; a form with mistakes comes back with what was typed."""
    try:
        act()
    except InvalidError as error:
        given = forms.posted_values(posted)
        return _page(
            request,
            uow,
            who,
            reference,
            errors=error.fields,
            given=given,
            chosen=posted.getlist("reasons"),
            done=request.url.path.rsplit("/", 1)[-1],
        )
    return seen(f"/loans/referrals/{reference}")


def _version(posted: FormData) -> int:
    return forms.version_of(forms.posted_values(posted))


@router.post("/referrals/{reference}/acknowledge", dependencies=DECIDE)
def acknowledge(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    referrals.acknowledge(uow, who, reference, version=_version(posted))
    return seen(f"/loans/referrals/{reference}")


@router.post("/referrals/{reference}/analyse", dependencies=DECIDE)
def analyse(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    referrals.analyse(uow, who, reference, version=_version(posted))
    return seen(f"/loans/referrals/{reference}")


@router.post("/referrals/{reference}/ask", dependencies=DECIDE)
def ask(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(forms.SayForm, posted)
        referrals.ask(uow, who, reference, form.text, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/referrals/{reference}/answer", dependencies=[STAY, allowed("loans.referral.answer")])
def answer(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(forms.SayForm, posted)
        referrals.answer(uow, who, reference, form.text, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/referrals/{reference}/decline", dependencies=DECIDE)
def decline(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(forms.DeclineForm, posted)
        referrals.decline(uow, who, reference, list(form.reasons), form.note, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/referrals/{reference}/offer", dependencies=DECIDE)
def offer(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(forms.OfferForm, posted)
        terms = referrals.Terms.of(form)
        referrals.make_offer(uow, who, reference, terms, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/referrals/{reference}/counter", dependencies=[STAY, allowed("loans.referral.counter")])
def counter(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(forms.CounterForm, posted)
        referrals.counter(uow, who, reference, referrals.Wish.of(form), version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/referrals/{reference}/accept", dependencies=[STAY, allowed("loans.referral.accept")])
def accept(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    loan = referrals.accept(uow, who, reference, version=_version(posted))
    return seen(f"/loans/agreements/{loan.id}")


@router.post("/referrals/{reference}/turn-down", dependencies=[STAY, allowed("loans.referral.accept")])
def turn_down(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    referrals.turn_down(uow, who, reference, version=_version(posted))
    return seen(f"/loans/referrals/{reference}")


@router.post("/referrals/{reference}/withdraw", dependencies=[STAY, allowed("loans.referral.withdraw")])
def withdraw(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    referrals.withdraw(uow, who, reference, version=_version(posted))
    return seen(f"/loans/referrals/{reference}")


@router.post("/referrals/{reference}/revoke", dependencies=[STAY, allowed("loans.referral.withdraw")])
def revoke(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    referrals.revoke(uow, who, reference, version=_version(posted))
    return seen(f"/loans/referrals/{reference}")
