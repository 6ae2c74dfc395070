"""A lead firm's co-financing on a real database: its people, its pack, and a desk at which they act."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from services.grants.domain.cofinancing import CoFinancing
from services.grants.handlers import cofinancing as act
from services.grants.storage import learned
from services.grants.storage.cofinancing import find_case
from shared.database import Context, UnitOfWork, reading
from shared.documents import DocumentStore
from shared.money import Money
from shared.testing.stand import Stand
from shared.testing.web import person
from shared.web.identity import Identity
from tests.integration.payable import payable

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PACK = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
PROGRAMME = "business-ecosystem"

FIRM = person("applicant", "firm", organisation="cables", organisation_name="Cables")
OTHER_FIRM = person("applicant", "other", organisation="wires")
CHAMBER = person("applicant", "chamber", organisation="chamber")
OFFICER = person("officer", "officer", organisation="office")
OFFICER_TWO = person("officer", "officer-two", organisation="office")
MANAGER = person("programme_manager", "manager", organisation="office")
FINANCE = person("finance_officer", "finance", organisation="office")
FINANCE_TWO = person("finance_officer", "finance-two", organisation="office")


def eur(amount: str) -> Money:
    """Return an amount in euro."""
    return Money(amount=amount, currency="EUR")


def pack() -> dict[str, Any]:
    """Return the first programme's pack as it travels."""
    content: dict[str, Any] = {path.stem: yaml.load(path.read_text(), yaml.CSafeLoader) for path in PACK.glob("*.yaml")}
    for folder in ("calls", "workflows", "scoring", "checklists"):
        files = (PACK / folder).glob("*.yaml")
        content[folder] = {path.stem: yaml.load(path.read_text(), yaml.CSafeLoader) for path in files}
    return content


class Desk:
    """Acts on one database as the people of the story would."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.store, self.now = engine, DocumentStore(folder), NOW

    @contextmanager
    def work(self, who: Identity) -> Iterator[UnitOfWork]:
        """Give one request's transaction."""
        with UnitOfWork(self.engine, "grants", Context(actor=who.actor()), clock=lambda: self.now) as uow:
            yield uow

    def look(self, reference: str) -> CoFinancing:
        """Return the case as it stands."""
        with reading(self.engine) as connection:
            case = find_case(connection, reference)
        assert case is not None
        return case

    def do(self, who: Identity, handler: Callable[..., CoFinancing], reference: str, *args: Any, **more: Any) -> None:
        """Do something to the case's present version."""
        version = self.look(reference).version
        with self.work(who) as uow:
            handler(uow, who, reference, version, *args, **more)

    def move(self, who: Identity, reference: str, transition: str, **more: Any) -> None:
        """Make a move of the workflow."""
        self.do(who, act.move, reference, transition, **more)

    def start(self, who: Identity = FIRM) -> str:
        """Begin a concept for 100,000."""
        concept = act.Concept(
            kind="workforce_development", title="Cable assembly school", summary="Ninety people", planned=eur("100000")
        )
        with self.work(who) as uow:
            return act.start_concept(uow, who, PROGRAMME, concept).id

    def agreed(self) -> str:
        """Return a case with an agreement of 60,000 : 40,000, the firm's share 30,000 cash and 10,000 in kind."""
        reference = self.start()
        self.move(FIRM, reference, "propose")
        self.do(OFFICER, act.draw_terms, reference, total=eur("100000"), in_kind=eur("10000"))
        self.move(OFFICER, reference, "offer-agreement")
        self.move(MANAGER, reference, "approve-agreement")
        self.move(FIRM, reference, "accept-agreement")
        return reference

    def enter(self, reference: str, amount: str, **more: Any) -> int:
        """Enter a contribution, in cash unless `more` says otherwise, with all it needs; returns its number."""
        values = {"form": "cash", "given_on": NOW.date(), "description": "Trainers' pay", "claimed": eur(amount)}
        self.do(FIRM, act.enter, reference, act.EnterContribution(**(values | more)))
        number = len(self.look(reference).contributions)
        item = self.look(reference).contribution(number)
        for kind in dict.fromkeys(("invoice", *item.lacks(self.look(reference).rules))):
            self.evidence(reference, number, kind)
        return number

    def evidence(self, reference: str, number: int, kind: str = "invoice") -> None:
        """Put a document behind a contribution."""
        file = io.BytesIO(b"%PDF-1.7 paid")
        about = {"number": number, "kind": kind, "name": "paid.pdf", "content": file}
        self.do(FIRM, act.add_evidence, reference, self.store, **about)

    def matched(self, reference: str, amount: str) -> None:
        """Enter and verify cash."""
        self.do(OFFICER, act.decide, reference, self.enter(reference, amount), good=True, note="")

    def released(self, reference: str, amount: str) -> None:
        """Ask for a release and release it."""
        self.do(FINANCE, act.request_release, reference, eur(amount))
        number = len(self.look(reference).releases)
        self.do(FINANCE_TWO, act.settle_release, reference, number, good=True, note="")

    def told(self, reference: str) -> list[str]:
        """Return the types of the events of the case in order."""
        query = text('SELECT type FROM outbox WHERE "case" = :case ORDER BY row')
        with reading(self.engine) as connection:
            return [kind.split(".")[-1] for kind in connection.execute(query, {"case": reference}).scalars()]


@pytest.fixture
def desk(stand: Stand, tmp_path: Path) -> Desk:
    """Give a desk with the programme loaded and the organisations known."""
    engine = stand.database("grants")
    with UnitOfWork(engine, "grants", Context(actor=OFFICER.actor())) as uow:
        learned.put_pack(uow.connection, programme=PROGRAMME, version=1, sha256="0" * 64, content=pack(), at=NOW)
        for name, kind in (("cables", "lead_firm"), ("wires", "lead_firm"), ("chamber", "bso")):
            learned.put_organisation(uow.connection, id=name, name=name.title(), kind=kind, country="MK")
    payable(engine, lambda: NOW, "cables")
    return Desk(engine, tmp_path)
