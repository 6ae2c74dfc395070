"""Pages of diagnostics: the questionnaire, its score by section, what has changed and what would help."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.loans import firm_charts
from services.loans.handlers import access, diagnostics
from services.loans.handlers.diagnostics import Opened
from services.loans.pages import fact_sections, forms, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
_SHOWN = 6


@router.get("/firms/{organisation}/diagnostics/{code}", dependencies=[allowed("loans.firm.read")])
def read(request: Request, organisation: str, code: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, organisation, code)


def _page(request: Request, uow: UnitOfWork, who: Identity, organisation: str, code: str, **more: Any) -> HTMLResponse:
    opened = diagnostics.open_diagnostics(uow, who, organisation, code)
    locale, number = request.state.locale, request.app.state.pages.number
    return render(
        request,
        "diagnostics.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        opened=opened,
        levels=opened.asked.level_words(locale),
        labels={item.code: item.said(locale) for item in opened.asked.questions()} | {"taken_on": words.say("As of")},
        radar=_radar(opened, locale, number),
        trend=_trend(opened, number),
        weak=_weak(opened, locale),
        sides=fact_sections.SIDES,
        today=access.today(uow),
        **({"conflict": None} | more),
    )


def _radar(opened: Opened, locale: str, number: firm_charts.Number) -> Any:
    newest, before = opened.newest, opened.before
    if newest is None:
        return ""
    known = [item for item in opened.asked.sections if item.code in newest.sections]
    points = [
        (item.said(locale), newest.sections[item.code], before.sections.get(item.code) if before else None)
        for item in known
    ]
    names = (words.say("now"), words.say("the time before"))
    return firm_charts.radar(points, words.say("Score by section"), names, number)


def _trend(opened: Opened, number: firm_charts.Number) -> Any:
    """Return the scores of this version of the questionnaire over time, where there are two or more."""
    same = [item for item in opened.taken if item.number == opened.asked.number][:_SHOWN]
    bars = [(f"{item.taken_on:%m/%Y}", item.score * 100) for item in reversed(same)]
    return firm_charts.year_bars(bars, words.say("Score, per cent"), number) if len(bars) > 1 else ""


def _weak(opened: Opened, locale: str) -> list[tuple[str, Any, list[tuple[str, str]]]]:
    """Return the weak sections, the weakest first, each with what helps: (address, words)."""
    newest = opened.newest
    if newest is None:
        return []
    found = []
    for section in newest.weak(opened.asked):
        helps = []
        for item in section.suggests:
            course = opened.finance.course(item.course) if item.course else None
            said = item.name.get(locale) or item.name.get("en") or item.course
            helps.append(("/loans/courses" if course else "", course.said(locale) if course else said))
        found.append((section.said(locale), newest.sections[section.code], helps))
    return found


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    place = request.path_params
    return _page(request, uow, who, place["organisation"], place["code"], conflict=problem)


TAKE = [stay(_stays), allowed("loans.diagnostic.take")]


@router.post("/firms/{organisation}/diagnostics/{code}", dependencies=TAKE)
def take(  # noqa: PLR0917 - what the address and the form give
    request: Request, organisation: str, code: str, posted: forms.Posted, who: Who, uow: Uow
) -> Response:
    values = forms.posted_values(posted)
    answers: dict[str, dict[str, str]] = {}
    for name, text in values.items():
        question, _, part = name.partition(".")
        if question not in {"csrf", "taken_on"} and text.strip():
            answers.setdefault(question, {})[part or "level"] = text.strip()
    try:
        diagnostics.take(uow, who, organisation, code, answers, _day(values.get("taken_on", "")))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, organisation, code, errors=error.fields, given=values)
    return seen(f"/loans/firms/{organisation}/diagnostics/{code}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError({"taken_on": "is not a date: write year-month-day"}) from error
