"""A bankable proposal that becomes a loan: readiness, consent, three referrals, one accepted offer, a disbursement."""

from __future__ import annotations

from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story.text import PLAN, house_day

CONSENTED = {
    "bank-one": ["applicant", "request", "project", "funding", "history", "projection"],
    "bank-two": [
        "applicant",
        "request",
        "project",
        "funding",
        "history",
        "projection",
        "flows",
        "collateral",
        "owners",
    ],
    "mfi-one": ["applicant", "request", "funding", "projection"],
}


class Loan:
    """The MSME's proposal on the stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reference = ""
        self.referrals: dict[str, str] = {}

    @property
    def path(self) -> str:
        """Return the proposal's address."""
        return f"/loans/api/proposals/{self.reference}"

    def version(self) -> int:
        """Return the version that the MSME's page shows."""
        return int(self.stage.get("msme", self.path)["version"])

    def section(self, name: str) -> None:
        """Fill one section of the proposal."""
        body = {"data": PLAN[name], "version": self.version()}
        self.stage.act("msme", f"fills {name}", "PUT", f"{self.path}/sections/{name}", json=body)

    def decide(self, key: str, bank: str, what: str, act: str, *, expect: int | None = None, **body: Any) -> Any:
        """Answer a referral."""
        path = f"/loans/api/referrals/{self.referrals[bank]}/{act}"
        return self.stage.act(key, what, "POST", path, expect=expect, json=body)


def tell(stage: Stage) -> str:
    """Act the loan and return the proposal's reference."""
    stage.chapter = "Bankable proposal to loan"
    loan = Loan(stage)
    _prepare(loan)
    _refer(loan)
    _answer(loan)
    _conclude(loan)
    return loan.reference


def _prepare(loan: Loan) -> None:
    stage = loan.stage
    supporters = stage.get("msme", "/loans/api/supporters")
    if not any(item["organisation"] == "chamber-of-crafts" for item in supporters):
        raise DemoError("the loans service has not learned that the chamber holds an award")
    body = {"supporter": "chamber-of-crafts", "title": PLAN["request"]["title"]}
    loan.reference = stage.act("msme", "starts a proposal", "POST", "/loans/api/proposals", json=body)["reference"]
    for name in ("applicant", "request", "funding"):
        loan.section(name)
    readiness = stage.get("msme", f"{loan.path}/readiness")
    if readiness["ready"] or not readiness["todos"]:
        raise DemoError("an unfinished proposal was called ready")
    submission = f"{loan.path}/submission"
    stage.act("msme", "submits too early: refused", "POST", submission, expect=409, json={"version": loan.version()})
    for name in ("owners", "project", "history", "projection", "flows", "debts", "collateral", "declaration"):
        loan.section(name)
    for kind in ("registration", "accounts"):
        path = f"{loan.path}/documents"
        stage.upload(
            "msme", f"uploads {kind}", path, f"{kind}.pdf", kind=kind, issued=house_day(-30), expires=house_day(300)
        )
    readiness = stage.get("msme", f"{loan.path}/readiness")
    if not readiness["ready"]:
        raise DemoError(f"the finished proposal is not ready: {readiness['todos']}")
    stage.act("msme", "submits: the version is locked", "POST", submission, json={"version": loan.version()})


def _match(loan: Loan) -> dict[str, Any]:
    """Publish what banks lend and return the product of the second bank that fits."""
    body = {"programme": "business-ecosystem"}
    if not loan.stage.get("manager", "/loans/api/products")["items"]:  # told again, they are published already
        loan.stage.act("manager", "publishes what banks lend", "POST", "/loans/api/products/pack", json=body)
    fits = loan.stage.act("msme", "sees which products fit, and why", "GET", f"{loan.path}/matches")
    found: dict[str, Any] = next(fit for fit in fits if fit["name"] == "Growth loan")
    if not found["match"]["fits"]:
        raise DemoError(f"the second bank's product does not fit: {found['match']['findings']}")
    return found


