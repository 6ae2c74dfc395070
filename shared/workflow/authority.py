"""Delegated authority: up to what amount which role may do which act, as a programme's data says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from shared.money import Money

if TYPE_CHECKING:
    from shared.workflow.model import Workflow


def authority_limits(delegations: Iterable[Mapping[str, Any]], roles: Iterable[str], currency: str) -> dict[str, Money]:
    """Return {act: highest amount} for a person with `roles`.

    `delegations` are a pack's lines such as `{role: programme_manager, act: approve, up_to: {amount: "25000.00",
    currency: EUR}}`; an act is a transition's id. Lines in another currency than `currency` give nothing.
    """
    held = set(roles)
    limits: dict[str, Money] = {}
    for line in delegations:
        limit = Money.model_validate(line["up_to"])
        if line["role"] not in held or limit.currency != currency:
            continue
        act = str(line["act"])
        if act not in limits or limits[act] < limit:
            limits[act] = limit
    return limits


def authority_levels(
    delegations: Iterable[Mapping[str, Any]], workflow: Workflow, currency: str
) -> dict[str, dict[str, Money]]:
    """Return {transition: {role: highest amount}} for the roles that `workflow` lets make that move."""
    lines, levels = list(delegations), dict[str, dict[str, Money]]()
    for move in workflow.transitions:
        limits = {role: authority_limits(lines, [role], currency).get(move.id) for role in move.roles}
        levels[move.id] = {role: limit for role, limit in limits.items() if limit is not None}
    return levels
