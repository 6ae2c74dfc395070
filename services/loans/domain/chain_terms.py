"""What a tripartite agreement says: goods, prices, season, the deduction, and in which order loans are served."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from services.loans.domain.deduction import HUNDRED, Rule
from shared import errors
from shared.entity import Part, canonical_hash
from shared.events.fields import Line, Prose
from shared.money import Amount, Money, decimals_of

MAX_PRODUCTS = 20
MAX_LOANS = 6
MAX_NOTICE = 365
Side = Literal["supplier", "buyer", "bank"]
SIDES: tuple[Side, ...] = ("supplier", "buyer", "bank")
# What the supplier consents to before the text leaves for the two others. A change of the words is a new version.
CONSENT_VERSION = "1"
CONSENT_TEXT = (
    "The lead firm is told that there is a loan under the references in this agreement, the rule of the deduction, and "
    "how much is due to be deducted at present. It is told nothing else of the loan and nothing of the proposal. "
    "The bank is told what the lead firm reports under this agreement: deliveries, prices and payments. "
    "Both end with the agreement, and you may withdraw it until all three have signed."
)


def consent_sha256(text: str) -> str:
    """Return the hash of the words that were consented to, in the language they were read in."""
    return hashlib.sha256(text.encode()).hexdigest()


class Good(Part):
    """What is delivered: so much until a day, at a price that is fixed, the least that is paid, or the market's."""

    code: Annotated[Line, Field(min_length=1, max_length=40)]
    name: Annotated[Line, Field(min_length=1)]
    unit: Annotated[Line, Field(min_length=1, max_length=20)]
    quantity: Amount
    price_rule: Literal["fixed", "minimum", "market"]
    price: Amount
    by: date

    def fits(self, price: Decimal) -> bool:
        """Tell whether a price is within the rule."""
        if self.price_rule == "fixed":
            return price == self.price
        return price >= self.price if self.price_rule == "minimum" else price > 0


class ChainTerms(Part):
    """The terms that three sides sign. `referrals` are served in their order; `objection_days` of silence confirm."""

    currency: Line
    season_from: date
    season_to: date
    goods: Annotated[list[Good], Field(min_length=1, max_length=MAX_PRODUCTS)]
    deduction: Rule
    referrals: Annotated[list[Line], Field(min_length=1, max_length=MAX_LOANS)]
    notice_days: Annotated[int, Field(ge=1, le=MAX_NOTICE)] = 30
    objection_days: Annotated[int, Field(ge=1, le=60)] = 5
    conditions: Prose = ""

    def good(self, code: str) -> Good | None:
        """Return the good of that code."""
        return next((item for item in self.goods if item.code == code), None)

    def problems(self) -> dict[str, str]:
        """Return {field: broken rule} of terms that nobody could keep."""
        wrong: dict[str, str] = {}
        if self.season_to <= self.season_from:
            wrong["season_to"] = errors.Rule("must be after %(first)s", first=self.season_from)
        codes = [item.code for item in self.goods]
        for place, good in enumerate(self.goods):
            wrong |= {f"goods-{place}-{name}": rule for name, rule in self._of_good(good).items()}
            if codes.index(good.code) != place:
                wrong[f"goods-{place}-code"] = "stands there twice"
        figure, places = self.deduction.figure, decimals_of(self.currency)
        if self.deduction.kind == "share" and not 0 < figure <= HUNDRED:
            wrong["figure"] = "must be above 0 and at most 100 per cent"
        if self.deduction.kind == "fixed" and (figure <= 0 or figure != round(figure, places)):
            wrong["figure"] = errors.Rule(
                "must be above zero, with at most %(places)s decimals of %(currency)s",
                places=places,
                currency=self.currency,
            )
        if len(set(self.referrals)) < len(self.referrals):
            wrong["referrals"] = "names a referral twice"
        return wrong

    def _of_good(self, good: Good) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if good.quantity <= 0 or good.quantity != round(good.quantity, 3):
            wrong["quantity"] = "must be above zero, with at most three decimals"
        if (good.price <= 0 and good.price_rule != "market") or good.price < 0 or good.price != round(good.price, 4):
            wrong["price"] = "must be above zero, with at most four decimals"
        if not self.season_from <= good.by <= self.season_to:
            wrong["by"] = errors.Rule(
                "must be between %(first)s and %(last)s", first=self.season_from, last=self.season_to
            )
        return wrong

    def worth(self) -> Money:
        """Return what all goods come to at the prices agreed."""
        return Money.of(sum((item.quantity * item.price for item in self.goods), Decimal(0)), self.currency)


def text_of(parties: dict[str, str], reference: str, number: int, terms: ChainTerms) -> dict[str, Any]:
    """Return what is signed, as JSON types: who with whom, which version, on which terms."""
    return {
        "agreement": reference,
        "number": number,
        "parties": parties,
        "terms": terms.model_dump(mode="json"),
    }


def sha256_of(text: dict[str, Any]) -> str:
    """Return the hash by which three sides know that they sign the same."""
    return canonical_hash(text)
