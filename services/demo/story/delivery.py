"""The grant at work: paid against milestones, reported on, amended, refunded in part, closed; and the books balance."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from services.demo.people import DemoError
from services.demo.story import payee
from services.demo.story.grant import Grant
from services.demo.story.text import INDICATORS, MOVED, NARRATIVE, STARTED, day, euro


def pay(grant: Grant) -> None:
    """Act the first tranche: of 24,000 a part is certified, and no more than that is let go."""
    grant.stage.chapter = "BSO grant: the first payment"
    payee.tell(grant.stage, "applicant", "MK07250120000058984")
    _show(grant, 1, "attendance.pdf")
    grant.award("finance", "requests tranche 1", "tranches/1/request")
    grant.award("finance_two", "releases it before the milestone: refused", "tranches/1/release", expect=409)
    grant.award("officer", "verifies milestone 1", "milestones/1/verification", good=True, note="Seen on site")
    grant.award("finance_two", "releases it uncertified: refused", "tranches/1/release", expect=409)
    facts: dict[str, Any] = {
        "period_from": day(STARTED),
        "period_to": day(),
        "purpose": "Trainers and the first courses",
    }
    certified: dict[str, Any] = {"amount": euro("20000"), **facts}
    grant.award("manager", "certifies 20,000 of 24,000", "tranches/1/certificate", **certified)
    refused = grant.award("finance_two", "releases all of it: refused", "tranches/1/release", expect=409)
    digits = "".join(filter(str.isdigit, refused["detail"]))  # in whatever language she reads
    if "2000000" not in digits or "2400000" not in digits:
        raise DemoError(f"the release was refused without its arithmetic: {refused['detail']}")
    grant.award("finance", "releases his own request: refused", "tranches/1/release", expect=403)
    part: dict[str, Any] = {"amount": euro("20000")}
    grant.award("finance_two", "releases 20,000; 4,000 are kept back", "tranches/1/release", **part)
    _confirm(grant, 1)


def _show(grant: Grant, number: int, name: str) -> None:
    path = f"{grant.path}/documents"
    document = grant.stage.upload("applicant", f"uploads {name}", path, name, kind="other")
    grant.award("applicant", f"shows milestone {number}", f"milestones/{number}/evidence", document=document["id"])


def _confirm(grant: Grant, number: int) -> None:
    facts: dict[str, Any] = {"payment_reference": f"TR-{grant.reference}-{number}", "paid_on": day()}
    grant.award("finance", f"confirms payment {number}", f"tranches/{number}/payment", **facts)


def finish(grant: Grant) -> None:
    """Act all that is left until the grant is closed."""
    grant.stage.chapter = "BSO grant: reports to closeout"
    report(grant, 1, -40, accepted=(("experts", "17000"), ("events", "6000")))
    _amend(grant)
    for number, name in ((2, "courses.pdf"), (3, "final-report.pdf")):
        _show(grant, number, name)
        good: dict[str, Any] = {"good": True, "note": "Compared with the report"}
        grant.award("officer", f"verifies milestone {number}", f"milestones/{number}/verification", **good)
    for number in (2, 3, 4):
        grant.award("finance", f"requests tranche {number}", f"tranches/{number}/request")
        grant.award("finance_two", f"releases tranche {number}", f"tranches/{number}/release")
        _confirm(grant, number)
    report(grant, 2, -2, accepted=(("events", "19000"),))
    _refund(grant)
    for item, note in (("assets", "Projectors stay with the chamber"), ("audit", "No finding is open")):
        seen = grant.stage.get("officer", f"{grant.path}/closeout")
        body = {"answer": "done", "note": note, "version": seen["version"]}
        what = f"answers the closing checklist: {item}"
        grant.stage.act("officer", what, "POST", f"{grant.path}/closeout/{item}", json=body)
    grant.move("officer", "closes the grant", "close", comment="Reports in, money reconciled, nothing outstanding")
    _balance(grant)


def report(grant: Grant, number: int, spent: int, *, accepted: tuple[tuple[str, str], ...]) -> None:
    """Act one report with its costs, those that count and a fine that does not."""
    stage, path = grant.stage, f"/grants/api/reports/{grant.reference}-R{number}"

    def act(key: str, what: str, method: str, ending: str = "", *, expect: int | None = None, **body: Any) -> Any:
        body["version"] = stage.get("applicant", path)["version"]
        return stage.act(key, what, method, path + ending, expect=expect, json=body)

    name = f"report {number}"
    written: dict[str, Any] = {"answers": NARRATIVE, "entries": INDICATORS}
    written["explanations"] = dict.fromkeys(("experts", "events"), "The courses came in one block.")
    act("applicant", f"writes {name} with its indicators", "PUT", **written)
    kind = {"kind": "invoice"}
    proof = stage.upload("applicant", "attaches the invoices", f"{path}/documents", f"invoices-{number}.pdf", **kind)
    rows = [*accepted, ("events", "400")]
    costs = [_cost(grant, number, place, spent, proof["id"], line, paid) for place, (line, paid) in enumerate(rows, 1)]
    act("applicant", "enters the costs", "POST", "/costs", costs=costs)
    act("applicant", f"hands {name} in", "POST", "/submission")
    act("manager", f"accepts {name} with costs undecided: refused", "POST", "/acceptance", expect=409)
    fine: dict[str, Any] = {"decision": "refused", "code": "fines", "reason": "A fine for a late fee"}
    act("officer", "refuses a cost with its code", "POST", f"/costs/{len(rows)}/decision", **fine)
    act("officer", "accepts the other costs", "POST", "/costs/acceptance")
    act("manager", f"accepts {name}", "POST", "/acceptance", comment="As agreed")


def _cost(grant: Grant, number: int, place: int, spent: int, proof: str, line: str, amount: str) -> dict[str, Any]:  # noqa: PLR0917 - a cost has as many sides
    return {
        "paid_on": day(spent),
        "line": line,
        "description": "Trainers" if line == "experts" else "Courses",
        "invoice_number": f"{grant.reference}/{number}/{place}",
        "supplier": "Skills Ltd",
        "supplier_tax_id": "4080012345678",
        "claimed": euro(amount),
        "vat": "0",
        "document": proof,
    }


def _amend(grant: Grant) -> None:
    """Move a quarter of the grant between budget lines: above 20 %, so the manager's, and accepted by both sides."""
    stage, path = grant.stage, f"{grant.path}/award/amendments"
    body = {"why": "Courses cost more, trainers less", "version": _award(grant)["version"], "lines": MOVED}
    asked = stage.act("applicant", "asks to move 25 % of the budget", "POST", path, json=body)
    if (asked["verdict"]["class"], asked["verdict"]["percent"]) != ("budget_major", "25.00"):
        raise DemoError(f"the amendment is of another class: {asked['verdict']}")
    one = f"/grants/api/amendments/{asked['id']}"
    decision = {"approve": True, "note": "Needed for the last course", "version": asked["version"]}
    stage.act("officer", "approves it: above 20 %, refused", "POST", f"{one}/decision", expect=403, json=decision)
    made = stage.act("manager", "approves the amendment", "POST", f"{one}/decision", json=decision)
    for key in ("applicant", "manager"):
        body = {"version": made["version"], "sha256": made["sha256"]}
        made = stage.act(key, "accepts the amended text", "POST", f"{one}/acceptance", json=body)


