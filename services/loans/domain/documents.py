"""A document that belongs to a proposal; its content lies in the document store under its hash."""

from __future__ import annotations

from datetime import date

from shared.entity import Part


class ProposalDocument(Part):
    """What kind it is, its name and hash, and the days of its validity."""

    kind: str
    name: str
    media_type: str
    size: int
    sha256: str
    issued: date | None = None
    expires: date | None = None
