"""What grants knows of one organisation, across calls and programmes, on one page for staff."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz
from sqlalchemy import Connection, RowMapping

from services.grants.domain.award import Award
from services.grants.domain.likeness import folded
from services.grants.handlers.base import MAX_REFERENCE
from services.grants.policy import POLICY
from services.grants.storage import organisations as stored
from services.grants.storage import payees, reads
from shared.errors import NotFoundError
from shared.money import Money
from shared.names import number
from shared.web.identity import Identity

READ = "grants.organisation.read"
NAME, SHOWN = 90, 30  # from how many per cent on two names are told to be alike


@dataclass(frozen=True)
class Twin:
    """Another organisation that may be this one: `by` is "number" or the likeness of the names in per cent."""

    row: RowMapping
    by: str
    percent: int


@dataclass(frozen=True)
class Known:
    """What one person may see of an organisation here."""

    row: RowMapping
    applications: list[RowMapping]
    cofinancings: list[RowMapping]
    awards: dict[str, Award]
    agreed: dict[str, Money]
    paid: dict[str, Money]
    owed: dict[str, Money]
    reports: dict[str, dict[str, int]]
    hits: dict[str, dict[str, int]]
    twins: list[Twin]
    account: str | None


def known(connection: Connection, who: Identity, organisation: str) -> Known:
    """Return what grants has of an organisation in one's programmes; a fixed number of statements."""
    wide = "all" in POLICY.require(READ, who).values()
    programmes = None if wide else who.programmes
    row = reads.find_organisation(connection, organisation[:MAX_REFERENCE])
    if row is None:
        raise NotFoundError("There is no such record")
    applications = stored.applications(connection, row["id"], programmes)
    references = [item["id"] for item in applications]
    awards = stored.awards(connection, references)
    payee = payees.find(connection, row["id"])
    return Known(
        row=row,
        applications=applications,
        cofinancings=stored.cofinancings(connection, row["id"], programmes),
        awards={award.id: award for award in awards},
        agreed=_sums(award.amount for award in awards),
        paid=_sums(award.paid() for award in awards),
        owed=_sums(award.refund_owed() for award in awards),
        reports=stored.reports(connection, references),
        hits={
            item.id: {status: item.count(status) for status in ("open", "same") if item.count(status)}
            for item in stored.screenings(connection, references)
        },
        twins=_twins(connection, row),
        account=payee.current.masked if payee and payee.current else None,
    )


def _sums(amounts: Iterable[Money]) -> dict[str, Money]:
    """Return {currency: sum}; currencies are never added up."""
    found: dict[str, Money] = {}
    for amount in amounts:
        found[amount.currency] = found.get(amount.currency, Money.zero(amount.currency)) + amount
    return found


def _twins(connection: Connection, row: RowMapping) -> list[Twin]:
    own, name = number(row["registration_number"] or ""), folded(row["name"])
    found = []
    for other in stored.others(connection, row["id"]):
        percent = round(fuzz.token_sort_ratio(name, folded(other["name"])))
        if own and number(other["registration_number"] or "") == own:
            found.append(Twin(other, "number", 100))
        elif percent >= NAME:
            found.append(Twin(other, "name", percent))
    return sorted(found, key=lambda twin: (twin.by != "number", -twin.percent, twin.row["id"]))[:SHOWN]


def view(found: Known) -> dict[str, Any]:
    """Return it as JSON types."""
    money = {name: [item.model_dump(mode="json") for item in getattr(found, name).values()] for name in _MONEY}
    awards = [
        {
            "reference": award.id,
            "amount": award.amount.model_dump(mode="json"),
            "paid": award.paid().model_dump(mode="json"),
        }
        for award in found.awards.values()
    ]
    return {
        "organisation": dict(found.row),
        "applications": [dict(row) | {"amount": str(row["amount"])} for row in found.applications],
        "cofinancing": [dict(row) for row in found.cofinancings],
        "awards": awards,
        "reports": found.reports,
        "exclusion_hits": found.hits,
        "look_alikes": [
            {"id": t.row["id"], "name": t.row["name"], "by": t.by, "percent": t.percent} for t in found.twins
        ],
        "account": found.account,
    } | money


_MONEY = ("agreed", "paid", "owed")
