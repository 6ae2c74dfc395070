"""JSON: reports of grants, their costs and documents, and indicators. `version` in the commands is the report's."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, Field

from services.grants.api.applications import file_answer, store
from services.grants.domain.application import Document
from services.grants.domain.reporting import CostEntry, Report
from services.grants.handlers import viewing
from services.grants.handlers.base import owns
from services.grants.handlers.reporting import importing, listing, reviewing, scheduling, writing
from services.grants.handlers.reporting.base import setting_of
from services.grants.storage.reports import rows_of
from shared.database import UnitOfWork
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["reports"])
_ONE = "/reports/{report_id}"


class ReportPage(BaseModel):
    """Some reports and the cursor of those after them."""

    items: list[dict[str, Any]]
    next: str | None


class Versioned(BaseModel):
    """An act on the version that one has seen."""

    version: int


class CostsCommand(Versioned):
    """Costs to enter, all of them or none."""

    costs: list[CostEntry] = Field(min_length=1, max_length=500)


class CostCommand(Versioned):
    """A cost written anew."""

    cost: CostEntry


def report_view(who: Identity, report: Report) -> dict[str, Any]:
    """Return a report as `who` may see it: look-alikes are of other cases, and decisions wait until they are sent."""
    shown = report.model_dump(mode="json") | {
        "claimed": report.claimed().model_dump(mode="json"),
        "accepted": report.accepted().model_dump(mode="json"),
    }
    for cost, own in zip(shown["costs"], report.costs, strict=True):
        cost["value"] = own.value(report.currency).model_dump(mode="json")
    if owns(who, report.organisation):
        for cost in [*shown["costs"], *(item for version in shown["handed"] for item in version["costs"])]:
            cost["alike"] = []
            if report.status == "submitted":
                cost |= {"decision": "open", "accepted": "0.00", "code": "", "reason": ""}
                cost |= {"decided_by": None, "decided_by_name": None, "decided_at": None}
        if report.status == "submitted":
            shown["accepted"] = None
    return shown


def _view(uow: UnitOfWork, who: Identity, report: Report) -> dict[str, Any]:
    uow.flush()  # so that the answer carries the version that the next act must name
    return report_view(who, report)


def today(request: Request) -> date:
    """Return the day by the installation's clock: lists span programmes."""
    zone = ZoneInfo(request.app.state.settings.time_zone)
    return request.app.state.clock().astimezone(zone).date()  # type: ignore[no-any-return]  # a clock gives datetimes


@router.get("/applications/{reference}/reports", dependencies=[allowed("grants.report.read")])
def of_case(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return the reports of a grant: when each is due, and how it stands."""
    application = viewing.application_seen(uow, who, reference)
    return [dict(row) for row in rows_of(uow.connection, application.id)]


@router.post("/applications/{reference}/reports", dependencies=[allowed("grants.report.schedule")])
def schedule(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Write the reports of a concluded grant down, or move the open ones after a change of its days."""
    made = scheduling.schedule_now(uow, who, reference)
    uow.flush()
    return [report_view(who, report) for report in made]


@router.get("/reports", dependencies=[allowed("grants.report.list")])
def listed(  # noqa: PLR0917 - a query as long as its filters
    request: Request,
    who: Who,
    connection: Reader,
    state: str = "review",
    programme: str = "",
    cursor: str | None = None,
) -> ReportPage:
    """Return reports by what they wait for: `state` is review, overdue, due, accepted or all."""
    page = listing.listed(connection, who, today(request), state=state, programme=programme, cursor=cursor)
    return ReportPage(items=[dict(row) for row in page.items], next=page.next)


@router.get("/reports/mine", dependencies=[allowed("grants.report.mine")])
def mine(request: Request, who: Who, connection: Reader, state: str = "all", cursor: str | None = None) -> ReportPage:
    """Return the reports of one's own organisation."""
    page = listing.mine(connection, who, today(request), state=state, cursor=cursor)
    return ReportPage(items=[dict(row) for row in page.items], next=page.next)


@router.get(_ONE, dependencies=[allowed("grants.report.read")])
def report(report_id: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return a report with its versions. That staff read it is recorded."""
    return report_view(who, reviewing.seen(uow, who, report_id))


@router.get(_ONE + "/problems", dependencies=[allowed("grants.report.read")])
def problems(report_id: str, who: Who, uow: Uow) -> dict[str, str]:
    """Return what keeps the report from being handed in: {field: rule}."""
    seen = reviewing.seen(uow, who, report_id)
    return writing.missing(setting_of(uow, seen), seen)


@router.get(_ONE + "/budget", dependencies=[allowed("grants.report.read")])
def budget(report_id: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return each budget line: agreed, spent before, spent in this period, left, and how far that is in per cent."""
    seen = reviewing.seen(uow, who, report_id)
    states = setting_of(uow, seen).lines_of(seen)
    return [state.model_dump(mode="json") | {"left": str(state.left), "so_far": str(state.so_far)} for state in states]


@router.put(_ONE, dependencies=[allowed("grants.report.write")])
def save(report_id: str, command: writing.SaveReport, who: Who, uow: Uow) -> dict[str, Any]:
    """Keep the narrative, the indicators' entries and the explanations; 409 says who changed it since `version`."""
    return _view(uow, who, writing.save(uow, who, report_id, command))


@router.post(_ONE + "/costs", status_code=201, dependencies=[allowed("grants.report.write")])
def enter_costs(report_id: str, command: CostsCommand, who: Who, uow: Uow) -> dict[str, Any]:
    """Enter costs, all of them or none; 422 names each wrong one as costs.<place>.<field>."""
    numbers = writing.enter_costs(uow, who, report_id, command.version, command.costs)
    uow.flush()
    return {"numbers": numbers, "report": report_view(who, reviewing.seen(uow, who, report_id))}


@router.post(_ONE + "/costs/import", dependencies=[allowed("grants.report.write")])
def import_costs(  # noqa: PLR0917 - a form's fields beside what every route has
    report_id: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    version: Annotated[int, Form()],
    dry_run: Annotated[bool, Form()] = False,
) -> importing.Imported:
    """Enter the costs of a CSV or XLSX file, with a result per row; one wrong row, and none of them is entered."""
    content = importing.Upload(file.filename or "", file.file)
    return importing.import_costs(uow, who, report_id, version, content, dry_run=dry_run)


@router.put(_ONE + "/costs/{number}", dependencies=[allowed("grants.report.write")])
def change_cost(report_id: str, number: int, command: CostCommand, who: Who, uow: Uow) -> dict[str, Any]:
    """Write a cost anew."""
    return _view(uow, who, writing.enter_cost(uow, who, report_id, command.version, command.cost, number=number))


@router.delete(_ONE + "/costs/{number}", dependencies=[allowed("grants.report.write")])
def drop_cost(report_id: str, number: int, version: int, who: Who, uow: Uow) -> dict[str, Any]:
    """Take a cost out."""
    return _view(uow, who, writing.drop_cost(uow, who, report_id, version, number))


@router.post(_ONE + "/documents", status_code=201, dependencies=[allowed("grants.report.write")])
def attach(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    report_id: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=60)],
    version: Annotated[int | None, Form()] = None,
) -> Document:
    """Attach a document of a kind that the call names."""
    place, name = store(request), file.filename or ""
    return writing.attach(uow, who, report_id, version, place, kind=kind, name=name, content=file.file)


