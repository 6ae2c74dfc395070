"""Partners of an application: who does what, and which part of each budget line is whose.

The lead is the applicant: what no partner has of a line is the lead's, so that nothing is added up twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, Protocol

from pydantic import Field

from services.grants.domain.application import Application
from shared.entity import Entity, Part
from shared.errors import InvalidError, Rule
from shared.events.grants.partnership import PartnersNamed
from shared.events.partner_rules import PartnerRules
from shared.money import Money, decimals_of, total

LEAD = 0  # the number under which the lead stands beside its partners
MOST_PEOPLE = 20
Cells = dict[tuple[int, str], Money]


class Share(Part):
    """What of one budget line's grant is a partner's."""

    line: str = Field(max_length=60)
    grant: Money


class Sharing(Protocol):
    """Whoever has shares: a partner of an application, or of an agreement."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def shares(self) -> tuple[Share, ...]: ...


class Partner(Part):
    """An organisation beside the lead; `part` is what it does, `people` who acts for it, by name."""

    number: int
    name: str = Field(max_length=200)
    country: str = Field(default="", max_length=2)
    registration_number: str = Field(default="", max_length=60)
    organisation: str | None = None  # as the house knows it, where it does
    part: str = Field(max_length=1000)
    people: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()

    def share(self, currency: str) -> Money:
        """Return what of the grant is this partner's."""
        return share_of(self, currency)


def share_of(partner: Sharing, currency: str) -> Money:
    """Return what of the grant is a partner's."""
    return total((item.grant for item in partner.shares), currency)


def grants_by_line(rows: Iterable[tuple[str, Money]], currency: str) -> dict[str, Money]:
    """Return what of the grant each budget line has."""
    found: dict[str, Money] = {}
    for line, grant in rows:
        found[line] = found.get(line, Money.zero(currency)) + grant
    return found


def cells(partners: Sequence[Sharing], lines: Mapping[str, Money], currency: str) -> Cells:
    """Return {(number, line): grant} of the lead, who has the rest of each line, and of every partner."""
    found: Cells = {(LEAD, line): grant for line, grant in lines.items()}
    for partner in partners:
        for item in partner.shares:
            key = (partner.number, item.line)
            found[key] = found.get(key, Money.zero(currency)) + item.grant
            found[LEAD, item.line] = found.get((LEAD, item.line), Money.zero(currency)) - item.grant
    return found


def lead_share(partners: Sequence[Sharing], lines: Mapping[str, Money], currency: str) -> Money:
    """Return what of the grant stays with the lead."""
    return total(lines.values(), currency) - total((share_of(item, currency) for item in partners), currency)


def share_problems(partners: Sequence[Sharing], lines: Mapping[str, Money], currency: str) -> dict[str, str]:
    """Return {partners.<number>.<line>: rule} of shares that are not there to be given, with the figures."""
    wrong: dict[str, str] = {}
    for partner in partners:
        for item in partner.shares:
            field = f"partners.{partner.number}.{item.line}"
            if item.grant.currency != currency:
                wrong[field] = Rule("must be in %(currency)s", currency=currency)
            elif item.grant.amount < 0:
                wrong[field] = "can't be less than nothing"
            elif item.line not in lines:
                wrong[field] = "is of a line that the budget does not have"
    if wrong:
        return wrong
    for (number, line), rest in cells(partners, lines, currency).items():
        if number == LEAD and rest.amount < 0:
            given = lines[line] - rest
            rule = Rule("shares of it add up to %(sum)s, but the budget gives it %(line)s", sum=given, line=lines[line])
            wrong[f"partners.{line}"] = rule
    return wrong


