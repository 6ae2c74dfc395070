"""Scripts of real events for whole services: people, an organisation, a programme, and a case as its workflow allows.

A script is drawn by its number. The events of one story line come in their order; lines run side by side.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from grants_world import PROGRAMME, read_pack

from shared.events import Actor, Envelope, Event
from shared.events.envelope import Body
from shared.events.grants.application import (
    ApplicationAwarded,
    ApplicationMoved,
    ApplicationStarted,
    ApplicationSubmitted,
    InformationRequested,
    OfficerAssigned,
)
from shared.events.grants.review import ReviewAssigned
from shared.events.notifications import DeliveryFailed, DeliveryQueued, DeliveryRead, DeliverySent, DeliverySuppressed
from shared.events.portal import OrganisationRegistered, ProgrammeLoaded, UserChanged, UserDeactivated, UserRegistered
from shared.money import Money
from shared.testing.simulated_services import Script

# A few of the programme's rules, each of another kind of addressee: one learns all of them in a third of a second.
_RULES = ("submitted-receipt", "submitted-staff", "information-requested", "in-progress", "review-assigned")
_TO_THE_AWARD = (
    "pass-screening", "start-review", "finish-review", "recommend", "approve", "offer-agreement", "conclude-agreement",
)  # fmt: skip
_SPACE = UUID("5f1e6a52-4c1b-4a57-9c0b-6a2f0a1b7d20")
_START = datetime(2026, 1, 5, 9, 0, 0, 250_000, tzinfo=UTC)  # no moment of any simulated clock
_TITLE = "Labour-force training"
_FACT = {"call": "bso-grants-2026", "title": _TITLE, "organisation_name": "Chamber of Crafts"}
_PARTIES = {"applicant": ["org:chamber-of-crafts"], "officer": ["role:officer"], "manager": ["role:programme_manager"]}
_PEOPLE: dict[str, dict[str, Any]] = {
    "officer": {"roles": ["officer"], "organisation": "programme-office", "locale": "en"},
    "applicant": {"roles": ["applicant"], "organisation": "chamber-of-crafts", "locale": "ru"},
    "reviewer": {"roles": ["reviewer"], "locale": "kk"},
}
Line = list[tuple[str, Event, dict[str, Any]]]


def script(service: str, number: int) -> Script:
    """Return the script of that number for a service; what it does not consume is left out."""
    chance = random.Random(number)  # noqa: S311 - to be repeated, not to be secret
    lines = [_person(chance, key) for key in _PEOPLE] + [_organisation()]
    if service == "notifications":
        lines += [_application(chance, awarded=False), _review(chance)]
    elif service == "loans":
        lines += [
            _application(chance, awarded=chance.random() < 0.3),
            *_letters(chance, "loans.referral.offered", "PRO-2026-0001"),
        ]
    else:
        lines += _letters(chance, "grants.application.moved", "BSO-2026-0001")
    # The programme comes early in most stories, and is loaded again in some.
    programme = _programme(chance, service)
    first = 1 if chance.random() < 0.8 else 0
    told = programme[:first] + _side_by_side(chance, [*lines, programme[first:]])
    return Script(f"script {number} of {service}", tuple(_numbered(number, told)))


def _side_by_side(chance: random.Random, lines: list[Line]) -> Line:
    """Return all lines as one, each in its own order."""
    left = [list(line) for line in lines if line]
    told: Line = []
    while left:
        line = chance.choice(left)
        told.append(line.pop(0))
        left = [other for other in left if other]
    return told


def _numbered(number: int, told: Line) -> list[Envelope]:
    heads: dict[str, int] = {}
    events: list[Envelope] = []
    for index, (entity, event, more) in enumerate(told):
        key = f"{event.source()}/{entity}"
        heads[key] = heads.get(key, 0) + 1
        actor = more.get("actor") or Actor(id=f"service:{event.source()}", kind="system")
        body = Body(data=event.model_dump(mode="json"), actor=actor, parties=more.get("parties", {}))
        events.append(
            Envelope(
                id=uuid5(_SPACE, f"{number}/{index}"),
                source=event.source(),
                type=event.TYPE,
                entity=entity,
                sequence=heads[key],
                time=_START + timedelta(minutes=index),
                correlation_id=uuid5(_SPACE, f"{number}/{index}/because"),
                programme=more.get("programme", PROGRAMME),
                case=more.get("case"),
                body=body,
            )
        )
    return events


def _person(chance: random.Random, key: str) -> Line:
    facts = {"name": key.title(), "email": f"{key}@example.org", "programmes": [PROGRAMME]} | _PEOPLE[key]
    facts |= {"user_id": str(uuid5(_SPACE, key))}
    entity = f"user:{facts['user_id']}"
    line: Line = [(entity, UserRegistered(**facts), {})]
    if chance.random() < 0.5:
        line.append((entity, UserChanged(**facts | {"locale": "en", "name": f"{key.title()} Nova"}), {}))
    if chance.random() < 0.2:
        line.append((entity, UserDeactivated(user_id=facts["user_id"], reason="left"), {}))
    return line


def _organisation() -> Line:
    known = OrganisationRegistered(organisation_id="chamber-of-crafts", name="Chamber of Crafts", kind="bso")
    return [("organisation:chamber-of-crafts", known, {})]


def _programme(chance: random.Random, service: str) -> Line:
    line: Line = []
    for version in range(1, 2 + (chance.random() < 0.3)):
        pack = _small_pack(service)
        if version > 1 and service == "notifications":
            rules = dict(pack["notifications"])
            # Fewer rules, or a pack that is refused while the one before stays in force.
            rules["rules"] = rules["rules"][1:] if chance.random() < 0.5 else [{"id": "nonsense"}]
            pack = pack | {"notifications": rules}
        loaded = ProgrammeLoaded(
            programme_id=PROGRAMME, pack_version=version, sha256=f"{chance.getrandbits(256):064x}", pack=pack
        )
        line.append((f"programme:{PROGRAMME}", loaded, {}))
    return line


@cache
def _small_pack(service: str) -> dict[str, Any]:
    """Return what a service reads of the first programme's pack, with a few letters of its many."""
    pack = read_pack()
    if service != "notifications":
        parts = {"loans": ("finance",), "grants": ("calls", "workflows", "scoring", "checklists", "cofinancing")}
        return {name: pack[name] for name in ("programme", *parts[service])}
    rules = dict(pack["notifications"])
    rules["rules"] = [rule for rule in rules["rules"] if rule["id"] in _RULES]
    wanted = {rule["letter"] for rule in rules["rules"]}
    letters = {name: text for file in pack["letters"].values() for name, text in file.items() if name in wanted}
    return {"programme": {"name": pack["programme"]["name"]}, "notifications": rules, "letters": {"few": letters}}


