"""How fast the log takes in, verifies, proves and searches, by itself."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, text

from services.audit.handlers import append, ingest
from services.audit.handlers.proofs import prove
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from services.audit.storage.facets import overview
from services.audit.storage.search import Filters, look
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.messaging.batch import handle_batch
from shared.messaging.wire import Raw, encode
from shared.testing.stand import Stand
from tests.bench.measure import MismatchError, Say

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
BATCH = 500
Figures = list[tuple[str, str]]


def act(number: int) -> Raw:
    """Return the `number`-th message: one of 40 people acts on one of many cases."""
    person, case = number % 40, f"BSO-2026-{number // 20:06d}"
    envelope = Envelope(
        id=uuid4(),
        source="grants",
        type=f"grants.application.{('saved', 'moved', 'submitted', 'checked')[number % 4]}",
        entity=f"application:{case}",
        sequence=number % 20 + 1,
        position=number + 1,
        time=START + timedelta(seconds=number),
        correlation_id=uuid4(),
        programme="business-ecosystem",
        case=case,
        outcome="refused" if number % 97 == 0 else "success",
        body=Body(
            data={"title": f"Crafts of valley {number}", "stage": "screening", "notify": ["applicant", "officer"]},
            actor=Actor(id=f"user:{person:036d}", name=f"Person Number{person}", role="officer", organisation="office"),
            changes={"stage": ["draft", "screening"], "amount": ["17200.00", "19400.00"]},
            after_hash="ab" * 32,
            parties={"applicant": ["org:chamber"], "officer": [f"user:{person:036d}"]},
        ),
    )
    return encode(envelope)


def fill(engine: Engine, events: int, take: Callable[[list[Raw]], object]) -> float:
    """Ingest that many events in batches; returns events a second, the making of messages left out."""
    spent = 0.0
    for start in range(0, events, BATCH):
        batch = [act(number) for number in range(start, min(start + BATCH, events))]
        begun = time.perf_counter()
        take(batch)
        spent += time.perf_counter() - begun
    return events / spent


def median_ms(call: Callable[[], object], times: int = 30) -> tuple[float, float]:
    """Return the median and the 95th percentile of a call, in milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begun) * 1000)
    return statistics.median(spent), sorted(spent)[int(times * 0.95) - 1]


def log(stand: Stand, events: int, say: Say) -> Figures:
    """Return what was measured on a log of that many events."""
    found: Figures = []

    def note(name: str, figure: str) -> None:
        found.append((name, figure))
        say(f"log, {name}: {figure}")

    def report(name: str, call: Callable[[], object]) -> None:
        median, late = median_ms(call)
        note(name, f"p50 {median:.1f} ms, p95 {late:.1f} ms")

    with tempfile.TemporaryDirectory() as folder:
        keys, engine, direct = Keys(Path(folder), "bench/audit"), stand.database("audit"), stand.database("audit")

        def straight(batch: list[Raw]) -> None:
            with direct.begin() as connection:
                ingest(connection, batch)

        note("ingest alone", f"{fill(direct, min(events, 20_000), straight):,.0f} events/s")
        rate = fill(engine, events, lambda batch: handle_batch(engine, "audit", append, batch))
        note("ingest through the inbox", f"{rate:,.0f} events/s")
        single = iter(range(events, events + 1000))
        report("one event, read to searchable", lambda: handle_batch(engine, "audit", append, [act(next(single))]))
        with stand.superuser(engine).connect() as owner:
            owner.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE event"))
            size = owner.execute(text("SELECT pg_total_relation_size('event') / count(*) FROM event")).scalar_one()
        note("stored with its indexes", f"{size:,} bytes an event")
        begun = time.perf_counter()
        verified = verify(engine, keys)
        note("verify everything", f"{verified.size / (time.perf_counter() - begun):,.0f} events/s")
        if not verified.ok:
            raise MismatchError(f"the log does not verify: {verified.findings[0].sentence()}")
        with engine.begin() as connection:
            query = text("SELECT event_id FROM event WHERE leaf_index = :index")
            event_id = connection.execute(query, {"index": events // 3}).scalar_one()
            report("prove one event", lambda: prove(connection, event_id, keys))
            for name, chosen in filters(events).items():
                report(f"search: {name}", partial(look, connection, chosen, before=None, limit=51))
            report("overview of the newest 2,000", lambda: overview(connection, Filters()))
    return found


def filters(events: int) -> dict[str, Filters]:
    """Return what people look for."""
    middle = (START + timedelta(seconds=events // 2)).replace(microsecond=0)
    return {
        "newest": Filters(),
        "person by name": Filters(person="number7"),
        "case": Filters(case=f"BSO-2026-{events // 40:06d}"),
        "kind": Filters(kind="grants.application.moved"),
        "refused": Filters(outcome="refused"),
        "person and kind that never meet": Filters(person=f"user:{7:036d}", kind="grants.application.saved"),
        "changed from 17,200": Filters(changed="amount", old="17200"),
        "words, rare": Filters(q=f"valley {events // 3}"),
        "words, in every event": Filters(q="crafts valley"),
        "a minute in the middle": Filters(since=middle, until=middle + timedelta(minutes=1)),
    }
