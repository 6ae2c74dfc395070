"""Costs out of a CSV or XLSX file: a result for each row, and all of them entered or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from services.grants.domain.pack import Category
from services.grants.domain.reporting import CostEntry, Frame, Report, cost_problems
from services.grants.domain.reporting.drafting import COSTS
from services.grants.handlers.reporting.base import WRITE, pack_for, report_for, setting_of
from shared.database import UnitOfWork
from shared.errors import InvalidError, Rule
from shared.sheets import day_of, read_rows
from shared.web.forms import field_errors
from shared.web.identity import Identity

# The columns of the file: field, and the headings under which it is known besides its own name.
COLUMNS: dict[str, tuple[str, ...]] = {
    "paid_on": ("Paid on", "Date", "Дата оплаты", "Дата"),
    "line": ("Budget line", "Line", "Статья бюджета", "Статья"),
    "source": ("Paid from", "Источник"),
    "description": ("What for", "Description", "За что", "Описание"),
    "invoice_number": ("Invoice", "Invoice number", "Номер счёта", "Счёт"),
    "supplier": ("Supplier", "Поставщик"),
    "supplier_tax_id": ("Tax number", "Supplier's tax number", "ИНН", "ИНН поставщика"),
    "amount": ("Amount", "Сумма"),
    "currency": ("Currency", "Валюта"),
    "vat": ("Recoverable VAT", "VAT", "Возмещаемый НДС", "НДС"),
    "exchange_rate": ("Exchange rate", "Rate", "Курс"),
    "rate_source": ("Source of the rate", "Источник курса"),
    "document": ("Document", "File", "Документ", "Файл"),
    "partner": ("Partner", "Партнёр"),
}
NEEDED = ("paid_on", "line", "description", "invoice_number", "supplier", "supplier_tax_id", "amount")
_SOURCES = {"": "grant", "grant": "grant", "грант": "grant", "own": "own", "собственные": "own", "own means": "own"}


@dataclass(frozen=True)
class Upload:
    """A file as it came."""

    name: str
    content: BinaryIO


class RowResult(BaseModel):
    """What became of one row of the file, counted as a spreadsheet does: {field: rule} of what is wrong."""

    row: int
    cost: int | None = None
    what: str = ""
    wrong: dict[str, str] = {}


class Imported(BaseModel):
    """What became of a file: nothing is entered while a row is wrong, nor by a dry run."""

    entered: int
    wrong: int
    rows: list[RowResult]


def import_costs(
    uow: UnitOfWork, who: Identity, report_id: str, version: int, upload: Upload, *, dry_run: bool = False
) -> Imported:
    """Enter the costs of a file; see `Imported`."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    report.must_be_open(COSTS)
    categories = pack_for(uow.connection, report).call(report.call).budget_lines
    rows = read_rows(upload.name, upload.content)
    results, entries = _read(rows, report, setting_of(uow, report).frame(report), categories)
    wrong = sum(1 for result in results if result.wrong)
    if wrong or dry_run:
        return Imported(entered=0, wrong=wrong, rows=results)
    numbers = report.enter_costs(entries)
    numbered = [result.model_copy(update={"cost": n}) for result, n in zip(results, numbers, strict=True)]
    return Imported(entered=len(numbers), wrong=0, rows=numbered)


def _read(
    rows: Sequence[Sequence[str]], report: Report, frame: Frame, categories: Sequence[Category]
) -> tuple[list[RowResult], list[CostEntry]]:
    places = _places(rows[0] if rows else [])
    if len(rows) < 2:
        raise InvalidError({"file": "has headings but no rows"})
    results, entries = [], []
    for number, cells in enumerate(rows[1:], 2):
        given = {name: cells[place] if place < len(cells) else "" for name, place in places.items()}
        entry, wrong = _entry(given, report, frame, categories)
        results.append(RowResult(row=number, what=given.get("description", "")[:80], wrong=wrong))
        entries += [entry] if entry else []
    return results, entries


def _places(headings: Sequence[str]) -> dict[str, int]:
    known = {word.casefold(): name for name, words in COLUMNS.items() for word in (name, *words)}
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        if name := known.get(heading.strip().rstrip("*").strip().casefold()):
            found.setdefault(name, place)
    if lacking := [COLUMNS[name][0] for name in NEEDED if name not in found]:
        raise InvalidError({"file": Rule("has no columns: %(names)s", names=", ".join(lacking))})
    return found


def _entry(
    given: Mapping[str, str], report: Report, frame: Frame, categories: Sequence[Category]
) -> tuple[CostEntry | None, dict[str, str]]:
    documents = {document.name.casefold(): document.id for document in report.documents}
    source = given.get("source", "").casefold()
    document = given.get("document", "")
    body: dict[str, Any] = {
        "paid_on": day_of(given["paid_on"]),
        "line": _line(given["line"], categories),
        "source": _SOURCES.get(source, source),
        "claimed": {"amount": given["amount"], "currency": given.get("currency") or report.currency},
        "vat": given.get("vat") or "0.00",
        "exchange_rate": given.get("exchange_rate") or None,
        "document": documents.get(document.casefold(), document),
        "partner": given.get("partner") or 0,
    }
    texts = ("description", "invoice_number", "supplier", "supplier_tax_id", "rate_source")
    body |= {name: given.get(name, "") for name in texts}
    try:
        entry = CostEntry.model_validate(body)
    except ValidationError as error:
        return None, field_errors(error.errors(include_url=False, include_input=False))
    wrong = cost_problems(entry, frame)
    return (None if wrong else entry), wrong


def _line(text: str, categories: Sequence[Category]) -> str:
    names = {name.casefold(): item.id for item in categories for name in item.name.values()}
    return names.get(text.casefold(), text)
