"""Entities record what changed, and a hash of the state after it."""

import hashlib
from typing import Any, ClassVar

import pytest
import rfc8785
from pydantic import TypeAdapter, ValidationError

from shared.entity import HIDDEN, Entity, Part, canonical_hash
from shared.events import Event
from shared.money import Money


class PriceChanged(Event):
    """The price changed."""

    price: Money


class Thing(Entity):
    """Something with a price and a secret."""

    KIND = "thing"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"secret"})
    price: Money
    secret: str = ""

    def change(self, price: str, secret: str = "") -> None:
        """Change the price."""
        self.price, self.secret = Money(amount=price, currency="EUR"), secret
        self.record(PriceChanged(price=self.price))


def test_an_event_carries_what_changed_and_the_hash_after_it() -> None:
    """Two acts record two events, each with its own difference and the hash of the state it left."""
    thing = Thing(id="t", price=Money.of(1, "EUR"))
    thing.loaded()
    thing.change("2")
    after_first = canonical_hash(thing.state())
    thing.change("3")
    first, second = thing.collect()
    assert first.changes == {"price": [{"amount": "1.00", "currency": "EUR"}, {"amount": "2.00", "currency": "EUR"}]}
    assert first.after_hash == after_first
    assert second.changes["price"][1]["amount"] == "3.00"
    assert second.after_hash == canonical_hash(thing.state())
    assert thing.collect() == []


def test_the_last_event_says_the_state_that_is_stored() -> None:
    """What changes after the last event of an act stands in it, from its first value on; events before stay."""
    thing = Thing(id="t", price=Money.of(1, "EUR"))
    thing.loaded()
    thing.change("2")
    thing.change("3")
    thing.price, thing.secret = Money.of(4, "EUR"), "late"
    recorded = thing.collect()
    first, second = thing.up_to_date(recorded, thing.state())
    assert first == recorded[0]
    assert [pair["amount"] for pair in second.changes["price"]] == ["2.00", "4.00"]
    assert second.changes["secret"] == [HIDDEN, HIDDEN]
    assert second.after_hash == canonical_hash(thing.state())
    assert thing.up_to_date([second], thing.state()) == [second]
    assert thing.up_to_date([], {}) == []


def test_private_fields_show_only_that_they_changed() -> None:
    """A private value never stands in the record, the fact that it changed does."""
    thing = Thing(id="t", price=Money.of(1, "EUR"))
    thing.loaded()
    thing.change("1", secret="account 123")
    assert thing.collect()[0].changes == {"secret": [HIDDEN, HIDDEN]}


def test_the_hash_does_not_depend_on_the_order_of_members() -> None:
    """The canonical form of RFC 8785 makes equal states hash equally."""
    assert canonical_hash({"a": "1", "b": ["2"]}) == canonical_hash({"b": ["2"], "a": "1"})
    assert canonical_hash({"a": "1"}) != canonical_hash({"a": "2"})


class Ring(Part):
    """A part of a thing."""

    size: int


class Hoop(Entity):
    """A thing with parts."""

    KIND = "hoop"
    ring: Ring
    spare: list[Ring] = []


def test_what_a_later_release_stored_is_kept_by_this_one() -> None:
    """Members that this release does not know, of an entity or its parts, are stored again and hashed."""
    written = {"id": "h", "ring": {"size": 1, "metal": "tin"}, "spare": [{"size": 2, "worn": True}], "colour": "red"}
    hoop = Hoop.stored(written, 3)
    assert hoop.state() == written
    hoop.spare = [*hoop.spare, Ring(size=4)]
    hoop.ring = hoop.ring.model_copy(update={"size": 9})
    kept = {"ring": {"size": 9, "metal": "tin"}, "spare": [{"size": 2, "worn": True}, {"size": 4}], "colour": "red"}
    assert hoop.state() == {"id": "h", **kept}


def test_what_is_new_must_be_known() -> None:
    """A member that nobody knows is refused by name where an entity or a part is made anew."""
    with pytest.raises(ValidationError, match="metal"):
        Ring.model_validate({"size": 1, "metal": "tin"})
    with pytest.raises(ValidationError, match="colour"):
        Hoop.model_validate({"id": "h", "ring": {"size": 1}, "colour": "red"})


def test_a_part_is_described_by_what_is_known() -> None:
    """The JSON interface describes a part by its members, both where it is taken and where it is given."""
    for mode in ("validation", "serialization"):
        schema = TypeAdapter(list[Ring]).json_schema(mode=mode)  # type: ignore[arg-type]  # one of its literals
        assert schema["$defs"]["Ring"]["properties"] == {"size": {"title": "Size", "type": "integer"}}


def test_the_hash_is_that_of_the_standard_form_whatever_the_state_holds() -> None:
    """Plain texts, control characters, names beyond ASCII and fractions hash as the RFC 8785 library writes them."""
    states: list[dict[str, Any]] = [
        {"b": None, "a": [True, {"z": '\x07\n"\\/', "A": "наказ €"}], "n": 9007199254740991},
        {"\U0001f600": "1", "\ufb33": "2", "é": {"x": 1.5e30}},
        {},
    ]
    for state in states:
        assert canonical_hash(state) == hashlib.sha256(rfc8785.dumps(state)).hexdigest()
