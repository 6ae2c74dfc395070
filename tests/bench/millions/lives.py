"""Ten million events as a house would have them: lives of cases, told by the services in turns.

Every event follows from its number alone, so that processes can write stretches of the log beside each other and the
whole is one log: leaf indexes, positions of sources and sequences of entities are without a hole.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from shared.events import Actor, Envelope
from shared.events.envelope import Body

BEGIN = datetime(2023, 1, 2, tzinfo=UTC)
A_DAY = 9_000  # events
MORNING, EVENING = 0.08, 0.9  # shares of a day's events before eight and before six
PEOPLE, OFFICE, ORGANISATIONS = 6_000, 60, 2_500
PROGRAMMES = ("business-ecosystem", "bai-alai", "southern-corridor", "textiles-clothing")
BLOCK = 8_192
WORDS = (
    "training of machine operators for small workshops", "cold storage for apricots and walnuts of the valley",
    "advice on export rules and labels", "felt and silk for the spring fair", "a dairy line with a new pasteuriser",
    "drip irrigation on forty hectares", "solar drying of fruit", "design of knitwear collections",
    "certification of quality by a laboratory", "a shared sewing hall", "market study of neighbouring regions",
    "repair of greenhouses before winter",
)  # fmt: skip
PLACES = ("Osh", "Batken", "Jalal-Abad", "Naryn", "Talas", "Kerben", "Uzgen", "Tokmok", "Balykchy", "Karakol")


class Step(NamedTuple):
    """What happens at one moment of a case's life."""

    type: str
    who: str  # applicant, officer, manager, bank, system
    entity: str
    changed: str = ""  # state, amount, date, nothing


def _steps(text: str) -> list[Step]:
    return [Step(*line.split()) for line in text.strip().splitlines()]


GRANT = _steps("""
grants.application.started applicant application state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
grants.application.saved applicant application amount
grants.application.saved applicant application title
grants.application.document_added applicant application
grants.application.saved applicant application amount
grants.application.submitted applicant application state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
grants.application.assigned officer application officer
grants.application.checked officer application
grants.application.checked officer application
grants.application.information_requested officer application state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
notifications.delivery.read system delivery
grants.application.saved applicant application amount
grants.application.moved officer application state
grants.review.assigned officer review
grants.review.declared officer review
grants.review.saved officer review score
grants.review.submitted officer review score
grants.application.recommended officer application
grants.application.moved manager application state
grants.application.approval_given manager application
grants.award.offered manager award amount
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
grants.award.accepted applicant award state
grants.award.tranche_requested applicant award amount
grants.award.tranche_released manager award state
""")
LOAN = _steps("""
portal.session.opened applicant session
loans.proposal.started applicant proposal state
loans.proposal.saved applicant proposal amount
loans.proposal.saved applicant proposal turnover
loans.proposal.document_added applicant proposal
loans.proposal.saved applicant proposal amount
loans.proposal.submitted applicant proposal state
loans.permission.given applicant permission
loans.referral.consented applicant referral
loans.referral.submitted officer referral state
notifications.webhook.queued system webhook
notifications.webhook.delivered system webhook
loans.referral.received bank referral state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
loans.referral.information_requested bank referral state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
loans.referral.information_supplied applicant referral state
loans.referral.analysis_started bank referral state
loans.referral.offered bank referral amount
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
notifications.delivery.read system delivery
loans.referral.accepted applicant referral state
loans.loan.agreed bank loan amount
loans.loan.disbursement_reported bank loan amount
loans.loan.disbursement_confirmed applicant loan state
loans.tape.checked bank tape
loans.tape.applied bank tape
loans.loan.overdue system loan state
loans.loan.caught_up system loan state
""")
REPORTING = _steps("""
grants.report.scheduled system report date
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
portal.session.opened applicant session
grants.report.saved applicant report
grants.report.costs_entered applicant report amount
grants.report.document_added applicant report
grants.report.costs_entered applicant report amount
grants.report.document_added applicant report
grants.report.submitted applicant report state
notifications.delivery.queued system delivery
notifications.delivery.sent system delivery
portal.session.opened officer session
grants.report.cost_decided officer report amount
grants.report.cost_decided officer report amount
grants.report.cost_decided officer report amount
grants.report.returned officer report state
notifications.delivery.queued system delivery
notifications.delivery.failed system delivery
notifications.delivery.sent system delivery
grants.report.costs_entered applicant report amount
grants.report.submitted applicant report state
grants.report.cost_decided officer report amount
grants.report.accepted officer report state
grants.award.costs_accepted officer award amount
grants.award.tranche_certified officer award
grants.award.tranche_released manager award state
grants.bank_file.made officer bank_file
grants.bank_file.downloaded officer bank_file
grants.bank_file.confirmed manager bank_file
grants.award.payment_confirmed manager award amount
notifications.delivery.sent system delivery
""")
LIVES = (GRANT, LOAN, REPORTING, GRANT)
RARE = ("grants.appeal.lodged", "loans.loan.written_off", "grants.award.payment_reversed", "portal.user.deactivated")
STATES = ("draft", "submitted", "screening", "review", "shortlist", "approved", "active", "closed")


