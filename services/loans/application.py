"""The ASGI app of the loans service."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from joserfc.jwk import OKPKey
from sqlalchemy import Engine

from services.loans import api, pages
from services.loans.figures import figures
from services.loans.policy import POLICY
from shared.clock import Clock, utc_now
from shared.database import engine_for
from shared.settings import Settings
from shared.web.app import create_service_app

TEMPLATES = Path(__file__).parent / "templates"


def create_app(
    settings: Settings, *, engine: Engine | None = None, key: OKPKey | None = None, clock: Clock = utc_now
) -> FastAPI:
    """Return the app; without `engine` it is connected to the service's own database of `settings`."""
    return create_service_app(
        service="loans",
        engine=engine or engine_for(settings.database_url("loans"), application_name="tamga-loans-web"),
        policy=POLICY,
        routers=[api.router, pages.router],
        templates=TEMPLATES,
        settings=settings,
        clock=clock,
        key=key,
        figures=figures,
    )
