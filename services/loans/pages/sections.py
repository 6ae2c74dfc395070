"""The editor's sections as data: which fields each block shows, and in which form they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

# Labels and hints are gettext ids; the template translates them.


@dataclass(frozen=True)
class Item:
    """One input: `kind` is line, area, money, percent, number, day, tick or choice."""

    name: str
    label: str
    kind: str = "line"
    hint: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rows:
    """A table: one row an entry, at least `rows` of them shown."""

    name: str
    label: str
    columns: tuple[Item, ...]
    rows: int
    hint: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Series:
    """A line of amounts, one for each of `labels`."""

    name: str
    label: str
    labels: tuple[str, ...]
    hint: str = ""


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    intro: str
    items: tuple[Item | Rows | Series, ...]


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SEX = (("", "not stated"), ("female", "female"), ("male", "male"))
_INSTRUMENTS = (("term_loan", "Term loan"), ("working_capital", "Working capital"), ("leasing", "Leasing"))
_FIGURES = (
    ("audited", "audited"),
    ("tax_return", "tax return"),
    ("management", "management"),
    ("self_declared", "self-declared"),
)
_SECURITIES = (
    ("equipment", "equipment"),
    ("real_estate", "real estate"),
    ("vehicle", "vehicle"),
    ("stock", "stock"),
    ("receivable", "receivable"),
    ("guarantee", "guarantee"),
)
_YEARS = ("Year 1", "Year 2", "Year 3")


def _money(*pairs: tuple[str, str]) -> tuple[Item, ...]:
    return tuple(Item(name, label, "money") for name, label in pairs)


SECTIONS: dict[str, Section] = {
    item.name: item
    for item in (
        Section(
            "applicant",
            "The firm",
            "As it stands in the register.",
            (
                Item("legal_name", "Legal name"),
                Item("legal_form", "Legal form"),
                Item("registration_number", "Registration number"),
                Item("tax_id", "Tax number"),
                Item("founded", "Founded on", "day"),
                Item("address", "Address"),
                Item("sector", "Sector", hint="Class of ISIC Rev. 4, such as 1030 Processing of fruit and vegetables"),
                Item("employees", "Employees, full-time equivalents", "number"),
                Item("women_owned_percent", "Owned by women, per cent", "percent"),
            ),
        ),
        Section(
            "owners",
            "Owners",
            "Names are personal data: a bank sees them only if you consent to this part.",
            (
                Rows(
                    "people",
                    "People who own a share",
                    (
                        Item("name", "Name"),
                        Item("share_percent", "Share, per cent", "percent"),
                        Item("sex", "Sex", "choice", options=_SEX),
                        Item("birth_year", "Year of birth", "number"),
                    ),
                    4,
                ),
            ),
        ),
        Section(
            "request",
            "The request",
            "What you ask a bank for.",
            (
                Item("title", "Title", hint="Few words: what the loan is for"),
                Item("amount", "Amount", "money"),
                Item("purpose", "Purpose", "choice"),
                Item("instrument", "Instrument", "choice", options=_INSTRUMENTS),
                Item("term_months", "Term in months", "number"),
                Item("grace_principal_months", "Months without repayment of principal", "number"),
                Item("rate_percent", "Interest rate you expect, per cent a year", "percent"),
                Item("needed_by", "Needed by", "day"),
            ),
        ),
        Section(
            "project",
            "The project",
            "What you will do with it.",
            (
                Item("description", "Description", "area"),
                Item("location", "Place"),
                Item("start", "Begins", "day"),
                Item("end", "Ends", "day"),
                Item("market", "Market and buyers", "area"),
            ),
        ),
        Section(
            "funding",
            "Sources and uses",
            "The two sums must be equal.",
            (
                *_money(
                    ("loan", "Loan"),
                    ("own_cash", "Own cash"),
                    ("own_in_kind", "Own contribution in kind"),
                    ("grant", "Grant"),
                    ("lead_firm", "Lead firm"),
                    ("other", "Other"),
                ),
                Rows("uses", "Uses", (Item("item", "Item"), Item("amount", "Amount", "money")), 6),
            ),
        ),
        Section(
            "history",
            "Three years",
            "From your accounts, one row a year.",
            (
                Rows(
                    "years",
                    "Years",
                    (
                        Item("year", "Year", "number"),
                        *_money(
                            ("sales", "Sales"),
                            ("cost_of_sales", "Cost of sales"),
                            ("operating_costs", "Operating costs"),
                            ("depreciation", "Depreciation"),
                            ("interest", "Interest"),
                            ("tax", "Tax"),
                            ("current_assets", "Current assets"),
                            ("stock", "Stock"),
                            ("receivables", "Owed by buyers"),
                            ("payables", "Owed to suppliers"),
                            ("current_liabilities", "Current liabilities"),
                            ("debt", "Debt"),
                            ("equity", "Equity"),
                        ),
                        Item("source", "Source", "choice", options=_FIGURES),
                    ),
                    3,
                ),
            ),
        ),
        Section(
            "projection",
            "Projection",
            "Assumptions for 36 months. The loan's instalments are computed.",
            (
                Item(
                    "first_month", "First month", "day", hint="The first day of the month in which the loan is paid out"
                ),
                Item("opening_cash", "Cash at the start", "money"),
                Series("sales", "Sales by year", _YEARS),
                Series(
                    "seasonality", "Seasonality", _MONTHS, "Weights, such as 6 for a weak month and 11 for a strong one"
                ),
                Item("cost_of_sales_percent", "Cost of sales, per cent of sales", "percent"),
                Item("operating_costs", "Operating costs in the first year", "money"),
                Item("operating_growth_percent", "Growth of operating costs, per cent a year", "percent"),
                Item("depreciation", "Depreciation a year", "money"),
                Item("tax_percent", "Tax on profit, per cent", "percent"),
                Item("capex", "Maintenance investment a year", "money"),
                Item("assumptions", "What these figures rest on", "area"),
                Rows(
                    "months",
                    "Month by month instead",
                    _money(
                        ("sales", "Sales"), ("cost_of_sales", "Cost of sales"), ("operating_costs", "Operating costs")
                    ),
                    36,
                    "When these are filled in, all 36 of them replace what the assumptions spread.",
                    folded=True,
                ),
            ),
        ),
        Section(
            "flows",
            "Project flows",
            "The investment in year 0 with a minus, then what each year brings.",
            (
                Series("flows", "Flows by year", tuple(str(year) for year in range(8))),
                Item("discount_percent", "Discount rate, per cent", "percent"),
                Item("reinvest_percent", "Reinvestment rate, per cent", "percent"),
            ),
        ),
        Section(
            "debts",
            "Debts",
            "Every loan you repay now.",
            (
                Item("none", "We have no debts", "tick"),
                Rows(
                    "loans",
                    "Loans",
                    (
                        Item("lender", "Lender"),
                        Item("outstanding", "Outstanding", "money"),
                        Item("instalment", "Instalment a month", "money"),
                        Item("rate_percent", "Rate, per cent", "percent"),
                        Item("maturity", "Ends on", "day"),
                        Item("arrears_days", "Days in arrears", "number"),
                    ),
                    3,
                ),
            ),
        ),
        Section(
            "collateral",
            "Collateral",
            "What can secure the loan.",
            (
                Rows(
                    "items",
                    "Securities",
                    (
                        Item("kind", "Kind", "choice", options=_SECURITIES),
                        Item("description", "Description"),
                        Item("market_value", "Market value", "money"),
                        Item("haircut_percent", "Haircut, per cent", "percent"),
                    ),
                    4,
                ),
            ),
        ),
        Section(
            "declaration",
            "Declaration",
            "What you vouch for.",
            (
                Item("true_and_complete", "What stands in this proposal is true and complete", "tick"),
                Item("credit_bureau", "The bank may ask the credit bureau about the firm", "tick"),
            ),
        ),
    )
}


def labels() -> dict[str, str]:
    """Return the label of every field as "block.field", and of every column of a table as "field.column"."""
    found: dict[str, str] = {}
    for section in SECTIONS.values():
        for item in section.items:
            found[f"{section.name}.{item.name}"] = item.label
            if isinstance(item, Rows):
                found |= {f"{item.name}.{column.name}": column.label for column in item.columns}
    return found


def columns() -> dict[str, list[str]]:
    """Return the columns of every table by "block.field", in the order in which people read them."""
    found = {
        f"{section.name}.{item.name}": [column.name for column in item.columns]
        for section in SECTIONS.values()
        for item in section.items
        if isinstance(item, Rows)
    }
    months = ("on", "opening", "sales", "cost_of_sales", "operating_costs", "capex", "tax", "funding", "investment")
    found["cash_flow.months"] = [*months, "interest", "principal", "closing"]
    found["cash_flow.schedule"] = ["number", "on", "principal", "interest", "due", "balance"]
    return found
