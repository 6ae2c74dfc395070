"""Reports of a grant: due by the agreement, written with costs and figures, judged by others, locked when accepted."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
import xlsxwriter
from grants_world import PDF, PROGRAMME, Case, Person, World

from services.grants.handlers.publishing import Programme
from services.grants.handlers.reporting.scheduling import remind
from services.grants.storage.results import results_of
from shared.database import Context, UnitOfWork, reading, system
from shared.testing.clock import MONDAY
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


class Grant(Case):
    """A concluded grant and its first report."""

    def concluded(self) -> Grant:
        """Bring the grant to its agreement; every story begins on the same day."""
        self.world.clock.now = MONDAY
        super().concluded()
        return self

    @property
    def first(self) -> str:
        """Return the path of the first report in the API."""
        return f"/reports/{self.reference}-R1"

    def report(self, person: Person | None = None) -> dict[str, Any]:
        """Return the first report as somebody sees it; the recipient unless named."""
        return dict((person or self.world.applicant).api("GET", self.first))

    def do(self, person: Person, what: str, expect: int | None = None, **body: Any) -> Any:
        """Do something to the first report as somebody who has just looked at it."""
        body.setdefault("version", self.report()["version"])
        return person.api("POST", f"{self.first}/{what}", expect, **body)

    def write(self, expect: int | None = None, **changed: Any) -> Any:
        """Write the whole form."""
        body = {"answers": {"done": "Courses held.", "results": "Operators found."}, "entries": ENTRIES} | changed
        body.setdefault("version", self.report()["version"])
        return self.world.applicant.api("PUT", self.first, expect, **body)

    def proof(self) -> str:
        """Attach an invoice."""
        files = {"file": ("invoice.pdf", PDF, "application/pdf")}
        path = f"/api{self.first}/documents"
        answer = self.world.applicant.request("POST", path, data={"kind": "invoice"}, files=files)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def handed_in(self, *costs: dict[str, Any]) -> Grant:
        """Write the first report after its period and hand it in."""
        self.world.clock.forward(days=100)
        self.write()
        proof = self.proof()
        given = [cost | {"document": proof} for cost in costs or (COST,)]
        self.do(self.world.applicant, "costs", 201, costs=given)
        self.do(self.world.applicant, "submission")
        return self


ENTRIES = {
    "msmes_served.ids": "4030001\n4030002\n403 0002\n4030003",
    "msmes_served.size.micro.value": "2",
    "msmes_served.size.small.value": "1",
    "msmes_served.size.medium.value": "0",
    "msmes_served.owner.woman.value": "1",
    "msmes_served.owner.man.value": "2",
    "msmes_served.owner.shared.value": "0",
    "new_jobs.value": "4.5",
    "new_jobs.sex.women.value": "2",
    "new_jobs.sex.men.value": "2.5",
    "new_jobs.age.youth.value": "4",
    "new_jobs.age.older.value": "0.5",
    "satisfied.numerator": "9",
    "satisfied.denominator": "12",
    "paying_clients.value": "3",
}
COST = {
    "paid_on": "2026-03-20",
    "line": "experts",
    "description": "Trainers in March",
    "invoice_number": "2026/17",
    "supplier": "Skills Ltd",
    "supplier_tax_id": "4080012345678",
    "claimed": {"amount": "11800.00", "currency": "EUR"},
    "vat": "1800.00",
}


def test_an_agreement_asks_for_its_reports(world: World) -> None:
    """A concluded agreement has a report per quarter and a final one, due on working days, and is not asked twice."""
    case = Grant(world).concluded()
    rows = world.officer.api("GET", f"{case.path}/reports")
    assert [(row["kind"], row["status"]) for row in rows] == [("periodic", "draft"), ("final", "draft")]
    again = world.officer.api("POST", f"{case.path}/reports")
    assert [item["version"] for item in again] == [1, 1]


def test_a_report_is_written_judged_and_locked(world: World) -> None:
    """The parts of a figure add up or are named; a cut has code and reason; another person accepts; figures lock."""
    case = Grant(world).concluded()
    early = case.do(world.applicant, "submission", 422)
    assert {"period_to", "answers.done", "entries.new_jobs.value"} <= {item["field"] for item in early["errors"]}
    world.clock.forward(days=100)
    case.write(entries=ENTRIES | {"new_jobs.sex.men.value": "2"})
    wrong = {item["field"]: item["rule"] for item in case.do(world.applicant, "submission", 422)["errors"]}
    assert wrong["entries.new_jobs.sex"] == "adds up to 4, but the total is 4.5"
    case.write()
    assert case.write(409, version=1)["changed_by"]
    bad = {**COST, "paid_on": "2026-01-05"}, {**COST, "claimed": {"amount": "5", "currency": "MKD"}, "vat": "0"}
    refused = case.do(world.applicant, "costs", 422, costs=[*bad])
    assert [item["field"] for item in refused["errors"]] == ["costs.1.paid_on", "costs.2.exchange_rate"]
    proof = case.proof()
    small = COST | {"invoice_number": "18", "claimed": {"amount": "500.00", "currency": "EUR"}, "vat": "0"}
    case.do(world.applicant, "costs", 201, costs=[item | {"document": proof} for item in (COST, small)])
    case.do(world.applicant, "submission")
    case.do(world.applicant, "acceptance", 403)
    case.do(world.officer, "costs/1/decision", 422, decision="cut", amount="10000", code="no_proof", reason="All")
    case.do(world.officer, "costs/1/decision", 422, decision="refused", reason="No code")
    case.do(world.officer, "costs/1/decision", decision="cut", amount="9000", code="above_market", reason="Price")
    assert "2" in case.do(world.officer, "acceptance", 409)["detail"]
    hidden = case.report()["costs"][0]
    assert (hidden["decision"], hidden["reason"]) == ("open", "")
    case.do(world.finance, "costs/acceptance")
    accepted = case.do(world.manager, "acceptance", comment="Good")
    assert (accepted["claimed"]["amount"], accepted["accepted"]["amount"]) == ("10500.00", "9500.00")
    assert world.finance.api("GET", f"{case.path}/ledger")["figures"]["liquidated"]["amount"] == "9500.00"
    assert accepted["figures"]["msmes_served"]["total"]["value"] == "3"
    case.write(409)


def test_the_same_invoice_twice_is_shown_to_the_programme_alone(world: World) -> None:
    """An invoice that another grant has reported is named beside the cost, for staff and never for the recipient."""
    one, two = Grant(world).concluded(), Grant(world).concluded()
    cost = COST | {"invoice_number": "TWICE-1"}
    one.handed_in(cost)
    two.handed_in(cost)
    seen = two.report(world.officer)["costs"][0]["alike"]
    assert {"what": "same", "case": f"{one.reference}-R1", "number": 1} in seen
    assert two.report()["costs"][0]["alike"] == []


def test_a_late_report_reminds_and_holds_payments(world: World) -> None:
    """Before and after the due day there is one letter each; until it is handed in the next tranche is held, named."""
    case = Grant(world).concluded()
    world.clock.forward(days=110)
    act(world)
    act(world)
    world.clock.forward(days=30)
    act(world)
    told = [name for name in world.events(case.reference) if name.startswith("grants.report.")]
    assert told.count("grants.report.reminded") == 1
    assert told.count("grants.report.overdue") == 1
    held = case.act(world.finance, "tranches/1/request", 409)
    assert "report 1 was due on" in held["detail"]
    case.write()
    case.do(world.applicant, "submission")
    case.act(world.finance, "tranches/1/request")
    world.clock.forward(days=30)
    act(world)
    act(world)
    assert world.events(case.reference).count("grants.report.review_late") == 1


def act(world: World) -> None:
    """Let the timer do its work."""
    with UnitOfWork(world.engine, "grants", Context(actor=system("grants")), clock=world.clock) as uow:
        remind(uow)


def test_a_correction_is_a_new_version(world: World) -> None:
    """What was accepted stands while named parts are corrected, with the reason; the rest stays locked."""
    case = Grant(world).concluded().handed_in()
    case.do(world.officer, "costs/acceptance")
    case.do(world.officer, "acceptance")
    case.do(world.officer, "correction", 422, parts=["indicators"], why="")
    case.do(world.officer, "correction", parts=["indicators"], why="One enterprise closed")
    case.write(422, answers={"done": "Something else"})
    case.write(entries=ENTRIES | {"paying_clients.value": "2"}, answers={})
    assert case.report()["figures"]["paying_clients"]["total"]["value"] == "3"
    case.do(world.applicant, "submission")
    done = case.do(world.manager, "acceptance")
    assert done["figures"]["paying_clients"]["total"]["value"] == "2"
    assert [item["outcome"] for item in done["handed"]] == ["accepted", "accepted"]


def test_costs_come_from_a_sheet_with_a_result_per_row(world: World) -> None:
    """A workbook with one wrong row enters nothing and says what is wrong where; mended, all of it is entered."""
    case = Grant(world).concluded()
    world.clock.forward(days=100)
    heads = ["Paid on", "Budget line", "What for", "Invoice", "Supplier", "Tax number", "Amount"]
    rows = [[46101, "Trainers and experts", "Trainer", "A-1", "Skills", "123", 100.5]]
    rows.append(["02.04.2026", "Events", "Hall", "A-2", "Hotel", "456", 20])
    first = upload(case, heads, rows)
    assert (first["entered"], first["wrong"]) == (0, 1)
    assert first["rows"][1]["wrong"] == {"line": "is not a budget line of this call"}
    rows[1][1] = "events"
    assert upload(case, heads, rows)["entered"] == 2
    costs = case.report()["costs"]
    assert [(item["paid_on"], item["value"]["amount"]) for item in costs] == [
        ("2026-03-20", "100.50"),
        ("2026-04-02", "20.00"),
    ]


def upload(case: Grant, heads: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """Send a workbook."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([heads, *rows]):
            sheet.write_row(number, 0, row)
    files = {"file": ("costs.xlsx", content.getvalue(), "application/octet-stream")}
    data = {"version": case.report()["version"]}
    answer = case.world.applicant.request("POST", f"/api{case.first}/costs/import", data=data, files=files)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_who_may_not_know_of_a_report_gets_404(world: World) -> None:
    """Another organisation finds no report, whatever it tries; reviewers may not even ask."""
    case = Grant(world).concluded()
    world.lead_firm.api("GET", case.first, 404)
    world.lead_firm.api("PUT", case.first, 404, version=1)
    world.reviewer_one.api("GET", case.first, 403)


