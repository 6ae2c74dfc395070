"""What an auditor asks of ten million events: many values of each kind, frequent, rare and such as never were."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from services.audit.handlers.proofs import prove
from services.audit.keys import Keys
from services.audit.storage.facets import overview
from services.audit.storage.search import Filters, look, timeline
from tests.bench.millions import lives

EACH = 30  # values of a kind
PAGE = 51  # a page's entries, and one that tells whether there are more


@dataclass(frozen=True)
class Asked:
    """How long one kind of question took, in milliseconds, and how many of its first pages were whole."""

    group: str
    name: str
    median: float
    late: float
    worst: float
    whole: int
    times: int


class Values:
    """Values to search for, drawn from one seed: the same questions in each run."""

    def __init__(self, events: int) -> None:
        self.draw, self.events = random.Random(20260105), events  # noqa: S311 - nobody's secret
        self.blocks = lives.blocks_of(events)

    def case(self) -> str:
        """Return a case's reference."""
        own = lives.block(self.draw.randrange(self.blocks), self.blocks)
        return lives.reference_of(own, self.draw.randrange(own.cases))

    def number(self) -> int:
        """Return a case's number."""
        return int(self.case()[-6:])

    def person(self) -> str:
        """Return somebody's id: as often one of the office as one of the applicants."""
        applicant = lives.OFFICE + int(lives.PEOPLE * self.draw.random() ** 2)
        return lives.person(self.draw.choice([self.draw.randrange(40), applicant]))[0]

    def house(self) -> str:
        """Return an organisation: an applicant's, the office or a bank."""
        return self.draw.choice([lives.organisation(self.number()), "office", f"bank-{self.draw.randrange(9)}"])

    def kind(self) -> str:
        """Return a kind of act, a rare one now and then."""
        return self.draw.choice([step.type for life in lives.LIVES for step in life] + list(lives.RARE) * 3)

    def span(self, days: int) -> dict[str, Any]:
        """Return so many days anywhere in the log."""
        since = lives.moment(self.draw.randrange(self.events)).replace(microsecond=0)
        return {"since": since, "until": since + timedelta(days=days)}

    def word(self) -> str:
        """Return a word that many cases have."""
        return self.draw.choice(lives.WORDS).split()[0]

    def place(self) -> str:
        """Return a town."""
        return self.draw.choice(lives.PLACES)

    def money(self) -> str:
        """Return an amount as cases have them."""
        return lives.amount(self.number(), self.draw.randrange(self.events))

    def one(self, *values: str) -> str:
        """Return one of these."""
        return self.draw.choice(values)


