"""The side navigation by role, as data: (heading or None, [(address, label), …])."""

from __future__ import annotations

from shared.web.identity import Identity

Link = tuple[str, str]

LISTS = ("/grants/exclusion-lists", "Exclusion lists")
INTERESTS = ("/grants/interests", "My interests")
# The labels are gettext ids; `shared/web/locale` translates them.
BY_ROLE: dict[str, list[Link]] = {
    "applicant": [
        ("/grants/mine", "My applications"),
        ("/grants/reports/mine", "My reports"),
        ("/grants/calls", "Open calls"),
        ("/grants/cofinancing", "Co-financing"),
        ("/loans/mine", "My proposals"),
    ],
    "officer": [
        ("/grants/day", "My day"),
        ("/grants/", "Applications"),
        ("/grants/reports", "Reports"),
        ("/grants/cofinancing", "Co-financing"),
        ("/grants/publishing", "Open data"),
        ("/loans/proposals", "Proposals"),
        LISTS,
        INTERESTS,
    ],
    "reviewer": [("/grants/reviews", "My reviews"), INTERESTS],
    "programme_manager": [
        ("/grants/day", "My day"),
        ("/grants/", "Applications"),
        ("/grants/reports", "Reports"),
        ("/grants/cofinancing", "Co-financing"),
        LISTS,
        ("/grants/publishing", "Open data"),
        ("/programmes", "Programmes"),
        INTERESTS,
    ],
    "finance_officer": [
        ("/grants/day", "My day"),
        ("/grants/payments", "Payments"),
        ("/grants/reports", "Reports"),
        ("/grants/cofinancing", "Co-financing"),
        INTERESTS,
    ],
    "finance_partner": [("/loans/referrals", "Referrals")],
    "auditor": [("/audit/", "Audit log"), ("/grants/publishing", "Open data"), ("/docs/events", "Events")],
    "operator": [
        ("/operations", "Operations"),
        ("/docs/events", "Events"),
        ("/notifications/mail", "Mail"),
        ("/people", "People"),
        ("/programmes", "Programmes"),
    ],
}
EVERYBODY: list[Link] = [("/notifications/inbox", "Inbox"), ("/account", "My account")]

# Where the search box of a role leads; the words travel as `q`.
SEARCH = {
    "officer": "/grants/",
    "programme_manager": "/grants/",
    "finance_officer": "/grants/payments",
    "reviewer": "/grants/reviews",
    "finance_partner": "/loans/referrals",
    "auditor": "/audit/",
    "operator": "/people",
    "applicant": "/grants/mine",
}


def links_for(who: Identity | None) -> list[Link]:
    """Return the links of all roles that a person holds, each once, home first."""
    if who is None:
        return []
    links = [("/", "Home"), *(link for role in who.roles for link in BY_ROLE.get(role, [])), *EVERYBODY]
    return list(dict.fromkeys(links))


def current(links: list[Link], path: str) -> str:
    """Return the address of the link whose page `path` is in: the longest that `path` begins with."""
    fits = [href for href, _ in links if path == href or (href != "/" and path.startswith(href.rstrip("/") + "/"))]
    return max(fits, key=len, default="")
