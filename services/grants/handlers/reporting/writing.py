"""What the recipient does with a report: writes, enters costs, attaches, hands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from services.grants.domain.application import Document, Person
from services.grants.domain.merging import Merged, digest, merge
from services.grants.domain.reporting import CostEntry, Report, cost_problems
from services.grants.domain.reporting.checking import Setting, problems, unkeepable
from services.grants.domain.reporting.costs import Resemblance
from services.grants.domain.reporting.drafting import COSTS, DOCUMENTS
from services.grants.domain.reporting.results import field_names
from services.grants.domain.reporting.schedule import working_days_later
from services.grants.handlers.base import Command
from services.grants.handlers.reporting.base import WRITE, pack_for, report_for, setting_of
from services.grants.storage.reports import last_change, meet
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import InvalidError, Rule, StaleVersionError
from shared.forms import tidy
from shared.web.identity import Identity

KINDS = ("answers", "entries", "explanations")


class SaveReport(Command):
    """What the report's form says now: its narrative, its indicators, why lines are off their budget."""

    version: int
    answers: dict[str, str] = {}
    entries: dict[str, str] = {}
    explanations: dict[str, str] = {}

    def written(self) -> dict[str, dict[str, str]]:
        """Return {kind: {field: text}}."""
        return {name: getattr(self, name) for name in KINDS}


@dataclass(frozen=True)
class Kept:
    """What became of a posted form: {field: rule} of what stays as it was stored, and what another form changed."""

    report: Report
    setting: Setting
    wrong: dict[str, str]
    merged: Merged


def texts(setting: Setting, report: Report) -> dict[str, str]:
    """Return every field of the form as it is stored."""
    asked = setting.rules.questions.questions if setting.rules.narrative else {}
    cells = [name for name in report.answers if "." in name]
    plain = [name for name, question in asked.items() if question.kind != "rows"]
    found = {f"answers.{name}": report.answers.get(name, "") for name in [*plain, *cells]}
    names = [name for indicator in setting.indicators for name in field_names(indicator)]
    found |= {f"entries.{name}": report.entries.get(name, "") for name in names}
    return found | {f"explanations.{line}": report.explanations.get(line, "") for line in setting.lines}


def marks(setting: Setting, report: Report) -> dict[str, str]:
    """Return {field: digest} of what is stored now."""
    return {name: digest(text) for name, text in texts(setting, report).items()}


def save(uow: UnitOfWork, who: Identity, report_id: str, command: SaveReport) -> Report:
    """Keep what the form says, all of it or nothing; a form older than the report is refused."""
    report = report_for(uow, who, WRITE, report_id, expected=command.version)
    setting = setting_of(uow, report)
    if wrong := unkeepable(setting, report, command.written()):
        raise InvalidError(wrong)
    _store(setting, report, command.written())
    return report


def save_what_fits(
    uow: UnitOfWork, who: Identity, report_id: str, command: SaveReport, base: Mapping[str, str]
) -> Kept:
    """Keep each field that can be kept; of a form older than the report, those that nobody else changed."""
    report = report_for(uow, who, WRITE, report_id)
    setting = setting_of(uow, report)
    stored, written = texts(setting, report), command.written()
    mine = {f"{kind}.{name}": text for kind, given in written.items() for name, text in given.items()}
    merged = merge({name: text for name, text in mine.items() if name in stored}, stored, base)
    wrong = unkeepable(setting, report, written)
    keep = {
        kind: {
            name: text
            for name, text in given.items()
            if f"{kind}.{name}" not in wrong and not merged.keeps(f"{kind}.{name}")
        }
        for kind, given in written.items()
    }
    _store(setting, report, keep)
    return Kept(report, setting, wrong, merged)


def _store(setting: Setting, report: Report, written: Mapping[str, Mapping[str, str]]) -> None:
    answers = tidy(setting.rules.questions, written["answers"])
    report.save(answers, written["entries"], written["explanations"])


def changed_since(uow: UnitOfWork, report: Report, expected: int) -> StaleVersionError:
    """Return the refusal of an act on an older version: who was faster, and when."""
    row = last_change(uow.connection, report.id)
    return StaleVersionError(expected=expected, current=report.version, by=row["updated_by_name"], at=row["updated_at"])