Kinds = dict[str, Callable[[Values], Filters]]
SERVICES = ("grants", "loans", "notifications", "portal")
ONE: Kinds = {
    "person": lambda v: Filters(person=v.person()),
    "person by name": lambda v: Filters(person=lives.person(v.draw.randrange(3000))[1]),
    "role": lambda v: Filters(role=v.one("applicant", "officer", "manager", "partner", "auditor")),
    "organisation": lambda v: Filters(organisation=v.house()),
    "kind of act": lambda v: Filters(kind=v.kind()),
    "kinds that begin with": lambda v: Filters(kind=v.kind().rpartition(".")[0] + "."),
    "entity": lambda v: Filters(entity=f"application:{v.case()}"),
    "kind of entity": lambda v: Filters(entity=v.one("award", "referral", "report", "tape", "bank_file")),
    "case": lambda v: Filters(case=v.case()),
    "programme": lambda v: Filters(programme=v.one(*lives.PROGRAMMES)),
    "service": lambda v: Filters(service=v.one(*SERVICES)),
    "outcome": lambda v: Filters(outcome=v.one("refused", "success")),
    "a day": lambda v: Filters(**v.span(1)),
    "a quarter": lambda v: Filters(**v.span(91)),
}
TWO: Kinds = {
    "person and kind": lambda v: Filters(person=v.person(), kind=v.kind()),
    "organisation and kind": lambda v: Filters(organisation=v.house(), kind=v.kind()),
    "role and organisation": lambda v: Filters(role="applicant", organisation=v.house()),
    "programme and kind": lambda v: Filters(programme=v.one(*lives.PROGRAMMES), kind=v.kind()),
    "programme and service": lambda v: Filters(programme=v.one(*lives.PROGRAMMES), service=v.one(*SERVICES)),
    "refused, kind": lambda v: Filters(outcome="refused", kind=v.kind()),
    "person, a month": lambda v: Filters(person=v.person(), **v.span(30)),
    "kind, a month": lambda v: Filters(kind=v.kind(), **v.span(30)),
    "organisation, a year": lambda v: Filters(organisation=v.house(), **v.span(365)),
}
WORDS: Kinds = {
    "words, of one case": lambda v: Filters(q=f"lot {v.number()}"),
    "words, frequent": lambda v: Filters(q=v.word()),
    "words, two": lambda v: Filters(q=f"{v.word()} {v.place()}"),
    "words, never there": lambda v: Filters(q=f"nowhere{v.draw.randrange(1000)}"),
    "words and person": lambda v: Filters(q=v.word(), person=v.person()),
    "words, a month": lambda v: Filters(q=v.word(), **v.span(30)),
}
CHANGES: Kinds = {
    "changed field": lambda v: Filters(changed=v.one("amount", "score", "state", "turnover", "officer")),
    "changed from": lambda v: Filters(changed="amount", old=v.money()),
    "changed to": lambda v: Filters(changed="amount", new=v.money()),
    "changed from and to": lambda v: Filters(changed="state", old=v.one("draft", "review"), new="submitted"),
    "changed from, never there": lambda v: Filters(changed="amount", old=str(v.draw.randrange(10**7, 10**8))),
    "changed and person": lambda v: Filters(changed="amount", person=v.person()),
    "changed from, kind": lambda v: Filters(changed="amount", old=v.money(), kind="grants.award.offered"),
}
GROUPS = {"one facet": ONE, "two facets": TWO, "full text": WORDS, "changes": CHANGES}


def searches(connection: Connection, events: int) -> Iterator[tuple[Asked, Asked]]:
    """Yield, for each kind of search, what its first page took, and what its counts and bars took."""
    values = Values(events)
    for group, name, make in ((group, name, make) for group, kinds in GROUPS.items() for name, make in kinds.items()):
        filters = [make(values) for _ in range(EACH)]
        pages = [_timed(partial(look, connection, given, before=None, limit=PAGE)) for given in filters]
        whole = sum(found.reached is None for _, found in pages)
        counts = [_timed(partial(overview, connection, given)) for given in filters]
        counted = sum(not found.more for _, found in counts)
        page = _asked(group, name, [took for took, _ in pages], whole)
        yield page, _asked(group, name, [took for took, _ in counts], counted)


def lookups(connection: Connection, events: int, keys: Keys) -> Iterator[Asked]:
    """Yield what the timeline of a case, and the proof of an event, took."""
    draw = random.Random(20260106)  # noqa: S311 - nobody's secret
    query = text('SELECT event_id, "case" FROM event WHERE leaf_index = :index')
    rows = [connection.execute(query, {"index": draw.randrange(events)}).one() for _ in range(EACH * 3)]
    spent = [_timed(partial(timeline, connection, row.case, before=None, limit=50)) for row in rows]
    yield _asked("lookups", "timeline of a case", [took for took, _ in spent], len(spent))
    spent = [_timed(partial(prove, connection, row.event_id, keys)) for row in rows]
    yield _asked("lookups", "inclusion proof", [took for took, _ in spent], len(spent))


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call()
    return (time.perf_counter() - begun) * 1000, found


def _asked(group: str, name: str, spent: list[float], whole: int) -> Asked:
    ranked = sorted(spent)
    late = ranked[min(len(ranked) - 1, int(len(ranked) * 0.95))]
    return Asked(group, name, statistics.median(ranked), late, ranked[-1], whole, len(ranked))
