"""A notifications service with people and the shipped programme, events that arrive, and a mail server with moods."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from aiosmtpd.controller import Controller
from sqlalchemy import Engine, select

from services.notifications import storage
from services.notifications.cli import read_folder
from services.notifications.domain.delivery import Delivery
from services.notifications.handlers import ON
from services.notifications.handlers.sending import Sender
from services.notifications.mail import Mailer
from shared.clock import new_id
from shared.database import reading
from shared.events import Actor, Envelope, Event
from shared.events.envelope import Body
from shared.events.grants.application import ApplicationMoved, ApplicationSubmitted
from shared.events.portal import OrganisationRegistered, ProgrammeLoaded, UserChanged, UserRegistered
from shared.infrastructure.system import free_port
from shared.messaging import inbox
from shared.messaging.inbox import Outcome
from shared.messaging.wire import encode
from shared.money import Money
from shared.testing.clock import StandingClock

ROOT = Path(__file__).parents[2]
PROGRAMME = ROOT / "programmes" / "business-ecosystem"
CASE = "BSO-2026-0001"
ENTITY = f"application:{CASE}"
START = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)
KNOWN = ("person", "ruleset")
LETTERS = ("attempt", "delivery", "decision", "preference", "outbox", "outbox_sequence")
PARTIES = {
    "applicant": ["org:chamber-of-crafts"],
    "officer": ["role:officer"],
    "manager": ["role:programme_manager"],
    "finance": ["role:finance_officer"],
}
ANA = Actor(id="user:applicant", name="Ana Petrova", role="applicant", organisation="chamber-of-crafts")
GORAN = Actor(id="user:officer", name="Goran Ristov", role="officer", organisation="programme-office")


class MailServer:
    """A real SMTP server; each letter meets the next mood: a code (at RCPT or DATA), hang, close, or 250."""

    def __init__(self) -> None:
        self.moods: list[str] = []
        self.taken: list[EmailMessage] = []

    def _mood(self) -> str:
        return self.moods.pop(0) if self.moods else "250"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's interface
        self, _server: Any, session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        session.mood = self._mood()
        if session.mood in {"421", "450", "550"}:
            return f"{session.mood} {address} not now"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the same
        if session.mood in {"DATA 451", "DATA 554"}:
            return f"{session.mood[5:]} not this"
        self.taken.append(message_from_bytes(envelope.original_content, policy=default))
        if session.mood == "close":
            server.transport.close()
        if session.mood == "hang":
            await asyncio.sleep(3)
        return "250 taken"

    def ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.taken]


@contextmanager
def mail_server() -> Iterator[tuple[MailServer, str]]:
    """Give a running mail server and its URL."""
    server, port = MailServer(), free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield server, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()


@dataclass
class World:
    """The service on its own database; events arrive through the real inbox."""

    engine: Engine
    clock: StandingClock = field(default_factory=lambda: StandingClock(START))
    last: Counter[str] = field(default_factory=Counter)
    known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def remember(self) -> None:
        """Keep who and what is known now, to begin the next test with."""
        with reading(self.engine) as connection:
            for name in KNOWN:
                rows = connection.execute(select(storage.metadata.tables[name])).mappings()
                self.known[name] = [dict(row) for row in rows]

    def begin_again(self) -> World:
        """Forget all letters, and know what was remembered; cheaper than a database for each test."""
        tables = storage.metadata.tables
        with self.engine.begin() as connection:
            for name in (*LETTERS, *KNOWN):
                connection.execute(tables[name].delete())
            for name in KNOWN:
                connection.execute(tables[name].insert(), self.known[name])
        self.clock.now = START
        return self

    def envelope(self, event: Event, entity: str, **changes: Any) -> Envelope:
        self.last[f"{event.source()}/{entity}"] += 1
        values: dict[str, Any] = {
            "id": new_id(),
            "source": event.source(),
            "type": event.TYPE,
            "entity": entity,
            "sequence": self.last[f"{event.source()}/{entity}"],
            "time": self.clock(),
            "correlation_id": new_id(),
        }
        actor, parties = changes.pop("actor", Actor(id="test")), changes.pop("parties", {})
        body = Body(data=event.model_dump(mode="json"), actor=actor, parties=parties)
        return Envelope(**(values | {"body": body} | changes))

    def deliver(self, envelope: Envelope) -> Outcome:
        return inbox.receive(self.engine, "notifications", ON, encode(envelope), clock=self.clock)

    def arrive(self, event: Event, entity: str, **changes: Any) -> Envelope:
        envelope = self.envelope(event, entity, **changes)
        assert self.deliver(envelope) is Outcome.APPLIED
        return envelope

    def people(self) -> None:
        facts = yaml.load((PROGRAMME / "people.yaml").read_text(), yaml.CSafeLoader)
        for organisation in facts["organisations"]:
            known = OrganisationRegistered(
                organisation_id=organisation["id"], name=organisation["name"], kind=organisation["kind"]
            )
            self.arrive(known, f"organisation:{organisation['id']}")
        for person in facts["people"]:
            self.person(**person)

    def person(self, key: str, **facts: Any) -> None:
        values = {"user_id": key, "programmes": ["business-ecosystem"]} | facts
        self.arrive(UserRegistered(**values), f"user:{key}")

    def speaks(self, key: str, locale: str) -> None:
        """Let a person prefer another language."""
        facts = yaml.load((PROGRAMME / "people.yaml").read_text(), yaml.CSafeLoader)
        person = next(item for item in facts["people"] if item["key"] == key)
        changed = UserChanged(**person | {"user_id": key, "programmes": ["business-ecosystem"], "locale": locale})
        self.arrive(changed, f"user:{key}")

    def programme(self, pack: dict[str, Any] | None = None, sha256: str = "first") -> None:
        content = read_folder(PROGRAMME) if pack is None else pack
        content["programme"] = yaml.load((PROGRAMME / "programme.yaml").read_text(), yaml.CSafeLoader)
        event = ProgrammeLoaded(programme_id="business-ecosystem", pack_version=1, sha256=sha256, pack=content)
        self.arrive(event, "programme:business-ecosystem")

    def submitted(self, **changes: Any) -> Envelope:
        values = {"programme": "business-ecosystem", "case": CASE, "parties": PARTIES, "actor": ANA} | changes
        return self.envelope(ApplicationSubmitted(**_stage("submit", "screening")), ENTITY, **values)

    def moved(self, transition: str, **changes: Any) -> Envelope:
        values = {"programme": "business-ecosystem", "case": CASE, "parties": PARTIES, "actor": GORAN} | changes
        return self.envelope(ApplicationMoved(**_stage(transition, "approved")), ENTITY, **values)

    def sender(self, url: str, *, timeout: float = 2.0) -> Sender:
        mailer = Mailer(url, "Tamga <no-reply@tamga.example>", "http://127.0.0.1:8400", timeout)
        return Sender(self.engine, mailer.send, self.clock, lambda: 0.0)

    def deliveries(self, **which: Any) -> list[Delivery]:
        with reading(self.engine) as connection:
            return storage.find_deliveries(connection, limit=500, **which)

    def email_to(self, user: str) -> Delivery:
        return next(item for item in self.deliveries(channel="email") if item.recipient == user)

    def attempts(self, delivery_id: str) -> list[dict[str, Any]]:
        with reading(self.engine) as connection:
            return storage.attempts_of(connection, delivery_id)

    def published(self, prefix: str = "notifications.delivery.") -> list[Any]:
        outbox = storage.metadata.tables["outbox"]
        with reading(self.engine) as connection:
            query = select(outbox).where(outbox.c.type.startswith(prefix)).order_by(outbox.c.row)
            return list(connection.execute(query).all())

    def decision(self, event_id: UUID, rule: str) -> dict[str, Any]:
        with reading(self.engine) as connection:
            found = storage.decision_of(connection, event_id, rule)
        assert found is not None
        return found


def _stage(transition: str, stage: str) -> dict[str, Any]:
    return {
        "reference": CASE,
        "title": "Training <b>service</b>",
        "call": "bso-grants-2026",
        "organisation_id": "chamber-of-crafts",
        "organisation_name": "Chamber of Crafts",
        "transition": transition,
        "from_stage": "draft",
        "to_stage": stage,
        "stage_name": {"en": "Screening", "ru": "Проверка комплектности"},
        "public_name": {"en": "Under review", "ru": "На рассмотрении"},
        "holder": "officer",
        "due": date(2026, 11, 27),
        "paused": False,
        "amount": Money.of("48200.00", "EUR"),
    }


def ready(engine: Engine) -> World:
    """Return a world that knows everybody and the shipped rules."""
    world = World(engine)
    world.people()
    world.programme()
    world.remember()
    return world
