"""How long records with people's data are kept at least, as a programme's pack states it (`retention.yaml`).

The portal checks a pack with this before it publishes it, and the audit service reads with the same model what it got.
A pack without the file keeps by the rules of the house, `HOUSE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.events.wording import broken

RecordClass = Literal["award", "loan", "application", "account"]
CLASSES: tuple[RecordClass, ...] = ("award", "loan", "application", "account")


class Term(BaseModel):
    """For how long one class of records is kept, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    years: Annotated[int, Field(ge=0, le=50)]
    basis: Annotated[str, Field(min_length=3, max_length=300)]


class RetentionRules(BaseModel):
    """The terms of a programme by class; a class that is not named is kept as the house keeps it.

    `award`: from the day on which the award was settled. `loan`: from the day on which the last loan was repaid or
    written off. `application`: from its last act. `account`: from the last act of a person with no case at all.
    What is disposed of is what identifies people; amounts, decisions and proofs stay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    award: Term | None = None
    loan: Term | None = None
    application: Term | None = None
    account: Term | None = None


HOUSE: dict[RecordClass, Term] = {
    "award": Term(years=5, basis="Rule of the house: five years after the award was settled"),
    "loan": Term(years=5, basis="Rule of the house: five years after the loan has ended"),
    "application": Term(years=3, basis="Rule of the house: three years after the last act"),
    "account": Term(years=0, basis="Rule of the house: no case, no reason to keep"),
}


def term_of(pack: Mapping[str, Any] | None, record_class: RecordClass) -> Term:
    """Return the term of a class of records under a pack that was checked when it was published."""
    given = (pack or {}).get("retention")
    own: Term | None = getattr(RetentionRules.model_validate(given), record_class) if given else None
    return own or HOUSE[record_class]


def retention_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"retention.yaml: <field>": rule} of what can't be used."""
    if "retention" not in pack:
        return {}
    try:
        RetentionRules.model_validate(pack["retention"])
    except ValidationError as error:
        where = {".".join(("retention.yaml:", *map(str, item["loc"]))): broken(item) for item in error.errors()}
        return {place.replace(":.", ": ", 1): rule for place, rule in where.items()}
    return {}
