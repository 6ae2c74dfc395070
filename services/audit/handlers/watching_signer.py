"""The timer that has the log signed, and what it says when it is not: a refusal is an alarm, silence becomes one."""

from __future__ import annotations

from datetime import timedelta

from services.audit.handlers.signing import ForkedLogError, SilentError, sign_checkpoint
from services.audit.keys import Keys
from services.audit.signer.client import SignerSilentError
from services.audit.signer.wire import Beginning
from services.audit.storage import signing, tree
from services.audit.storage.signing import Trouble
from shared.database import UnitOfWork
from shared.events.audit import SigningResumed, SigningStopped
from shared.settings import settings

SIGN_SECONDS = 5.0
PATIENCE = timedelta(seconds=60)  # the signer may be starting anew
ENTITY = "signing:log"


def sign(uow: UnitOfWork) -> None:
    """Have a checkpoint signed when the log has grown; everything else goes on when it can't be."""
    keep_signing(uow, Keys.of(settings()))


def keep_signing(uow: UnitOfWork, keys: Keys) -> None:
    """Sign, and note when signing stops and when it goes on."""
    try:
        signed = sign_checkpoint(uow.connection, keys, clock=uow.clock)
    except ForkedLogError as error:
        _stopped(uow, "refused", str(error))
    except SilentError as error:
        _stopped(uow, "silent", str(error))
    else:
        _resumed(uow, keys, signed.size if signed else 0)


def _stopped(uow: UnitOfWork, kind: str, reason: str) -> None:
    present, now = signing.present(uow.connection), uow.now()
    if present and present.kind != kind:
        signing.end(uow.connection, present.id, now)
        present = None
    if present is None:
        latest = tree.latest_checkpoint(uow.connection)
        signed, size = latest.size if latest else 0, tree.head(uow.connection).size
        present = Trouble(uow.ids(), kind, reason[:400], signed, size, now, told=False)
        signing.add(uow.connection, present)
    if not present.told and (kind == "refused" or now - present.since >= PATIENCE):
        signing.tell(uow.connection, present.id)
        told = {"kind": kind, "problem": present.reason, "signed": present.signed, "size": present.size}
        uow.record(SigningStopped(**told), entity=ENTITY, outcome="refused")


def _resumed(uow: UnitOfWork, keys: Keys, size: int) -> None:
    trouble = signing.present(uow.connection)
    if trouble is None:
        return
    signing.end(uow.connection, trouble.id, uow.now())
    if trouble.told:
        began = _began(keys, trouble)
        event = SigningResumed(
            signed=size,
            stopped_at=trouble.since,
            begun_again=began.reason if began else None,
            signed_before=began.size if began else None,
        )
        uow.record(event, entity=ENTITY)


def _began(keys: Keys, trouble: Trouble) -> Beginning | None:
    """Return what the operator told the signer, if that is why it signs again."""
    try:
        began = keys.notary.state().began
    except SignerSilentError:
        return None
    return began if began and began.at >= trouble.since.isoformat(timespec="seconds") else None