def rule_problems(
    partners: Sequence[Sharing], lines: Mapping[str, Money], currency: str, rules: PartnerRules | None
) -> dict[str, str]:
    """Return {field: rule} of what the call does not allow, with the figures."""
    if not partners:
        return {}
    if rules is None:
        return {"partners": "are not taken by this call"}
    if len(partners) > rules.max:
        return {"partners": Rule("are %(n)s, at most %(most)s", n=len(partners), most=rules.max)}
    whole, lead = total(lines.values(), currency), lead_share(partners, lines, currency)
    # Compared as amounts: a rounded percentage would let a little less through.
    if lead.amount * 100 < rules.minimum_lead_share_pct * whole.amount:
        percent = (lead.amount * 100 / whole.amount).quantize(Decimal("0.1"), ROUND_DOWN)
        rule = Rule(
            "leave the lead %(lead)s of %(whole)s, that is %(percent)s %%; at least %(least)s %% must stay with it",
            lead=lead,
            whole=whole,
            percent=percent,
            least=rules.minimum_lead_share_pct,
        )
        return {"partners": rule}
    return {}


def named_problems(partners: Sequence[Partner]) -> dict[str, str]:
    """Return {field: rule} of what a partner must be known by."""
    wrong: dict[str, str] = {}
    seen: set[str] = set()
    for item in partners:
        place = f"partners.{item.number}"
        if not item.name.strip():
            wrong[f"{place}.name"] = "is required"
        elif (key := " ".join(item.name.casefold().split())) in seen:
            wrong[f"{place}.name"] = "is named twice"
        else:
            seen.add(key)
        if not item.part.strip():
            wrong[f"{place}.part"] = "is required: say what this partner does"
        if item.country and not (len(item.country) == 2 and item.country.isascii() and item.country.isupper()):
            wrong[f"{place}.country"] = "must be two letters, such as MK"
        if len(item.people) > MOST_PEOPLE or any(len(name) > 200 for name in item.people):
            wrong[f"{place}.people"] = Rule("must be at most %(most)s names", most=MOST_PEOPLE)
    return wrong


def scaled(partners: Sequence[Partner], asked: Mapping[str, Money], agreed: Mapping[str, Money]) -> list[Partner]:
    """Return partners with their part of what was agreed on, each line in its proportion; the lead takes the rest."""
    made = []
    for item in partners:
        shares = []
        for share in item.shares:
            was, now = asked.get(share.line), agreed.get(share.line)
            if not was or now is None:
                continue
            part = share.grant if was == now else _down(share.grant, was, now)
            shares.append(Share(line=share.line, grant=part))
        made.append(item.model_copy(update={"shares": tuple(shares)}))
    return made


def _down(part: Money, was: Money, now: Money) -> Money:
    """Return a part of `now` as it was of `was`, rounded so that the parts never pass the whole."""
    step = Decimal(1).scaleb(-decimals_of(now.currency))
    exact = now.amount * part.amount / was.amount
    return Money.of(exact.quantize(step, ROUND_DOWN), now.currency)


class Partnership(Entity):
    """Who carries a project out with the applicant. Its id is the application's reference."""

    KIND: ClassVar[str] = "partnership"
    # People's names stay in the service.
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"partners"})

    programme: str
    title: str
    organisation: str
    organisation_name: str
    currency: str
    partners: list[Partner] = []

    @classmethod
    def of(cls, application: Application) -> Partnership:
        """Return the empty partnership of an application."""
        about = application.model_dump(include={"id", "programme", "title", "organisation", "organisation_name"})
        return cls(**about, currency=application.currency)

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def name(self, partners: Sequence[Partner], lines: Mapping[str, Money], rules: PartnerRules | None) -> bool:
        """Say who takes part with which shares; returns whether anything differs. Raises InvalidError."""
        wrong = named_problems(partners) | share_problems(partners, lines, self.currency)
        wrong = wrong or rule_problems(partners, lines, self.currency, rules)
        if wrong:
            raise InvalidError(wrong)
        if list(partners) == self.partners:
            return False
        self.partners = list(partners)
        self.record(
            PartnersNamed(
                reference=self.id,
                title=self.title,
                organisation_id=self.organisation,
                organisation_name=self.organisation_name,
                partners={str(item.number): item.name for item in partners},
                shares={str(item.number): item.share(self.currency) for item in partners},
                known={str(item.number): item.organisation for item in partners if item.organisation},
                lead_share=lead_share(partners, lines, self.currency),
            )
        )
        return True
