"""The policy table denies whatever it does not allow."""

from __future__ import annotations

import pytest

from shared.errors import ForbiddenError, NotFoundError
from shared.testing.web import person
from shared.web.policy import Policy

POLICY = Policy(
    {
        "x.case.read": {"applicant": "own", "officer": "programme", "finance_partner": "org", "reviewer": "assigned"},
        "x.door.use": {"anyone": "all"},
        "x.home.read": {"signed_in": "own"},
    }
)


@pytest.mark.parametrize("role", ["auditor", "operator", "programme_manager", "finance_officer"])
def test_a_role_that_is_not_named_may_nothing(role: str) -> None:
    """Roles that the table does not name are refused, the operator included."""
    with pytest.raises(ForbiddenError):
        POLICY.require("x.case.read", person(role))


def test_a_stranger_may_only_what_anyone_may() -> None:
    """Without identity only "anyone" actions are allowed."""
    assert POLICY.scopes("x.door.use", None) == {"anyone": "all"}
    with pytest.raises(ForbiddenError):
        POLICY.require("x.home.read", None)


def test_an_action_that_is_not_in_the_table_is_an_error() -> None:
    """A misspelt action never counts as allowed."""
    with pytest.raises(KeyError):
        POLICY.require("x.case.raed", person("officer"))


@pytest.mark.parametrize(
    ("role", "relation"),
    [
        ("applicant", {"own": True}),
        ("finance_partner", {"org": True}),
        ("reviewer", {"assigned": True}),
        ("officer", {"programme": "business-ecosystem"}),
    ],
)
def test_scope_decides_about_the_thing_itself(role: str, relation: dict[str, object]) -> None:
    """Within its scope a role may; outside of it the thing does not exist for the person."""
    assert POLICY.role_for("x.case.read", person(role), **relation) == role  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        POLICY.role_for("x.case.read", person(role), programme="another-programme")


def test_a_scope_that_nobody_knows_is_refused_when_the_table_is_made() -> None:
    """A misspelt scope fails at start, not in front of a person."""
    with pytest.raises(ValueError, match="unknown scope"):
        Policy({"x.case.read": {"officer": "everything"}})
