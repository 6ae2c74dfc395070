"""The costs of a report as the recipient enters them: one by one or from a file, with the documents behind them."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import ValidationError

from services.grants.api.applications import store
from services.grants.domain.reporting import CostEntry
from services.grants.handlers.reporting import importing, reviewing, writing
from services.grants.pages.reports.common import ReportPage, to
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.i18n import translate
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity
from shared.workflow.model import say

router = APIRouter(prefix="/reports/{report_id}")
WRITE = [allowed("grants.report.write")]


def costs_page(request: Request, uow: UnitOfWork, who: Identity, report_id: str, **more: Any) -> Response:
    """Show the costs and documents of a report that is open."""
    page = ReportPage(request, uow, who, reviewing.seen(uow, who, report_id))
    if not page.report.open or not page.own:
        return to(report_id)
    context: dict[str, Any] = {"states": page.setting.lines_of(page.report), "imported": None, "editing": None}
    return page.show("costs.html", "costs", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> Response:
    more = {"conflict": problem, "given": request.state.typed, "status_code": 409}
    return costs_page(request, uow, who, request.path_params["report_id"], **more)


STAY = stay(_stays)


@router.get("/costs", dependencies=WRITE)
def costs(request: Request, report_id: str, who: Who, uow: Uow, cost: int | None = None) -> Response:
    """Show the costs; with `cost` the form is filled with that one."""
    report = reviewing.seen(uow, who, report_id)
    if cost is None or not report.open:
        return costs_page(request, uow, who, report_id)
    entry = report.cost(cost)
    given = {name: str(value or "") for name, value in entry if name in CostForm.model_fields}
    given |= {"partner": str(entry.partner), "amount": str(entry.claimed.amount), "currency": entry.claimed.currency}
    return costs_page(request, uow, who, report_id, given=given, editing=cost)


class CostForm(FormModel):
    """The form of a cost; `number` is that of the cost that is written anew."""

    paid_on: str = ""
    line: str = ""
    source: str = "grant"
    description: str = ""
    invoice_number: str = ""
    supplier: str = ""
    supplier_tax_id: str = ""
    amount: str = ""
    currency: str = ""
    vat: str = ""
    exchange_rate: str = ""
    rate_source: str = ""
    document: str = ""
    partner: str = ""
    number: int | None = None
    version: int

    def entry(self) -> CostEntry:
        """Return it as the domain reads it; raises InvalidError with the form's own names."""
        body = self.model_dump(exclude={"csrf", "amount", "currency", "number", "version"})
        body |= {"claimed": {"amount": self.amount, "currency": self.currency}, "vat": self.vat or "0.00"}
        body |= {"exchange_rate": self.exchange_rate or None, "partner": self.partner or 0}
        try:
            return CostEntry.model_validate(body)
        except ValidationError as error:
            raise _named(invalid(error)) from error


def _named(error: InvalidError) -> InvalidError:
    names = {"claimed": "amount", "claimed.amount": "amount", "claimed.currency": "currency"}
    return InvalidError({names.get(name, name): rule for name, rule in error.fields.items()})


@router.post("/costs", dependencies=[STAY, *WRITE])
def enter(request: Request, report_id: str, form: Annotated[CostForm, Form()], who: Who, uow: Uow) -> Response:
    """Enter a cost, or write one anew; refused, the form comes back as it was typed."""
    try:
        writing.enter_cost(uow, who, report_id, form.version, form.entry(), number=form.number)
    except InvalidError as error:
        uow.abandon()
        more = {"errors": _named(error).fields, "given": form.model_dump(), "editing": form.number}
        return costs_page(request, uow, who, report_id, status_code=422, **more)
    return to(report_id, "costs")


class DropForm(FormModel):
    """A form that needs nothing but the version that was seen."""

    version: int


@router.post("/costs/{number}/removal", dependencies=[STAY, *WRITE])
def drop(report_id: str, number: int, form: Annotated[DropForm, Form()], who: Who, uow: Uow) -> Response:
    """Take a cost out."""
    writing.drop_cost(uow, who, report_id, form.version, number)
    return to(report_id, "costs")


@router.post("/costs/import", dependencies=[STAY, *WRITE])
def import_costs(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    report_id: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    version: Annotated[int, Form()],
    go: Annotated[str, Form(max_length=10)] = "enter",
) -> Response:
    """Enter the costs of a file, or try it; either way there is a result for each row."""
    upload = importing.Upload(file.filename or "", file.file)
    try:
        result = importing.import_costs(uow, who, report_id, version, upload, dry_run=go == "try")
    except InvalidError as error:
        uow.abandon()
        return costs_page(request, uow, who, report_id, status_code=422, errors=error.fields)
    uow.flush()
    return costs_page(request, uow, who, report_id, imported=result, status_code=422 if result.wrong else 200)


@router.get("/costs/template", dependencies=WRITE)
def template(request: Request, report_id: str, who: Who, uow: Uow) -> Response:
    """Give an empty table with the headings, in the reader's language, and the call's budget lines in a row each."""
    page = ReportPage(request, uow, who, reviewing.seen(uow, who, report_id))
    text = io.StringIO()
    writer = csv.writer(text)
    headings = {name: translate("grants", words[0], locale=page.locale) for name, words in importing.COLUMNS.items()}
    writer.writerow(headings.values())
    for line in page.call.budget_lines:
        row = {"line": say(line.name, page.locale), "currency": page.report.currency}
        writer.writerow([row.get(name, "") for name in headings])
    headers = {"content-disposition": f'attachment; filename="costs-{page.report.id}.csv"'}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/documents", dependencies=[STAY, *WRITE])
def attach(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    report_id: str,
    who: Who,
    uow: Uow,
    file: Annotated[list[UploadFile], File()],
    kind: Annotated[str, Form(max_length=60)],
) -> Response:
    """Attach documents, several at once; one that is not taken is named, and then none is."""
    place = store(request)
    try:
        for item in file:
            name = item.filename or ""
            writing.attach(uow, who, report_id, None, place, kind=kind, name=name, content=item.file)
    except InvalidError as error:
        uow.abandon()
        return costs_page(request, uow, who, report_id, status_code=422, refused_file=error, chosen_kind=kind)
    return to(report_id, "costs")


@router.post("/documents/{document_id}/removal", dependencies=[STAY, *WRITE])
def detach(report_id: str, document_id: str, form: Annotated[DropForm, Form()], who: Who, uow: Uow) -> Response:
    """Take a document out."""
    writing.detach(uow, who, report_id, form.version, document_id)
    return to(report_id, "costs")
