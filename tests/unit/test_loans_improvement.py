"""What a decline makes: tasks from reasons, floors and rules, done by the proposal's figures or by evidence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.loans.domain.finance import ConsentTerms, Finance, Partner, Remedy
from services.loans.domain.improvement import Improvement, Task, tasks_of
from services.loans.domain.referral import Referral
from services.loans.domain.scoring import Score
from shared.errors import ConflictError, IllegalTransitionError, InvalidError
from shared.money import Money

NOW, TODAY, DUE = datetime(2026, 3, 2, 9, tzinfo=UTC), date(2026, 3, 2), date(2026, 3, 30)
BANK = Partner(
    bank="bank-one",
    name="One",
    country="MK",
    sla_days=5,
    dscr_floor=Decimal("1.30"),
    own_share_floor=Decimal("0.20"),
    history_years=2,
)
REMEDIES = [
    Remedy(code="carry", reasons=["cash_flow"], name={"en": "Carry"}, figure="dscr", at_least=Decimal("1.25")),
    Remedy(code="contract", reasons=["cash_flow"], name={"en": "Contract"}, days=1),
    Remedy(code="guarantee", reasons=["collateral"], name={"en": "Guarantee"}, by="officer"),
]
TERMS = ConsentTerms(version="1", always=[], max_days=1, purposes=[], text={})
RULES: dict[str, Any] = {name: [] for name in ("readiness", "documents", "purposes", "partners", "decline_reasons")}
FINANCE = Finance(discount_percent=Decimal(14), consent=TERMS, remedies=REMEDIES, **RULES)
NAMES = {name: name for name in ("proposal", "programme", "organisation", "organisation_name", "bank", "bank_name")}


def before(**changed: Any) -> Score:
    figures = {"dscr": Decimal("1.1"), "own_share": Decimal("0.2"), "history_years": Decimal(3)}
    return Score(**({"met": 3, "of": 4, "failing": ["documents"]} | figures | changed))


def declined(*reasons: str) -> Referral:
    asked = {"amount": Money.of(40000, "EUR"), "term_months": 36, "country": "MK", "title": "Press", "number": 1}
    return Referral(id="REF-1", stage="declined", decline_reasons=list(reasons), **NAMES, **asked)


def plan() -> Improvement:
    found = before()
    tasks = tasks_of(declined("cash_flow"), found, FINANCE, BANK, TODAY)
    facts = {"referral": "REF-1", "number": 1, "country": "MK", "title": "Press", "reasons": ["cash_flow"]}
    return Improvement(id="IMP-1", opened_on=TODAY, tasks=tasks, before=found, **NAMES, **facts)


def test_tasks_come_of_reasons_floors_and_rules_each_once() -> None:
    """Two targets for one figure become the higher; floors that are met and other reasons' remedies make no task."""
    tasks = {task.code: task for task in plan().tasks}
    assert list(tasks) == ["carry", "contract", "rule-documents"]
    assert tasks["carry"].at_least == Decimal("1.30")
    assert tasks["contract"].due == date(2026, 3, 3)


def test_a_figure_is_done_by_the_figure_itself() -> None:
    """The re-scored proposal decides; nobody ticks a figure or a rule off by hand."""
    item = plan()
    better = before(dscr=Decimal("1.30"), failing=[], met=4)
    assert [standing.done for standing in item.standing(better, TODAY)] == [True, False, True]
    late = item.standing(before(), date(2026, 3, 4))
    assert [standing.late for standing in late] == [False, True, False]
    with pytest.raises(ConflictError, match="figure or rule"):
        item.finish("carry", "Trust me.", "", NOW, "Vera")


def test_evidence_is_given_once_and_can_be_taken_back() -> None:
    """A task without a figure needs words, is done once, and can be opened again."""
    item = plan()
    with pytest.raises(InvalidError):
        item.finish("contract", " ", "", NOW, "Vera")
    item.finish("contract", "Signed with the chain.", "", NOW, "Vera")
    with pytest.raises(ConflictError, match="Vera"):
        item.finish("contract", "Again.", "", NOW, "Ana")
    item.reopen("contract")
    assert item.tasks[1].done_at is None


def test_a_plan_ends_with_the_new_referral() -> None:
    """The figures of before and after stay; afterwards nothing is added or done any more."""
    item = plan()
    item.add(Task(code="own-1", source="added", name={"en": "Call"}, due=DUE), TODAY)
    with pytest.raises(InvalidError):
        item.add(Task(code="own-2", source="added", name={"en": "Call"}, due=date(2026, 3, 1)), TODAY)
    item.refer_again("REF-2", 2, before(met=4, failing=[], dscr=Decimal("1.4")))
    assert item.after is not None
    assert (item.before.readiness(), item.after.readiness()) == (Decimal("0.7500"), Decimal("1.0000"))
    with pytest.raises(IllegalTransitionError):
        item.finish("own-1", "Done.", "", NOW, "Vera")
