"""The rules of the watch: which acts each of them compares, and when it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from services.audit.domain.watching import Act, Burst, Found, Pair, Terms, Thing
from shared.events.watch_rules import RULES, RuleName

# Who does something, who has to be another person, and by which members of their data the two belong together.
TWO_PEOPLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("grants.payee.entered", "grants.payee.confirmed", ("number",)),
    ("grants.award.tranche_requested", "grants.award.tranche_released", ("tranche",)),
    ("grants.award.milestone_evidenced", "grants.award.milestone_verified", ("milestone",)),
    ("grants.application.recommended", "grants.application.approval_given", ()),
    ("grants.application.recommended", "grants.application.awarded", ()),
    ("grants.amendment.requested", "grants.amendment.approved", ("number",)),
    ("grants.cofinancing.contribution_entered", "grants.cofinancing.contribution_verified", ("contribution",)),
    ("grants.cofinancing.release_requested", "grants.cofinancing.released", ("release",)),
    ("loans.facility.proposed", "loans.facility.approved", ()),
    ("loans.guarantee.approved", "loans.guarantee.issued", ()),
    ("loans.loan.disbursement_reported", "loans.loan.disbursement_confirmed", ()),
    ("audit.erasure.requested", "audit.erasure.completed", ()),
)
ENTERED, LIFTED = "grants.payee.entered", "grants.payee.lifted"
PAID = frozenset({"grants.award.tranche_released", "grants.award.payment_confirmed"})
RECOMMENDED = "grants.application.recommended"
AWARDED = frozenset({"grants.application.awarded", "grants.award.offered"})
ASSIGNED, REVISED = "grants.review.assigned", "grants.review.revised"
INTEREST, RECUSED, UNRECUSED = (
    "grants.assessor.interest_declared",
    "grants.recusal.declared",
    "grants.recusal.lifted",
)
DECIDING = frozenset(
    {
        RECOMMENDED,
        REVISED,
        "grants.application.approval_given",
        "grants.application.awarded",
        "grants.award.milestone_verified",
        "grants.award.tranche_released",
        "grants.payee.confirmed",
        "grants.report.accepted",
        "grants.review.submitted",
        "grants.screening.hit_decided",
    }
)
GRANTED = "portal.user.changed"
EXPORTED, READ = "audit.export.completed", "loans.record.viewed"
_WORK = frozenset({"officer", "programme_manager", "finance_officer", "auditor"})
_NO_WORK = (".record.viewed", ".search.performed", ".attempt.refused", ".delivery.read")


def _maker_checker(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    for maker, checker, ties in TWO_PEOPLE:
        if act.type == checker and act.outcome == "success":
            made = [item for item in past if item.type == maker and _tied(item, act, ties)]
            if made and made[-1].people & act.people:
                return _pair("maker_is_checker", made[-1], act, terms, made=maker, checked=checker)
    return None


def _tied(one: Act, other: Act, ties: tuple[str, ...]) -> bool:
    same = (one.source, one.entity) == (other.source, other.entity)
    return same and all(one.data.get(name) == other.data.get(name) for name in ties)


def _pair(rule: RuleName, first: Act, second: Act, terms: Terms, *more: Act, **facts: str) -> Found:
    evidence = (first.id, *(item.id for item in more), second.id)
    return Found(rule, (str(first.id), str(second.id)), second, evidence, facts, terms.programme)


def _own_thing(act: Act) -> Iterable[Thing]:
    return ((act.source, act.entity),)


def _payee(act: Act) -> Iterable[Thing]:
    organisation = act.data.get("organisation_id")
    return (("grants", f"payee:{organisation}"),) if organisation else ()


def _paid_soon(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    """Judge a payment, or its release, less than so many hours after other bank details were entered."""
    limit = timedelta(hours=terms.rules.paid_within_hours)
    for entered in reversed(past):
        if entered.type == ENTERED and entered.data.get("changes_former") is True:
            if not timedelta(0) <= act.at - entered.at < limit:
                return None
            lifted = [item for item in past if item.type == LIFTED and item.leaf > entered.leaf]
            hours = f"{(act.at - entered.at).total_seconds() / 3600:.1f}"
            found = _pair("paid_soon_after_change", entered, act, terms, *lifted, hours=hours)
            key = (str(entered.id), act.entity, str(act.data.get("tranche")))
            facts = {"hours": hours, "limit": str(terms.rules.paid_within_hours), "lifted": str(len(lifted))}
            return Found(found.rule, key, act, found.evidence, facts, terms.programme)
    return None


def _score_late(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    """Judge a score that was changed on a day after the one on which the review was due."""
    assigned = [item for item in past if item.type == ASSIGNED and item.data.get("due")]
    if not assigned or act.data.get("score") == act.data.get("before"):
        return None
    due, day = date.fromisoformat(assigned[-1].data["due"]), terms.day(act.at)
    if day <= due:
        return None
    facts = {"due": due.isoformat(), "before": str(act.data.get("before")), "after": str(act.data.get("score"))}
    return _pair("score_after_deadline", assigned[-1], act, terms, **facts)


def _more_than_recommended(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    """Judge an award above what was recommended last, in the same currency."""
    recommended = [item for item in past if item.type == RECOMMENDED]
    if not recommended:
        return None
    given, asked = _money(act.data.get("amount")), _money(recommended[-1].data.get("amount"))
    if given is None or asked is None or given[1] != asked[1] or given[0] <= asked[0]:
        return None
    facts = {"recommended": f"{asked[0]} {asked[1]}", "awarded": f"{given[0]} {given[1]}"}
    evidence = (recommended[-1].id, act.id)
    key = (str(recommended[-1].id), facts["awarded"])
    return Found("award_above_recommended", key, act, evidence, facts, terms.programme)


def _money(value: Any) -> tuple[Decimal, str] | None:
    try:
        return Decimal(value["amount"]), str(value["currency"])
    except (TypeError, KeyError, InvalidOperation):
        return None


def _application(act: Act) -> Iterable[Thing]:
    reference = act.data.get("reference")
    return (("grants", f"application:{reference}"),) if reference else ()


def _ties_of(act: Act) -> Iterable[Thing]:
    for person in act.people:
        yield ("grants", f"assessor:{person}")
        if act.case:
            yield ("grants", f"recusal:{act.case}:{person}")


def _related(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    """Judge who decides about an organisation to which they belong, or to which they declared a tie."""
    applicants = {str(who).removeprefix("org:") for who in act.parties.get("applicant") or ()}
    applicants |= {str(act.data["organisation_id"])} if act.data.get("organisation_id") else set()
    if act.organisation in applicants:
        facts = {"ground": "same organisation"}
        return Found("related_approver", (str(act.id),), act, (act.id,), facts, terms.programme)
    for item in reversed(past):
        if item.type == INTEREST and item.data.get("organisation_id") in applicants:
            return _pair("related_approver", item, act, terms, ground="declared interest")
        if item.type == RECUSED and _last_word(past, item):
            return _pair("related_approver", item, act, terms, ground="declared conflict")
    return None


def _decides(act: Act) -> bool:
    """Say whether somebody decides: what follows when an applicant accepts is recorded as the applicant's act."""
    return act.role != "applicant"