def _award(grant: Grant) -> Any:
    return grant.stage.get("officer", f"{grant.path}/award")


def _ledger(grant: Grant) -> Any:
    return grant.stage.get("finance", f"{grant.path}/ledger")


def _refund(grant: Grant) -> None:
    """Get back what was paid and is not accounted for."""
    owed = _ledger(grant)["figures"]["outstanding"]
    if Decimal(owed["amount"]) <= 0:
        raise DemoError("nothing is left to be refunded")
    amount = f"{Decimal(owed['amount']):,.2f}"
    facts: dict[str, Any] = {"amount": owed, "why": "Not spent by the last day", "due": day(30)}
    grant.award("manager", f"demands {amount} back", "refunds", **facts)
    got: dict[str, Any] = {"amount": owed, "reference": f"IN-{grant.reference}", "received_on": day()}
    grant.award("finance", f"records that {amount} came in", "refunds/1/receipt", **got)


def _balance(grant: Grant) -> None:
    """Check that both sides of the ledger are equal, and that nothing is outstanding."""
    book = _ledger(grant)
    sides: Counter[str] = Counter()
    sums = {"debit": Decimal(0), "credit": Decimal(0)}
    for line in book["lines"]:
        sums[line["side"]] += Decimal(line["amount"]["amount"])
        sides[line["side"]] += 1
    left = {name: value["amount"] for name, value in book["figures"].items() if name in OPEN}
    if not book["lines"] or sums["debit"] != sums["credit"] or any(Decimal(value) for value in left.values()):
        raise DemoError(f"the ledger of {grant.reference} does not balance: {sums}, {left}")


OPEN = ("left", "waiting", "outstanding", "refund_due")
