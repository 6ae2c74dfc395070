"""HTML for people: the MSME's proposals, the bank's referrals, the loan that comes of them."""

from fastapi import APIRouter

from services.loans.pages import (
    agreements,
    calculator,
    diagnostics,
    editor,
    fees,
    firms,
    fragments,
    improvements,
    portfolio,
    products,
    proposals,
    referrals,
    tapes,
    trainings,
)

router = APIRouter(include_in_schema=False)
for part in (
    fragments,
    improvements,
    proposals,
    editor,
    referrals,
    agreements,
    tapes,
    portfolio,
    products,
    fees,
    firms,
    trainings,
    diagnostics,
    calculator,
):
    router.include_router(part.router)
