"""The portal's ASGI app."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from joserfc.jwk import OKPKey
from sqlalchemy import Engine

from services.portal import api, api_organisations, pages
from services.portal.policy import POLICY
from shared.clock import Clock, utc_now
from shared.database import engine_for
from shared.events.catalogue import Catalogue
from shared.settings import Settings
from shared.web.app import create_service_app


def create_app(
    settings: Settings,
    *,
    catalogue: Catalogue | None = None,
    engine: Engine | None = None,
    key: OKPKey | None = None,
    clock: Clock = utc_now,
) -> FastAPI:
    """Return the portal, with the catalogue of all services' events; engine, key and clock are given by tests only."""
    app = create_service_app(
        service="portal",
        engine=engine or engine_for(settings.database_url("portal")),
        policy=POLICY,
        routers=[api.router, api_organisations.router, *pages.routers],
        templates=Path(__file__).parent / "templates",
        settings=settings,
        clock=clock,
        key=key,
    )
    app.state.catalogue = catalogue
    return app
