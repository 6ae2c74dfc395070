"""The forms of a firm's profile as data, and between what they post and a fact's content."""

from __future__ import annotations

from itertools import product
from typing import Any

from services.loans.domain.facts import AGES, CONTRACTS, SEXES
from services.loans.pages import forms
from services.loans.pages.sections import Item, Rows, Section

TOPICS: dict[str, str] = {
    "register": "Register",
    "owners": "Owners",
    "staff": "Employees",
    "accounts": "Accounts of a year",
}
SOURCES: dict[str, str] = {
    "audited": "audited",
    "tax_return": "tax return",
    "management": "management",
    "self_declared": "self-declared",
}
SIDES = {"firm": "the firm", "adviser": "its adviser", "office": "the programme office"}
SEX_WORDS = {"female": "Women", "male": "Men"}
AGE_WORDS = {"youth": "Under 30", "adult": "30 to 59", "older": "60 and over"}
CONTRACT_WORDS = {"permanent": "permanent", "temporary": "temporary or seasonal"}
_SEX = (("", "not stated"), ("female", "female"), ("male", "male"))
_YES = (("", "no"), ("true", "yes"))
OWNER_ROWS = 5
# The accounts in the order of a statement: heading, then (field, label); what is a sum says so.
ACCOUNTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Profit and loss",
        (
            ("sales", "Sales"),
            ("other_income", "Other income"),
            ("cost_of_sales", "Cost of sales"),
            ("operating_costs", "Operating costs"),
            ("depreciation", "Depreciation"),
            ("interest", "Interest"),
            ("tax", "Tax"),
            ("net_profit", "Net profit"),
        ),
    ),
    (
        "Assets",
        (
            ("fixed_assets", "Fixed assets"),
            ("current_assets", "Current assets"),
            ("stock", "of which stock"),
            ("receivables", "of which owed by buyers"),
            ("cash", "of which cash"),
            ("total_assets", "Total assets"),
        ),
    ),
    (
        "Equity and liabilities",
        (
            ("equity", "Equity"),
            ("long_term_liabilities", "Long-term liabilities"),
            ("current_liabilities", "Current liabilities"),
            ("payables", "of which owed to suppliers"),
            ("debt", "Of all liabilities: loans"),
            ("total_claims", "Total equity and liabilities"),
        ),
    ),
)
SUMS = {"net_profit", "total_assets", "total_claims"}
ACCOUNT_LABELS = {name: label for _, lines in ACCOUNTS for name, label in lines} | {"year": "Year"}

SECTIONS: dict[str, Section] = {
    "register": Section(
        "register",
        "Register",
        "As it stands in the trade register.",
        (
            Item("legal_name", "Legal name"),
            Item("legal_form", "Legal form"),
            Item("registration_number", "Registration number"),
            Item("tax_id", "Tax number"),
            Item("founded", "Founded on", "day"),
            Item("address", "Address"),
            Item("region", "Region"),
            Item("sector", "Sector", hint="Two to four digits of ISIC Rev. 4, such as 1030 for preserving fruit"),
        ),
    ),
    "owners": Section(
        "owners",
        "Owners",
        "Personal data: a bank sees names only if the firm consents to that part of a proposal.",
        (
            Rows(
                "people",
                "People who own a share",
                (
                    Item("name", "Name"),
                    Item("share_percent", "Share, per cent", "percent"),
                    Item("sex", "Sex", "choice", options=_SEX),
                    Item("birth_year", "Year of birth", "number"),
                    Item("pep", "Politically exposed", "choice", options=_YES),
                ),
                OWNER_ROWS,
            ),
        ),
    ),
}


def staff_names() -> list[tuple[str, str, list[str]]]:
    """Return the rows of the employees' grid: age band, contract, and the input of each sex."""
    return [
        (AGE_WORDS[age], CONTRACT_WORDS[contract], [f"fte-{sex}-{age}-{contract}" for sex in SEXES])
        for age, contract in product(AGES, CONTRACTS)
    ]


def content_of(topic: str, values: dict[str, str]) -> dict[str, Any]:
    """Return what a form of a topic says."""
    if topic != "staff":
        return forms.block_data(values)
    groups = []
    for sex, age, contract in product(SEXES, AGES, CONTRACTS):
        typed = values.get(f"fte-{sex}-{age}-{contract}", "").strip()
        if typed:
            groups.append({"sex": sex, "age": age, "contract": contract, "fte": typed})
    return {"groups": groups}


def values_of(topic: str, content: dict[str, Any]) -> dict[str, str]:
    """Return a content as its form's names and texts."""
    if topic != "staff":
        return forms.flat(content)
    return {f"fte-{item['sex']}-{item['age']}-{item['contract']}": str(item["fte"]) for item in content["groups"]}


def inputs_of(topic: str, fields: dict[str, str], content: dict[str, Any]) -> dict[str, str]:
    """Return broken rules under the names of the form's inputs."""
    named: dict[str, str] = {}
    for name, why in fields.items():
        parts = name.split(".")
        if topic == "staff" and parts[0] == "groups" and len(parts) > 1:
            item = content["groups"][int(parts[1])]
            named[f"fte-{item['sex']}-{item['age']}-{item['contract']}"] = why
        else:
            named["-".join(parts)] = why
    return named
