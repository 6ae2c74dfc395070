"""A group of firms asks for one loan over HTTP and a real database: shares, acceptance, each member's own consent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loans_world import UNTIL, World, call, drafted, refer

from shared.events.portal import OrganisationRegistered
from shared.testing.stand import Stand
from shared.testing.web import Browser, person

FACTS = {"registration_number": "7005555", "sector": "0113", "employees": 7, "turnover": "64000"}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def member(world: World, key: str, name: str) -> Browser:
    """Return somebody of another small firm that the house knows."""
    event = OrganisationRegistered(organisation_id=key, name=name, kind="msme", country="MK")
    world.hear(event, f"organisation:{key}")
    return Browser(world.app, person("applicant", f"u-{key}", organisation=key, organisation_name=name))


def shares(lead: str, **members: str) -> dict[str, Any]:
    seats = [{"organisation": key.replace("_", "-"), "share": share} for key, share in members.items()]
    return {"liability": "joint_and_several", "lead_share": lead, "members": seats}


@pytest.mark.english
def test_a_group_from_the_shares_to_what_a_bank_sees(world: World) -> None:
    """Shares make the amount, all accept, each consents for itself; a bank sees of a member what it chose alone."""
    one, two = member(world, "farm-one", "Orchard One"), member(world, "farm-two", "Orchard Two")
    proposal = drafted(world)
    path = f"/proposals/{proposal}/group"
    short = call(world.msme, "PUT", path, 422, **shares("20000", farm_one="9000", farm_two="10000"))
    assert "1,000.00\u00a0EUR is missing" in short["errors"][0]["rule"]
    over = call(world.msme, "PUT", path, 422, **shares("25000", farm_one="9000", farm_two="10000"))
    assert "4,000.00\u00a0EUR too much" in over["errors"][0]["rule"]
    call(world.msme, "PUT", path, 422, **shares("30000", lead_firm="10000"))
    call(world.msme, "PUT", path, 422, **shares("30000", msme="10000"))
    call(one, "PUT", path, 404, **shares("30000", farm_one="10000"))
    group = call(world.msme, "PUT", path, **shares("20000", farm_one="10000", farm_two="10000"))
    base = f"/groups/{group['reference']}"
    waits = call(world.msme, "POST", f"/proposals/{proposal}/submission", 409)
    assert "Orchard One, Orchard Two" in waits["detail"]
    call(world.bank_one, "GET", base, 403)
    call(member(world, "farm-three", "Stranger"), "GET", base, 404)
    hash_ = group["terms_sha256"]
    call(one, "POST", f"{base}/acceptance", 422, terms_sha256=hash_, facts=FACTS | {"turnover": None})
    call(one, "POST", f"{base}/acceptance", terms_sha256=hash_, facts=FACTS)
    again = call(one, "POST", f"{base}/acceptance", 409, terms_sha256=hash_, facts=FACTS)
    assert again["legal"] == ["decline"]
    call(two, "POST", f"{base}/refusal", why="Too much")
    call(world.msme, "POST", f"/proposals/{proposal}/submission", 409)
    changed = call(world.msme, "PUT", path, **shares("22000", farm_one="10000", farm_two="8000"))
    assert [item["stage"] for item in changed["members"]] == ["invited", "invited"]
    call(one, "POST", f"{base}/acceptance", 409, terms_sha256=hash_, facts=FACTS)
    for browser in (one, two):
        call(browser, "POST", f"{base}/acceptance", terms_sha256=changed["terms_sha256"], facts=FACTS)
    call(world.msme, "POST", f"{base}/acceptance", 403, terms_sha256=changed["terms_sha256"], facts=FACTS)
    call(world.msme, "POST", f"/proposals/{proposal}/submission")
    call(one, "POST", f"{base}/refusal", 409, why="Late")
    _seen_by_a_bank(world, proposal, base, (one, two))


def _seen_by_a_bank(world: World, proposal: str, base: str, members: tuple[Browser, Browser]) -> None:
    one, two = members
    none = refer(world, proposal, "bank-one", 409)
    assert "Orchard One, Orchard Two" in none["detail"]
    given = {"bank": "bank-one", "until": UNTIL}
    call(one, "POST", f"{base}/consents", 422, **given, fields=["tax_id"])
    call(one, "POST", f"{base}/consents", 422, bank="nobody", until="2020-01-01", fields=["name"])
    call(one, "POST", f"{base}/consents", 201, **given, fields=["name", "size_class", "share"])
    refer(world, proposal, "bank-one", 409)
    call(two, "POST", f"{base}/consents", 201, **given, fields=["sector"])
    referral = refer(world, proposal, "bank-one")["reference"]
    seen = call(world.bank_one, "GET", f"/referrals/{referral}")["group"]
    assert seen["liability"] == "joint_and_several"
    share = {"amount": "10000.00", "currency": "EUR"}
    assert seen["members"] == [{"name": "Orchard One", "size_class": "micro", "share": share}, {"sector": "0113"}]
    page = world.bank_one.get(f"/loans/referrals/{referral}").text
    assert "Orchard One" in page
    for hidden in ("Orchard Two", "7005555", "64000", "64,000"):
        assert hidden not in page
    # The one that applies, and the other members, read no facts of a member; the staff does.
    officer = Browser(world.app, person("officer", "u-7", organisation="programme-office"))
    for browser, told in ((world.msme, False), (two, False), (one, True), (officer, True)):
        assert (call(browser, "GET", base)["members"][0]["facts"] is not None) is told
        assert ("7005555" in browser.get(f"/loans{base}").text) is (browser is officer)
    call(one, "POST", f"{base}/consents/bank-one/revocation")
    call(one, "POST", f"{base}/consents/bank-one/revocation", 409)
    assert call(world.bank_one, "GET", f"/referrals/{referral}")["group"]["members"][0] == {}
    assert "has not consented" in world.bank_one.get(f"/loans/referrals/{referral}").text
    world.clock.forward(days=100)
    assert call(world.bank_one, "GET", f"/referrals/{referral}")["group"] is None


@pytest.mark.english
def test_the_pages_of_a_group(world: World) -> None:
    """The form comes back as typed with the difference; a member accepts, consents and revokes on its page."""
    one = member(world, "farm-one", "Orchard One")
    proposal = drafted(world)
    start = f"/loans/proposals/{proposal}/group"
    assert start in world.msme.get(f"/loans/proposals/{proposal}").text
    version = str(call(world.msme, "GET", f"/proposals/{proposal}")["version"])
    form = {"version": version, "liability": "several", "lead_share": "30000"}
    form |= {"members-0-organisation": "farm-one", "members-0-share": "9000", "members-1-organisation": ""}
    refused = world.msme.post(start, form | {"members-1-share": ""})
    assert refused.status_code == 422
    assert "1,000.00" in refused.text
    assert 'value="9000"' in refused.text
    made = world.msme.post(start, form | {"members-0-share": "10000", "members-1-share": ""})
    page = made.headers["location"]
    assert world.msme.post(start, form | {"version": "1"}).status_code == 409
    reference = page.rsplit("/", 1)[-1]
    sha256 = call(one, "GET", f"/groups/{reference}")["terms_sha256"]
    facts = {"terms_sha256": sha256, "version": "1", "sector": "0113", "employees": "7", "turnover": "64000"}
    assert one.post(f"{page}/accept", facts).status_code == 422
    assert one.post(f"{page}/accept", facts | {"registration_number": "7005555"}).status_code == 303
    assert one.post(f"{page}/accept", facts | {"registration_number": "7005555"}).status_code == 409
    consent = {"version": "2", "bank": "bank-one", "until": UNTIL}
    assert one.post(f"{page}/consent", consent).status_code == 422
    assert one.post(f"{page}/consent", consent | {"fields": "name"}).status_code == 303
    assert one.post(f"{page}/consents/bank-one/revoke", {"version": "3"}).status_code == 303
    assert one.post(f"{page}/decline", {"version": "4", "why": ""}).status_code == 422
    assert one.post(f"{page}/decline", {"version": "4", "why": "No time"}).status_code == 303
    assert "No time" in world.msme.get(page).text
    assert reference in one.get("/loans/groups").text
    current = str(call(world.msme, "GET", f"/proposals/{proposal}")["version"])
    assert world.msme.post(f"{start}/dissolve", {"version": current}).status_code == 303
    assert "dissolved" in one.get(page).text
    call(world.msme, "POST", f"/proposals/{proposal}/submission")
