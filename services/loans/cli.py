"""`tamga loan …` and `tamga proposal …`: schedules and ratios for machines, from JSON on standard input.

Exit codes: 0 done; 2 the input can't be answered: standard error has JSON with field, rule and figure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from shared.errors import InvalidError
from shared.messaging.printing import NO_ANSWER, print_json

loan = typer.Typer(name="loan", help="Loans: compute a repayment schedule.", no_args_is_help=True)
proposal = typer.Typer(name="proposal", help="Proposals: compute every ratio.", no_args_is_help=True)
MOST = 4_000_000  # characters of input

EXAMPLE = {
    "principal": "5000",
    "annual_rate_pct": "12",
    "n": 18,
    "every": "1 month",
    "start": "2022-11-01",
    "instalment_multiple_of": "1",
    "fees": [["2022-11-01", "100"]],
}

PROPOSAL = {
    "currency": "EUR",
    "plan": {
        "request": {"title": "Press line", "amount": "40000", "term_months": 36, "rate_percent": "14"},
        "funding": {
            "loan": "40000",
            "own_cash": "8000",
            "own_in_kind": "2000",
            "uses": [{"item": "Press line", "amount": "50000"}],
        },
        "history": {
            "years": [
                {
                    "year": 2026,
                    "sales": "110000",
                    "cost_of_sales": "71500",
                    "operating_costs": "17000",
                    "current_assets": "30000",
                    "stock": "12000",
                    "receivables": "9000",
                    "payables": "7000",
                    "current_liabilities": "18000",
                    "debt": "5000",
                    "equity": "40000",
                    "source": "audited",
                }
            ]
        },
        "projection": {
            "opening_cash": "9000",
            "first_month": "2027-01-01",
            "sales": ["120000", "132000", "145200"],
            "cost_of_sales_percent": "65",
            "operating_costs": "18000",
            "operating_growth_percent": "5",
            "depreciation": "6000",
            "tax_percent": "10",
            "capex": "1000",
        },
        "flows": {
            "flows": ["-60000", "16000", "18000", "20000", "20000", "30000"],
            "discount_percent": "14",
            "reinvest_percent": "10",
        },
        "collateral": {"items": [{"kind": "real_estate", "market_value": "90000", "haircut_percent": "30"}]},
    },
}


@loan.callback()
def loans() -> None:
    """Loans: compute a repayment schedule."""


@proposal.callback()
def proposals() -> None:
    """Proposals: compute every ratio."""


@loan.command()
def schedule(
    *, example: Annotated[bool, typer.Option("--example", help="Print an input to begin with, and end.")] = False
) -> None:
    """Read terms as JSON on standard input, write rows, sums and the effective annual rate as JSON.

    Exit codes: 0 done; 2 refused: standard error has JSON with field, rule and figure.
    """
    from services.loans.domain.schedule.asked import answered  # noqa: PLC0415 - not for --help

    if example:
        print_json(EXAMPLE)
    else:
        _answer(answered)


@proposal.command("ratios")
def ratios_of(
    *, example: Annotated[bool, typer.Option("--example", help="Print a proposal to begin with, and end.")] = False
) -> None:
    """Read a proposal as JSON on standard input, write every ratio with its formula and unit as JSON.

    What can't be computed is null, with what is missing. A proposal is what the API gives, or its plan alone.

    Exit codes: 0 done; 2 refused: standard error has JSON with field, rule and figure.
    """
    from services.loans.domain.report import reported  # noqa: PLC0415 - not for --help

    if example:
        print_json(PROPOSAL)
    else:
        _answer(reported)


def _answer(compute: Callable[[Any], dict[str, Any]]) -> None:
    given = _read()
    try:
        print_json(compute(given))
    except InvalidError as error:
        _refuse(error.fields, getattr(error, "figures", {}))


def _read() -> Any:
    text = sys.stdin.buffer.read(MOST + 1)
    if len(text) > MOST:
        _refuse({"": f"must be at most {MOST:,} bytes"}, {"": "more"})
    try:
        return json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "must be JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
        _refuse({"": "must be text in UTF-8" if isinstance(error, UnicodeDecodeError) else why}, {"": str(error)[:120]})


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"must not name {name[:80]} twice")
        found[name] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"must not hold {name}")


def _refuse(fields: dict[str, str], figures: dict[str, str]) -> NoReturn:
    errors = [{"field": name, "rule": str(rule), "figure": figures.get(name, "")} for name, rule in fields.items()]
    typer.echo(json.dumps(errors[0] | {"errors": errors}, ensure_ascii=False), err=True)
    raise typer.Exit(NO_ANSWER)
