"""What the pages of a report have in common: names, states, and what a reader may see and do."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.domain.pack import Call
from services.grants.domain.reporting import Report
from services.grants.domain.reporting.checking import Setting
from services.grants.domain.reporting.drafting import COSTS, DOCUMENTS, INDICATORS
from services.grants.handlers import partnering
from services.grants.handlers.base import owns
from services.grants.handlers.reporting.base import ACCEPT, REVIEW, WRITE, pack_for, role_on, setting_of
from services.grants.pages.common import back, show
from shared.database import UnitOfWork
from shared.errors import TamgaError
from shared.forms import words
from shared.i18n import translate
from shared.web.identity import Identity
from shared.workflow.model import say

STATUS = {
    "draft": "To be handed in",
    "submitted": "Under review",
    "returned": "To be mended",
    "accepted": "Accepted",
    "cancelled": "Not needed",
}
TONES = {"draft": "", "submitted": "go", "returned": "warn", "accepted": "good", "cancelled": ""}
KINDS = {"periodic": "Report", "final": "Final report"}
DECISIONS = {"open": "Open", "accepted": "Accepted", "cut": "Cut", "refused": "Refused"}
DECISION_TONES = {"open": "", "accepted": "good", "cut": "warn", "refused": "bad"}
PARTS = {COSTS: "Costs", INDICATORS: "Indicators", DOCUMENTS: "Documents"}
HALVES = {"numerator": "how many", "denominator": "of how many"}


def path_of(report_id: str, part: str = "") -> str:
    """Return the address of a report's page, or of a part of it."""
    return f"/grants/reports/{report_id}{'/' + part if part else ''}"


def to(report_id: str, part: str = "") -> RedirectResponse:
    """Return the answer to a form that did its work: go and look."""
    return back(path_of(report_id, part))


def state_of(row: Any, today: date) -> tuple[str, str]:
    """Return a report's state in a word with its tone; late is what should have been done before today."""
    if row["status"] in {"draft", "returned"} and row["act_on"] < today:
        return "Late", "bad"
    if row["status"] == "submitted" and row["act_on"] < today:
        return "Review is late", "bad"
    return STATUS[row["status"]], TONES[row["status"]]


class ReportPage:
    """One report as one person sees it."""

    def __init__(self, request: Request, uow: UnitOfWork, who: Identity, report: Report) -> None:
        self.request, self.who, self.report = request, who, report
        self.locale = request.state.locale
        self.setting: Setting = setting_of(uow, report)
        self.call: Call = pack_for(uow.connection, report).call(report.call)
        self.own = owns(who, report.organisation)
        setting = self.setting
        self.used = partnering.used(setting.terms, setting.lead, setting.earlier, report.currency, report)
        self.partner_names = {str(row.number): row.name for row in self.used}

    def may(self, action: str) -> bool:
        """Return whether the reader may try an act at all."""
        try:
            role_on(self.who, action, self.report)
        except TamgaError:
            return False
        return action == WRITE or not self.own

    def part_names(self) -> list[tuple[str, str]]:
        """Return (id, name) of the parts of the report that can be asked for again."""
        sections = {section.id: say(section.name, self.locale) for section in self.setting.rules.questions.sections}
        own = {name: translate("grants", text, locale=self.locale) for name, text in PARTS.items()}
        return [(part, sections.get(part) or own.get(part, part)) for part in self.setting.parts]

    def _halves(self, path: str, name: str) -> dict[str, str]:
        """Return the names of the two counts of a percentage, which would be called alike otherwise."""
        said = {slot: translate("grants", text, locale=self.locale) for slot, text in HALVES.items()}
        return {f"{path}.{slot}": f"{name}: {text}" for slot, text in said.items()}

    def labels(self) -> dict[str, str]:
        """Return the names of fields as people read them, by the names that errors have."""
        found = {f"answers.{n}": say(q.label, self.locale) for n, q in self.setting.rules.questions.questions.items()}
        for indicator in self.setting.indicators:
            name = say(indicator.name, self.locale)
            found |= {f"entries.{indicator.id}.{slot}": name for slot in (*indicator.slots, "ids", "note")}
            found |= self._halves(f"entries.{indicator.id}", name)
            for dimension in indicator.disaggregation:
                broken = f"{name}, {say(dimension.name, self.locale).lower()}"
                found[f"entries.{indicator.id}.{dimension.id}"] = broken
                for part in dimension.parts:
                    label = f"{broken}: {say(part.name, self.locale)}"
                    path = f"entries.{indicator.id}.{dimension.id}.{part.id}"
                    found |= {f"{path}.{slot}": label for slot in indicator.slots} | self._halves(path, label)
        lines = {f"explanations.{line.id}": say(line.name, self.locale) for line in self.call.budget_lines}
        period = translate("grants", "Period", locale=self.locale)
        costs = {
            f"costs.{cost.number}.{name}": self._cost_label(cost.number)
            for cost in self.report.costs
            for name in _COST_FIELDS
        }
        costs |= {f"costs.{cost.number}": self._cost_label(cost.number) for cost in self.report.costs}
        return found | lines | {"period_to": period} | costs

    def _cost_label(self, number: int) -> str:
        return translate("grants", "Cost %(number)s", {"number": number}, locale=self.locale)

    def context(self, here: str = "") -> dict[str, Any]:
        """Return what every page of a report needs."""
        report = self.report
        today = self.setting.today
        row = {"status": report.status, "act_on": report.review_due or report.due}
        word, tone = state_of(row, today)
        return {
            "report": report,
            "setting": self.setting,
            "call": self.call,
            "rules": self.setting.rules,
            "own": self.own,
            "base": path_of(report.id),
            "here": path_of(report.id, here),
            "tabs": self._tabs(),
            "state": (translate("grants", word, locale=self.locale), tone),
            "kind": KINDS[report.kind],
            "line_names": {line.id: say(line.name, self.locale) for line in self.call.budget_lines},
            "document_names": {item.id: say(item.name, self.locale) for item in self.setting.rules.documents},
            "code_names": {item.id: say(item.name, self.locale) for item in self.setting.rules.ineligible},
            "part_names": self.part_names(),
            "labels": self.labels(),
            "decisions": DECISIONS,
            "decision_tones": DECISION_TONES,
            "may_review": report.status == "submitted" and self.may(REVIEW),
            "may_accept": report.status == "submitted" and self.may(ACCEPT),
            "may_reopen": report.status == "accepted" and self.may(ACCEPT),
            "may_write": report.open and self.own and self.may(WRITE),
            "judged": report.status == "accepted" or not self.own or report.status == "returned",
            "used": self.used,
            "partner_names": self.partner_names,
            "errors": {},
            "given": {},
            "conflict": None,
            "words": words,
        }

    def _tabs(self) -> list[tuple[str, str]]:
        names = [("", "Overview")]
        if self.report.open and self.own:
            names += [("form", "Narrative and results")]
            names += [("costs", "Costs and documents")]
        return [(path_of(self.report.id, part), translate("grants", name, locale=self.locale)) for part, name in names]

    def show(self, template: str, here: str = "", *, status_code: int = 200, **more: Any) -> HTMLResponse:
        """Return a page of the report."""
        return show(self.request, f"reports/{template}", status_code=status_code, **(self.context(here) | more))


_COST_FIELDS = ("paid_on", "line", "claimed", "vat", "document", "exchange_rate", "rate_source")
