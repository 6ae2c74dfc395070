"""What the loans service learns from the events of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.loans import storage
from services.loans.domain.finance import Finance
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.notifications import ActLinkIssued


def know_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep a person's name and organisation."""
    data = envelope.data
    storage.learn(
        uow, "person", id=data["user_id"], name=data["name"], organisation=data.get("organisation"), active=True
    )


def change_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep what a person is now; links that were given to what they were before work no more."""
    know_person(uow, envelope)
    end_links(uow, envelope)


def leave_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember that a person no longer signs in, by no link either."""
    forget_person(uow, envelope)
    end_links(uow, envelope)


def end_links(uow: UnitOfWork, envelope: Envelope) -> None:
    """Let the links of a person's letters work no more."""
    storage.end_links(uow.connection, envelope.data["user_id"], uow.now())


def know_link(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep the hash of a link of a letter, and whom it lets do what to which referral until when."""
    told = ActLinkIssued.model_validate(envelope.data)
    kind, _, reference = told.about.partition(":")
    if kind == "referral":
        facts = {"purpose": told.purpose, "person": told.recipient, "good_until": told.good_until}
        storage.learn(uow, "action_link", id=told.link_sha256, link=told.link_id, referral=reference, **facts)


def forget_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember that a person no longer signs in."""
    storage.deactivate(uow.connection, envelope.data["user_id"])


def know_organisation(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep an organisation's name, kind and country."""
    data = envelope.data
    optional = {name: data.get(name) for name in ("country", "registration_number")}
    storage.learn(uow, "organisation", id=data["organisation_id"], name=data["name"], kind=data["kind"], **optional)


def know_programme(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep a programme's rules for loans; a pack without finance.yaml has none."""
    data = envelope.data
    facts, finance = data["pack"].get("programme") or {}, data["pack"].get("finance")
    settings = facts.get("settings") or {}
    storage.learn(
        uow,
        "programme",
        id=data["programme_id"],
        name=str(_said(facts.get("name")) or data["programme_id"]),
        currency=settings.get("currency", "EUR"),
        country=settings.get("country", "MK"),
        pack_version=data["pack_version"],
        finance=Finance.model_validate(finance).model_dump(mode="json") if finance else None,
    )


def _said(name: Any) -> Any:
    return name.get("en") if isinstance(name, dict) else name


def know_supporter(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember that an organisation holds an award: it supports MSMEs in their proposals."""
    data = envelope.data
    storage.learn(
        uow,
        "supporter",
        organisation=data["organisation_id"],
        programme=data.get("programme") or envelope.programme,
        name=data["organisation_name"],
        award=data["reference"],
        since=envelope.time,
    )


def know_letter(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep what became of a letter about a case of this service."""
    data = envelope.data
    if envelope.case is None or not data["event_type"].startswith("loans."):
        return
    storage.learn(
        uow,
        "letter",
        id=envelope.entity,
        case=envelope.case,
        at=envelope.time,
        event=data["event_id"],
        **{name: data[name] for name in ("recipient", "recipient_name", "channel", "title", "state")},
    )


ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {
    "portal.user.registered": know_person,
    "portal.user.changed": change_person,
    "portal.user.deactivated": leave_person,
    "portal.organisation.registered": know_organisation,
    "portal.organisation.changed": know_organisation,
    "portal.programme.loaded": know_programme,
    "grants.application.awarded": know_supporter,
    "notifications.link.issued": know_link,
    "notifications.delivery.queued": know_letter,
    "notifications.delivery.sent": know_letter,
    "notifications.delivery.failed": know_letter,
    "notifications.delivery.suppressed": know_letter,
    "notifications.delivery.read": know_letter,
}
