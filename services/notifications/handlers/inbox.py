"""What people do with their letters: read them, choose what comes by e-mail; what operators do: send again."""

from __future__ import annotations

from collections.abc import Iterable

from services.notifications import storage
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.preference import Preference
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError

MARK_AT_ONCE = 500


def _own(uow: UnitOfWork, user_id: str, delivery_id: str) -> Delivery:
    delivery = storage.deliveries(uow).find(delivery_id, for_update=True)
    if delivery is None or delivery.recipient != user_id or delivery.channel != "inbox":
        raise NotFoundError("There is no such letter in your inbox")
    return delivery


def mark_read(uow: UnitOfWork, user_id: str, delivery_id: str) -> Delivery:
    """Note that a person has read a letter of their inbox."""
    delivery = _own(uow, user_id, delivery_id)
    delivery.read(uow.now())
    return delivery


def mark_unread(uow: UnitOfWork, user_id: str, delivery_id: str) -> Delivery:
    """Let a letter stand out again."""
    delivery = _own(uow, user_id, delivery_id)
    delivery.unread()
    return delivery


def mark_all_read(uow: UnitOfWork, user_id: str) -> int:
    """Mark the newest unread letters (at most 500) as read, and return how many."""
    unread = storage.inbox(uow.connection, user_id, unread=True, limit=MARK_AT_ONCE)
    for item in unread:
        mark_read(uow, user_id, item.id)
    return len(unread)


def choose_categories(uow: UnitOfWork, user_id: str, wanted: Iterable[str]) -> Preference:
    """Keep which categories a person wants by e-mail; the others are muted, locked ones can't be."""
    free = {name for name, category in storage.all_categories(uow.connection).items() if not category.locked}
    chosen = set(wanted)
    if unknown := sorted(chosen - free):
        raise InvalidError({"email": f"{unknown[0]} is not a category that can be chosen"})
    repository = storage.preferences(uow)
    preference = repository.find(user_id, for_update=True) or repository.add(Preference(id=user_id))
    preference.choose(free - chosen)
    return preference


def resend(uow: UnitOfWork, delivery_id: str) -> Delivery:
    """Send a letter that finally failed once more, to the address that the person has now."""
    delivery = storage.deliveries(uow).get(delivery_id)
    person = storage.person_by_id(uow.connection, delivery.recipient)
    if person is None or not person.active or not person.email:
        raise InvalidError({"recipient": "has no address to send to any more"})
    delivery.resend(person.email, uow.now())
    return delivery
