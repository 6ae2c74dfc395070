"""Pages of an agreement of three: the list, the text with its form, the picture, signatures, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.loans import chain_chart, storage
from services.loans.api.chain_shapes import Draft, Revise, WantedIn
from services.loans.api.tripartite import seen_by
from services.loans.chain_chart import Flow
from services.loans.domain.chain_terms import CONSENT_TEXT, CONSENT_VERSION, MAX_LOANS, ChainTerms
from services.loans.handlers import access, chain_view, tripartite
from services.loans.handlers.chain_printing import rule_in_words
from services.loans.handlers.chain_view import Opened
from services.loans.pages import chain_words, forms, words
from services.loans.pages.proposals import seen
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
DRAFT = [allowed("loans.tripartite.draft")]
SPARE = 2  # empty rows for goods below those that are there
MAX_ROWS = 20


@router.get("/tripartite", dependencies=[allowed("loans.tripartite.list")])
def read_all(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    page = chain.tripartite_rows(connection, **seen_by(who), cursor=cursor)
    lead = who.organisation in dict(chain.firms(connection, "lead_firm"))
    return render(request, "tripartites.html", page=page, stages=chain_words.STAGES, lead=lead)


# --- the text ----------------------------------------------------------------------


@router.get("/referrals/{reference}/tripartite", dependencies=DRAFT)
def new(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _form_of_new(request, uow, who, reference)


def _form_of_new(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    access.scoped(uow, who, "referral", reference, "loans.tripartite.draft")
    row = chain.referral_rows_of(uow.connection, [reference])[reference]
    day = access.today(uow)
    values = {
        "season_from": day.isoformat(),
        "kind": "share",
        "figure": "30",
        "ahead_days": "31",
        "notice_days": "30",
        "objection_days": "5",
        "place-1": reference,
    }
    context: dict[str, Any] = {
        "item": None,
        "action": f"/loans/referrals/{reference}/tripartite",
        "back": f"/loans/referrals/{reference}",
        "buyers": chain.firms(uow.connection, "lead_firm"),
        "currency": row.currency,
        "side": "supplier",
        "bank_name": row.bank_name,
    }
    return _form(request, uow, (row.organisation, row.bank), values, context | more)


def _form(
    request: Request, uow: UnitOfWork, pair: tuple[str, str], values: dict[str, str], context: dict[str, Any]
) -> HTMLResponse:
    """Show the form of the terms; what was typed stands before what is stored."""
    given = context.pop("given", None) or values
    candidates = chain.referrals_between(uow.connection, *pair, tripartite.DRAWABLE)
    typed = [name.split("-")[1] for name, value in given.items() if name.startswith("goods-") and value]
    filled = {int(place) for place in typed if place.isdigit()}
    rows = min(max(filled, default=-1) + 1 + SPARE, MAX_ROWS)
    return render(
        request,
        "tripartite_form.html",
        status_code=422 if "errors" in context else 409 if context.get("conflict") else 200,
        values=given,
        rows=range(rows),
        referrals=[(row.id, f"{row.id} · {row.title}") for row in candidates],
        orders=range(1, min(len(candidates), MAX_LOANS) + 1),
        prices=[(name, words.say(said)) for name, said in chain_words.PRICES.items()],
        kinds=[(name, words.say(said)) for name, said in chain_words.KINDS.items()],
        labels=_labels(context.get("errors", {})),
        **({"conflict": None} | context),
    )


def _labels(errors: dict[str, str]) -> dict[str, str]:
    return {name: words.say(chain_words.FIELDS.get(name.rsplit("-", 1)[-1], name)) for name in errors}


def _terms(values: dict[str, str], model: type[WantedIn], referrals: list[str] | None = None) -> Any:
    """Return what the form says; raises InvalidError by the form's own names."""
    places = [name for name in values if name.startswith("place-")]
    chosen = [values[name] for name in sorted(places) if values[name]]
    data = forms.block_data({name: value for name, value in values.items() if name not in places})
    data["referrals"] = chosen if referrals is None else referrals
    if "version" in values:
        data["version"] = forms.version_of(values)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = invalid(error).fields
        raise InvalidError({name.replace(".", "-"): rule for name, rule in fields.items()}) from error


