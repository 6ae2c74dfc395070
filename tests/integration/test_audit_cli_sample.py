"""`tamga audit sample`: the checkpoint by rule, the same again, what it refuses, and the trace that it leaves."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_log import ANA, MORNING, act, body, take_in
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.cli import common
from services.audit.domain.sampling import number
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from shared.settings import Settings
from shared.testing.stand import Stand

RUNNER = CliRunner()
PERIOD = ["--from", "2026-11-02", "--to", "2026-11-02"]
PAID = "grants.award.payment_confirmed"


def paid(at: int, amount: str, currency: str = "EUR", programme: str = "business-ecosystem") -> Any:
    """Return a confirmed payment."""
    money = {"amount": amount, "currency": currency}
    data = body(ANA, tranche_amount=money, amount={"amount": "999999.00", "currency": currency})
    return act(at, type=PAID, entity=f"award:BSO-2026-{at:04d}", body=data, programme=programme)


def forge(engine: Engine, change: str) -> None:
    """Alter the checkpoints past the database's refusals."""
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(f"UPDATE checkpoint SET {change}"))  # noqa: S608 - ours


class Log:
    """A log that the commands find by their settings, signed at a time of ours."""

    def __init__(self, engine: Engine, known: Settings) -> None:
        self.engine, self.known = engine, known

    def sign(self, days: int) -> int:
        """Sign a checkpoint so many days after the period's morning; returns its size."""
        with self.engine.begin() as connection:
            signed = sign_checkpoint(connection, Keys.of(self.known), clock=lambda: MORNING + timedelta(days=days))
        assert signed
        return signed.size


@pytest.fixture
def log(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Give a log of twenty cases of two programmes, three to one, not signed yet."""
    engine = stand.database("audit")
    take_in(engine, [act(at, programme="small" if at % 4 == 0 else "large") for at in range(1, 21)])
    url = engine.url.render_as_string(hide_password=False)
    known = Settings(home=tmp_path, database_urls={"audit": url}, time_zone="UTC")
    monkeypatch.setattr(common, "settings", lambda: known)
    return Log(engine, known)


def drawn(*more: str, code: int = 0) -> dict[str, Any]:
    """Return what the command says for machines."""
    answer = RUNNER.invoke(cli.commands, ["sample", *PERIOD, "--json", *more])
    assert answer.exit_code == code, answer.output
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def test_the_seed_is_the_first_checkpoint_after_the_period(log: Log) -> None:
    """Checkpoints within the period and later ones do not count: whoever waits for another gets the same sample."""
    log.sign(0)
    assert drawn("--size", "4")["checkpoint"]["after_the_period"] is False
    take_in(log.engine, [act(21, programme="large")])
    size = log.sign(1)
    first = drawn("--size", "4")
    take_in(log.engine, [act(22, programme="large")])
    log.sign(2)
    again = drawn("--size", "4")
    assert (first["checkpoint"]["size"], first["checkpoint"]["after_the_period"], first["late"]) == (size, True, 0)
    assert (again["drawn"], again["checkpoint"], again["late"]) == (first["drawn"], first["checkpoint"], 1)


def test_programmes_give_their_part_and_the_numbers_can_be_recomputed(log: Log) -> None:
    """Of four, three come from the programme with three quarters; each has the number that its name gives."""
    log.sign(1)
    told = drawn("--size", "4")
    assert [row["programme"] for row in told["drawn"]] == ["large", "large", "large", "small"]
    root = bytes.fromhex(told["checkpoint"]["root"])
    assert [row["number"] for row in told["drawn"]] == [number(root, row["name"]).hex() for row in told["drawn"]]
    assert {row["programme"] for row in drawn("--size", "4", "--programme", "small")["drawn"]} == {"small"}


def test_a_named_checkpoint_draws_again_and_is_told_as_named(log: Log) -> None:
    """A working paper's checkpoint gives its sample back; a size at which nothing was signed is refused."""
    size = log.sign(1)
    first = drawn("--size", "5")
    again = drawn("--size", "5", "--checkpoint", str(size))
    assert (again["drawn"], again["checkpoint"]["named"]) == (first["drawn"], True)
    refused = RUNNER.invoke(cli.commands, ["sample", *PERIOD, "--size", "5", "--checkpoint", str(size - 1)])
    assert (refused.exit_code, refused.stderr.strip()) == (2, "There is no such checkpoint")


def test_by_amount_large_payments_are_always_drawn(log: Log, tmp_path: Path) -> None:
    """The tranche's sum counts, not the award's; what is larger than the step is in, and the paper has a line each."""
    take_in(log.engine, [paid(30 + at, "10.00") for at in range(10)] + [paid(50, "900.00")])
    log.sign(1)
    paper = tmp_path / "paper.csv"
    told = drawn("--size", "5", "--mus", "--csv", str(paper))
    assert (told["whole"], told["currency"], told["kind"], told["items"]) == ("1000.00", "EUR", PAID, 11)
    assert sum(row["hits"] for row in told["drawn"]) == 5
    assert max(row["hits"] for row in told["drawn"] if row["amount"] == "900.00") in {4, 5}
    with paper.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["name"], line["number"]) for line in lines] == [(row["name"], row["number"]) for row in told["drawn"]]


