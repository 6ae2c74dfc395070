"""What the audit service does in the background: appends every event to the log, in batches."""

from __future__ import annotations

from services.audit import handlers
from shared.messaging import batch
from shared.messaging.consumer import ServiceWorker, TimedAct, every, subscribe, timers
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw


class Worker(ServiceWorker):
    """Consumes the queue `audit`, to which every event is routed."""

    name = "audit"

    @subscribe("audit", size=500, pace=0.05)
    def receive(self, raws: list[Raw]) -> list[Outcome]:
        return batch.handle_batch(self.engine, self.name, handlers.append, raws)

    @every(1)
    def sweep(self) -> int:
        return batch.sweep_batch(self.engine, self.name, handlers.append)

    @timers(handlers.TIMERS)
    def tick(self, act: TimedAct) -> None:
        self.act(act)
