"""The officers' queue as a list and as a board, its saved views, and the file of all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import Field
from sqlalchemy import Connection, RowMapping

from services.grants.domain.search import MAX_TEXT, ROLES, Mistake, Search, Term
from services.grants.handlers import queue, views
from services.grants.handlers.bulk import BULK
from services.grants.handlers.conflicts import conflicts_on
from services.grants.handlers.queue import Listing
from services.grants.handlers.standing import stands_for
from services.grants.pages import table
from services.grants.pages.common import HOLDERS, back, show
from services.grants.pages.files import FileKind, answer
from services.grants.pages.rows import cases_shown, rows_shown
from shared.i18n import current_zone, translate
from shared.money import Money
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.workflow.model import say

router = APIRouter()
LIST, BOARD = "/grants/", "/grants/board"
SORTS = {
    "due": "Due first",
    "-updated": "Changed last",
    "since": "Longest in its stage",
    "-amount": "Largest amount",
}

STATES = {"open": "Open", "closed": "At an end", "draft": "Drafts", "all": "All"}


class ViewForm(FormModel):
    """The small form that keeps a view."""

    programme: str
    name: str = Field(min_length=1, max_length=60)
    q: str = Field(default="", max_length=MAX_TEXT)
    sort: str = "due"
    board: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Menu:
    """The choices of one filter: (label, address, whether it is the present one); `chosen` is the present label."""

    label: str
    chosen: str
    options: list[tuple[str, str, bool]]


class Address:
    """Addresses of the queue that differ from the present one in what is named."""

    def __init__(self, base: str, listing: Listing, limit: int = 50) -> None:
        several = len(listing.programmes) > 1
        self.base = base
        self.present = {
            "programme": (listing.programme or "") if several else "",
            "q": listing.search.without(*listing.search.of("programme")) if several else listing.search.text,
            "sort": "" if listing.sort == "due" else listing.sort,
            "limit": "" if limit == 50 else str(limit),
        }

    def __call__(self, base: str = "", **changed: str) -> str:
        """Return the present address with some parameters changed; empty ones are left out."""
        given = {name: value for name, value in (self.present | changed).items() if value}
        return (base or self.base) + (f"?{urlencode(given)}" if given else "")


@router.get("/", dependencies=[allowed("grants.application.queue")])
def listed(request: Request, who: Who, connection: Reader, query: Annotated[queue.Query, Query()]) -> HTMLResponse:
    """Show the cases that the search in the address asks for, as a list or (`as=board`) by stage."""
    if request.query_params.get("as") == "board":
        return board(request, who, connection, query)
    listing = queue.asked(connection, who, query, request.app.state.clock)
    current_zone.set(listing.zone)
    page = queue.page(connection, listing, query)
    standings = queue.standings(connection, who, listing, page.items)
    rows = cases_shown(request, listing, page.items, standings)
    address = Address(LIST, listing, query.limit)
    more = address(cursor=page.next) if page.next else ""
    first = address() if query.cursor else ""
    context = _context(request, who, connection, listing, address)
    return show(request, "queue.html", rows=rows, more=more, first=first, is_board=False, **context)


@router.get("/board", dependencies=[allowed("grants.application.queue")])
def board(request: Request, who: Who, connection: Reader, query: Annotated[queue.Query, Query()]) -> HTMLResponse:
    """Show the cases of the same search by stage: how many, and those that are there longest."""
    listing = queue.asked(connection, who, query, request.app.state.clock)
    current_zone.set(listing.zone)
    address, names = Address(BOARD, listing), dict(_stages(request, listing))
    shown = queue.board(connection, listing)
    conflicts = conflicts_on(connection, who, [row for _, _, rows in shown for row in rows])
    columns = [
        {
            "name": names.get(stage, stage),
            "count": count,
            "cards": [
                row | {"conflict": conflicts.get(row["id"])}
                for row in rows_shown(request, rows, listing.pack, public=False)
            ],
            "all": address(LIST, q=listing.search.with_term("stage", stage), sort="since"),
        }
        for stage, count, rows in shown
    ]
    context = _context(request, who, connection, listing, address)
    return show(request, "board.html", columns=columns, most=queue.MOST_COUNTED, is_board=True, **context)


@router.get("/queue.{kind}", dependencies=[allowed("grants.application.queue")])
def file(
    request: Request, kind: FileKind, who: Who, connection: Reader, query: Annotated[queue.Query, Query()]
) -> StreamingResponse:
    """Give every row of the list as CSV or XLSX, without a limit."""
    asked = queue.understood(queue.asked(connection, who, query, request.app.state.clock))
    listed = table.table_of(request, request.app.state.engine, who, query, asked.asking.zone)
    return answer(connection, listed, kind, "applications")


@router.post("/views", dependencies=[allowed(views.KEEP)])
def keep(form: Annotated[ViewForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Keep the present search under a name."""
    views.keep(uow, who, views.KeepView(**form.model_dump(exclude={"csrf"})))
    return back(_path_of(form.model_dump() | {"query": form.q}))


