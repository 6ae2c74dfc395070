"""Pages of open data: each record with what is wrong beside it, the files that went out, what the programme states."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from services.grants.api.applications import store
from services.grants.api.publishing import published_file
from services.grants.domain.publishing import Draft, Entry, Format, Invalid, Problem, Rates, converted, totals
from services.grants.handlers import listing
from services.grants.handlers import publishing as act
from services.grants.pages import publishing_facts as stating
from services.grants.pages.common import back, show
from services.grants.pages.files import LISTS
from services.grants.pages.publishing_facts import FactsForm
from services.grants.storage import publishing as stored
from shared.errors import ConflictError, InvalidError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter()
SHOWN = 100
# The lists of a programme beside its open data: what each is called.
FILES = {
    "payments": "Payments",
    "reviews": "Reviews",
    "cofinancing": "Co-financing",
    "contributions": "Contributions of firms",
}
NAMES = {"360giving": "360Giving", "iati": "IATI"}


class PublishForm(FormModel):
    """The form that publishes what its page showed."""

    seen: str
    invalid: Invalid = "refuse"


@router.get("/publishing", dependencies=[allowed(act.READ)])
def programmes(request: Request, who: Who, connection: Reader) -> Response:
    """Go to the programme whose data is published; with several, choose."""
    mine = listing.programmes_of(connection, who, act.READ)
    if len(mine) == 1:
        return back(_place(mine[0], "360giving"))
    return show(request, "publishing_programmes.html", programmes=[(name, _place(name, "360giving")) for name in mine])


def _place(programme: str, chosen: str) -> str:
    return f"/grants/publishing/{programme}/{chosen}"


@router.get("/publishing/{programme}/facts", dependencies=[allowed(act.READ)])
def facts(request: Request, programme: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show what the programme states of itself, and let its manager state what is missing."""
    act.seen_by(connection, who, programme)
    return _facts(request, connection, who, programme)


def _facts(request: Request, connection: Connection, who: Identity, programme: str, **more: Any) -> HTMLResponse:
    known = act.Programme(connection, programme)
    may = "programme_manager" in who.roles and programme in who.programmes
    given = stating.given(known.facts) | more.pop("typed", {})
    version = known.statement.version if known.statement else 0
    context = {"programme": programme, "may": may, "given": given, "version": version, "name": known.names}
    return show(request, "publishing_facts.html", place=_place(programme, "360giving"), **(context | more))


@router.post("/publishing/{programme}/facts", dependencies=[allowed(act.STATE)])
def state(request: Request, programme: str, form: Annotated[FactsForm, Form()], who: Who, uow: Uow) -> Response:
    """Keep what is stated; refused, it comes back as it was typed."""
    typed = form.model_dump(exclude={"csrf", "version"})
    try:
        present = act.Programme(uow.connection, programme).facts
        act.state_facts(uow, who, programme, act.StateFacts(facts=stating.parsed(form, present), version=form.version))
    except (InvalidError, ConflictError) as error:
        uow.abandon()
        more: dict[str, Any] = {"errors": error.fields} if isinstance(error, InvalidError) else {"conflict": error}
        return _facts(request, uow.connection, who, programme, typed=typed, status_code=error.status, **more)
    return back(_place(programme, "360giving"))


@router.get("/publishing/{programme}/{format}", dependencies=[allowed(act.READ)])
def looked_at(  # noqa: PLR0917 - an address with its query
    request: Request,
    programme: str,
    format: Format,  # noqa: A002 - as the address has it
    who: Who,
    connection: Reader,
    query: Annotated[stating.RatesForm, Query()],
) -> HTMLResponse:
    """Show what would be published, what is wrong with which record, what changed, and what went out before."""
    act.seen_by(connection, who, programme)
    return _page(request, connection, who, programme, format, query=query)


def _page(
    request: Request, connection: Connection, who: Identity, programme: str, chosen: Format, **more: Any
) -> HTMLResponse:
    known, now = act.Programme(connection, programme), request.app.state.clock()
    made = act.draft(connection, known, chosen, now)
    past = stored.publications_of(connection, programme, chosen)
    change = made.difference(act.last_records(store(request), past[0] if past else None))
    policy, query = request.app.state.policy, more.pop("query", None) or stating.RatesForm()
    context: dict[str, Any] = {
        "programme": programme,
        "name": known.names,
        "draft": made,
        "tabs": [(_place(programme, name), label) for name, label in NAMES.items()],
        "here": _place(programme, chosen),
        "rows": [_row(item, programme) for item in (*made.bad, *made.good)[:SHOWN]],
        "past": past,
        "change": change,
        "totals": totals(made.entries),
        "query": query,
        "may": bool(policy.scopes(act.PUBLISH, who)) and programme in who.programmes,
        "files": [(name, label) for name, label in FILES.items() if policy.scopes(LISTS[name].action, who)],
        "shown": SHOWN,
        "fresh": not past or bool(change),
    }
    one, wrong = _converted(made, query, now.astimezone(known.zone).date())
    return show(request, "publishing.html", one=one, wrong=wrong, **(context | more))


def _converted(made: Draft, query: stating.RatesForm, today: Any) -> tuple[Any, dict[str, str]]:
    if not query.to:
        return None, {}
    try:
        rates = Rates(query.to.upper(), query.day(), query.rate_source, query.stated())
        return converted(totals(made.entries), rates, today), {}
    except InvalidError as error:
        return None, error.fields


def _row(entry: Entry, programme: str) -> dict[str, Any]:
    problems = [{"problem": problem, "mend": _mend(problem, entry, programme)} for problem in entry.problems]
    return {"entry": entry, "problems": problems}


def _mend(problem: Problem, entry: Entry, programme: str) -> str:
    return act.facts_path(programme) if problem.mend == "programme" else entry.path


@router.post("/publishing/{programme}/{format}", dependencies=[allowed(act.PUBLISH)])
def publish(  # noqa: PLR0917 - an address with its form
    request: Request,
    programme: str,
    format: Format,  # noqa: A002 - as the address has it
    form: Annotated[PublishForm, Form()],
    who: Who,
    uow: Uow,
) -> Response:
    """Publish what the page showed; refused, the page says why and shows how it is now."""
    command = act.Publish(invalid=form.invalid, seen=form.seen)
    try:
        act.make_public(uow, who, programme, format, command, store=store(request))
    except (InvalidError, ConflictError) as error:
        uow.abandon()
        return _page(request, uow.connection, who, programme, format, refused=error, status_code=error.status)
    return RedirectResponse(_place(programme, format), 303)


@router.get("/publications/{publication}/{kind}", dependencies=[allowed(act.READ)])
def file(request: Request, publication: str, kind: str, who: Who, connection: Reader) -> Response:
    """Give a published file as it went out, its hash checked."""
    return published_file(store(request), act.file_seen(connection, who, publication, kind))
