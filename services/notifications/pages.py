"""Pages: my inbox, what I want by e-mail; for staff, what became of each letter and why it was written."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from services.notifications import catcher, storage, views
from services.notifications.api import Case, Cursor
from services.notifications.domain.delivery import Status
from services.notifications.handlers import inbox as act
from services.notifications.handlers import previewing
from services.notifications.policy import POLICY
from shared.errors import NotFoundError
from shared.events.notifications import RecordViewed
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.errors import partial
from shared.web.forms import FormModel, invalid
from shared.web.pages import render
from shared.web.paging import Page
from shared.web.redirects import local_path

router = APIRouter(include_in_schema=False)

INBOX = "/notifications/inbox"
PREFERENCES = "/notifications/preferences"
INBOX_PAGE = 25


class Sent(FormModel):
    """A form with nothing to fill in."""


class Drafted(FormModel):
    """What another service's page wants to see the letters of: a draft of an event as JSON."""

    event: str


class Preferences(FormModel):
    """The categories wanted by e-mail."""

    email: list[str] = []


def _back(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)


@router.get("/", dependencies=[allowed("notifications.inbox.read")])
def home() -> RedirectResponse:
    return _back(INBOX)


@router.get("/inbox", dependencies=[allowed("notifications.inbox.read")])
def inbox(request: Request, who: Who, reader: Reader, cursor: Cursor = None, *, unread: bool = False) -> HTMLResponse:
    page = views.inbox(reader, who, unread=unread, cursor=cursor, limit=INBOX_PAGE)
    names = {name: category.name for name, category in storage.all_categories(reader).items()}
    count = storage.unread_count(reader, who.user)
    return render(request, "inbox.html", page=page, count=count, unread=unread, names=names)


@router.get("/bell", dependencies=[allowed("notifications.inbox.read")])
def bell(request: Request, who: Who, reader: Reader) -> HTMLResponse:
    return render(request, "bell.html", count=storage.unread_count(reader, who.user))


@router.post("/inbox/read", dependencies=[allowed("notifications.inbox.mark")])
def read_all(_form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    act.mark_all_read(uow, who.user)
    return _back(INBOX)


@router.post("/inbox/{delivery_id}/open", dependencies=[allowed("notifications.inbox.mark")])
def open_letter(delivery_id: UUID, _form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    letter = act.mark_read(uow, who.user, str(delivery_id))
    return _back(local_path(views.page_path(letter.link), otherwise=INBOX))


@router.post("/inbox/{delivery_id}/read", dependencies=[allowed("notifications.inbox.mark")])
def read_one(delivery_id: UUID, _form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    act.mark_read(uow, who.user, str(delivery_id))
    return _back(INBOX)


@router.post("/inbox/{delivery_id}/unread", dependencies=[allowed("notifications.inbox.mark")])
def unread_one(delivery_id: UUID, _form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    act.mark_unread(uow, who.user, str(delivery_id))
    return _back(INBOX)


@router.get("/preferences", dependencies=[allowed("notifications.preference.read")])
def preferences(request: Request, who: Who, reader: Reader, *, saved: bool = False) -> HTMLResponse:
    categories = storage.all_categories(reader)
    muted = storage.muted_categories(reader, who.user)
    return render(request, "preferences.html", categories=categories, muted=muted, saved=saved)


@router.post("/preferences", dependencies=[allowed("notifications.preference.change")])
def choose(form: Annotated[Preferences, Form()], who: Who, uow: Uow) -> RedirectResponse:
    act.choose_categories(uow, who.user, form.email)
    return _back(f"{PREFERENCES}?saved=true")


@router.post("/preview", dependencies=[allowed(previewing.PREVIEW)])
def preview(request: Request, form: Annotated[Drafted, Form()], who: Who, uow: Uow) -> HTMLResponse:
    """Show the letters that an act would bring, as a part of another page or as a page of its own; nothing is kept."""
    try:
        draft = previewing.Draft.model_validate_json(form.event)
    except ValidationError as error:
        raise invalid(error) from error
    shown = previewing.preview(uow, who, draft)
    template = "preview_part.html" if partial(request) else "preview.html"
    return render(request, template, shown=shown, case=draft.case, words=views)


@router.get("/deliveries", dependencies=[allowed("notifications.delivery.read")])
def deliveries(
    request: Request,
    who: Who,
    reader: Reader,
    *,
    case: Case = None,
    status: Annotated[str, Query(max_length=24)] = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    wanted = Status(status) if status in set(Status) else None
    page = views.listed(reader, who, case=case or None, status=wanted, cursor=cursor)
    visible = views.visible_programmes(who)
    decided = storage.decisions_of_case(reader, case) if case else []
    decisions = [item for item in decided if visible is None or item["programme"] in visible]
    return render(
        request,
        "deliveries.html",
        page=page,
        case=case or "",
        status=wanted,
        decisions=decisions,
        refused=storage.refused_rules(reader),
        words=views,
        statuses=list(Status),
    )


@router.get("/deliveries/{delivery_id}", dependencies=[allowed("notifications.delivery.read")])
def delivery(request: Request, delivery_id: UUID, who: Who, uow: Uow) -> HTMLResponse:
    found = views.visible_delivery(uow.connection, who, str(delivery_id))
    viewed = RecordViewed(record=f"delivery:{found.id}", what="letter")
    uow.record(viewed, entity=f"record:{uow.ids()}", case=found.case_reference, programme=found.programme)
    decision = storage.decision_of(uow.connection, UUID(found.event_id), found.rule)
    return render(
        request,
        "delivery.html",
        item=found,
        attempts=storage.attempts_of(uow.connection, found.id),
        steps=decision["trace"] if decision else [],
        may_resend=bool(POLICY.scopes("notifications.delivery.resend", who)),
        words=views,
    )


@router.post("/deliveries/{delivery_id}/resend", dependencies=[allowed("notifications.delivery.resend")])
def resend(delivery_id: UUID, _form: Annotated[Sent, Form()], uow: Uow) -> RedirectResponse:
    act.resend(uow, str(delivery_id))
    return _back(f"/notifications/deliveries/{delivery_id}")


Before = Annotated[str | None, Query(max_length=60)]


@router.get("/mail", dependencies=[allowed("notifications.mail.read")])
def mail(request: Request, cursor: Before = None) -> HTMLResponse:
    settings: Any = request.app.state.settings
    found = catcher.caught(catcher.folder_of(settings), before=cursor, limit=views.PAGE + 1)
    page = Page(found[: views.PAGE], found[views.PAGE - 1].name if len(found) > views.PAGE else None)
    return render(request, "mail.html", page=page, smtp_url=settings.smtp_url)


@router.get("/mail/{name}", dependencies=[allowed("notifications.mail.read")])
def letter(request: Request, name: str, uow: Uow) -> HTMLResponse:
    found = catcher.read(catcher.folder_of(request.app.state.settings), name)
    if found is None:
        raise NotFoundError("There is no such letter")
    uow.record(RecordViewed(record=f"mail:{name}", what="letter"), entity=f"record:{uow.ids()}")
    return render(request, "letter.html", item=found, headers=list(found.message.items()))
