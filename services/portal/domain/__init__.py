"""People, organisations and programmes, and the rules of passwords and of slowing down guessers."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any, ClassVar

from services.portal.domain.organisation import EMAIL, ORGANISATION_KINDS, Organisation
from services.portal.domain.programme import Programme
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.portal import (
    PasswordChanged,
    UserChanged,
    UserDeactivated,
    UserRegistered,
)

__all__ = ["ORGANISATION_KINDS", "Organisation", "Programme"]
ROLES = (
    "applicant",
    "officer",
    "reviewer",
    "programme_manager",
    "finance_officer",
    "finance_partner",
    "guarantor",
    "auditor",
    "operator",
)
# A session ends half an hour after its last use and a working day after its start (OWASP ASVS 5.0, 7.3).
IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=8)
MINIMUM_PASSWORD, MAXIMUM_PASSWORD = 12, 128
# What guessers try first, by its letters alone; anything built around these words is refused.
_GUESSED = ("password", "qwerty", "123456", "letmein", "welcome", "abc123", "iloveyou", "admin", "tamga", "пароль")


ERASED = "Erased person"


class User(Entity):
    """A person who may sign in."""

    KIND = "user"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name", "email"})

    name: str
    email: str
    locale: str = "en"
    roles: list[str]
    organisation: str | None = None
    programmes: list[str] = []
    active: bool = True

    @classmethod
    def register(cls, **facts: Any) -> User:
        """Return a new person; raises InvalidError that names each field and rule."""
        user = cls(**(facts | {"email": normal_email(facts["email"]), "roles": sorted(set(facts["roles"]))}))
        user._check()
        user.record(UserRegistered(**user._whole()))
        return user

    def grant_role(self, role: str) -> None:
        """Give one more role."""
        self._active()
        if role in self.roles:
            raise ConflictError("%(name)s has the role %(role)s already", name=self.name, role=role)
        self.roles = sorted({*self.roles, role})
        self._check()
        self.record(UserChanged(**self._whole()))

    def revoke_role(self, role: str) -> None:
        """Take a role away; the last one goes with deactivation only."""
        self._active()
        if role not in self.roles:
            raise ConflictError("%(name)s does not have the role %(role)s", name=self.name, role=role)
        if self.roles == [role]:
            raise ConflictError("This is the last role of %(name)s: deactivate the person instead", name=self.name)
        self.roles = [held for held in self.roles if held != role]
        self.record(UserChanged(**self._whole()))

    def speak(self, locale: str) -> None:
        """Choose the language of pages and letters."""
        if locale == self.locale:
            return
        self.locale = locale
        self.record(UserChanged(**self._whole()))

    def join(self, organisation: str) -> None:
        """Belong to an organisation that was confirmed; whoever belongs to another one stays there."""
        self._active()
        if self.organisation is not None:
            raise ConflictError("%(name)s belongs to another organisation already", name=self.name)
        self.organisation = organisation
        self.record(UserChanged(**self._whole()))

    def deactivate(self, reason: str) -> None:
        """Let the person in no more; what they did stays on record."""
        self._active()
        self.active = False
        self.record(UserDeactivated(user_id=self.id, reason=reason))

    def erase(self) -> bool:
        """Forget who an applicant's person is: no name, no address, no way in. Returns False when that is done already.

        Staff are not erased: who decided stays on record, as the law asks.
        """
        if self.email == erased_email(self.id):
            return False
        if set(self.roles) != {"applicant"}:
            raise ConflictError("Only people of applicants are erased: who decided for the programme stays on record")
        self.name, self.email = ERASED, erased_email(self.id)
        self.record(UserChanged(**self._whole()))
        if self.active:
            self.deactivate("erased")
        return True

    def password_changed(self) -> None:
        """Record that the password is another one now."""
        self.record(PasswordChanged(user_id=self.id))

    def _active(self) -> None:
        if not self.active:
            raise ConflictError("%(name)s is deactivated", name=self.name)

    def _check(self) -> None:
        wrong: dict[str, str] = {}
        if not 1 <= len(self.name.strip()) <= 200:
            wrong["name"] = "must have 1 to 200 letters"
        if len(self.email) > 254 or not EMAIL.fullmatch(self.email):
            wrong["email"] = "is not an e-mail address"
        if not self.roles or not set(self.roles) <= set(ROLES):
            wrong["roles"] = Rule("must be one or more of %(roles)s", roles=", ".join(ROLES))
        if self.locale not in ("en", "ru"):
            wrong["locale"] = "is not a language of this house"
        if wrong:
            raise InvalidError(wrong)

    def _whole(self) -> dict[str, Any]:
        return {"user_id": self.id} | self.model_dump(exclude={"id", "version", "active"})


def erased_email(user_id: str) -> str:
    """Return what stands for the address of somebody who was erased; nothing can be delivered to it (RFC 2606)."""
    return f"{user_id}@erased.invalid"


def normal_email(given: str) -> str:
    """Return an address as it is compared and stored."""
    return given.strip().lower()


def account_hash(email: str) -> str:
    """Return what stands for an address in records of refused sign-ins."""
    return hashlib.sha256(normal_email(email).encode()).hexdigest()


def check_password(password: str, *, about: list[str]) -> None:
    """Raise InvalidError when a password is too short, too long, or easy to guess; `about` are the person's words."""
    if len(password) < MINIMUM_PASSWORD:
        raise InvalidError({"password": "must have at least 12 characters"})
    if len(password) > MAXIMUM_PASSWORD:
        raise InvalidError({"password": "must have at most 128 characters"})
    plain = password.lower()
    words = [word for text in about for word in re.split(r"[\s@.]+", text.lower()) if len(word) > 3]
    rest = plain
    for word in (*_GUESSED, *words):
        rest = rest.replace(word, "")
    if len(set(plain)) < 5 or len(rest) < MINIMUM_PASSWORD // 2:
        raise InvalidError({"password": "is easy to guess: use several words that do not belong together"})


def waiting_time(failures: int, *, free: int) -> timedelta:
    """Return how long the next try must wait: nothing for the first `free`, then 10 s doubled up to 15 minutes."""
    if failures < free:
        return timedelta()
    return min(timedelta(seconds=10 * 2 ** min(failures - free, 10)), timedelta(minutes=15))


def session_lives(now: datetime, *, last_seen: datetime, expires: datetime) -> bool:
    """Return whether a session that was last used and that ends then may be used now."""
    return now < expires and now - last_seen < IDLE