@router.post("/views/{view}/removal", dependencies=[allowed(views.KEEP)])
def drop(view: str, _form: Annotated[FormModel, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Forget a view; its search stays on the screen."""
    return back(_path_of(views.drop(uow, who, view)))


def _path_of(view: RowMapping | Mapping[str, Any]) -> str:
    given = {"programme": view["programme"], "q": view["query"], "sort": view["sort"]}
    return (BOARD if view["board"] else LIST) + "?" + urlencode({name: value for name, value in given.items() if value})


def _context(
    request: Request, who: Identity, connection: Connection, listing: Listing, address: Address
) -> dict[str, Any]:
    """Return what list and board have in common."""
    search, kept = listing.search, views.seen(connection, who, listing.programme)
    return {
        "listing": listing,
        "stands_for": stands_for(who),
        "address": address,
        "search": address.present["q"],
        "currency": next((call.currency for call in listing.pack.calls.values()), "") if listing.pack else "",
        "mistakes": [_told(search, mistake, address) for mistake in search.mistakes],
        "chips": [(_chip(search, term), address(q=search.without(term))) for term in search.terms],
        "menus": _menus(request, listing, address),
        "sorts": {name: _sort_link(address, listing.sort, name) for name in ("due", "updated", "since", "amount")},
        "views": [(view, _path_of(view), views.may_drop(who, view)) for view in kept],
        "may_keep": bool(listing.programme in who.programmes and request.app.state.policy.scopes(views.KEEP, who)),
        "may_choose": bool(listing.programme in who.programmes and request.app.state.policy.scopes(BULK, who)),
        "list_path": address(LIST),
        "board_path": address(BOARD),
        "csv_path": address("/grants/queue.csv", limit=""),
        "xlsx_path": address("/grants/queue.xlsx", limit=""),
    }


def _chip(search: Search, term: Term) -> str:
    """Return a term as it was written, an amount with the currency that it implies."""
    said = search.text[term.start : term.end]
    implied = isinstance(term.values[0], Money) and not said[-1:].isalpha()
    return f"{said} {term.values[0].currency}" if implied and isinstance(term.values[0], Money) else said


def _told(search: Search, mistake: Mistake, address: Address) -> dict[str, str]:
    text, start, end = search.text, mistake.start, mistake.end
    fixed = f"{text[:start]}{mistake.fix}{text[end:]}"
    return {
        "before": text[:start],
        "wrong": text[start:end],
        "after": text[end:],
        "rule": translate("grants", mistake.rule.message, mistake.rule.params),
        "fix": mistake.fix,
        "fixed": address(q=fixed) if mistake.fix else "",
    }


def _sort_link(address: Address, present: str, name: str) -> tuple[str, str]:
    """Return (address, aria-sort) of a heading: a second click turns the order round."""
    first = {"updated": "-updated", "amount": "-amount"}.get(name, name)
    turned = first.removeprefix("-") if first.startswith("-") else f"-{first}"
    said = {name: "ascending", f"-{name}": "descending"}.get(present, "")
    return address(sort=turned if present == first else first), said


def _stages(request: Request, listing: Listing) -> list[tuple[str, str]]:
    flows = queue.workflows(listing.pack) if listing.pack else []
    found = {stage.id: say(stage.name, request.state.locale) for flow in flows for stage in flow.stages}
    return list(found.items())


def _menus(request: Request, listing: Listing, address: Address) -> list[Menu]:
    def word(message: str) -> str:
        return translate("grants", message, locale=request.state.locale)

    holders = [("me", word("Mine")), *((role, word(HOLDERS[role])) for role in ROLES)]
    calls = listing.pack.calls if listing.pack else {}
    fields = [
        ("stage", word("Stage"), _stages(request, listing)),
        ("holder", word("Whose turn"), holders),
        ("officer", word("Officer"), [("me", word("Me")), ("none", word("Unassigned"))]),
        ("call", word("Call"), [(name, say(call.name, request.state.locale)) for name, call in calls.items()]),
        ("overdue", word("Due"), [("yes", word("Late")), ("no", word("Not late"))]),
        ("state", word("State"), [(name, word(label)) for name, label in STATES.items()]),
    ]
    found = [_menu(listing.search, address, *field) for field in fields if len(field[2]) > 1]
    if address.base == LIST:
        present = next((word(label) for name, label in SORTS.items() if name == listing.sort), "")
        options = [(word(label), address(sort=name), name == listing.sort) for name, label in SORTS.items()]
        found.append(Menu(word("Order"), present if listing.sort != "due" else "", options))
    return found


def _menu(search: Search, address: Address, name: str, label: str, options: list[tuple[str, str]]) -> Menu:
    terms = [term for term in search.of(name) if not term.negated]
    now = terms[0].values[0] if len(terms) == 1 and len(terms[0].values) == 1 else None
    links = [
        (text, address(q=search.with_term(name, "" if value == now else value)), value == now)
        for value, text in options
    ]
    return Menu(label, next((text for value, text in options if value == now), ""), links)
