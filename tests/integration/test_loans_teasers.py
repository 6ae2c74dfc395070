"""A firm asks banks without its name: what they see, what they answer, and that nothing leads to the firm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loans_world import World, call, refer, submitted
from sqlalchemy import event, text

from shared.testing.stand import Stand
from shared.testing.web import Browser

UNTIL = "2026-03-20"
# What of the firm's own stands in the proposal of the story: names, numbers, words, exact figures.
SECRETS = (
    *(
        "Pelagonia Preserves",
        "msme-one",
        "7001234",
        "MK4030991234567",
        "Milutinovikj",
        "Stojanova",
        "ajvar",
        "press line",
    ),
    *(
        "Press line",
        "Glass jars",
        "40000",
        "40,000",
        "1030",
        "1.322",
        "Bitola",
        "120000",
        "Chamber of Crafts",
        "PRO-2026",
    ),
)


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def show(world: World, reference: str, *banks: str, expect: int = 201, **more: Any) -> Any:
    """Show a teaser of the proposal to banks."""
    return call(world.msme, "POST", f"/proposals/{reference}/teasers", expect, banks=banks, until=UNTIL, **more)


def own(bank: Browser) -> dict[str, Any]:
    """Return the one teaser that a bank has."""
    [item] = call(bank, "GET", "/teasers")["items"]
    found: dict[str, Any] = item
    return found


def test_from_the_teaser_to_the_consent(world: World) -> None:
    """Two banks see bands; one is interested and gets the proposal by consent, the other says why not."""
    reference = submitted(world)
    show(world, reference, "bank-one", "bank-two")
    one, two = own(world.bank_one), own(world.bank_two)
    assert one["reference"] != two["reference"]
    assert one["face"] == two["face"]
    assert "/loans/teasers?folder=shown" in world.bank_one.get("/loans/fragments/home").text
    face = one["face"]
    assert (face["amount"], face["currency"]) == ({"low": "20000", "high": "50000"}, "EUR")
    assert (face["sector"], face["region"], face["size"]) == ("", "", "")
    assert face["left_out"] == ["region", "sector", "size"]
    call(world.bank_one, "POST", f"/teasers/{one['reference']}/answer", interested=True, version=one["version"])
    refused = call(world.bank_two, "POST", f"/teasers/{two['reference']}/answer", 422, interested=False)
    assert "reasons" in str(refused)
    body = {"interested": False, "reasons": ["amount"]}
    call(world.bank_two, "POST", f"/teasers/{two['reference']}/answer", **body)
    call(world.bank_two, "POST", f"/teasers/{two['reference']}/answer", 409, **body)
    told = {item["bank"]: item for item in call(world.msme, "GET", f"/proposals/{reference}/teaser")["shown"]}
    assert (told["bank-one"]["stage"], told["bank-two"]["reasons"]) == ("interested", ["amount"])
    assert (
        f"/loans/proposals/{reference}/consent#bank-bank-one"
        in world.msme.get(f"/loans/proposals/{reference}/teaser").text
    )
    refer(world, reference, "bank-one")
    assert call(world.bank_one, "GET", "/teasers")["items"] == []
    call(world.bank_one, "GET", f"/teasers/{one['reference']}", 404)
    assert "banks" in str(show(world, reference, "bank-one", expect=422))


def test_nothing_that_a_bank_is_given_leads_to_the_firm(world: World) -> None:
    """No page, answer of the API, refusal, event or party that a bank takes part in holds a fact of the firm."""
    reference = submitted(world)
    show(world, reference, "bank-one")
    item = own(world.bank_one)
    bank, address = world.bank_one, f"/teasers/{item['reference']}"
    answered = {"interested": True, "version": item["version"]}
    given = [
        bank.get("/loans/teasers").text,
        bank.get(f"/loans{address}").text,
        str(call(bank, "GET", address)),
        str(call(bank, "POST", f"{address}/answer", **answered)),
        str(call(bank, "POST", f"{address}/answer", 409, **answered)),
        bank.post(f"/loans{address}/answer", {"version": "1", "interested": "yes"}).text,
    ]
    show(world, reference, "bank-one")
    given.append(str(own(bank)))
    with world.engine.connect() as connection:
        query = (
            "SELECT body::text || entity || coalesce(\"case\", '') FROM outbox"
            " WHERE body->'parties' ? 'partner' OR type LIKE 'loans.teaser.%'"
        )
        events = list(connection.execute(text(query)).scalars())
    assert len(events) == 4
    for said in (*given, *events):
        for secret in SECRETS:
            assert secret not in said, (secret, said)
    call(bank, "GET", f"/proposals/{reference}", 403)
    with world.engine.connect() as connection:
        query = "SELECT body->'parties' FROM outbox WHERE type LIKE 'loans.proposal.tease%'"
        assert all("partner" not in parties for parties in connection.execute(text(query)).scalars())


def test_what_many_firms_share_is_told(world: World) -> None:
    """With five firms alike in the programme a teaser says region, sector and size."""
    reference = submitted(world)
    with world.engine.begin() as connection:
        for number in range(4):
            more = {"id": f"PRO-X-{number}", "firm": f"firm-{number}", "from": reference}
            connection.execute(
                text(
                    "INSERT INTO proposal SELECT (p).* FROM (SELECT jsonb_populate_record(proposal,"
                    " jsonb_build_object('id', cast(:id AS text), 'organisation', cast(:firm AS text))) AS p"
                    " FROM proposal WHERE id = :from) AS made"
                ),
                more,
            )
            connection.execute(
                text(
                    "INSERT INTO locked_proposal SELECT :id, number, content, sha256, locked_at FROM locked_proposal"
                    " WHERE proposal = :from"
                ),
                more,
            )
    show(world, reference, "bank-one")
    face = own(world.bank_one)["face"]
    assert (face["sector"], face["region"], face["size"], face["left_out"]) == ("103", "pelagonia", "small", [])
    page = world.bank_one.get(f"/loans/teasers/{own(world.bank_one)['reference']}").text
    assert "103 · " in page


def test_a_teaser_lives_as_long_as_it_may(world: World) -> None:
    """It is gone after its day, when it is taken back, and when the proposal is reopened; another bank never has it."""
    reference = submitted(world)
    show(world, reference, "bank-one")
    address = f"/teasers/{own(world.bank_one)['reference']}"
    call(world.bank_two, "GET", address, 404)
    call(world.bank_two, "POST", f"{address}/answer", 404, interested=True)
    call(world.msme, "GET", address, 403)
    world.clock.now += timedelta(days=30)
    call(world.bank_one, "GET", address, 404)
    call(world.bank_one, "POST", f"{address}/answer", 404, interested=True)
    world.clock.now -= timedelta(days=30)
    call(world.msme, "POST", f"/proposals/{reference}/reopening")
    call(world.bank_one, "GET", address, 404)
    call(world.msme, "GET", f"/proposals/{reference}/teaser", 409)
    call(world.msme, "POST", f"/proposals/{reference}/submission")
    show(world, reference, "bank-one")
    again = own(world.bank_one)["reference"]
    assert address != f"/teasers/{again}"
    call(world.msme, "POST", f"/proposals/{reference}/teasers/end")
    assert call(world.bank_one, "GET", "/teasers")["items"] == []
    call(world.officer, "GET", f"/proposals/{reference}/teaser", 403)


def test_the_forms_come_back_with_what_is_wrong(world: World) -> None:
    """No bank, a day too far, no reason: each is told at its field; a stale version is a conflict; nothing is done."""
    reference = submitted(world)
    address = f"/loans/proposals/{reference}/teaser"
    version = call(world.msme, "GET", f"/proposals/{reference}")["version"]
    wrong = world.msme.post(address, {"version": str(version), "until": "2027-01-01"})
    assert wrong.status_code == 422
    assert 'value="2027-01-01"' in wrong.text
    assert wrong.text.count('class="problem"') == 2
    stale = world.msme.post(address, {"version": str(version + 1), "until": UNTIL, "banks": "bank-one"})
    assert stale.status_code == 409
    assert world.msme.post(address, {"version": str(version), "until": UNTIL, "banks": "bank-one"}).status_code == 303
    item = own(world.bank_one)
    form = {"version": str(item["version"]), "interested": "no"}
    refused = world.bank_one.post(f"/loans/teasers/{item['reference']}/answer", form)
    assert refused.status_code == 422
    assert 'class="problem"' in refused.text
    assert (
        world.bank_one.post(f"/loans/teasers/{item['reference']}/answer", form | {"reasons": "terms"}).status_code
        == 303
    )
    stale = world.bank_one.post(f"/loans/teasers/{item['reference']}/answer", form | {"interested": "yes"})
    assert stale.status_code == 409


def test_the_list_asks_as_often_for_many(world: World) -> None:
    """A bank's list needs as many statements for three teasers as for one, and comes in pages."""
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for _ in range(3):
        show(world, submitted(world), "bank-one")
        said.clear()
        world.bank_one.get("/loans/teasers")
        counts.append(len(said))
    assert len(set(counts)) == 1
    first = call(world.bank_one, "GET", "/teasers?limit=2")
    rest = call(world.bank_one, "GET", f"/teasers?limit=2&cursor={first['next']}")
    assert len({item["reference"] for item in (*first["items"], *rest["items"])}) == 3
