"""The newest checkpoint of the log travels in every letter, message and list: without asking anybody for it."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loans_world import World as LoansWorld
from notifications_world import World, ready
from sqlalchemy import Engine
from webhooks_world import BankServer, bank_server, consented, ready_hooks, submitted

from services.audit.domain.kept import claim_in
from services.audit.domain.note import Checkpoint, Signer
from services.grants.handlers import ON as GRANTS
from services.grants.pages.files import answer
from services.loans.handlers import ON as LOANS
from services.notifications import catcher
from services.notifications.handlers.sending import send_due
from services.notifications.receiver.tamga_webhooks import Receiver
from shared import checkpoints
from shared import settings as settings_module
from shared.clock import new_id
from shared.database import reading
from shared.events import Actor, Envelope
from shared.events.audit import CheckpointAnnounced
from shared.events.envelope import Body
from shared.exports.tables import Column, Table, csv_pieces, xlsx_pieces
from shared.infrastructure.system import free_port
from shared.messaging import inbox
from shared.messaging.inbox import Handlers, Outcome
from shared.messaging.wire import encode
from shared.settings import Settings
from shared.testing.clock import StandingClock
from shared.testing.stand import Stand
from tests.conftest import UowFor

SIGNER = Signer("log.example/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def note(size: int) -> str:
    return SIGNER.sign(Checkpoint(SIGNER.name, size, bytes([size % 256]) * 32).text())


def announced(size: int) -> CheckpointAnnounced:
    return CheckpointAnnounced(size=size, root=(bytes([size % 256]) * 32).hex(), note=note(size))


def told(event: CheckpointAnnounced, sequence: int) -> Envelope:
    """Return the announcement as it comes out of the queue."""
    return Envelope(
        id=new_id(), source="audit", type=event.TYPE, entity="checkpoint:log", sequence=sequence,
        time=StandingClock()(), correlation_id=new_id(), body=Body(data=event.model_dump(), actor=Actor(id="test")),
    )  # fmt: skip


@pytest.fixture(scope="module")
def known_world(stand: Stand) -> World:
    return ready(stand.database("notifications"))


@pytest.fixture
def world(known_world: World) -> World:
    """Give the notifications service, to which the log announced two states."""
    made = known_world.begin_again()
    for size in (700, 1234):
        made.arrive(announced(size), "checkpoint:log")
    return made


@pytest.fixture
def bank() -> Iterator[BankServer]:
    with bank_server() as server:
        yield server


def test_a_letter_carries_the_newest_checkpoint(
    world: World, uow_for: UowFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a line below the text and below the HTML, and signed in a header: each leads to the same state of the log."""
    port = free_port()
    controller = catcher.start(port, tmp_path)
    known = Settings(smtp_url=f"smtp://127.0.0.1:{port}", base_url="https://t.example")
    settings_module.settings.cache_clear()
    monkeypatch.setattr(settings_module, "load", lambda: known)
    world.deliver(world.submitted())
    try:
        with uow_for(world.engine, "notifications") as uow:
            send_due(uow)
    finally:
        controller.stop()
        settings_module.settings.cache_clear()
    letters = catcher.caught(tmp_path, whole=True)
    assert len(letters) == 3
    for letter in letters:
        assert claim_in(letter.header("Audit-Checkpoint")).note == note(1234)
        assert claim_in(letter.text) == (1234, bytes([1234 % 256]) * 32, None)
        assert "https://t.example/audit/checkpoint" in letter.text
    assert any("Контрольная точка журнала" in letter.text for letter in letters)
    assert any("Checkpoint of the record" in letter.text for letter in letters)


def test_a_webhook_carries_the_newest_checkpoint(world: World, bank: BankServer, tmp_path: Path) -> None:
    """Each attempt has the state of the log of that moment in a header; the signature holds as before."""
    hooks = ready_hooks(world, tmp_path)
    made = hooks.registered(bank.url)
    hooks.happens(consented())
    hooks.happens(submitted())
    bank.moods.append((500, {}))
    hooks.poster().run()
    hooks.world.arrive(announced(2000), "checkpoint:log")
    hooks.world.clock.forward(60)
    hooks.poster().run()
    sizes = [claim_in(headers["audit-checkpoint"]).size for headers, _ in bank.came]
    assert sizes == [1234, 2000]
    headers, body = bank.came[1]
    Receiver(made["secret"]).verify(headers, body, now=hooks.world.clock().timestamp())
    assert base64.b64decode(headers["audit-checkpoint"]).decode() == note(2000)


@pytest.mark.parametrize(("service", "on"), [("grants", GRANTS), ("loans", LOANS)])
def test_a_list_carries_the_newest_checkpoint(stand: Stand, service: str, on: Handlers) -> None:
    """Services that give lists away learn it from the announcement; redelivery changes nothing."""
    engine: Engine = stand.database(service)
    with reading(engine) as connection:
        assert checkpoints.header(connection) == {}
    events = [told(announced(size), number) for number, size in enumerate((700, 1234), 1)]
    for envelope in events:
        assert inbox.receive(engine, service, on, encode(envelope)) is Outcome.APPLIED
    assert inbox.receive(engine, service, on, encode(events[0])) is not Outcome.APPLIED
    with reading(engine) as connection:
        assert claim_in(checkpoints.header(connection)[checkpoints.HEADER]).note == note(1234)
        table = Table("Payments", [Column("Name")], [["Ana"]])
        assert claim_in(answer(connection, table, "csv", "payments").headers["audit-checkpoint"]).size == 1234


def test_a_banks_portfolio_carries_it_over_http(stand: Stand, tmp_path: Path) -> None:
    """The file of a page and that of the API have the same header, and the rows that they always had."""
    world = LoansWorld(stand.database("loans"), tmp_path)
    before = world.bank_one.get("/loans/portfolio.csv")
    assert (before.status_code, "audit-checkpoint" in before.headers) == (200, False)
    world.hear(announced(1234), "checkpoint:log")
    for path in ("/loans/portfolio.csv", "/loans/api/portfolio.csv"):
        answered = world.bank_one.get(path)
        assert claim_in(answered.headers["audit-checkpoint"]).note == note(1234)
        assert answered.content == before.content


def test_a_workbook_says_it_of_itself_and_a_csv_stays_a_table() -> None:
    """In XLSX the signed statement stands among the properties, past every sheet; CSV has rows and nothing else."""
    plain = Table("Payments", [Column("Name")], [["Ana"]])
    carrying = Table("Payments", [Column("Name")], [["Ana"]], about=note(1234))
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(carrying)))) as book:
        core = ET.fromstring(book.read("docProps/core.xml"))  # noqa: S314 - of our own making
        sheet = book.read("xl/worksheets/sheet1.xml")
    said = next(item.text for item in core if item.tag.endswith("}description"))
    assert claim_in(said or "").note == note(1234)
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(plain)))) as book:
        assert book.read("xl/worksheets/sheet1.xml") == sheet
    assert b"".join(csv_pieces(carrying)) == b"".join(csv_pieces(plain))
