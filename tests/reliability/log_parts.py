"""What the scenarios of the log share: events in plenty, the log as it is stored, and its verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from services.audit.domain.merkle import root_from
from services.audit.handlers import append
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from shared.messaging import batch
from shared.messaging.inbox import StorageDownError
from shared.messaging.wire import Raw, encode
from shared.settings import Settings
from shared.testing.backbone import event_of
from shared.testing.scenario import PROPERTY, SEED
from shared.testing.tally import Figures

_ROWS = text("SELECT leaf_index, event_id, entity, sequence, leaf_hash FROM event ORDER BY leaf_index")
_HEADS = text("SELECT size, root FROM tree_head ORDER BY size")
_TILES = text('SELECT "number", hashes FROM tile WHERE level = 0 ORDER BY "number"')
_WIDTH = 256 * 32  # bytes of a tile


def messages(count: int, *, entities: int = 8, padding: int = 0) -> list[Raw]:
    """Return that many events of several people, each person's in order, as they come from the broker."""
    reason = "ok" + " and more" * (padding // 9)
    events = [event_of(f"e{n % entities}", n // entities + 1, reason) for n in range(count)]
    return [encode(event.model_copy(update={"position": n})) for n, event in enumerate(events, 1)]


def take_in(engine: Engine, raws: Sequence[Raw], *, attempts: int = 20) -> None:
    """Take a batch in as the worker does: again after a while when the database could not."""
    for _ in range(attempts):
        try:
            batch.handle_batch(engine, "audit", append, raws)
        except StorageDownError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the database could not, {attempts} times")


@dataclass(frozen=True)
class Stored:
    """What stands in the log: rows, heads and tiles, read together."""

    rows: Sequence[Any]
    heads: dict[int, bytes]
    tiles: dict[int, bytes]

    @classmethod
    def of(cls, engine: Engine) -> Stored:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            heads = {row.size: bytes(row.root) for row in connection.execute(_HEADS)}
            tiles = {row.number: bytes(row.hashes) for row in connection.execute(_TILES)}
            return cls(connection.execute(_ROWS).all(), heads, tiles)

    def faults(self) -> list[str]:
        """Return in words where rows, heads and tiles do not belong together; a sound log has none."""
        hashes = [bytes(row.leaf_hash) for row in self.rows]
        found = [] if [row.leaf_index for row in self.rows] == list(range(len(hashes))) else ["leaves have holes"]
        if max(self.heads, default=0) != len(hashes):
            found.append(f"the newest head is of {max(self.heads, default=0)}, the rows are {len(hashes)}")
        found += [f"the head of {size}" for size, root in self.heads.items() if root != root_from(hashes[:size])]
        flat = b"".join(hashes)
        whole = {number: flat[number * _WIDTH : (number + 1) * _WIDTH] for number in range(len(flat) // _WIDTH)}
        return found + (["tiles and rows differ"] if self.tiles != whole else [])

    def figures(self, recorded: set[UUID]) -> Figures:
        """Count what became of the recorded events; `audit`'s own in the log are nobody else's."""
        times = Counter(row.event_id for row in self.rows if row.entity.startswith("user:"))
        last: dict[str, int] = {}
        disordered = 0
        for row in self.rows:
            disordered += (row.sequence or 0) < last.get(row.entity, 0)
            last[row.entity] = row.sequence or 0
        return Figures(
            events=len(recorded),
            lost=len(recorded - times.keys()),
            duplicated=sum(1 for count in times.values() if count > 1),
            disordered=disordered,
            unrecorded=len(times.keys() - recorded),
            applied=len(times),
        )


def judge(
    request: pytest.FixtureRequest, engine: Engine, recorded: set[UUID], *, recovery: float | None = None, **notes: Any
) -> None:
    """Print the scenario's line, and fail when an event was lost, doubled or overtaken or the log is not sound."""
    stored = Stored.of(engine)
    figures = stored.figures(recorded)
    said = {name: f"{value:,.2f}" if isinstance(value, float) else str(value) for name, value in notes.items()}
    facts = {"number": 0, "name": request.node.originalname, "seed": SEED, "notes": said, "recovery": recovery}
    request.node.user_properties.append((PROPERTY, asdict(figures) | facts))
    assert stored.faults() == []
    assert figures.violations == 0, figures


def verified(engine: Engine, home: Path) -> list[str]:
    """Return what a whole verification of the log finds, with the keys of that home."""
    report = verify(engine, Keys.of(Settings(home=home)), clock=lambda: datetime.now(UTC) + timedelta(minutes=1))
    return [finding.sentence() for finding in report.findings]
