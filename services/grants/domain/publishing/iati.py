"""Records as activities of the IATI standard 2.03: one for the programme, and one below it for each agreement.

The codes are those of the standard's own lists: transaction types 1 incoming funds, 2 commitment, 3 disbursement,
11 incoming commitment; roles 1 funding, 2 accountable, 3 extending, 4 implementing; status 2 implementation, 4 closed.
Money that came back is a disbursement below nothing, as the standard asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from services.grants.domain.publishing.giving import recipient_id, stamp
from services.grants.domain.publishing.node import Node, narrated, node
from services.grants.domain.publishing.problems import Problem, unfit_words, unstated
from services.grants.domain.publishing.records import Flow, Measured, Record, Result
from shared.events.publishing_facts import Publisher, PublishingFacts
from shared.money import Money, total

VERSION = "2.03"
ROLES = {"funding": "1", "accountable": "2", "extending": "3"}
INCOMING = {"funds": "1", "commitment": "11"}
# What a bank lends at its own conditions: a standard loan, from the private market.
LOAN, MARKET = "421", "35"


def programme_lacks(facts: PublishingFacts, description: str) -> list[Problem]:
    """Return what keeps the programme from being an activity."""
    wanted = _common(facts) | {"starts": facts.starts, "description": description}
    return unstated(wanted)


def lacking(record: Record, facts: PublishingFacts) -> list[Problem]:
    """Return what keeps a record from being an activity, before schema and ruleset are asked."""
    return unstated(_common(facts)) + unfit_words(record)


def _common(facts: PublishingFacts) -> dict[str, object]:
    publisher = facts.publisher
    named = {"publisher.ref": publisher.ref, "publisher.name": publisher.name, "publisher.type": publisher.type}
    donors = tuple(donor.name for donor in facts.donors if donor.name)
    return named | {"sectors": facts.sectors, "countries": facts.countries, "donors": donors}


def programme(
    facts: PublishingFacts,
    programme_id: str,
    names: Mapping[str, str],
    description: str,
    children: Sequence[Record],
    *,
    today: date,
    at: datetime | None,
) -> Node:
    """Return the programme's own activity; `children` are the agreements that stand below it in the same file."""
    incoming = [
        _transaction(
            INCOMING[item.kind], Flow(day=item.day, amount=item.amount), provider=_org(facts.donors[item.donor])
        )
        for item in facts.incoming
    ]
    related = [node("related-activity", ref=identifier(facts, child.id), type="2") for child in children]
    ended = facts.ends is not None and facts.ends < today
    return node(
        "iati-activity",
        *_head(facts, programme_id, _title(names, programme_id), description),
        *_participants(facts),
        node("activity-status", code="4" if ended else "2"),
        *_dates(facts.starts, facts.ends, ended=ended, today=today),
        *_aimed_at(facts),
        *incoming,
        *related,
        last_updated_datetime=stamp(at) if at else None,
        default_currency=_currency(children),
        hierarchy="1",
    )


def _currency(records: Sequence[Record]) -> str | None:
    currencies = {record.amount.currency for record in records}
    return currencies.pop() if len(currencies) == 1 else None


def _title(names: Mapping[str, str], otherwise: str) -> str:
    return names.get("en") or next(iter(names.values()), otherwise)


def identifier(facts: PublishingFacts, reference: str) -> str:
    """Return an activity's identifier: the publisher's own, a dash, the reference."""
    return f"{facts.publisher.ref}-{reference}"


def activity(record: Record, facts: PublishingFacts, programme_id: str, *, today: date) -> Node:
    """Return a record as an activity below the programme's."""
    return node(
        "iati-activity",
        *_head(facts, record.id, record.title, record.description),
        *_participants(facts),
        *_recipient(record, facts),
        node("activity-status", code="4" if record.closed else "2"),
        *_dates(record.starts, record.ends, ended=record.closed, today=today),
        *_aimed_at(facts),
        *_budgets(record),
        *_transactions(record, facts),
        node("related-activity", ref=identifier(facts, programme_id), type="1"),
        *(_result(result) for result in record.results),
        last_updated_datetime=stamp(record.changed_at),
        default_currency=record.amount.currency,
        hierarchy="2",
    )


def _head(facts: PublishingFacts, reference: str, title: str, description: str) -> list[Node]:
    publisher = facts.publisher
    return [
        node("iati-identifier", text=identifier(facts, reference)),
        narrated("reporting-org", publisher.name or "", ref=publisher.ref, type=publisher.type),
        narrated("title", title),
        narrated("description", description, type="1"),
    ]


def _participants(facts: PublishingFacts) -> list[Node]:
    found = [_org(donor, "participating-org", role=ROLES[donor.role]) for donor in facts.donors if donor.name]
    return [*found, _org(facts.publisher, "participating-org", role=ROLES["extending"])]


def _org(party: Publisher, element: str = "provider-org", *, role: str | None = None) -> Node:
    return narrated(element, party.name or "", ref=party.ref, type=party.type, role=role)


