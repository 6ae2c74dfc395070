"""The roles that a workflow may name. A test holds them equal to the roles people sign in with."""

from __future__ import annotations

# Those whose answer the programme waits for.
EXTERNAL = frozenset({"applicant", "reviewer", "finance_partner", "guarantor"})
# Those who can close a case that nobody answers.
STAFF = frozenset({"officer", "programme_manager", "finance_officer"})
# A service on its own account: timers, consumed events.
SYSTEM = "system"
ROLES = EXTERNAL | STAFF | {"auditor", "operator", SYSTEM}
# Whom a move may tell: the names under which `Entity.parties()` gives people.
PARTIES = frozenset({"applicant", "officer", "reviewer", "manager", "finance", "partner", "lead_firm"})
