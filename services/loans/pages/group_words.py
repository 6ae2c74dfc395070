"""Words that pages say about groups of firms. Each is a gettext id."""

from __future__ import annotations

LIABILITIES = {
    "several": "Each member owes its own share",
    "joint_and_several": "Each member stands for the whole loan",
}
STAGES: dict[str, tuple[str, str]] = {
    "waiting": ("Waits for members", "warn"),
    "accepted": ("All have accepted", "good"),
    "dissolved": ("Dissolved", ""),
}
MEMBERS: dict[str, tuple[str, str]] = {
    "invited": ("Asked", "warn"),
    "accepted": ("Accepted", "good"),
    "declined": ("Declined", "bad"),
}
FIELDS = {
    "name": "Name",
    "registration_number": "Registration number",
    "sector": "Sector",
    "employees": "Employees",
    "size_class": "Size class",
    "turnover": "Turnover of the last year",
    "women_owned_percent": "Owned by women, per cent",
    "share": "Share",
}
SIZES = {"micro": "Micro", "small": "Small", "medium": "Medium", "large": "Large"}
MOVES = {
    "accept": "Accept",
    "decline": "Decline",
    "settle": "Settle the shares",
    "reopen": "Reopen",
    "consent": "Consent",
}