def _recipient(record: Record, facts: PublishingFacts) -> list[Node]:
    """Return the recipient's roles: it implements, and a firm that brings its own money funds as well."""
    party, kind = record.recipient, "70" if record.recipient.firm else None
    ref = recipient_id(party, facts) if party.registration and party.country in facts.registers else None
    roles = ["1"] if record.matched else []
    return [narrated("participating-org", party.name, ref=ref, type=kind, role=role) for role in [*roles, "4"]]


def _dates(starts: date | None, ends: date | None, *, ended: bool, today: date) -> list[Node]:
    """Return planned and actual days; an actual one never lies ahead."""
    found = [("1", starts), ("2", starts if starts and starts <= today else None), ("3", ends)]
    found.append(("4", min(ends, today) if ended and ends else None))
    return [node("activity-date", type=kind, iso_date=day.isoformat()) for kind, day in found if day]


def _aimed_at(facts: PublishingFacts) -> list[Node]:
    sectors, countries = facts.sectors, facts.countries
    codes = {
        "default-flow-type": facts.flow_type,
        "default-finance-type": facts.finance_type,
        "default-aid-type": facts.aid_type,
        "default-tied-status": facts.tied_status,
    }
    return [
        *(node("recipient-country", code=item.code, percentage=f"{item.percent:f}") for item in countries),
        *(node("sector", vocabulary="1", code=item.code, percentage=f"{item.percent:f}") for item in sectors),
        *(node(name, code=code) for name, code in codes.items() if code),
    ]


def _budgets(record: Record) -> list[Node]:
    """Return the agreed amount by years from the agreement on: what the plan pays in each, none above a year long."""
    last = max([record.starts, *(flow.day for flow in record.planned)])
    found: list[tuple[date, date, Money]] = []
    start = record.starts
    while start <= last:
        following = _year_on(start)
        parts = [flow.amount for flow in record.planned if start <= flow.day < following]
        found.append((start, following - timedelta(days=1), total(parts, record.amount.currency)))
        start = following
    if not record.planned:
        found = [(found[0][0], found[0][1], record.amount)]
    return [
        node(
            "budget",
            node("period-start", iso_date=first.isoformat()),
            node("period-end", iso_date=end.isoformat()),
            _value(Flow(day=record.agreed_on, amount=amount)),
            type="1",
            status="2",
        )
        for first, end, amount in found
        if amount
    ]


def _year_on(day: date) -> date:
    return day.replace(year=day.year + 1) if (day.month, day.day) != (2, 29) else date(day.year + 1, 3, 1)


def _value(flow: Flow) -> Node:
    money = flow.amount
    return node("value", text=f"{money.amount:f}", currency=money.currency, value_date=flow.day.isoformat())


def _transaction(
    kind: str, flow: Flow, *, provider: Node | None = None, receiver: Node | None = None, loan: bool = False
) -> Node:
    return node(
        "transaction",
        node("transaction-type", code=kind),
        node("transaction-date", iso_date=flow.day.isoformat()),
        _value(flow),
        narrated("description", flow.note) if flow.note else None,
        provider,
        receiver,
        node("flow-type", code=MARKET) if loan else None,
        node("finance-type", code=LOAN) if loan else None,
    )


def _transactions(record: Record, facts: PublishingFacts) -> list[Node]:
    """Return commitment, what came in from the firm and from banks, what was paid, and what came back."""
    ours, theirs = _org(facts.publisher), record.recipient.name
    to = narrated("receiver-org", theirs)
    firm = narrated("provider-org", theirs)
    committed = Flow(day=record.agreed_on, amount=record.amount)
    returned = [flow.model_copy(update={"amount": flow.amount * -1}) for flow in record.returned]
    return [
        _transaction("2", committed, provider=ours, receiver=to),
        *(_transaction("1", flow, provider=firm) for flow in record.matched),
        *(_transaction("1", flow, provider=narrated("provider-org", bank), loan=True) for bank, flow in record.lent),
        *(_transaction("3", flow, provider=ours, receiver=to) for flow in (*record.paid, *returned)),
    ]


def _result(result: Result) -> Node:
    """Return an indicator's figures as an output, each with its disaggregation."""
    base = result.baseline
    return node(
        "result",
        narrated("title", result.title),
        node(
            "indicator",
            narrated("title", result.title),
            node("baseline", year=str(result.baseline_year), value=f"{base:f}")
            if base is not None and result.baseline_year
            else None,
            *_periods(result.periods),
            measure="2" if result.unit == "percent" else "1",
            ascending="1" if result.ascending else "0",
        ),
        type="1",
    )


def _periods(measured: Sequence[Measured]) -> list[Node]:
    """Return each period once: targets, then actual figures, the whole before the parts of its disaggregation."""
    spans = dict.fromkeys((item.starts, item.ends) for item in measured)
    return [
        node(
            "period",
            node("period-start", iso_date=starts.isoformat()),
            node("period-end", iso_date=ends.isoformat()),
            *(
                node(name, *_dimensions(item), value=f"{value:f}")
                for name in ("target", "actual")
                for item in measured
                if (item.starts, item.ends) == (starts, ends) and (value := getattr(item, name)) is not None
            ),
        )
        for starts, ends in spans
    ]


def _dimensions(measured: Measured) -> list[Node]:
    return [node("dimension", name=name, value=value) for name, value in measured.dimensions.items()]
