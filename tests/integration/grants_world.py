"""A grants service with the first programme's pack, its people, and a browser or a script for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2 as httpx
import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import OKPKey
from psycopg import Cursor
from sqlalchemy import Engine, text

from services.grants import api, handlers, pages
from services.grants.policy import POLICY
from shared.database import Context, UnitOfWork, system
from shared.entity import canonical_hash
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.events.portal import OrganisationRegistered, ProgrammeLoaded, UserRegistered
from shared.settings import Settings
from shared.testing import loop
from shared.testing.clock import MONDAY, StandingClock
from shared.testing.language import also_opens, language, reader
from shared.web.app import create_service_app
from shared.web.identity import HEADER, Identity, sign
from tests.integration.payable import KEY, payable

ROOT = Path(__file__).parents[2]
PACK = ROOT / "programmes" / "business-ecosystem"
PROGRAMME = "business-ecosystem"
START = MONDAY
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
ANSWERS = {
    "bso_type": "chamber",
    "years_registered": "12",
    "members": "420",
    "experience": "Ten years of courses for small workshops.",
    "service_kind": "new",
    "problem": "Workshops find no trained machine operators.",
    "approach": "A paid six-week course with four member firms.",
    "msmes_served": "60",
    "jobs_expected": "90",
    "duration_months": "12",
}
BUDGET = [
    {
        "line": "experts",
        "note": "Trainers",
        "grant": {"amount": "28000", "currency": "EUR"},
        "own": {"amount": "6000", "currency": "EUR"},
    },
    {
        "line": "events",
        "note": "Courses",
        "grant": {"amount": "12000", "currency": "EUR"},
        "own": {"amount": "2000", "currency": "EUR"},
    },
]


def read_pack() -> dict[str, Any]:
    """Return the pack as `tamga programme load` reads it; each caller gets its own copy."""
    return deepcopy(_pack())


@cache
def _pack() -> dict[str, Any]:
    content: dict[str, Any] = {}
    for path in sorted(PACK.rglob("*.yaml")):
        value = yaml.load(path.read_text(), yaml.CSafeLoader)
        if path.parent == PACK:
            content[path.stem] = value
        else:
            content.setdefault(path.parent.name, {})[path.stem] = value
    return content


class Person:
    """Somebody who is signed in: requests carry a fresh statement of who they are."""

    def __init__(self, world: World, identity: Identity) -> None:
        self.world, self.identity, self.confirmed_at = world, identity, 0
        self.client = TestClient(world.outer, base_url=world.settings.base_url, raise_server_exceptions=False)
        self.cookies = httpx.Cookies()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to /grants…; never follows redirects."""
        headers = self.headers(script=path.startswith("/api")) | options.pop("headers", {})

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.world.outer, raise_app_exceptions=False)
            origin = self.world.settings.base_url
            async with httpx.AsyncClient(transport=transport, base_url=origin, cookies=self.cookies) as client:
                answer = await client.request(method, f"/grants{path}", headers=headers, **options)
                self.cookies = client.cookies
                return answer

        return loop.run(call)

    def headers(self, *, script: bool = False) -> dict[str, str]:
        """Return the headers of a request: scripts come with a key, whose statement has no form token."""
        # They have just given their password, unless the test says when.
        fresh = {"confirmed_at": self.confirmed_at or int(self.world.clock().timestamp())}
        identity = reader(self.identity).model_copy(update=fresh | ({"csrf": ""} if script else {}))
        signed = sign(identity, self.world.key)
        return {HEADER: signed, "accept": "application/json", "accept-language": language()}

    def api(self, method: str, path: str, expect: int | None = None, **body: Any) -> Any:
        """Call the JSON API and return what it said."""
        options = {} if method in {"GET", "DELETE"} else {"json": body}
        answer = self.request(method, f"/api{path}", **options)
        if expect is not None:
            assert answer.status_code == expect, answer.text
        else:
            assert answer.status_code < 400, answer.text
        return answer.json()

    def page(self, path: str, expect: int = 200) -> str:
        """Open a page and return its HTML."""
        answer = self.request("GET", path, headers={"accept": "text/html"})
        assert answer.status_code == expect, answer.text
        if expect == 200 and not self.world.counting:
            also_opens(lambda: self.request("GET", path, headers={"accept": "text/html"}))
        return answer.text

    def post(self, path: str, expect: int = 303, **fields: Any) -> httpx.Response:
        """Send a form of a page."""
        files = fields.pop("files", None)
        data = {"csrf": self.identity.csrf, **fields}
        answer = self.request("POST", path, data=data, files=files, headers={"accept": "text/html"})
        assert answer.status_code == expect, answer.text
        return answer


