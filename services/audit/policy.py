"""Who may do what in the audit service: action, role, scope. Denied unless it stands here."""

from __future__ import annotations

from shared.web.policy import Policy

_STAFF = {"officer": "programme", "programme_manager": "programme", "finance_officer": "programme"}

POLICY = Policy(
    {
        "audit.log.search": {"auditor": "all"},
        "audit.search.save": {"auditor": "own"},
        "audit.export.make": {"auditor": "all"},
        "audit.sample.draw": {"auditor": "all"},
        "audit.event.read": {"auditor": "all"},
        "audit.proof.read": {"auditor": "all"},
        "audit.timeline.read": {"auditor": "all", **_STAFF},
        "audit.referral.read": {"finance_partner": "org"},
        "audit.checkpoint.read": {"auditor": "all", "operator": "all"},
        # Hashes and sizes alone, which name nobody: whoever was given a checkpoint can check it. Entries: auditors.
        "audit.tlog.read": {"signed_in": "all"},
        "audit.tlog.entries": {"auditor": "all"},
        "audit.verification.read": {"auditor": "all", "operator": "all"},
        "audit.changes.read": {"auditor": "all"},
        "audit.watch.read": {"auditor": "all"},
        "audit.watch.decide": {"auditor": "all"},
        "audit.certificate.read": {"auditor": "all"},
        "audit.completeness.read": {"auditor": "all", "operator": "all"},
        "audit.verification.run": {"auditor": "all", "operator": "all"},
        "audit.retention.read": {"auditor": "all", "operator": "all"},
        "audit.hold.place": {"auditor": "all"},
        "audit.hold.release": {"auditor": "all"},
        "audit.erasure.request": {"auditor": "all", "operator": "all"},
        "audit.erasure.confirm": {"auditor": "all", "operator": "all"},
    }
)
