"""Who may do what with letters."""

from __future__ import annotations

from shared.web.policy import Policy

POLICY = Policy(
    {
        "notifications.inbox.read": {"signed_in": "own"},
        "notifications.inbox.mark": {"signed_in": "own"},
        "notifications.preference.read": {"signed_in": "own"},
        "notifications.preference.change": {"signed_in": "own"},
        "notifications.delivery.read": {
            "operator": "all",
            "auditor": "all",
            "programme_manager": "programme",
            "officer": "programme",
        },
        "notifications.letter.preview": {"programme_manager": "programme", "officer": "programme"},
        "notifications.delivery.resend": {"operator": "all"},
        "notifications.endpoint.list": {"finance_partner": "all"},
        "notifications.endpoint.read": {"finance_partner": "org"},
        "notifications.endpoint.register": {"finance_partner": "all"},
        "notifications.endpoint.manage": {"finance_partner": "org"},
        "notifications.receiver.read": {"anyone": "all"},
        "notifications.mail.read": {"operator": "all"},
    }
)
