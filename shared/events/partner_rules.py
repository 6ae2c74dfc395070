"""What a call says of partners: organisations that carry the project out together with the applicant.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model. A call
that says nothing takes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.events.wording import broken


class PartnerRules(BaseModel):
    """How many partners there may be, and how much of the grant in per cent must stay with the applicant, who leads.

    Money is paid to the lead alone, who answers for all of it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    max: int = Field(ge=1, le=20)
    minimum_lead_share_pct: Decimal = Field(default=Decimal(0), ge=0, le=100)


def partner_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"calls/<file>.yaml: partners…": rule} of what is wrong with partners in a pack's calls."""
    calls = pack.get("calls", {})
    wrong: dict[str, str] = {}
    for stem, call in calls.items() if isinstance(calls, Mapping) else ():
        rules = call.get("partners") if isinstance(call, Mapping) else None
        if rules is None:
            continue
        place = f"calls/{stem}.yaml: partners"
        try:
            PartnerRules.model_validate(rules)
        except ValidationError as error:
            for item in error.errors():
                name = ".".join(str(part) for part in item["loc"])
                wrong[f"{place}.{name}" if name else place] = broken(item)
        unknown = sorted(set(rules) - set(PartnerRules.model_fields)) if isinstance(rules, Mapping) else []
        wrong |= {f"{place}.{name}": "is not known here" for name in unknown}
        if not call.get("budget_lines"):
            wrong[place] = "needs budget_lines: a share is a part of a budget line"
    return wrong
