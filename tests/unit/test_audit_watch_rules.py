"""The rules of the watch: each fires where it should, and not at its border."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.audit.domain.watch_rules import BURSTS, PAIRS, TELLING, TWO_PEOPLE
from services.audit.domain.watching import Act, Burst, Found, Pair, Terms
from shared.events import event_types
from shared.events.watch_rules import WatchRules, watch_problems

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SKOPJE = Terms(WatchRules(), "Europe/Skopje", "MK", "business-ecosystem")


def act(leaf: int, type_: str, at: datetime = MONDAY, **more: Any) -> Act:
    """Return an act of the log; what it says of itself is given by name."""
    kind = {"source": type_.split(".", maxsplit=1)[0], "entity": f"{type_.split('.')[1]}:1", "actor": "user:goran"}
    facts: dict[str, Any] = {"recorded_at": at, "case": "BSO-2026-0001", "correlation": UUID(int=leaf)}
    return Act(leaf=leaf, id=UUID(int=leaf), type=type_, at=at, **(kind | facts | more))


def pair(name: str, last: Act, *past: Act, terms: Terms = SKOPJE) -> Found | None:
    """Return what a rule says about an act and what was before it, reading of it what it asks for."""
    rule: Pair = next(rule for rule in PAIRS if rule.name == name)
    assert rule.asked(last)
    things = set(rule.needs(last))
    seen = [item for item in past if (item.source, item.entity) in things and item.type in rule.past]
    return rule.judge(last, seen, terms)


def test_an_applicant_who_accepts_decides_about_nobody() -> None:
    """An award that begins because the applicant accepted is the applicant's act, and nobody's decision."""
    rule = next(rule for rule in PAIRS if rule.name == "related_approver")
    accepted = act(9, "grants.application.awarded", organisation="crafts", data={"organisation_id": "crafts"})
    assert rule.asked(accepted)
    assert not rule.asked(replace(accepted, role="applicant"))


def burst(name: str, acts: list[Act], terms: Terms = SKOPJE) -> Found | None:
    """Return what a rule says about the last of some acts."""
    rule: Burst = next(rule for rule in BURSTS if rule.name == name)
    if rule.counted(acts[-1], terms) is None:
        return None
    return rule.judge(acts[-1], acts[:-1], terms)


def test_who_enters_bank_details_does_not_confirm_them() -> None:
    """One person for both is a hit, also one in whose place the other stands in; two are none, nor another number."""
    entered = act(1, "grants.payee.entered", data={"number": 2})
    confirmed: dict[str, Any] = {"type_": "grants.payee.confirmed", "data": {"number": 2}}
    hit = pair("maker_is_checker", act(2, **confirmed), entered)
    assert hit is not None
    assert hit.evidence == (UUID(int=1), UUID(int=2))
    stands_in = act(2, **confirmed, actor="user:dana", on_behalf_of="user:goran")
    assert pair("maker_is_checker", stands_in, entered)
    assert pair("maker_is_checker", act(2, **confirmed, actor="user:dana"), entered) is None
    assert pair("maker_is_checker", act(2, "grants.payee.confirmed", data={"number": 3}), entered) is None
    again = act(2, "grants.payee.entered", data={"number": 2}, actor="user:dana")
    assert pair("maker_is_checker", act(3, **confirmed), entered, again) is None


@pytest.mark.parametrize(("maker", "checker", "ties"), TWO_PEOPLE)
def test_the_two_acts_of_two_people_are_published_with_what_ties_them(
    maker: str, checker: str, ties: tuple[str, ...]
) -> None:
    """Each pair names events of the published language, of one entity, that have the members by which they belong."""
    known = {name: model for (name, _), model in event_types().items()}
    assert maker.split(".")[:2] == checker.split(".")[:2]
    for name in (maker, checker):
        assert set(ties) <= known[name].model_fields.keys()


def test_rules_read_events_that_are_published() -> None:
    """No rule waits for an event that nobody publishes."""
    assert {name for name, _ in event_types()} >= TELLING


def test_who_is_tied_to_an_applicant_does_not_decide_about_it() -> None:
    """The same organisation, a declared tie and a conflict on the case are hits; another's tie and a lifted one not."""
    told: dict[str, Any] = {"data": {"organisation_id": "crafts"}}
    approved = act(9, "grants.application.approval_given", **told)
    assert pair("related_approver", approved) is None
    own = act(9, "grants.application.approval_given", organisation="crafts", **told)
    hit = pair("related_approver", own)
    assert hit is not None
    assert hit.facts == {"ground": "same organisation"}
    tie: dict[str, Any] = {"type_": "grants.assessor.interest_declared", "entity": "assessor:goran"}
    assert pair("related_approver", approved, act(1, **tie, **told))
    assert pair("related_approver", approved, act(1, **tie, data={"organisation_id": "mill"})) is None
    out = act(2, "grants.recusal.declared", entity="recusal:BSO-2026-0001:goran")
    assert pair("related_approver", approved, out)
    back = act(3, "grants.recusal.lifted", entity="recusal:BSO-2026-0001:goran")
    assert pair("related_approver", approved, out, back) is None