def _new_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    reference = request.path_params["reference"]
    return _form_of_new(request, uow, who, reference, conflict=problem, given=request.state.typed)


@router.post("/referrals/{reference}/tripartite", dependencies=[stay(_new_stays), *DRAFT])
def draft(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        given: Draft = _terms(values, Draft)
        item = tripartite.draft(uow, who, reference, given.buyer, given.wanted())
    except InvalidError as error:
        uow.abandon()
        return _form_of_new(request, uow, who, reference, errors=error.fields, given=values)
    return seen(f"/loans/tripartite/{item.id}")


WRITE = [allowed("loans.tripartite.write")]


@router.get("/tripartite/{reference}/text", dependencies=WRITE)
def text(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _form_of_text(request, uow, who, reference)


def _form_of_text(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    side = tripartite.side_of(uow, who, reference, "loans.tripartite.write", "supplier", "buyer", "bank")
    item = chain.tripartites(uow).get(reference, for_update=False)
    context: dict[str, Any] = {
        "item": item,
        "action": f"/loans/tripartite/{reference}/text",
        "back": f"/loans/tripartite/{reference}",
        "buyers": [],
        "currency": item.terms.currency,
        "side": side,
        "bank_name": item.bank_name,
    }
    return _form(request, uow, (item.organisation, item.bank), _values(item.terms), context | more)


def _values(terms: ChainTerms) -> dict[str, str]:
    data = terms.model_dump(mode="json")
    plain = {name: str(data[name]) for name in ("season_from", "season_to", "notice_days", "objection_days")}
    rule = {name: str(value) for name, value in data["deduction"].items()}
    places = {f"place-{place}": name for place, name in enumerate(terms.referrals, 1)}
    return plain | rule | places | {"conditions": terms.conditions} | forms.flat({"goods": data["goods"]})


def _text_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _form_of_text(
        request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed
    )


@router.post("/tripartite/{reference}/text", dependencies=[stay(_text_stays), *WRITE])
def revise(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        side = tripartite.side_of(uow, who, reference, "loans.tripartite.write", "supplier", "buyer", "bank")
        row = chain.chain_standing(uow.connection, reference)  # not the entity: it is to be locked in its version
        given: Revise = _terms(values, Revise, row.referrals if side == "buyer" else None)
        tripartite.revise(uow, who, reference, given.wanted(), given.why, version=given.version)
    except InvalidError as error:
        uow.abandon()
        return _form_of_text(request, uow, who, reference, errors=error.fields, given=values)
    return seen(f"/loans/tripartite/{reference}")


# --- the agreement -----------------------------------------------------------------


@router.get("/tripartite/{reference}", dependencies=[allowed("loans.tripartite.read")])
def read(request: Request, reference: str, who: Who, uow: Uow, cursor: str | None = None) -> HTMLResponse:
    return page(request, uow, who, reference, cursor=cursor)


def page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    """Show an agreement as the reader may see it, after an act that was refused with what was typed."""
    opened = chain_view.open_agreement(uow, who, reference, more.pop("cursor", None))
    item, staff = opened.item, opened.side == "staff"
    letters = by_event(storage.letters(uow.connection, item.id, None if staff else who.organisation))
    return render(
        request,
        "tripartite.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        opened=opened,
        item=item,
        picture=_picture(request, opened),
        goods=[(good, opened.delivered.get(good.code), _bar(opened, good)) for good in item.terms.goods],
        rule=rule_in_words(item.terms, request.state.locale),
        consent_text=CONSENT_TEXT,
        consent_version=CONSENT_VERSION,
        lines=words.acts(storage.timeline(uow.connection, item.id, refused=staff), letters),
        today=access.today(uow),
        w=chain_words,
        loan_stages=words.STAGES,
        move_names={name: words.say(said) for name, said in chain_words.MOVES.items()},
        labels=_labels(more.get("errors", {})),
        **({"conflict": None, "done": ""} | more),
    )


def _bar(opened: Opened, good: Any) -> Any:
    delivered = opened.delivered.get(good.code, 0)
    tone = "var(--bad)" if good.code in opened.item.behind else "var(--accent)"
    figures = [f"{figure:,.3f}".rstrip("0").rstrip(".") for figure in (delivered, good.quantity)]
    params = {"delivered": figures[0], "agreed": figures[1], "unit": good.unit}
    label = words.say("%(delivered)s of %(agreed)s %(unit)s delivered", params)
    return chain_chart.bar(float(delivered / good.quantity), label, tone)


def _picture(request: Request, opened: Opened) -> Any:
    item, money = opened.item, request.app.state.pages.money
    roles = {side: (words.say(said), item.sides()[side]) for side, said in chain_words.SIDES.items()}
    trade = opened.trade
    flows = {
        "goods": Flow(words.say("Goods worth"), money(opened.total("value")) if trade else ""),
        "net": Flow(words.say("Paid out, net"), money(opened.total("net")) if trade else ""),
        "kept": Flow(words.say("Kept back"), money(opened.total("deduction"))),
        "lent": Flow(
            words.say("Loan"), "" if opened.side == "buyer" else words.say("%(n)s due", {"n": money(opened.due)})
        ),
    }
    said = "; ".join(f"{flow.word}: {flow.sum}" for flow in flows.values() if flow.sum)
    names = ", ".join(f"{role}: {name}" for role, name in roles.values())
    return chain_chart.triangle(roles, flows, f"{names}. {said}")


def stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    """Show the agreement with the conflict that an act ended in."""
    reference, done = request.path_params["reference"], request.url.path.rsplit("/", 1)[-1]
    return page(request, uow, who, reference, conflict=problem, given=request.state.typed, done=done)


STAY = stay(stays)
SIGN = [STAY, allowed("loans.tripartite.sign")]
END = [STAY, allowed("loans.tripartite.end")]
Act = Callable[[], object]


def do(*, request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: FormData, act: Act) -> Response:
    """Do one act and show the agreement; a form with mistakes comes back as it was typed."""
    try:
        act()
    except InvalidError as error:
        uow.abandon()
        done = request.url.path.rsplit("/", 1)[-1]
        given = forms.posted_values(posted)
        return page(request, uow, who, reference, errors=error.fields, given=given, done=done)
    return seen(f"/loans/tripartite/{reference}")


def _version(posted: FormData) -> int:
    return forms.version_of(forms.posted_values(posted))


def _why(posted: FormData) -> str:
    return forms.posted_values(posted).get("why", "")[:2000]


@router.post("/tripartite/{reference}/propose", dependencies=[STAY, *DRAFT])
def propose(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)

    def act() -> None:
        if values.get("agreed") != "true":
            raise InvalidError({"agreed": "is required"})
        given = values.get("text_version", ""), request.state.locale
        tripartite.propose(uow, who, reference, *given, version=_version(posted))

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/sign", dependencies=SIGN)
def sign(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    sha256 = forms.posted_values(posted).get("sha256", "")
    tripartite.sign(uow, who, reference, sha256, version=_version(posted))
    return seen(f"/loans/tripartite/{reference}")


@router.post("/tripartite/{reference}/withdraw", dependencies=[STAY, *DRAFT])
def withdraw(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    tripartite.withdraw(uow, who, reference, version=_version(posted))
    return seen(f"/loans/tripartite/{reference}")


@router.post("/tripartite/{reference}/decline", dependencies=SIGN)
def decline(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        tripartite.decline(uow, who, reference, _why(posted), version=_version(posted))

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/notice", dependencies=END)
def give_notice(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        tripartite.give_notice(uow, who, reference, _why(posted), version=_version(posted))

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/breach", dependencies=END)
def declare_breach(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        tripartite.declare_breach(uow, who, reference, _why(posted), version=_version(posted))

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)
