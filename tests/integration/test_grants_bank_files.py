"""Bank files over HTTP: each tranche goes to the bank once, in the right amount, to an account that two vouch for."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from grants_world import PDF, PROGRAMME, Case, Person, World, counted
from payable import IBAN
from sqlalchemy import text

from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

NAMES = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
DAY = "2026-03-03"


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def released(world: World) -> Case:
    """Bring a case to a released first tranche."""
    case = Case(world).concluded()
    document = case.attach("other", PDF + case.reference.encode())
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    case.act(world.finance, "tranches/1/release")
    return case


def made(world: World, *cases: Case, expect: int = 201, by: Person | None = None, **more: Any) -> Any:
    """Put the first tranches of cases into a bank file."""
    body = {"programme": PROGRAMME, "tranches": [f"{case.reference}/1" for case in cases], "execution_day": DAY}
    return (by or world.finance).api("POST", "/bank-files", expect, **body | more)


def test_a_bank_file_says_each_payment_once_and_stays_as_it_is(world: World) -> None:
    """Two cases in one message with its sums and ids; the same bytes each time; no number outside of the files."""
    one, two = released(world), released(world)
    for field, wrong in (("execution_day", "2026-03-07"), ("execution_day", "2026-03-01"), ("tranches", None)):
        more: dict[str, Any] = {"execution_day": wrong} if wrong else {"tranches": ["what"]}
        assert made(world, one, expect=422, **more)["errors"][0]["field"] == field
    for person in (world.officer, world.applicant, world.auditor):
        made(world, one, expect=403, by=person)
    file = made(world, one, two)
    again = made(world, one, two, expect=409)
    assert f"{one.reference}/1 is in the bank file {file['id']} already" in again["detail"]
    path = f"/api/bank-files/{file['id']}/file"
    world.auditor.api("GET", f"/bank-files/{file['id']}/file.xml", 403)
    xml = [world.finance.request("GET", f"{path}.xml").content for _ in range(2)]
    assert xml[0] == xml[1]
    assert hashlib.sha256(xml[0]).hexdigest() == file["xml_sha256"]
    world.finance.confirmed_at = 1
    assert world.finance.api("GET", f"/bank-files/{file['id']}/file.xml", 403)["type"].endswith("step-up-required")
    assert f"/confirm?next=/grants/bank-files/{file['id']}" in world.finance.page(f"/bank-files/{file['id']}")
    world.finance.confirmed_at = 0
    kept = [path.read_bytes() for path in world.settings.documents_folder.rglob("*") if path.is_file()]
    assert not any(IBAN.encode() in content for content in kept)
    root = ET.fromstring(xml[0])  # noqa: S314 - ours
    amounts = [Decimal(item.text or "") for item in root.iterfind(".//p:InstdAmt", NAMES)]
    assert amounts == [Decimal(16000)] * 2
    for level in ("GrpHdr", "PmtInf"):
        assert root.findtext(f".//p:{level}/p:CtrlSum", namespaces=NAMES) == "32000.00"
        assert root.findtext(f".//p:{level}/p:NbOfTxs", namespaces=NAMES) == "2"
    ids = [item.text for item in root.iterfind(".//p:EndToEndId", NAMES)]
    assert ids == [f"{one.reference}/1", f"{two.reference}/1"]
    assert root.findtext(".//p:CdtrAcct/p:Id/p:IBAN", namespaces=NAMES) == IBAN
    assert root.findtext(".//p:ReqdExctnDt/p:Dt", namespaces=NAMES) == DAY
    table = world.finance.request("GET", f"{path}.csv").content.decode("utf-8-sig").splitlines()
    assert table[-1] == f"CONTROL,{DAY},2 payments,,,,,32000.00,EUR,{file['id']}"
    with counted(world) as many:
        pages = world.finance.page(f"/bank-files/{file['id']}") + world.auditor.page("/bank-files")
    assert len(many) < 45
    assert "•••• 8984" in pages
    assert IBAN not in pages
    with world.engine.connect() as connection:
        query = text("SELECT type, body::text AS body FROM outbox WHERE type LIKE 'grants.bank_file.%' ORDER BY row")
        told = connection.execute(query).all()
        state = connection.execute(text("SELECT state::text FROM bank_file")).scalar_one()
    assert [row.type.rpartition(".")[2] for row in told] == ["made", *["downloaded"] * 3]
    assert IBAN not in state + "".join(row.body for row in told)


def test_two_bank_files_at_once_pay_once(world: World) -> None:
    """Two finance officers who put the same tranche into a file at the same moment: one does, one is told."""
    case, ready = released(world), Barrier(2)

    def act(person: Person) -> int:
        ready.wait()
        body = {"programme": PROGRAMME, "tranches": [f"{case.reference}/1"], "execution_day": DAY}
        return int(person.request("POST", "/api/bank-files", json=body).status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, [world.finance, world.finance_two])) == [201, 409]


def test_a_bank_file_is_cancelled_by_another_and_its_payments_are_confirmed_by_rows(world: World) -> None:
    """The maker does not cancel; a new file follows; a try-out keeps nothing; each wrong row has its figures."""
    one, two = released(world), released(world)
    case_ids = [f"{case.reference}/1" for case in (one, two)]
    first = made(world, one, two)
    path, because = f"/bank-files/{first['id']}", {"why": "Wrong day", "version": first["version"]}
    held = one.act(world.officer, "tranches/1/hold", 409, code="inquiry", why="Look")
    assert first["id"] in held["detail"]
    world.finance.api("POST", f"{path}/cancellation", 403, **because)
    world.finance_two.api("POST", f"{path}/cancellation", **because)
    world.finance.api("GET", f"{path}/file.xml", 409)
    file = made(world, one, two)
    path = f"/bank-files/{file['id']}"
    rows = ["reference;amount;day", f"{case_ids[0]};16000,00;03.03.2026", f"{case_ids[1]};15999.99;2026-03-03"]
    rows += ["ELSE/1;1.00;2026-03-03", f"{case_ids[0]};16000.00;2026-03-03"]
    world.clock.forward(days=1)
    body = {"csv": "\n".join(rows)}
    tried = world.finance_two.api("POST", f"{path}/confirmations", **body)
    assert one.award()["tranches"][0]["status"] == "released"
    done = world.finance_two.api("POST", f"{path}/confirmations", **body, try_out=False)
    assert (done["taken"], done["refused"]) == (tried["taken"], tried["refused"]) == (1, 3)
    assert [item["taken"] for item in done["rows"]] == [True, False, False, False]
    assert done["rows"][1]["why"] == ["15999.99 EUR was paid, and the file says 16,000.00 EUR"]
    assert "is confirmed already" in done["rows"][3]["why"][0]
    assert one.award()["tranches"][0]["status"] == "paid"
    version = world.finance.api("GET", path)["version"]
    refused = world.finance_two.api("POST", f"{path}/cancellation", 409, why="Late", version=version)
    assert "1 of 2 payments" in refused["detail"]
    fields = {"why": "The bank sent no money", "version": version}
    world.finance_two.post(f"{path}/payments/{case_ids[0]}/removal", 409, **fields)
    world.finance.post(f"{path}/payments/{case_ids[1]}/removal", 403, **fields)
    world.finance_two.post(f"{path}/payments/{case_ids[1]}/removal", **fields)
    assert two.award()["tranches"][0]["batch"] is None
    world.clock.forward(days=-1)


def test_who_has_no_account_to_be_paid_to_is_left_out_and_named(world: World) -> None:
    """On the pages: a blocked account leaves the tranche out with the reason; alone in a file it refuses the file."""
    case = released(world)
    _held_by(world, "Занаетчиска комора")
    assert "the bank reads: Zanaetchiska komora" in world.finance.page("/bank-files")
    _held_by(world, "商会")
    assert "has letters that banks do not take: 商会" in world.finance.page("/bank-files")
    assert "The name on the account of Chamber of Crafts has letters" in made(world, case, expect=409)["detail"]
    place = f"/organisations/{world.applicant.identity.organisation}/bank"
    version = world.finance.api("GET", place)["version"]
    world.finance.api("POST", f"{place}/1/block", why="They called", version=version)
    page = world.finance.page("/bank-files")
    assert "has no confirmed bank account" in page
    fields = {"programme": PROGRAMME, "tranche": f"{case.reference}/1", "execution_day": DAY}
    refused = world.finance.post("/bank-files", 409, **fields).text
    assert "Nothing of it can be paid now" in refused
    world.finance.post("/bank-files", 422, **fields | {"execution_day": "soon"})
    assert case.award()["tranches"][0]["batch"] is None


def _held_by(world: World, holder: str) -> None:
    """Let the account be on another name, as if it had been confirmed so."""
    with world.engine.begin() as connection:
        change = "jsonb_set(state, '{details,0,holder}', to_jsonb(CAST(:holder AS text)))"
        connection.execute(text(f"UPDATE payee SET state = {change}"), {"holder": holder})  # noqa: S608 - our own
