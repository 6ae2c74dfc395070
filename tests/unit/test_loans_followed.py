"""Loans followed to the end: days past due, portfolio at risk, lines of a tape, states."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.loans.domain.arrears import Timetable, bucket, shared_out
from services.loans.domain.loan import EarlyDefault, Loan, Restructuring
from services.loans.domain.portfolio import Balance, Cube, Key, Sums, par
from services.loans.domain.profile import disclosed, profile
from services.loans.domain.schedule import Instalment
from services.loans.domain.tape_rows import Known, Line, Position, examine, header, read
from shared.errors import ConflictError, InvalidError
from shared.money import Money
from shared.sheets import stream_rows

D = Decimal
START, NOW = date(2026, 1, 1), datetime(2026, 4, 1, 9, tzinfo=UTC)
ROWS = [Instalment(n, date(2026, n + 1, 1), D(100), D(10), D(1200 - 100 * n)) for n in range(1, 12)]
EARLY = EarlyDefault(days=90, months=12)


def test_par_of_the_worked_example() -> None:
    """Six balances give PAR0 62.5, PAR30 25.0, PAR60 10.0, PAR90 10.0 and with restructured 37.5 per cent."""
    sums = Sums()
    balances = [(10_000, 0), (8_000, 12), (6_000, 31), (4_000, 95), (7_000, 30)]
    for amount, days in balances:
        sums.add(Balance(D(amount), days))
    sums.add(Balance(D(5_000), 0, restructured=True))
    assert par(sums) == {
        "par0": D("0.625"),
        "par30": D("0.25"),
        "par60": D("0.1"),
        "par90": D("0.1"),
        "par30_or_restructured": D("0.375"),
    }
    sums.add(Balance(D(9_000), 400, written_off=True))
    assert (sums.outstanding, sums.written_off, sums.written_off_loans, sums.share("over_30")) == (
        D(40_000),
        D(9_000),
        1,
        D("0.25"),
    )
    assert Sums().share("over_30") is None


def test_thirty_days_are_not_over_thirty() -> None:
    """A loan is in the class whose days it exceeds."""
    assert [bucket(days) for days in (0, 1, 30, 31, 60, 61, 90, 91)] == [0, 1, 1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("paid", "day", "days", "owed"),
    [
        ("0", date(2026, 2, 1), 0, "0"),  # on its own day an instalment is not late
        ("0", date(2026, 2, 2), 1, "110"),
        ("110", date(2026, 2, 28), 0, "0"),
        ("109.99", date(2026, 3, 3), 30, "110.01"),
        ("115", date(2026, 4, 1), 31, "105"),  # the second instalment is paid in part: late since its own day
        ("330", date(2026, 4, 30), 0, "0"),
    ],
)
def test_days_past_due(paid: str, day: date, days: int, owed: str) -> None:
    """Days count from the oldest instalment that is not wholly paid; written and read again it is the same."""
    timetable = Timetable.read(Timetable.of(ROWS).written)
    late = timetable.arrears(D(paid), day)
    assert (late.days, late.owed) == (days, D(owed))


def test_a_tolerance_forgives_cents() -> None:
    """Who owes no more than the tolerance is not late; by a cent more it is."""
    timetable = Timetable.of(ROWS)
    assert timetable.arrears(D(109), date(2026, 3, 1), D(1)).days == 0
    assert timetable.arrears(D("108.99"), date(2026, 3, 1), D(1)).days == 28


def test_interest_is_paid_before_principal() -> None:
    """What is paid goes to the oldest instalment, there to interest first."""
    shares = shared_out(ROWS, D(115))
    assert [(item.interest, item.principal, item.left) for item in shares[:3]] == [
        (10, 100, 0),
        (5, 0, 105),
        (0, 0, 110),
    ]


def known(**changes: Any) -> Known:
    """Return a loan of 1,000 that was paid out on the first day of the year."""
    values: dict[str, Any] = {
        "id": "LN-1",
        "currency": "EUR",
        "payouts": "2026-01-01 1100",
        "timetable": Timetable.of(ROWS).written,
        "whole": True,
        "stage": "performing",
        "settled_on": None,
        "restructured": False,
        "former": None,
        "values": {},
        "disclosed": frozenset(),
    }
    return Known(**(values | changes))


def line(**given: str) -> Line:
    """Return a line read and held against the loan on the last day of March."""
    base = {"loan": "LN-1", "principal_paid": "200", "interest_paid": "20", "outstanding": "900"}
    made = Line(2, base | given, "LN-1")
    read(made, date(2026, 3, 31), "EUR")
    examine(made, known(), date(2026, 3, 31))
    return made


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"principal_paid": "-5"}, "principal_paid", "must not be negative: -5"),
    ({"principal_paid": ""}, "principal_paid", "is required"),
    (
        {"principal_paid": "1100.01"},
        "principal_paid",
        "1,100.01 is more than the 1,100 that were paid out by 2026-03-31",
    ),
    ({"outstanding": "1e400"}, "outstanding", "is not an amount"),
    ({"interest_paid": "1.005"}, "interest_paid", "can be read in two ways"),
    ({"fees_paid": "abc"}, "fees_paid", "is not an amount"),
    ({"currency": "USD"}, "currency", "is USD, but the loan is in EUR"),
    ({"paid_on": "2026-04-01"}, "paid_on", "is after the day of the tape, 2026-03-31"),
    ({"paid_on": "2025-12-31"}, "paid_on", "is before 2026-01-01, when the loan was paid out"),
    ({"paid_on": "soon"}, "paid_on", "is not a day"),
    ({"days_past_due": "-1"}, "days_past_due", "must be a whole number"),
    ({"restructured": "maybe"}, "restructured", "must be yes or no"),
    ({"loan": "=HYPERLINK(1)"}, "loan", "looks like a formula"),
    ({"interest_paid": "+1+cmd"}, "interest_paid", "looks like a formula"),
]


@pytest.mark.parametrize(("given", "field", "rule"), WRONG)
def test_a_wrong_line_says_field_rule_and_figure(given: dict[str, str], field: str, rule: str) -> None:
    """Each mistake of a line is named by its field, the rule and the figure."""
    made = line(**given)
    assert [item.field for item in made.problems] == [field]
    assert str(made.problems[0].rule).startswith(rule)
    assert made.position is None


def test_what_only_differs_is_shown_and_our_own_figure_counts() -> None:
    """Another balance and other days than by schedule and payments are differences, not mistakes."""
    made = line(outstanding="899", days_past_due="12")
    assert not made.problems
    assert [item.field for item in made.differences] == ["outstanding", "days_past_due"]
    assert "1,100 paid out - 200 paid back = 900" in str(made.differences[0].rule)
    assert made.position == Position(D(900), 0, D(0), "performing", restructured=False)


def test_a_header_names_every_wrong_column() -> None:
    """An unknown, a missing and a double column are each named; case and spaces do not matter."""
    _, wrong = header(["Loan", "Principal paid", "interest_paid", "interest-paid", "saldo"])
    assert {item.field for item in wrong} == {"saldo", "outstanding", "interest_paid"}
    assert header(["Loan", "principal paid", "interest_paid", "outstanding"])[1] == []


def test_a_settled_loan_does_not_come_back() -> None:
    """After the month of its last payment a loan has nothing left; a correction of that month may say otherwise."""
    settled = known(stage="closed_repaid", settled_on=date(2026, 2, 28))
    later = Line(2, {"loan": "LN-1", "principal_paid": "200", "interest_paid": "20", "outstanding": "900"}, "LN-1")
    read(later, date(2026, 3, 31), "EUR")
    examine(later, settled, date(2026, 3, 31))
    assert [str(item.rule) for item in later.problems] == ["leaves 900 of a loan that was repaid by 2026-02-28"]
    same = Line(2, later.given, "LN-1", later.said)
    examine(same, settled, date(2026, 2, 28))
    assert not same.problems


def loan() -> Loan:
    """Return a loan of 1,200 over 12 months, paid out on the first day of the year."""
    made = Loan(
        id="LN-1",
        proposal="PRO-1",
        referral="REF-1",
        programme="p",
        organisation="firm",
        organisation_name="Firm",
        bank="bank",
        bank_name="Bank",
        amount=Money.of(1200, "EUR"),
        rate=D("0.12"),
        term_months=12,
        fee=Money.of(0, "EUR"),
        agreed_on=START,
    )
    made.report(Money.of(1200, "EUR"), START, NOW, "Bo", NOW.date())
    made.collect()
    return made


def states(item: Loan) -> list[str]:
    """Return the types of the events that the loan recorded."""
    return [found.event.TYPE.removeprefix("loans.loan.") for found in item.collect()]


def test_the_states_of_a_loan() -> None:
    """Late, later by a class, less late, caught up, repaid: each is an event, and nothing changes twice."""
    item = loan()
    for days, stage, event in (
        (5, "overdue", "overdue"),
        (45, "overdue", "overdue"),
        (20, "overdue", "less_overdue"),
        (0, "performing", "caught_up"),
        (0, "restructured", "restructured"),
        (0, "closed_repaid", "repaid"),
    ):
        found = Position(D(900), days, D(days), stage, restructured=False)
        assert item.follow(found, "TAP-1", date(2026, 3, 31), EARLY)
        assert not item.follow(found, "TAP-1", date(2026, 3, 31), EARLY)
        assert states(item) == [event]
    assert item.settled_on == date(2026, 3, 31)


def test_an_early_default_is_known_by_its_day() -> None:
    """Over 90 days late, or written off, within 12 months of the first payment is an early default; later is not."""
    early, late = loan(), loan()
    early.follow(Position(D(900), 91, D(99), "overdue", restructured=False), "TAP-1", date(2026, 6, 30), EARLY)
    assert early.early_default_on == date(2026, 6, 30)
    late.follow(Position(D(900), 0, D(0), "written_off", restructured=False), "TAP-1", date(2027, 1, 31), EARLY)
    assert late.early_default_on is None


def test_an_early_default_within_a_class_of_lateness_is_noticed_and_undone() -> None:
    """A programme's 45 days lie within a class: 40 days are none, 50 are one, and a corrected 44 undoes it."""
    item, rule, day = loan(), EarlyDefault(days=45, months=12), date(2026, 3, 31)
    for days, corrects, told, early in ((40, False, ["overdue"], None), (50, False, ["overdue"], day),
                                        (52, False, [], day), (44, True, ["less_overdue"], None)):  # fmt: skip
        found = Position(D(900), days, D(99), "overdue", restructured=False)
        assert item.follow(found, "TAP-1", day, rule, corrects=corrects) == bool(told)
        assert (states(item), item.early_default_on) == (told, early)


