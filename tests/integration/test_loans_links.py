"""Links of letters: looking does nothing, pressing does one act once in the name of whom the letter went to."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from loans_world import PROGRAMME, UNTIL, World, call, refer, submitted
from sqlalchemy import text

from services.loans.pages import links
from shared.events.notifications import ActLinkIssued
from shared.events.portal import UserChanged, UserDeactivated
from shared.pace import Pace
from shared.testing.stand import Stand
from shared.testing.web import Browser

SECRETS = ("Pelagonia", "Stojanova", "40,000", "press line", "Working capital", "MK4030991234567", "Bitola")


@pytest.fixture
def world(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(links, "PACE", Pace(burst=100, a_second=100))
    return World(stand.database("loans"), tmp_path)


def banker(world: World) -> str:
    """Return the id of the first bank's person."""
    assert world.bank_one.who is not None
    user: str = world.bank_one.who.user
    return user


def link(world: World, referral: str, purpose: str, number: int = 1) -> str:
    """Let a letter carry a link, and return its address."""
    token = f"{purpose}-{number}-{'x' * 30}"
    event = ActLinkIssued(
        link_id=f"link-{purpose}-{number}",
        link_sha256=hashlib.sha256(token.encode()).hexdigest(),
        purpose=purpose,
        recipient=banker(world),
        about=f"referral:{referral}",
        good_until=world.clock() + timedelta(days=7),
    )
    world.hear(event, f"link:{event.link_id}", case="PRO")
    return f"/loans/links/{token}"


def stage(world: World, referral: str) -> str:
    """Return how far a referral has come."""
    found: str = call(world.msme, "GET", f"/referrals/{referral}")["stage"]
    return found


def version(world: World, referral: str) -> str:
    """Return the referral's version as a form carries it."""
    return str(call(world.msme, "GET", f"/referrals/{referral}")["version"])


def test_receipt_is_acknowledged_by_a_link_once(world: World) -> None:
    """However often it is looked at nothing happens; pressed it acknowledges for its person, and then it is gone."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    address, anybody = link(world, referral, "acknowledge"), Browser(world.app)
    form = {"version": version(world, referral)}
    for _ in range(3):
        page = anybody.get(address)
        assert page.status_code == 200
        assert f'value="{form["version"]}"' in page.text
        assert not [secret for secret in SECRETS if secret in page.text]
    assert stage(world, referral) == "submitted"
    done = anybody.post(address, form)
    assert done.status_code == 200
    assert not [secret for secret in SECRETS if secret in done.text]
    assert stage(world, referral) == "received"
    assert (anybody.get(address).status_code, anybody.post(address, form).status_code) == (404, 404)
    with world.engine.connect() as connection:
        query = "SELECT type, body FROM outbox ORDER BY row DESC LIMIT 2"
        told = {row.type: row.body for row in connection.execute(text(query))}
    assert set(told) == {"loans.referral.received", "loans.link.used"}
    actor = told["loans.referral.received"]["actor"]
    assert (actor["id"], actor["organisation"]) == (f"user:{banker(world)}", "bank-one")
    assert actor["session"] == "link:link-acknowledge-1"
    assert told["loans.link.used"]["data"]["purpose"] == "acknowledge"


def test_declining_asks_for_a_reason_and_acknowledges_with_it(world: World) -> None:
    """Without a reason the form comes back, nothing is done and the link still works; with one both acts are done."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    address, anybody, form = link(world, referral, "decline"), Browser(world.app), {"version": version(world, referral)}
    refused = anybody.post(address, form | {"text": "Not our field."})
    assert refused.status_code == 422
    assert "Not our field." in refused.text
    assert 'class="problem"' in refused.text
    assert stage(world, referral) == "submitted"
    assert anybody.post(address, form | {"reasons": "sector"}).status_code == 200
    found = call(world.msme, "GET", f"/referrals/{referral}")
    assert (found["stage"], found["decline_reasons"], found["received_at"] is not None) == (
        "declined",
        ["sector"],
        True,
    )


def test_a_question_by_a_link(world: World) -> None:
    """A question stops the clock; an empty one is refused at its field; afterwards the other links fit no more."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    address, anybody = link(world, referral, "question"), Browser(world.app)
    other = link(world, referral, "question", 2)
    form = {"version": version(world, referral)}
    assert anybody.post(address, form).status_code == 422
    assert anybody.post(address, form | {"text": "May we call you back?"}).status_code == 200
    found = call(world.msme, "GET", f"/referrals/{referral}")
    assert (found["stage"], found["questions"][0]["text"]) == ("info_requested", "May we call you back?")
    assert anybody.get(other).status_code == 404


def test_a_form_of_before_changes_nothing(world: World) -> None:
    """Who presses after the referral has changed is refused, and the link still works on what it is now."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    address, anybody, form = link(world, referral, "decline"), Browser(world.app), {"version": version(world, referral)}
    call(world.bank_one, "POST", f"/referrals/{referral}/receipt")
    assert anybody.post(address, form | {"reasons": "sector"}).status_code == 409
    assert stage(world, referral) == "received"
    form["version"] = version(world, referral)
    assert anybody.post(address, form | {"reasons": "sector"}).status_code == 200


@pytest.mark.parametrize("ending", ["time", "revoked", "decided", "role", "left", "never"])
def test_a_link_ends(world: World, ending: str) -> None:
    """After a week, with the consent, the decision, another role, when its person leaves; and none is made up."""
    referral = refer(world, submitted(world), "bank-one", until=UNTIL)["reference"]
    address, anybody, form = link(world, referral, "decline"), Browser(world.app), {"version": version(world, referral)}
    user = banker(world)
    if ending == "time":
        world.clock.now += timedelta(days=7)
    if ending == "revoked":
        call(world.msme, "POST", f"/referrals/{referral}/revocation")
    if ending == "decided":
        call(world.bank_one, "POST", f"/referrals/{referral}/receipt")
        call(world.bank_one, "POST", f"/referrals/{referral}/decline", reasons=["sector"])
    if ending == "role":
        facts = {
            "name": "A",
            "email": "a@bank.example",
            "locale": "en",
            "roles": ["auditor"],
            "organisation": "bank-one",
        }
        world.hear(UserChanged(user_id=user, programmes=[PROGRAMME], **facts), f"user:{user}")
    if ending == "left":
        world.hear(UserDeactivated(user_id=user, reason="left"), f"user:{user}")
    if ending == "never":
        address = f"/loans/links/{'y' * 43}"
    assert anybody.get(address).status_code == 404
    assert anybody.post(address, form | {"reasons": "sector"}).status_code == 404


def test_links_are_not_tried_by_the_thousand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address that tries more links than people read letters is told to wait."""
    monkeypatch.setattr(links, "PACE", Pace(burst=5, a_second=0.001))
    answers = [Browser(world.app).get(f"/loans/links/{number:043}").status_code for number in range(8)]
    assert answers == [404] * 5 + [429] * 3
