"""The ASGI app of the notifications service."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from services.notifications import api, api_webhooks, pages, pages_webhooks
from services.notifications.figures import figures
from services.notifications.policy import POLICY
from shared.database import engine_for
from shared.settings import Settings
from shared.web.app import create_service_app

TEMPLATES = Path(__file__).parent / "templates"


def create_app(settings: Settings) -> FastAPI:
    """Return the app, connected to the service's own database."""
    return create_service_app(
        service="notifications",
        engine=engine_for(settings.database_url("notifications"), application_name="tamga-notifications-web"),
        policy=POLICY,
        routers=[api.router, api_webhooks.router, pages_webhooks.router, pages.router],
        templates=TEMPLATES,
        settings=settings,
        figures=figures,
    )
