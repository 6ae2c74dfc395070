"""Links of acts in letters: only what goes to the mail server has them, the house keeps their hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from notifications_world import MailServer, World, mail_server, ready
from sqlalchemy import text

from services.notifications.domain.ruleset import read_pack
from services.notifications.linting import lint
from shared.events import Actor
from shared.events.loans.referral import ReferralSubmitted
from shared.money import Money
from shared.testing.stand import Stand

ADDRESS = re.compile(r"http://127\.0\.0\.1:8400/loans/links/([\w-]{43})")


@pytest.fixture
def world(stand: Stand) -> World:
    return ready(stand.database("notifications"))


@pytest.fixture
def server() -> Iterator[tuple[MailServer, str]]:
    with mail_server() as running:
        yield running


def referred(world: World) -> None:
    """Let a referral to the first bank arrive."""
    facts: dict[str, Any] = {
        "referral_id": "REF-2026-0001",
        "proposal_id": "PRO-2026-0001",
        "organisation_id": "msme-one",
        "organisation_name": "Pelagonia Preserves",
        "bank_id": "bank-one",
        "bank_name": "First Partner Bank",
        "title": "Press line",
        "amount": Money.of(40000, "EUR"),
        "term_months": 36,
        "due": date(2026, 11, 27),
    }
    place = {"programme": "business-ecosystem", "case": "PRO-2026-0001", "parties": {"partner": ["org:bank-one"]}}
    world.arrive(ReferralSubmitted(**facts), "referral:REF-2026-0001", **place, actor=Actor(id="user:msme"))


def test_a_letter_to_a_bank_carries_a_link_for_each_act(world: World, server: tuple[MailServer, str]) -> None:
    """The mail has three links that can be clicked; the letter as it is kept and the events have hashes alone."""
    mail, url = server
    referred(world)
    assert world.sender(url).run() == 1
    [message] = mail.taken
    plain = message.get_body(("plain",)).get_content()
    tokens = ADDRESS.findall(plain)
    assert len(set(tokens)) == 3
    page = message.get_body(("html",)).get_content()
    assert all(f'href="http://127.0.0.1:8400/loans/links/{token}"' in page for token in tokens)
    told = [row.body["data"] for row in world.published("notifications.link.")]
    assert [item["link_sha256"] for item in told] == [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
    assert [item["purpose"] for item in told] == ["acknowledge", "question", "decline"]
    assert {item["about"] for item in told} == {"referral:REF-2026-0001"}
    assert all(item["good_until"].startswith(f"{world.clock() + timedelta(days=7):%Y-%m-%d}") for item in told)
    with world.engine.connect() as connection:
        kept = " ".join(
            connection.execute(text(f"SELECT string_agg(t::text, '') FROM {table} t")).scalar_one() or ""  # noqa: S608 - names of ours
            for table in ("delivery", "outbox", "attempt", "decision")
        )
    assert "/loans/links/" not in kept
    assert not [token for token in tokens if token in kept]


def test_another_try_carries_other_links(world: World, server: tuple[MailServer, str]) -> None:
    """A letter that was refused for now goes out later with links of its own, good for a week from then."""
    mail, url = server
    mail.moods = ["450"]
    referred(world)
    world.sender(url).run()
    world.clock.now += timedelta(days=1)
    world.sender(url).run()
    [message] = mail.taken
    tokens = ADDRESS.findall(message.get_body(("plain",)).get_content())
    hashes = [row.body["data"]["link_sha256"] for row in world.published("notifications.link.")]
    assert hashes[3:] == [hashlib.sha256(token.encode()).hexdigest() for token in tokens]


def test_links_are_for_referrals_alone() -> None:
    """A rule that asks for links about something else is refused with the pack."""
    rule = {"id": "a", "event": "grants.application.submitted", "to": ["applicant"], "letter": "b", "category": "c"}
    pack = {
        "notifications": {"categories": {"c": {"name": {"en": "C"}}}, "rules": [rule | {"links": ["decline"]}]},
        "letters": {"l": {"b": {"en": {"subject": "B", "text": "B"}}}},
    }
    assert [str(item) for item in lint(read_pack(pack))] == [
        "rule a: grants.application.submitted is of no referral: no links"
    ]
