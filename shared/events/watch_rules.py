"""The terms of the watch over the log, as a programme's pack states them (`watch.yaml`).

The portal checks a pack with this before it publishes it, and the audit service reads with the same model what it got.
A pack without the file is watched by the terms of the house, which are the defaults here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.events.wording import broken

RuleName = Literal[
    "maker_is_checker",
    "related_approver",
    "paid_soon_after_change",
    "score_after_deadline",
    "mass_export",
    "off_hours_burst",
    "partner_reads_much",
    "award_above_recommended",
    "role_used_at_once",
    "refusals_in_a_burst",
]
RULES: tuple[RuleName, ...] = RuleName.__args__  # type: ignore[attr-defined]  # the names of the literal
Hour = Annotated[int, Field(ge=0, le=24)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class WatchRules(BaseModel):
    """From where on each rule of the watch speaks; a figure that is named is still allowed, one more is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    off: tuple[RuleName, ...] = ()  # rules that are not asked
    paid_within_hours: Annotated[int, Field(ge=1, le=24 * 60)] = 48  # after bank details were entered
    role_used_within_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    export_rows_a_day: Count = 10_000
    work_from: Hour = 7
    work_until: Hour = 20
    off_hours_acts_an_hour: Count = 10
    partner_records_an_hour: Count = 20
    refusals_in_ten_minutes: Count = 10


HOUSE = WatchRules()


def watch_rules_of(given: Mapping[str, Any] | None) -> WatchRules:
    """Return the terms that a pack states under `watch`, which was checked when it was published."""
    return WatchRules.model_validate(given) if given else HOUSE


def watch_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"watch.yaml: <field>": rule} of what can't be used."""
    if "watch" not in pack:
        return {}
    try:
        rules = WatchRules.model_validate(pack["watch"])
    except ValidationError as error:
        found = [(".".join(map(str, item["loc"])), broken(item)) for item in error.errors()]
        return {f"watch.yaml: {place}".removesuffix(": "): rule for place, rule in found}
    if rules.work_from >= rules.work_until:
        return {"watch.yaml: work_until": "must be later than work_from"}
    return {}
