"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.edge import STANDS_IN
from services.grants.pages import (
    ageing,
    agreement,
    case,
    cofinancing,
    cofinancing_acts,
    day,
    delegations,
    documents,
    eligibility,
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
_ACTS = (ageing, day, delegations, form, agreement, money, ledger, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, queue, lists, eligibility, reviews, reports, *_ACTS):
    router.include_router(part.router)