def _application(chance: random.Random, *, awarded: bool) -> Line:
    """Return a case from its draft as far as chance will have it, or to its award, by the workflow's own moves."""
    reference = "BSO-2026-0001"
    fact = _FACT | {"reference": reference, "organisation_id": "chamber-of-crafts"}
    by_applicant = {"case": reference, "parties": _PARTIES, "actor": _acting("applicant")}
    by_staff = by_applicant | {"actor": _acting("officer")}
    begun = ApplicationStarted(**fact, call_title="Call", workflow="bso-grant", workflow_version=1, pack_version=1)
    line: list[tuple[Event, dict[str, Any]]] = [
        (begun, by_applicant),
        (ApplicationSubmitted(**fact, **_stage("submit", "draft", "screening")), by_applicant),
        (OfficerAssigned(**fact, officer_id=_acting("officer").id[5:], officer_name="Officer"), by_staff),
    ]
    for move in _way(chance, awarded=awarded):
        asks = move[0] == "request-information"
        kind = InformationRequested if asks else ApplicationMoved
        line.append((kind(**fact, **_stage(*move), reason="Which year?" if asks else None), by_staff))
    if awarded:
        line.append((ApplicationAwarded(**fact, programme=PROGRAMME, amount=Money.of("48200.00", "EUR")), by_staff))
    return [(f"application:{reference}", event, more) for event, more in line]


