"""Who may do what in the grants service: action, role, scope. Denied unless it stands here."""

from __future__ import annotations

from shared.web.policy import Policy

APPLICATIONS: dict[str, dict[str, str]] = {}

COFINANCING: dict[str, dict[str, str]] = {}

POLICY = Policy({**APPLICATIONS, **COFINANCING})
