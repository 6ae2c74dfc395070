"""Repayment schedules to the cent: each against published rows of other engines, or against its own rule."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from services.loans.domain.schedule import Every, Holidays, Instalment, Terms, effective_rate, schedule

D = Decimal
BASE = {"principal": "5000", "annual_rate": "0.12", "periods": 18, "start": "2022-11-01", "multiple": "1"}
HUNDRED = {"principal": "100", "periods": 6, "start": "2024-01-01", "day_count": "30/360"}
DAILY = BASE | {"periods": 6, "day_count": "ACT/365F"}
_AMOUNTS = {"principal", "annual_rate", "multiple", "instalment", "down_payment", "first_fraction", "cent"}
_DATED = {"tranches", "prepayments", "rate_changes"}


def terms(base: dict[str, Any], **changes: Any) -> Terms:
    """Return terms written with text for amounts and days."""
    made: dict[str, Any] = {}
    for name, value in (base | changes).items():
        if name in _AMOUNTS and isinstance(value, str):
            made[name] = D(value)
        elif name in _DATED:
            made[name] = tuple((date.fromisoformat(on), D(amount)) for on, amount in value)
        else:
            made[name] = date.fromisoformat(value) if name == "start" else value
    return Terms(**made)


def said(rows: list[Instalment]) -> list[str]:
    """Return rows as principal+interest→balance."""
    return [f"{row.principal}+{row.interest}→{row.balance}" for row in rows]


def rows(base: dict[str, Any], **changes: Any) -> list[str]:
    return said(schedule(terms(base, **changes)))


def test_v1_flat_interest_in_whole_instalments() -> None:
    """The part of the principal and the interest are each rounded to whole units: 278 + 50, the last one 274 + 50."""
    made = rows(BASE, interest="flat")
    assert (made[0], made[16], made[17]) == ("278.00+50.00→4722.00", "278.00+50.00→274.00", "274.00+50.00→0.00")


def test_v2_equal_instalments_of_a_declining_loan() -> None:
    """305 a month, 303.22 in the end, 488.22 of interest."""
    made = schedule(terms(BASE))
    assert said(made)[:3] == ["255.00+50.00→4745.00", "257.55+47.45→4487.45", "260.13+44.87→4227.32"]
    assert said(made)[15:] == ["296.05+8.95→599.23", "299.01+5.99→300.22", "300.22+3.00→0.00"]
    assert (sum(row.interest for row in made), made[-1].on) == (D("488.22"), date(2024, 5, 1))
    assert said(schedule(terms(BASE, rounding=ROUND_HALF_UP))) == said(made)


def test_v3_interest_to_the_day() -> None:
    """Actual days over 365: 49.32 for thirty days, 45.74 for thirty-one, and 302.33 in the end."""
    made = rows(BASE, day_count="ACT/365F")
    assert made[:4] == [
        "255.68+49.32→4744.32",
        "256.65+48.35→4487.67",
        "259.26+45.74→4228.41",
        "266.08+38.92→3962.33",
    ]
    assert made[-1] == "299.38+2.95→0.00"


def test_v4_equal_principal_keeps_its_cents() -> None:
    """277.78 a month whatever instalments are rounded to, 277.74 in the end, 475.00 of interest."""
    made = schedule(terms(BASE, amortisation="equal_principal"))
    assert [row.due for row in made[:4]] == [D("327.78"), D("325.00"), D("322.22"), D("319.45")]
    assert said(made)[-1] == "277.74+2.78→0.00"
    assert sum(row.interest for row in made) == D("475.00")


def test_v5_grace_on_the_principal() -> None:
    """Three months of interest alone, then 361 a month and 354.87 in the end."""
    made = rows(BASE, grace_principal=3)
    assert made[:4] == ["0.00+50.00→5000.00"] * 3 + ["311.00+50.00→4689.00"]
    assert made[-1] == "351.36+3.51→0.00"


def test_v7_interest_whose_payment_is_put_off() -> None:
    """Nothing for three months, the interest of four in the fourth."""
    made = rows(BASE, grace_principal=6, grace_interest_payment=3)
    assert made[:7] == ["0.00+0.00→5000.00"] * 3 + ["0.00+200.00→5000.00"] + ["0.00+50.00→5000.00"] * 2 + [
        "394.00+50.00→4606.00"
    ]
    assert made[-1] == "442.66+4.43→0.00"


@pytest.mark.parametrize(
    ("prepayment", "after"),
    [
        ("fewer_instalments", ["840.69+21.31→1249.90", "850.49+11.51→399.41", "399.41+4.07→0.00"]),
        (
            "lower_instalment",
            ["514.69+21.31→1575.90", "521.49+14.51→1054.41", "525.25+10.75→529.16", "529.16+5.22→0.00"],
        ),
        (
            "next_instalments",
            ["0.00+21.31→2090.59", "407.45+19.24→1683.14", "844.85+17.15→838.29", "838.29+8.27→0.00"],
        ),
    ],
)
def test_payments_of_more_than_the_instalment(prepayment: str, after: list[str]) -> None:
    """1,000 and 2,000 paid instead of 862: fewer instalments, lower ones, or the next ones are paid for."""
    paid = [("2023-01-01", "2000"), ("2022-12-01", "1000")]
    made = rows(DAILY, prepayments=paid, prepayment=prepayment)
    assert made == ["950.68+49.32→4049.32", "1958.73+41.27→2090.59", *after]


@pytest.mark.parametrize(
    ("amount", "first", "second"),
    [
        ("863", "863.00+48.18→4137.00", "809.84+42.16→3327.16"),
        ("200", "812.95+49.05→4187.05", "819.33+42.67→3367.72"),
        ("1500", "1500.00+47.34→3500.00", "685.33+35.67→2814.67"),
    ],
)
def test_payments_between_due_dates(amount: str, first: str, second: str) -> None:
    """They save interest from their day on, and only what is beyond the instalment lowers the ones after it."""
    made = rows(DAILY, prepayments=[("2022-11-27", amount)], prepayment="lower_instalment")
    assert made[:2] == [first, second]


def test_payments_ahead_whose_interest_waits_for_the_due_date() -> None:
    """By period, a payment between due dates saves no interest of that period; as extra, it comes on top."""
    paid = [("2022-11-20", "200")]
    assert rows(DAILY, prepayments=paid, prepayment_interest="by_period")[0] == "812.68+49.32→4187.32"
    assert rows(DAILY, prepayments=paid, prepayments_are="extra")[0] == "1013.41+48.59→3986.59"
    assert rows(DAILY, prepayments=[("2022-12-01", "138")], prepayments_are="extra")[0] == "950.68+49.32→4049.32"


def test_v11_no_interest() -> None:
    """1,000 in six whole instalments: five of 167, one of 165."""
    free = {"principal": "1000", "annual_rate": "0", "periods": 6, "start": "2023-09-01", "multiple": "1"}
    assert [row.due for row in schedule(terms(free))] == [D(167)] * 5 + [D(165)]


def test_v13_down_payment() -> None:
    """A quarter falls due on the first day; flat interest is for the whole 1,000, declining interest for the rest."""
    flat = {"principal": "1000", "annual_rate": "0.12", "periods": 3, "start": "2022-01-01", "interest": "flat"}
    made = schedule(terms(flat, down_payment="0.25"))
    assert said(made) == ["250.00+0.00→750.00", "250.00+10.00→500.00", "250.00+10.00→250.00", "250.00+10.00→0.00"]
    assert [(row.number, row.on.isoformat()) for row in made[:2]] == [(1, "2022-01-01"), (2, "2022-02-01")]
    declining = rows(HUNDRED, annual_rate="0.0999", down_payment="0.25")
    assert declining[:3] == ["25.00+0.00→75.00", "12.25+0.62→62.75", "12.35+0.52→50.40"]
    assert declining[-1] == "12.74+0.11→0.00"


def test_v20_every_fifteen_days() -> None:
    """Fifteen days of a year of 360: 16.90 five times, 16.89 in the end."""
    every = HUNDRED | {"annual_rate": "0.094822", "every": Every(15, "day")}
    made = rows(every)
    assert made == [
        "16.50+0.40→83.50",
        "16.57+0.33→66.93",
        "16.64+0.26→50.29",
        "16.70+0.20→33.59",
        "16.77+0.13→16.82",
        "16.82+0.07→0.00",
    ]
    assert rows(every, day_count="ACT/360") == made


def test_v21_an_instalment_is_not_changed_for_the_worse() -> None:
    """17.43 leaves 17.47 for the last; 17.44 is tried, leaves 17.40 and is refused."""
    made = schedule(terms(HUNDRED, annual_rate="0.15678", day_count="ACT/365F"))
    assert [row.due for row in made] == [D("17.43")] * 5 + [D("17.47")]


def test_v22_a_broken_first_period() -> None:
    """Paid out on the 15th of January: interest for 17 of 31 days, 32.85 five times and 32.87."""
    made = rows(HUNDRED, principal="192.22", annual_rate="0.0999", first_fraction=D(17) / 31)
    assert made == [
        "31.97+0.88→160.25",
        "31.52+1.33→128.73",
        "31.78+1.07→96.95",
        "32.04+0.81→64.91",
        "32.31+0.54→32.60",
        "32.60+0.27→0.00",
    ]


def test_v29_an_agreed_instalment() -> None:
    """250,000 at 9.2 % in instalments of 14,923: 18,601.43 of interest to the cent, 18,599 in whole units."""
    home = {"principal": "250000", "annual_rate": "0.092", "periods": 18, "start": "2024-01-01", "instalment": "14923"}
    assert abs(sum(row.interest for row in schedule(terms(home))) - D("18601.43")) <= D("0.01")
    assert sum(row.interest for row in schedule(terms(home, cent="1"))) == D(18599)
    later = schedule(terms(home, periods=24, instalment="11445", cent="1"))
    assert sum(row.interest for row in later) == D(24657)


def test_v33_halves_to_even_or_up() -> None:
    """Flat interest of 0.125 is 0.12 or 0.13."""
    flat = {"principal": "12.50", "annual_rate": "0.12", "periods": 3, "start": "2024-01-01", "interest": "flat"}
    assert {row.interest for row in schedule(terms(flat))} == {D("0.12")}
    assert {row.interest for row in schedule(terms(flat, rounding=ROUND_HALF_UP))} == {D("0.13")}


@pytest.mark.parametrize(
    ("principal", "rate", "even", "up"),
    [("5001.50", "0.12", "50.02", "50.02"), ("5000.50", "0.12", "50.00", "50.01"), ("9.00", "0.14", "0.10", "0.11")],
)
def test_halves_of_a_cent_are_exact(principal: str, rate: str, even: str, up: str) -> None:
    """Interest that ends in half a cent exactly is rounded by the rule, also where a twelfth of the rate has no end."""
    base = BASE | {"principal": principal, "annual_rate": rate, "multiple": None, "amortisation": "equal_principal"}
    assert schedule(terms(base))[0].interest == D(even)
    assert schedule(terms(base, rounding=ROUND_HALF_UP))[0].interest == D(up)


def test_v34_what_a_loan_truly_costs() -> None:
    """12 % is 12.68 % in a year, 15.69 % with a fee, 12.62 % with interest put off, 23.94 % when it is flat."""
    found = [
        effective_rate(terms(BASE)),
        effective_rate(terms(BASE), ((date(2022, 11, 1), D(100)),)),
        effective_rate(terms(BASE, grace_principal=6, grace_interest_payment=3)),
        effective_rate(terms(BASE, interest="flat")),
    ]
    assert [round((rate or D(0)) * 100, 2) for rate in found] == [D("12.68"), D("15.69"), D("12.62"), D("23.94")]
    assert effective_rate(terms(BASE), ((date(2022, 11, 1), D(5000)),)) is None


def test_true_cost_of_tranches_and_by_days() -> None:
    """A tranche within the term leaves the cost of interest as it is; by days, a year of 365 days is a year."""
    two = terms(HUNDRED, annual_rate="0.12", tranches=[("2024-02-15", "100")])
    assert abs((effective_rate(two) or D(0)) - D("0.1268")) < D("0.0005")
    yearly = terms(BASE, periods=1, every=Every(1, "year"), day_count="ACT/365F")
    assert round((effective_rate(yearly) or D(0)) * 100, 2) == D("12.00")


def test_tranches_change_the_instalment_from_their_period_on() -> None:
    """On a due date from the next period, within a period from that one; equal dates come in any order."""
    base = HUNDRED | {"annual_rate": "0.094822"}
    made = rows(base, tranches=[("2024-03-01", "100")])
    assert made[:4] == ["16.34+0.79→83.66", "16.47+0.66→167.19", "41.31+1.32→125.88", "41.64+0.99→84.24"]
    assert made[-1] == "42.28+0.33→0.00"
    assert rows(base, tranches=[("2024-02-15", "100")])[1:3] == ["36.46+1.07→147.20", "36.37+1.16→110.83"]
    first = {"first_fraction": D(27) / 31}
    made = rows(base, tranches=[("2024-01-08", "25"), ("2024-01-08", "50")], **first)
    assert made == rows(base, tranches=[("2024-01-08", "50"), ("2024-01-08", "25")], **first)
    assert made[0] == "28.79+1.15→146.21"
    lump = DAILY | {"day_count": "per_period", "instalment": "1725"}
    made = rows(lump, tranches=[("2023-03-01", "2000"), ("2023-01-01", "3000")])
    assert made[1:4] == ["1691.75+33.25→4633.25", "1678.67+46.33→2954.58", "1695.45+29.55→3259.13"]


def test_a_new_rate_from_a_day() -> None:
    """At a period's start it changes that instalment, within a period also what the rest of it costs."""
    base = HUNDRED | {"annual_rate": "0.07"}
    made = rows(base, rate_changes=[("2024-02-01", "0.04")])
    assert made[:3] == ["16.43+0.58→83.57", "16.60+0.28→66.97", "16.66+0.22→50.31"]
    made = rows(base, rate_changes=[("2024-02-14", "0.04")])
    assert (made[1], made[-1]) == ("16.53+0.37→67.04", "16.84+0.06→0.00")


