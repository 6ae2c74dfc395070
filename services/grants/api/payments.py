"""JSON: what is done with a tranche and with a refund. `version` in the commands is that of the award.

Where the programme wants the password again, the answer is 403 `step-up-required`: send it to `POST /api/confirm`
of the portal with the same session or key, and repeat the act within five minutes.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.api.awards import award_view
from services.grants.domain.award import Award
from services.grants.handlers import paying, viewing
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["payments"])
_CASE = "/applications/{reference}/award"
_ONE = _CASE + "/tranches/{number}"
_BACK = _CASE + "/refunds"


def _view(uow: UnitOfWork, award: Award) -> dict[str, Any]:
    uow.flush()  # so that the answer carries the version that the next act must name
    return award_view(award)


@router.get(_ONE, dependencies=[allowed("grants.award.read")])
def tranche(reference: str, number: int, who: Who, uow: Uow) -> dict[str, Any]:
    """Return a tranche with how much of it may be released now, and what holds the rest."""
    application = viewing.application_seen(uow, who, reference)
    award = reads.find_award(uow.connection, application.id)
    if award is None:
        raise NotFoundError("There is no award yet")
    rules = paying.rules_of(uow, application)
    held = [{"rule": str(item), "most": item.most.model_dump(mode="json")} for item in award.held_by(number, rules)]
    free = award.releasable(number, rules).model_dump(mode="json")
    return award.tranche(number).model_dump(mode="json") | {"releasable": free, "held_by": held}


@router.post(_ONE + "/request", dependencies=[allowed("grants.tranche.request")])
def request(reference: str, number: int, command: paying.RequestTranche, who: Who, uow: Uow) -> dict[str, Any]:
    """Ask that a tranche be paid."""
    return _view(uow, paying.request(uow, who, reference, number, command))


@router.post(_ONE + "/certificate", dependencies=[allowed("grants.tranche.certify")])
def certify(reference: str, number: int, command: paying.CertifyTranche, who: Who, uow: Uow) -> dict[str, Any]:
    """Certify how much of a requested tranche may be paid, for which time, and what for."""
    return _view(uow, paying.certify(uow, who, reference, number, command))


@router.post(_ONE + "/release", dependencies=[allowed("grants.tranche.release")])
def decide(reference: str, number: int, command: paying.DecideTranche, who: Who, uow: Uow) -> dict[str, Any]:
    """Release a tranche that others requested and certified, or the part that the conditions hold; or refuse it."""
    return _view(uow, paying.decide(uow, who, reference, number, command))


@router.post(_ONE + "/hold", dependencies=[allowed("grants.tranche.hold")])
def hold(reference: str, number: int, command: paying.HoldTranche, who: Who, uow: Uow) -> dict[str, Any]:
    """Put a tranche on hold."""
    return _view(uow, paying.hold(uow, who, reference, number, command))


@router.post(_ONE + "/unhold", dependencies=[allowed("grants.tranche.hold")])
def unhold(reference: str, number: int, command: paying.Explained, who: Who, uow: Uow) -> dict[str, Any]:
    """Let a tranche that somebody else put on hold go on."""
    return _view(uow, paying.unhold(uow, who, reference, number, command))


@router.post(_ONE + "/payment", dependencies=[allowed("grants.payment.confirm")])
def confirm(reference: str, number: int, command: paying.ConfirmPayment, who: Who, uow: Uow) -> dict[str, Any]:
    """Confirm that the bank paid a tranche."""
    return _view(uow, paying.confirm(uow, who, reference, number, command))


@router.post(_ONE + "/reversal", dependencies=[allowed("grants.payment.reverse")])
def reverse(reference: str, number: int, command: paying.ReversePayment, who: Who, uow: Uow) -> dict[str, Any]:
    """Take back a confirmation: the bank returned the money, or it was a mistake."""
    return _view(uow, paying.reverse(uow, who, reference, number, command))


@router.post(_BACK, status_code=201, dependencies=[allowed("grants.refund.demand")])
def demand(reference: str, command: paying.DemandRefund, who: Who, uow: Uow) -> dict[str, Any]:
    """Demand that the recipient pays back what is not accounted for, or a part of it."""
    return _view(uow, paying.demand_refund(uow, who, reference, command))


@router.post(_BACK + "/{number}/receipt", dependencies=[allowed("grants.refund.receive")])
def receive(reference: str, number: int, command: paying.ReceiveRefund, who: Who, uow: Uow) -> dict[str, Any]:
    """Record that a refund, or a part of it, has come in."""
    return _view(uow, paying.receive_refund(uow, who, reference, number, command))


@router.post(_BACK + "/{number}/drop", dependencies=[allowed("grants.refund.drop")])
def drop(reference: str, number: int, command: paying.Explained, who: Who, uow: Uow) -> dict[str, Any]:
    """Demand the rest of a refund no more."""
    return _view(uow, paying.drop_refund(uow, who, reference, number, command))
