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
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
_MONEY = (ledger, payments)
for part in (ageing, applications, reviews, awards, *_MONEY, day, cofinancing, decisions, delegations):
    router.include_router(part.router)