def test_weeks_quarters_and_bullets() -> None:
    """A week is 1/52 of a year, a quarter 3/12; a bullet is repaid whole at the end."""
    weekly = HUNDRED | {"annual_rate": "0.094822", "day_count": "per_period", "every": Every(1, "week")}
    assert rows(weekly)[:2] == ["16.59+0.18→83.41", "16.62+0.15→66.79"]
    quarterly = schedule(terms(BASE, periods=4, every=Every(3, "month"), amortisation="bullet"))
    assert said(quarterly) == ["0.00+150.00→5000.00"] * 3 + ["5000.00+150.00→0.00"]
    assert quarterly[-1].on == date(2023, 11, 1)


def test_flat_interest_put_off_is_shared_or_falls_due_together() -> None:
    """Equal flat instalments share it, equal parts of the principal have it in the first instalment after."""
    base = BASE | {"interest": "flat", "periods": 6, "grace_interest_payment": 2, "multiple": None}
    assert [row.interest for row in schedule(terms(base))] == [D(0)] * 2 + [D(75)] * 4
    parts = schedule(terms(base, amortisation="equal_principal"))
    assert [row.interest for row in parts] == [D(0)] * 2 + [D(150)] + [D(50)] * 3


def test_flat_interest_by_days_is_the_same_in_every_instalment() -> None:
    """1,200 for 90 days of 365 at 12 % is 35.51: 11.84 in each of three instalments, although months differ."""
    flat = {"principal": "1200", "annual_rate": "0.12", "periods": 3, "start": "2023-01-01", "interest": "flat"}
    assert {row.interest for row in schedule(terms(flat, day_count="ACT/365F"))} == {D("11.84")}
    assert {row.interest for row in schedule(terms(flat, first_fraction="0.5"))} == {D("10.00")}


def test_periods_free_of_interest() -> None:
    """Nothing is charged in them, and the instalment stays equal."""
    made = schedule(terms(BASE, grace_interest_charged=3, multiple=None))
    assert [row.interest for row in made[:3]] == [D(0)] * 3
    assert len({row.due for row in made[:-1]}) == 1


def test_due_dates_off_holidays() -> None:
    """The next or the previous working day, or the next within the month; only counted days change interest."""
    base = BASE | {"start": "2026-01-31", "periods": 4, "multiple": None}
    on = {
        move: [row.on.isoformat() for row in schedule(terms(base, holidays=Holidays("DE", move)))]
        for move in ("next", "previous", "same_month")
    }
    assert on["next"] == ["2026-03-02", "2026-03-31", "2026-04-30", "2026-06-01"]
    assert on["previous"] == ["2026-02-27", "2026-03-31", "2026-04-30", "2026-05-29"]
    assert on["same_month"] == on["previous"]
    moved = schedule(terms(base, holidays=Holidays("DE")))
    assert [row.interest for row in moved] == [row.interest for row in schedule(terms(base))]
    counted = schedule(terms(base, holidays=Holidays("DE"), day_count="ACT/365F"))
    assert counted[0].interest == D("49.32")
