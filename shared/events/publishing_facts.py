"""What a programme states of itself for publishing its grants as open data (`publishing` in `programme.yaml`).

Every member is optional: what a programme's source does not state is null, and stands as an error beside each record
until somebody states it. What is stated wrongly is refused when the programme is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Rule
from shared.money import Amount, Money

# An organisation identifier: the code of a register, a dash, the number in it; no character that breaks an address.
OrgId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{2,6}-[^\s/&|?:]+$", max_length=120)]
# A prefix of 360Giving, under which a publisher numbers grants and organisations.
Prefix = Annotated[str, Field(pattern=r"^360G-[A-Za-z0-9]+$", max_length=60)]
OrgType = Annotated[
    str, Field(pattern="^[1-9][0-9]$")
]  # IATI's list of kinds of organisations: 10 government, 70 private
Web = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=300)]
SectorCode = Annotated[str, Field(pattern="^[0-9]{5}$")]
CountryCode = Annotated[str, Field(pattern="^[A-Z]{2}$")]
Code = Annotated[str, Field(pattern="^[A-Z0-9]{1,6}$")]


def _percent(value: Decimal) -> Decimal:
    if not 0 < value <= 100:
        raise ValueError(Rule("is %(value)s %%; a share is above 0 and at most 100 %%", value=value))
    return value


Percent = Annotated[Amount, AfterValidator(_percent)]


class Part(BaseModel):
    """A part of what is stated: exact fields, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Publisher(Part):
    """Who publishes: its identifier in IATI's register of publishers, its name, its kind."""

    ref: OrgId | None = None
    name: str | None = None
    type: OrgType | None = None


class Donor(Publisher):
    """A link of the donor chain, the first giver first."""

    role: Literal["funding", "accountable", "extending"] = "funding"


class Sector(Part):
    """A five-digit purpose code of the OECD's list, and its share of the money."""

    code: SectorCode
    percent: Percent = Decimal(100)


class Country(Part):
    """A country that benefits, and its share of the money."""

    code: CountryCode
    percent: Percent = Decimal(100)


class Incoming(Part):
    """Money that a donor promised (`commitment`) or paid (`funds`) to the programme."""

    kind: Literal["commitment", "funds"]
    day: date
    amount: Money
    donor: int = Field(default=0, ge=0)  # its place in `donors`


def _hundred(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if (given := sum((item.percent for item in items), Decimal(0))) != 100 and items:
        raise ValueError(Rule("add up to %(given)s %%, not 100 %%", given=given))
    return items


class PublishingFacts(Part):
    """The whole of `publishing`."""

    publisher: Publisher = Publisher()
    prefix: Prefix | None = None
    donors: tuple[Donor, ...] = ()
    sectors: Annotated[tuple[Sector, ...], AfterValidator(_hundred)] = ()
    countries: Annotated[tuple[Country, ...], AfterValidator(_hundred)] = ()
    starts: date | None = None
    ends: date | None = None
    # The register of a country, by which a registration number becomes an identifier: {MK: MK-CRM}.
    registers: dict[CountryCode, Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{2,12}$")]] = {}
    # Whose answer on the application form describes a grant to the public.
    description_from: str | None = None
    licence: Web | None = None
    source: Web | None = None
    regrant: Annotated[str, Field(pattern="^FRG0[1-7]0$")] | None = None
    flow_type: Code | None = None
    finance_type: Code | None = None
    aid_type: Code | None = None
    tied_status: Code | None = None
    incoming: tuple[Incoming, ...] = ()

    def misfits(self) -> dict[str, Rule]:
        """Return {field: rule} of what contradicts itself."""
        found: dict[str, Rule] = {}
        if self.starts and self.ends and self.ends < self.starts:
            found["ends"] = Rule("is before the start, %(day)s", day=self.starts)
        for index, item in enumerate(self.incoming):
            if item.donor >= len(self.donors):
                found[f"incoming.{index}.donor"] = Rule("there is no donor %(number)s", number=item.donor)
        return found


def publishing_problems(facts: Any) -> Iterable[tuple[str, str]]:
    """Give (field, rule) of what is wrong with `publishing` in a pack's `programme.yaml`; it may be absent."""
    given = facts.get("publishing") if isinstance(facts, dict) else None
    if given is None:
        return
    try:
        stated = PublishingFacts.model_validate(given)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            rule = item.get("ctx", {}).get("error", item["msg"])
            yield ".".join(map(str, ("publishing", *item["loc"]))), str(rule)
        return
    for field, rule in stated.misfits().items():
        yield f"publishing.{field}", rule
