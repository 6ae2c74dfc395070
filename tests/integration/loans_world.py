"""A loans service with the programme's pack and people known, an award concluded, and a plan that is ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.loans import handlers
from services.loans.application import create_app
from shared.clock import new_id
from shared.database import Context, UnitOfWork, system
from shared.entity import canonical_hash
from shared.events import Actor, Envelope, Event
from shared.events.envelope import Body
from shared.events.grants.application import ApplicationAwarded
from shared.events.portal import OrganisationRegistered, ProgrammeLoaded, UserRegistered
from shared.money import Money
from shared.testing.clock import MONDAY, StandingClock
from shared.testing.web import KEY, Browser, person, web_settings

PACK = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
PROGRAMME = "business-ecosystem"
START = MONDAY
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
UNTIL = "2026-06-01"

PLAN: dict[str, dict[str, Any]] = {
    "applicant": {
        "legal_name": "Pelagonia Preserves",
        "legal_form": "DOOEL",
        "registration_number": "7001234",
        "tax_id": "MK4030991234567",
        "founded": "2014-05-01",
        "address": "Bitola, Ivan Milutinovikj 8",
        "sector": "1030",
        "employees": "14",
        "women_owned_percent": "60",
    },
    "owners": {"people": [{"name": "Vera Stojanova", "share_percent": "60", "sex": "female", "birth_year": "1979"}]},
    "request": {
        "title": "Working capital and a press line",
        "amount": "40000",
        "purpose": "equipment",
        "term_months": "36",
        "rate_percent": "14",
        "needed_by": "2026-06-01",
    },
    "project": {
        "description": "A press line for ajvar.",
        "location": "Bitola",
        "start": "2026-06-01",
        "end": "2026-12-31",
        "market": "Two retail chains.",
    },
    "funding": {
        "loan": "40000",
        "own_cash": "8000",
        "own_in_kind": "2000",
        "uses": [{"item": "Press line", "amount": "38000"}, {"item": "Glass jars", "amount": "12000"}],
    },
    "history": {
        "years": [
            {
                "year": year,
                "sales": sales,
                "cost_of_sales": "60000",
                "operating_costs": "15000",
                "current_assets": "30000",
                "stock": "12000",
                "current_liabilities": "18000",
                "debt": "5000",
                "equity": "40000",
                "source": "audited",
            }
            for year, sales in ((2023, "90000"), (2024, "98000"), (2025, "110000"))
        ]
    },
    "projection": {
        "opening_cash": "9000",
        "first_month": "2026-06-01",
        "sales": ["120000", "132000", "145200"],
        "cost_of_sales_percent": "65",
        "operating_costs": "18000",
        "operating_growth_percent": "5",
        "depreciation": "6000",
        "tax_percent": "10",
        "capex": "1000",
    },
    "flows": {
        "flows": ["-60000", "16000", "18000", "20000", "20000", "30000"],
        "discount_percent": "14",
        "reinvest_percent": "10",
    },
    "debts": {"none": True},
    "collateral": {
        "items": [{"kind": "real_estate", "description": "Shop", "market_value": "90000", "haircut_percent": "30"}]
    },
    "declaration": {"true_and_complete": True, "credit_bureau": True},
}
ALL_BLOCKS = [*PLAN, "ratios", "cash_flow", "documents"]


def read_pack() -> dict[str, Any]:
    """Return the facts and the loan rules of the programme's pack."""
    parts = ("programme", "finance", "people")
    return {name: yaml.load((PACK / f"{name}.yaml").read_text(), yaml.CSafeLoader) for name in parts}


