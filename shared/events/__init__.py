"""The published language: what services tell each other, one module per publishing service."""

from shared.events.base import Event, event_types
from shared.events.envelope import Actor, Envelope

__all__ = ["Actor", "Envelope", "Event", "event_types"]
