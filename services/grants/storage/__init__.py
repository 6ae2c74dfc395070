"""The only place with SQL: tables, repositories and queries of the grants service."""

from services.grants.storage import cofinancing
from services.grants.storage.base import metadata

__all__ = ["cofinancing", "metadata"]
