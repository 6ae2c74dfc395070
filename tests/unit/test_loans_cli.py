"""`tamga loan schedule` and `tamga proposal ratios`: JSON in, JSON out, refusals by field, rule and figure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from services.loans.cli import loan

run = CliRunner().invoke
ASKED: dict[str, Any] = {"principal": "5000", "annual_rate_pct": "12", "n": 18, "start": "2022-11-01"}


def scheduled(**changes: Any) -> tuple[int, dict[str, Any]]:
    """Return the exit code and what was written: the answer, or the refusal."""
    done = run(loan, ["schedule"], input=json.dumps(ASKED | changes))
    return done.exit_code, json.loads(done.stdout if done.exit_code == 0 else done.stderr)


def test_a_schedule_is_answered_as_text() -> None:
    """Rows, sums and the true cost, amounts with the currency's decimals."""
    code, found = scheduled(instalment_multiple_of="1", every="1 month", fees=[["2022-11-01", "100"]])
    assert code == 0
    row = {"n": 1, "due": "2022-12-01", "principal": "255.00", "interest": "50.00", "instalment": "305.00"}
    assert found["rows"][0] == row | {"balance": "4745.00"}
    assert found["total"] == {"principal": "5000.00", "interest": "488.22", "instalment": "5488.22", "fees": "100.00"}
    assert found["effective_annual_rate_pct"] == "15.69"


def test_every_member_is_understood() -> None:
    """All members together, and the other ways to write them."""
    code, found = scheduled(
        every="2 weeks",
        interest="declining",
        amortisation="equal_instalment",
        day_count="ACT/360",
        grace_principal=1,
        grace_interest_payment=1,
        grace_interest_charged=1,
        instalment_multiple_of=None,
        instalment=None,
        currency_decimals=0,
        rounding="HALF_UP",
        tranches=[["2022-12-01", "100"]],
        prepayments=[["2022-12-05", 200]],
        prepayment="next_instalments",
        prepayments_are="extra",
        prepayment_interest="by_period",
        rate_changes=[["2023-01-01", "13"]],
        down_payment_pct="10",
        first_period_fraction="17/31",
        holidays={"country": "AZ", "move": "same_month"},
        effective_rate_by="days",
    )
    assert code == 0
    assert (found["total"]["principal"], found["rows"][0]["principal"]) == ("5100", "500")
    assert found["rows"][-1]["balance"] == "0"


@pytest.mark.parametrize(
    ("changes", "field", "rule", "figure"),
    [
        ({"unknown": 1}, "unknown", "is not known", "1"),
        ({"n": "18"}, "n", "must be a whole number", "18"),
        ({"principal": 5000.5}, "principal", "must be a number written as text, such as 1250.50", "5000.5"),
        ({"principal": True}, "principal", "must be a number written as text, such as 1250.50", "True"),
        ({"principal": "-1"}, "principal", "must be above zero", "-1"),
        ({"instalment_multiple_of": "0.001"}, "instalment_multiple_of", "has more than the 2 decimals of", "0.001"),
        ({"annual_rate_pct": "-1"}, "annual_rate_pct", "must be between 0 and 1,000 per cent", "-1.00"),
        ({"every": "1 moon"}, "every", "must be such as 1 month", "1 moon"),
        ({"start": "01.11.2022"}, "start", "must be a day written as 2026-11-22", "01.11.2022"),
        ({"prepayments": [["2022-12-01", "6000"]]}, "prepayments", "on 2022-12-01 must be at most the 5050.00", "6000"),
        ({"fees": [["2022-11-01", "-1"]]}, "fees", "on 2022-11-01 must not be below zero", "-1"),
        ({"day_count": "ACT/ACT"}, "day_count", "must be 'per_period', '30/360', 'ACT/360' or 'ACT/365F'", "ACT/ACT"),
    ],
)
def test_a_refusal_names_field_rule_and_figure(changes: dict[str, Any], field: str, rule: str, figure: str) -> None:
    """Exit code 2, and JSON on standard error."""
    code, found = scheduled(**changes)
    assert (code, found["field"], found["figure"]) == (2, field, figure)
    assert rule in found["rule"]
    assert found["errors"][0]["field"] == field


@pytest.mark.parametrize("text", ["", "nope", "[]", '{"n": NaN}', '{"n": 1, "n": 2}', "[" * 100_000, "\udcff"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    """Broken, endless and doubled JSON end with 2 and one refusal."""
    done = run(loan, ["schedule"], input=text.encode("utf-8", "surrogateescape"))
    assert done.exit_code == 2
    assert json.loads(done.stderr)["field"] == ""
