"""Pages of group proposals: the shares as a picture, members' answers, and what each lets a bank see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.loans import chain_chart, storage
from services.loans.api.groups import SettleIn, seen_by
from services.loans.domain.blocks import MaybePercent, MaybeSum, Whole
from services.loans.domain.group import FIELDS, Facts
from services.loans.handlers import access, groups
from services.loans.pages import forms, group_words, words
from services.loans.pages.proposals import seen
from services.loans.storage import chain
from services.loans.storage import groups as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
ROWS = 4


class AcceptForm(forms.VersionedForm):
    terms_sha256: Line
    registration_number: Line = ""
    sector: Line = ""
    employees: Whole = None
    turnover: MaybeSum = None
    women_owned_percent: MaybePercent = None

    def facts(self) -> Facts:
        return Facts.model_validate({name: getattr(self, name) for name in Facts.model_fields})


class ConsentForm(forms.VersionedForm):
    bank: Line = ""
    fields: list[Line] = []
    until: date


@router.get("/groups", dependencies=[allowed("loans.group.list")])
def read_all(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    page = stored.group_rows(connection, *seen_by(who), cursor)
    return render(request, "groups.html", page=page, stages=group_words.STAGES)


# --- who is in it -----------------------------------------------------------------------

WRITE = [allowed("loans.proposal.write")]


@router.get("/proposals/{reference}/group", dependencies=WRITE)
def form(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _form(request, uow, who, reference)


def _form(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", lock=False)
    known = stored.group_of(uow.connection, reference)
    group = stored.groups(uow).get(known, for_update=False) if known else None
    values: dict[str, str] = {"version": str(proposal.version), "liability": "several"}
    if group is not None:
        values |= {"liability": group.liability, "lead_share": str(group.lead_share.amount)}
        for place, member in enumerate(group.members):
            values[f"members-{place}-organisation"] = member.organisation
            values[f"members-{place}-share"] = str(member.share.amount)
    given = more.pop("given", None) or values
    firms = [firm for firm in chain.firms(uow.connection, "msme") if firm[0] != proposal.organisation]
    return render(
        request,
        "group_form.html",
        status_code=422 if "errors" in more else 409 if more.get("conflict") else 200,
        proposal=proposal,
        group=group,
        values=given,
        rows=range(max(ROWS, len(group.members) + 2 if group else 0)),
        firms=firms,
        liabilities=[(name, words.say(said)) for name, said in group_words.LIABILITIES.items()],
        move_names={name: words.say(said) for name, said in group_words.MOVES.items()},
        **({"conflict": None} | more),
    )


def _form_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _form(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


SETTLE = [stay(_form_stays), *WRITE]


@router.post("/proposals/{reference}/group", dependencies=SETTLE)
def settle(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        data = forms.block_data(values) | {"version": forms.version_of(values)}
        data.setdefault("members", [])
        try:
            given = SettleIn.model_validate(data)
        except ValidationError as error:
            raise InvalidError(
                {name.replace(".", "-"): rule for name, rule in invalid(error).fields.items()}
            ) from error
        group = groups.settle(uow, who, reference, given.wanted(), version=given.version)
    except InvalidError as error:
        uow.abandon()
        return _form(request, uow, who, reference, errors=error.fields, given=values)
    return seen(f"/loans/groups/{group.id}")


@router.post("/proposals/{reference}/group/dissolve", dependencies=SETTLE)
def dissolve(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    groups.dissolve(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/proposals/{reference}")


# --- the group ----------------------------------------------------------------------------


@router.get("/groups/{reference}", dependencies=[allowed("loans.group.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    opened = groups.open_group(uow, who, reference)
    group, staff = opened.group, opened.side == "staff"
    letters = by_event(storage.letters(uow.connection, group.id, None if staff else who.organisation))
    entries = [(group.organisation_name, group.lead_share)]
    entries += [(member.name, member.share) for member in group.members]
    return render(
        request,
        "group.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        opened=opened,
        group=group,
        own=group.member(opened.own) if opened.own else None,
        shares=[(name, share, _bar(name, share.amount, group.asked().amount)) for name, share in entries],
        w=group_words,
        names=FIELDS,
        today=access.today(uow),
        lines=words.acts(storage.timeline(uow.connection, group.id, refused=staff), letters),
        move_names={name: words.say(said) for name, said in group_words.MOVES.items()},
        **({"conflict": None, "done": "", "chosen": []} | more),
    )


def _bar(name: str, share: Decimal, whole: Decimal) -> Any:
    part = share / whole if whole else Decimal(0)
    return chain_chart.bar(float(part), f"{name}: {part:.0%}", "var(--accent)")


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


ANSWER = [stay(_stays), allowed("loans.group.answer")]
Act = Callable[[], object]


def _do(*, request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: FormData, act: Act) -> Response:
    try:
        act()
    except InvalidError as error:
        uow.abandon()
        done = request.url.path.rsplit("/", 1)[-1]
        given, chosen = forms.posted_values(posted), posted.getlist("fields")
        more = {"errors": error.fields, "given": given, "done": done, "chosen": chosen}
        return _page(request, uow, who, reference, **more)
    return seen(f"/loans/groups/{reference}")


@router.post("/groups/{reference}/accept", dependencies=ANSWER)
def accept(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        given = forms.parsed(AcceptForm, posted)
        groups.accept(uow, who, reference, given.terms_sha256, given.facts(), version=given.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/groups/{reference}/decline", dependencies=ANSWER)
def decline(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        values = forms.posted_values(posted)
        groups.decline(uow, who, reference, values.get("why", "")[:2000], version=forms.version_of(values))

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/groups/{reference}/consent", dependencies=ANSWER)
def consent(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        given = forms.parsed(ConsentForm, posted)
        asked = groups.MemberAgreement(given.bank, list(given.fields), given.until)
        groups.consent(uow, who, reference, asked, version=given.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/groups/{reference}/consents/{bank}/revoke", dependencies=ANSWER)
def revoke(reference: str, bank: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    groups.revoke(uow, who, reference, bank, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/groups/{reference}")
