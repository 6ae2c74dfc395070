"""JSON over HTTP for machines: `/loans/api/…`, described by OpenAPI."""

from fastapi import APIRouter

from services.loans.api import figures, portfolio, proposals, referrals, tapes

router = APIRouter()
router.include_router(proposals.router)
router.include_router(referrals.router)
router.include_router(tapes.router)
router.include_router(portfolio.router)
router.include_router(figures.router)