class World:
    """One database of grants with the pack and the people learned, and the app in front of it."""

    def __init__(self, engine: Engine, home: Path, *, pays: bool = True) -> None:
        self.engine, self.clock, self.key = engine, StandingClock(), OKPKey.generate_key("Ed25519")
        (home / "payee_key").write_text(KEY)
        self.settings = Settings(home=home, base_url="http://127.0.0.1:8400", payee_key_file=home / "payee_key")
        self.app = create_service_app(
            service="grants",
            engine=engine,
            policy=POLICY,
            routers=[api.router, pages.router],
            templates=ROOT / "services" / "grants" / "templates",
            settings=self.settings,
            clock=self.clock,
            key=self.key,
        )
        self.outer = FastAPI()
        self.outer.mount("/grants", self.app)
        self.people: dict[str, Person] = {}
        self.counting = False
        self.learn(PROGRAMME, read_pack())
        if pays:
            payable(engine, self.clock, "chamber-of-crafts", "lead-firm")

    def __getattr__(self, name: str) -> Person:
        return self.people[name]

    def hear(self, event: Any, entity: str, *, case: str | None = None, source: str = "portal") -> None:
        """Let the service handle an event as its consumer would."""
        envelope = Envelope(
            id=uuid4(),
            source=source,
            type=event.TYPE,
            entity=entity,
            sequence=1,
            time=self.clock(),
            correlation_id=UUID(int=1),
            case=case,
            body=Body(data=event.model_dump(mode="json"), actor=Actor(id="service:portal", kind="system")),
        )
        with UnitOfWork(self.engine, "grants", Context(actor=system("grants")), clock=self.clock) as uow:
            handlers.ON[event.TYPE](uow, envelope)

    def learn(self, programme: str, pack: dict[str, Any]) -> None:
        """Let the service hear of a programme, of its organisations and of its people."""
        people = pack.pop("people")
        loaded = ProgrammeLoaded(programme_id=programme, pack_version=1, sha256=canonical_hash(pack), pack=pack)
        self.hear(loaded, f"programme:{programme}")
        names = {}
        for item in people["organisations"]:
            names[item["id"]] = item["name"]
            known = {k: item.get(k) for k in ("name", "kind", "country", "registration_number")}
            event = OrganisationRegistered(organisation_id=item["id"], **known)
            self.hear(event, f"organisation:{item['id']}")
        for item in people["people"]:
            self._enter(item, names, programme)

    def _enter(self, item: dict[str, Any], names: dict[str, str], programme: str) -> None:
        user, organisation = str(uuid4()), item.get("organisation")
        common = {"name": item["name"], "roles": item["roles"], "organisation": organisation}
        event = UserRegistered(
            user_id=user, email=item["email"], locale=item["locale"], programmes=[programme], **common
        )
        self.hear(event, f"user:{user}")
        identity = Identity(
            user=user,
            organisation_name=names.get(organisation or ""),
            programmes=(programme,),
            csrf=f"token-of-{item['key']}",
            **common,
        )
        self.people[item["key"]] = Person(self, identity)

    def events(self, case: str) -> list[str]:
        """Return the types of a case's events in order."""
        with self.engine.connect() as connection:
            query = text('SELECT type FROM outbox WHERE "case" = :case ORDER BY row')
            return list(connection.execute(query, {"case": case}).scalars())


