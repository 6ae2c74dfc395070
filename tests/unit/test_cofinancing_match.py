"""The arithmetic of co-financing, against worked examples of matching-grant funds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grants.domain import match
from services.grants.domain.match import MatchTooSmallError, Position, Tier

D = Decimal

SCALE = [Tier(D(0), D(20)), Tier(D(250_000), D(30)), Tier(D(500_000), D(40))]
amounts = st.decimals(min_value=0, max_value=10**9, places=2)


@pytest.mark.parametrize(
    ("total", "own"),
    [
        (D(100_000), D(20_000)),
        (D(400_000), D(120_000)),
        (D(1_000_000), D(400_000)),
        (D(249_999), D("49999.80")),
        (D(250_000), D(75_000)),
        (D(500_000), D(200_000)),
    ],
)
def test_a_tiered_scale_counts_from_its_boundaries(total: D, own: D) -> None:
    """The applicant's least share follows the tier that the total reaches, the boundary itself included."""
    assert match.firm_minimum(total, SCALE) == own


def test_in_kind_can_be_capped_by_the_total() -> None:
    """With a cap of 10 % of eligible costs, 40,000 of in-kind counts on 400,000."""
    assert match.creditable_in_kind(D(80_000), D(90_000), D(10), total=D(400_000)) == D(40_000)


def test_in_kind_capped_by_the_contribution_is_solved_for_itself() -> None:
    """Cash 120,000 and in-kind 80,000 under a 25 % cap credit 40,000, and 200,000 is missed by 40,000."""
    assert match.creditable_in_kind(D(120_000), D(80_000), D(25)) == D(40_000)
    assert match.shortfall(D(200_000), D(120_000), D(80_000), D(25)) == D(40_000)


def test_the_least_mix_meets_the_requirement() -> None:
    """Cash 150,000 and in-kind 50,000 are just enough for 200,000; a cent less of cash is not."""
    assert match.shortfall(D(200_000), D(150_000), D(50_000), D(25)) == 0
    assert match.shortfall(D(200_000), D("149999.99"), D(50_000), D(25)) > 0


def test_releases_follow_the_verified_match_and_the_plan() -> None:
    """At 50:50 and a plan of 20,000, 40,000, 50,000: 15,000, then 40,000, then 46,000 may be out in all."""
    half = D(50)
    assert match.releasable(D(15_000), half, half, D(20_000)) == D(15_000)
    assert match.releasable(D(42_000), half, half, D(40_000)) == D(40_000)
    earned = match.releasable(D(46_000), half, half, D(50_000))
    assert earned == D(46_000)
    assert match.to_recover(D(50_000), earned) == D(4_000)


def test_donated_equipment_counts_by_the_lesser_value() -> None:
    """Book 7,000 and market 9,500 credit 7,000; with a recorded approval 9,500."""
    assert match.property_credit(D(7_000), D(9_500)) == D(7_000)
    assert match.property_credit(D(7_000), D(9_500), market_approved=True) == D(9_500)


def test_lent_equipment_counts_by_its_depreciation() -> None:
    """24,000 over 8 years, 10 of 12 months at 60 % is 1,500."""
    assert match.use_charge(D(24_000), D(8), D(10), D("0.6")) == D(1_500)


def test_staff_time_counts_with_fringe() -> None:
    """120 hours at 6.50 and 22 % fringe are 951.60."""
    assert match.staff_credit(D(120), D("6.50"), D(22)) == D("951.60")


def test_volunteers_count_at_the_rate_for_similar_work() -> None:
    """A volunteer claimed at 10 an hour where 4 is paid counts at 4."""
    assert match.volunteer_rate(D(10), D(4)) == D(4)


def test_recoverable_vat_does_not_count() -> None:
    """An invoice of 11,800 with 1,800 recoverable VAT has 10,000 eligible, 5,000 of it the grant's half."""
    counted = match.eligible(D(11_800), D(1_800))
    assert counted == D(10_000)
    assert match.part(counted, D(50)) == D(5_000)


def test_leverage_counts_partner_money_per_grant_released() -> None:
    """46,000 to 46,000 is 1.00; with a loan of 40,000 beside it 1.87; before any release there is none."""
    assert match.leverage(D(46_000), D(46_000)) == D("1.00")
    assert match.leverage(D(46_000) + D(40_000), D(46_000)) == D("1.87")
    assert match.leverage(D(46_000), D(0)) is None


def test_a_refused_release_says_the_arithmetic() -> None:
    """Match 30,000 at 60:40 allows 45,000; 40,000 are out; 10,000 more is 5,000 too much, in words and numbers."""
    allowed = match.releasable(D(30_000), D(60), D(40), D(60_000))
    position = Position(D(30_000), D(0), D(0), allowed, released=D(40_000), requested=D(0), parts=(D(60), D(40)))
    with pytest.raises(MatchTooSmallError) as refusal:
        match.check_release(position, D(10_000), "EUR")
    assert str(refusal.value).startswith("Evidenced match 37.5 % < 40.0 %: 5,000.00 EUR held.")
    assert "30,000.00 EUR allows a release of 45,000.00 EUR in all" in str(refusal.value)
    assert "5,000.00 too much" in str(refusal.value)
    assert refusal.value.extras()["too_much"] == "5000.00"
    assert (refusal.value.type, refusal.value.status) == ("match-too-small", 409)


def test_exactly_what_is_allowed_can_be_released() -> None:
    """The last cent that the match allows goes through, one more does not."""
    position = Position(D(30_000), D(0), D(0), D(45_000), released=D(40_000), requested=D(1_000))
    match.check_release(position, D(4_000), "EUR")
    with pytest.raises(MatchTooSmallError):
        match.check_release(position, D("4000.01"), "EUR")


@given(amounts, amounts, st.decimals(min_value=0, max_value=99, places=0))
def test_credited_in_kind_never_passes_its_cap(cash: D, in_kind: D, cap: D) -> None:
    """Whatever is brought, in-kind that counts is at most the cap's part of what counts in all."""
    credited = match.creditable_in_kind(cash, in_kind, cap)
    assert 0 <= credited <= in_kind
    assert credited * 100 <= cap * (cash + credited)


@given(amounts, amounts)
def test_more_match_never_releases_less(verified: D, more: D) -> None:
    """What may be released grows with the verified match and never passes the plan."""
    before = match.releasable(verified, D(60), D(40), D(60_000))
    after = match.releasable(verified + more, D(60), D(40), D(60_000))
    assert before <= after <= D(60_000)
