"""Who may do what in the grants service: action, role, scope. Denied unless it stands here."""

from __future__ import annotations

from shared.web.policy import Policy

_STAFF = {"officer": "programme", "programme_manager": "programme"}
_FINANCE = {"finance_officer": "programme"}

APPLICATIONS: dict[str, dict[str, str]] = {
    "grants.call.read": {"signed_in": "all"},
    # Who may apply is for everybody to find out, before they have an account.
    "grants.call.check": {"anyone": "all"},
    "grants.home.read": {"applicant": "own", "reviewer": "assigned", **_STAFF, **_FINANCE},
    "grants.application.start": {"applicant": "all"},
    "grants.application.write": {"applicant": "own"},
    "grants.editor.invite": {"applicant": "own"},
    "grants.application.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.application.queue": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.view.keep": {**_STAFF, **_FINANCE},
    "grants.application.mine": {"applicant": "all"},
    # Which moves a role may make stands in the workflow; this only says who may try.
    "grants.application.move": {"applicant": "own", **_STAFF, **_FINANCE},
    "grants.application.assign": _STAFF,
    "grants.workflow.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.workflow.migrate": {"programme_manager": "programme"},
    "grants.decision.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.decision.sign": {**_STAFF, **_FINANCE},
    # What may be done to each case is asked again for each case, at the moment it is done.
    "grants.bulk.plan": {**_STAFF, **_FINANCE},
    "grants.bulk.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.panel.read": {**_STAFF, "auditor": "all"},
    "grants.panel.hold": _STAFF,
    "grants.application.check": _STAFF,
    "grants.capacity.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.capacity.assess": _STAFF,
    "grants.document.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all", "reviewer": "assigned"},
    "grants.review.mine": {"reviewer": "all"},
    # One's own expertise and interests: everybody's who judges cases.
    "grants.exclusion.list": {"officer": "all", "programme_manager": "all", "finance_officer": "all", "auditor": "all"},
    "grants.exclusion.import": {"officer": "all", "programme_manager": "all"},
    "grants.exclusion.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.exclusion.screen": {**_STAFF, **_FINANCE},
    "grants.exclusion.decide": _STAFF,
    "grants.assessor.own": {"reviewer": "all", "officer": "all", "programme_manager": "all", "finance_officer": "all"},
    "grants.recusal.declare": {**_STAFF, **_FINANCE},
    "grants.recusal.lift": {"programme_manager": "programme"},
    "grants.review.assign": _STAFF,
    "grants.review.moderate": _STAFF,
    "grants.review.read": {"reviewer": "assigned", **_STAFF, "auditor": "all"},
    "grants.review.declare": {"reviewer": "assigned"},
    "grants.review.score": {"reviewer": "assigned"},
    "grants.award.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.award.offer": _STAFF,
    "grants.award.accept": {"applicant": "own", "programme_manager": "programme"},
    "grants.milestone.evidence": {"applicant": "own"},
    "grants.milestone.verify": {"officer": "programme"},
    "grants.amendment.request": {"applicant": "own", "officer": "programme"},
    # Which class of amendment a role may approve stands in the programme's rules.
    "grants.amendment.decide": {**_STAFF, **_FINANCE},
    "grants.amendment.accept": {"applicant": "own", "programme_manager": "programme"},
    "grants.amendment.withdraw": {"applicant": "own", **_STAFF},
    "grants.tranche.request": {"officer": "programme", **_FINANCE},
    "grants.tranche.certify": _STAFF,
    "grants.tranche.release": _FINANCE,
    "grants.tranche.hold": {**_STAFF, **_FINANCE},
    "grants.payment.confirm": _FINANCE,
    "grants.payment.reverse": _FINANCE,
    "grants.refund.demand": {**_STAFF, **_FINANCE},
    "grants.refund.receive": _FINANCE,
    "grants.refund.drop": {"programme_manager": "programme", **_FINANCE},
    "grants.appeal.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.appeal.lodge": {"applicant": "own"},
    "grants.appeal.decide": {"programme_manager": "programme"},
    "grants.closeout.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.closeout.answer": {**_STAFF, **_FINANCE},
    "grants.ledger.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.payment.list": {**_FINANCE, "programme_manager": "programme", "auditor": "all"},
}

