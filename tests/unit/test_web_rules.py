"""Rules of the portal: passwords, waiting times, sessions, people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters

from services.portal import passwords
from services.portal.domain import (
    ABSOLUTE,
    IDLE,
    Organisation,
    User,
    check_password,
    session_lives,
    waiting_time,
)
from shared.errors import ConflictError, InvalidError


def test_hashes_are_argon2id_of_the_recommended_cost() -> None:
    """Stored hashes are Argon2id with at least 19 MiB, two passes and one lane."""
    parameters = extract_parameters(passwords.hashed("some words apart"))
    assert parameters.type.name == "ID"
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) >= (19 * 1024, 2, 1)


def test_only_the_right_password_matches_and_weaker_hashes_are_noticed() -> None:
    """Wrong passwords, unknown accounts and broken hashes never match; an old hash asks to be renewed."""
    stored = passwords.hashed("some words apart")
    assert passwords.matches("some words apart", stored)
    assert not passwords.matches("some words apart ", stored)
    assert not passwords.matches("some words apart", None)
    assert not passwords.matches("some words apart", "rubbish")
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert passwords.outdated(weak)
    assert not passwords.outdated(stored)


def test_generated_passwords_differ_and_pass_our_own_rule() -> None:
    """A generated password is never the same twice and is good enough for the rule."""
    made = {passwords.generated() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_password(password, about=["Ana Petrova", "ana@chamber.example"])


@pytest.mark.parametrize(
    "password",
    ["short", "elevenchars", "password1234", "aaaaaaaaaaaaaa", "petrova-ana1", "123456123456", "x" * 129, ""],
)
def test_weak_passwords_are_refused(password: str) -> None:
    """Short, overlong, much guessed and name-made passwords are refused."""
    with pytest.raises(InvalidError) as refused:
        check_password(password, about=["Ana Petrova", "ana@chamber.example"])
    assert "password" in refused.value.fields


@pytest.mark.parametrize(
    "password", ["correct horse battery", "четыре слова врозь да", "tr0ub4dor&3 xkcd", "ż" * 6 + "abcdef"]
)
def test_long_passwords_of_any_letters_are_taken(password: str) -> None:
    """There is no rule of composition: any letters, blanks too."""
    check_password(password, about=["Ana Petrova"])


def test_waiting_grows_and_ends_at_a_quarter_of_an_hour() -> None:
    """The first tries are free, then each costs twice the time, up to 15 minutes and never more."""
    waits = [waiting_time(failures, free=5) for failures in range(40)]
    assert waits[:5] == [timedelta()] * 5
    assert waits[5:8] == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]
    assert max(waits) == timedelta(minutes=15)
    assert waits == sorted(waits)


def test_a_session_ends_by_rest_and_by_age() -> None:
    """Half an hour of rest ends a session, and eight hours whatever happens."""
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert session_lives(start + IDLE - timedelta(seconds=1), last_seen=start, expires=start + ABSOLUTE)
    assert not session_lives(start + IDLE, last_seen=start, expires=start + ABSOLUTE)
    assert not session_lives(start + ABSOLUTE, last_seen=start + ABSOLUTE, expires=start + ABSOLUTE)


def _user(**changes: object) -> User:
    facts: dict[str, object] = {"id": "u", "name": "Ana", "email": " Ana@Chamber.example ", "roles": ["applicant"]}
    return User.register(**(facts | changes))


def test_a_person_is_registered_with_a_normal_address() -> None:
    """Addresses are compared without case and blanks, so that nobody registers twice."""
    user = _user()
    assert user.email == "ana@chamber.example"
    assert user.collect()[0].event.TYPE == "portal.user.registered"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"email": "ana"}, "email"),
        ({"email": "a@b c"}, "email"),
        ({"roles": []}, "roles"),
        ({"roles": ["emperor"]}, "roles"),
        ({"locale": "xx"}, "locale"),
    ],
)
def test_wrong_facts_about_a_person_are_named(changes: dict[str, object], field: str) -> None:
    """Every wrong fact is refused by its field."""
    with pytest.raises(InvalidError) as refused:
        _user(**changes)
    assert field in refused.value.fields


def test_the_last_role_stays_and_the_deactivated_change_no_more() -> None:
    """A person always has a role, and a deactivated one gets none."""
    user = _user()
    with pytest.raises(ConflictError):
        user.revoke_role("applicant")
    user.grant_role("officer")
    with pytest.raises(ConflictError):
        user.grant_role("officer")
    user.deactivate("left")
    with pytest.raises(ConflictError):
        user.grant_role("auditor")


def test_names_and_addresses_do_not_stand_in_the_record_of_changes() -> None:
    """The record of changes says that a private field changed, not what it is."""
    changes = _user().collect()[0].changes
    assert changes["email"] == ["[private]", "[private]"]
    assert changes["roles"] == [None, ["applicant"]]


@pytest.mark.parametrize("facts", [{"id": "A B"}, {"kind": "club"}, {"name": ""}, {"id": "x"}])
def test_wrong_facts_about_an_organisation_are_refused(facts: dict[str, str]) -> None:
    """An organisation has a slug, a name and a known kind."""
    with pytest.raises(InvalidError):
        Organisation.register(**({"id": "chamber", "name": "Chamber", "kind": "bso"} | facts))
