"""The proposal's editor: one page a section, saved as it stands, with the to-do list and the figures beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from services.loans import storage
from services.loans.api.proposals import store
from services.loans.domain.disclosure import FIELDS
from services.loans.domain.finance import Finance
from services.loans.domain.proposal import Proposal
from services.loans.handlers import access, products, proposals
from services.loans.pages import forms, product_words, words
from services.loans.pages.proposals import STAY, edit_address, seen
from services.loans.pages.sections import SECTIONS
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
_AGREED = {"bank", "purpose", "until", "language", "text_version"}
WRITE = [allowed("loans.proposal.write")]


def beside(uow: UnitOfWork, proposal: Proposal) -> dict[str, Any]:
    """Return what stands beside every section: the sections with their state, the to-dos, the figures."""
    found = proposals.assess(uow, proposal)
    near = products.standings(uow, proposal, found.figures, found.finance)
    missing = {todo.block for todo in found.todos}
    names = [*SECTIONS, "documents"]
    return {
        "proposal": proposal,
        "finance": found.finance,
        "figures": found.figures,
        "todos": [
            (edit_address(proposal.id, todo.block), words.todo_text(todo, found.finance)) for todo in found.todos
        ],
        "banks": product_words.standings(near, found.finance, proposal),
        "menu": [(edit_address(proposal.id, name), words.BLOCKS[name], name not in missing, name) for name in names],
    }


def _editor(
    request: Request, uow: UnitOfWork, proposal: Proposal, name: str, values: dict[str, str], **more: Any
) -> HTMLResponse:
    status = 422 if more.get("errors") else 409 if more.get("conflict") else 200
    context = beside(uow, proposal) | {"conflict": None, "saved": False} | more
    finance: Finance = context["finance"]
    purposes = [(item.code, item.said(request.state.locale)) for item in finance.purposes]
    choices, names = {"request.purpose": purposes}, list(SECTIONS)
    after = names[names.index(name) + 1] if name != names[-1] else "documents"
    return render(
        request,
        "section.html",
        status_code=status,
        section=SECTIONS[name],
        values=values,
        choices=choices,
        after=after,
        optional=_optional(finance),
        **context,
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    reference, name = request.path_params["reference"], request.path_params["section"]
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    if name not in SECTIONS:
        raise NotFoundError("There is no such section")
    return _editor(request, uow, proposal, name, request.state.typed, conflict=problem)


def _optional(finance: Finance) -> set[str]:
    """Return the fields, as "block.field", that a complete section may leave empty."""
    asked = {rule.block: set(rule.fields) for rule in finance.readiness if rule.rule == "complete"}
    fields = [(name, item.name) for name, section in SECTIONS.items() for item in section.items]
    return {f"{block}.{field}" for block, field in fields if block in asked and field not in asked[block]}


@router.get("/proposals/{reference}/edit/{section}", dependencies=WRITE)
def edit(request: Request, reference: str, section: str, who: Who, uow: Uow) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    if section not in SECTIONS:
        raise NotFoundError("There is no such section")
    block = getattr(proposal.plan, section)
    saved = request.query_params.get("saved") == "1"
    return _editor(request, uow, proposal, section, forms.flat(block.model_dump(mode="json")), saved=saved)


@router.post("/proposals/{reference}/edit/{section}", dependencies=[stay(_stays), *WRITE])
def save(*, request: Request, reference: str, section: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    after = values.pop("then", "")
    version, data = forms.version_of(values), forms.block_data(values)
    try:
        proposals.save_section(uow, who, reference, section, data, version=version)
    except InvalidError as error:
        proposal = access.proposal(uow, who, reference, "loans.proposal.write")
        wrong = {name.replace(".", "-"): rule for name, rule in error.fields.items()}
        return _editor(request, uow, proposal, section, values, errors=wrong, saved=False)
    if after in {*SECTIONS, "documents"}:
        return seen(edit_address(reference, after))
    return seen(f"/loans/proposals/{reference}/edit/{section}?saved=1")


@router.post("/proposals/{reference}/preview/{section}", dependencies=WRITE)
def preview(
    *, request: Request, reference: str, section: str, posted: forms.Posted, who: Who, uow: Uow
) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    draft = proposals.previewed(proposal, section, forms.block_data(_plain(posted)))
    return render(request, "figures.html", **beside(uow, draft))


def _plain(posted: FormData) -> dict[str, str]:
    values = forms.posted_values(posted)
    values.pop("then", None)
    return values


@router.get("/proposals/{reference}/documents", dependencies=WRITE)
def documents(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    return render(request, "documents.html", **beside(uow, proposal))


@router.post("/proposals/{reference}/documents", dependencies=[STAY, *WRITE])
def add_document(
    *, request: Request, reference: str, posted: forms.Posted, file: Annotated[UploadFile, File()], who: Who, uow: Uow
) -> Response:
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    try:
        form = forms.parsed(forms.DocumentForm, posted)
        stored = store(request).put(file.filename or "", file.file)
        days = {"issued": form.issued, "expires": form.expires}
        proposals.add_document(uow, who, reference, form.kind, stored, version=form.version, **days)
    except InvalidError as error:
        context = beside(uow, proposal) | {"errors": error.fields, "given": forms.posted_values(posted)}
        return render(request, "documents.html", status_code=422, **context)
    return seen(f"/loans/proposals/{reference}/documents")


@router.post("/proposals/{reference}/documents/{sha256}/remove", dependencies=[STAY, *WRITE])
def remove_document(reference: str, sha256: str, who: Who, uow: Uow) -> Response:
    proposals.remove_document(uow, who, reference, sha256)
    return seen(f"/loans/proposals/{reference}/documents")


def download(content: bytes, media_type: str, name: str) -> Response:
    """Return a document as a file to keep, never as a page of this origin."""
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)


@router.get("/proposals/{reference}/documents/{sha256}", dependencies=[allowed("loans.document.read")])
def document(request: Request, reference: str, sha256: str, who: Who, uow: Uow) -> Response:
    role = access.scoped(uow, who, "proposal", reference, "loans.document.read")
    proposal = storage.proposals(uow).get(reference, for_update=False)
    found = proposals.document_of(proposal, sha256)
    if role != "applicant":
        access.viewed(uow, reference, f"document {found.kind}", case=reference, programme=proposal.programme)
    return download(store(request).get(found.sha256), found.media_type, found.name)


@router.get("/proposals/{reference}/consent", dependencies=[allowed("loans.proposal.refer")])
def consent(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.refer", lock=False)
    return _consent_page(request, uow, proposal)


def _consent_page(request: Request, uow: UnitOfWork, proposal: Proposal, **more: Any) -> HTMLResponse:
    return render(
        request,
        "consent.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        **consent_parts(request, uow, proposal),
        **more,
    )


def consent_parts(request: Request, uow: UnitOfWork, proposal: Proposal) -> dict[str, Any]:
    """Return what the forms of consent show: banks, fields, purposes, the text to agree to."""
    proposal.require_locked()
    finance, _ = access.rules(uow, proposal.programme)
    known, day = storage.banks(uow.connection), access.today(uow)
    referrals = [
        storage.referrals(uow).get(item, for_update=False) for item in storage.referrals_of(uow.connection, proposal.id)
    ]
    asked = {item.bank: item for item in referrals if item.is_open()}
    locale = request.state.locale if request.state.locale in finance.consent.text else "en"
    by_bank = products.by_bank(uow, proposal.programme)
    return {
        "proposal": proposal,
        "finance": finance,
        "partners": [(item, known[item.bank], asked.get(item.bank)) for item in finance.partners if item.bank in known],
        "blocks": [(name, words.BLOCKS[name], len(FIELDS[name]), name in finance.consent.always) for name in FIELDS],
        "purposes": [(item.code, item.said(locale)) for item in finance.consent.purposes],
        "text": finance.consent.text[locale],
        "language": locale,
        "until": day + timedelta(days=min(90, finance.consent.max_days)),
        "referrals": referrals,
        "stages": words.STAGES,
        "wanted": request.query_params.get("product", ""),
        "products": {
            bank: [(item.id, item.number, item.terms.said(locale)) for item in held] for bank, held in by_bank.items()
        },
    }


def agreement_of(posted: FormData) -> tuple[proposals.Agreement, int]:
    """Return what a form of consent agrees to, and the proposal's version that it was made from."""
    form = forms.parsed(forms.ConsentForm, posted)
    product, _, number = form.product.partition(" ")
    seen_number = int(number[:6]) if number.isascii() and number.isdigit() else None
    agreed = form.model_dump(include=_AGREED)
    return proposals.Agreement(fields=form.blocks, product=product, product_number=seen_number, **agreed), form.version


@router.post("/proposals/{reference}/consent", dependencies=[STAY, allowed("loans.proposal.refer")])
def refer(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        agreement, version = agreement_of(posted)
        proposals.refer(uow, who, reference, agreement, version=version)
    except InvalidError as error:
        proposal = access.proposal(uow, who, reference, "loans.proposal.refer")
        given = forms.posted_values(posted)
        return _consent_page(request, uow, proposal, errors=error.fields, given=given, chosen=posted.getlist("blocks"))
    return seen(f"/loans/proposals/{reference}/consent")
