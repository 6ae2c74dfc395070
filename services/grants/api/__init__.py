"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    agreements,
    applications,
    assessors,
    awards,
    bank_files,
    bulk,
    capacity,
    cofinancing,
    day,
    decisions,
    delegations,
    exclusion,
    ledger,
    panels,
    payees,
    payments,
    publishing,
    reports,
    reviews,
    workflows,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
PARTS = (
    reports,
    ageing,
    applications,
    reviews,
    awards,
    agreements,
    ledger,
    payees,
    bank_files,
    payments,
    day,
    cofinancing,
    decisions,
    delegations,
    workflows,
    assessors,
    capacity,
    bulk,
    exclusion,
    panels,
)
for part in PARTS:
    router.include_router(part.router)
router.include_router(publishing.router)
