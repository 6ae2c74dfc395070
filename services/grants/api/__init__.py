"""The grants service's routes: api."""

from fastapi import APIRouter

from services.grants.api import cofinancing

router = APIRouter()
router.include_router(cofinancing.router)