def test_indicators_come_together_over_grants(world: World) -> None:
    """Over two grants numbers add up, percentages by their counts, and whoever both served counts once."""
    before = stands(world)
    for satisfied in ("9", "1"):
        case = Grant(world).concluded()
        world.clock.forward(days=100)
        case.write(entries=ENTRIES | {"satisfied.numerator": satisfied})
        case.do(world.applicant, "submission")
        case.do(world.manager, "acceptance")
    after = stands(world)
    assert after["new_jobs"]["value"] - before["new_jobs"]["value"] == 9
    assert after["satisfied"]["value"] - before["satisfied"]["value"] == 10
    assert after["satisfied"]["of"] - before["satisfied"]["of"] == 24
    assert after["msmes_served"]["value"] == 3


def stands(world: World) -> dict[str, dict[str, Decimal]]:
    """Return what each indicator stands at now."""
    found = {}
    for item in world.officer.api("GET", "/indicators"):
        last = item["quarters"][-1]["figure"] if item["quarters"] else None
        total = last["total"] if last else {"value": "0", "of": "0"}
        found[item["indicator"]["id"]] = {name: Decimal(total[name] or 0) for name in ("value", "of")}
    return found


def test_a_report_in_the_browser(world: World) -> None:
    """The recipient writes, enters costs by hand and by file and hands in; the officer cuts, returns and accepts."""
    case = Grant(world).concluded()
    page = f"/reports/{case.reference}-R1"
    world.clock.forward(days=100)
    firm, officer = world.applicant, world.officer
    assert "Before it can be handed in" in firm.page(page)
    fields = {"a.done": "Courses.", "a.results": "Hired.", "version": 1, "base": "{}"}
    fields |= {f"i.{name}": text for name, text in ENTRIES.items()}
    firm.post(f"{page}/form", 303, go="check", **fields)
    both = firm.post(f"{page}/form", 409, **fields | {"a.done": "Other", "base": '{"answers.done": "0"}'})
    assert "another window wrote" in both.text
    assert "4030001" in firm.page(f"{page}/form")
    entry = {name: COST[name] for name in COST if name != "claimed"} | {"amount": "11800", "currency": "EUR"}
    firm.post(f"{page}/costs", 422, version=case.report()["version"], **entry | {"paid_on": "2025-01-01"})
    files = {"file": ("one.pdf", PDF, "application/pdf")}
    firm.post(f"{page}/documents", kind="invoice", files=files)
    proof = case.report()["documents"][0]["id"]
    firm.post(f"{page}/costs", version=case.report()["version"], **entry | {"document": proof, "amount": "2.800,00"})
    assert firm.request("GET", f"{page}/documents/{proof}").content == PDF
    sheet = {"file": ("costs.csv", b"Paid on;Budget line\n2026-03-20;events\n", "text/csv")}
    assert (
        "has no columns" in firm.post(f"{page}/costs/import", 422, version=case.report()["version"], files=sheet).text
    )
    firm.post(f"{page}/submission", version=case.report()["version"])
    assert "Decide" in officer.page(page)
    version = case.report()["version"]
    odd = officer.post(f"{page}/costs/1/decision", 422, decision="cut", amount="1", reason="Half", version=version)
    assert "must be one of" in odd.text
    officer.post(f"{page}/return", 422, version=version, why="No")
    officer.post(f"{page}/return", version=version, parts=["costs"], why="Attach the contract")
    assert "Attach the contract" in firm.page(page)
    firm.post(f"{page}/submission", version=case.report()["version"])
    officer.post(f"{page}/costs/acceptance", version=case.report()["version"])
    officer.post(f"{page}/acceptance", version=case.report()["version"])
    officer.post(f"{page}/acceptance", 409, version=case.report()["version"])
    assert "1,000.00" in firm.page(page)
    for path in (f"/applications/{case.reference}/reports", "/reports?state=all", "/indicators", "/indicators.csv"):
        assert officer.page(path)
    assert case.reference in firm.page("/reports/mine")
    world.lead_firm.page(page, 404)


def test_accepted_figures_are_published_with_their_parts(world: World) -> None:
    """Open data carries an accepted report's figures, each part by its dimension, and nothing before acceptance."""
    case = Grant(world).concluded().handed_in()
    with reading(world.engine) as connection:
        programme = Programme(connection, PROGRAMME)
        assert case.reference not in results_of(connection, PROGRAMME, programme.indicators)
    case.do(world.officer, "costs/acceptance")
    case.do(world.officer, "acceptance")
    with reading(world.engine) as connection:
        found = results_of(connection, PROGRAMME, programme.indicators)[case.reference]
    served = next(item for item in found if item.periods[0].actual == 3)
    assert {"size": "micro"} in [period.dimensions for period in served.periods]
