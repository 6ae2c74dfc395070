"""HTML for people: the MSME's proposals, the bank's referrals, the loan that comes of them."""

from fastapi import APIRouter

from services.loans.pages import (
    agreements,
    calculator,
    cases,
    deliveries,
    diagnostics,
    editor,
    facilities,
    fees,
    firms,
    fragments,
    groups,
    guarantees,
    improvements,
    links,
    looks,
    portfolio,
    products,
    proposals,
    referrals,
    sequences,
    tapes,
    teasers,
    trainings,
    tripartite,
)

router = APIRouter(include_in_schema=False)
for part in (
    fragments,
    improvements,
    proposals,
    editor,
    links,
    looks,
    referrals,
    sequences,
    agreements,
    tapes,
    tripartite,
    deliveries,
    groups,
    teasers,
    portfolio,
    products,
    fees,
    firms,
    trainings,
    cases,
    diagnostics,
    facilities,
    guarantees,
    calculator,
):
    router.include_router(part.router)