class World:
    """The app of the loans service over one database, and a browser for each person."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine, self.clock = engine, StandingClock()
        self.app = FastAPI()
        self.app.mount("/loans", create_app(web_settings(home=home), engine=engine, key=KEY, clock=self.clock))
        self.sequence = 0
        self._learn()

    def hear(self, event: Event, entity: str, *, case: str | None = None, programme: str = PROGRAMME) -> None:
        """Let the service handle an event as its consumer would."""
        self.sequence += 1
        envelope = Envelope(
            id=new_id(),
            source=event.source(),
            type=event.TYPE,
            entity=entity,
            sequence=self.sequence,
            time=self.clock(),
            correlation_id=new_id(),
            programme=programme,
            case=case,
            body=Body(data=event.model_dump(mode="json"), actor=Actor(id="service:x", kind="system")),
        )
        with self.uow() as uow:
            handlers.ON[event.TYPE](uow, envelope)

    def uow(self) -> UnitOfWork:
        """Return a unit of work of the service itself."""
        return UnitOfWork(self.engine, "loans", Context(actor=system("loans")), clock=self.clock)

    def _learn(self) -> None:
        pack = read_pack()
        people = pack.pop("people")
        loaded = ProgrammeLoaded(programme_id=PROGRAMME, pack_version=1, sha256=canonical_hash(pack), pack=pack)
        self.hear(loaded, f"programme:{PROGRAMME}")
        names = {item["id"]: item["name"] for item in people["organisations"]}
        for item in people["organisations"]:
            facts = {key: item[key] for key in ("name", "kind", "country")}
            self.hear(OrganisationRegistered(organisation_id=item["id"], **facts), f"organisation:{item['id']}")
        for item in people["people"]:
            self._enter(item, names)
        awarded = ApplicationAwarded(
            reference="BSO-2026-0001",
            title="Labour-force training",
            call="bso-grants-2026",
            organisation_id="chamber-of-crafts",
            organisation_name="Chamber of Crafts",
            programme=PROGRAMME,
            amount=Money.of(40000, "EUR"),
        )
        self.hear(awarded, "application:BSO-2026-0001", case="BSO-2026-0001")

    def _enter(self, item: dict[str, Any], names: dict[str, str]) -> None:
        organisation = item.get("organisation")
        user, facts = str(uuid4()), {key: item[key] for key in ("name", "email", "locale", "roles")}
        event = UserRegistered(user_id=user, organisation=organisation, programmes=[PROGRAMME], **facts)
        self.hear(event, f"user:{user}")
        who = person(
            item["roles"][0],
            user,
            name=item["name"],
            organisation=organisation,
            organisation_name=names.get(organisation or ""),
        )
        setattr(self, item["key"], Browser(self.app, who))

    def events(self, case: str) -> list[str]:
        """Return the types of a case's events in order."""
        with self.engine.connect() as connection:
            query = text('SELECT type FROM outbox WHERE "case" = :case ORDER BY row')
            return list(connection.execute(query, {"case": case}).scalars())


def call(browser: Browser, method: str, path: str, expect: int = 200, **body: Any) -> Any:
    """Call the JSON API of loans and return what it said."""
    answer = browser.json(method, f"/loans/api{path}", body if method in {"POST", "PUT"} else None)
    assert answer.status_code == expect, answer.text
    return answer.json()


def attach(browser: Browser, reference: str, kind: str, *, expires: str = "", content: bytes = PDF) -> None:
    """Upload a document; its content differs by kind so that each has a hash of its own."""
    form = {"kind": kind} | ({"expires": expires} if expires else {})
    answer = browser.post(
        f"/loans/api/proposals/{reference}/documents",
        form,
        files={"file": (f"{kind}.pdf", content + kind.encode(), "application/pdf")},
    )
    assert answer.status_code == 201, answer.text


def drafted(world: World, **changed: dict[str, Any]) -> str:
    """Return the reference of a draft with every section filled in; `changed` replaces whole sections."""
    reference: str = call(world.msme, "POST", "/proposals", 201, supporter="chamber-of-crafts")["reference"]
    for section, data in (PLAN | changed).items():
        call(world.msme, "PUT", f"/proposals/{reference}/sections/{section}", data=data)
    for kind in ("registration", "accounts"):
        attach(world.msme, reference, kind)
    return reference


def submitted(world: World) -> str:
    """Return the reference of a locked proposal."""
    reference = drafted(world)
    call(world.msme, "POST", f"/proposals/{reference}/submission")
    return reference


def refer(world: World, reference: str, to: str, expect: int = 201, **changed: Any) -> Any:
    """Consent and refer to a bank."""
    body = {
        "bank": to,
        "fields": ALL_BLOCKS,
        "purpose": "loan_decision",
        "until": UNTIL,
        "text_version": "1",
        "language": "en",
    }
    return call(world.msme, "POST", f"/proposals/{reference}/referrals", expect, **(body | changed))


OFFER = {
    "amount": "40000",
    "rate_percent": "12",
    "term_months": 36,
    "fee": "800",
    "conditions": "Pledge of the press line.",
    "valid_until": "2026-04-15",
}


def offered(world: World, reference: str, bank: str, browser: Browser, **changed: Any) -> str:
    """Return the reference of a referral in which the bank has made an offer."""
    referral: str = refer(world, reference, bank)["reference"]
    call(browser, "POST", f"/referrals/{referral}/receipt")
    call(browser, "POST", f"/referrals/{referral}/offer", 201, **(OFFER | changed))
    return referral
