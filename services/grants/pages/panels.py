"""The panel as a page: the ranking with the cut, the record that is written, frozen and followed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from services.grants.domain.panel import Proposal, Ranking
from services.grants.handlers import bulk, panels
from services.grants.handlers.panels import SAT_WITH, Session
from services.grants.pages.common import HOLDERS, back, case_path, money_in, show
from services.grants.pages.posted import posted
from services.grants.storage import bulk as bulk_rows
from services.grants.storage import panel as stored
from services.grants.storage import reads
from shared.errors import InvalidError, NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter(prefix="/panels")
OUTCOMES = {"fund": "Fund", "fund_less": "Fund less", "reserve": "Reserve", "reject": "Do not fund"}
TONES = {"fund": "good", "fund_less": "good", "reserve": "warn", "reject": "bad"}
LINE, LEFT = 26, 150  # of the chart: the height of a line, where the bars begin


class OpenForm(FormModel):
    """The button that lays a call before a panel."""

    programme: str
    call: str


class VersionForm(FormModel):
    """The buttons that freeze the record and carry it out."""

    version: int


@router.get("", dependencies=[allowed(panels.READ)])
def ranking(request: Request, who: Who, connection: Reader, call: str = "", programme: str = "") -> HTMLResponse:
    """Show how the applications of a call that wait for the panel rank now; without a call, which calls have any."""
    if not call:
        found = panels.sittings(connection, who, programme)
        return show(request, "panels.html", sittings=found, programme=programme)
    programme = programme or next(
        (row["programme"] for row in reads.find_calls(connection, call) if row["programme"] in who.programmes), ""
    )
    session = panels.laid(connection, who, programme, call)
    held = stored.panels_of(connection, programme, call)
    return show(request, "panel_call.html", programme=programme, panels=held, **_shown(who, session))


@router.post("", dependencies=[allowed(panels.HOLD)])
def opened(form: Annotated[OpenForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Lay a call before a panel."""
    made = panels.opened(uow, who, panels.OpenPanel(programme=form.programme, call=form.call))
    return back(f"/grants/panels/{made.id}")


