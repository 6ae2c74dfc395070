"""The only place with SQL of the audit service."""

from services.audit.storage import completeness_tables, cosignatures, signing, watch_tables
from services.audit.storage.tables import metadata

__all__ = ["completeness_tables", "cosignatures", "metadata", "signing", "watch_tables"]
