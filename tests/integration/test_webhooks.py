"""Webhooks from an event to a bank's server: a real database, a real HTTP server, the pages and the API."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from notifications_world import World, ready
from sqlalchemy import select, text
from webhooks_world import (
    ALL,
    BANK,
    FACTS,
    INSIDE,
    PLACE,
    BankServer,
    Hooks,
    bank_server,
    consented,
    ready_hooks,
    revoked,
    submitted,
)

from services.notifications.domain.webhook import State
from services.notifications.egress import Egress
from services.notifications.handlers import resealing
from services.notifications.handlers.posting import LEASE
from services.notifications.receiver.tamga_webhooks import Receiver
from services.notifications.storage import webhooks as storage
from shared.database import Context, UnitOfWork, reading, system
from shared.events.loans.loan import LoanAgreed
from shared.money import Money
from shared.testing.stand import Stand
from shared.testing.web import Browser, person
from shared.vault import Vault, VaultError, lines_of, new_key, vault_of


@pytest.fixture
def bank() -> Iterator[BankServer]:
    with bank_server() as told:
        yield told


@pytest.fixture(scope="module")
def known_world(stand: Stand) -> World:
    return ready(stand.database("notifications"))


@pytest.fixture
def hooks(known_world: World, tmp_path: Path) -> Hooks:
    return ready_hooks(known_world.begin_again(), tmp_path)


def test_an_event_reaches_the_bank_signed(hooks: Hooks, bank: BankServer) -> None:
    """Once however often it comes, verified by the receiver, with ids and addresses alone; each step is an event."""
    made = hooks.registered(bank.url)
    keys = hooks.registered(bank.url, scheme="v1a")
    hooks.happens(consented())
    envelope = hooks.happens(submitted())
    hooks.world.deliver(envelope)
    assert hooks.poster().run() == 2
    now = hooks.world.clock().timestamp()
    read = [
        Receiver(made["secret"], keys["secrets"][0]["public"]).verify(headers, body, now=now)
        for headers, body in bank.came
    ]
    assert len({item["id"] for item in read}) == 2
    assert {item["type"] for item in read} == {"loans.referral.submitted"}
    assert read[0]["data"]["proposal_id"] == "LP-1"
    assert read[0]["data"]["api"] == "https://t.example/loans/api/referrals/REF-1"
    assert not {"Felt Works", "A dryer", "1.00"} & {
        word for _, body in bank.came for word in re.split(r'"', body.decode())
    }
    assert hooks.messages(made) == [("referral.submitted", "delivered")]
    types = [row.type.removeprefix("notifications.") for row in hooks.world.published("notifications.")]
    assert types.count("endpoint.registered") == types.count("webhook.queued") == types.count("webhook.delivered") == 2
    with reading(hooks.world.engine) as connection:
        [first, _] = connection.execute(select(storage.endpoint.c.state)).scalars()
        outbox = str(connection.execute(text("SELECT string_agg(body::text, '') FROM outbox")).scalar())
    assert made["secret"] not in str(first)
    assert made["secret"] not in outbox
    assert "/hook" not in outbox


def test_without_a_live_consent_nothing_of_the_case_leaves(hooks: Hooks, bank: BankServer) -> None:
    """Asked at sending: expired, the proposal's number stays here; revoked, what waits is dropped and nothing told."""
    made = hooks.registered(bank.url)
    hooks.happens(consented(date(2026, 11, 20)))
    hooks.happens(submitted())
    hooks.poster().run()
    assert b"LP-1" not in bank.came[0][1]
    hooks.happens(consented())
    hooks.happens(submitted())
    hooks.happens(revoked())
    hooks.poster().run()
    assert [body for _, body in bank.came[1:] if b"submitted" in body] == []
    assert b"LP-1" not in bank.came[1][1]
    assert hooks.messages(made)[:2] == [("referral.consent_revoked", "delivered"), ("referral.submitted", "dropped")]
    never = hooks.registered(bank.url, ("loans.referral.consent_revoked",))
    hooks.happens(revoked())
    hooks.poster().run()
    assert hooks.messages(never) == [("referral.consent_revoked", "dropped")]