def _refer(loan: Loan) -> None:
    chosen = _match(loan)
    for bank, fields in CONSENTED.items():
        body = {
            "bank": bank,
            "fields": fields,
            "purpose": "loan_decision",
            "until": house_day(90),
            "language": "en",
            "text_version": "1",
            "version": loan.version(),
        }
        if bank == chosen["bank"]:
            body |= {"product": chosen["product"], "product_number": chosen["number"]}
        made = loan.stage.act("msme", f"consents and refers to {bank}", "POST", f"{loan.path}/referrals", json=body)
        loan.referrals[bank] = made["reference"]


def _answer(loan: Loan) -> None:
    stage = loan.stage
    other = f"/loans/api/referrals/{loan.referrals['bank-two']}"
    stage.act("bank_one", "opens another bank's referral: not found", "GET", other, expect=404)
    seen = stage.act("bank_one", "opens its own referral", "GET", f"/loans/api/referrals/{loan.referrals['bank-one']}")
    if set(seen["fields"]) - set(CONSENTED["bank-one"]):
        raise DemoError(f"bank one sees more than was consented to: {sorted(seen['fields'])}")
    loan.decide("bank_one", "bank-one", "acknowledges", "receipt")
    loan.decide("bank_one", "bank-one", "declines with reasons", "decline", reasons=["collateral"], note="Too thin.")
    loan.decide("bank_two", "bank-two", "acknowledges", "receipt")
    loan.decide(
        "bank_two", "bank-two", "asks for a quotation", "question", text="Please send the supplier's quotation."
    )
    loan.decide("msme", "bank-two", "answers", "answer", text="The line costs 45,000; the quotation is of this month.")
    loan.decide("bank_two", "bank-two", "takes it into analysis", "analysis")
    offer: dict[str, Any] = {"amount": "40000", "rate_percent": "13.5", "term_months": 36, "fee": "400"}
    loan.decide("bank_two", "bank-two", "makes an offer", "offer", valid_until=house_day(30), **offer)


def _conclude(loan: Loan) -> None:
    stage = loan.stage
    loan.decide("msme", "bank-one", "accepts what was declined: refused", "acceptance", expect=409)
    accepted = loan.decide("msme", "bank-two", "accepts the offer", "acceptance")
    left = stage.get("msme", f"/loans/api/referrals/{loan.referrals['mfi-one']}")
    if left["stage"] != "closed":
        raise DemoError(f"the third referral did not close by itself: it is {left['stage']}")
    path = f"/loans/api/loans/{accepted['reference']}/disbursements"
    body = {"amount": "40000", "on": house_day()}
    stage.act("bank_two", "reports the disbursement", "POST", path, json=body)
    stage.act("msme", "confirms the disbursement", "POST", f"{path}/1/confirmation")
    _follow(stage, accepted["reference"])


def _follow(stage: Stage, reference: str) -> None:
    """Let the bank report the month: a slip of the pen is found before anything counts."""
    row = {"loan": reference, "principal_paid": "0", "interest_paid": "0", "outstanding": "40000", "days_past_due": 0}
    body = {"programme": "business-ecosystem", "as_of": house_day(), "rows": [row | {"principal_paid": "40000.01"}]}
    wrong = stage.act("bank_two", "reports the month with a slip: found", "POST", "/loans/api/tapes", json=body)
    if wrong["counts"]["wrong"] != 1:
        raise DemoError("more principal was paid back than was paid out, and nobody said so")
    tape = stage.act("bank_two", "reports the month", "POST", "/loans/api/tapes", json=body | {"rows": [row]})
    path = f"/loans/api/tapes/{tape['reference']}/application"
    # Where the story has been told before, the bank has other loans, which go on as last reported.
    count = {"version": tape["version"], "without_missing": True}
    stage.act("bank_two", "lets the report count", "POST", path, json=count)
    found = stage.get("manager", "/loans/api/portfolio?programme=business-ecosystem")["whole"]
    if [item["par0"] for item in found] != ["0.000000"]:
        raise DemoError(f"a loan of today is late: {found}")
