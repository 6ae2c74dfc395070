"""Forgetting an applicant's account: what goes, what the others are told, and who is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.portal.handlers import sessions
from services.portal.handlers.accounts import NewUser, add_user, erase_user
from shared.database import Context, UnitOfWork, system
from shared.errors import ConflictError
from shared.testing.stand import Stand

EMAIL, PASSWORD = "biljana@crafts.example", "winter-apple-lantern-9"


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give an empty portal."""
    return stand.database("portal")


def acting(engine: Engine) -> UnitOfWork:
    """Return a transaction of the portal's own."""
    return UnitOfWork(engine, "portal", Context(actor=system("portal")))


def added(engine: Engine, role: str) -> str:
    """Add a person of that role; returns their id."""
    with acting(engine) as uow:
        user, _ = add_user(uow, NewUser(name="Biljana Kostova", email=EMAIL, roles=[role]), PASSWORD)
    return user.id


def rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    """Return what a query of the portal's database answers."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def test_an_account_is_forgotten_with_all_its_traces(engine: Engine) -> None:
    """Name, address, password and where they came from are gone; sessions end; the others are told the opaque name."""
    user = added(engine, "applicant")
    with acting(engine) as uow:
        signed = sessions.sign_in(uow, EMAIL, PASSWORD, address="192.0.2.7", agent="Firefox of Biljana")
    assert isinstance(signed, sessions.SignedIn)
    with acting(engine) as uow:
        assert erase_user(uow, user)
    opaque = f"{user}@erased.invalid"
    assert rows(engine, "SELECT name, email, active FROM account") == [("Erased person", opaque, False)]
    assert rows(engine, "SELECT address, agent, closed_reason FROM session") == [("", "", "erased")]
    assert rows(engine, "SELECT count(*) FROM credential") == [(0,)]
    state = "SELECT state::text || last_changes::text AS said FROM account"
    assert not any(word in rows(engine, state)[0][0] for word in ("Biljana", EMAIL))
    told = "SELECT body->'data'->>'email' FROM outbox WHERE type = 'portal.user.changed'"
    assert rows(engine, told) == [(opaque,)]
    with acting(engine) as uow:
        refused = sessions.sign_in(uow, EMAIL, PASSWORD, address="192.0.2.7", agent="Firefox")
    assert isinstance(refused, sessions.Refused)
    with acting(engine) as uow:
        assert not erase_user(uow, user)  # it is done already
        assert not erase_user(uow, "nobody")
    with acting(engine) as uow:
        again, _ = add_user(uow, NewUser(name="Biljana Kostova", email=EMAIL, roles=["applicant"]), PASSWORD)
    assert again.id != user


def test_staff_stay(engine: Engine) -> None:
    """Who decides for the programme is not forgotten, and neither is who does both."""
    user = added(engine, "officer")
    with pytest.raises(ConflictError, match="stays on record"), acting(engine) as uow:
        erase_user(uow, user)
    assert rows(engine, "SELECT email, active FROM account") == [(EMAIL, True)]
