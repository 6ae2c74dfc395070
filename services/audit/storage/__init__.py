"""The only place with SQL of the audit service."""

from services.audit.storage.tables import metadata

__all__ = ["metadata"]