class Case:
    """The story of one application, told act by act through the JSON API."""

    def __init__(self, world: World) -> None:
        self.world, self.reference = world, ""

    @property
    def path(self) -> str:
        """Return the application's path in the API."""
        return f"/applications/{self.reference}"

    def seen(self, person: Person | None = None) -> dict[str, Any]:
        """Return the application as somebody sees it; an officer unless named."""
        return (person or self.world.officer).api("GET", self.path)

    def draft(self) -> Case:
        """Start a draft and fill it."""
        self.reference = self.world.applicant.api("POST", "/applications", call="bso-grants-2026")["reference"]
        self.save()
        for kind in ("registration", "budget_quotes"):
            self.attach(kind)
        return self

    def save(self, **changed: Any) -> dict[str, Any]:
        """Save the whole form."""
        body = {"title": "Labour-force training service", "answers": ANSWERS, "budget": BUDGET} | changed
        body.setdefault("version", self.seen(self.world.applicant)["version"])
        return self.world.applicant.api("PUT", f"{self.path}/answers", **body)

    def attach(self, kind: str, content: bytes = PDF, name: str | None = None) -> dict[str, Any]:
        """Upload a document."""
        files = {"file": (name or f"{kind}.pdf", content, "application/pdf")}
        data = {"kind": kind}
        answer = self.world.applicant.request("POST", f"/api{self.path}/documents", data=data, files=files)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def move(self, person: Person, transition: str, expect: int = 200, **more: Any) -> Any:
        """Make a move as somebody who has just looked at the page."""
        body = {"transition": transition, "version": self.seen(person)["version"]} | more
        return person.api("POST", f"{self.path}/moves", expect=expect, **body)

    def submitted(self) -> Case:
        """Hand the application in."""
        self.draft().move(self.world.applicant, "submit")
        return self

    def checks(self, checklist: str, risk: str | None = None) -> None:
        """Answer a whole checklist well, with the assessment that it has finished before."""
        source = _pack()["checklists"][checklist]
        if "capacity" in source:
            self.assess(source["capacity"]["questions"])
        answers = {item["id"]: "yes" for item in source["items"]}
        version = self.seen()["version"]
        for item, answer in (answers | ({"risk": risk} if risk else {})).items():
            version = self.check(checklist, item, answer, version=version)["version"]

    def assess(self, questions: list[dict[str, Any]]) -> None:
        """Finish the capacity assessment with the best answers, unless there is one."""
        path = f"{self.path}/capacity"
        if self.world.officer.api("GET", path)["result"] is None:
            answers = {item["id"]: {"option": item["options"][0]["id"], "note": "Seen"} for item in questions}
            self.world.officer.api("PUT", path, answers=answers, finish=True)

    def check(self, checklist: str, item: str, answer: str, expect: int = 200, *, version: int = 0) -> Any:
        """Answer one point, as somebody who has just looked at the page unless a version is given."""
        body = {
            "checklist": checklist,
            "item": item,
            "answer": answer,
            "note": "Seen",
            "version": version or self.seen()["version"],
        }
        return self.world.officer.api("POST", f"{self.path}/checks", expect=expect, **body)

    def in_review(self, *reviewers: str) -> Case:
        """Bring the case to review, with reviews asked of these people."""
        self.submitted().checks("eligibility")
        self.move(self.world.officer, "pass-screening")
        self.checks("due-diligence", "low")
        if reviewers:
            self.ask(*reviewers)
        self.move(self.world.officer, "start-review")
        return self

    def ask(self, *reviewers: str) -> list[dict[str, Any]]:
        """Ask for reviews."""
        ids = [self.world.people[name].identity.user for name in reviewers]
        made = self.world.officer.api("POST", f"{self.path}/reviews", reviewers=ids, version=self.seen()["version"])
        return list(made)

    def review_of(self, reviewer: str) -> dict[str, Any]:
        """Return a reviewer's own review of this case."""
        items = self.world.people[reviewer].api("GET", "/reviews")["items"]
        return next(item for item in items if item["reference"] == self.reference)

    def declare(self, reviewer: str, *, conflict: bool = False, nature: str = "") -> Any:
        """Declare for a reviewer."""
        review = self.review_of(reviewer)
        body = {"conflict": conflict, "nature": nature, "version": review["version"]}
        return self.world.people[reviewer].api("POST", f"/reviews/{review['id']}/declaration", **body)

    def score(self, reviewer: str, points: int = 4, expect: int = 200, **more: Any) -> Any:
        """Score every criterion alike and hand the review in."""
        review = self.review_of(reviewer)
        criteria = [item["id"] for item in _pack()["scoring"]["bso-grant"]["criteria"]]
        body = {
            "scores": {name: {"points": points, "comment": "Because."} for name in criteria},
            "summary": "Good.",
            "recommendation": "fund",
            "submit": True,
            "version": review["version"],
        } | more
        return self.world.people[reviewer].api("PUT", f"/reviews/{review['id']}", expect=expect, **body)

    def approved(self) -> Case:
        """Bring the case through review and panel to approval."""
        self.in_review("reviewer_one", "reviewer_two")
        for reviewer, points in (("reviewer_one", 4), ("reviewer_two", 3)):
            self.declare(reviewer)
            self.score(reviewer, points)
        self.move(self.world.officer, "finish-review")
        self.move(self.world.officer, "recommend", comment="Strong design")
        self.move(self.world.manager, "approve")
        return self

    def award(self) -> dict[str, Any]:
        """Return the award as an officer sees it."""
        return dict(self.world.officer.api("GET", f"{self.path}/award"))

    def offer(self, expect: int = 201, amounts: tuple[str, ...] = ("16000", "16000", "8000")) -> Any:
        """Draw up the agreement."""
        plan = [
            {"title": f"Milestone {n}", "due": "2026-09-01", "amount": {"amount": amount, "currency": "EUR"}}
            for n, amount in enumerate(amounts, 1)
        ]
        body = {"milestones": plan, "conditions": "Report by quarter", "version": self.seen()["version"]}
        return self.world.officer.api("POST", f"{self.path}/award", expect=expect, **body)

    def concluded(self) -> Case:
        """Bring the case to a concluded agreement."""
        self.approved().offer()
        for person in (self.world.manager, self.world.applicant):
            person.api("POST", f"{self.path}/award/acceptance", agreement_version=1)
        return self

    def act(self, person: Person, what: str, expect: int = 200, **body: Any) -> Any:
        """Do something to the award as somebody who has just looked at it."""
        body.setdefault("version", self.award()["version"])
        return person.api("POST", f"{self.path}/award/{what}", expect=expect, **body)


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """Collect the statements that run inside, whether SQLAlchemy sends them or we do by the driver."""
    seen: list[str] = []
    execute = Cursor.execute

    def note(self: Any, query: Any, *rest: Any, **more: Any) -> Any:
        seen.append(query.decode() if isinstance(query, bytes) else query)
        return execute(self, query, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cursor, "execute", note)
        world.counting = True
        yield seen
        world.counting = False
