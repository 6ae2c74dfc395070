"""The canonical form, the leaf, and what an inspection of a stored row names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.inspection import inspect
from services.audit.domain.leaf import HASHED, MEMBERS, BodyError, Row, parts_of, row_of
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.refusal import Refused
from shared.events import Actor, Envelope
from shared.events.canonical import NotCanonicalError, canonical
from shared.events.envelope import Body

NOW = datetime(2026, 11, 21, 14, 2, 11, 5, UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def envelope(data: dict[str, Any] | None = None, **changes: Any) -> Envelope:
    """Return an envelope that says `data`."""
    values: dict[str, Any] = {
        "id": UUID(int=7),
        "source": "grants",
        "type": "grants.application.moved",
        "entity": "application:BSO-2026-0041",
        "sequence": 3,
        "position": 12,
        "time": NOW,
        "correlation_id": UUID(int=8),
        "case": "BSO-2026-0041",
        "body": Body(
            data={"title": "Crafts"} if data is None else data,
            actor=Actor(id="user:goran", name="Goran Ristov", role="officer", session="5e55"),
            changes={"stage": ["screening", "due diligence"]},
            after_hash="cd" * 32,
            reason="complete",
        ),
    }
    return Envelope(**(values | changes))


@given(JSON)
def test_the_fast_form_is_the_canonical_form(value: Any) -> None:
    """For any JSON value the quick way gives the bytes of RFC 8785."""
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\ud800": 1}, {1: 2}])
def test_values_without_a_canonical_form_are_refused(value: Any) -> None:
    """Huge integers, NaN, half a surrogate pair and keys that are no text have no canonical form."""
    with pytest.raises(NotCanonicalError):
        canonical({"value": value} if not isinstance(value, dict) else value)


def test_the_leaf_says_who_did_what_without_names() -> None:
    """The leaf is canonical JSON with the columns and hashes; names and texts of the body are in it as hashes only."""
    row = row_of(envelope(), NOW)
    leaf = json.loads(row.leaf)
    assert rfc8785.dumps(leaf) == row.leaf
    assert set(leaf) == {"v", *MEMBERS, *HASHED}
    expected = {
        "v": 1,
        "by": "user:goran",
        "role": "officer",
        "pos": 12,
        "seq": 3,
        "time": "2026-11-21T14:02:11.000005+00:00",
    }
    assert leaf.items() >= expected.items()
    assert b"Goran" not in row.leaf
    assert b"Crafts" not in row.leaf


def test_the_leaf_does_not_depend_on_the_zone() -> None:
    """The same moment written in another time zone makes the same leaf."""
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert row_of(envelope(time=there), NOW).leaf == row_of(envelope(), NOW).leaf


@given(st.dictionaries(TEXTS, JSON, max_size=5))
def test_any_event_survives_storing(data: dict[str, Any]) -> None:
    """A row made from any data is found unaltered, with the hash that the tree has."""
    row = row_of(envelope(data), NOW)
    assert inspect(row, leaf_hash(row.leaf)).altered == ()
    assert inspect(row, leaf_hash(row.leaf)).hash == leaf_hash(row.leaf)
    assert len(row.summary) <= 2400


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_flipped_byte_of_the_leaf_is_named(place: int, flip: int) -> None:
    """Whatever byte of a stored leaf changes, the column `leaf` is named and the tree goes on with the right hash."""
    row = row_of(envelope(), NOW)
    spoiled = bytearray(row.leaf)
    spoiled[place % len(spoiled)] ^= flip
    result = inspect(row._replace(leaf=bytes(spoiled)), leaf_hash(row.leaf))
    assert (result.altered, result.hash) == (("leaf",), leaf_hash(row.leaf))


@pytest.mark.parametrize("body", ["", "{}", "null", "[1]", '{"actor":', "{" * 5000])
def test_a_ruined_body_is_named(body: str) -> None:
    """A body that is no longer the canonical form of anything is named, not tripped over."""
    with pytest.raises(BodyError):
        parts_of(body)
    row = row_of(envelope(), NOW)
    assert inspect(row._replace(body=body), leaf_hash(row.leaf)).altered == ("body",)


def test_added_white_space_is_an_edit() -> None:
    """A body that says the same in other bytes is not what was recorded."""
    row = row_of(envelope(), NOW)
    spaced = row._replace(body=row.body.replace('":', '": ', 1))
    assert inspect(spaced, leaf_hash(row.leaf)).altered == ("body",)


def test_several_edits_are_all_named() -> None:
    """Two edited columns are named, both."""
    row = row_of(envelope(), NOW)
    edited: Row = row._replace(case="X", entity="y", actor_name="Somebody")
    assert set(inspect(edited, leaf_hash(row.leaf)).altered) == {"case", "entity"}
    assert inspect(row._replace(actor_name="Somebody"), leaf_hash(row.leaf)).altered == ("actor_name",)


def test_a_refusal_has_one_id_per_message() -> None:
    """The same refused message has one id however often it comes; another message has another."""
    first = Refused("unreadable", "no", {"a": b"\xff", "b": "\ud800"}, b"x", None)
    assert first.event_id() == Refused("unreadable", "again", dict(first.headers), b"x", None).event_id()
    assert first.event_id() != Refused("unreadable", "no", first.headers, b"y", None).event_id()
    assert first.event_id().version == 8
    assert first.envelope(NOW).outcome == "refused"
