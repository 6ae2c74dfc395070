"""Keys that are limited: what their scopes permit, what they never do, and how fast they may be used."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.audit.policy import POLICY as AUDIT
from services.loans.policy import POLICY as LOANS
from services.notifications.policy import POLICY as NOTIFICATIONS
from shared.errors import ForbiddenError, StepUpError
from shared.pace import BURST, Pace
from shared.testing.web import person
from shared.web.identity import has_confirmed, must_have_confirmed
from shared.web.scopes import NAMES, SCOPES, permits

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_scopes_are_of_acts_that_a_bank_may_do() -> None:
    """Every action of every scope stands in a policy and is open to a finance partner; each scope has a name."""
    table = dict(LOANS.table) | dict(NOTIFICATIONS.table) | dict(AUDIT.table)
    banks = {"finance_partner", "signed_in"}
    assert [one for actions in SCOPES.values() for one in actions if not banks & table[one].keys()] == []
    assert SCOPES.keys() == NAMES.keys()
    assert permits(["tapes:read", "loans:read"], "loans.loan.read")
    assert not permits(["loans:read"], "loans.loan.disburse")
    assert not permits(["of-a-later-release"], "loans.loan.read")


def test_a_limited_key_never_passes_for_a_person_with_a_password() -> None:
    """Whatever stands in its statement: an act that asks for the password is refused for good, not asked for."""
    now = int(NOW.timestamp())
    key = person("finance_partner", scopes=("loans:read",), confirmed_at=now)
    assert not has_confirmed(key, NOW)
    with pytest.raises(ForbiddenError) as refused:
        must_have_confirmed(key, NOW)
    assert not isinstance(refused.value, StepUpError)
    must_have_confirmed(person("finance_partner", confirmed_at=now), NOW)


def test_a_key_is_slowed_down_alone() -> None:
    """Sixty at once, then ten a second; another key is not touched by it."""
    pace = Pace()
    assert [pace.lets("a", 0.0) for _ in range(int(BURST) + 1)] == [True] * int(BURST) + [False]
    assert pace.lets("b", 0.0)
    assert [pace.lets("a", 1.0) for _ in range(11)] == [True] * 10 + [False]
