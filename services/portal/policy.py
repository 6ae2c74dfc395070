"""Who may do what in the portal."""

from __future__ import annotations

from shared.web.policy import Policy

_OUTSIDE = ("applicant", "finance_partner", "guarantor")
_STAFF = ("officer", "programme_manager", "finance_officer")

POLICY = Policy(
    {
        "portal.signin.use": {"anyone": "all"},
        "portal.language.choose": {"anyone": "all"},
        "portal.session.close": {"signed_in": "own"},
        "portal.session.confirm": {"signed_in": "own"},
        "portal.home.read": {"signed_in": "own"},
        "portal.search.use": {"signed_in": "own"},
        "portal.account.read": {"signed_in": "own"},
        "portal.account.change": {"signed_in": "own"},
        "portal.people.read": {"operator": "all"},
        "portal.people.change": {"operator": "all"},
        "portal.organisation.list": dict.fromkeys((*_STAFF, "auditor", "operator"), "all"),
        "portal.organisation.read": dict.fromkeys(_OUTSIDE, "own")
        | dict.fromkeys((*_STAFF, "auditor", "operator"), "all"),
        "portal.organisation.mine": dict.fromkeys(_OUTSIDE, "own"),
        "portal.organisation.change": dict.fromkeys(_OUTSIDE, "own")
        | dict.fromkeys(("officer", "programme_manager", "operator"), "all"),
        "portal.organisation.found": {"applicant": "own"},
        "portal.organisation.register": dict.fromkeys(("officer", "programme_manager", "operator"), "all"),
        "portal.organisation.decide": dict.fromkeys(("officer", "programme_manager", "operator"), "all"),
        "portal.programme.read": {"operator": "all"} | dict.fromkeys((*_STAFF, "auditor"), "programme"),
        # An unpublished call is the programme's managers' alone; who may publish it is asked again at that moment.
        "portal.call.read": {"programme_manager": "programme"},
        "portal.call.edit": {"programme_manager": "programme"},
        "portal.call.publish": {"programme_manager": "programme"},
        "portal.operations.read": {"operator": "all"},
        "portal.catalogue.read": {"signed_in": "all"},
    }
)
