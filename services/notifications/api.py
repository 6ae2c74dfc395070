"""Letters for machines: my inbox, deliveries of a case, what the catcher caught."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from services.notifications import catcher, storage, views
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.handlers import inbox, previewing
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["notifications"])

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=300)]
Case = Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")]


class LetterOut(BaseModel):
    """A letter in its reader's inbox."""

    id: str
    case: str | None
    category: str
    subject: str
    text: str
    link: str
    locale: str
    sent_at: datetime | None
    read_at: datetime | None

    @classmethod
    def of(cls, item: Delivery) -> LetterOut:
        """Return the outside view of a delivery."""
        same = ("id", "category", "subject", "text", "link", "locale", "sent_at", "read_at")
        return cls(case=item.case_reference, **{name: getattr(item, name) for name in same})


class InboxOut(BaseModel):
    """A page of an inbox."""

    unread: int
    letters: list[LetterOut]
    next: str | None


class AttemptOut(BaseModel):
    """One attempt to hand a letter over."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    verdict: str | None
    code: int | None
    reply: str | None


class DeliveryOut(BaseModel):
    """Where a letter stands; addresses and texts are not told."""

    id: str
    event_id: str
    event_type: str
    rule: str
    case: str | None
    programme: str | None
    recipient: str
    recipient_name: str
    channel: str
    category: str
    template: str
    template_version: str
    locale: str
    subject: str
    status: Status
    attempts: int
    due_at: datetime | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, item: Delivery) -> DeliveryOut:
        """Return the outside view of a delivery."""
        same = [name for name in cls.model_fields if name != "case"]
        return cls(case=item.case_reference, **{name: getattr(item, name) for name in same})


class DeliveriesOut(BaseModel):
    """A page of deliveries."""

    deliveries: list[DeliveryOut]
    next: str | None


class DeliveryDetailOut(DeliveryOut):
    """A delivery with its attempts and the decision by which it came to be."""

    tries: list[AttemptOut]
    decision: list[dict[str, Any]]


class MailOut(BaseModel):
    """A letter that the built-in catcher took."""

    name: str
    to: str
    subject: str
    date: str
    message_id: str
    text: str


@router.get("/inbox", dependencies=[allowed("notifications.inbox.read")])
def my_inbox(who: Who, reader: Reader, cursor: Cursor = None, limit: Limit = 50, *, unread: bool = False) -> InboxOut:
    """Return my letters, newest first."""
    page = views.inbox(reader, who, unread=unread, cursor=cursor, limit=limit)
    count = storage.unread_count(reader, who.user)
    return InboxOut(unread=count, letters=[LetterOut.of(item) for item in page.items], next=page.next)


@router.post("/inbox/{delivery_id}/read", dependencies=[allowed("notifications.inbox.mark")])
def mark_read(delivery_id: UUID, who: Who, uow: Uow) -> LetterOut:
    """Mark one of my letters as read."""
    return LetterOut.of(inbox.mark_read(uow, who.user, str(delivery_id)))


@router.get("/deliveries", dependencies=[allowed("notifications.delivery.read")])
def deliveries(
    who: Who,
    reader: Reader,
    *,
    case: Case = None,
    status: Status | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveriesOut:
    """Return deliveries, newest first, of one case or of all that I may see."""
    page = views.listed(reader, who, case=case, status=status, cursor=cursor, limit=limit)
    return DeliveriesOut(deliveries=[DeliveryOut.of(item) for item in page.items], next=page.next)


@router.get("/deliveries/{delivery_id}", dependencies=[allowed("notifications.delivery.read")])
def delivery(delivery_id: UUID, who: Who, reader: Reader) -> DeliveryDetailOut:
    """Return one delivery with its attempts and why it was written."""
    found = views.visible_delivery(reader, who, str(delivery_id))
    decision = storage.decision_of(reader, UUID(found.event_id), found.rule)
    return DeliveryDetailOut(
        **DeliveryOut.of(found).model_dump(),
        tries=[AttemptOut.model_validate(row) for row in storage.attempts_of(reader, found.id)],
        decision=decision["trace"] if decision else [],
    )


@router.post("/deliveries/{delivery_id}/resend", dependencies=[allowed("notifications.delivery.resend")])
def resend(delivery_id: UUID, uow: Uow) -> DeliveryOut:
    """Send a letter that finally failed once more."""
    return DeliveryOut.of(inbox.resend(uow, str(delivery_id)))


class PreviewOut(BaseModel):
    """A letter as it would go out now; `because` says why it would not, `words` which of the actor's it carries."""

    recipient: str
    channel: str
    locale: str
    subject: str
    text: str
    because: str
    words: list[str]


@router.post("/preview", dependencies=[allowed(previewing.PREVIEW)])
def preview(draft: previewing.Draft, who: Who, uow: Uow) -> list[PreviewOut]:
    """Return the letters that an event would bring if it happened now; nothing is kept."""
    return [
        PreviewOut(
            recipient=one.letter.recipient_name,
            channel=one.letter.channel,
            locale=one.letter.locale,
            subject=one.letter.subject,
            text=one.letter.text,
            because=one.because,
            words=one.words,
        )
        for one in previewing.preview(uow, who, draft)
    ]


@router.get("/mail", dependencies=[allowed("notifications.mail.read")])
def mail(request: Request, limit: Limit = 50) -> list[MailOut]:
    """Return what this machine's catcher took, newest first."""
    found = catcher.caught(catcher.folder_of(request.app.state.settings), limit=limit, whole=True)
    return [
        MailOut(
            name=item.name,
            to=item.header("To"),
            subject=item.header("Subject"),
            date=item.header("Date"),
            message_id=item.header("Message-ID"),
            text=item.text,
        )
        for item in found
    ]
