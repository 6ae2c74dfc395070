"""What is kept back of a payment: the rule, the cap by the schedule, the order of loans, the tapes beside it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loans.domain.arrears import Timetable
from services.loans.domain.chain_books import books
from services.loans.domain.chain_terms import ChainTerms, Good
from services.loans.domain.deduction import Claim, Kept, Rule, room, split
from services.loans.domain.schedule import Terms, schedule
from services.loans.domain.tripartite import Consent, Signature, Tripartite
from shared.errors import ConflictError, IllegalTransitionError, InvalidError
from shared.money import Money
from shared.testing.clock import MONDAY

START = date(2026, 3, 2)
LOAN = schedule(Terms(principal=Decimal(12000), annual_rate=Decimal("0.12"), periods=12, start=START))
TABLE = Timetable.of(LOAN)
CENTS = st.decimals("0.01", "9000", places=2)


def eur(amount: str | Decimal) -> Money:
    return Money.of(Decimal(amount), "EUR")


def test_a_share_is_limited_to_what_is_due_and_served_in_order() -> None:
    """Thirty per cent of 1,000 goes to the first loan up to its due, the rest to the second."""
    rule = Rule(kind="share", figure=Decimal(30))
    found = split(eur("1000"), rule, [Claim("R1", "L1", Decimal("120.50")), Claim("R2", "L2", Decimal(500))])
    assert [(share.loan, share.amount) for share in found.shares] == [
        ("L1", Decimal("120.50")),
        ("L2", Decimal("179.50")),
    ]
    assert (found.deduction, found.net) == (eur("300"), eur("700"))


def test_a_fixed_sum_is_never_more_than_the_payment() -> None:
    """Fifty of each delivery is all of a payment of 20, and nothing where nothing is due."""
    rule = Rule(kind="fixed", figure=Decimal(50))
    assert split(eur("20"), rule, [Claim("R1", "L1", Decimal(90))]).net == eur("0")
    assert split(eur("80"), rule, [Claim("R1", "L1", Decimal(0))]).net == eur("80")


def test_what_is_due_counts_the_days_ahead_and_a_late_tape_charges_nobody_twice() -> None:
    """The day before the first instalment it is due with one day ahead; what is kept back off the tape counts."""
    first = LOAN[0].due
    day = LOAN[0].on - timedelta(days=1)
    assert room(TABLE, Kept(), day, 0) == 0
    assert room(TABLE, Kept(), day, 1) == first
    assert room(TABLE, Kept(on_tape=Decimal(100), after_tape=Decimal(50), in_all=Decimal(50)), day, 1) == first - 150
    # The tape has left out what the bank received before it: all deductions together count then.
    assert room(TABLE, Kept(on_tape=Decimal(0), after_tape=Decimal(0), in_all=Decimal(70)), day, 1) == first - 70


@given(
    payments=st.lists(st.tuples(CENTS, st.integers(0, 400)), min_size=1, max_size=25),
    kind=st.sampled_from(["share", "fixed"]),
    figure=st.decimals("0.01", "100", places=2),
    ahead=st.integers(0, 92),
    on_tape=st.decimals("0", "3000", places=2),
)
def test_net_and_deduction_make_the_value_and_no_more_is_kept_than_is_due(
    payments: list[tuple[Decimal, int]], kind: str, figure: Decimal, ahead: int, on_tape: Decimal
) -> None:
    """Whatever is paid when: net + deduction = value, and all deductions with the tape stay within what is due."""
    rule = Rule.model_validate({"kind": kind, "figure": figure, "ahead_days": ahead})
    kept, latest = Kept(on_tape=on_tape), START
    for amount, after in payments:
        day = START + timedelta(days=after)
        latest = max(latest, day)
        left = room(TABLE, kept, day, ahead)
        found = split(eur(amount), rule, [Claim("R", "L", left)])
        assert found.net + found.deduction == found.value
        assert Decimal(0) <= found.deduction.amount <= min(left, found.by_rule.amount)
        kept = kept.more(found.deduction.amount)
        due = TABLE.due_before(latest + timedelta(days=ahead + 1))
        assert kept.in_all == 0 or kept.in_all + on_tape <= due
    assert kept.in_all <= sum(row.due for row in LOAN)


def test_tapes_and_deductions_stand_side_by_side() -> None:
    """What arrived and is not on the tape, and the other way round, by month; together they set each other off."""
    tapes = [
        (date(2026, 2, 28), Decimal(40)),
        (date(2026, 3, 31), Decimal(140)),
        (date(2026, 4, 30), Decimal(340)),
    ]
    received = [(date(2026, 3, 20), Decimal(150)), (date(2026, 4, 2), Decimal(150)), (date(2026, 5, 2), Decimal(9))]
    found = books("R", "L", date(2026, 3, 2), tapes, received)
    months = [(line.on_tape, line.received, line.not_on_tape, line.not_deducted) for line in found.lines]
    assert months == [(100, 150, 50, 0), (200, 150, 0, 50)]
    assert found.whole is not None
    assert (found.whole.not_on_tape, found.whole.not_deducted, found.after) == (0, 0, 9)


def terms(**changed: object) -> ChainTerms:
    good = {"code": "p", "name": "Pepper", "unit": "kg", "quantity": "10", "price_rule": "fixed", "price": "2"}
    data = {
        "currency": "EUR",
        "season_from": "2026-03-01",
        "season_to": "2026-10-31",
        "goods": [good | {"by": "2026-09-30"}],
        "deduction": {"kind": "share", "figure": "30"},
        "referrals": ["REF-1"],
    }
    return ChainTerms.model_validate(data | changed)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"season_to": "2026-03-01"}, "season_to"),
        ({"deduction": {"kind": "share", "figure": "101"}}, "figure"),
        ({"deduction": {"kind": "fixed", "figure": "0.001"}}, "figure"),
        ({"referrals": ["REF-1", "REF-1"]}, "referrals"),
        ({"season_to": "2026-09-01"}, "goods-0-by"),
    ],
)
def test_terms_that_nobody_could_keep_name_the_field(changed: dict[str, object], field: str) -> None:
    """A season that ends before it begins, a share above all, half a coin, a loan named twice, goods out of season."""
    assert field in terms(**changed).problems()


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [("fixed", "2", "2.01"), ("minimum", "2.01", "1.99"), ("market", "0.5", "0")],
)
def test_a_price_is_held_against_its_rule(rule: str, good: str, bad: str) -> None:
    """A fixed price is that price, a least price that or more, a market price anything above nothing."""
    item = Good.model_validate(terms().goods[0].model_dump() | {"price_rule": rule})
    assert item.fits(Decimal(good))
    assert not item.fits(Decimal(bad))


def agreement() -> Tripartite:
    names = {"organisation": "msme", "buyer": "lead", "bank": "bank"}
    names |= {f"{name}_name": name for name in names}
    item = Tripartite(id="TRI-1", programme="p", terms=terms(), **names)
    item.draft()
    return item


def signature(item: Tripartite, side: str, sha256: str = "") -> Signature:
    given = {"side": side, "number": item.number, "sha256": sha256 or item.sha256}
    return Signature.model_validate(given | {"by": "u", "by_name": "U", "at": MONDAY})


def test_the_machine_names_the_legal_moves() -> None:
    """A draft can't be signed nor ended, what is in force neither proposed nor changed; the refusal names what can."""
    item = agreement()
    with pytest.raises(IllegalTransitionError) as refused:
        item.sign(signature(item, "bank"), START)
    assert refused.value.legal == ["propose", "revise", "withdraw"]
    consent = {"text_version": "1", "text_sha256": "x", "language": "en", "given_by": "u", "given_by_name": "U"}
    item.propose(Consent.model_validate(consent | {"given_at": MONDAY}))
    with pytest.raises(ConflictError, match="version 1"):
        item.sign(signature(item, "bank", "another"), START)
    with pytest.raises(ConflictError, match="season ended"):
        item.sign(signature(item, "bank"), date(2026, 11, 1))
    with pytest.raises(InvalidError):
        item.revise(terms(notice_days=60), "bank", "")
    for side in ("buyer", "bank", "supplier"):
        item.sign(signature(item, side), START)
    assert (item.stage, item.missing()) == ("in_force", [])
    with pytest.raises(IllegalTransitionError) as refused:
        item.revise(terms(notice_days=60), "bank", "Longer")
    assert refused.value.legal == ["give_notice", "declare_breach", "report_deliveries", "end"]


def test_the_same_text_has_the_same_hash_and_another_text_another() -> None:
    """Saving what stands changes nothing; one word more is the next version and drops the signatures."""
    item = agreement()
    first = item.sha256
    assert item.revise(terms(), "supplier", "") is False
    assert item.revise(terms(conditions="By truck."), "supplier", "") is True
    assert (item.number, item.sha256 == first, item.signatures) == (2, False, [])
