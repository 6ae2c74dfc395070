"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    applications,
    awards,
    bulk,
    cofinancing,
    day,
    decisions,
    delegations,
    ledger,
    panels,
    reports,
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
_MORE = (bulk, panels, reports)
for part in (ageing, applications, reviews, awards, ledger, day, cofinancing, decisions, delegations, *_MORE):
    router.include_router(part.router)
