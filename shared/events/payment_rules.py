"""The rules of payment as a programme's pack states them (`payments.yaml`), and what is refused in them.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model. A pack
without the file pays by the defaults: who requests does not release, and nothing else is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import Rule
from shared.money import Amount, Money

# The acts on one tranche, in their order.
Act = Literal["verify", "request", "certify", "release", "confirm"]
Names = dict[str, str]


def _percent(value: Decimal) -> Decimal:
    if not 0 < value <= 100:
        raise ValueError(Rule("is %(value)s %%; it must be more than 0 and at most 100 %%", value=value))
    return value


Percent = Annotated[Amount, AfterValidator(_percent)]


def _iban(value: str) -> str:
    """Return an IBAN without spaces; its check digits must be right (ISO 13616, modulo 97)."""
    plain = re.sub(r"\s", "", value).upper()
    digits = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4]) if plain.isalnum() else ""
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain) or not plain.isascii() or int(digits) % 97 != 1:
        raise ValueError(Rule("is not an IBAN: its check digits are wrong"))
    return plain


Iban = Annotated[str, AfterValidator(_iban)]
Bic = Annotated[str, Field(pattern="^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$")]


class Part(BaseModel):
    """A part of the file; a word that it does not know is refused, because a rule must not be lost by a typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(Part):
    """Why a payment is refused, held or taken back, by a code that can be counted."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{1,39}$")]
    name: Names


class Debtor(Part):
    """The account that the programme pays from."""

    name: Annotated[str, Field(min_length=1, max_length=70)]
    iban: Iban
    bic: Bic | None = None


class PayeeRules(Part):
    """Payments go to bank details that two people vouch for, this many hours after they did."""

    cooling_off_hours: Annotated[int, Field(ge=0, le=720)] = 48


REASONS = (
    Reason(id="documents", name={"en": "Documents are missing", "ru": "Не хватает документов"}),
    Reason(id="conditions", name={"en": "Conditions are not met", "ru": "Условия не выполнены"}),
    Reason(id="amount", name={"en": "The amount is wrong", "ru": "Неверная сумма"}),
    Reason(id="duplicate", name={"en": "It was asked for already", "ru": "Уже запрошено"}),
    Reason(id="inquiry", name={"en": "An inquiry is under way", "ru": "Идёт проверка"}),
    Reason(id="bank", name={"en": "The bank sent it back", "ru": "Банк вернул"}),
    Reason(id="other", name={"en": "Another reason", "ru": "Другая причина"}),
)


class PaymentRules(Part):
    """The whole of `payments.yaml`.

    `certify_from` is the amount from which a request needs a certification; `apart` are further pairs of acts that two
    people do; `liquidated_percent` is how much of the last advance must be accounted for before the next one;
    `advance_cap_percent` the most of the agreed amount that may be out and not accounted for; `match_percent` what
    the recipient's own accepted share must be of the grant released; `step_up` the acts that ask for the password;
    `payee` that nothing is released without confirmed bank details (left out, they are not asked for).
    """

    certify_from: Money | None = None
    apart: tuple[tuple[Act, Act], ...] = ()
    liquidated_percent: Percent | None = None
    advance_cap_percent: Percent | None = None
    match_percent: Annotated[Amount, Field(gt=0)] | None = None
    step_up: tuple[Literal["certify", "release", "confirm", "reverse"], ...] = ()
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)] = REASONS
    debtor: Debtor | None = None
    payee: PayeeRules | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        ids = [item.id for item in self.reasons]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(Rule("has the reason “%(name)s” twice", name=name))
        for left, right in self.apart:
            if left == right:
                raise ValueError(Rule("apart names “%(name)s” beside itself", name=left))
        return self

    def pairs(self) -> frozenset[frozenset[str]]:
        """Return the pairs of acts that one person may not both do."""
        always = (("request", "certify"), ("request", "release"), ("certify", "release"))
        return frozenset(frozenset(pair) for pair in (*always, *self.apart))

    def misfits(self, currency: str | None) -> dict[str, Rule]:
        """Return {field: rule} of what does not fit the programme's currency."""
        limit = self.certify_from
        if limit is not None and (limit.amount < 0 or (currency and limit.currency != currency)):
            return {"certify_from": Rule("must be an amount in %(currency)s", currency=currency or limit.currency)}
        return {}


def payment_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"payments.yaml: <field>": rule} of what is wrong with a pack's rules of payment."""
    if "payments" not in pack:
        return {}
    facts = pack.get("programme")
    settings = facts.get("settings") if isinstance(facts, Mapping) else None
    currency = settings.get("currency") if isinstance(settings, Mapping) else None
    try:
        problems: dict[str, str] = dict(PaymentRules.model_validate(pack["payments"]).misfits(currency))
    except ValidationError as error:
        problems = {
            ".".join(map(str, one["loc"])) or "payments": one["msg"].removeprefix("Value error, ")
            for one in error.errors(include_url=False, include_input=False)
        }
    return {f"payments.yaml: {field}": rule for field, rule in problems.items()}
