"""People and organisations: adding, changing and ending, and their passwords."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from services.portal import passwords, storage
from services.portal.domain import ORGANISATION_KINDS, ROLES, Organisation, User, check_password, normal_email
from services.portal.handlers.sessions import record_closed
from services.portal.storage.forgetting import forget
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.i18n import Locale

__all__ = ["ORGANISATION_KINDS", "ROLES"]


class NewUser(BaseModel):
    """Who is to sign in from now on."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str
    email: str
    roles: list[str]
    organisation: str | None = None
    locale: Locale = "en"
    programmes: list[str] = []


def add_user(uow: UnitOfWork, new: NewUser, password: str | None = None) -> tuple[User, str]:
    """Add a person; returns them and their password, which is generated unless given."""
    if storage.user_by_email(uow, normal_email(new.email)) is not None:
        raise ConflictError("There is already a person with the address %(email)s", email=normal_email(new.email))
    if new.organisation and storage.organisations(uow).find(new.organisation) is None:
        raise InvalidError({"organisation": "is not an organisation of this house"})
    user = User.register(id=str(uow.ids()), **new.model_dump())
    if password is not None:
        check_password(password, about=[user.name, user.email])
    secret = password or passwords.generated()
    storage.users(uow).add(user)
    uow.flush()
    storage.store_password_hash(uow.connection, user.id, passwords.hashed(secret), uow.now())
    return user, secret


def add_organisation(uow: UnitOfWork, **facts: str | None) -> Organisation:
    """Add an organisation unless it is known already; returns it."""
    known = storage.organisations(uow).find(str(facts["id"]))
    return known or storage.organisations(uow).add(Organisation.register(**facts))


def find_user(uow: UnitOfWork, who: str) -> User:
    """Return a person by id or e-mail address; raises NotFoundError."""
    user = storage.user_by_email(uow, normal_email(who)) if "@" in who else storage.users(uow).find(who)
    if user is None:
        raise NotFoundError("There is no such person")
    return user


def deactivate_user(uow: UnitOfWork, user_id: str, reason: str, *, expected: int | None = None) -> User:
    """Let a person in no more and end all their sessions; the reason is kept."""
    user = storage.users(uow).get(user_id, expected=expected)
    if uow.context.actor.id == f"user:{user_id}":
        raise ConflictError("Nobody deactivates themselves: ask another operator")
    uow.context = uow.context.because(reason)
    user.deactivate(reason)
    record_closed(
        uow, user_id, storage.close_sessions(uow.connection, user_id, uow.now(), "deactivated"), "deactivated"
    )
    return user


def erase_user(uow: UnitOfWork, user_id: str) -> bool:
    """Forget who an applicant's person is and where they signed in from; their sessions, keys and links end.

    Returns False when that is done already, or nobody has that id.
    """
    user = storage.users(uow).find(user_id, for_update=True)
    if user is None or not user.erase():
        return False
    uow.flush()
    record_closed(uow, user_id, storage.close_sessions(uow.connection, user_id, uow.now(), "erased"), "erased")
    forget(uow.connection, user_id, uow.now())
    return True


def grant_role(uow: UnitOfWork, user_id: str, role: str, *, expected: int | None = None) -> User:
    """Give a person one more role; it counts from their next request on."""
    user = storage.users(uow).get(user_id, expected=expected)
    user.grant_role(role)
    return user


def revoke_role(uow: UnitOfWork, user_id: str, role: str, *, expected: int | None = None) -> User:
    """Take a role from a person; it is gone from their next request on."""
    user = storage.users(uow).get(user_id, expected=expected)
    if uow.context.actor.id == f"user:{user_id}":
        raise ConflictError("Nobody takes roles from themselves: ask another operator")
    user.revoke_role(role)
    return user


def choose_language(uow: UnitOfWork, user_id: str, locale: Locale) -> User:
    """Set the language of a person's pages and letters."""
    user = storage.users(uow).get(user_id)
    user.speak(locale)
    return user


def change_password(uow: UnitOfWork, user_id: str, present: str, new: str, *, session_id: str) -> None:
    """Change one's own password; asks for the present one, and ends all other sessions."""
    user = storage.users(uow).get(user_id)
    if not passwords.matches(present, storage.password_hash(uow.connection, user_id)):
        raise InvalidError({"present": "is not your present password"})
    set_password(uow, user, new, session_id=session_id)


def reset_password(uow: UnitOfWork, user_id: str) -> str:
    """Give a person a new generated password, which is returned once; all their sessions end."""
    user = storage.users(uow).get(user_id)
    secret = passwords.generated()
    set_password(uow, user, secret)
    return secret


def set_password(uow: UnitOfWork, user: User, password: str, *, session_id: str | None = None) -> None:
    """Give a person this password; links for choosing one and all sessions but `session_id` end."""
    check_password(password, about=[user.name, user.email])
    storage.store_password_hash(uow.connection, user.id, passwords.hashed(password), uow.now())
    user.password_changed()
    storage.drop_links(uow.connection, user.id)
    ended = storage.close_sessions(uow.connection, user.id, uow.now(), "password changed", but=session_id)
    record_closed(uow, user.id, ended, "password changed")