@pytest.mark.parametrize(("hours", "changes_former", "hit"), [(47.9, True, True), (48, True, False), (1, False, False)])
def test_bank_details_that_changed_are_not_paid_to_within_two_days(
    hours: float, changes_former: bool, hit: bool
) -> None:
    """Less than 48 hours after other details were entered is a hit; 48 hours are none, and the first details never."""
    entered = act(1, "grants.payee.entered", entity="payee:crafts", data={"changes_former": changes_former})
    told = {"organisation_id": "crafts", "tranche": 1}
    paid = act(2, "grants.award.tranche_released", MONDAY + timedelta(hours=hours), data=told)
    assert (pair("paid_soon_after_change", paid, entered) is not None) is hit


def test_release_and_payment_of_one_tranche_are_one_hit() -> None:
    """What was released too soon and then paid is one matter; another tranche is another."""
    entered = act(1, "grants.payee.entered", entity="payee:crafts", data={"changes_former": True})
    found = [
        pair("paid_soon_after_change", act(n, kind, data={"organisation_id": "crafts", "tranche": t}), entered)
        for n, kind, t in (
            (2, "grants.award.tranche_released", 1),
            (3, "grants.award.payment_confirmed", 1),
            (4, "grants.award.tranche_released", 2),
        )
    ]
    assert len({item.id for item in found if item}) == 2


@pytest.mark.parametrize(
    ("at", "hit"),
    [
        (datetime(2026, 3, 2, 22, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 2, 23, 0, tzinfo=UTC), True),
    ],
)
def test_a_score_is_not_changed_after_its_last_day(at: datetime, hit: bool) -> None:
    """The last day ends at midnight of the programme's zone, not of Greenwich."""
    assigned = act(1, "grants.review.assigned", data={"due": "2026-03-02"})
    revised = act(2, "grants.review.revised", at, data={"score": "80.00", "before": "60.00"})
    assert (pair("score_after_deadline", revised, assigned) is not None) is hit


@pytest.mark.parametrize(
    ("amount", "currency", "hit"),
    [("30000.01", "EUR", True), ("30000.00", "EUR", False), ("40000.00", "MKD", False)],
)
def test_an_award_is_not_above_what_was_recommended(amount: str, currency: str, hit: bool) -> None:
    """One cent more is a hit; the same amount is none, and what can't be compared neither."""
    about: dict[str, Any] = {"entity": "application:BSO-2026-0001"}
    low, high = {"amount": "20000.00", "currency": "EUR"}, {"amount": "30000.00", "currency": "EUR"}
    past = [act(n, "grants.application.recommended", **about, data={"amount": m}) for n, m in ((1, low), (2, high))]
    told = {"reference": "BSO-2026-0001", "amount": {"amount": amount, "currency": currency}}
    awarded = act(3, "grants.application.awarded", **about, data=told)
    assert (pair("award_above_recommended", awarded, *past) is not None) is hit


@pytest.mark.parametrize(
    ("minutes", "role", "hit"), [(59, "finance_officer", True), (60, "finance_officer", False), (5, "officer", False)]
)
def test_a_role_is_not_given_for_one_act(minutes: int, role: str, hit: bool) -> None:
    """An act in the new role within the hour is a hit; after it, or in a role held before, it is none."""
    changes = {"roles": [["officer"], ["finance_officer", "officer"]]}
    granted = act(1, "portal.user.changed", entity="user:goran", actor="operator:root", changes=changes)
    used = act(2, "grants.award.tranche_released", MONDAY + timedelta(minutes=minutes), role=role)
    assert (pair("role_used_at_once", used, granted) is not None) is hit


@pytest.mark.parametrize(("rows", "hit"), [((6000, 4001), True), ((6000, 4000), False)])
def test_exports_of_a_day_are_added(rows: tuple[int, int], hit: bool) -> None:
    """Ten thousand rows within a day are allowed, and one more is a hit, though each export is small."""
    acts = [act(n, "audit.export.completed", data={"rows": count}) for n, count in enumerate(rows, 1)]
    assert (burst("mass_export", acts) is not None) is hit


