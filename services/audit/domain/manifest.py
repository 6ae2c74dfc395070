"""Judging a manifest by what the log holds under the same positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["waiting", "sound", "missing", "different", "deleted"]
FINAL: tuple[Verdict, ...] = ("sound", "deleted")  # no later event changes these


@dataclass(frozen=True)
class Told:
    """What a source told: the events under positions `first` to `last`, and how many rows it lost since before."""

    first: int
    last: int
    events: int
    digest: str
    fresh_deleted: int

    @property
    def span(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Held:
    """What the log holds under the same positions."""

    events: int
    digest: str


def judge(told: Told, held: Held) -> Verdict:
    """Return the verdict; "missing" may still be on its way, the others are so.

    An event that the source itself no longer has under a position of its own counts as deleted: nothing can bring
    it back when the log has not got it either.
    """
    if held.events < told.events:
        return "missing"
    if told.fresh_deleted or max(told.events, held.events) < told.span:
        return "deleted"
    if held.events == told.events and held.digest != told.digest:
        return "different"
    # The log may hold more than the source still has: that was deleted there after it went out.
    return "sound" if told.events == told.span else "deleted"