def test_failures_are_tried_again_by_the_standard(hooks: Hooks, bank: BankServer) -> None:
    """A redirect is a failure, Retry-After is honoured, the id stays and the time changes; every attempt is kept."""
    made = hooks.registered(bank.url, ("loans.loan.agreed",))
    bank.moods = [(302, {"location": "http://127.0.0.1:1/"}), (503, {"retry-after": "600"})]
    happened = LoanAgreed(**FACTS, loan_id="LN-1", amount=Money.of("1.00", "EUR"), rate="0.1", term_months=12)
    hooks.happens(happened, "loan:LN-1")
    poster = hooks.poster()
    assert (poster.run(), poster.run()) == (1, 0)
    hooks.world.clock.forward(5)
    assert poster.run() == 1
    hooks.world.clock.forward(599)
    assert poster.run() == 0
    hooks.world.clock.forward(1)
    assert poster.run() == 1
    ids = {headers["webhook-id"] for headers, _ in bank.came}
    times = [int(headers["webhook-timestamp"]) for headers, _ in bank.came]
    assert (len(ids), [at - times[0] for at in times]) == (1, [0, 5, 605])
    listed = hooks.call("GET", f"/endpoints/{made['id']}/messages")["messages"]
    detail = hooks.call("GET", f"/endpoints/{made['id']}/messages/{listed[0]['id']}")
    assert [(one["number"], one["code"], one["reply"]) for one in detail["tries"]] == [
        (3, 204, ""),
        (2, 503, "as you  say"),
        (1, 302, "as you  say"),
    ]
    assert detail["tries"][0]["body"].encode() == bank.came[2][1]


def test_a_dripping_server_is_cut_off_and_a_dead_sender_replaced(hooks: Hooks, bank: BankServer) -> None:
    """The whole conversation has an end by the clock; a message whose sender died is sent when its lease is over."""
    made = hooks.registered(bank.url, ("loans.referral.submitted",))
    hooks.happens(submitted())
    bank.moods = ["drip"]
    begun = time.monotonic()
    hooks.poster(egress=Egress(INSIDE, plain_http=True, timeout=0.3)).run()
    assert time.monotonic() - begun < 1.5
    [item] = hooks.call("GET", f"/endpoints/{made['id']}/messages")["messages"]
    tries = hooks.call("GET", f"/endpoints/{made['id']}/messages/{item['id']}")["tries"]
    assert (tries[0]["code"], tries[0]["verdict"]) == (None, "no_answer")
    hooks.world.clock.forward(5)
    poster = hooks.poster()

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Egress, "post", dies)
        poster.run()
    assert poster.run() == 0
    hooks.world.clock.now += LEASE
    assert poster.run() == 1
    tries = hooks.call("GET", f"/endpoints/{made['id']}/messages/{item['id']}")["tries"]
    assert [one["verdict"] for one in tries] == ["accepted", "lost", "no_answer"]


def test_a_secret_that_can_not_be_opened_stops_its_endpoint_alone(
    hooks: Hooks, bank: BankServer, tmp_path: Path
) -> None:
    """Under another key what was sealed waits, and is sent once the key is back; other endpoints go on."""
    made = hooks.registered(bank.url, ("loans.referral.submitted",))
    hooks.happens(submitted())
    other = tmp_path / "other_key"
    other.write_text(new_key())
    poster = hooks.poster(vault=vault_of(other))
    assert poster.run() == 1
    assert (bank.came, hooks.messages(made)) == ([], [("referral.submitted", "queued")])
    assert hooks.poster().run() == 1
    assert hooks.messages(made) == [("referral.submitted", "delivered")]