def at_night(count: int, first: datetime, step: timedelta = timedelta(minutes=5), **more: Any) -> list[Act]:
    """Return acts of an officer, one after the other."""
    about: dict[str, Any] = {"role": "officer"} | more
    return [act(n, "grants.application.saved", first + n * step, **about) for n in range(1, count + 1)]


def test_a_burst_of_work_at_night_or_on_a_day_off_is_told() -> None:
    """Eleven acts within an hour are a hit, ten are none; the zone and the holidays are those of the programme."""
    night = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)  # 22:00 in Skopje
    assert burst("off_hours_burst", at_night(11, night))
    assert burst("off_hours_burst", at_night(10, night)) is None
    assert burst("off_hours_burst", at_night(11, night, timedelta(minutes=6))) is None
    assert burst("off_hours_burst", at_night(11, night, correlation=UUID(int=7))) is None  # one click
    assert burst("off_hours_burst", at_night(11, night, role="applicant")) is None
    holiday = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
    assert burst("off_hours_burst", at_night(11, holiday))
    assert burst("off_hours_burst", at_night(11, holiday), Terms(zone="Europe/Skopje")) is None
    bishkek = Terms(zone="Asia/Bishkek", country="KG")
    assert burst("off_hours_burst", at_night(11, datetime(2026, 3, 3, 1, 0, tzinfo=UTC), timedelta(minutes=1)))
    assert (
        burst("off_hours_burst", at_night(11, datetime(2026, 3, 3, 1, 0, tzinfo=UTC), timedelta(minutes=1)), bishkek)
        is None
    )


def test_a_partner_does_not_read_everything_at_once() -> None:
    """Twenty-one records within an hour are a hit; twenty are none, and one that is read again counts once."""
    reads = [
        act(n, "loans.record.viewed", MONDAY + timedelta(minutes=n), role="finance_partner", data={"record": f"R-{n}"})
        for n in range(1, 22)
    ]
    hit = burst("partner_reads_much", reads)
    assert hit is not None
    assert hit.facts["count"] == "21"
    assert len(hit.evidence) == 21
    assert burst("partner_reads_much", reads[:20]) is None
    assert burst("partner_reads_much", [*reads[:20], reads[4]]) is None


def test_refusals_in_a_burst_are_told() -> None:
    """Eleven refusals within ten minutes are a hit; the eleventh after exactly ten minutes is none."""
    refused = [act(n, "grants.attempt.refused", MONDAY, outcome="refused") for n in range(1, 11)]
    soon = act(11, "portal.signin.refused", MONDAY + timedelta(seconds=599))
    late = act(11, "portal.signin.refused", MONDAY + timedelta(seconds=600))
    assert burst("refusals_in_a_burst", [*refused, soon])
    assert burst("refusals_in_a_burst", [*refused, late]) is None


def test_a_programme_has_its_own_figures() -> None:
    """What the pack states is by what a rule speaks, and a pack that can't be used is refused by file and field."""
    strict = Terms(WatchRules(refusals_in_ten_minutes=2), "UTC")
    refused = [act(n, "grants.attempt.refused") for n in range(1, 4)]
    assert burst("refusals_in_a_burst", refused, strict)
    assert burst("refusals_in_a_burst", refused) is None
    assert watch_problems({"watch": {"refusals_in_ten_minutes": 2}}) == {}
    assert set(watch_problems({"watch": {"refusals_in_ten_minutes": 0, "night": 1, "off": ["all"]}})) == {
        "watch.yaml: refusals_in_ten_minutes",
        "watch.yaml: night",
        "watch.yaml: off.0",
    }
    assert set(watch_problems({"watch": {"work_from": 9, "work_until": 9}})) == {"watch.yaml: work_until"}


def test_a_hit_has_one_identity() -> None:
    """The same matter has the same id whoever looks, and each rule and matter has its own."""
    refused = [act(n, "grants.attempt.refused") for n in range(1, 13)]
    first, then = burst("refusals_in_a_burst", refused[:11]), burst("refusals_in_a_burst", refused)
    assert first is not None
    assert then is not None
    assert first.id == then.id
    other = burst("refusals_in_a_burst", [act(n, "grants.attempt.refused", actor="user:dana") for n in range(1, 13)])
    assert other is not None
    assert other.id != first.id
