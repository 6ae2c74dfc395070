"""JSON over HTTP for machines: `/loans/api/…`, described by OpenAPI."""

from fastapi import APIRouter

from services.loans.api import (
    cases,
    facilities,
    fees,
    figures,
    firms,
    groups,
    guarantees,
    improvements,
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

router = APIRouter()
router.include_router(proposals.router)
router.include_router(products.router)
router.include_router(referrals.router)
router.include_router(tapes.router)
router.include_router(portfolio.router)
router.include_router(fees.router)
router.include_router(facilities.router)
router.include_router(guarantees.router)
router.include_router(figures.router)
router.include_router(improvements.router)
router.include_router(firms.router)
router.include_router(trainings.router)
router.include_router(tripartite.router)
router.include_router(looks.router)
router.include_router(teasers.router)
router.include_router(sequences.router)
router.include_router(groups.router)
router.include_router(cases.router)