def test_a_newer_key_of_the_house_strands_no_secret(hooks: Hooks, bank: BankServer) -> None:
    """Sealed anew on record, once; then the new key alone signs as the bank knows it, and the old one opens nothing."""
    made = hooks.registered(bank.url, ("loans.referral.submitted",))
    second = hooks.call("POST", f"/endpoints/{made['id']}/secrets", {"version": made["version"]})
    hooks.registered(bank.url, ("loans.loan.agreed",))
    [old], new = lines_of(hooks.key), new_key()
    both, newest = Vault([new, old]), Vault([new])
    with UnitOfWork(hooks.world.engine, "notifications", Context(actor=system("notifications"))) as uow:
        done = resealing.reseal(uow, both)
        assert (done.secrets, done.endpoints, done.missing) == (3, 2, {})
    with UnitOfWork(hooks.world.engine, "notifications", Context(actor=system("notifications"))) as uow:
        assert resealing.reseal(uow, both).secrets == 0
        assert resealing.standing(uow.connection) == {newest.newest: 3}
        left = resealing.reseal(uow, Vault([old]))
        assert left.missing == {newest.newest: 3}
        with pytest.raises(VaultError, match=f"3 under {newest.newest}"):
            resealing.must_be_openable(left)
        query = "SELECT count(*) FROM outbox WHERE type = 'notifications.endpoint.secrets_resealed'"
        assert uow.connection.execute(text(query)).scalar_one() == 2
    hooks.happens(submitted())
    assert hooks.poster(vault=newest).run() == 1
    now = hooks.world.clock().timestamp()
    for secret in (made["secret"], second["secret"]):
        assert Receiver(secret).verify(*bank.came[0], now=now)["type"] == "loans.referral.submitted"


def test_the_guard_holds_at_every_attempt(hooks: Hooks, bank: BankServer) -> None:
    """A name that later stands for an inside address is not called, and the log says why."""
    made = hooks.registered(bank.url.replace("127.0.0.1", "localhost"), ("loans.referral.submitted",))
    hooks.happens(submitted())
    hooks.poster(egress=Egress(plain_http=True)).run()
    [item] = hooks.call("GET", f"/endpoints/{made['id']}/messages")["messages"]
    [tried] = hooks.call("GET", f"/endpoints/{made['id']}/messages/{item['id']}")["tries"]
    assert "no public address" in tried["reply"]
    assert bank.came == []
    hooks.world.clock.forward(5)
    hooks.poster().run()
    assert bank.came[0][0]["host"].startswith("localhost:"), "pinned to the address, under its own name"


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.0.0.1", "2130706433", "127.1", "[::1]", "localhost"])
@pytest.mark.usefixtures("stand")
def test_other_writings_of_loopback_are_refused(host: str) -> None:
    """The system's own resolver says what a name stands for: hexadecimal, short and whole-number forms too."""
    reply = Egress(plain_http=True).post(f"http://{host}:9/", {}, b"{}")
    assert reply.code is None
    assert "no public address" in reply.text


def test_gone_disables_keeps_and_replays(hooks: Hooks, bank: BankServer) -> None:
    """410 disables, and its owner gets a letter in their language; what happens meanwhile is kept."""
    made = hooks.registered(bank.url, ("loans.referral.submitted",))
    path = f"/endpoints/{made['id']}"
    bank.moods = [(410, {})]
    hooks.happens(submitted())
    hooks.poster().run()
    hooks.happens(submitted())
    hooks.poster().run()
    assert hooks.messages(made) == [("referral.submitted", "held"), ("referral.submitted", "failed")]
    now = hooks.call("GET", path)
    assert (now["enabled"], now["off_because"]) == (False, "gone")
    letters = [item for item in hooks.world.deliveries() if item.rule == "webhook-endpoint-disabled"]
    assert {(item.recipient, item.channel, item.locale) for item in letters} == {
        ("bo", "email", "ru"),
        ("bo", "inbox", "ru"),
    }
    assert "410" in letters[0].text
    assert "Your system" not in letters[0].text
    assert hooks.browser.json("POST", f"{PLACE}{path}/replays", {}).status_code == 409
    hooks.call("POST", f"{path}/enabling", {"version": now["version"]})
    assert hooks.browser.json("POST", f"{PLACE}{path}/enabling", {"version": now["version"]}).status_code == 409
    assert hooks.call("POST", f"{path}/replays", {}) == {"queued": 2}
    hooks.poster().run()
    assert {state for _, state in hooks.messages(made)} == {State.DELIVERED.value}


