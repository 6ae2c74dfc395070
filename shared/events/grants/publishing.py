"""What happens when a programme's agreements are published as open data."""

from __future__ import annotations

from shared.events.base import Event
from shared.money import Money


class DataPublished(Event):
    """A file with a programme's agreements was published and kept by its hash. Entity publication:<id>.

    `records` are the references in it, `left_out` those that broke a rule and stayed outside.
    """

    TYPE = "grants.publication.published"
    AUDIENCE = "record"
    programme_id: str
    format: str
    number: int
    sha256: str
    size: int
    records: list[str]
    left_out: list[str]
    totals: list[Money]


class PublishingFactsStated(Event):
    """Somebody stated what a programme's files say of it: identifiers, donors. Entity publisher:<programme>."""

    TYPE = "grants.publisher.stated"
    AUDIENCE = "record"
    programme_id: str
    fields: list[str]
