"""Entities record what changed, and a hash of the state after it."""

from typing import ClassVar

from shared.entity import HIDDEN, Entity, canonical_hash
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
