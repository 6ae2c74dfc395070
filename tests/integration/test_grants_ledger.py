"""The ledger of grants in its database and on its pages: entered with the act, by the act alone, for good."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from grants_world import PDF, Case, World, counted
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from services.grants.handlers import ledger
from services.grants.storage.tables import awards
from shared.database import Context, UnitOfWork, system
from shared.money import Money
from shared.testing.stand import Stand

BALANCED = "SELECT entry FROM ledger_line GROUP BY entry HAVING sum(amount) <> 0"


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people, a pack and a concluded agreement."""
    made = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    Case(made).concluded()
    return made


def unit_of_work(world: World) -> UnitOfWork:
    """Return a unit of work of the service itself."""
    return UnitOfWork(world.engine, "grants", Context(actor=system("grants")), clock=world.clock)


@pytest.mark.english
def test_the_money_of_a_case_stands_in_its_ledger(world: World) -> None:
    """Commitment, release, payment and accepted costs are entered with their acts; page, CSV and JSON say the same."""
    case = Case(world).concluded()
    path = f"{case.path}/ledger"
    assert world.officer.api("GET", path)["figures"]["left"]["amount"] == "40000.00"
    document = case.attach("other", PDF + b"ledger")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    case.act(world.finance, "tranches/1/release")
    case.act(world.finance, "tranches/1/release", 409)
    case.act(world.finance_two, "tranches/1/payment", payment_reference="TR-77", paid_on="2026-03-02")
    with unit_of_work(world) as uow:
        award = awards(uow).get(case.reference)
        ledger.costs_accepted(uow, award, Money.of("6000", "EUR"), f"{case.reference}-R1")
    seen = world.finance.api("GET", path)
    figures = {name: value["amount"] for name, value in seen["figures"].items()}
    assert figures == {
        "committed": "40000.00",
        "left": "24000.00",
        "waiting": "0.00",
        "paid": "16000.00",
        "liquidated": "6000.00",
        "outstanding": "10000.00",
        "due_to_grantee": "0.00",
        "refund_due": "0.00",
    }
    with counted(world) as few:
        page = world.auditor.page(path)
    assert "TR-77" in page
    assert len(few) < 20
    rows = list(csv.DictReader(io.StringIO(world.officer.request("GET", f"{path}.csv").text.removeprefix("\ufeff"))))
    assert len(rows) == len(seen["lines"])
    debits, credits_ = (sum(Decimal(row[side] or 0) for row in rows) for side in ("Debit", "Credit"))
    assert debits == credits_ == Decimal(110000)
    world.applicant.api("GET", path, 403)
    with world.engine.connect() as connection:
        assert connection.execute(text(BALANCED)).all() == []


@pytest.mark.english
def test_a_fund_has_its_budget_and_what_is_left_of_it(world: World) -> None:
    """The call's ledger sums its agreements in its own currency, beside the budget that the programme states."""
    [fund] = world.finance.api("GET", "/ledger")["funds"]
    committed = Decimal(fund["figures"]["committed"]["amount"])
    assert committed > 0
    assert Decimal(fund["uncommitted"]["amount"]) == Decimal(400000) - committed
    page = world.manager.page("/ledger?call=bso-grants-2026")
    assert "Grants to business support organisations 2026</a>" in page
    lines = world.auditor.api("GET", "/ledger/lines")
    assert {line["call"] for line in lines["items"]} == {"bso-grants-2026"}
    assert world.finance.request("GET", "/ledger.csv").text.count("\n") == len(lines["items"]) + 1
    world.applicant.api("GET", "/ledger", 403)
    world.finance.api("GET", "/ledger?programme=another", 404)


def test_nobody_can_change_what_was_entered(world: World) -> None:
    """The service's role may neither change nor delete a line, and an entry that does not balance is not kept."""
    for statement in ("UPDATE ledger_line SET amount = 1", "DELETE FROM ledger_line", "TRUNCATE ledger_line"):
        with pytest.raises(ProgrammingError, match="permission denied"), world.engine.begin() as connection:
            connection.execute(text(statement))
    one_sided = (
        'INSERT INTO ledger_line (entry, line, programme, call, "case", kind, account, amount, currency, about, at, by,'
        ' by_name) SELECT gen_random_uuid(), 1, programme, call, "case", kind, account, amount, currency, about, at,'
        " by, by_name FROM ledger_line LIMIT 1"
    )
    with pytest.raises(DBAPIError, match="does not balance"), world.engine.begin() as connection:
        connection.execute(text(one_sided))


def test_an_amendment_and_the_end_move_the_commitment(world: World) -> None:
    """An amendment goes up and down, closing gives the rest back to the fund, reopening takes it again."""
    case = Case(world).concluded()
    with unit_of_work(world) as uow:
        award = awards(uow).get(case.reference)
        before, award.amount = award.amount, Money.of("45000", "EUR")
        assert ledger.amended(uow, award, before) is not None
        before, award.amount = award.amount, Money.of("38000", "EUR")
        assert ledger.amended(uow, award, before) is not None
        assert ledger.amended(uow, award, award.amount) is None
        assert ledger.closed(uow, award) is not None
        assert ledger.accounts_of(uow, award).figures()["committed"] == Money.zero("EUR")
        assert ledger.reopened(uow, award) is not None
        assert ledger.accounts_of(uow, award).figures()["committed"] == Money.of("38000", "EUR")
        uow.abandon()
