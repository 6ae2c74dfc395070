"""The use cases of the portal; it consumes no events of other services."""

from __future__ import annotations

from collections.abc import Callable

from shared.database import UnitOfWork
from shared.events import Envelope

ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {}