def _way(chance: random.Random, *, awarded: bool) -> list[tuple[str, str, str]]:
    """Return moves (transition, from, to) that follow upon the submission: to the award, or a few of any kind."""
    moves = {move["id"]: move for move in read_pack()["workflows"]["bso-grant"]["transitions"]}
    way, stage = list[tuple[str, str, str]](), "screening"
    for step in _TO_THE_AWARD if awarded else range(chance.randint(0, 4)):
        legal = [name for name, move in moves.items() if stage in move["from"]]
        if not legal:
            break
        name = step if isinstance(step, str) else chance.choice(legal)
        if name not in legal:
            raise ValueError(f"{name} is no move from {stage}")
        way.append((name, stage, moves[name]["to"]))
        stage = moves[name]["to"]
    return way


def _stage(transition: str, before: str, after: str) -> dict[str, Any]:
    return {
        "transition": transition,
        "from_stage": before,
        "to_stage": after,
        "stage_name": {"en": after.title(), "ru": "Проверка"},
        "public_name": {"en": "Under review", "ru": "На рассмотрении"},
        "holder": "officer",
        "due": date(2026, 11, 27),
        "paused": False,
        "amount": Money.of("48200.00", "EUR"),
    }


def _review(chance: random.Random) -> Line:
    """Return the asking for a review, which names a person who may become known later."""
    if chance.random() < 0.3:
        return []
    who = str(uuid5(_SPACE, "reviewer"))
    asked = ReviewAssigned(
        review_id="r-1",
        reference="BSO-2026-0001",
        title=_TITLE,
        organisation_name="Chamber of Crafts",
        reviewer_id=who,
        reviewer_name="Reviewer",
        due=date(2026, 11, 27),
    )
    more = {"case": "BSO-2026-0001", "parties": {"reviewer": [f"user:{who}"]}, "actor": _acting("officer")}
    return [("review:r-1", asked, more)]


def _acting(key: str) -> Actor:
    who = _PEOPLE[key]
    return Actor(
        id=f"user:{uuid5(_SPACE, key)}", name=key.title(), role=who["roles"][0], organisation=who.get("organisation")
    )


def _letters(chance: random.Random, about: str, case: str) -> list[Line]:
    """Return the life of one to three letters: queued and sent, failed or suppressed, and perhaps read."""
    return [_letter(chance, about, case, number) for number in range(chance.randint(1, 3))]


def _letter(chance: random.Random, about: str, case: str, number: int) -> Line:
    fact = {
        "event_id": str(uuid5(_SPACE, f"act {number}")),
        "event_type": about,
        "rule": "any",
        "recipient": str(uuid5(_SPACE, "applicant")),
        "recipient_name": "Applicant",
        "category": "official",
        "template": "any",
        "template_version": "1",
        "locale": "en",
        "title": f"Letter {number}",
    }
    entity = f"delivery:{uuid5(_SPACE, f'letter {number}')}"
    email = {**fact, "channel": "email"}
    inbox = [DeliverySent(**fact, channel="inbox", state="delivered")]
    read = [DeliveryRead(**fact, channel="inbox", state="read")]
    queued = DeliveryQueued(**email, state="queued")
    failed = DeliveryFailed(
        **email, state="temporary_failure", attempt=1, code=451, problem="not now", next_attempt_at=None
    )
    lives: list[list[Event]] = [
        [queued, DeliverySent(**email, state="accepted", attempt=1)],
        [queued, failed, DeliverySent(**email, state="accepted", attempt=2)],
        [DeliverySuppressed(**email, state="suppressed", because="muted")],
        [*inbox, *read],
    ]
    return [(entity, event, {"case": case}) for event in chance.choice(lives)]