@router.get("/{panel}", dependencies=[allowed(panels.READ)])
def shown(request: Request, panel: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show a panel: its record as it is written, or frozen with the proof that it can be followed."""
    return _page(request, who, panels.seen(connection, who, panel), connection)


def _page(request: Request, who: Identity, session: Session, connection: Any, **more: Any) -> HTMLResponse:
    panel = session.panel
    if panel is None:
        raise NotFoundError("There is no such record")
    sitting = [
        (row["id"], row["name"], next(role for role in SAT_WITH if role in row["roles"]))
        for role in SAT_WITH
        for row in reads.people_with(connection, role, panel.programme)
    ]
    context: dict[str, Any] = {
        "panel": panel,
        "sitting": sorted(dict.fromkeys(sitting), key=lambda item: (item[2], item[1])),
        "there": {member.user for member in panel.members},
        "gone": {(member.user, case): why for member in panel.members for case, why in member.left.items()},
        "proposals": panel.proposals,
        "funded": panel.funded(session.ranking),
        "may_hold": panel.status == "open"
        and bool({"officer", "programme_manager"} & set(who.roles))
        and panel.programme in who.programmes,
        "proof": panels.replay(panel) if panel.status == "frozen" else None,
        "errors": {},
        "acts": bulk_rows.of_panel(connection, panel.programme, panel.id) if panel.status == "frozen" else [],
    }
    return show(request, "panel.html", **(context | _shown(who, session) | more))


def _shown(who: Identity, session: Session) -> dict[str, Any]:
    rules = session.pack.decisions
    return {
        "call": session.call,
        "ranking": session.ranking,
        "hidden": session.hidden,
        "path_of": case_path,
        "outcomes": OUTCOMES,
        "tones": TONES,
        "reasons": {name: rules.reasons_of(name) for name in OUTCOMES},
        "codes": {item.id: item.name for item in rules.reasons},
        "quorum": rules.panel.quorum,
        "chart": chart(session.ranking, session.hidden),
        "roles_of": HOLDERS,
        "may_open": bool({"officer", "programme_manager"} & set(who.roles))
        and session.pack.programme in who.programmes,
    }


def chart(ranking: Ranking, hidden: frozenset[str]) -> dict[str, Any]:
    """Return the bars of the scores with the threshold and the cut, in the units of the drawing."""
    bars = []
    for line in ranking.lines:
        score = None if line.candidate.reference in hidden else line.mean
        low, high = (min(line.candidate.scores), max(line.candidate.scores)) if line.candidate.scores else (0, 0)
        bars.append(
            {
                "name": line.candidate.reference,
                "y": (line.rank - 1) * LINE,
                "width": round(float(score or 0) * 2, 1),
                "score": score,
                "from": round(LEFT + float(low) * 2, 1),
                "to": round(LEFT + float(high) * 2, 1),
                "fits": line.fits,
                "reaches": line.reaches,
            }
        )
    cut = None if ranking.cut is None else (ranking.cut - 1) * LINE - 1
    return {"bars": bars, "height": len(bars) * LINE + 18, "threshold": LEFT + float(ranking.threshold) * 2, "cut": cut}


@router.post("/{panel}", dependencies=[allowed(panels.HOLD)])
def save(request: Request, panel: str, who: Who, uow: Uow, form: Annotated[FormData, Depends(posted)]) -> Any:
    """Write down who is there, the minutes and what is recommended; `go` "freeze" makes the record final too."""
    found = panels.find(uow.connection, who, panels.HOLD, panel)
    session = panels.laid(uow.connection, who, found.programme, found.call, found)
    try:
        kept = panels.save(uow, who, panel, _command(form, session))
        if form.get("go") == "freeze":
            uow.flush()
            panels.freeze(uow, who, panel, panels.FreezePanel(version=kept.version))
    except InvalidError as refusal:
        uow.abandon()
        typed = _typed(form, session)
        more = {"errors": refusal.fields, "problem": refusal, "status_code": 422} | typed
        return _page(request, who, panels.seen(uow.connection, who, panel), uow.connection, **more)
    return back(f"/grants/panels/{panel}")


def _typed(form: FormData, session: Session) -> dict[str, Any]:
    """Return what was typed, so that a refused form loses nothing."""
    kept = {
        line.candidate.reference: {
            name: str(form.get(f"{name}.{line.candidate.reference}", ""))
            for name in ("outcome", "amount", "reason_code", "words")
        }
        for line in session.ranking.lines
    }
    return {"typed": kept, "minutes": str(form.get("minutes", "")), "there": set(map(str, form.getlist("member")))}


def _command(form: FormData, session: Session) -> panels.SavePanel:
    proposals: dict[str, Proposal] = {}
    left: dict[str, list[str]] = {}
    for line in session.ranking.lines:
        case = line.candidate.reference
        for user in form.getlist(f"left.{case}"):
            left.setdefault(str(user), []).append(case)
        if outcome := str(form.get(f"outcome.{case}", "")):
            if outcome not in OUTCOMES:
                raise InvalidError({f"proposals.{case}": "is none of the outcomes"})
            amount = money_in(f"proposals.{case}", str(form.get(f"amount.{case}", "")), session.call.currency)
            code, words = str(form.get(f"reason_code.{case}", "")), str(form.get(f"words.{case}", "")).strip()
            proposals[case] = Proposal.model_validate(
                {"outcome": outcome, "amount": amount, "reason_code": code[:60], "words": words[:5000]}
            )
    there = [panels.Present(user=str(user)[:80], left=left.get(str(user), [])) for user in form.getlist("member")]
    version = str(form.get("version", ""))
    if not version.isdigit():
        raise InvalidError({"version": "is not a whole number"})
    minutes = str(form.get("minutes", ""))[:20_000]
    return panels.SavePanel(version=int(version), members=there, minutes=minutes, proposals=proposals)


@router.post("/{panel}/carrying-out", dependencies=[allowed(bulk.BULK)])
def carry_out(panel: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Plan what the frozen record recommends as an act on many cases."""
    made = panels.carry_out(uow, who, panel, panels.FreezePanel(version=form.version))
    return back(f"/grants/bulk/{made.id}")