def _last_word(past: Sequence[Act], item: Act) -> bool:
    return not any(other.type == UNRECUSED and other.leaf > item.leaf and other.entity == item.entity for other in past)


def _used(act: Act) -> bool:
    return act.role not in {None, "applicant"} and act.source not in {"portal", "notifications"}


def _person(act: Act) -> Iterable[Thing]:
    return (("portal", act.actor),)


def _role_used(act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
    """Judge an act in a role that was given minutes before: given for this one act, perhaps."""
    limit = timedelta(minutes=terms.rules.role_used_within_minutes)
    for granted in reversed(past):
        before, after = (granted.changes.get("roles") or ((), ()))[:2]
        if granted.type == GRANTED and act.role in set(after or ()) - set(before or ()):
            if not timedelta(0) <= act.at - granted.at < limit:
                return None
            minutes = str(int((act.at - granted.at).total_seconds() // 60))
            facts = {"role": str(act.role), "minutes": minutes, "limit": str(terms.rules.role_used_within_minutes)}
            key = (str(granted.id), str(act.role))
            return Found("role_used_at_once", key, act, (granted.id, act.id), facts, terms.programme)
    return None


def _off_hours(act: Act, terms: Terms) -> str | None:
    """Count an act of staff outside of working hours; what one click does at once counts as one."""
    works = act.role in _WORK and act.source in {"grants", "loans"} and not act.type.endswith(_NO_WORK)
    return str(act.correlation or act.id) if works and not terms.at_work(act.at) else None


def _partner_read(act: Act, _terms: Terms) -> str | None:
    return str(act.data.get("record")) if act.type == READ and act.role == "finance_partner" else None


def _refused(act: Act, _terms: Terms) -> str | None:
    return str(act.id) if act.type.endswith((".attempt.refused", ".signin.refused")) else None


def _exported(act: Act, _terms: Terms) -> str | None:
    return str(act.id) if act.type == EXPORTED else None


PAIRS: tuple[Pair, ...] = (
    Pair(
        "maker_is_checker",
        frozenset(checker for _, checker, _ in TWO_PEOPLE),
        _own_thing,
        _maker_checker,
        frozenset(maker for maker, _, _ in TWO_PEOPLE),
    ),
    Pair("related_approver", DECIDING, _ties_of, _related, frozenset({INTEREST, RECUSED, UNRECUSED}), _decides),
    Pair("paid_soon_after_change", PAID, _payee, _paid_soon, frozenset({ENTERED, LIFTED})),
    Pair("score_after_deadline", frozenset({REVISED}), _own_thing, _score_late, frozenset({ASSIGNED})),
    Pair("award_above_recommended", AWARDED, _application, _more_than_recommended, frozenset({RECOMMENDED})),
    Pair("role_used_at_once", frozenset(), _person, _role_used, frozenset({GRANTED}), _used),
)
BURSTS: tuple[Burst, ...] = (
    Burst(
        "mass_export",
        timedelta(days=1),
        _exported,
        lambda rules: rules.export_rows_a_day,
        lambda act: int(act.data.get("rows") or 0),
    ),
    Burst("off_hours_burst", timedelta(hours=1), _off_hours, lambda rules: rules.off_hours_acts_an_hour),
    Burst("partner_reads_much", timedelta(hours=1), _partner_read, lambda rules: rules.partner_records_an_hour),
    Burst("refusals_in_a_burst", timedelta(minutes=10), _refused, lambda rules: rules.refusals_in_ten_minutes),
)
# Of which types a rule reads what they say.
TELLING: frozenset[str] = frozenset().union(*(rule.types | rule.past for rule in PAIRS), {EXPORTED, READ})

if {rule.name for rule in PAIRS} | {rule.name for rule in BURSTS} != set(
    RULES
):  # a name without a rule would watch nothing
    raise AssertionError("every name of a rule has one rule")
