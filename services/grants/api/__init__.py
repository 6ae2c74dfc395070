"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    applications,
    assessors,
    awards,
    cofinancing,
    day,
    decisions,
    delegations,
    exclusion,
    ledger,
    reports,
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
_CASES = (reports, ageing, applications, reviews, awards, ledger, day, cofinancing, decisions, delegations)
for part in (*_CASES, assessors, exclusion):
    router.include_router(part.router)
