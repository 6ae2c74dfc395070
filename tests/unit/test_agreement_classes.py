"""Agreements: what their terms must add up to, and of which class a change of them is."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.grants.domain.award.classes import Verdict, classify
from services.grants.domain.award.parts import Plan
from services.grants.domain.award.terms import AgreedLine, Terms
from shared.errors import InvalidError
from shared.events.award_rules import Amendments, AwardRules, award_rule_problems
from shared.money import Money

RULES = Amendments()
BASE = "40000"


def eur(amount: str) -> Money:
    """Return an amount in euro."""
    return Money.of(amount, "EUR")


def terms(experts: str = "28000", events: str = "12000", **more: Any) -> Terms:
    """Return terms of two budget lines and one milestone."""
    lines = tuple(
        AgreedLine(line=name, grant=eur(grant), own=eur(own))
        for name, grant, own in (("experts", experts, "6000"), ("events", events, "2000"))
    )
    plan = (Plan(number=1, title="Courses", due=date(2026, 9, 1), amount=eur(BASE)),)
    return Terms(lines=lines, milestones=plan, conditions="Report").model_copy(update=more)


def verdict(after: Terms, moved: str = "0") -> Verdict | None:
    """Return the class of a change when so much was moved before."""
    return classify(terms(), after, moved_before=eur(moved), base=eur(BASE), rules=RULES)


@pytest.mark.parametrize(
    ("before", "moved", "kind", "percent"),
    [
        ("0", "8000.00", "budget_minor", "20.00"),
        ("0", "8000.01", "budget_major", "20.01"),
        ("0", "8004.00", "budget_major", "20.01"),
        ("7920", "80", "budget_minor", "20.00"),
        ("7920", "200", "budget_major", "20.30"),
    ],
)
def test_row_15_exactly_a_fifth_is_less_and_a_cent_above_is_more(
    before: str, moved: str, kind: str, percent: str
) -> None:
    """20 % of the grant is the smaller class, a cent more the larger, counted with what was moved before."""
    found = verdict(terms(str(28000 - eur(moved).amount), str(12000 + eur(moved).amount)), before)
    assert found is not None
    assert (found.kind, str(found.percent), found.moved) == (kind, percent, eur(moved))


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"administration": "A new address"}, ("administrative",)),
        ({"conditions": "Report twice"}, ("results",)),
        (
            {"milestones": (Plan(number=1, title="Courses", due=date(2026, 12, 1), amount=eur(BASE)),)},
            ("extension",),
        ),
        (
            {"milestones": (Plan(number=1, title="Fewer courses", due=date(2026, 9, 1), amount=eur(BASE)),)},
            ("results",),
        ),
        ({"milestones": (Plan(number=1, title="Courses", due=date(2026, 8, 1), amount=eur(BASE)),)}, ("results",)),
    ],
)
def test_row_15_the_class_follows_from_what_is_changed(change: dict[str, Any], kinds: tuple[str, ...]) -> None:
    """Words of notices, of results, later and earlier days are each of their class."""
    found = verdict(terms(**change))
    assert found is not None
    assert found.kinds == kinds


def test_row_15_a_change_of_several_classes_needs_who_may_approve_all() -> None:
    """Budget within the limit and an extension together: the officer, who may approve the first alone, may not."""
    later = (Plan(number=1, title="Courses", due=date(2026, 12, 1), amount=eur(BASE)),)
    found = verdict(terms("27000", "13000", milestones=later))
    assert found is not None
    assert (found.kinds, found.approvers(RULES), found.both_sides(RULES)) == (
        ("budget_minor", "extension"),
        ["programme_manager"],
        True,
    )


def test_no_change_is_no_amendment() -> None:
    """What says the same has no class."""
    assert verdict(terms()) is None


def test_budget_lines_must_be_the_grant() -> None:
    """A cent too much in the lines is refused with both sums."""
    with pytest.raises(InvalidError) as refused:
        terms("28000.01").check(eur(BASE))
    assert refused.value.fields == {"lines": "add up to 40,000.01 EUR, but the grant is 40,000.00 EUR"}


def test_rules_that_nobody_could_follow_are_refused_when_loaded() -> None:
    """A misspelt member and classes that no role may approve together are named by file and field; none is fine."""
    nobody = {"amendments": {"classes": {"results": {"approvers": ["finance_officer"]}}}}
    assert list(award_rule_problems({"agreement": nobody})) == ["agreement.yaml: amendments"]
    assert list(award_rule_problems({"agreement": {"amendmnts": {}}})) == ["agreement.yaml: amendmnts"]
    assert award_rule_problems({}) == {}
    assert AwardRules().amendments.minor_percent == 20
