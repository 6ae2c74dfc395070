"""A report as it stands, and what the programme does with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from services.grants.api.applications import file_answer, store
from services.grants.domain.reporting.checking import problems
from services.grants.domain.reporting.report import Verdict
from services.grants.handlers.reporting import reviewing, writing
from services.grants.pages.reports.common import ReportPage, to
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity

router = APIRouter(prefix="/reports/{report_id}")


def overview(request: Request, uow: UnitOfWork, who: Identity, report_id: str, **more: Any) -> HTMLResponse:
    """Show all of a report: figures, costs with what was decided, the budget, versions, and what can be done."""
    page = ReportPage(request, uow, who, reviewing.seen(uow, who, report_id))
    report, setting = page.report, page.setting
    figures, _ = setting.figures(report)
    states = setting.lines_of(report) if setting.rules.financial else []
    context: dict[str, Any] = {
        "figures": figures,
        "stands": {item.id: setting.stands(item) for item in setting.indicators},
        "states": states,
        "missing": problems(setting, report) if report.open and page.own else {},
        "undecided": [cost.number for cost in report.costs if cost.decision == "open"],
    }
    return page.show("report.html", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    more = {"conflict": problem, "given": request.state.typed, "status_code": 409}
    return overview(request, uow, who, request.path_params["report_id"], **more)


STAY = stay(_stays)


def _refused(
    request: Request, uow: UnitOfWork, who: Identity, report_id: str, *, error: InvalidError, given: dict[str, Any]
) -> HTMLResponse:
    uow.abandon()
    more = {"errors": error.fields, "given": given, "status_code": 422}
    return overview(request, uow, who, report_id, **more)


@router.get("", dependencies=[allowed("grants.report.read")])
def report(request: Request, report_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show a report; that staff opened it is recorded."""
    return overview(request, uow, who, report_id)


class VersionForm(FormModel):
    """A form that needs nothing but the version that was seen."""

    version: int


@router.post("/submission", dependencies=[STAY, allowed("grants.report.write")])
def submit(request: Request, report_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    """Hand the report in; what is missing is named on its page."""
    try:
        writing.submit(uow, who, report_id, form.version)
    except InvalidError as error:
        return _refused(request, uow, who, report_id, error=error, given={})
    return to(report_id)


class DecisionForm(FormModel):
    """The form that decides about one cost."""

    decision: Verdict
    amount: str = ""
    code: str = ""
    reason: str = ""
    version: int


@router.post("/costs/{number}/decision", dependencies=[STAY, allowed("grants.report.review")])
def decide(  # noqa: PLR0917 - the address's parts beside what every route has
    request: Request, report_id: str, number: int, form: Annotated[DecisionForm, Form()], who: Who, uow: Uow
) -> Response:
    """Accept a cost, cut it or refuse it."""
    given = form.model_dump(exclude={"csrf"}) | {"cost": number}
    body = form.model_dump(exclude={"csrf", "amount"}) | {"amount": form.amount or Decimal(0)}
    try:
        command = reviewing.DecideCost.model_validate(body)
        reviewing.decide_cost(uow, who, report_id, number, command)
    except ValidationError as error:
        return _refused(request, uow, who, report_id, error=invalid(error), given=given)
    except InvalidError as error:
        return _refused(request, uow, who, report_id, error=error, given=given)
    response = to(report_id)
    response.headers["location"] += f"#cost-{number}"
    return response


@router.post("/costs/acceptance", dependencies=[STAY, allowed("grants.report.review")])
def accept_open_costs(report_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    """Accept every cost about which nothing is decided yet."""
    reviewing.accept_open_costs(uow, who, report_id, form.version)
    return to(report_id)


class BackForm(FormModel):
    """The form that returns a report, or opens an accepted one for a correction."""

    parts: list[str] = []
    why: str = ""
    version: int

    def command(self) -> reviewing.GiveBack:
        """Return what is to be done."""
        return reviewing.GiveBack(parts=self.parts, why=self.why[:5000], version=self.version)


@router.post("/return", dependencies=[STAY, allowed("grants.report.accept")])
def give_back(request: Request, report_id: str, form: Annotated[BackForm, Form()], who: Who, uow: Uow) -> Response:
    """Return the report with what is to be mended."""
    try:
        reviewing.give_back(uow, who, report_id, form.command())
    except InvalidError as error:
        return _refused(request, uow, who, report_id, error=error, given=form.model_dump())
    return to(report_id)


@router.post("/correction", dependencies=[STAY, allowed("grants.report.accept")])
def reopen(request: Request, report_id: str, form: Annotated[BackForm, Form()], who: Who, uow: Uow) -> Response:
    """Open parts of an accepted report for a correction."""
    try:
        reviewing.reopen(uow, who, report_id, form.command())
    except InvalidError as error:
        return _refused(request, uow, who, report_id, error=error, given=form.model_dump())
    return to(report_id)


class AcceptForm(FormModel):
    """The form that accepts a report."""

    comment: str = ""
    version: int


@router.post("/acceptance", dependencies=[STAY, allowed("grants.report.accept")])
def accept(report_id: str, form: Annotated[AcceptForm, Form()], who: Who, uow: Uow) -> Response:
    """Accept the report."""
    reviewing.accept(uow, who, report_id, reviewing.Accept(comment=form.comment[:5000], version=form.version))
    return to(report_id)


@router.get("/documents/{document_id}", dependencies=[allowed("grants.report.read")])
def download(request: Request, report_id: str, document_id: str, who: Who, uow: Uow) -> Response:
    """Download a document, its hash checked; the read is recorded."""
    document, content = reviewing.read_document(uow, who, report_id, document_id, store(request))
    return file_answer(document, content)
