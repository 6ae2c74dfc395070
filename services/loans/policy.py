"""Who may do what in the loans service: action, role, scope. Denied unless it stands here.

`own` is the MSME whose proposal it is, `org` the bank that a referral is addressed to.
"""

from __future__ import annotations

from shared.web.policy import Policy

_STAFF = {"officer": "programme", "programme_manager": "programme"}
_FEES = dict.fromkeys(("officer", "programme_manager", "finance_officer", "auditor"), "all")
# Supplier and lead firm are both applicants; which of them one is, the agreement says.
_THREE = {"applicant": "own", "finance_partner": "org"}

POLICY = Policy(
    {
        "loans.home.read": {"applicant": "all", "finance_partner": "all", "officer": "all", "programme_manager": "all"},
        "loans.schedule.preview": {
            "applicant": "all",
            "finance_partner": "all",
            "officer": "all",
            "programme_manager": "all",
        },
        "loans.supporter.list": {"applicant": "all"},
        "loans.partner.list": {"applicant": "all", **_STAFF},
        "loans.proposal.mine": {"applicant": "all"},
        "loans.proposal.start": {"applicant": "all"},
        "loans.proposal.list": _STAFF,
        "loans.proposal.read": {"applicant": "own", **_STAFF},
        "loans.proposal.write": {"applicant": "own"},
        "loans.proposal.submit": {"applicant": "own"},
        "loans.proposal.refer": {"applicant": "own"},
        "loans.proposal.offers": {"applicant": "own"},
        "loans.proposal.tease": {"applicant": "own"},
        "loans.teaser.list": {"finance_partner": "all"},
        "loans.teaser.read": {"finance_partner": "org"},
        "loans.teaser.answer": {"finance_partner": "org"},
        "loans.proposal.looks": {"applicant": "own", **_STAFF},
        "loans.document.read": {"applicant": "own", **_STAFF},
        "loans.referral.list": {"finance_partner": "all"},
        "loans.referral.read": {"finance_partner": "org", "applicant": "own", **_STAFF},
        "loans.referral.document": {"finance_partner": "org"},
        "loans.referral.decide": {"finance_partner": "org"},
        "loans.referral.answer": {"applicant": "own"},
        "loans.referral.accept": {"applicant": "own"},
        "loans.referral.counter": {"applicant": "own"},
        "loans.referral.withdraw": {"applicant": "own"},
        "loans.improvement.list": _STAFF,
        "loans.improvement.read": {"applicant": "own", **_STAFF},
        "loans.improvement.work": {"applicant": "own", **_STAFF},
        # A firm's adviser is whom it chose to support one of its proposals: to `own` belong both.
        "loans.firm.list": {"applicant": "all", **dict.fromkeys(_STAFF, "all")},
        "loans.firm.read": {"applicant": "own", **_STAFF},
        "loans.firm.write": {"applicant": "own", **_STAFF},
        "loans.diagnostic.take": {"applicant": "own", **_STAFF},
        "loans.case.list": {"applicant": "all", **dict.fromkeys(_STAFF, "all")},
        "loans.case.read": {"applicant": "own", **_STAFF},
        "loans.case.keep": {"applicant": "own"},
        "loans.training.list": {"applicant": "all", **dict.fromkeys(_STAFF, "all")},
        "loans.training.plan": {"applicant": "all", **dict.fromkeys(_STAFF, "all")},
        "loans.training.read": {"applicant": "programme", **_STAFF},
        "loans.training.enrol": {"applicant": "programme", **_STAFF},
        "loans.training.test": {"applicant": "programme"},
        "loans.training.keep": {"applicant": "own", **_STAFF},
        "loans.product.list": {
            "applicant": "all",
            "finance_partner": "all",
            "auditor": "all",
            **dict.fromkeys(_STAFF, "all"),
        },
        "loans.product.read": {"applicant": "programme", "finance_partner": "org", "auditor": "programme", **_STAFF},
        "loans.product.publish": {"finance_partner": "all", "programme_manager": "all"},
        "loans.product.adopt": {"programme_manager": "all"},
        "loans.product.change": {"finance_partner": "org", "programme_manager": "programme"},
        "loans.proposal.match": {"applicant": "own", **_STAFF},
        "loans.loan.read": {"finance_partner": "org", "applicant": "own", **_STAFF},
        "loans.loan.disburse": {"finance_partner": "org"},
        "loans.loan.confirm": {"applicant": "own"},
        "loans.loan.restructure": {"finance_partner": "org"},
        "loans.tape.list": {"finance_partner": "all", "auditor": "all", **dict.fromkeys(_STAFF, "all")},
        "loans.tape.read": {"finance_partner": "org", "auditor": "programme", **_STAFF},
        "loans.tape.check": {"finance_partner": "all"},
        "loans.tape.apply": {"finance_partner": "org"},
        "loans.fee.list": {"applicant": "all", **_FEES},
        "loans.fee.read": {"applicant": "own", **dict.fromkeys(_FEES, "programme")},
        "loans.fee.assign": _STAFF,
        "loans.fee.approve": {"programme_manager": "programme"},
        "loans.fee.pay": {"finance_officer": "programme"},
        "loans.tripartite.list": {
            "applicant": "all",
            "finance_partner": "all",
            "auditor": "all",
            **dict.fromkeys(_STAFF, "all"),
        },
        "loans.tripartite.read": {"applicant": "own", "finance_partner": "org", "auditor": "programme", **_STAFF},
        "loans.tripartite.draft": {"applicant": "own"},
        "loans.tripartite.write": _THREE,
        "loans.tripartite.sign": _THREE,
        "loans.tripartite.end": _THREE,
        "loans.delivery.report": {"applicant": "all"},
        "loans.delivery.answer": {"applicant": "own"},
        "loans.delivery.transfer": {"applicant": "own"},
        "loans.delivery.receive": {"finance_partner": "org"},
        "loans.portfolio.read": {"finance_partner": "all", "auditor": "all", **dict.fromkeys(_STAFF, "all")},
    }
)
