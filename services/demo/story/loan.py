"""A bankable proposal becomes a loan: declined, improved, referred again, two offers compared, paid out, followed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story.text import PLAN, THIN, house_day

SHOWN = ["applicant", "request", "project", "funding", "history", "projection"]
CONSENTED = {
    "bank-one": [*SHOWN, "collateral"],
    "bank-two": [*SHOWN, "flows", "collateral", "owners"],
    "mfi-one": ["applicant", "request", "funding", "projection"],
}
TERMS: dict[str, Any] = {"amount": "40000", "term_months": 36}


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

    def section(self, name: str, data: dict[str, Any] | None = None) -> None:
        """Fill one section of the proposal."""
        body = {"data": data or PLAN[name], "version": self.version()}
        self.stage.act("msme", f"fills {name}", "PUT", f"{self.path}/sections/{name}", json=body)

    def submit(self, what: str, *, expect: int | None = None) -> None:
        """Hand the proposal in as it stands."""
        body = {"version": self.version()}
        self.stage.act("msme", what, "POST", f"{self.path}/submission", expect=expect, json=body)

    def upload(self, kind: str) -> None:
        """Put a document to the proposal."""
        days = {"issued": house_day(-30), "expires": house_day(300)}
        path = f"{self.path}/documents"
        self.stage.upload("msme", f"uploads {kind}", path, f"{kind}.pdf", kind=kind, **days)

    def refer(self, bank: str, what: str, *, expect: int | None = None, **more: Any) -> dict[str, Any]:
        """Consent to what a bank is shown, and refer the proposal to it."""
        body = {
            "bank": bank,
            "fields": CONSENTED[bank],
            "purpose": "loan_decision",
            "until": house_day(90),
            "language": "en",
            "text_version": "1",
            "version": self.version(),
        }
        path = f"{self.path}/referrals"
        made: dict[str, Any] = self.stage.act("msme", what, "POST", path, expect=expect, json=body | more)
        if expect is None:
            self.referrals[bank] = made["reference"]
        return made

    def decide(self, key: str, bank: str, what: str, act: str, *, expect: int | None = None, **body: Any) -> Any:
        """Answer a referral."""
        path = f"/loans/api/referrals/{self.referrals[bank]}/{act}"
        return self.stage.act(key, what, "POST", path, expect=expect, json=body)


def tell(stage: Stage) -> str:
    """Act the loan and return the proposal's reference."""
    stage.chapter = "Bankable proposal to loan"
    loan = Loan(stage)
    _prepare(loan)
    _decline(loan)
    _improve(loan)
    _refer(loan)
    _answer(loan)
    _conclude(loan, _compare(loan))
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
    loan.submit("submits too early: refused", expect=409)
    for name in ("owners", "project", "history", "projection", "flows", "debts"):
        loan.section(name)
    loan.section("collateral", THIN)
    loan.section("declaration")
    for kind in ("registration", "accounts"):
        loan.upload(kind)
    readiness = stage.get("msme", f"{loan.path}/readiness")
    if not readiness["ready"]:
        raise DemoError(f"the finished proposal is not ready: {readiness['todos']}")
    loan.submit("submits: the version is locked")


def _decline(loan: Loan) -> None:
    stage = loan.stage
    loan.refer("bank-one", "consents and refers to bank-one")
    path = f"/loans/api/referrals/{loan.referrals['bank-one']}"
    stage.act("bank_two", "opens another bank's referral: not found", "GET", path, expect=404)
    seen = stage.act("bank_one", "opens its own referral", "GET", path)
    if set(seen["fields"]) - set(CONSENTED["bank-one"]):
        raise DemoError(f"bank one sees more than was consented to: {sorted(seen['fields'])}")
    loan.decide("bank_one", "bank-one", "acknowledges", "receipt")
    loan.decide("bank_one", "bank-one", "declines with reasons", "decline", reasons=["collateral"], note="Too thin.")
    loan.refer("bank-one", "refers the same version again: refused", expect=409)


