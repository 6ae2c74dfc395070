"""What the rules of the watch say, for people. The texts are gettext ids."""

from __future__ import annotations

from collections.abc import Mapping

from services.audit import labels
from services.audit.telling import say
from shared.events.watch_rules import RuleName

CALLED: dict[RuleName, str] = {
    "maker_is_checker": "One person did both",
    "related_approver": "Decided about a relation",
    "paid_soon_after_change": "Paid soon after bank details changed",
    "score_after_deadline": "Score changed after its deadline",
    "mass_export": "Much was exported",
    "off_hours_burst": "Burst of work at odd hours",
    "partner_reads_much": "A partner reads much",
    "award_above_recommended": "Award above the recommendation",
    "role_used_at_once": "Role given and used at once",
    "refusals_in_a_burst": "Many refusals at once",
}
STAGES: dict[str, tuple[str, str]] = {
    "open": ("open", "bad"),
    "explained": ("explained", "good"),
    "confirmed": ("confirmed", "warn"),
}
_SAYS: dict[str, str] = {
    "maker_is_checker": "The same person did both: “%(made)s” and “%(checked)s”. Two people are asked for.",
    "paid_soon_after_change": "Other bank details were entered %(hours)s hours before the money went out; fewer than"
    " %(limit)s hours are told.",
    "score_after_deadline": "A score was changed from %(before)s to %(after)s after its last day, %(due)s.",
    "mass_export": "%(count)s entries of the log were exported by one person within a day; more than %(limit)s"
    " are told.",
    "off_hours_burst": "%(count)s acts by one person within an hour outside of working hours; more than %(limit)s are"
    " told.",
    "partner_reads_much": "One person of a partner opened %(count)s records within an hour; more than %(limit)s are"
    " told.",
    "award_above_recommended": "%(awarded)s was awarded; %(recommended)s was recommended.",
    "role_used_at_once": "The role %(role)s was given and used %(minutes)s minutes later; fewer than %(limit)s minutes"
    " are told.",
    "refusals_in_a_burst": "%(count)s attempts by one person were refused within ten minutes; more than %(limit)s are"
    " told.",
}
_RELATED: dict[str, str] = {
    "same organisation": "Somebody decided about the organisation to which they belong.",
    "declared interest": "Somebody decided about an organisation to which they had declared a tie.",
    "declared conflict": "Somebody decided on a case after declaring a conflict of interest on it.",
}


def sentence(rule: str, facts: Mapping[str, str]) -> str:
    """Return what a rule found, in the reader's language."""
    if rule == "related_approver":
        return say(_RELATED[facts["ground"]])
    told = dict(facts)
    for name in ("made", "checked"):
        if name in told:
            told[name] = say(labels.kind(told[name]))
    if "role" in told:
        told["role"] = say(labels.ROLES.get(told["role"], told["role"]))
    return say(_SAYS[rule], **told)
