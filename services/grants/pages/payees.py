"""Bank details: the page of an organisation's, the forms on it, and the list of what waits to be confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from services.grants.api.applications import file_answer, store, vault
from services.grants.domain.bank_account import grouped
from services.grants.domain.payee import Details, Payee
from services.grants.handlers import payees
from services.grants.handlers.base import Command
from services.grants.pages.common import back, show
from services.grants.pages.form import Posted
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, Rule
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity, has_confirmed

router = APIRouter()
_OF = "/organisations/{organisation}/bank"
_ONE = _OF + "/{number}"
Act = Callable[..., Payee]


def path(organisation: str) -> str:
    """Return the address of an organisation's bank details."""
    return f"/grants/organisations/{organisation}/bank"


def _page(request: Request, uow: UnitOfWork, who: Identity, organisation: str, **more: Any) -> HTMLResponse:
    seen = payees.seen(uow, who, organisation, vault(request))
    payee, now = seen.payee, uow.now()
    context: dict[str, Any] = {
        "seen": seen,
        "payee": payee,
        "version": payee.version if payee else 0,
        "rows": [_row(seen, item) for item in reversed(payee.details)] if payee else [],
        "now": now,
        "base": path(seen.organisation),
        "may": {name: payees.may(who, f"grants.payee.{name}", seen) for name in ("enter", "confirm", "refuse", "block")}
        | {"lift": payees.may(who, payees.LIFT, seen) and not seen.own},
        "step_up": not has_confirmed(who, now),
        "errors": {},
        "typed": {},
        "conflict": None,
    }
    return show(request, "payee.html", **(context | more))


def _row(seen: payees.Seen, item: Details) -> dict[str, Any]:
    whole = seen.numbers.get(item.number)
    return {
        "item": item,
        "value": grouped(whole) if whole else None,
        "free_at": item.free_at(seen.hours, seen.programme),
        "doubts": [] if seen.own else payees.doubts(item, seen.shared_with.get(item.number, [])),
    }


@router.get("/bank-details", dependencies=[allowed(payees.LIST)])
def listed(request: Request, who: Who, connection: Reader, *, every: bool = False) -> HTMLResponse:
    """Show whose bank details wait to be confirmed, or all."""
    items = payees.listed(connection, who, waiting=not every)
    return show(request, "payees.html", items=items, every=every)


@router.get(_OF, dependencies=[allowed(payees.READ)])
def details(request: Request, organisation: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show an organisation's bank details, those in use and those before."""
    return _page(request, uow, who, organisation)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = request.state.typed | {"form": request.scope["path"]}
    organisation = request.path_params["organisation"]
    return _page(request, uow, who, organisation, conflict=problem, typed=typed, status_code=409)


STAY = stay(_stays)


_LIMITS = {"iban": 60, "bic": 20, "country": 2, "account": 60, "bank": 120, "holder": 140}


@router.post(_OF, dependencies=[STAY, allowed(payees.ENTER)], response_model=None)
def enter(  # noqa: PLR0917 - a form with a file beside what every route has
    request: Request,
    organisation: str,
    fields: Posted,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Enter bank details; refused, the form comes back as it was typed, with the rule at each field."""
    given = {name: str(fields.get(name, "")).strip() for name in _LIMITS}
    name, content = (file.filename or "", file.file) if file else ("", None)

    def act() -> Payee:
        command = _command(given, str(fields.get("version", "")))
        place, keys = store(request), vault(request)
        return payees.enter(uow, who, organisation, command, vault=keys, store=place, name=name, content=content)

    return _answer(request, uow, who, given, act)


def _command(given: dict[str, str], version: str) -> payees.EnterDetails:
    wrong: dict[str, str] = {
        name: Rule("has %(has)s characters; at most %(most)s", has=len(given[name]), most=most)
        for name, most in _LIMITS.items()
        if len(given[name]) > most
    }
    if not version.isdecimal():
        wrong["version"] = "is not a whole number"
    if wrong:
        raise InvalidError(wrong)
    return payees.EnterDetails(**given, version=int(version))


def _answer(
    request: Request, uow: UnitOfWork, who: Identity, given: dict[str, Any], act: Callable[[], Payee]
) -> Response:
    organisation: str = request.path_params["organisation"]
    try:
        act()
    except InvalidError as error:
        uow.abandon()
        typed = given | {"form": request.scope["path"]}
        return _page(request, uow, who, organisation, errors=error.fields, typed=typed, status_code=422)
    return back(path(organisation))


class NoteForm(FormModel):
    """The form that confirms."""

    note: str = ""
    version: int


class WhyForm(FormModel):
    """The form of an act with its reason."""

    why: str = ""
    version: int


def _add(name: str, action: str, form_of: type[FormModel], command_of: type[Command], act: Act) -> None:
    def endpoint(  # noqa: PLR0917 - a form beside what every route has
        request: Request, organisation: str, number: int, form: Annotated[Any, Form()], who: Who, uow: Uow
    ) -> Response:
        given = form.model_dump(exclude={"csrf"})
        command = command_of.model_validate(given)
        keys = (vault(request),) if act is payees.confirm else ()  # whoever confirms is told who else has the number
        return _answer(request, uow, who, given, lambda: act(uow, who, organisation, number, command, *keys))

    endpoint.__doc__ = act.__doc__
    endpoint.__annotations__["form"] = Annotated[form_of, Form()]
    router.post(f"{_ONE}/{name}", dependencies=[STAY, allowed(action)], response_model=None)(endpoint)


_add("confirmation", payees.CONFIRM, NoteForm, payees.Confirmation, payees.confirm)
_add("refusal", payees.REFUSE, WhyForm, payees.Because, payees.refuse)
_add("lift", payees.LIFT, WhyForm, payees.Because, payees.lift)
_add("block", payees.BLOCK, WhyForm, payees.Because, payees.block)


@router.get(_ONE + "/letter", dependencies=[allowed(payees.REVEAL)])
def letter(request: Request, organisation: str, number: int, who: Who, uow: Uow) -> Response:
    """Download the bank's letter; the read is recorded."""
    return file_answer(*payees.letter(uow, who, organisation, number, store(request), vault(request)))
