"""Acts on many cases: tried out first, then done row by row by the worker."""

from services.grants.handlers.bulk.planning import BULK, READ, PlanBulk, StartBulk, discard, plan, seen, start
from services.grants.handlers.bulk.running import TIMERS, Runner

__all__ = ["BULK", "READ", "TIMERS", "PlanBulk", "Runner", "StartBulk", "discard", "plan", "seen", "start"]
