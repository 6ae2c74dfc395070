"""What a programme says of its agreements (`agreement.yaml`): the letterhead, who approves which change.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model.
Everything is optional: a programme that says nothing has the rules that stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import Rule
from shared.money import Amount

Names = dict[str, str]
Kind = Literal["results", "budget_major", "budget_minor", "extension", "administrative"]
Approver = Literal["officer", "programme_manager", "finance_officer"]
# The strongest class first: it names an amendment that is of several.
KINDS: tuple[Kind, ...] = get_args(Kind)


class Model(BaseModel):
    """A part of the file; what a later release added is let be by those who read a loaded programme."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Letterhead(Model):
    """What stands at the head and the foot of the programme's documents, by language."""

    name: Names = {}
    address: Names = {}
    foot: Names = {}


class ClassRule(Model):
    """Who may approve amendments of a class, and whether both sides must accept the new text."""

    approvers: tuple[Approver, ...] = Field(min_length=1)
    both_sides: bool = True


_DEFAULT: dict[Kind, ClassRule] = {
    "results": ClassRule(approvers=("programme_manager",)),
    "budget_major": ClassRule(approvers=("programme_manager",)),
    "budget_minor": ClassRule(approvers=("officer", "programme_manager"), both_sides=False),
    "extension": ClassRule(approvers=("programme_manager",)),
    "administrative": ClassRule(approvers=("officer", "programme_manager"), both_sides=False),
}


class Amendments(Model):
    """Amendments by class.

    Up to `minor_percent` of the agreed grant moved between budget lines, counted over the agreement's life, is the
    smaller class of budget changes: exactly as much still is.
    """

    minor_percent: Annotated[Amount, Field(ge=0, le=100)] = Field(default="20", validate_default=True)
    classes: dict[Kind, ClassRule] = {}

    def rule(self, kind: Kind) -> ClassRule:
        """Return the rule of a class."""
        return self.classes.get(kind, _DEFAULT[kind])

    @model_validator(mode="after")
    def _somebody_may_approve_all(self) -> Self:
        """Refuse classes that nobody could approve together: an amendment can be of all at once."""
        if not set.intersection(*(set(self.rule(kind).approvers) for kind in KINDS)):
            raise ValueError(Rule("no role may approve an amendment that is of every class at once"))
        return self


class AwardRules(Model):
    """`agreement.yaml` as a whole."""

    letterhead: Letterhead = Letterhead()
    amendments: Amendments = Amendments()


def award_rule_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"agreement.yaml: <field>": rule} of what is wrong with a pack's rules of agreements."""
    if "agreement" not in pack:
        return {}
    try:
        # A misspelt rule must not pass for none.
        AwardRules.model_validate(pack["agreement"], extra="forbid")
    except ValidationError as error:
        return {
            f"agreement.yaml: {'.'.join(map(str, item['loc'])) or 'rules'}": str(item["msg"])
            for item in error.errors(include_url=False, include_input=False)
        }
    return {}
