"""Repayment tapes over HTTP and a real database: sent, checked, applied, corrected; and the portfolio they make."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from babel.messages.extract import extract_from_file
from loans_world import World, call, offered, submitted
from sqlalchemy import text

from shared import i18n
from shared.testing.stand import Stand

HEAD = "as_of,loan,principal_paid,interest_paid,fees_paid,outstanding,days_past_due,restructured,written_off,paid_on"


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def lent(world: World, amount: str = "40000") -> str:
    """Return a loan of bank one that is paid out on 2 March, 12 per cent over 36 months."""
    referral = offered(world, submitted(world), "bank-one", world.bank_one, amount=amount)
    loan: str = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount=amount, on="2026-03-02")
    return loan


def row(loan: str, principal: str, interest: str, outstanding: str, **more: Any) -> dict[str, Any]:
    """Return a row of a tape by JSON."""
    return {"loan": loan, "principal_paid": principal, "interest_paid": interest, "outstanding": outstanding} | more


def send(world: World, as_of: str, *rows: dict[str, Any], expect: int = 201, **more: Any) -> Any:
    """Send a tape of bank one."""
    return call(world.bank_one, "POST", "/tapes", expect, as_of=as_of, rows=list(rows), **more)


def apply(world: World, tape: Any, expect: int = 200, **more: Any) -> Any:
    """Let a tape count."""
    path = f"/tapes/{tape['reference']}/application"
    return call(world.bank_one, "POST", path, expect, version=tape["version"], **more)


def upload(world: World, name: str, content: bytes, **form: str) -> Any:
    """Send a file of bank one."""
    files = {"file": (name, content, "application/octet-stream")}
    return world.bank_one.post("/loans/api/tapes/files", form, files=files)


def states(world: World) -> list[str]:
    """Return the loans' events after the disbursement."""
    with world.engine.connect() as connection:
        query = text("SELECT type FROM outbox WHERE type LIKE 'loans.loan.%' ORDER BY row")
        found = [name for name in connection.execute(query).scalars() if "disbursement" not in name]
        return [name.removeprefix("loans.loan.") for name in found if "agreed" not in name]


def test_a_year_of_tapes(world: World) -> None:
    """One month on time, then overdue, corrected, repaid; each month's portfolio looks as it did, and as corrected."""
    loan = lent(world)
    world.clock.forward(days=33)  # 4 April
    dry = send(world, "2026-04-03", row(loan, "928.57", "400", "39071.43"), expect=200, dry_run=True)
    assert (dry["dry_run"], dry["lines"][0]["result"], dry["lines"][0]["days"]) == (True, "right", 0)
    assert call(world.bank_one, "GET", "/tapes")["items"] == []
    april = send(world, "2026-04-03", row(loan, "928.57", "400", "39071.43"))
    assert apply(world, april)["stage"] == "applied"
    again = send(world, "2026-04-03", row(loan, "928.57", "400", "39071.43"), expect=200)
    assert (again["unchanged"], again["reference"]) == (True, april["reference"])
    assert call(world.manager, "GET", "/portfolio")["whole"][0]["par0"] == "0.000000"
    world.clock.forward(days=61)  # 4 June
    may = apply(world, send(world, "2026-06-03", row(loan, "928.57", "400", "39071.43", days_past_due=3)))
    assert may["counts"]["different"] == 1
    found = call(world.bank_one, "GET", f"/tapes/{may['reference']}/lines", 200)["items"][0]
    assert (found["days"], found["stage"]) == (32, "overdue")
    assert "it is 32, which counts" in found["differences"][0]["rule"]
    seen = call(world.manager, "GET", "/portfolio")
    assert (seen["whole"][0]["par30"], seen["whole"][0]["par60"]) == ("1.000000", "0.000000")
    assert [(item["loan"], item["days"]) for item in seen["late"]] == [(loan, 32)]
    standing = call(world.msme, "GET", f"/loans/{loan}/standing")
    assert (standing["days"], standing["next_due"]["number"], standing["stage"]) == (33, 2, "overdue")
    assert [item["sums"][0]["par30"] for item in seen["months"]] == ["0.000000", "1.000000"]
    world.clock.forward(days=1)
    fixed = send(world, "2026-06-03", row(loan, "2813.99", "1172.57", "37186.01"))
    assert apply(world, fixed)["supersedes"] == may["reference"]
    now = call(world.manager, "GET", "/portfolio?as_of=2026-06-04")
    assert now["whole"][0]["par30"] == "0.000000"
    assert [item["reference"] for item in now["corrections"]] == [may["reference"]]
    before = call(world.manager, "GET", "/portfolio?as_of=2026-06-04&known=2026-06-04")
    assert (before["whole"][0]["par30"], before["corrections"]) == ("1.000000", [])
    assert call(world.manager, "GET", "/portfolio?as_of=2026-04-30")["whole"][0]["outstanding"] == "39071.4300"
    assert states(world) == ["overdue", "caught_up"]
    world.clock.forward(days=30)
    apply(world, send(world, "2026-07-01", row(loan, "40000", "1500", "0")))
    assert states(world)[-1] == "repaid"
    left = call(world.manager, "GET", "/portfolio")
    assert left["whole"] == []
    assert [item["n"] for item in call(world.manager, "GET", "/funnel")["steps"]] == [1] * 6