@dataclass(frozen=True)
class Block:
    """A stretch of cases that live at the same time: so many of them, so many acts each."""

    number: int
    life: list[Step]
    cases: int
    first_case: int
    positions: dict[str, int]  # of each source, before the block


def _shape(number: int) -> tuple[list[Step], int]:
    """Return the life that a block's cases have, and how many there are: few that are long among many short ones."""
    life = LIVES[number % len(LIVES)]
    return (life * 32, BLOCK // 1024) if number % 50 == 49 else (life, BLOCK // len(life))


@cache
def _starts(blocks: int) -> list[tuple[int, dict[str, int]]]:
    """Return for each block how many cases and how many events of each source were before it."""
    cases, positions, found = 0, Counter[str](), []
    for number in range(blocks + 1):
        found.append((cases, dict(positions)))
        life, wide = _shape(number)
        for step in life:
            positions[step.type.partition(".")[0]] += wide
        cases += wide
    return found


def blocks_of(events: int) -> int:
    """Return how many blocks that many events begin."""
    return -(-events // BLOCK)


def block(number: int, blocks: int) -> Block:
    """Return one of so many blocks."""
    first_case, positions = _starts(blocks)[number]
    life, wide = _shape(number)
    return Block(number, life, wide, first_case, positions)


def positions_after(blocks: int) -> dict[str, int]:
    """Return the last position of each source."""
    return _starts(blocks)[blocks][1]


def chance(*what: object) -> float:
    """Return a number below 1 that follows from `what`."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=6).digest()) / 2**48


def moment(number: float) -> datetime:
    """Return when the event of that number happened: most of a day's are in working hours."""
    day, share = divmod(number, A_DAY)
    share /= A_DAY
    edges, hours = (0.0, MORNING, EVENING, 1.0), (0.0, 8.0, 18.0, 24.0)
    at = min(bisect_right(edges, share) - 1, 2)
    hour = hours[at] + (share - edges[at]) / (edges[at + 1] - edges[at]) * (hours[at + 1] - hours[at])
    return BEGIN + timedelta(days=day, hours=hour)


@cache
def organisation(case: int) -> str:
    """Return whose case it is: a few organisations have many."""
    return f"org-{int(ORGANISATIONS * chance('org', case) ** 3):05d}"


@cache
def person(number: int) -> tuple[str, str]:
    """Return the id and the name of a person."""
    first = ("Aida", "Bakyt", "Cholpon", "Daniyar", "Elmira", "Farkhad", "Gulnara", "Ilyas", "Jyldyz", "Kanat")
    last = ("Asanov", "Bekova", "Choroev", "Dzhumabaeva", "Ergeshov", "Ganieva", "Ibraimov", "Kasymova", "Mamytov")
    return f"user:{_uuid(f'person {number}')}", f"{first[number % 10]} {last[number % 9]} {number}"


def actor(step: Step, case: int, at: int) -> Actor:
    """Return who does a step of a case."""
    if step.who == "system":
        return Actor(id=f"system:{step.type.partition('.')[0]}", kind="system", name=step.type.partition(".")[0])
    if step.who == "applicant":
        number, role, whose = OFFICE + int(PEOPLE * chance("person", case) ** 2), "applicant", organisation(case)
    elif step.who == "bank":
        number, role, whose = 40 + int(16 * chance("bank", case) ** 2), "partner", f"bank-{case % 9}"
    else:
        number, role, whose = int(40 * chance("officer", case, step.who) ** 2), step.who, "office"
    id_, name = person(number)
    session = hashlib.blake2b(f"{number} {at // A_DAY}".encode(), digest_size=16).hexdigest()
    return Actor(id=id_, name=name, role=role, organisation=whose, session=session)


def amount(case: int, at: int) -> str:
    """Return an amount: round ones are frequent."""
    share = chance("amount", case, at)
    return f"{int(share**3 * 180) * 500 + 1500}.00" if case % 3 else f"{1500 + share**3 * 90000:.2f}"


def changes(step: Step, case: int, at: int) -> dict[str, list[Any]]:
    """Return what a step changes."""
    if not step.changed:
        return {}
    if step.changed in ("amount", "turnover"):
        old, new = ({"amount": amount(case, at + n), "currency": "KGS"} for n in (0, 1))
        return {step.changed: [old, new]}
    if step.changed == "state":
        return {"state": [STATES[at % 7], STATES[at % 7 + 1]], "updated": [None, f"{moment(at):%Y-%m-%d}"]}
    if step.changed == "score":
        return {"score": [None, int(100 * chance("score", case, at))]}
    return {step.changed: [None, WORDS[(case + at) % len(WORDS)]]}


def reference_of(own: Block, within: int) -> str:
    """Return under which reference people find a case of a block."""
    return f"BSO-{2023 + own.number * BLOCK // (A_DAY * 365)}-{own.first_case + within:06d}"


def envelope(own: Block, at: int, within: int) -> Envelope:
    """Return the event of the `within`-th case of a block at the `at`-th step of its life."""
    step, case = own.life[at], own.first_case + within
    number = own.number * BLOCK + at * own.cases + within
    source = step.type.partition(".")[0]
    before = _before(own.number % len(LIVES), len(own.life))
    reference = reference_of(own, within)
    kind = step.type
    if chance("rare", number) < 0.0002 and source == "grants":
        kind = RARE[number % 3 if number % 3 != 1 else 0]
    mark = f"{number:016x}"
    return Envelope(
        id=_id(number, mark),
        source=source,
        type=kind,
        entity=f"{step.entity}:{reference}",
        sequence=before[at][1] + 1,
        position=own.positions.get(source, 0) + before[at][0] * own.cases + within + 1,
        time=moment(number),
        correlation_id=_uuid(f"c{own.number} {within} {at // 3}"),
        programme=PROGRAMMES[min(int(4 * chance("programme", organisation(case)) ** 1.7), 3)],
        case=reference,
        outcome="refused" if chance("out", number) < 0.012 else "success",
        body=Body(
            data=_data(step, case, at, reference),
            actor=actor(step, case, number),
            changes=changes(step, case, at),
            after_hash=hashlib.sha256(mark.encode()).hexdigest(),
            parties={"applicant": [f"org:{organisation(case)}"], "officer": [person(case % 40)[0]]},
        ),
    )


def _data(step: Step, case: int, at: int, reference: str) -> dict[str, Any]:
    place, words = PLACES[int(10 * chance("place", case) ** 2)], WORDS[int(12 * chance("words", case) ** 2)]
    if step.entity == "delivery":
        return {
            "delivery_id": f"{case:08d}-{at:04d}",
            "rule": "state-changed",
            "channel": "email",
            "reference": reference,
        }
    if step.entity in ("session", "tape", "webhook"):
        return {"reference": reference, "via": "password" if case % 2 else "key", "rows": case % 400}
    return {"reference": reference, "title": f"{words.capitalize()}, {place} lot {case}", "stage": STATES[at % 8]}


def _uuid(what: str) -> UUID:
    return UUID(bytes=hashlib.blake2b(what.encode(), digest_size=16).digest(), version=4)


def _id(number: int, mark: str) -> UUID:
    """Return a UUIDv7: its beginning is the time, so that newer ids stand together."""
    rest = hashlib.blake2b(mark.encode(), digest_size=10).digest()
    stamp = int(moment(number).timestamp() * 1000).to_bytes(6)
    return UUID(bytes=stamp + bytes([rest[0] & 15 | 0x70, rest[1], rest[2] & 63 | 0x80]) + rest[3:])


@cache
def _before(which: int, steps: int) -> list[tuple[int, int]]:
    """Return for each step how many steps of its source, and of its entity, came before it in a life."""
    life, sources, entities, found = LIVES[which], Counter[str](), Counter[str](), []
    for step in (life * 32)[:steps]:
        source = step.type.partition(".")[0]
        found.append((sources[source], entities[source + step.entity]))
        sources[source] += 1
        entities[source + step.entity] += 1
    return found


def events(first: int, end: int, blocks: int) -> Iterator[Envelope]:
    """Yield the events of blocks [first, end) of so many, in the order of their leaves."""
    for number in range(first, end):
        own = block(number, blocks)
        for at in range(len(own.life)):
            for within in range(own.cases):
                yield envelope(own, at, within)
