"""The only place with SQL of the audit service."""

from services.audit.storage import completeness_tables, signing, watch_tables
from services.audit.storage.tables import metadata

__all__ = ["completeness_tables", "metadata", "signing", "watch_tables"]
