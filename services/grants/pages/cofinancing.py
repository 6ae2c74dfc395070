"""Co-financing: pages."""

from fastapi import APIRouter

router = APIRouter()