@pytest.mark.english
def test_a_wrong_tape_changes_nothing(world: World) -> None:
    """Every wrong line comes back with its field and rule, and nothing of the tape can be applied."""
    loan = lent(world)
    world.clock.forward(days=60)
    tape = send(
        world,
        "2026-04-30",
        row(loan, "40000.01", "0", "0"),
        row(loan, "0", "0", "0"),
        row("LN-2026-9999", "0", "0", "0"),
    )
    assert (tape["counts"]["wrong"], tape["counts"]["missing"]) == (3, 1)
    wrong = call(world.bank_one, "GET", f"/tapes/{tape['reference']}/lines?folder=wrong")["items"]
    assert [(item["line"], item["problems"][0]["field"]) for item in wrong] == [
        (1, "principal_paid"),
        (2, "loan"),
        (3, "loan"),
    ]
    assert "stands on line 1 already" in wrong[1]["problems"][0]["rule"]
    assert "3 of 3 lines are wrong" in apply(world, tape, 409)["detail"]
    assert call(world.manager, "GET", "/portfolio")["whole"] == []


def test_another_bank_finds_the_same_words_as_for_nothing(world: World) -> None:
    """A loan of another bank is as unknown as one that never was, and its tapes are not there."""
    loan = lent(world)
    world.clock.forward(days=60)
    mine = apply(world, send(world, "2026-04-30", row(loan, "0", "0", "40000")))
    rows = [row(loan, "0", "0", "40000"), row("LN-2026-9999", "0", "0", "40000")]
    tape = call(world.bank_two, "POST", "/tapes", 201, as_of="2026-04-30", rows=rows)
    lines = call(world.bank_two, "GET", f"/tapes/{tape['reference']}/lines")["items"]
    assert lines[0]["problems"] == lines[1]["problems"]
    assert call(world.bank_two, "GET", f"/tapes/{mine['reference']}", 404)
    assert call(world.bank_two, "GET", "/portfolio")["whole"] == []
    assert call(world.manager, "GET", f"/tapes/{tape['reference']}", 404)  # what is not applied is the bank's own
    assert call(world.auditor, "GET", f"/tapes/{mine['reference']}")["stage"] == "applied"
    assert call(world.msme, "GET", "/portfolio", 403)


