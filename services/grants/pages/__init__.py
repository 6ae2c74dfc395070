"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.edge import STANDS_IN
from services.grants.pages import (
    ageing,
    agreement,
    appeal,
    assessors,
    bank_files,
    bulk,
    capacity,
    case,
    closeout,
    cofinancing,
    cofinancing_acts,
    day,
    delegations,
    documents,
    dossier,
    editors,
    eligibility,
    exclusion,
    files,
    form,
    fragments,
    ledger,
    likeness,
    lists,
    money,
    organisations,
    panels,
    payees,
    payments,
    publishing,
    queue,
    reports,
    reviews,
    workflows,
)

router = APIRouter(dependencies=[STANDS_IN])
# Addresses of lists come before those of single cases.
PARTS = (
    fragments,
    bulk,
    panels,
    queue,
    lists,
    eligibility,
    reviews,
    reports,
    workflows,
    assessors,
    capacity,
    exclusion,
    ageing,
    editors,
    dossier,
    day,
    delegations,
    likeness,
    form,
    money,
    payees,
    organisations,
    bank_files,
    agreement,
    payments,
    ledger,
    closeout,
    appeal,
    case,
    documents,
    cofinancing,
    cofinancing_acts,
)
for part in PARTS:
    router.include_router(part.router)
router.include_router(publishing.router)
router.include_router(files.router)
