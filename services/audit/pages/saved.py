"""Saved searches: keep the present one, open one, take one away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path
from fastapi.responses import RedirectResponse
from pydantic import Field

from services.audit.handlers import saved
from services.audit.search_views import address
from shared.asking import MAX_TEXT
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel

router = APIRouter(prefix="/searches", include_in_schema=False)
SAVE = allowed("audit.search.save")
Id = Annotated[str, Path(max_length=80)]


class SaveForm(FormModel):
    name: Annotated[str, Field(max_length=200)] = ""
    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    shared: bool = False
    frozen: bool = False


@router.post("", dependencies=[SAVE])
def keep(form: Annotated[SaveForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Keep the present search under a name."""
    saved.keep(uow, who, name=form.name, query=form.q, shared=form.shared, frozen=form.frozen)
    return RedirectResponse(address(form.q), 303)


@router.get("/{search_id}", dependencies=[allowed("audit.log.search")])
def opened(search_id: Id, who: Who, uow: Uow) -> RedirectResponse:
    """Open a saved search: its address can be shared, and opening it is recorded."""
    return RedirectResponse(address(saved.open_saved(uow, who, search_id)), 303)


@router.post("/{search_id}/removal", dependencies=[SAVE])
def drop(search_id: Id, _form: Annotated[FormModel, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Take a saved search away."""
    saved.drop(uow, who, search_id)
    return RedirectResponse("/audit/", 303)