def test_new_terms_count_from_their_day() -> None:
    """After a restructuring the days count by the new schedule; wrong terms are named by their fields."""
    item = loan()
    terms = {"on": date(2026, 3, 31), "principal": Money.of(1100, "EUR"), "interest_paid": Money.of(12, "EUR")}
    new = Restructuring(**terms, rate=D("0.12"), term_months=24, reported_at=NOW, reported_by="Bo")
    with pytest.raises(InvalidError) as refused:
        item.restructure(new.model_copy(update={"principal": Money.of(1201, "EUR"), "on": START}), NOW.date())
    assert set(refused.value.fields) == {"principal", "on"}
    assert item.timetable().arrears(D(112), date(2026, 4, 15)).days > 30
    item.restructure(new, NOW.date())
    assert item.timetable().arrears(D(112), date(2026, 4, 15)).days == 0
    assert item.timetable().arrears(D(112), date(2026, 5, 15)).days == 15
    assert item.standing() == "restructured"
    item.follow(Position(D(0), 0, D(0), "closed_repaid", restructured=False), "TAP-1", NOW.date(), EARLY)
    with pytest.raises(ConflictError):
        item.restructure(new, NOW.date())


def test_a_bank_counts_only_by_what_was_disclosed_to_it() -> None:
    """Without consent to the owners, sex and age are unknown to the bank and known to the programme."""
    locked = {
        "request": {"instrument": "leasing"},
        "owners": {"people": [{"share_percent": "60", "sex": "female", "birth_year": 2000}]},
        "project": {"location": "Bitola, Old Bazaar"},
    }
    found = profile(locked, 2026)
    assert found == {"product": "leasing", "sector": "", "sex": "female", "age": "youth", "place": "Bitola"}
    cube = Cube()
    cube.add("EUR", Balance(D(10), 0), found, frozenset(disclosed(["request.instrument", "project.location"])))
    assert Key("programme", "EUR", "sex", "female") in cube.sums
    assert Key("bank", "EUR", "sex", "female") not in cube.sums
    assert cube.sums[Key("bank", "EUR", "sex", "")].outstanding == 10
    assert cube.sums[Key("bank", "EUR", "product", "leasing")].loans == 1


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive that declares a large sheet is refused before it is read, and a cut one by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 5000)
    with pytest.raises(InvalidError, match="attention") as cut:
        list(stream_rows("t.xlsx", packed.getvalue(), 10))
    assert cut.value.fields["file"] == "is not an .xlsx file that can be read"
    monkeypatch.setattr("shared.sheets.MAX_STREAMED", 4000)
    with pytest.raises(InvalidError) as bomb:
        list(stream_rows("t.xlsx", packed.getvalue(), 10))
    assert bomb.value.fields["file"] == "is too large when unpacked"
    with pytest.raises(InvalidError) as many:
        list(stream_rows("t.csv", b"loan\n" + b"x\n" * 12, 10))
    assert many.value.fields["file"] == "has more than 10 rows"
