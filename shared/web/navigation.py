"""The side navigation, as data: every place, under its heading, with the roles that go there."""

from __future__ import annotations

from shared.web.identity import Identity

Link = tuple[str, str]
Place = tuple[str, str, tuple[str, ...]]  # address, label, the roles whose work is there
Section = tuple[str, list[Link]]

_OFFICE = ("officer", "programme_manager")
_STAFF = (*_OFFICE, "finance_officer")
_INSIDE = (*_STAFF, "auditor")

# The headings and labels are gettext ids; `shared/web/locale` translates them. A place has one name everywhere.
SECTIONS: list[tuple[str, list[Place]]] = [
    (
        "",
        [
            ("/grants/day", "My day", _STAFF),
            ("/audit/", "Audit log", ("auditor",)),
            ("/audit/watch", "Watch", ("auditor",)),
            ("/audit/sample", "Audit sample", ("auditor",)),
            ("/audit/completeness", "Is anything missing?", ("auditor", "operator")),
            ("/operations", "Operations", ("operator",)),
        ],
    ),
    (
        "Grants",
        [
            ("/grants/mine", "My applications", ("applicant",)),
            ("/grants/reports/mine", "My reports", ("applicant",)),
            ("/grants/reviews", "My reviews", ("reviewer",)),
            ("/grants/", "Applications", _INSIDE),
            ("/grants/ageing", "How long cases wait", _INSIDE),
            ("/grants/bulk", "Acts on many cases", _INSIDE),
            ("/grants/panels", "Panels", (*_OFFICE, "auditor")),
            ("/grants/cofinancing", "Co-financing", ("applicant", *_INSIDE)),
            ("/grants/calls", "Open calls", ("applicant",)),
            ("/grants/calls", "Calls", _INSIDE),
        ],
    ),
    (
        "Money",
        [
            ("/grants/payments", "Payments", ("finance_officer", "programme_manager", "auditor")),
            ("/grants/bank-files", "Bank files", ("finance_officer", "programme_manager", "auditor")),
            ("/grants/bank-details", "Bank details", ("finance_officer", "programme_manager", "auditor")),
            ("/grants/ledger", "Ledger", _INSIDE),
        ],
    ),
    (
        "Results",
        [
            ("/grants/reports", "Reports", _INSIDE),
            ("/grants/indicators", "Indicators", _INSIDE),
            ("/grants/publishing", "Open data", _INSIDE),
        ],
    ),
    (
        "Loans",
        [
            ("/loans/mine", "My proposals", ("applicant",)),
            ("/loans/proposals", "Proposals", ("officer",)),
            ("/loans/firms", "Firms", ("applicant", *_OFFICE)),
            ("/loans/cases", "Cases of advisers", _OFFICE),
            ("/loans/courses", "Courses", ("applicant", *_OFFICE)),
            ("/loans/improvements", "Improvement plans", _OFFICE),
            ("/loans/referrals", "Referrals", ("finance_partner",)),
            ("/loans/teasers", "Teasers", ("finance_partner",)),
            ("/audit/referrals", "Record of referrals", ("finance_partner",)),
            ("/audit/checkpoint", "Checkpoint of the record", ("finance_partner",)),
            ("/loans/products", "Loan products", ("applicant", "finance_partner", *_OFFICE, "auditor")),
            ("/loans/tapes", "Repayment tapes", ("finance_partner", *_OFFICE, "auditor")),
            ("/loans/guarantees", "Guarantees", ("guarantor", "finance_partner", *_OFFICE, "auditor")),
            ("/loans/facilities", "Guarantee facilities", ("guarantor", "finance_partner", *_OFFICE, "auditor")),
            ("/loans/portfolio", "Portfolio", ("finance_partner", *_OFFICE, "auditor")),
            ("/loans/groups", "Group proposals", ("applicant", *_OFFICE)),
            ("/loans/tripartite", "Agreements of three", ("applicant", "finance_partner", *_OFFICE, "auditor")),
            ("/loans/fees", "Success fees", ("finance_officer", *_OFFICE, "auditor")),
            ("/notifications/webhooks", "Webhooks", ("finance_partner",)),
            ("/loans/calculator", "Loan calculator", ("applicant", "finance_partner", *_OFFICE)),
        ],
    ),
    (
        "Rules and people",
        [
            ("/people", "People", ("operator",)),
            ("/organisations", "Organisations", (*_INSIDE, "operator")),
            ("/programmes", "Programmes", (*_INSIDE, "operator")),
            ("/grants/workflows", "Cases under older workflows", _INSIDE),
            ("/grants/exclusion-lists", "Exclusion lists", _INSIDE),
            ("/grants/delegations", "Who stands in for whom", _INSIDE),
            ("/grants/interests", "My interests", ("reviewer", *_STAFF)),
            ("/audit/retention", "Retention and erasure", ("auditor", "operator")),
            ("/docs/events", "Events", ("auditor", "operator")),
            ("/notifications/mail", "Mail", ("operator",)),
        ],
    ),
]
OWN_ORGANISATION: Place = ("/organisations/mine", "My organisation", ("applicant", "finance_partner", "guarantor"))
EVERYBODY: list[Link] = [("/notifications/inbox", "Inbox"), ("/account", "My account")]
# What of these can be looked at for one programme alone; `{}` is its id.
OF_PROGRAMME = {
    "/grants/": "/grants/?programme={}",
    "/grants/ageing": "/grants/ageing?programme={}",
    "/grants/payments": "/grants/payments?programme={}",
    "/grants/bank-files": "/grants/bank-files?programme={}",
    "/grants/ledger": "/grants/ledger?programme={}",
    "/grants/reports": "/grants/reports?programme={}",
    "/grants/indicators": "/grants/indicators?programme={}",
    "/grants/workflows": "/grants/workflows?programme={}",
    "/grants/panels": "/grants/panels?programme={}",
    "/grants/publishing": "/grants/publishing/{}/facts",
}

