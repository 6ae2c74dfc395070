"""The dossier of a case: a checklist of what it must show, its documents, decisions, money and messages."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.audit import labels, views
from services.audit.domain.cases import named
from services.audit.domain.dossier import MISSING, NEVER, PARTS, THERE, WAITING, Dossier
from services.audit.domain.export import DOSSIER
from services.audit.handlers import dossier, exporting, reading
from services.audit.pages.explorer import teller
from shared.asking import quoted
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Uow, allowed
from shared.web.forms import FormModel
from shared.web.pages import render

router = APIRouter()
Case = Annotated[str, Path(max_length=80)]
# State → what it is called, its tone.
STATES = {
    MISSING: ("missing", "bad"),
    WAITING: ("not yet due", "warn"),
    THERE: ("there", "good"),
    NEVER: ("nothing due", ""),
}
SHOWN = 50  # acts of a part on the page; the archive has all


class AskForm(FormModel):
    purpose: Annotated[str, Field(max_length=2000)] = ""


def _page(request: Request, uow: UnitOfWork, case: str, errors: dict[str, Any], typed: str) -> HTMLResponse:
    zone = ZoneInfo(request.app.state.settings.time_zone)
    made = dossier.gather(uow.connection, case, uow.now().astimezone(zone).date())
    return render(
        request,
        "dossier.html",
        status_code=422 if errors else 200,
        made=made,
        lines=_lines(made),
        states=STATES,
        counts=[(name, made.count(state), tone) for state, (name, tone) in STATES.items()],
        parts_of=[(name, *_acts(request, made.part(name))) for name in PARTS],
        labels=labels,
        errors=errors,
        typed=typed,
    )


def _lines(made: Dossier) -> list[dict[str, Any]]:
    """Return the checklist, what is missing first."""
    order = list(STATES)
    return [
        {
            "rule": line.rule,
            "state": line.state,
            "due": line.due,
            "shown": dossier.rows_of(made, line.shown),
            "waiting": dossier.rows_of(made, line.waiting),
            "missing": dossier.rows_of(made, line.missing),
        }
        for line in sorted(made.lines, key=lambda line: order.index(line.state))
    ]


def _acts(request: Request, rows: list[Any]) -> tuple[list[dict[str, Any]], int]:
    say = teller(request)
    return [views.act(row, say) for row in rows[-SHOWN:][::-1]], len(rows)


@router.get("/cases/{case}/dossier", dependencies=[allowed("audit.event.read")])
def one(request: Request, case: Case, uow: Uow) -> HTMLResponse:
    """Show the dossier of a case; that it was looked at is recorded."""
    answer = _page(request, uow, case, {}, "")
    reading.viewed(uow, f"case:{named(case)}", "dossier", case=named(case))
    return answer


@router.post("/cases/{case}/dossier", dependencies=[allowed("audit.export.make")])
def ask(request: Request, case: Case, form: Annotated[AskForm, Form()], uow: Uow) -> Response:
    """Ask for the dossier as an archive; it is made beside this request."""
    about = {"search": f"case:{quoted(named(case))}", "format_": DOSSIER, "purpose": form.purpose}
    try:
        item = exporting.begun(uow, request.app.state, **about, locale=request.state.locale)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, case, error.fields, form.purpose)
    return RedirectResponse(f"/audit/exports/{item.id}", 303)
