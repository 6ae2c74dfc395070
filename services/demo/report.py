"""What the demonstration shows at its end: one line an act, the figures, the verified log, nothing unaccounted."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.demo.measure import Handled
from services.demo.stage import Act

WIDE = 128  # columns that a row needs for every name in one line


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(handled: Sequence[Handled]) -> dict[str, float]:
    """Return median and p95 of commit to handled, in milliseconds: per event by its last consumer, and per handling."""
    last = [item.milliseconds for item in handled]
    each = [value for item in handled for value in item.by_consumer.values()]
    return {
        "events": len(handled),
        "p50_ms": round(statistics.median(each), 1),
        "p95_ms": round(percentile(each, 0.95), 1),
        "last_consumer_p50_ms": round(statistics.median(last), 1),
        "last_consumer_p95_ms": round(percentile(last, 0.95), 1),
    }


def by_act(acts: Sequence[Act], handled: Sequence[Handled]) -> list[dict[str, Any]]:
    """Return one row an act: who, what, its event types, the time until everybody had handled all, its leaves."""
    events: dict[UUID, list[Handled]] = {}
    for item in handled:
        events.setdefault(item.correlation_id, []).append(item)
    rows = []
    for act in acts:
        mine = events.get(act.correlation_id, [])
        rows.append(
            {
                "number": act.number,
                "chapter": act.chapter,
                "who": act.who,
                "what": act.what,
                "status": act.status,
                "events": [item.type for item in mine],
                "handled_ms": round(max((item.milliseconds for item in mine), default=0.0), 1),
                "leaves": [item.leaf_index for item in mine],
            }
        )
    return rows


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print the acts as a table, chapter by chapter; on a narrow terminal an act's events stand under it."""
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", row_styles=["", "dim"], pad_edge=False)
    table.add_column("", justify="right")
    for name in ("Who", "What", "Event") if wide else ("Who, what and the events",):
        table.add_column(name, overflow="fold")
    table.add_column("Handled\nby all, ms", justify="right", no_wrap=True)
    table.add_column("Leaf", justify="right", no_wrap=True)
    chapter = ""
    for row in rows:
        if row["chapter"] != chapter:
            chapter = row["chapter"]
            table.add_row("", *([""] if wide else []), Text(chapter, "bold"))
        table.add_row(str(row["number"]), *_told(row, wide=wide), f"{row['handled_ms']:.1f}", _leaves(row["leaves"]))
    console.print(table)


def _told(row: dict[str, Any], *, wide: bool) -> list[Text]:
    events = list(dict.fromkeys(row["events"]))
    if wide:
        return [Text(row["who"]), Text(row["what"]), Text("\n".join(events))]
    return [Text("\n".join([f"{row['who']} {row['what']}", *(f"  {event}" for event in events)]))]


def _leaves(leaves: list[int]) -> str:
    if not leaves:
        return "–"
    return f"{leaves[0]}–{leaves[-1]}" if len(leaves) > 1 else str(leaves[0])
