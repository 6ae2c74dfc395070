"""What the services' cards say, without loading what the services are made of."""

from __future__ import annotations

import importlib

from shared.settings import SERVICES


def consumers() -> dict[str, tuple[str, ...]]:
    """Return what each service consumes, from its card."""
    return {service: importlib.import_module(f"services.{service}").CONSUMES for service in SERVICES}
