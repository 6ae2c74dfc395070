"""The grants service's routes: pages."""

from fastapi import APIRouter

from services.grants.pages import cofinancing

router = APIRouter()
router.include_router(cofinancing.router)
