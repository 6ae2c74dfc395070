"""Rules of grants that need no database: forms, scores, who may see and decide, what money allows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.grants.domain.application import Application, BudgetLine, Calendar, Document, Person
from services.grants.domain.award import Award, Plan
from services.grants.domain.form import check_draft, problems
from services.grants.domain.mainline import main_line, position
from services.grants.domain.pack import Checklist, Pack, Sheet, mean
from services.grants.domain.review import Review, Score, scores_visible
from shared.entity import canonical_hash
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.money import Money

PACK = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANA, IRENA, JOVAN, KIRA, GORAN = (
    Person(id=f"user:{name}", name=name) for name in ("ana", "irena", "jovan", "kira", "goran")
)


def part(folder: str) -> dict[str, Any]:
    """Return one folder of the pack."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in (PACK / folder).glob("*.yaml")}


@pytest.fixture(scope="module")
def pack() -> Pack:
    """Give the first programme's pack."""
    facts = yaml.safe_load((PACK / "programme.yaml").read_text())
    folders = {name: part(name) for name in ("calls", "workflows", "scoring", "checklists")}
    return Pack.read({"programme": facts, **folders})


def eur(amount: str) -> Money:
    """Return euros."""
    return Money(amount=amount, currency="EUR")


@pytest.fixture
def application(pack: Pack) -> Application:
    """Give a draft."""
    return Application.start(
        id="BSO-2026-0001",
        call_title="Call",
        workflow=pack.workflows["bso-grant"],
        programme="p",
        call="bso-grants-2026",
        pack_version=1,
        organisation="chamber",
        organisation_name="Chamber",
        started_by=ANA.id,
        started_at=NOW,
        currency="EUR",
    )


def award_of(application: Application) -> Award:
    """Return a concluded award of two tranches over 100 EUR."""
    award = Award.of(application, eur("100"))
    award.offer([Plan(title="One", amount=eur("60")), Plan(title="Two", amount=eur("40"))], "", GORAN, NOW)
    award.accept("programme", 1, IRENA, NOW)
    award.accept("recipient", 1, ANA, NOW)
    return award


def evidence() -> Document:
    """Return a document."""
    about = {"name": "a.pdf", "media_type": "application/pdf", "size": 1, "sha256": "0" * 64}
    return Document(id="d", kind="other", added_by=ANA.id, added_by_name="ana", added_at=NOW, **about)


def test_the_sheet_weighs_criteria() -> None:
    """The score is the sum of weight times points over the maximum: 25·5/5 + 75·2/5 = 55."""
    criteria = [{"id": "a", "name": {}, "weight": "25"}, {"id": "b", "name": {}, "weight": "75"}]
    sheet = Sheet.model_validate({"scoring": "s", "max": 5, "threshold": "60", "criteria": criteria})
    assert sheet.weighted({"a": 5, "b": 2}) == Decimal("55.00")


def test_the_weights_of_the_packs_sheet_add_up(pack: Pack) -> None:
    """Full points on every criterion are 100, none are 0."""
    sheet = pack.scoring["bso-grant"]
    full = sheet.weighted({item.id: sheet.max for item in sheet.criteria})
    assert (full, sheet.weighted({item.id: 0 for item in sheet.criteria})) == (Decimal(100), Decimal(0))


@pytest.mark.parametrize(
    ("scores", "expected"), [([], None), (["80"], "80.00"), (["80", "61"], "70.50"), (["1", "1", "2"], "1.33")]
)
def test_the_panels_score_is_the_mean(scores: list[str], expected: str | None) -> None:
    """The mean of the reviews' scores to two decimals; none without a review."""
    assert mean(Decimal(score) for score in scores) == (Decimal(expected) if expected else None)