@router.delete(_ONE + "/documents/{document_id}", dependencies=[allowed("grants.report.write")])
def detach(report_id: str, document_id: str, version: int, who: Who, uow: Uow) -> dict[str, Any]:
    """Take a document out of a report that is open."""
    return _view(uow, who, writing.detach(uow, who, report_id, version, document_id))


@router.get(_ONE + "/documents/{document_id}", dependencies=[allowed("grants.report.read")])
def download(request: Request, report_id: str, document_id: str, who: Who, uow: Uow) -> Response:
    """Return a document's content, its hash checked; the read is recorded."""
    document, content = reviewing.read_document(uow, who, report_id, document_id, store(request))
    return file_answer(document, content)


@router.post(_ONE + "/submission", dependencies=[allowed("grants.report.write")])
def submit(report_id: str, command: Versioned, who: Who, uow: Uow) -> dict[str, Any]:
    """Hand the report in; 422 names everything that is missing or wrong."""
    return _view(uow, who, writing.submit(uow, who, report_id, command.version))


@router.post(_ONE + "/costs/{number}/decision", dependencies=[allowed("grants.report.review")])
def decide_cost(report_id: str, number: int, command: reviewing.DecideCost, who: Who, uow: Uow) -> dict[str, Any]:
    """Accept a cost, cut it to `amount`, or refuse it, with the code and the reason."""
    return _view(uow, who, reviewing.decide_cost(uow, who, report_id, number, command))


@router.post(_ONE + "/costs/acceptance", dependencies=[allowed("grants.report.review")])
def accept_open_costs(report_id: str, command: Versioned, who: Who, uow: Uow) -> dict[str, Any]:
    """Accept every cost about which nothing is decided yet."""
    return _view(uow, who, reviewing.accept_open_costs(uow, who, report_id, command.version))


@router.post(_ONE + "/return", dependencies=[allowed("grants.report.accept")])
def give_back(report_id: str, command: reviewing.GiveBack, who: Who, uow: Uow) -> dict[str, Any]:
    """Return the report: the named parts are open again, and the reason is read by the recipient."""
    return _view(uow, who, reviewing.give_back(uow, who, report_id, command))


@router.post(_ONE + "/acceptance", dependencies=[allowed("grants.report.accept")])
def accept(report_id: str, command: reviewing.Accept, who: Who, uow: Uow) -> dict[str, Any]:
    """Accept the report; 409 names costs that are not decided yet."""
    return _view(uow, who, reviewing.accept(uow, who, report_id, command))


@router.post(_ONE + "/correction", dependencies=[allowed("grants.report.accept")])
def reopen(report_id: str, command: reviewing.GiveBack, who: Who, uow: Uow) -> dict[str, Any]:
    """Let parts of an accepted report be corrected as a new version, with the reason."""
    return _view(uow, who, reviewing.reopen(uow, who, report_id, command))


@router.get("/indicators", dependencies=[allowed("grants.indicator.read")])
def indicators(who: Who, connection: Reader, programme: str = "") -> list[dict[str, Any]]:
    """Return what a programme's indicators stood at by quarter, from accepted reports, with target and parts."""
    _, found = listing.series(connection, who, programme)
    return [
        {
            "indicator": item.indicator.model_dump(mode="json"),
            "target": None if item.target is None else str(item.target),
            "baseline": None if item.baseline is None else str(item.baseline),
            "grants": item.grants,
            "quarters": [
                {"quarter": name, "figure": figure.model_dump(mode="json", exclude={"counted"}) if figure else None}
                for name, figure in zip(item.quarters, item.stands, strict=True)
            ],
        }
        for item in found
    ]
