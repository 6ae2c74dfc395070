"""What a programme's finance.yaml says of the rounds that a need for money makes among banks.

The portal checks a pack with this before it publishes it, and loans reads what it got with the same models.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.events.wording import broken

_LANGUAGE = "en"


def _ascending(edges: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if any(low >= high for low, high in pairwise(edges)) or any(edge < 0 for edge in edges):
        raise ValueError("must go up from edge to edge, none below zero")
    return edges


def _named(name: dict[str, str]) -> dict[str, str]:
    if not name.get(_LANGUAGE, "").strip():
        raise ValueError("must have an English name")
    return name


Edges = Annotated[tuple[Decimal, ...], Field(min_length=1, max_length=20), AfterValidator(_ascending)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
Name = Annotated[dict[str, str], AfterValidator(_named)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Strict):
    """A region, and the places whose firms are of it, as proposals write them (whatever the case)."""

    code: Code
    name: Name
    places: list[str] = Field(min_length=1)


class Reason(_Strict):
    """Why a bank does not want to see more, as a code with its name by language."""

    code: Code
    name: Name


_REASONS = (
    Reason(code="sector", name={"en": "Outside our sectors", "ru": "Не наша отрасль"}),
    Reason(code="region", name={"en": "Outside our regions", "ru": "Не наш регион"}),
    Reason(code="amount", name={"en": "Too small or too large for us", "ru": "Слишком мало или слишком много для нас"}),
    Reason(code="terms", name={"en": "Term or kind of loan", "ru": "Срок или вид кредита"}),
    Reason(code="figures", name={"en": "The figures do not carry it", "ru": "Показатели недостаточны"}),
    Reason(code="capacity", name={"en": "We lend no more for now", "ru": "Пока больше не кредитуем"}),
)


class TeaserRules(_Strict):
    """How an anonymised teaser is made: nothing of it is a figure of the firm, each is a band.

    Amounts are in the programme's currency, terms in months, readiness and cover as in the proposal. Of a combination
    of sector, region and size that fewer than `k` firms of the programme share the region is left out, then the
    sector, then the size. A band holds its lower edge and not its upper one.
    """

    k: int = Field(default=5, ge=2, le=1000)
    max_days: int = Field(default=30, ge=1, le=180)
    amounts: Edges = tuple(map(Decimal, ("5000", "10000", "20000", "50000", "100000", "250000")))
    terms: Edges = tuple(map(Decimal, ("12", "24", "36", "60")))
    readiness: Edges = tuple(map(Decimal, ("0.5", "0.75", "0.9", "1")))
    dscr: Edges = tuple(map(Decimal, ("1", "1.2", "1.5", "2")))
    regions: list[Region] = []
    reasons: list[Reason] = Field(default=list(_REASONS), min_length=1)

    @model_validator(mode="after")
    def _once(self) -> TeaserRules:
        for codes in ([item.code for item in self.regions], [item.code for item in self.reasons]):
            if len(set(codes)) < len(codes):
                raise ValueError("every code must stand once")
        places = [place.casefold() for region in self.regions for place in region.places]
        if twice := sorted({place for place in places if places.count(place) > 1}):
            raise ValueError(f"a place is in one region: {', '.join(twice)}")
        return self

    def region_of(self, location: str) -> str:
        """Return the code of the region of a place such as "Bitola, Shirok Sokak 1"; "" where no region names it."""
        place = location.split(",", maxsplit=1)[0].strip().casefold()
        found = (item.code for item in self.regions if place in {known.casefold() for known in item.places})
        return next(found, "")


class SequenceRules(_Strict):
    """How banks are asked one after another: the next one when an answer is late by so many working days."""

    patience_days: int = Field(default=3, ge=0, le=60)


_PARTS: dict[str, type[BaseModel]] = {"teaser": TeaserRules, "sequence": SequenceRules}


def round_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"finance.yaml: teaser…": rule} of what is wrong with these parts of a pack."""
    finance = pack.get("finance")
    wrong: dict[str, str] = {}
    for name, model in _PARTS.items():
        given = finance.get(name) if isinstance(finance, Mapping) else None
        if given is None:
            continue
        try:
            model.model_validate(given)
        except ValidationError as error:
            for item in error.errors():
                where = ".".join((name, *(str(part) for part in item["loc"])))
                wrong[f"finance.yaml: {where}"] = broken(item)
    return wrong