def test_currencies_are_not_added(log: Log) -> None:
    """Payments in two currencies have no common sum: refused, and a programme of one currency is drawn."""
    take_in(log.engine, [paid(30, "10.00"), paid(31, "10.00", "USD", "dollars")])
    log.sign(1)
    refused = RUNNER.invoke(cli.commands, ["sample", *PERIOD, "--size", "1", "--mus"])
    assert (refused.exit_code, "amounts in EUR, USD can't be added" in refused.stderr) == (2, True)
    assert drawn("--size", "1", "--mus", "--programme", "dollars")["currency"] == "USD"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ([*PERIOD, "--size", "0"], 2, "size is from 1 to 10000"),
        (["--from", "2026-11-03", "--to", "2026-11-02", "--size", "1"], 2, "to is before the first day"),
        (["--from", "2020-01-01", "--to", "2020-01-02", "--size", "1"], 1, "0 of 0"),
    ],
)
def test_wrong_questions_and_empty_periods_differ(log: Log, command: list[str], code: int, said: str) -> None:
    """A wrong question is refused with its field; a period without cases is exit code 1 and says so."""
    log.sign(1)
    answer = RUNNER.invoke(cli.commands, ["sample", *command])
    assert (answer.exit_code, said in answer.output + answer.stderr) == (code, True)


def test_a_forged_checkpoint_gives_no_sample(log: Log, stand: Stand) -> None:
    """A root in the table is not believed, only the signed note; a note that nobody here signed is refused."""
    log.sign(1)
    before = drawn("--size", "1")
    forge(stand.superuser(log.engine), "root = sha256('mine')")
    assert drawn("--size", "1") == before
    forge(stand.superuser(log.engine), "note = replace(note, E'\\n20\\n', E'\\n19\\n')")
    refused = RUNNER.invoke(cli.commands, ["sample", *PERIOD, "--size", "1"])
    assert (refused.exit_code, "not its checkpoint, continued" in refused.stderr) == (2, True)


def test_drawing_is_recorded(log: Log) -> None:
    """Who drew a sample, of what and under which checkpoint, stands in the record: also who draws until one suits."""
    size = log.sign(1)
    drawn("--size", "1")
    drawn("--size", "2", "--strata", "none", "--programme", "large")
    with log.engine.connect() as connection:
        events = list(connection.execute(text("SELECT body -> 'data' FROM outbox ORDER BY \"row\"")).scalars())
    assert events[0] == {
        "since": "2026-11-02", "until": "2026-11-02", "of": "", "method": "chance", "strata": "programme",
        "wanted": 1, "drawn": 1, "items": 20, "checkpoint": size, "named": False, "through": "cli",
    }  # fmt: skip
    assert (events[1]["strata"], events[1]["wanted"], events[1]["items"]) == ("none", 2, 15)


def test_it_can_be_divided_by_months_or_not_at_all(log: Log) -> None:
    """A month gives its part as a programme does; undivided, the smallest numbers of all are drawn."""
    take_in(log.engine, [act(40, time=MORNING + timedelta(days=30))])
    log.sign(60)
    period = ["--from", "2026-11-01", "--to", "2026-12-31"]
    answer = RUNNER.invoke(cli.commands, ["sample", *period, "--size", "21", "--strata", "month", "--json"])
    told = json.loads(answer.stdout)
    parts = [{"name": "2026-11", "items": 20, "drawn": 20}, {"name": "2026-12", "items": 1, "drawn": 1}]
    assert told["by_stratum"] == parts
    whole = drawn("--size", "4", "--strata", "none")
    numbers = [row["number"] for row in whole["drawn"]]
    assert numbers == sorted(numbers)
    assert {row["programme"] for row in drawn("--size", "20", "--strata", "none")["drawn"]} == {"large", "small"}
    refused = RUNNER.invoke(cli.commands, ["sample", *PERIOD, "--size", "1", "--strata", "moon"])
    assert (refused.exit_code, refused.stderr.strip()) == (2, "strata is none of programme, month, none")
