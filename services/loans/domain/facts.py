"""What is known of a firm as of a day: its register entry, owners, employees, and the accounts of a year.

Amounts are Decimals in the firm's one currency; shares are percentages; employees are full-time equivalents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from services.loans.domain.blocks import Block, Whole
from shared.errors import Rule
from shared.events.fields import ZERO, Day, Line, Percent, Signed, Sum

Topic = Literal["register", "owners", "staff", "accounts"]
Source = Literal["audited", "tax_return", "management", "self_declared"]
HUNDRED = Decimal(100)
OLDEST = 1900
_ISIC = re.compile(r"[0-9]{2,4}")
SEXES, AGES, CONTRACTS = ("female", "male"), ("youth", "adult", "older"), ("permanent", "temporary")


class Register(Block):
    """The firm as it stands in the register, where it works and in what."""

    legal_name: Line = ""
    legal_form: Line = ""
    registration_number: Line = ""
    tax_id: Line = ""
    founded: Day = None
    address: Line = ""
    region: Line = ""
    sector: Line = ""  # division, group or class of ISIC Rev. 4: two to four digits

    def problems(self, as_of: date) -> dict[str, str]:
        """Return {field: broken rule}."""
        wrong: dict[str, str] = {}
        if not self.legal_name:
            wrong["legal_name"] = "is required"
        if self.sector and not _ISIC.fullmatch(self.sector):
            wrong["sector"] = "must be two to four digits of ISIC Rev. 4"
        if self.founded and self.founded > as_of:
            wrong["founded"] = Rule("must not be after %(day)s", day=as_of)
        return wrong


class Holder(Block):
    """A person who owns a share: personal data."""

    name: Line = ""
    share_percent: Percent = ZERO
    sex: Literal["", "female", "male"] = ""
    birth_year: Whole = None
    pep: bool = False  # a politically exposed person


class Owners(Block):
    """Who owns the firm; shares that nobody states stay open."""

    people: Annotated[list[Holder], Field(max_length=20)] = []

    def share(self, sex: str) -> Decimal:
        """Return the per cent that owners of a sex hold."""
        return sum((person.share_percent for person in self.people if person.sex == sex), ZERO)

    def problems(self, as_of: date) -> dict[str, str]:
        """Return {field: broken rule}."""
        wrong: dict[str, str] = {}
        if not self.people:
            wrong["people.0.name"] = "is required"
        for index, person in enumerate(self.people):
            if not person.name:
                wrong[f"people.{index}.name"] = "is required"
            if person.birth_year is not None and not OLDEST <= person.birth_year <= as_of.year:
                wrong[f"people.{index}.birth_year"] = Rule(
                    "must be between %(least)s and %(most)s", least=OLDEST, most=as_of.year
                )
        held = sum((person.share_percent for person in self.people), ZERO)
        if held > HUNDRED:
            wrong["people.0.share_percent"] = Rule(
                "the shares come to %(sum)s per cent, %(over)s too many", sum=held, over=held - HUNDRED
            )
        return wrong


class Group(Block):
    """Employees of one sex, age band (under 30, 30 to 59, 60 and over) and kind of contract."""

    sex: Literal["female", "male"]
    age: Literal["youth", "adult", "older"]
    contract: Literal["permanent", "temporary"]
    fte: Sum = ZERO


class Staff(Block):
    """Who works there, in full-time equivalents."""

    groups: Annotated[list[Group], Field(max_length=12)] = []

    def total(self, **only: str) -> Decimal:
        """Return the employees of the groups that have those values, such as sex="female"."""
        kept = (item for item in self.groups if all(getattr(item, name) == value for name, value in only.items()))
        return sum((item.fte for item in kept), ZERO)

    def problems(self, as_of: date) -> dict[str, str]:  # noqa: ARG002 - all contents are asked alike
        """Return {field: broken rule}."""
        seen: set[tuple[str, str, str]] = set()
        wrong: dict[str, str] = {}
        for index, item in enumerate(self.groups):
            key = (item.sex, item.age, item.contract)
            if key in seen:
                wrong[f"groups.{index}.fte"] = "stands twice"
            seen.add(key)
        return wrong


class Accounts(Block):
    """One year's profit and loss, and the balance sheet at its end."""

    year: Annotated[int, Field(ge=1990, le=2100)]
    sales: Sum = ZERO
    cost_of_sales: Sum = ZERO
    operating_costs: Sum = ZERO
    depreciation: Sum = ZERO
    interest: Sum = ZERO
    tax: Sum = ZERO
    other_income: Signed = ZERO
    net_profit: Signed = ZERO
    fixed_assets: Sum = ZERO
    current_assets: Sum = ZERO
    stock: Sum = ZERO
    receivables: Sum = ZERO
    cash: Sum = ZERO
    total_assets: Sum = ZERO
    equity: Signed = ZERO
    long_term_liabilities: Sum = ZERO
    current_liabilities: Sum = ZERO
    payables: Sum = ZERO
    debt: Sum = ZERO  # of all liabilities: what bears interest
    total_claims: Sum = ZERO  # equity and liabilities

    def problems(self, as_of: date) -> dict[str, str]:
        """Return {field: broken rule}: each line that does not add up, and by how much."""
        wrong = {"year": "has not ended by the day"} if date(self.year, 12, 31) > as_of else {}
        for name, given, summed in self._sums():
            if given != summed:
                wrong[name] = Rule(
                    "is %(given)s, but its lines come to %(sum)s: a difference of %(difference)s",
                    given=given,
                    sum=summed,
                    difference=abs(given - summed),
                )
        for name, part, whole in self._parts():
            if part > whole:
                wrong[name] = Rule(
                    "is more than the %(whole)s that it is a part of, by %(over)s", whole=whole, over=part - whole
                )
        if not {"total_assets", "total_claims"} & set(wrong) and self.total_assets != self.total_claims:
            wrong["total_claims"] = Rule(
                "assets of %(assets)s and equity and liabilities of %(claims)s differ by %(difference)s",
                assets=self.total_assets,
                claims=self.total_claims,
                difference=abs(self.total_assets - self.total_claims),
            )
        return wrong

    def _sums(self) -> Iterator[tuple[str, Decimal, Decimal]]:
        costs = self.cost_of_sales + self.operating_costs + self.depreciation + self.interest + self.tax
        yield "net_profit", self.net_profit, self.sales + self.other_income - costs
        yield "total_assets", self.total_assets, self.fixed_assets + self.current_assets
        liabilities = self.long_term_liabilities + self.current_liabilities
        yield "total_claims", self.total_claims, self.equity + liabilities

    def _parts(self) -> Iterator[tuple[str, Decimal, Decimal]]:
        yield "stock", self.stock + self.receivables + self.cash, self.current_assets
        yield "payables", self.payables, self.current_liabilities
        yield "debt", self.debt, self.long_term_liabilities + self.current_liabilities


Content = Register | Owners | Staff | Accounts
CONTENTS: dict[str, type[Register | Owners | Staff | Accounts]] = {
    "register": Register,
    "owners": Owners,
    "staff": Staff,
    "accounts": Accounts,
}