def test_a_loan_that_is_left_out_is_carried_on(world: World) -> None:
    """A tape without a late loan needs a word for it, and the loan stays in the portfolio as late as it is."""
    kept, hidden = lent(world), lent(world, "20000")
    world.clock.forward(days=70)
    tape = send(world, "2026-05-10", row(kept, "3000", "1000", "37000"))
    assert tape["counts"]["missing"] == 1
    assert apply(world, tape, 422)["errors"][0]["field"] == "without_missing"
    done = apply(world, tape, without_missing=True)
    assert done["figures"][0]["outstanding"]["amount"] == "57000.00"
    late = call(world.manager, "GET", "/portfolio")["late"]
    assert [(item["loan"], item["days"]) for item in late] == [(hidden, 38)]


@pytest.mark.english
def test_what_changed_since_the_check_is_checked_again(world: World) -> None:
    """A tape rests on the loans as they were; after another change it is refused until it is checked anew."""
    loan = lent(world)
    world.clock.forward(days=60)
    tape = send(world, "2026-04-30", row(loan, "928.57", "400", "39071.43"))
    call(world.msme, "POST", f"/loans/{loan}/disbursements/1/confirmation")
    assert "check it again" in apply(world, tape, 409)["detail"]
    fresh = call(world.bank_one, "POST", f"/tapes/{tape['reference']}/check", version=tape["version"])
    assert apply(world, tape, 409)["type"].endswith("stale-version")
    assert apply(world, fresh)["changed_loans"] == 0


def test_files_of_both_kinds(world: World) -> None:
    """The same rows as CSV and as XLSX give the same lines; a wrong heading names its columns."""
    loan = lent(world)
    world.clock.forward(days=60)
    text_of = f"{HEAD}\n2026-04-30,{loan},928.57,400,0,39071.43,0,no,no,2026-04-02\n"
    by_csv = upload(world, "april.csv", text_of.encode())
    assert by_csv.status_code == 201, by_csv.text
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        for number, cells in enumerate(text_of.splitlines()):
            sheet.write_row(number, 0, [float(c) if c.replace(".", "").isdigit() else c for c in cells.split(",")])
    by_xlsx = upload(world, "april.xlsx", book.getvalue())
    assert by_xlsx.json()["figures"] == by_csv.json()["figures"]
    wrong = upload(world, "april.csv", b"loan;principal_paid;saldo\nLN-1;1;2\n", as_of="2026-04-30")
    assert {item["field"] for item in wrong.json()["errors"]} == {
        "file.saldo",
        "file.interest_paid",
        "file.outstanding",
    }
    assert upload(world, "april.csv", b"loan\n\xff\xfe\n", as_of="2026-04-30").status_code == 422
    later = text_of.replace("2026-04-30", "2026-09-30")
    assert upload(world, "x.csv", later.encode()).json()["errors"][0]["field"] == "as_of"


def test_new_terms_and_the_table_as_a_file(world: World) -> None:
    """A restructured loan is counted by its new schedule and shown beside PAR30; the portfolio comes as CSV."""
    loan = lent(world)
    world.clock.forward(days=70)
    terms = {"on": "2026-05-10", "principal": "40000", "interest_paid": "0", "rate_percent": "10", "term_months": 48}
    call(world.bank_one, "POST", f"/loans/{loan}/restructuring", 422, **(terms | {"principal": "40000.01"}))
    call(world.bank_one, "POST", f"/loans/{loan}/restructuring", 201, **terms)
    apply(world, send(world, "2026-05-11", row(loan, "0", "0", "40000", restructured=True)))
    found = call(world.bank_one, "GET", "/portfolio")["whole"][0]
    assert (found["par30"], found["par30_or_restructured"]) == ("0.000000", "1.000000")
    table = world.bank_one.get("/loans/api/portfolio.csv").text
    lines = [line.split(",") for line in table.splitlines()]
    assert lines[1][1:7] == ["all", "", "", "EUR", "1", "40000.0000"]
    assert ["sex", "female"] in [line[1:3] for line in lines]


