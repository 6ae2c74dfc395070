"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.edge import STANDS_IN
from services.grants.pages import (
    ageing,
    assessors,
    case,
    cofinancing,
    cofinancing_acts,
    day,
    delegations,
    documents,
    eligibility,
    exclusion,
    form,
    fragments,
    ledger,
    lists,
    money,
    queue,
    reports,
    reviews,
)

router = APIRouter(dependencies=[STANDS_IN])
_ACTS = (ageing, day, delegations, form, money, ledger, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, queue, lists, eligibility, reviews, reports, *_ACTS, assessors, exclusion):
    router.include_router(part.router)