@pytest.mark.parametrize(
    ("answers", "risk", "passed"),
    [
        ({"a": "yes", "b": "no"}, "low", True),
        ({"a": "no", "b": "yes"}, "low", False),
        ({"a": "yes"}, "low", False),
        ({"a": "yes", "b": "yes"}, None, False),
    ],
)
def test_a_checklist_passes_when_all_is_answered(answers: dict[str, str], risk: str | None, *, passed: bool) -> None:
    """Every point answered, no must-point answered no, and the risk rated."""
    items = [{"id": "a", "text": {}, "must": True}, {"id": "b", "text": {}, "must": False}]
    source = {"checklist": "c", "name": {}, "items": items, "risk": {"required": True, "ratings": ["low"]}}
    assert Checklist.model_validate(source).passed(answers, risk) is passed


def test_saving_the_same_words_records_nothing(application: Application) -> None:
    """Autosave without a change is no event, so it does not fill the record."""
    application.collect()
    assert application.save(title="A", answers={"problem": "x"}, budget=[]) == ["problem", "title"]
    assert application.save(title="A", answers={"problem": "x"}, budget=[]) == []
    assert len(application.collect()) == 1


def test_answers_stay_out_of_the_record_of_changes(application: Application) -> None:
    """The event says which answers changed, never what they say."""
    application.collect()
    application.save(title="A", answers={"problem": "secret words"}, budget=[])
    recorded = application.collect()[0]
    assert recorded.changes["answers"] == ["[private]", "[private]"]
    assert "secret words" not in str(recorded)


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"members": "-1"}, "answers.members"),
        ({"members": "NaN"}, "answers.members"),
        ({"members": "1e999999"}, "answers.members"),
        ({"bso_type": "circus"}, "answers.bso_type"),
        ({"experience": "word " * 251}, "answers.experience"),
    ],
)
def test_answers_are_checked_by_their_kind(
    application: Application, pack: Pack, answers: dict[str, str], field: str
) -> None:
    """Numbers within their limits, choices among the options, words counted."""
    application.save(title="A", answers=answers, budget=[])
    assert field in problems(pack.call(application.call), application, NOW)


def test_a_closed_call_takes_nothing(application: Application, pack: Pack) -> None:
    """Before the first day of the call nothing is handed in."""
    assert (
        problems(pack.call(application.call), application, datetime(2025, 12, 31, 23, 59, tzinfo=UTC))["call"]
        == "is not open now"
    )


@pytest.mark.parametrize(("amount", "ok"), [("4999.99", False), ("5000", True), ("50000", True), ("50000.01", False)])
def test_the_grant_lies_between_floor_and_ceiling(
    application: Application, pack: Pack, amount: str, *, ok: bool
) -> None:
    """Floor and ceiling of the call are inclusive, to the cent."""
    application.save(title="A", answers={}, budget=[BudgetLine(line="experts", grant=eur(amount), own=eur("0"))])
    assert ("budget" not in problems(pack.call(application.call), application, NOW)) is ok


@pytest.mark.parametrize(("amount", "ok"), [("3000", True), ("3000.01", False)])
def test_a_category_keeps_its_share(application: Application, pack: Pack, amount: str, *, ok: bool) -> None:
    """Equipment is at most 30 % of the grant: 3,000 of 10,000, not a cent more."""
    rest = Money.of(Decimal(10000) - Decimal(amount), "EUR")
    lines = [
        BudgetLine(line="equipment", grant=eur(amount), own=eur("0")),
        BudgetLine(line="experts", grant=rest, own=eur("0")),
    ]
    application.save(title="A", answers={}, budget=lines)
    assert ("budget.equipment" not in problems(pack.call(application.call), application, NOW)) is ok


def test_a_draft_refuses_another_currency(pack: Pack) -> None:
    """Amounts of a form are in the call's currency."""
    dollars = Money(amount="1", currency="USD")
    with pytest.raises(InvalidError) as refusal:
        check_draft(pack.call("bso-grants-2026"), "", {}, [BudgetLine(line="experts", grant=dollars, own=dollars)])
    assert refusal.value.fields == {"budget.0.grant": "must be in EUR"}


