"""A past state is what its events say, and it is called proven only when its hash says so."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.past import Told, rebuilt
from shared.entity import Entity
from shared.events.audit import SavedSearchDropped


class Parcel(Entity):
    """An entity of three fields, of which one may be private in a subclass."""

    KIND = "parcel"
    place: str = "store"
    weight: str | None = None
    note: str | None = None


class Sealed(Parcel):
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note"})


EVENT = SavedSearchDropped(search_id="x")


def history(kind: type[Parcel], steps: list[dict[str, Any]]) -> tuple[list[Told], list[dict[str, Any]]]:
    """Return what the events of a parcel's life tell, and its state after each."""
    parcel, told, states = kind(id="P-1"), [], []
    for number, step in enumerate([{}, *steps], 1):
        for name, value in step.items():
            setattr(parcel, name, value)
        parcel.record(EVENT)
        [recorded] = parcel.collect()
        told.append(Told(number, recorded.changes, recorded.after_hash))
        states.append({name: value for name, value in parcel.state().items() if name != "id"})
    return told, states


STEPS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "place": st.sampled_from(["store", "road", "shop"]),
            "weight": st.none() | st.sampled_from(["1.5", "2"]),
            "note": st.none() | st.text(max_size=5),
        },
    ),
    max_size=6,
)


@given(STEPS, st.data())
def test_every_moment_of_a_life_is_rebuilt_and_proven(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    """After any number of events the state is what the entity was, and its hash proves that."""
    told, states = history(Parcel, steps)
    count = data.draw(st.integers(1, len(told)))
    past = rebuilt("P-1", told[:count], {"place", "weight", "note"})
    assert past.verdict == "matches"
    assert {name: past.state.get(name) for name in states[count - 1]} == states[count - 1]


def test_a_change_without_an_event_is_seen() -> None:
    """A value that was changed between two events makes them not fit; a field of which no event tells is not proven."""
    told, _ = history(Parcel, [{"weight": "1.5"}, {"weight": "2"}])
    between = [*told[:2], Told(3, {"weight": ["9", "2"]}, told[2].after_hash)]
    assert rebuilt("P-1", between, {"note", "weight"}).verdict == "broken"
    altered = [*told[:2], Told(3, {"weight": ["1.5", "3"]}, told[2].after_hash)]
    assert rebuilt("P-1", altered, {"note", "weight"}).verdict == "unproven"
    assert rebuilt("P-1", told, {"weight"}).verdict == "unproven", "nobody told that there is a note"


def test_a_missing_event_is_not_passed_over() -> None:
    """Without its first events a state is unknown, and with a hole in the middle it does not match."""
    told, _ = history(Parcel, [{"weight": "1.5"}, {"place": "road"}])
    assert rebuilt("P-1", told[1:], {"note"}).verdict == "before"
    assert rebuilt("P-1", [told[0], told[2]], {"note"}).verdict == "broken"


def test_what_is_hidden_is_not_claimed() -> None:
    """With private or sealed values nothing is called proven, and the other fields are still told."""
    told, _ = history(Sealed, [{"note": "secret"}, {"place": "road"}])
    past = rebuilt("P-1", told, {"weight"})
    assert (past.verdict, past.hidden, past.state["place"]) == ("hidden", frozenset({"note"}), "road")
    assert "secret" not in str(past)
    open_told, _ = history(Parcel, [{"place": "road"}])
    sealed = [open_told[0], Told(2, open_told[1].changes, None, opaque=True)]
    assert rebuilt("P-1", sealed, {"weight", "note"}).verdict == "hidden"


@pytest.mark.parametrize("after_hash", [None])
def test_without_a_hash_nothing_is_proven(after_hash: str | None) -> None:
    """Events that carry no hash tell a state that nobody can check."""
    assert rebuilt("P-1", [Told(1, {"place": [None, "store"]}, after_hash)]).verdict == "unhashed"
