"""The page on which whoever kept a checkpoint sees whether the log has grown from it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from pydantic import Field
from sqlalchemy import Connection

from services.audit.domain.kept import MOST
from services.audit.domain.note import Verifier
from services.audit.handlers.checking import Verdict, check
from services.audit.pages.explorer import keys_of
from services.audit.signer.client import SignerSilentError
from services.audit.storage import tree, verifications
from shared.checkpoints import Kept
from shared.errors import InvalidError, Rule
from shared.web.dependencies import Reader, allowed
from shared.web.forms import FormModel
from shared.web.pages import render

router = APIRouter()
WIDTH = 640  # of the picture
_LEAST = 6  # so that a part that is there can be seen


class KeptForm(FormModel):
    """What somebody kept."""

    kept: Annotated[str, Field(max_length=MOST)] = ""


@router.get("/checkpoint", dependencies=[allowed("audit.tlog.read")])
def checkpoint(request: Request, connection: Reader) -> HTMLResponse:
    """Show the newest checkpoint, and the form in which a kept one is compared with the log."""
    return _page(request, connection)


@router.post("/checkpoint", dependencies=[allowed("audit.tlog.read")])
def compare(request: Request, form: Annotated[KeptForm, Form()], connection: Reader) -> HTMLResponse:
    """Say whether the log has grown from what somebody kept. Nothing is stored: not what, and not who asked."""
    verifiers = _verifiers(request)
    if not verifiers:
        untold = {"kept": Rule("can't be compared now: the signer has not told its key yet")}
        return _page(request, connection, kept=form.kept, errors=untold, status=422)
    try:
        verdict = check(connection, verifiers, form.kept)
    except InvalidError as error:
        return _page(request, connection, kept=form.kept, errors=error.fields, status=422)
    return _page(request, connection, kept=form.kept, verdict=verdict, picture=_picture(verdict))


def _page(request: Request, connection: Connection, *, status: int = 200, **more: Any) -> HTMLResponse:
    signed = tree.latest_checkpoint(connection)
    runs = verifications.latest(connection, 1)
    given: dict[str, Any] = {"kept": "", "errors": {}, "verdict": None, "picture": None} | more
    return render(
        request,
        "checkpoint.html",
        status_code=status,
        signed=signed,
        short=Kept(signed.size, signed.root.hex(), signed.note).short() if signed else "",
        verifier_keys=[key.encode() for key in _verifiers(request)],
        verified=runs[0] if runs else None,
        **given,
    )


def _verifiers(request: Request) -> list[Verifier]:
    """Return the keys under which the log was ever signed; none while that is not known here."""
    try:
        return keys_of(request).verifiers
    except SignerSilentError:
        return []


def _picture(verdict: Verdict) -> dict[str, float]:
    """Return the widths of two bars: the log as it was when it was signed, and as it is."""
    most = max(verdict.claim.size, verdict.size) or 1
    then, now = (max(_LEAST, round(WIDTH * size / most, 1)) for size in (verdict.claim.size, verdict.size))
    return {"then": then, "now": now, "width": WIDTH}