def enter_costs(
    uow: UnitOfWork, who: Identity, report_id: str, version: int, entries: Sequence[CostEntry]
) -> list[int]:
    """Enter costs, all of them or none; {costs.<n>.<field>: rule} counts what was sent from 1."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    report.must_be_open(COSTS)
    frame = setting_of(uow, report).frame(report)
    wrong: dict[str, str] = {}
    for place, entry in enumerate(entries, 1):
        wrong |= {f"costs.{place}.{name}": rule for name, rule in cost_problems(entry, frame).items()}
    if wrong:
        raise InvalidError(wrong)
    return report.enter_costs(entries)


def enter_cost(
    uow: UnitOfWork, who: Identity, report_id: str, version: int, entry: CostEntry, *, number: int | None = None
) -> Report:
    """Enter one cost, or write the one of that number anew."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    report.must_be_open(COSTS)
    if wrong := cost_problems(entry, setting_of(uow, report).frame(report)):
        raise InvalidError(wrong)
    if number is None:
        report.enter_costs([entry])
    else:
        report.change_cost(number, entry)
    return report


def drop_cost(uow: UnitOfWork, who: Identity, report_id: str, version: int, number: int) -> Report:
    """Take a cost out."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    report.drop_cost(number)
    return report


def attach(
    uow: UnitOfWork,
    who: Identity,
    report_id: str,
    version: int | None,
    store: DocumentStore,
    *,
    kind: str,
    name: str,
    content: BinaryIO,
) -> Document:
    """Check, store and attach a document of a kind that the call names."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    if not report.may_change(COSTS):
        report.must_be_open(DOCUMENTS)
    kinds = [item.id for item in setting_of(uow, report).rules.documents]
    if kind not in kinds:
        raise InvalidError({"kind": Rule("must be one of: %(names)s", names=", ".join(kinds))})
    stored, actor = store.put(name, content), uow.context.actor
    about: dict[str, Any] = {"id": str(uow.ids()), "kind": kind, "added_by": actor.id, "added_by_name": actor.name}
    document = Document(**about, added_at=uow.now(), **stored.model_dump())
    report.attach(document)
    return document


def detach(uow: UnitOfWork, who: Identity, report_id: str, version: int, document_id: str) -> Report:
    """Take a document out of a report that is open."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    report.detach(document_id)
    return report


def missing(setting: Setting, report: Report) -> dict[str, str]:
    """Return what keeps the report from being handed in now."""
    return problems(setting, report)


def submit(uow: UnitOfWork, who: Identity, report_id: str, version: int) -> Report:
    """Hand the report in; whatever its costs have in common with others' is noted for the programme."""
    report = report_for(uow, who, WRITE, report_id, expected=version)
    setting = setting_of(uow, report)
    if report.open and (wrong := problems(setting, report)):
        raise InvalidError(wrong)
    met = meet(uow.connection, report.id, {cost.number: cost.marks for cost in report.costs}, uow.now())
    alike = {number: _alike(found, report.id) for number, found in met.items()}
    country = pack_for(uow.connection, report).calendar.country
    due = working_days_later(setting.today, setting.rules.review_days, country)
    actor = uow.context.actor
    report.submit(Person(id=actor.id, name=actor.name, role=actor.role), uow.now(), review_due=due, alike=alike)
    return report


def _alike(found: Sequence[Mapping[str, Any]], report_id: str) -> list[Resemblance]:
    """Return one line for each other cost: of what it has in common only what says most.

    A supplier's equal amounts within one report are a rent or a rate; in another one they are worth a look.
    """
    order = {"same": 0, "invoice": 1, "amount": 2}
    best: dict[tuple[str, int], Mapping[str, Any]] = {}
    for item in sorted(found, key=lambda one: order[one["what"]]):
        if item["what"] != "amount" or item["case"] != report_id:
            best.setdefault((item["case"], item["number"]), item)
    return [Resemblance(**item) for item in best.values()]
