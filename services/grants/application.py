"""The web app of the grants service."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from services.grants import api, pages
from services.grants.figures import figures
from services.grants.policy import POLICY
from shared.database import engine_for
from shared.settings import Settings
from shared.vault import vault_of
from shared.web.app import create_service_app


def create_app(settings: Settings) -> FastAPI:
    """Return the app that is mounted at /grants; raises SettingsError without the key of bank numbers."""
    vault_of(settings.payee_key_file)
    return create_service_app(
        service="grants",
        engine=engine_for(settings.database_url("grants"), application_name="grants web"),
        policy=POLICY,
        routers=[api.router, pages.router],
        templates=Path(__file__).parent / "templates",
        settings=settings,
        figures=figures,
    )
