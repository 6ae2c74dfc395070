"""Use cases of the grants service: each a function of the unit of work and a command.

`ON` maps every consumed event type to what it does here; two modules may listen to one type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from services.grants.handlers import bulk, choosing, cofinancing, learning, reporting
from shared import checkpoints
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging import gaps

Handler = Callable[[UnitOfWork, Envelope], None]


def _all_of(handlers: tuple[Handler, ...], uow: UnitOfWork, envelope: Envelope) -> None:
    for handler in handlers:
        handler(uow, envelope)


def gather(*maps: dict[str, Handler]) -> dict[str, Handler]:
    """Return one map in which an event type calls every handler that listens to it, in the order of `maps`."""
    types = {name for one in maps for name in one}
    return {name: partial(_all_of, tuple(one[name] for one in maps if name in one)) for name in sorted(types)}


ON: dict[str, Handler] = gather(learning.ON, cofinancing.ON, gaps.ON, checkpoints.ON)

# Acts that this service does by the clock: (seconds between, act).
TIMERS: tuple[tuple[float, Callable[[UnitOfWork], object]], ...] = (
    *gaps.TIMERS,
    *bulk.TIMERS,
    *reporting.TIMERS,
    (300.0, choosing.remind),
)
