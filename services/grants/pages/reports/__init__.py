"""Pages of reports: of one, its form and its costs, lists, and the programme's indicators."""

from fastapi import APIRouter

from services.grants.pages.reports import costs, form, lists, overview

router = APIRouter()
for part in (lists, form, costs, overview):
    router.include_router(part.router)
