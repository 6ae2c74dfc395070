"""Asking a colleague of one's organisation to write a draft too."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse

from services.grants.handlers import editing
from services.grants.pages.common import back, case_path
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel

router = APIRouter()


class InviteForm(FormModel):
    """The form that asks a colleague."""

    colleague: str


@router.post("/applications/{reference}/editors", dependencies=[allowed(editing.INVITE)])
def invite(reference: str, form: Annotated[InviteForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Ask a colleague to write too; they get a letter."""
    editing.invite(uow, who, reference, editing.InviteEditor(colleague=form.colleague))
    return back(case_path(reference, "form"))


@router.post("/api/applications/{reference}/editors", dependencies=[allowed(editing.INVITE)])
def invite_by_machine(reference: str, command: editing.InviteEditor, who: Who, uow: Uow) -> dict[str, str]:
    """Ask a colleague to write too; they get a letter."""
    return {"reference": editing.invite(uow, who, reference, command).id, "colleague": command.colleague}
