"""A bank's server with moods, and the notifications service with its webhooks, pages and sender."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from notifications_world import World
from starlette.applications import Starlette
from starlette.routing import Mount

from services.notifications import api, api_webhooks, pages, pages_webhooks
from services.notifications.application import TEMPLATES
from services.notifications.egress import Egress
from services.notifications.handlers.posting import Poster
from services.notifications.policy import POLICY
from services.notifications.storage import webhooks as storage
from shared.events import Envelope, Event
from shared.events.loans.referral import ConsentGiven, ConsentRevoked, ReferralSubmitted
from shared.money import Money
from shared.testing.web import KEY, Browser, person, web_settings
from shared.vault import new_key, vault_of
from shared.web.app import create_service_app

BANK = "steppe-bank"
PLACE = "/notifications/api/webhooks"
ALL = ("loans.loan.agreed", "loans.referral.consent_revoked", "loans.referral.submitted")
INSIDE = (ipaddress.ip_network("127.0.0.0/8"),)


@dataclass
class BankServer:
    """A bank's server: answers by the next mood (a code, or one with a header), else 204, and keeps what came."""

    moods: list[tuple[int, dict[str, str]] | str] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.came.append(({name.lower(): value for name, value in handler.headers.items()}, body))
        mood = self.moods.pop(0) if self.moods else (204, {})
        if isinstance(mood, str):  # drips, a byte now and then, and never comes to an end
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(40):
                handler.wfile.write(b"x")
                time.sleep(0.05)
            return
        handler.send_response(mood[0])
        for name, value in mood[1].items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"as you \x00 say" if mood[0] != 204 else b"")


@contextmanager
def bank_server() -> Iterator[BankServer]:
    """Give a running bank's server."""
    told = BankServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                told.answer(self)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        told.url = f"http://127.0.0.1:{server.server_port}/hook?x=1"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield told
        server.shutdown()


@dataclass
class Hooks:
    """The service with its pages, a bank's person who has just given their password, and the sender."""

    world: World
    browser: Browser
    other: Browser
    key: Path

    def poster(self, **changes: Any) -> Poster:
        egress = changes.pop("egress", Egress(INSIDE, plain_http=True, timeout=2))
        vault = changes.pop("vault", None) or vault_of(self.key)
        return Poster(self.world.engine, vault, egress, "https://t.example", self.world.clock, lambda: 0.0)

    def registered(self, url: str, types: tuple[str, ...] = ALL, scheme: str = "v1") -> dict[str, Any]:
        given = {"url": url, "description": "Core", "types": list(types), "scheme": scheme}
        answer = self.browser.json("POST", f"{PLACE}/endpoints", given)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.browser.json(method, f"{PLACE}{path}", body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def messages(self, endpoint: dict[str, Any]) -> list[tuple[str, str]]:
        found = self.call("GET", f"/endpoints/{endpoint['id']}/messages")["messages"]
        return [(item["event_type"].removeprefix("loans."), item["state"]) for item in found]

    def happens(self, event: Event, entity: str = "referral:REF-1") -> Envelope:
        return self.world.arrive(event, entity, case="LP-1", programme="business-ecosystem")


def ready_hooks(world: World, tmp_path: Path) -> Hooks:
    """Return the service with nothing sent yet, a bank's person, and one of another bank."""
    with world.engine.begin() as connection:
        for table in (storage.webhook_attempt, storage.webhook, storage.endpoint, storage.consent):
            connection.execute(table.delete())
    key = tmp_path / "webhook_key"
    key.write_text(new_key())
    settings = web_settings(webhook_key_file=key, webhook_networks="127.0.0.0/8", webhook_plain_http=True)
    app = create_service_app(
        service="notifications",
        engine=world.engine,
        policy=POLICY,
        routers=[api.router, api_webhooks.router, pages_webhooks.router, pages.router],
        templates=TEMPLATES,
        settings=settings,
        clock=world.clock,
        key=KEY,
    )
    whole = Starlette(routes=[Mount("/notifications", app)])
    confirmed = int(world.clock().timestamp())
    world.person("bo", name="Bo", email="bo@bank.example", roles=["finance_partner"], locale="ru", organisation=BANK)
    who = person("finance_partner", "bo", organisation=BANK, confirmed_at=confirmed)
    other = person("finance_partner", "eve", organisation="other-bank", confirmed_at=confirmed)
    return Hooks(world, Browser(whole, who), Browser(whole, other), key)


FACTS = {
    "referral_id": "REF-1",
    "proposal_id": "LP-1",
    "organisation_id": "msme",
    "organisation_name": "Felt Works",
    "bank_id": BANK,
    "bank_name": "Steppe Bank",
}


def consented(until: date = date(2027, 1, 1)) -> ConsentGiven:
    more = {"title": "A dryer", "fields": ["applicant.name"], "purpose": "credit", "until": until}
    return ConsentGiven(**FACTS, **more, text_version="1", text_sha256="0" * 64, language="en")


def submitted() -> ReferralSubmitted:
    more = {"title": "A dryer", "amount": Money.of("1.00", "EUR"), "term_months": 12, "due": date(2026, 12, 1)}
    return ReferralSubmitted(**FACTS, **more)


def revoked() -> ConsentRevoked:
    return ConsentRevoked(**FACTS, title="A dryer")
