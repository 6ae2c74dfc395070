"""Whether anything is missing from the record, and whether anything was changed past it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from services.audit.certificate_pdf import as_pdf
from services.audit.domain.certificate import Certificate
from services.audit.handlers import certificates
from services.audit.handlers.certificates import Asked
from services.audit.handlers.manifests import standings
from services.audit.handlers.reading import viewed
from services.audit.pages.explorer import keys_of
from services.audit.storage import comparing, manifests
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()
CERTIFY = allowed("audit.certificate.read")


class CertificateQuery(BaseModel):
    """For which programme and days a certificate is asked."""

    programme: Annotated[str, Field(max_length=80)] = ""
    since: Annotated[str, Field(max_length=10)] = ""
    until: Annotated[str, Field(max_length=10)] = ""

    def asked(self, zone: str) -> Asked:
        """Return what is asked for; raises InvalidError that names the field."""
        return Asked(self.programme.strip(), _day("since", self.since), _day("until", self.until), zone)


def _day(name: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InvalidError({name: "is not a date: write year-month-day"}) from None


def _certified(request: Request, query: CertificateQuery, uow: UnitOfWork) -> tuple[Certificate, str]:
    asked = query.asked(request.app.state.settings.time_zone)
    made = certificates.certify(uow.connection, keys_of(request), asked, uow.context.actor, clock=uow.clock)
    viewed(uow, f"certificate:{asked.since}/{asked.until}", "certificate", programme=asked.programme or None)
    return made


@router.get("/completeness", dependencies=[allowed("audit.completeness.read")])
def completeness(request: Request, uow: Uow) -> HTMLResponse:
    """Show, service by service, how far it has told and how far the log reaches, and what is disputed."""
    return render(
        request,
        "completeness.html",
        standings=standings(uow.connection, uow.now()),
        disputed=manifests.disputed(uow.connection),
    )


@router.get("/changes-outside", dependencies=[allowed("audit.changes.read")])
def changes_outside(request: Request, uow: Uow) -> HTMLResponse:
    """Show what the newest comparison of live rows with the log found, and when there were any."""
    runs = comparing.latest(uow.connection)
    if runs:
        viewed(uow, f"comparison:{runs[0].id}", "changes_outside")
    return render(request, "changes_outside.html", runs=runs)


Asking = Annotated[CertificateQuery, Query()]


@router.get("/certificate", dependencies=[CERTIFY])
def certificate(request: Request, query: Asking, uow: Uow) -> HTMLResponse:
    """Show the certificate of a period; a period that is none comes back as it was typed, with the rule."""
    made, note, errors = None, "", dict[str, Any]()
    if query.since or query.until:
        try:
            made, note = _certified(request, query, uow)
        except InvalidError as error:
            errors = error.fields
    page = {"made": made, "note": note, "errors": errors, "query": query, "asked": request.url.query}
    return render(request, "certificate.html", status_code=422 if errors else 200, **page)


@router.get("/certificate.pdf", dependencies=[CERTIFY])
def certificate_pdf(request: Request, query: Asking, uow: Uow) -> Response:
    """Give the certificate as PDF, with its signed note attached."""
    made, note = _certified(request, query, uow)
    named = {"Content-Disposition": f'attachment; filename="certificate-{made.since}-{made.until}.pdf"'}
    return Response(as_pdf(made, note), media_type="application/pdf", headers=named)


@router.get("/api/certificate", dependencies=[CERTIFY])
def certificate_json(request: Request, query: Asking, uow: Uow) -> dict[str, Any]:
    """Return the certificate with its signed note, which `tamga audit certificate --check` understands."""
    made, note = _certified(request, query, uow)
    return made.facts() | {"note": note}
