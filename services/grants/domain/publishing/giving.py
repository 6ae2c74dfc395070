"""A record as a grant of the 360Giving Data Standard 1.4, and the package and the table that hold many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.grants.domain.publishing.problems import Problem, unfit_words, unstated
from services.grants.domain.publishing.records import Party, Record
from shared.errors import Rule
from shared.events.publishing_facts import PublishingFacts
from shared.money import Money, total

VERSION = "1.4"
# The table of the standard's spreadsheet form: (heading, path in the grant).
COLUMNS = (
    ("Identifier", ("id",)),
    ("Title", ("title",)),
    ("Description", ("description",)),
    ("Currency", ("currency",)),
    ("Amount Awarded", ("amountAwarded",)),
    ("Amount Disbursed", ("amountDisbursed",)),
    ("Award Date", ("awardDate",)),
    ("Planned Dates:Start Date", ("plannedDates", 0, "startDate")),
    ("Planned Dates:End Date", ("plannedDates", 0, "endDate")),
    ("Recipient Org:Identifier", ("recipientOrganization", 0, "id")),
    ("Recipient Org:Name", ("recipientOrganization", 0, "name")),
    ("Recipient Org:Country", ("recipientOrganization", 0, "addressCountry")),
    ("Funding Org:Identifier", ("fundingOrganization", 0, "id")),
    ("Funding Org:Name", ("fundingOrganization", 0, "name")),
    ("Grant Programme:Code", ("grantProgramme", 0, "code")),
    ("Grant Programme:Title", ("grantProgramme", 0, "title")),
    ("Beneficiary Location:Country Code", ("beneficiaryLocation", 0, "countryCode")),
    ("From An Open Call?", ("fromOpenCall",)),
    ("Regrant Type", ("regrantType",)),
    ("Last Modified", ("dateModified",)),
    ("Data Source", ("dataSource",)),
)


def recipient_id(party: Party, facts: PublishingFacts) -> str | None:
    """Return an organisation's identifier: its register's where that is known, else one under the own prefix."""
    register = facts.registers.get(party.country or "")
    if register and party.registration:
        return f"{register}-{party.registration}"
    return f"{facts.prefix}-ORG-{party.id}" if facts.prefix else None


def lacking(record: Record, facts: PublishingFacts) -> list[Problem]:
    """Return what keeps a record from being a grant of the standard, before its schema is asked."""
    publisher = facts.publisher
    wanted = {"prefix": facts.prefix, "publisher.ref": publisher.ref, "publisher.name": publisher.name}
    wanted |= {"licence": facts.licence, "source": facts.source}
    found = unstated(wanted) + unfit_words(record)
    amounts = {"amountAwarded": record.amount, "amountDisbursed": disbursed(record)}
    rule = Rule("has more digits than a number of JSON keeps")
    return found + [Problem(name, rule, str(money), "record") for name, money in amounts.items() if not _exact(money)]


def _exact(money: Money) -> bool:
    return Decimal(repr(float(money.amount))) == money.amount


def disbursed(record: Record) -> Money:
    """Return what was paid of a grant and did not come back."""
    currency = record.amount.currency
    paid = total((flow.amount for flow in record.paid), currency)
    return paid - total((flow.amount for flow in record.returned), currency)


def grant(record: Record, facts: PublishingFacts, programme: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a record as a grant; members that are not known are left out."""
    dates = {"startDate": record.starts.isoformat(), "endDate": record.ends.isoformat() if record.ends else None}
    recipient = {"id": recipient_id(record.recipient, facts), "name": record.recipient.name}
    title = names.get("en") or next(iter(names.values()), programme)
    whole = {
        "id": f"{facts.prefix}-{record.id}",
        "title": record.title,
        "description": record.description,
        "currency": record.amount.currency,
        "amountAwarded": _number(record.amount),
        "amountDisbursed": _number(disbursed(record)),
        "awardDate": record.agreed_on.isoformat(),
        "plannedDates": [_known(dates)],
        "recipientOrganization": [_known(recipient | {"addressCountry": record.recipient.country})],
        "fundingOrganization": [{"id": facts.publisher.ref, "name": facts.publisher.name}],
        "grantProgramme": [{"code": programme, "title": title}],
        "beneficiaryLocation": [{"countryCode": country.code} for country in facts.countries] or None,
        "fromOpenCall": "Yes" if record.open_call else "No",
        "regrantType": facts.regrant if record.kind == "award" else None,
        "dateModified": stamp(record.changed_at),
        "dataSource": facts.source,
    }
    return _known(whole)


def stamp(moment: datetime) -> str:
    """Return a moment as both standards write it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(money: Money) -> int | float:
    whole = money.amount == money.amount.to_integral_value()
    return int(money.amount) if whole else float(money.amount)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def package(
    grants: Sequence[Mapping[str, Any]], facts: PublishingFacts, programme: str, names: Mapping[str, str], at: datetime
) -> dict[str, Any]:
    """Return the package of these grants, with who publishes it and under which licence."""
    title = names.get("en") or next(iter(names.values()), programme)
    return _known(
        {
            "version": VERSION,
            "title": title,
            "identifier": f"{facts.prefix}-{programme}",
            "issued": stamp(at),
            "publisher": _known({"identifier": facts.publisher.ref, "name": facts.publisher.name}),
            "license": facts.licence,
            "grants": list(grants),
        }
    )


def row(content: Mapping[str, Any]) -> list[Any]:
    """Return a grant as a row of the standard's table; a grant for several countries names the first there."""
    return [_at(content, path) for _, path in COLUMNS]


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError):
            return None
    return value