def test_a_move_is_told_by_its_own_event(application: Application, pack: Pack) -> None:
    """Handing in, asking and any other move are three kinds of event; the question pauses the clock."""
    workflow = pack.workflows["bso-grant"]
    calendar = Calendar(country="MK", zone="Europe/Skopje")
    moves = {transition.id: transition for transition in workflow.transitions}
    application.collect()
    for name in ("submit", "request-information", "answer-information"):
        application.move(moves[name], workflow, calendar, ANA, NOW)
    types = [recorded.event.TYPE.rsplit(".", 1)[1] for recorded in application.collect()]
    assert types == ["submitted", "information_requested", "moved"]
    assert [visit.stage for visit in application.visits()] == [
        "draft",
        "screening",
        "information_requested",
        "screening",
    ]


def test_visits_follow_each_other_without_a_gap(application: Application, pack: Pack) -> None:
    """Each stay ends when the next begins, and the last one lasts."""
    workflow = pack.workflows["bso-grant"]
    submit = next(transition for transition in workflow.transitions if transition.id == "submit")
    application.move(submit, workflow, Calendar(country="MK", zone="UTC"), ANA, NOW)
    visits = application.visits()
    assert all(before.until == after.since for before, after in pairwise(visits))
    assert visits[-1].until is None


def test_the_main_line_passes_side_rooms(application: Application, pack: Pack) -> None:
    """Waiting for information and suspension are not steps of the main line."""
    line = main_line(pack.workflows["bso-grant"])
    assert (line[0], line[-1]) == ("draft", "closed")
    assert not {"information_requested", "suspended", "rejected"} & set(line)
    assert position(application, line) == 0


def review_of(reviewer: str, status: str = "assigned") -> Review:
    """Return a review in some state."""
    about = {
        "application": "BSO-2026-0001",
        "programme": "p",
        "title": "t",
        "organisation": "chamber",
        "organisation_name": "C",
    }
    return Review(id=reviewer, reviewer=reviewer, reviewer_name=reviewer, assigned_at=NOW, status=status, **about)  # type: ignore[arg-type]


def test_ones_own_organisation_is_a_conflict_whatever_is_declared() -> None:
    """Declaring none does not help a reviewer who works for the applicant."""
    review = review_of("r")
    review.declare(conflict=False, nature="", reviewer_organisation="chamber")
    assert (review.status, review.ground) == ("recused", "derived")


def test_declaring_none_says_what_it_changed() -> None:
    """The event of a declaration carries the opening of the review: no change stands without its event."""
    review = review_of("r")
    review.loaded()
    review.declare(conflict=False, nature="", reviewer_organisation="elsewhere")
    [declared] = review.collect()
    assert declared.changes == {"status": ["assigned", "open"]}
    assert declared.after_hash == canonical_hash(review.state())


def test_a_conflict_needs_words() -> None:
    """Whoever declares a conflict says what it is."""
    with pytest.raises(InvalidError):
        review_of("r").declare(conflict=True, nature=" ", reviewer_organisation=None)


@pytest.mark.parametrize(
    ("viewer", "staff", "expected"),
    [("a", False, True), ("b", False, False), ("b", True, False), ("z", True, True), ("z", False, False)],
)
def test_scores_are_blind(viewer: str, *, staff: bool, expected: bool) -> None:
    """Reviewers see others after their own is in; staff always, unless their own review is due."""
    assert scores_visible(viewer, [review_of("a", "submitted"), review_of("b", "open")], staff=staff) is expected


@pytest.mark.parametrize("status", ["assigned", "recused"])
def test_only_the_unconflicted_score(pack: Pack, status: str) -> None:
    """Without a declaration, or recused, nothing can be scored."""
    with pytest.raises(ForbiddenError):
        review_of("r", status).save({"relevance": Score(points=1)}, "", None, pack.scoring["bso-grant"])


def test_a_final_review_stays(pack: Pack) -> None:
    """What is handed in can't be changed."""
    with pytest.raises(ConflictError):
        review_of("r", "submitted").save({}, "", None, pack.scoring["bso-grant"])


def test_an_agreement_offered_anew_needs_both_signatures_again(application: Application) -> None:
    """A new version clears what was signed before it."""
    award = Award.of(application, eur("100"))
    plan = [Plan(title="All", amount=eur("100"))]
    award.offer(plan, "", GORAN, NOW)
    award.accept("programme", 1, IRENA, NOW)
    award.offer(plan, "", GORAN, NOW)
    assert (award.agreement_version, award.signatures) == (2, {})


