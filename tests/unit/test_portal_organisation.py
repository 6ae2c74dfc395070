"""Organisations: numbers by the rule of their country, and what matters confirmed by a second person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.portal.domain import numbers
from services.portal.domain.organisation import OWN, WEIGHTY, Organisation, checked, checked_own
from shared.errors import ConflictError, ForbiddenError, InvalidError

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANA, GORAN = ("user:ana", "Ana"), ("user:goran", "Goran")
FACTS: dict[str, str | None] = dict.fromkeys(WEIGHTY) | {"name": "Chamber", "kind": "bso", "country": "MK"}


def known() -> Organisation:
    """Return an organisation that everybody knows."""
    item = Organisation.register(id="chamber", **FACTS)
    item.collect()
    return item


@pytest.mark.parametrize(
    ("kind", "country", "given", "value", "rule"),
    [
        ("tax", "MK", "MK 4030000375897", "4030000375897", "mk.edb"),
        ("registration", "SI", "9331310000", "9331310", "si.maticna"),
        ("registration", "MK", "6 123 456", "6 123 456", ""),
        ("tax", "AF", "12-345/6", "12-345/6", ""),
    ],
)
def test_a_number_is_checked_by_its_country(kind: Any, country: str, given: str, value: str, rule: str) -> None:
    """Where the country has a rule the number keeps it and is written as it says; else the format alone counts."""
    read = numbers.read(kind, country, given, "n")
    assert (read.value, read.rule) == (value, rule)
    assert numbers.rule_of(kind, country) == rule


@pytest.mark.parametrize(
    ("country", "given", "said"),
    [("MK", "4030000375890", "check digit"), ("MK", "403", "4 to 40"), ("MK", "40300003758", "11 characters")],
)
def test_a_wrong_number_names_field_and_rule(country: str, given: str, said: str) -> None:
    """The refusal names the field, the country's rule and what is wrong by it."""
    with pytest.raises(InvalidError) as refused:
        checked(FACTS | {"country": country, "tax_number": given})
    assert said in refused.value.fields["tax_number"]


def test_all_wrong_facts_are_named_at_once() -> None:
    """Name, type and country are each named with their rule, and so are website, address and telephone."""
    with pytest.raises(InvalidError) as refused:
        checked({"name": " ", "kind": "club", "country": "XX"})
    assert set(refused.value.fields) == {"name", "kind", "country"}
    with pytest.raises(InvalidError) as refused:
        checked_own({"website": "ftp://x", "email": "nobody", "phone": "call me", "address": "x" * 501})
    assert set(refused.value.fields) == {"website", "email", "phone", "address"}


def test_what_matters_waits_for_another_person() -> None:
    """A new name waits and changes nothing; who entered it does not confirm it; another does, and it is told."""
    item = known()
    assert item.propose(FACTS | {"name": "New Chamber"}, by=ANA, at=NOW)
    assert not item.propose(FACTS | {"name": "New Chamber"}, by=ANA, at=NOW)
    assert item.name == "Chamber"
    assert item.parties() == {"officer": ["role:officer"], "manager": ["role:programme_manager"]}
    with pytest.raises(ConflictError, match="Ana entered waits"):
        item.propose(FACTS | {"name": "Other"}, by=GORAN, at=NOW)
    with pytest.raises(ForbiddenError, match="yourself"):
        item.confirm(ANA[0])
    assert item.confirm(GORAN[0]) is None
    assert (item.name, item.proposal) == ("New Chamber", None)
    types = [recorded.event.TYPE for recorded in item.collect()]
    assert types == ["portal.organisation.change_proposed", "portal.organisation.changed"]
    with pytest.raises(ConflictError, match="Nothing of New Chamber waits"):
        item.confirm(GORAN[0])


def test_a_refusal_has_its_reason_and_its_own_people() -> None:
    """Without a reason nothing is refused; a stranger to the proposal who may not decide does not refuse it."""
    item = known()
    item.propose(FACTS | {"country": "RS"}, by=ANA, at=NOW)
    with pytest.raises(InvalidError):
        item.refuse(" ", by=GORAN, at=NOW, may_decide=True)
    with pytest.raises(ForbiddenError, match="Ana entered this"):
        item.refuse("No proof", by=GORAN, at=NOW, may_decide=False)
    item.refuse("No proof", by=GORAN, at=NOW, may_decide=True)
    assert item.refusal
    assert (item.country, item.refusal.why) == ("MK", "No proof")


def test_contacts_change_at_once_and_are_not_told() -> None:
    """Address and contacts are the organisation's own to say; people's names and addresses stand in no event."""
    item = known()
    own: dict[str, str | None] = dict.fromkeys(OWN) | {"address": "Main street 1", "email": "ana@chamber.example"}
    assert item.keep(own)
    assert not item.keep(own)
    (recorded,) = item.collect()
    assert "ana@chamber" not in recorded.event.model_dump_json() + str(recorded.changes)
    assert recorded.changes["address"] == [None, "Main street 1"]


def test_a_new_organisation_is_known_when_it_is_confirmed() -> None:
    """What an applicant founds is told to nobody until another person confirms it; then its founder belongs to it."""
    item = Organisation.found("chamber", FACTS, dict.fromkeys(OWN), by=ANA, at=NOW)
    assert item.standing == "waits"
    item.keep({"address": "Main street 1"})
    assert [recorded.event.TYPE for recorded in item.collect()] == ["portal.organisation.change_proposed"]
    assert item.confirm(GORAN[0]) == "ana"
    assert [recorded.event.TYPE for recorded in item.collect()] == ["portal.organisation.registered"]
    assert item.standing == "known"
