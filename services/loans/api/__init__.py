"""JSON over HTTP for machines: `/loans/api/…`, described by OpenAPI."""

from fastapi import APIRouter

from services.loans.api import figures, proposals, referrals

router = APIRouter()
router.include_router(proposals.router)
router.include_router(referrals.router)
router.include_router(figures.router)
