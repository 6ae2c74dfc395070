"""Delegated authority: up to what amount which role may do which act, as a programme's data says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
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
    for role, act, limit in _lines(delegations, currency):
        if role in held and (act not in limits or limits[act] < limit):
            limits[act] = limit
    return limits


def authority_levels(
    delegations: Iterable[Mapping[str, Any]], workflow: Workflow, currency: str
) -> dict[str, dict[str, Money]]:
    """Return {transition: {role: highest amount}} for the roles that `workflow` lets make that move."""
    may = {move.id: move.roles for move in workflow.transitions}
    levels: dict[str, dict[str, Money]] = {act: {} for act in may}
    for role, act, limit in _lines(delegations, currency):
        if role in may.get(act, ()) and (role not in levels[act] or levels[act][role] < limit):
            levels[act][role] = limit
    return levels


def _lines(delegations: Iterable[Mapping[str, Any]], currency: str) -> Iterator[tuple[str, str, Money]]:
    """Give (role, act, highest amount) of the lines in that currency."""
    for line in delegations:
        limit = _limit(**line["up_to"])
        if limit.currency == currency:
            yield line["role"], str(line["act"]), limit


@lru_cache(maxsize=1024)  # every row of a list asks for the same few amounts of its programme
def _limit(amount: str, currency: str) -> Money:
    return Money(amount=amount, currency=currency)
