"""Pages of firms: the profile over time with its size class, entering a fact, the list of the office."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from pydantic import ValidationError

from services.loans import firm_charts, storage
from services.loans.domain.facts import Owners, Register, Staff, Topic
from services.loans.domain.firm import Entry, Fact, Firm
from services.loans.domain.size import CRITERIA, SizeRule
from services.loans.handlers import access, firms
from services.loans.handlers.firms import Opened
from services.loans.pages import fact_sections as sections
from services.loans.pages import forms, words
from services.loans.pages.proposals import STAY as PROPOSAL_STAYS
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
WRITE = [allowed("loans.firm.write")]
_MADE = ("as_of", "source", "corrects", "why")
SIZES = {"micro": "Micro", "small": "Small", "medium": "Medium-sized", "large": "Large"}
CRITERION_WORDS = {"employees": "Employees", "turnover": "Turnover", "balance_total": "Balance sheet total"}
SHOWN_YEARS = 5


@router.get("/firms", dependencies=[allowed("loans.firm.list")])
def read_all(
    request: Request,
    who: Who,
    connection: Reader,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: str | None = None,
) -> Response:
    """Lead each to what is theirs: the office to the list, a firm to its profile, an adviser to the cases."""
    programmes = firms.listed(who)
    if programmes:
        page = storage.firm_rows(connection, programmes, q=q, cursor=cursor)
        return render(request, "firms.html", page=page, q=q)
    if who.organisation and storage.firm_place(connection, who.organisation):
        return seen(f"/loans/firms/{who.organisation}")
    return seen("/loans/cases")


@router.get("/firms/{organisation}", dependencies=[allowed("loans.firm.read")])
def read(request: Request, organisation: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, organisation)


@router.post("/firms/{organisation}/advisers/{adviser}/end", dependencies=[allowed("loans.firm.part")])
def part(organisation: str, adviser: str, who: Who, uow: Uow) -> Response:
    """Only the firm itself ends it; who does not advise it any more is told so."""
    firms.part(uow, who, organisation, adviser)
    return seen(f"/loans/firms/{organisation}#advisers")


def _page(request: Request, uow: UnitOfWork, who: Identity, organisation: str, **more: Any) -> HTMLResponse:
    opened = firms.open_firm(uow, who, organisation)
    firm = opened.firm
    finance, _ = access.rules(uow, firm.programme)
    rule = finance.size
    kept: tuple[Topic, ...] = ("register", "owners", "staff")
    latest = {topic: firm.latest(topic) for topic in kept}
    owners, staff = latest["owners"], latest["staff"]
    return render(
        request,
        "firm.html",
        status_code=409 if "conflict" in more else 200,
        opened=opened,
        firm=firm,
        rule=rule,
        size=opened.size,
        size_words=SIZES,
        criteria=_criteria(rule) if rule else [],
        latest=latest,
        register=latest["register"].content if latest["register"] else Register().model_dump(mode="json"),
        owners=owners.read(Owners) if owners else None,
        staff=staff.read(Staff) if staff else None,
        accounts=firm.accounts(),
        topics=sections.TOPICS,
        sources=sections.SOURCES,
        sides=sections.SIDES,
        labels=sections.ACCOUNT_LABELS,
        charts=_charts(opened, request.app.state.pages.number),
        entries=sorted(firm.entries, key=lambda item: -item.number),
        advisers=[] if opened.place.side == "adviser" else storage.advisers_of(uow.connection, organisation),
        steps=storage.steps_for(uow, organisation) if opened.place.side != "adviser" else [],
        questionnaires=[(item.code, item.said(request.state.locale)) for item in finance.questionnaires],
        corrected={item.corrects: item.number for item in firm.entries if item.corrects},
        **({"conflict": None} | more),
    )


def _criteria(rule: SizeRule) -> list[tuple[str, str]]:
    return [(name, CRITERION_WORDS[name]) for name in CRITERIA if name in {*rule.all_of, *rule.any_of}]


def _charts(opened: Opened, number: firm_charts.Number) -> list[tuple[str, Markup]]:
    """Return the pictures that there are figures for: turnover, employees, and what women own and do."""
    firm = opened.firm
    turnover = [(str(found.year), found.sales) for _, found in firm.accounts()][-SHOWN_YEARS:]
    staff = _by_year(firm, "staff", lambda entry: entry.read(Staff).total())
    women = _by_year(firm, "owners", lambda entry: entry.read(Owners).share("female"))
    work = _by_year(firm, "staff", _women_at_work)
    found = []
    for title, bars, places in (
        (words.say("Turnover, %(currency)s", {"currency": firm.currency}), turnover, 0),
        (words.say("Employees, full-time equivalents"), staff, 1),
    ):
        if bars:
            found.append((title, firm_charts.year_bars(bars, title, number, places)))
    for title, bars in ((words.say("Owned by women"), women), (words.say("Women among the employees"), work)):
        if bars:
            found.append((title, firm_charts.share_bars(bars, title, number)))
    return found


def _women_at_work(entry: Entry) -> Decimal:
    staff = entry.read(Staff)
    total = staff.total()
    return staff.total(sex="female") / total * 100 if total else Decimal(0)


def _by_year(firm: Firm, topic: Any, value: Any) -> list[tuple[str, Decimal]]:
    """Return what was stated last in each year that something was stated in."""
    found: dict[int, Entry] = {item.as_of.year: item for item in firm.standing() if item.topic == topic}
    return [(str(year), value(found[year])) for year in sorted(found)][-SHOWN_YEARS:]


@router.get("/firms/{organisation}/enter/{topic}", dependencies=WRITE)
def form(  # noqa: PLR0917 - what the address gives
    request: Request, organisation: str, topic: str, who: Who, uow: Uow, corrects: int = 0
) -> HTMLResponse:
    where = firms.place(uow, who, organisation, firms.WRITE)
    firm = firms.known(uow, organisation)
    values: dict[str, str] = {"as_of": access.today(uow).isoformat(), "source": "self_declared"}
    entry = _entry(firm, topic, corrects)
    if entry:
        values = sections.values_of(topic, entry.content) | {"source": entry.source}
        values["as_of"] = entry.as_of.isoformat() if corrects else access.today(uow).isoformat()
    values["corrects"] = str(corrects) if corrects else ""
    return _form(request, uow, where, topic, values)


def _entry(firm: Firm | None, topic: str, corrects: int) -> Entry | None:
    """Return the entry that a form begins with: the one to correct, else what was stated last; accounts begin empty."""
    if firm is None:
        return None
    if corrects:
        found = next((item for item in firm.standing() if item.number == corrects and item.topic == topic), None)
        if found is None:
            raise NotFoundError("There is no such entry")
        return found
    return firm.latest(topic) if topic in {"register", "owners", "staff"} else None  # type: ignore[arg-type]


def _form(
    request: Request, uow: UnitOfWork, where: firms.Place, topic: str, values: dict[str, str], **more: Any
) -> HTMLResponse:
    if topic not in sections.TOPICS:
        raise NotFoundError("There is no such section")
    firm = firms.known(uow, where.organisation)
    return render(
        request,
        "fact.html",
        status_code=422 if more.get("errors") else 409 if more.get("conflict") else 200,
        where=where,
        firm=firm,
        version=firm.version if firm else 0,
        currency=access.rules(uow, where.programme)[1],
        topic=topic,
        title=sections.TOPICS[topic],
        section=sections.SECTIONS.get(topic),
        grid=sections.staff_names(),
        sexes=list(sections.SEX_WORDS.values()),
        accounts=sections.ACCOUNTS,
        sums=sections.SUMS,
        labels={name: words.say(label) for name, label in _labels(topic).items()},
        values=values,
        sources=[(code, words.say(text)) for code, text in sections.SOURCES.items()],
        **({"conflict": None} | more),
    )


def _labels(topic: str) -> dict[str, str]:
    made = {"as_of": "As of", "source": "Where the figures come from", "why": "Why it is corrected"}
    section = sections.SECTIONS.get(topic)
    if section:
        made |= {item.name: item.label for item in section.items}
    return made | sections.ACCOUNT_LABELS


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    organisation, topic = request.path_params["organisation"], request.path_params["topic"]
    where = firms.place(uow, who, organisation, firms.WRITE)
    return _form(request, uow, where, topic, request.state.typed, conflict=problem)


@router.post("/firms/{organisation}/enter/{topic}", dependencies=[stay(_stays), *WRITE])
def enter(*, request: Request, organisation: str, topic: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    where = firms.place(uow, who, organisation, firms.WRITE)
    if topic not in sections.TOPICS:
        raise NotFoundError("There is no such section")
    values = forms.posted_values(posted)
    version = forms.version_of(values)
    made = {name: values[name] for name in _MADE if values.get(name)}
    content = sections.content_of(topic, {name: text for name, text in values.items() if name not in _MADE})
    try:
        try:
            fact = Fact.model_validate({"topic": topic, **made, "content": content})
        except ValidationError as error:
            raise invalid(error) from error
        firms.enter(uow, who, organisation, fact, version=version)
    except InvalidError as error:
        uow.abandon()
        wrong = sections.inputs_of(topic, error.fields, content)
        return _form(request, uow, where, topic, values, errors=wrong)
    return seen(f"/loans/firms/{organisation}")


@router.post("/proposals/{reference}/profile", dependencies=[PROPOSAL_STAYS, allowed("loans.proposal.write")])
def fill_in(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    firms.fill_in(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/proposals/{reference}")
