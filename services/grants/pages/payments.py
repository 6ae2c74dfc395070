"""The forms on a case's money page that are answered alike: of milestones, tranches and refunds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.grants.domain.award import Award
from services.grants.handlers import awarding, paying, viewing
from services.grants.handlers.base import Command
from services.grants.pages.common import back, case_path
from services.grants.pages.money import STAY, money_page
from services.grants.pages.posted import posted
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity

router = APIRouter(prefix="/applications/{reference}")
Act = Callable[[UnitOfWork, Identity, str, int, Any], Award]
# What can be done with a tranche: the address, the action of the policy, the command, the act.
ACTS: dict[str, tuple[str, type[Command], Act]] = {
    "request": ("grants.tranche.request", paying.RequestTranche, paying.request),
    "certificate": ("grants.tranche.certify", paying.CertifyTranche, paying.certify),
    "release": ("grants.tranche.release", paying.DecideTranche, paying.decide),
    "hold": ("grants.tranche.hold", paying.HoldTranche, paying.hold),
    "unhold": ("grants.tranche.hold", paying.Explained, paying.unhold),
    "payment": ("grants.payment.confirm", paying.ConfirmPayment, paying.confirm),
    "reversal": ("grants.payment.reverse", paying.ReversePayment, paying.reverse),
}
# And with a milestone.
MILESTONES: dict[str, tuple[str, type[Command], Act]] = {
    "verification": ("grants.milestone.verify", awarding.SettleMilestone, awarding.settle),
}
BACK: dict[str, tuple[str, type[Command], Act]] = {
    "receipt": ("grants.refund.receive", paying.ReceiveRefund, paying.receive_refund),
    "drop": ("grants.refund.drop", paying.Explained, paying.drop_refund),
}


def _command(kind: type[Command], fields: FormData, currency: str) -> Command:
    """Return the command that a form stands for: an amount is in the case's currency, what is empty is left out."""
    given: dict[str, Any] = {name: value for name, value in fields.items() if value != "" and name != "csrf"}
    if "amount" in given:
        given["amount"] = {"amount": given["amount"], "currency": currency}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        refused = invalid(error)
        raise InvalidError({name.removesuffix(".amount"): rule for name, rule in refused.fields.items()}) from error


def _answer(
    request: Request, uow: UnitOfWork, who: Identity, kind: type[Command], act: Callable[[Any], Any]
) -> Response:
    """Do what a form asks for, and go back; refused, the page comes back with what was typed and what is wrong."""
    reference: str = request.path_params["reference"]
    fields: FormData = request.state.form
    application = viewing.application_seen(uow, who, reference)
    try:
        act(_command(kind, fields, application.currency))
    except InvalidError as error:
        uow.abandon()
        typed = {name: value for name, value in fields.items() if isinstance(value, str)}
        more = {"payment_errors": error.fields, "given": typed | {"form": request.scope["path"]}, "status_code": 422}
        return money_page(request, uow, who, reference, **more)
    return back(case_path(reference, "money"))


async def _fields(request: Request) -> None:
    request.state.form = await posted(request)


def _add(path: str, action: str, kind: type[Command], act: Act) -> None:
    def endpoint(request: Request, reference: str, number: int, who: Who, uow: Uow) -> Response:
        return _answer(request, uow, who, kind, lambda command: act(uow, who, reference, number, command))

    endpoint.__doc__ = act.__doc__
    router.post(path, dependencies=[STAY, Depends(_fields), allowed(action)], response_model=None)(endpoint)


for _name, _of in ACTS.items():
    _add("/tranches/{number}/" + _name, *_of)
for _name, _of in MILESTONES.items():
    _add("/milestones/{number}/" + _name, *_of)
for _name, _of in BACK.items():
    _add("/refunds/{number}/" + _name, *_of)


@router.post("/refunds", dependencies=[STAY, Depends(_fields), allowed("grants.refund.demand")])
def demand(request: Request, reference: str, who: Who, uow: Uow) -> Response:
    """Demand that the recipient pays back."""
    kind = paying.DemandRefund
    return _answer(request, uow, who, kind, lambda command: paying.demand_refund(uow, who, reference, command))
