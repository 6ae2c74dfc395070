"""Events of a bank's loan product: what it published, and when it took it back."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class _ProductFact(Event):
    product_id: str
    bank_id: str
    bank_name: str
    name: str
    number: int
    notify: list[str] = []


class ProductPublished(_ProductFact):
    """A bank published a version of a product, known by the hash of its terms. Entity product:<PRD-…>."""

    TYPE = "loans.product.published"
    AUDIENCE = "record"
    instrument: str
    amount_min: Money
    amount_max: Money
    term_min: int
    term_max: int
    rate_min_percent: str
    rate_max_percent: str
    valid_from: date
    valid_until: date | None
    terms_sha256: str


class ProductWithdrawn(_ProductFact):
    """A product is no longer offered; what was referred to it stays."""

    TYPE = "loans.product.withdrawn"
    AUDIENCE = "record"
    why: str
