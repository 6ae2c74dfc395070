"""JSON: the versions of an agreement, their documents, amendments."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.grants.api.applications import store
from services.grants.domain.amendment import AgreementText, Amendment
from services.grants.handlers import agreements, amending
from services.grants.handlers.agreements import amendment_view, verdict_view, version_view
from shared.database import UnitOfWork
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["agreements"])
_CASE = "/applications/{reference}/award"


def pdf_answer(text: AgreementText, content: bytes) -> Response:
    """Return the document of a version: the very bytes that are accepted, checked by their hash."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(text.name)}",
        "x-content-type-options": "nosniff",
        "etag": f'"{text.sha256}"',
        "cache-control": "private, no-store",
    }
    return Response(content, media_type="application/pdf", headers=headers)


def _view(uow: UnitOfWork, amendment: Amendment) -> dict[str, Any]:
    uow.flush()  # so that the answer carries the version that the next act must name
    return amendment_view(amendment)


@router.get(_CASE + "/versions", dependencies=[allowed("grants.award.read")])
def versions(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return every version of the agreement, oldest first, with its terms, its hash and what changed."""
    _application, award, texts = agreements.versions(uow, who, reference)
    return [version_view(texts, text, award.amount.currency) for text in texts]


@router.get(_CASE + "/versions/{number}/document", dependencies=[allowed("grants.award.read")])
def document(request: Request, reference: str, number: int, who: Who, uow: Uow) -> Response:
    """Return a version as the PDF that both sides accept; the read is recorded."""
    text = agreements.text_of(uow, who, reference, number)
    return pdf_answer(text, store(request).get(text.sha256))


@router.get(_CASE + "/amendments", dependencies=[allowed("grants.award.read")])
def amendments(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return the amendments of the agreement, oldest first."""
    return [amendment_view(item) for item in agreements.amendments(uow, who, reference)]


@router.post(_CASE + "/amendments", status_code=201, dependencies=[allowed("grants.amendment.request")])
def request_amendment(reference: str, command: amending.RequestAmendment, who: Who, uow: Uow) -> dict[str, Any]:
    """Ask for an amendment: what is left out stays. Its class is derived; `version` is the award's."""
    return _view(uow, amending.request(uow, who, reference, command))


@router.post(_CASE + "/amendments/preview", dependencies=[allowed("grants.amendment.request")])
def preview(reference: str, command: amending.RequestAmendment, who: Who, uow: Uow) -> dict[str, Any]:
    """Return of which class the amendment would be, with the figures, and keep nothing."""
    return verdict_view(amending.preview(uow, who, reference, command))


@router.post("/amendments/{amendment}/decision", dependencies=[allowed("grants.amendment.decide")])
def decide(request: Request, amendment: str, command: amending.DecideAmendment, who: Who, uow: Uow) -> dict[str, Any]:
    """Approve or refuse an amendment; `version` is the amendment's, as in all below."""
    return _view(uow, amending.decide(uow, who, amendment, command, store=store(request)))


@router.post("/amendments/{amendment}/acceptance", dependencies=[allowed("grants.amendment.accept")])
def accept(amendment: str, command: amending.AcceptAmendment, who: Who, uow: Uow) -> dict[str, Any]:
    """Accept the new text for one's side; the second acceptance puts it in force."""
    return _view(uow, amending.accept(uow, who, amendment, command))


@router.post("/amendments/{amendment}/withdrawal", dependencies=[allowed("grants.amendment.withdraw")])
def withdraw(amendment: str, command: amending.WithdrawAmendment, who: Who, uow: Uow) -> dict[str, Any]:
    """Take an amendment back."""
    return _view(uow, amending.withdraw(uow, who, amendment, command))