@pytest.mark.english
def test_the_story_by_pages(world: World) -> None:
    """A bank sends a file, reads its lines, lets it count; portfolio and loan show it to each who may see it."""
    loan = lent(world)
    world.clock.forward(days=65)  # 6 May
    bank = world.bank_one
    assert loan in bank.get("/loans/tapes/form.csv").text
    content = f"{HEAD}\n2026-05-05,{loan},928.57,400,0,39000,3,no,no,2026-04-02\n".encode()
    file = {"file": ("may.csv", content, "text/csv")}
    refused = bank.post("/loans/tapes", {"as_of": "2027-01-01"}, files=file)
    assert refused.status_code == 422
    assert "must not be in the future" in refused.text
    sent = bank.post("/loans/tapes", {}, files=file)
    address = sent.headers["location"]
    assert bank.post("/loans/tapes", {}, files=file).headers["location"] == f"{address}?same=1"
    page = bank.get(address).text
    assert "which counts" in page
    assert "Let it count" in page
    done = bank.post(f"{address}/apply", {"version": version_in(page)})
    assert done.status_code == 303, done.text
    again = bank.post(f"{address}/apply", {"version": version_in(page)})
    assert again.status_code == 409
    seen = world.manager.get("/loans/portfolio").text
    assert "100.0\u00a0%" in seen
    assert loan in seen
    world.clock.forward(minutes=1)
    mended = f"{HEAD}\n2026-05-05,{loan},1866.43,790.71,0,38133.57,0,no,no,2026-05-04\n".encode()
    fresh = bank.post("/loans/tapes", {}, files={"file": ("may.csv", mended, "text/csv")}).headers["location"]
    assert bank.post(f"{fresh}/apply", {"version": version_in(bank.get(fresh).text)}).status_code == 303
    world.clock.forward(minutes=1)
    corrected = world.manager.get("/loans/portfolio").text
    was = html.unescape(re.findall(r'href="(\?[^"]*known=[^"]*)"', corrected)[0])
    assert loan not in corrected
    assert loan in world.manager.get(f"/loans/portfolio{was}").text
    assert world.manager.get("/loans/portfolio?known=soon").status_code == 422
    assert f"/loans/agreements/{loan}" not in world.auditor.get("/loans/portfolio").text
    own = world.msme.get(f"/loans/agreements/{loan}").text
    assert "Days late" in own
    terms = {"on": "2026-05-05", "principal": "39071.43", "interest_paid": "400", "rate_percent": "12"}
    path, version = f"/loans/agreements/{loan}", version_in(bank.get(f"/loans/agreements/{loan}").text)
    wrong = bank.post(f"{path}/restructure", terms | {"term_months": "0", "version": version})
    assert wrong.status_code == 422
    assert bank.post(f"{path}/restructure", terms | {"term_months": "48", "version": version}).status_code == 303
    assert "New terms" in bank.get(path).text
    assert world.msme.get("/loans/tapes").status_code == 403


def version_in(page: str) -> str:
    """Return the version that a form of the page carries."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("name", ["tapes.html", "tape.html", "portfolio.html", "loan.html"])
def test_every_word_has_its_russian(name: str) -> None:
    """No sentence of these pages, and no rule of a tape, reaches a Russian reader in English."""
    options = {"trim_blocks": "true", "newstyle_gettext": "true", "silent": "false"}
    found = extract_from_file(
        "jinja2.ext:babel_extract", i18n.ROOT / "services" / "loans" / "templates" / name, options=options
    )
    words = {message for _, message, _, _ in found if isinstance(message, str)}
    rules = (i18n.ROOT / "services" / "loans" / "domain" / "tape_rows.py").read_text()
    words |= set(re.findall(r'line\.(?:wrong|differs)\([^,]*, "([^"]+)"', rules))
    catalogue = i18n.catalogue("loans", "ru")
    assert sorted(word for word in words - {"CSV", "PAR30"} if catalogue.gettext(word) == word) == []