def test_failing_for_120_hours_disables(hooks: Hooks, bank: BankServer) -> None:
    """Five days without one success end it; one success in between begins the count anew."""
    made = hooks.registered(bank.url, ("loans.referral.submitted",))
    poster = hooks.poster()
    for hours in (0, 119, 1):
        hooks.world.clock.now += timedelta(hours=hours)
        bank.moods = [(500, {})] * 3
        hooks.happens(submitted())
        poster.run()
    assert hooks.call("GET", f"/endpoints/{made['id']}")["off_because"] == "failing"


def test_the_pages_show_the_secret_once_and_the_signed_bytes(hooks: Hooks, bank: BankServer) -> None:
    """Set up, tested, rotated in the browser: the test shows what was signed, and two secrets sign while they live."""
    page = hooks.browser.get("/notifications/webhooks").text
    assert 'value="loans.referral.submitted"' in page
    given = {"url": bank.url, "description": "Core", "types": ["loans.referral.submitted"], "scheme": "v1"}
    wrong = hooks.browser.post("/notifications/webhooks", given | {"url": "gopher://x"})
    assert wrong.status_code == 422
    assert 'value="gopher://x"' in wrong.text
    shown = hooks.browser.post("/notifications/webhooks", given)
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", shown.text)
    [place] = re.findall(r"/notifications/webhooks/[0-9a-f-]{36}", shown.text)
    assert "whsec_" not in hooks.browser.get(place).text
    tested = hooks.browser.post(f"{place}/tests")
    hooks.poster().run()
    seen = hooks.browser.get(tested.headers["location"]).text
    headers, body = bank.came[0]
    assert Receiver(secret).verify(headers, body, now=hooks.world.clock().timestamp())["type"] == "tamga.test"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    assert signed.replace('"', "&#34;") in seen
    assert headers["webhook-signature"] in seen
    newer = hooks.browser.post(f"{place}/secrets", {"version": 1})
    [second] = re.findall(r"whsec_[A-Za-z0-9+/=]+", newer.text)
    hooks.browser.post(f"{place}/tests")
    hooks.poster().run()
    for one in (secret, second):
        Receiver(one).verify(*bank.came[1], now=hooks.world.clock().timestamp())
    assert hooks.browser.post(f"{place}/retirement", {"version": 1}).status_code == 409
    assert hooks.browser.get("/notifications/webhooks/receiver.py").text.startswith('"""Check that a message')


def test_other_banks_know_of_nothing(hooks: Hooks, bank: BankServer) -> None:
    """Another bank, and other roles, find no endpoint, no message and can do nothing; set-up asks for the password."""
    made = hooks.registered(bank.url)
    hooks.happens(submitted())
    [item] = hooks.call("GET", f"/endpoints/{made['id']}/messages")["messages"]
    assert hooks.other.json("GET", f"{PLACE}/endpoints").json() == []
    path = f"{PLACE}/endpoints/{made['id']}"
    for method, rest, body in (
        ("GET", "", None),
        ("GET", "/messages", None),
        ("GET", f"/messages/{item['id']}", None),
        ("POST", f"/messages/{item['id']}/replay", None),
        ("POST", "/secrets", {"version": 1}),
        ("POST", "/tests", None),
        ("POST", "/disabling", {"version": 1}),
        ("PUT", "", {"url": bank.url, "types": list(ALL), "version": 1}),
    ):
        answer = hooks.other.json(method, path + rest, body)
        assert (answer.status_code, made["id"] in answer.text.replace(path, "")) == (404, False), (method, rest)
    assert hooks.browser.json("GET", f"{PLACE}/endpoints/{uuid4()}").status_code == 404
    late = Browser(hooks.browser.app, person("finance_partner", "bo", organisation=BANK))
    given = {"url": bank.url, "types": list(ALL)}
    assert late.json("POST", f"{PLACE}/endpoints", given).json()["type"].endswith("step-up-required")
    officer = Browser(hooks.browser.app, person("officer", "goran"))
    assert officer.json("GET", f"{PLACE}/endpoints").status_code == 403
