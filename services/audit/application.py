"""The web app of the audit service."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from joserfc.jwk import OKPKey
from sqlalchemy import Engine

from services.audit import api, pages, tlog
from services.audit.figures import figures
from services.audit.policy import POLICY
from shared.clock import Clock, utc_now
from shared.database import engine_for
from shared.settings import Settings
from shared.web.app import create_service_app


def create_app(
    settings: Settings, *, engine: Engine | None = None, key: OKPKey | None = None, clock: Clock = utc_now
) -> FastAPI:
    """Return the app that is mounted at /audit; engine, key and clock are given by tests only."""
    return create_service_app(
        service="audit",
        engine=engine or engine_for(settings.database_url("audit"), application_name="tamga-audit-web"),
        policy=POLICY,
        routers=[api.router, tlog.router, *pages.routers],
        templates=Path(__file__).parent / "templates",
        settings=settings,
        clock=clock,
        key=key,
        figures=figures,
    )
