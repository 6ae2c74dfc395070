"""The only place with SQL: tables, repositories and queries of the grants service."""

from services.grants.storage import (
    agreements,
    bulk,
    capacity,
    closeout,
    cofinancing,
    day,
    delegations,
    editing,
    exclusion,
    judging,
    learned,
    ledger,
    likeness,
    panel,
    publishing,
    reads,
    reports,
    views,
)
from services.grants.storage.base import metadata
from services.grants.storage.tables import applications, awards, reviews

__all__ = [
    "agreements",
    "applications",
    "awards",
    "bulk",
    "capacity",
    "closeout",
    "cofinancing",
    "day",
    "delegations",
    "editing",
    "exclusion",
    "judging",
    "learned",
    "ledger",
    "likeness",
    "metadata",
    "panel",
    "publishing",
    "reads",
    "reports",
    "reviews",
    "views",
]