def _improve(loan: Loan) -> None:
    """Work off the plan that came of the decline: one task by evidence, one by the proposal's own figure."""
    stage, declined = loan.stage, loan.referrals["bank-one"]
    plans = stage.get("officer", "/loans/api/improvements")["items"]
    path = next(f"/loans/api/improvements/{plan['reference']}" for plan in plans if plan["referral"] == declined)
    plan = stage.act("msme", "opens the improvement plan", "GET", path)
    asked = {"more-collateral", "guarantee"}
    if not asked <= {task["code"] for task in plan["tasks"] if not task["done"]}:
        raise DemoError(f"the plan does not follow from the reason: {plan['tasks']}")
    body = {"evidence": "The fund covers start-ups alone; other collateral is to be found.", "version": plan["version"]}
    stage.act("officer", "has asked the guarantee fund", "POST", f"{path}/tasks/guarantee/evidence", json=body)
    body = {"version": loan.version()}
    stage.act("msme", "reopens the proposal", "POST", f"{loan.path}/reopening", json=body)
    loan.section("collateral")
    loan.upload("valuation")
    plan = stage.get("msme", path)
    if not all(task["done"] for task in plan["tasks"] if task["code"] in asked):
        raise DemoError(f"what was improved does not count: {plan['tasks']}")
    loan.submit("submits the improved version")


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
    declined, chosen = loan.referrals["bank-one"], _match(loan)
    again = loan.refer("bank-one", "consents and refers again to bank-one")
    if again["again_of"] != declined:
        raise DemoError("the second referral does not say which one it follows")
    loan.refer(
        "bank-two", "consents and refers to bank-two", product=chosen["product"], product_number=chosen["number"]
    )
    loan.refer("mfi-one", "consents and refers to mfi-one")


def _answer(loan: Loan) -> None:
    valid: dict[str, Any] = {"valid_until": house_day(30)}
    loan.decide("bank_one", "bank-one", "acknowledges", "receipt")
    loan.decide("bank_one", "bank-one", "makes an offer", "offer", rate_percent="12.9", fee="1200", **TERMS, **valid)
    loan.decide("bank_two", "bank-two", "acknowledges", "receipt")
    loan.decide(
        "bank_two", "bank-two", "asks for a quotation", "question", text="Please send the supplier's quotation."
    )
    loan.decide("msme", "bank-two", "answers", "answer", text="The line costs 45,000; the quotation is of this month.")
    loan.decide("bank_two", "bank-two", "takes it into analysis", "analysis")
    loan.decide("bank_two", "bank-two", "makes an offer", "offer", rate_percent="13.5", fee="800", **TERMS, **valid)
    wish: dict[str, Any] = {"reason": "Another bank asks for less interest."}
    loan.decide("msme", "bank-two", "asks for a lower fee", "counter", rate_percent="13.5", fee="400", **TERMS, **wish)
    loan.decide("bank_two", "bank-two", "offers anew", "offer", rate_percent="13.5", fee="400", **TERMS, **valid)


def _compare(loan: Loan) -> str:
    """Hold the two offers side by side and return the bank whose loan costs least with everything counted."""
    offers = loan.stage.act("msme", "compares the offers", "GET", f"{loan.path}/offers")
    live = {line["bank"]: line for line in offers if line["live"]}
    thin = [bank for bank, line in live.items() if Decimal(line["lowest_dscr"]) < Decimal("1.2")]
    if set(live) != {"bank-one", "bank-two"} or thin:
        raise DemoError(f"two offers that the firm can carry were to be compared: {offers}")
    costs: dict[str, Decimal] = {bank: Decimal(line["total_paid"]["amount"]) for bank, line in live.items()}
    if costs["bank-two"] >= costs["bank-one"]:
        raise DemoError(f"the lower rate is not the cheaper loan here: {costs}")
    return min(costs, key=lambda bank: (costs[bank], bank))


def _conclude(loan: Loan, bank: str) -> None:
    stage = loan.stage
    accepted = loan.decide("msme", bank, "accepts the cheaper offer", "acceptance")
    loan.decide("msme", "bank-one", "accepts the other one too: refused", "acceptance", expect=409)
    left = stage.get("msme", f"/loans/api/referrals/{loan.referrals['mfi-one']}")
    if left["stage"] != "closed":
        raise DemoError(f"the third referral did not close by itself: it is {left['stage']}")
    path = f"/loans/api/loans/{accepted['reference']}/disbursements"
    body = {"amount": "40000", "on": house_day()}
    stage.act("bank_two", "reports the disbursement", "POST", path, json=body)
    stage.act("msme", "confirms the disbursement", "POST", f"{path}/1/confirmation")
    lift = stage.get("manager", "/loans/api/improvements/lift")
    if not any(line["programme"] == "business-ecosystem" and line["lent"] for line in lift):
        raise DemoError(f"what the improvement came to is not counted: {lift}")
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
