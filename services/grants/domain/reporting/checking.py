"""What keeps a report from being handed in: {field: rule}, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.grants.domain.reporting.costs import (
    ZERO,
    Agreed,
    Frame,
    LineState,
    by_line,
    cost_problems,
    line_states,
    repeated,
)
from services.grants.domain.reporting.drafting import COSTS, DOCUMENTS, INDICATORS, MAX_TEXT
from services.grants.domain.reporting.report import Report
from services.grants.domain.reporting.results import Count, Figure, field_names, figure_of, to_date
from shared.errors import Rule
from shared.events.reporting_rules import Indicator, Reporting
from shared.forms import answer_problems
from shared.money import Money


@dataclass(frozen=True)
class Setting:
    """What a report is judged by: the call's rules and indicators, the budget, and the reports before it."""

    rules: Reporting
    indicators: tuple[Indicator, ...]
    lines: tuple[str, ...]
    agreed: Mapping[str, Agreed]
    earlier: Sequence[Report]
    today: date

    @property
    def parts(self) -> list[str]:
        """Return what of a report can be asked for again."""
        sections = [section.id for section in self.rules.questions.sections] if self.rules.narrative else []
        own = [COSTS] if self.rules.financial else []
        return [*sections, *own, *([INDICATORS] if self.indicators else []), DOCUMENTS]

    def part_of(self, field: str) -> str:
        """Return the part in which a field stands."""
        kind, _, rest = field.partition(".")
        if kind == "answers":
            return self.rules.questions.section_of(rest) or kind
        return {"entries": INDICATORS, "explanations": COSTS}.get(kind, kind)

    def frame(self, report: Report) -> Frame:
        """Return what its costs are judged by."""
        return Frame(
            currency=report.currency,
            starts_on=report.starts_on,
            ends_on=report.ends_on,
            period_to=report.period_to,
            lines=self.lines,
            documents=tuple(document.id for document in report.documents),
            today=self.today,
        )

    def spent_before(self) -> dict[str, Decimal]:
        """Return the spending of the reports before: what was accepted, or claimed where nothing is decided yet."""
        found: dict[str, Decimal] = {}
        for report in self.earlier:
            accepted = report.status == "accepted"
            if accepted or report.status == "submitted":
                for line, amount in by_line(report.costs, report.currency, accepted=accepted).items():
                    found[line] = found.get(line, ZERO) + amount
        return found

    def lines_of(self, report: Report, *, accepted: bool = False) -> list[LineState]:
        """Return how the spending stands beside the budget."""
        period = by_line(report.costs, report.currency, accepted=accepted)
        return line_states(self.agreed, self.spent_before(), period, self.rules, final=report.kind == "final")

    def figures_before(self, indicator: str) -> list[Figure]:
        """Return what accepted reports before this one said of an indicator, in order."""
        return [report.figures[indicator] for report in self.earlier if indicator in report.figures]

    def stands(self, indicator: Indicator) -> Count | None:
        """Return where the reports before left an indicator."""
        figure = to_date(indicator, [self.figures_before(indicator.id)])
        return figure.total if figure else None

    def figures(self, report: Report) -> tuple[dict[str, Figure], dict[str, str]]:
        """Return what a report says of each indicator, and {field: rule} of what is wrong with it."""
        found: dict[str, Figure] = {}
        wrong: dict[str, str] = {}
        for indicator in self.indicators:
            figure, problems = figure_of(indicator, report.entries, self.stands(indicator))
            wrong |= {f"entries.{name}": rule for name, rule in problems.items()}
            if figure is not None:
                found[indicator.id] = figure
        return found, wrong


def unkeepable(setting: Setting, report: Report, written: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return {field: rule} of what can't even be kept in a draft: unknown or locked fields, endless texts."""
    entries = {name for item in setting.indicators for name in field_names(item)}
    wrong: dict[str, str] = {}
    for kind, texts in written.items():
        stored: dict[str, str] = getattr(report, kind)
        for name, text in texts.items():
            field = f"{kind}.{name}"
            known = {
                "answers": setting.rules.questions.cell(name) is not None,
                "entries": name in entries,
                "explanations": name in setting.lines,
            }
            if not known[kind]:
                wrong[field] = "is not a question of this form"
            elif len(text) > MAX_TEXT * (5 if name.endswith(".ids") else 1):
                wrong[field] = Rule("is longer than %(most)s characters", most=MAX_TEXT)
            elif text != stored.get(name, "") and not report.may_change(setting.part_of(field)):
                wrong[field] = "is locked: it was not asked for"
    return wrong


def problems(setting: Setting, report: Report) -> dict[str, str]:
    """Return {field: rule} of everything that keeps the report from being handed in today."""
    found: dict[str, str] = {}
    if setting.today < report.period_to:
        found["period_to"] = Rule("the period is not over: it ends on %(day)s", day=report.period_to)
    if setting.rules.narrative:
        asked = answer_problems(setting.rules.questions, report.answers)
        found |= {f"answers.{name}": rule for name, rule in asked.items()}
    found |= setting.figures(report)[1]
    if setting.rules.financial:
        found |= _cost_problems(setting, report)
    if report.status == "draft":
        return found
    return {name: rule for name, rule in found.items() if setting.part_of(name) in report.asked}


def _cost_problems(setting: Setting, report: Report) -> dict[str, str]:
    frame, found = setting.frame(report), repeated(report.costs)
    for cost in report.costs:
        found |= {f"costs.{cost.number}.{name}": rule for name, rule in cost_problems(cost, frame).items()}
        if setting.rules.proof_required and not cost.document:
            found[f"costs.{cost.number}.document"] = "is required: the invoice or another proof"
    for state in setting.lines_of(report):
        if state.explain and not report.explanations.get(state.line, "").strip():
            found[f"explanations.{state.line}"] = _unexplained(state, report.currency)
    return found


def _unexplained(state: LineState, currency: str) -> Rule:
    facts = {"spent": Money.of(state.so_far, currency), "agreed": Money.of(state.agreed, currency)}
    if state.percent is None:
        return Rule("needs an explanation: %(spent)s spent, nothing agreed", spent=facts["spent"])
    return Rule(
        "needs an explanation: %(spent)s of %(agreed)s agreed is %(percent)s %% away", **facts, percent=state.percent
    )
