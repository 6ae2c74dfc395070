"""A document that belongs to a proposal; its content lies in the document store under its hash."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict


class ProposalDocument(BaseModel):
    """What kind it is, its name and hash, and the days of its validity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    media_type: str
    size: int
    sha256: str
    issued: date | None = None
    expires: date | None = None
