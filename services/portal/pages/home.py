"""Home by role: what to do now, and the way to search."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from shared.web.dependencies import Who, allowed
from shared.web.navigation import SEARCH
from shared.web.pages import render

router = APIRouter()

# Where somebody with one role begins after signing in: at their work, not at a page about it.
LANDING = {
    "applicant": "/",
    "officer": "/grants/",
    "reviewer": "/grants/reviews",
    "programme_manager": "/grants/",
    "finance_officer": "/grants/payments",
    "finance_partner": "/loans/referrals",
    "guarantor": "/loans/guarantees",
    "auditor": "/audit/",
    "operator": "/operations",
}

# (address, title, what for, button). All are gettext ids; templates translate them.
Card = tuple[str, str, str, str]
CARDS: dict[str, list[Card]] = {
    "applicant": [
        ("/grants/calls", "Apply for a grant", "See which calls are open and start an application.", "Open calls"),
        (
            "/grants/mine",
            "My applications",
            "Go on with a draft, answer questions, follow your case.",
            "My applications",
        ),
        ("/loans/mine", "My proposals", "Prepare a bankable proposal and choose who may see it.", "My proposals"),
    ],
    "officer": [
        ("/grants/", "Applications", "Cases by whose turn it is and when they are due.", "Open the queue"),
        ("/grants/cofinancing", "Co-financing", "Contributions to verify and releases to propose.", "Open agreements"),
        ("/loans/proposals", "Proposals", "Which firms are ready for a bank, and what is missing.", "Open proposals"),
    ],
    "reviewer": [
        ("/grants/reviews", "My reviews", "Declare your interest, then score by the sheet.", "Open my reviews"),
    ],
    "programme_manager": [
        ("/grants/", "Decisions", "Cases that wait for your signature come first.", "Open the queue"),
        ("/grants/cofinancing", "Co-financing", "Agreements, verified match and releases.", "Open agreements"),
        ("/programmes", "Programmes", "Workflows and rules as they are in force.", "Open programmes"),
    ],
    "finance_officer": [
        ("/grants/payments", "Payments", "Tranches to request, to release and to confirm.", "Open payments"),
        ("/grants/cofinancing", "Co-financing", "Releases against verified match.", "Open agreements"),
    ],
    "finance_partner": [
        ("/loans/referrals", "Referrals", "Proposals referred to your institution.", "Open referrals"),
    ],
    "guarantor": [
        (
            "/loans/guarantees",
            "Guarantees",
            "Requests to decide, claims to pay, what is guaranteed.",
            "Open guarantees",
        ),
    ],
    "auditor": [
        ("/audit/", "Audit log", "Who did what, when, on what ground; and the proof of it.", "Search the log"),
    ],
    "operator": [
        ("/operations", "Operations", "Is everything running, and is anything waiting?", "Open operations"),
        ("/people", "People", "Who may sign in, and in which role.", "Open people"),
        ("/notifications/mail", "Mail", "What went out, and what did not arrive.", "Open mail"),
    ],
}


# What services say on this page about a person's work: (address of the part, heading, list behind it).
Part = tuple[str, str, str]
GRANTS, LOANS = "/grants/fragments/home", "/loans/fragments/home"
PARTS: dict[str, list[Part]] = {
    "applicant": [(GRANTS, "My applications", "/grants/mine"), (LOANS, "My proposals", "/loans/mine")],
    "officer": [(GRANTS, "What waits", "/grants/")],
    "reviewer": [(GRANTS, "What waits", "/grants/reviews")],
    "programme_manager": [(GRANTS, "What waits", "/grants/")],
    "finance_officer": [(GRANTS, "What waits", "/grants/payments")],
    "finance_partner": [(LOANS, "Referrals", "/loans/referrals")],
    "guarantor": [(LOANS, "Guarantees", "/loans/guarantees")],
    "auditor": [("/audit/fragments/home", "Can the log be trusted?", "/audit/verification")],
    "operator": [("/operations/fragment", "Health", "/operations")],
}


@router.get("/", dependencies=[allowed("portal.home.read")])
def home(request: Request, who: Who) -> HTMLResponse:
    cards = {role: CARDS[role] for role in who.roles if role in CARDS}
    parts = {part[0]: part for role in reversed(who.roles) for part in PARTS.get(role, [])}
    return render(request, "home.html", cards=cards, own_parts=list(parts.values()))


@router.get("/search", dependencies=[allowed("portal.search.use")])
def search(who: Who, q: str = "") -> RedirectResponse:
    address = next((SEARCH[role] for role in who.roles if role in SEARCH), "/")
    return RedirectResponse(f"{address}?q={quote(q[:200])}" if q.strip() else address, 303)
