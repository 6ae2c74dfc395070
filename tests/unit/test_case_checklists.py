"""The checklist of a case: what is due, what shows it, what is missing, on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.audit.domain.checklists import GRANT, LOAN, rules_for
from services.audit.domain.dossier import Act, Line, Rule, documents, judge
from services.audit.labels import KINDS
from shared.events import event_types

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = date(2026, 6, 1)
Told = tuple[str, str, dict[str, Any]]


def acts(*told: Told) -> list[Act]:
    """Return acts given as (type, entity, data), a day apart."""
    return [
        Act(number, UUID(int=number), kind, entity, START + timedelta(days=number), data)
        for number, (kind, entity, data) in enumerate(told)
    ]


def line(name: str, *told: Told, today: date = TODAY) -> Line:
    """Return the line of that name over a grant's acts."""
    return next(item for item in judge((*GRANT, *LOAN), acts(*told), today) if item.rule.name == name)


def released(number: int) -> Told:
    return ("grants.award.tranche_released", "award:A", {"tranche": number})


def paid(number: int) -> Told:
    return ("grants.award.payment_confirmed", "award:A", {"tranche": number})


def test_a_payment_without_proof_is_missing_by_its_tranche() -> None:
    """Each released tranche wants the proof of its own payment; that of another one does not stand for it."""
    found = line("Proof and date of payment", released(1), released(2), paid(1))
    assert (found.state, found.due) == ("missing", 2)
    assert [act and act.data["tranche"] for act in found.missing] == [2]
    assert line("Proof and date of payment", released(1), released(2), paid(2), paid(1)).state == "there"


def test_what_has_time_left_is_not_yet_due_and_is_missing_the_day_after() -> None:
    """The payment's proof has ten days; on the tenth nothing is missing, on the eleventh it is."""
    last = START.date() + timedelta(days=10)
    assert line("Proof and date of payment", released(1), today=last).state == "waiting"
    assert line("Proof and date of payment", released(1), today=last + timedelta(days=1)).state == "missing"


def test_what_was_called_off_is_due_no_more() -> None:
    """A reviewer who was excused owes no review; one who was asked again does."""
    asked: Told = ("grants.review.assigned", "review:1", {"due": "2026-03-20"})
    excused: Told = ("grants.review.excused", "review:1", {})
    assert line("Assessments handed in", asked, excused).state == "never"
    assert line("Assessments handed in", asked, excused, asked).state == "missing"
    assert line("Assessments handed in", asked, ("grants.review.submitted", "review:1", {})).state == "there"
    assert line("Assessments handed in", asked, ("grants.review.submitted", "review:2", {})).state == "missing"


def test_consent_counts_only_when_it_came_first() -> None:
    """A consent given after the referral left does not make up for the one that was missing, nor another bank's."""
    left: Told = ("loans.referral.submitted", "referral:1", {"referral_id": "1"})
    given: Told = ("loans.referral.consented", "referral:1", {"referral_id": "1"})
    other: Told = ("loans.referral.consented", "referral:2", {"referral_id": "2"})
    assert line("Consent before anything left", given, left).state == "there"
    assert line("Consent before anything left", left, given).state == "missing"
    assert line("Consent before anything left", other, left).state == "missing"


def test_a_day_of_the_act_itself_is_its_term() -> None:
    """A report is missing when its own day and the time for the decision have passed; cancelled, it never was due."""
    asked: Told = ("grants.report.scheduled", "report:1", {"due": "2026-05-01"})
    assert line("Reports decided on", asked, today=date(2026, 6, 15)).state == "waiting"
    assert line("Reports decided on", asked, today=date(2026, 6, 16)).state == "missing"
    assert line("Reports decided on", asked, ("grants.report.cancelled", "report:1", {})).state == "never"


def test_a_loan_is_followed_as_long_as_it_runs() -> None:
    """Until the months that were agreed are over, a loan that is not repaid lacks nothing."""
    agreed: Told = ("loans.loan.agreed", "loan:1", {"loan_id": "1", "term_months": 12})
    assert line("Loan followed to its end", agreed, today=date(2027, 3, 2)).state == "waiting"
    assert line("Loan followed to its end", agreed, today=date(2027, 6, 2)).state == "missing"
    assert line("Loan followed to its end", agreed, ("loans.loan.repaid", "loan:1", {"loan_id": "1"})).state == "there"


def test_what_a_programme_may_do_without_is_missing_nowhere() -> None:
    """Screening stands as not asked for where none was done, and as there where one was."""
    offered: Told = ("grants.award.offered", "award:A", {})
    assert line("Exclusion lists screened", offered).state == "never"
    assert line("Exclusion lists screened", ("grants.screening.done", "screening:A", {}), offered).state == "there"


def test_an_act_that_was_refused_shows_nothing() -> None:
    """A refused hand-in is no evidence of a hand-in."""
    [found] = acts(("grants.application.submitted", "application:A", {}))
    refused = Act(found.index, found.event_id, found.type, found.entity, found.at, found.data, succeeded=False)
    rule = next(rule for rule in GRANT if rule.name == "Application as handed in")
    assert judge([rule], [found], TODAY)[0].state == "there"
    assert judge([rule], [refused], TODAY)[0].state == "missing"


def test_documents_stand_once_by_hash_and_removed_ones_as_such() -> None:
    """The same file twice is one document; one that was removed stays on the list."""
    kind = "grants.application.document_added"
    found = documents(
        acts(
            (kind, "application:A", {"document_id": "1", "name": "plan.pdf", "sha256": "aa"}),
            (kind, "application:A", {"document_id": "2", "name": "again.pdf", "sha256": "aa"}),
            (kind, "application:A", {"document_id": "3", "name": "gone.pdf", "sha256": "bb"}),
            ("grants.application.document_removed", "application:A", {"document_id": "3", "sha256": "bb"}),
        )
    )
    assert [(item.name, item.sha256, item.removed) for item in found] == [
        ("plan.pdf", "aa", False),
        ("gone.pdf", "bb", True),
    ]


@pytest.mark.parametrize("rule", [*GRANT, *LOAN], ids=lambda rule: rule.name)
def test_rules_name_acts_that_services_publish(rule: Rule) -> None:
    """Every kind of act in a rule exists with a name for people, and so does the field that joins or dates it."""
    models = {name: model for (name, _), model in event_types().items()}
    for kind in (*rule.proof, *rule.due, *rule.off):
        assert kind in models, f"{kind} is no event"
        assert kind in KINDS, f"{kind} has no name"
    if rule.same and rule.same != "entity":
        for kind in (*rule.proof, *rule.due, *rule.off):
            assert rule.same in models[kind].model_fields, f"{kind} has no {rule.same}"
    if rule.by:
        assert all(rule.by in models[kind].model_fields for kind in rule.due)


def test_a_case_has_the_checklist_of_what_it_is() -> None:
    """An application has a grant's, a proposal a loan's, anything else none."""
    assert rules_for({"grants.application.started"}) is GRANT
    assert rules_for({"loans.proposal.saved"}) is LOAN
    assert rules_for({"portal.user.changed"}) == ()
