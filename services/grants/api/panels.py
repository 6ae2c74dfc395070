"""JSON: the ranking of a call's reviewed applications, the panel's record, and whether it can be followed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.api.bulk import BulkView, view
from services.grants.domain.panel import Panel, Ranking
from services.grants.handlers import bulk, panels
from services.grants.handlers.panels import Session
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api/panels", tags=["panels"])


@router.get("/ranking", dependencies=[allowed(panels.READ)])
def ranking(programme: str, call: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return how the applications that wait for the panel rank now, and where the money ends."""
    return _ranking(panels.laid(connection, who, programme, call))


def _ranking(session: Session) -> dict[str, Any]:
    return _without(session.ranking, session.hidden)


def _without(ranking: Ranking, hidden: frozenset[str]) -> dict[str, Any]:
    """Return a ranking without the scores of cases in which this person has a conflict of interest."""
    found = ranking.model_dump(mode="json")
    for line in found["lines"]:
        if line["candidate"]["reference"] in hidden:
            line |= {"mean": None, "spread": None}
            line["candidate"]["reviews"] = []
    return found


@router.post("", status_code=201, dependencies=[allowed(panels.HOLD)])
def opened(command: panels.OpenPanel, who: Who, uow: Uow) -> dict[str, Any]:
    """Lay the reviewed applications of a call before a panel."""
    made = panels.opened(uow, who, command)
    uow.flush()
    return _shown(made)


def _shown(panel: Panel) -> dict[str, Any]:
    return panel.model_dump(mode="json", exclude={"selection"}) | {"version": panel.version}


@router.get("/{panel}", dependencies=[allowed(panels.READ)])
def seen(panel: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return a panel: who was there, what is recommended, and the ranking, frozen or as it is now."""
    session = panels.seen(connection, who, panel)
    return (_shown(session.panel) if session.panel else {}) | {"ranking": _ranking(session)}


@router.put("/{panel}", dependencies=[allowed(panels.HOLD)])
def save(panel: str, command: panels.SavePanel, who: Who, uow: Uow) -> dict[str, Any]:
    """Write down who is there, the minutes and what is recommended so far."""
    kept = panels.save(uow, who, panel, command)
    uow.flush()
    return _shown(kept)


@router.post("/{panel}/freeze", dependencies=[allowed(panels.HOLD)])
def freeze(panel: str, command: panels.FreezePanel, who: Who, uow: Uow) -> dict[str, Any]:
    """Make the record final; 422 names what is missing or does not add up."""
    kept = panels.freeze(uow, who, panel, command)
    uow.flush()
    return _shown(kept)


@router.get("/{panel}/record", dependencies=[allowed(panels.READ)])
def record(panel: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return the frozen record, its hash, and whether both hash and ranking follow from what stands in it."""
    session = panels.seen(connection, who, panel)
    if session.panel is None:
        return {}
    proof = panels.replay(session.panel)
    kept = dict(session.panel.selection)
    if session.hidden:
        kept["ranking"] = _without(session.ranking, session.hidden)
    return {"record": kept, **proof}


@router.post("/{panel}/carrying-out", status_code=201, dependencies=[allowed(bulk.BULK)])
def carry_out(panel: str, command: panels.FreezePanel, who: Who, uow: Uow) -> BulkView:
    """Plan what the frozen record recommends as an act on many cases."""
    made = panels.carry_out(uow, who, panel, command)
    uow.flush()
    return view(uow.connection, made)
