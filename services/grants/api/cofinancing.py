"""Co-financing: api."""

from fastapi import APIRouter

router = APIRouter()
