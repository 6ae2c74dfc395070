"""A panel's session over the applications of a call: opened, written down, frozen as the record of the selection."""

from __future__ import annotations

from shared.events.base import Event
from shared.money import Money


class PanelFact(Event):
    """What every event of a panel says about it. Entity panel:<reference>."""

    panel: str
    programme: str
    call: str


class PanelOpened(PanelFact):
    """The reviewed applications of a call were laid before a panel."""

    TYPE = "grants.panel.opened"
    AUDIENCE = "record"
    applications: int


class PanelSaved(PanelFact):
    """Who was there, the minutes, or what is recommended was written down; it can still change."""

    TYPE = "grants.panel.saved"
    AUDIENCE = "record"
    proposals: int
    members: int


class PanelFrozen(PanelFact):
    """The record of the selection is final: `sha256` is the hash of its canonical form."""

    TYPE = "grants.panel.frozen"
    AUDIENCE = "record"
    sha256: str
    applications: int
    outcomes: dict[str, int]
    funded: Money
    available: Money | None = None