# Where the search box of a role leads; the words travel as `q`.
SEARCH = {
    "officer": "/grants/",
    "programme_manager": "/grants/",
    "finance_officer": "/grants/",
    "reviewer": "/grants/reviews",
    "finance_partner": "/loans/referrals",
    "guarantor": "/loans/guarantees",
    "auditor": "/audit/",
    "operator": "/people",
    "applicant": "/grants/mine",
}


def sections_for(who: Identity | None) -> list[Section]:
    """Return the places of all roles that a person holds, each once under its heading, home first."""
    if who is None:
        return []
    seen: set[str] = set()
    found: list[Section] = []
    for heading, places in SECTIONS:
        links = [] if heading else [("/", "Home")]
        for href, label, roles in places:
            if href not in seen and set(roles) & set(who.roles):
                seen.add(href)
                links.append((href, label))
        if links:
            found.append((heading, links + ([] if heading else EVERYBODY[:1])))
    own = [OWN_ORGANISATION[:2]] if set(OWN_ORGANISATION[2]) & set(who.roles) else []
    return [*found, ("You", [*own, *EVERYBODY[1:]])]


def links_for(who: Identity | None) -> list[Link]:
    """Return the links of `sections_for` in one row."""
    return [link for _, links in sections_for(who) for link in links]


def of_programme(who: Identity, programme: str) -> list[Section]:
    """Return where a person finds what belongs to one programme, under the same headings and names."""
    found = [
        (heading, [(OF_PROGRAMME[href].format(programme), label) for href, label in links if href in OF_PROGRAMME])
        for heading, links in sections_for(who)
    ]
    return [(heading, links) for heading, links in found if links]


def current(links: list[Link], path: str) -> str:
    """Return the address of the link whose page `path` is in: the longest that `path` begins with."""
    fits = [href for href, _ in links if path == href or (href != "/" and path.startswith(href.rstrip("/") + "/"))]
    return max(fits, key=len, default="")
