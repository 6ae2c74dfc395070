"""A loan that is paid out, people of a guarantee fund, and a facility that two of them opened."""

from __future__ import annotations

from typing import Any

from loans_world import ALL_BLOCKS, World, call, offered, read_pack, submitted

from shared.testing.web import Browser, person

FUND = "guarantee-fund"
TERMS: dict[str, Any] = read_pack()["finance"]["facilities"][0]["terms"]
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"


def fund(world: World, user: str, *, confirmed: bool = True) -> Browser:
    """Return somebody of the fund; `confirmed` when they have just given their password."""
    moment = int(world.clock().timestamp()) if confirmed else None
    who = person("guarantor", user, name=user.title(), organisation=FUND, confirmed_at=moment)
    return Browser(world.app, who)


def opened(world: World, **changed: Any) -> str:
    """Return a facility that Rade proposed and Sonja approved."""
    item = call(fund(world, "rade"), "POST", "/facilities", 201, terms=TERMS | changed)["reference"]
    call(fund(world, "sonja"), "POST", f"/facilities/{item}/approval")
    return str(item)


def lent(world: World, amount: str = "40000", *, paid: str = "") -> str:
    """Return a loan of the first bank, agreed, and paid out when `paid` says how much."""
    referral = offered(world, submitted(world), "bank-one", world.bank_one, amount=amount)
    loan = str(call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"])
    if paid:
        call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount=paid, on="2026-03-02")
    return loan


AGREED = {
    "guarantor": FUND,
    "fields": ALL_BLOCKS,
    "purpose": "guarantee_decision",
    "until": "2026-06-01",
    "text_version": "1",
}


def permitted(world: World, loan: str, **changed: Any) -> str:
    """Return the firm's consent that the fund is given its data."""
    answer = call(world.msme, "POST", f"/loans/{loan}/permissions", 201, **(AGREED | changed))
    return str(answer["reference"])


def asked(world: World, facility: str, loan: str, coverage: str = "50", expect: int = 201) -> Any:
    """Ask for a guarantee as the bank."""
    body = {"facility": facility, "coverage_percent": coverage, "note": "A young firm."}
    return call(world.bank_one, "POST", f"/loans/{loan}/guarantees", expect, **body)


def tape(world: World, loan: str, as_of: str, principal: str = "0", interest: str = "0") -> None:
    """Let the bank's tape of a day count."""
    left = str(40000 - int(principal))
    rows = [{"loan": loan, "principal_paid": principal, "interest_paid": interest, "outstanding": left}]
    found = call(world.bank_one, "POST", "/tapes", 201, as_of=as_of, rows=rows)
    call(world.bank_one, "POST", f"/tapes/{found['reference']}/application", version=found["version"])


def pay_dues(world: World, guarantee: str, on: str, mark: str) -> Any:
    """Record every sum that is due as received."""
    browser = fund(world, "rade")
    for item in call(browser, "GET", f"/guarantees/{guarantee}")["dues"]:
        if item["paid_on"] is None:
            body = {"on": on, "payment": f"{mark}-{item['number']}"}
            call(browser, "POST", f"/guarantees/{guarantee}/dues/{item['number']}", **body)
    return call(browser, "GET", f"/guarantees/{guarantee}")


def held(world: World, *, paid: str = "40000") -> tuple[str, str, str]:
    """Return (facility, loan, guarantee): active, of a half of 40,000."""
    facility, loan = opened(world), lent(world, paid=paid)
    permitted(world, loan)
    guarantee = asked(world, facility, loan)["reference"]
    call(fund(world, "rade"), "POST", f"/guarantees/{guarantee}/issue")
    pay_dues(world, guarantee, "2026-03-02", "F")
    return facility, loan, guarantee


def attach(world: World, guarantee: str, content: bytes = PDF) -> None:
    """Add a document as the bank."""
    file = {"file": ("demand.pdf", content, "application/pdf")}
    answer = world.bank_one.post(f"/loans/api/guarantees/{guarantee}/documents", {}, files=file)
    assert answer.status_code == 201, answer.text
