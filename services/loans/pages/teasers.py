"""Pages of anonymised teasers: the firm sees what banks would see and shows it; a bank answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.teaser import Band, Face
from services.loans.handlers import access, teasers
from services.loans.pages import forms, product_words, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Folder = Literal["", "shown", "interested", "not_for_us"]
STAGES: dict[str, tuple[str, str]] = {
    "shown": ("Not answered", "go"),
    "interested": ("Interested", "good"),
    "not_for_us": ("Not for us", ""),
    "ended": ("Shown no more", ""),
}
MOVES = {"interested": "Interested", "not_for_us": "Not for us"}
LEFT_OUT = {"region": "region", "sector": "sector", "size": "size of the firm"}
# The sections of ISIC Rev. 4 by the last division of each.
_SECTIONS = {
    3: "Agriculture, forestry and fishing",
    9: "Mining and quarrying",
    33: "Manufacturing",
    35: "Electricity and gas",
    39: "Water and waste",
    43: "Construction",
    47: "Trade",
    53: "Transport and storage",
    56: "Accommodation and food service",
    63: "Information and communication",
    66: "Finance and insurance",
    68: "Real estate",
    75: "Professional, scientific and technical work",
    82: "Administrative and support services",
    84: "Public administration",
    85: "Education",
    88: "Health and social work",
    93: "Arts, entertainment and recreation",
    99: "Other services",
}


class TeaseForm(forms.VersionedForm):
    banks: list[Line] = []
    until: date


class AnswerForm(forms.VersionedForm):
    interested: Literal["yes", "no"]
    reasons: list[Line] = []


def lines(face: Face, finance: Finance, locale: str, number: Callable[[Any, int], str]) -> list[tuple[str, str]]:
    """Return what a teaser says, as labels and words."""

    def band(found: Band | None, unit: str, places: int = 0) -> str:
        if found is None:
            return words.say("not told")
        low, high = (None if edge is None else number(edge, places) for edge in (found.low, found.high))
        said = (
            words.say("%(low)s and more", {"low": low}) if high is None else words.say("under %(high)s", {"high": high})
        )
        return f"{low} – {high} {unit}".strip() if low is not None and high is not None else f"{said} {unit}".strip()

    def kept(name: str, said: str) -> str:
        return (
            words.say("left out: too few firms are alike") if name in face.left_out else said or words.say("not told")
        )

    regions = {item.code: item.name.get(locale) or item.name["en"] for item in finance.teaser.regions}
    purposes = {item.code: item.said(locale) for item in finance.purposes}
    sector = f"{face.sector} · {words.say(section_of(face.sector))}" if face.sector else ""
    return [
        (words.say("Sector, ISIC group"), kept("sector", sector)),
        (words.say("Region"), kept("region", regions.get(face.region, face.region))),
        (words.say("Size of the firm"), kept("size", words.say(product_words.SIZES[face.size]) if face.size else "")),
        (words.say("Amount"), band(face.amount, face.currency)),
        (words.say("Purpose"), purposes.get(face.purpose, face.purpose)),
        (words.say("Kind of loan"), words.say(product_words.INSTRUMENTS[face.instrument])),
        (words.say("Term in months"), band(face.term, "")),
        (words.say("Rules of the programme met"), _shares(face.readiness)),
        (words.say("Debt service cover, lowest year"), band(face.dscr, "", 2)),
    ]


def _shares(found: Band) -> str:
    low = Decimal(0) if found.low is None else found.low
    if low >= 1:
        return words.say("all")
    return f"{low * 100:.0f} – {(found.high or 1) * 100:.0f} %"


def section_of(group: str) -> str:
    """Return the name of the ISIC section of a group, a gettext id."""
    return next((name for last, name in _SECTIONS.items() if int(group[:2]) <= last), "Other services")


def _lines(request: Request, face: Face, finance: Finance) -> list[tuple[str, str]]:
    return lines(face, finance, request.state.locale, request.app.state.pages.number)


@router.get("/teasers", dependencies=[allowed("loans.teaser.list")])
def inbox(
    *, request: Request, who: Who, connection: Reader, folder: Folder = "", cursor: str | None = None
) -> HTMLResponse:
    today, bank = access.local_day(request.app.state.clock()), who.organisation or ""
    page = storage.teaser_rows(connection, bank, today, stages=(folder,) if folder else (), cursor=cursor)
    rules = {row.programme: storage.finance_of(connection, row.programme) for row in _first_each(page.items)}
    cards = [
        (row, _lines(request, Face.model_validate(row.face), found[0]))
        for row in page.items
        if (found := rules[row.programme])
    ]
    counts = storage.teaser_counts(connection, bank, today)
    return render(request, "teasers.html", page=page, cards=cards, stages=STAGES, folder=folder, counts=counts)


def _first_each(rows: list[Any]) -> list[Any]:
    """Return one row of each programme: a bank is in few, however many rows there are."""
    return list({row.programme: row for row in rows}.values())


@router.get("/teasers/{reference}", dependencies=[allowed("loans.teaser.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _teaser(request, uow, who, reference)


def _teaser(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    item, finance = teasers.read(uow, who, reference)
    locale = request.state.locale
    return render(
        request,
        "teaser.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        teaser=item,
        lines=_lines(request, item.face, finance),
        reasons=[(reason.code, reason.name.get(locale) or reason.name["en"]) for reason in finance.teaser.reasons],
        stages=STAGES,
        move_names={name: words.say(said) for name, said in MOVES.items()},
        **({"conflict": None, "chosen": item.reasons} | more),
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _teaser(request, uow, who, request.path_params["reference"], conflict=problem)


@router.post("/teasers/{reference}/answer", dependencies=[stay(_stays), allowed("loans.teaser.answer")])
def answer(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(AnswerForm, posted)
        teasers.answer(uow, who, reference, form.interested == "yes", form.reasons, version=form.version)
    except InvalidError as error:
        return _teaser(request, uow, who, reference, errors=error.fields, chosen=posted.getlist("reasons"))
    return seen(f"/loans/teasers/{reference}")


@router.get("/proposals/{reference}/teaser", dependencies=[allowed("loans.proposal.tease")])
def showing(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _showing(request, uow, who, reference)


def _showing(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = teasers.showing(uow, who, reference)
    locale, rules = request.state.locale, found.finance.teaser
    asked = storage.referrals(uow).where(storage.of_proposal(reference))
    return render(
        request,
        "tease.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        proposal=found.proposal,
        lines=_lines(request, found.face, found.finance),
        left_out=[words.say(LEFT_OUT[name]) for name in found.face.left_out],
        k=rules.k,
        banks=found.banks,
        asked={item.bank for item in asked if item.is_open()},
        shown=found.shown,
        live={item.bank for item in found.live},
        until=found.until,
        reasons={item.code: item.name.get(locale) or item.name["en"] for item in rules.reasons},
        stages=STAGES,
        move_names=words.move_names(),
        today=access.today(uow),
        **({"conflict": None, "chosen": list(found.banks)} | more),
    )


def _firm_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _showing(request, uow, who, request.path_params["reference"], conflict=problem)


TEASE = [stay(_firm_stays), allowed("loans.proposal.tease")]


@router.post("/proposals/{reference}/teaser", dependencies=TEASE)
def show(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(TeaseForm, posted)
        teasers.show(uow, who, reference, form.banks, form.until, version=form.version)
    except InvalidError as error:
        given = forms.posted_values(posted)
        return _showing(request, uow, who, reference, errors=error.fields, given=given, chosen=posted.getlist("banks"))
    return seen(f"/loans/proposals/{reference}/teaser")


@router.post("/proposals/{reference}/teaser/end", dependencies=TEASE)
def take_back(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    teasers.take_back(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/proposals/{reference}/teaser")