# Around the cases: what staff have to do, what is noted, who stands in for whom.
DAY: dict[str, dict[str, str]] = {
    "grants.task.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.task.write": {**_STAFF, **_FINANCE},
    "grants.delegation.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.delegation.make": {**_STAFF, **_FINANCE},
    "grants.dossier.ask": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.likeness.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.likeness.settle": _STAFF,
    "grants.ageing.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.note.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.note.write": {"applicant": "own", **_STAFF, **_FINANCE},
}

COFINANCING: dict[str, dict[str, str]] = {
    "grants.cofinancing.start": {"applicant": "all"},
    "grants.cofinancing.list": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.cofinancing.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.cofinancing.write": {"applicant": "own"},
    "grants.cofinancing.move": {"applicant": "own", **_STAFF, **_FINANCE},
    "grants.cofinancing.draw": {"officer": "programme"},
    "grants.cofinancing.contribute": {"applicant": "own"},
    "grants.cofinancing.verify": {"officer": "programme"},
    "grants.cofinancing.approve-market-value": {"programme_manager": "programme"},
    "grants.cofinancing.record-loan": {"officer": "programme", **_FINANCE},
    "grants.cofinancing.refund": _FINANCE,
    "grants.cofinancing.request-release": {"officer": "programme", **_FINANCE},
    "grants.cofinancing.release": _FINANCE,
}

REPORTS: dict[str, dict[str, str]] = {
    "grants.report.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.report.write": {"applicant": "own"},
    "grants.report.mine": {"applicant": "all"},
    "grants.report.review": {"officer": "programme", **_FINANCE},
    "grants.report.accept": _STAFF,
    "grants.report.schedule": _STAFF,
    "grants.report.list": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.indicator.read": {**_STAFF, **_FINANCE, "auditor": "all"},
}

PUBLISHING: dict[str, dict[str, str]] = {
    "grants.publication.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.publication.publish": _STAFF,
    "grants.publication.state": {"programme_manager": "programme"},
    "grants.contribution.list": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.review.list": {**_STAFF, "auditor": "all"},
}

# Bank details: whole numbers are shown to finance and to whose they are (`reveal`), to others the last four characters.
PAYEES: dict[str, dict[str, str]] = {
    "grants.organisation.read": {**_STAFF, **_FINANCE, "auditor": "all"},
    "grants.payee.read": {"applicant": "own", **_STAFF, **_FINANCE, "auditor": "all"},
    "grants.payee.list": {**_FINANCE, "programme_manager": "programme", "auditor": "all"},
    "grants.payee.reveal": {"applicant": "own", **_FINANCE},
    "grants.payee.enter": {"applicant": "own", "officer": "programme", **_FINANCE},
    "grants.payee.confirm": _FINANCE,
    "grants.payee.refuse": {"applicant": "own", "officer": "programme", **_FINANCE},
    "grants.payee.lift": {"programme_manager": "programme"},
    "grants.payee.block": {"applicant": "own", **_STAFF, **_FINANCE},
}

# Bank files carry whole account numbers: only finance takes them out.
BANK_FILES: dict[str, dict[str, str]] = {
    "grants.bank_file.read": {**_FINANCE, "programme_manager": "programme", "auditor": "all"},
    "grants.bank_file.make": _FINANCE,
    "grants.bank_file.download": _FINANCE,
    "grants.bank_file.confirm": _FINANCE,
    "grants.bank_file.cancel": _FINANCE,
}

POLICY = Policy({**APPLICATIONS, **DAY, **REPORTS, **COFINANCING, **PUBLISHING, **PAYEES, **BANK_FILES})
