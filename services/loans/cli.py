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
