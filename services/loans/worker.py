"""What the loans service does in the background: learns from events, keeps its deadlines."""

from __future__ import annotations

from services.loans import handlers
from shared.messaging import inbox
from shared.messaging.consumer import ServiceWorker, TimedAct, every, subscribe, timers
from shared.messaging.wire import Raw


class Worker(ServiceWorker):
    """Consumes the queue `loans`; each method is one line into the handlers."""

    name = "loans"

    @subscribe("loans")
    def receive(self, raws: list[Raw]) -> list[inbox.Outcome]:
        return inbox.receive_all(self.engine, self.name, handlers.ON, raws)

    @every(1)
    def sweep(self) -> int:
        return inbox.sweep(self.engine, self.name, handlers.ON)

    @timers(handlers.TIMERS)
    def tick(self, act: TimedAct) -> None:
        self.act(act)
