"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    applications,
    awards,
    cofinancing,
    day,
    decisions,
    delegations,
    ledger,
    payments,
    reports,
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
_MONEY = (ledger, payments)
_MORE = (*_MONEY, day, cofinancing, decisions, delegations)
for part in (reports, ageing, applications, reviews, awards, *_MORE):
    router.include_router(part.router)