@pytest.mark.parametrize("amounts", [[], ["60"], ["60", "40.01"], ["100", "0"], ["101", "-1"]])
def test_a_plan_must_be_the_approved_amount(application: Application, amounts: list[str]) -> None:
    """Tranches are more than nothing each and exactly the approved amount together."""
    with pytest.raises(InvalidError):
        Award.of(application, eur("100")).offer([Plan(title="x", amount=eur(a)) for a in amounts], "", GORAN, NOW)


def test_who_draws_up_does_not_sign(application: Application) -> None:
    """Four eyes on the agreement."""
    award = Award.of(application, eur("100"))
    award.offer([Plan(title="All", amount=eur("100"))], "", GORAN, NOW)
    with pytest.raises(ForbiddenError):
        award.accept("programme", 1, GORAN, NOW)


def test_a_tranche_goes_through_three_hands(application: Application) -> None:
    """Not before its milestone, not by its requester; then released, paid, and counted once."""
    award = award_of(application)
    award.request(1, JOVAN)
    with pytest.raises(ConflictError, match="milestone 1"):
        award.release(1, KIRA)
    award.evidence(1, evidence(), ANA)
    with pytest.raises(ForbiddenError):
        award.settle(1, good=True, note="n", by=ANA, now=NOW)
    award.settle(1, good=True, note="n", by=GORAN, now=NOW)
    with pytest.raises(ForbiddenError):
        award.release(1, JOVAN)
    award.release(1, KIRA)
    award.confirm(1, "TR-1", NOW.date(), NOW.date())
    assert (award.released(), award.paid()) == (eur("60"), eur("60"))
    with pytest.raises(ConflictError):
        award.confirm(1, "TR-2", NOW.date(), NOW.date())


def test_a_refused_tranche_can_be_requested_again(application: Application) -> None:
    """Refusing says why and puts the tranche back."""
    award = award_of(application)
    award.request(1, JOVAN)
    award.refuse(1, "Invoice missing", KIRA)
    assert (award.tranche(1).status, award.tranche(1).refused) == ("planned", "Invoice missing")
    award.request(1, KIRA)
    assert award.tranche(1).status == "requested"


def test_returned_evidence_can_be_shown_again(application: Application) -> None:
    """A returned milestone takes new evidence beside the old."""
    award = award_of(application)
    award.evidence(1, evidence(), ANA)
    award.settle(1, good=False, note="Unreadable", by=GORAN, now=NOW)
    award.evidence(1, evidence(), ANA)
    assert (award.milestone(1).status, len(award.milestone(1).evidence)) == ("evidenced", 2)


def test_nothing_is_paid_before_both_have_signed(application: Application) -> None:
    """Evidence and requests wait for the agreement."""
    award = Award.of(application, eur("100"))
    award.offer([Plan(title="All", amount=eur("100"))], "", GORAN, NOW)
    with pytest.raises(ConflictError, match="both sides"):
        award.request(1, JOVAN)
    with pytest.raises(ConflictError, match="both sides"):
        award.evidence(1, evidence(), ANA)


def test_a_call_closes_at_its_minute(pack: Pack) -> None:
    """The last day is taken whole, or up to the minute that the call names, in the programme's own time."""
    call = next(iter(pack.calls.values()))
    last = call.model_copy(update={"closes_on": date(2026, 5, 29)})
    assert last.is_open(datetime(2026, 5, 29, 23, 59, 59, tzinfo=UTC))
    timed = last.model_copy(update={"closes_at": time(17, 0)})
    assert timed.is_open(datetime(2026, 5, 29, 16, 59, 59, tzinfo=UTC))
    assert timed.state(datetime(2026, 5, 29, 17, 0, tzinfo=UTC)) == "closed"
    assert timed.state(datetime(2026, 1, 4, 23, 59, tzinfo=UTC)) == "soon"
