"""The terms of records, what a pack may say of them, and what is sealed of whom."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.audit.domain.leaf import BodyError, leaf_from, parts_of, row_of
from services.audit.domain.retention import Hold, Record, after_years, judge, refusal
from services.audit.domain.sealing import (
    Key,
    Names,
    UnreadableSealError,
    blanked,
    blanked_like,
    filled,
    named,
    open_seal,
    seal,
    taken,
)
from shared.errors import InvalidError
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.events.retention_rules import HOUSE, retention_problems, term_of


def new_cipher() -> AESGCM:
    """Return a key that nobody else has."""
    return AESGCM(AESGCM.generate_key(256))


NOW = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)


def event(kind: str = "grants.application.submitted", role: str | None = "applicant", **data: object) -> Envelope:
    """Return an act of Ana's."""
    actor = Actor(id="user:ana", name="Ana Petrova", role=role)
    body = Body(data=data, actor=actor, after_hash="ab" * 32)
    facts: dict[str, Any] = {
        "entity": "application:1",
        "sequence": 1,
        "time": NOW,
        "correlation_id": uuid4(),
        "body": body,
    }
    return Envelope(id=uuid4(), source=kind.split(".", maxsplit=1)[0], type=kind, **facts)


def test_a_term_ends_on_the_same_day_years_later() -> None:
    """The 29th of February becomes the 28th where there is none; no years is the day itself."""
    assert after_years(date(2024, 2, 29), 1) == date(2025, 2, 28)
    assert after_years(date(2024, 2, 29), 4) == date(2028, 2, 29)
    assert after_years(date(2026, 11, 2), 0) == date(2026, 11, 2)


def test_days_are_those_of_the_house() -> None:
    """An act half an hour before midnight in UTC is of the next day east of it, and so is the end of its term."""
    record = Record("BSO-1", "p", 1, "application", NOW, None)
    judged = judge(record, HOUSE["application"], (), date(2029, 11, 2), ZoneInfo("Asia/Bishkek"))
    assert (judged.until, judged.why) == (date(2029, 11, 3), "kept")
    assert judge(record, HOUSE["application"], (), date(2029, 11, 3), ZoneInfo("Asia/Bishkek")).due


def test_a_hold_goes_before_a_term_and_says_who_placed_it() -> None:
    """What is due stays when a hold covers its case, programme, person or house; a hold elsewhere is none."""
    record = Record("BSO-1", "p", 1, "application", NOW, None)
    for scope, which, covers in (("case", "BSO-1", 1), ("case", "BSO-2", 0), ("programme", "p", 1), ("house", "", 1)):
        hold = Hold.place(id="1", scope=scope, which=which, why="Case 12", by=("user:m", "Mila"), at=NOW)
        holds = tuple(one for one in (hold,) if one.covers("s1", record.case, record.programme))
        assert len(holds) == covers, (scope, which)
        problem = refusal([judge(record, HOUSE["application"], holds, date(2040, 1, 1), UTC)])
        assert ("Mila: Case 12" in str(problem)) is bool(covers)
    with pytest.raises(InvalidError):
        Hold.place(id="1", scope="house", which="p", why="x", by=("a", "b"), at=NOW)


def test_a_pack_states_terms_or_is_told_what_is_wrong() -> None:
    """A class that the pack names goes before the house's rule; an unknown word and a wrong number are named."""
    pack = {"retention": {"award": {"years": 7, "basis": "Contract"}}}
    assert (term_of(pack, "award").years, term_of(pack, "loan"), term_of(None, "award")) == (
        7, HOUSE["loan"], HOUSE["award"],
    )  # fmt: skip
    assert retention_problems(pack) == {}
    assert retention_problems({}) == {}
    wrong = {"retention": {"awards": {}, "loan": {"years": -1, "basis": "Contract"}}}
    assert set(retention_problems(wrong)) == {"retention.yaml: awards", "retention.yaml: loan.years"}


def test_whose_values_are_found() -> None:
    """An applicant's own name, who is registered or invited; staff and services have nothing to seal."""
    assert [(item.who, item.paths) for item in named(event())] == [("user:ana", ("actor/name",))]
    assert named(event(role="officer")) == []
    invited = event("grants.application.editor_invited", editor_id="bob", editor_name="Bob")
    assert {item.who: item.applicant for item in named(invited)} == {"user:ana": True, "user:bob": True}
    staff = event(
        "portal.user.registered", "operator", user_id="eve", name="Eve", email="e@x.example", roles=["officer"]
    )
    assert [(item.who, item.applicant) for item in named(staff)] == [("user:eve", False)]
    asked = event("portal.user.changed", "operator", user_id="eve", name="Eve", email="", roles=["applicant"])
    assert [item.paths for item in named(asked)] == [("after_hash", "data/name")]


def test_known_names_are_found_wherever_they_stand() -> None:
    """A name deep in lists of changes goes to its person; of two of one name the id beside it tells which."""
    names = Names({"Ana Petrova": ("user:ana", "user:ana2"), "Bob": ("user:bob",)})
    found: dict[str, dict[str, Any]] = {}
    changes = {"a/b": [[], [{"by": "ana2", "by_name": "Ana Petrova"}, {"person": "Bob", "note": "Bobby", "n": 1}]]}
    blank = names.taken_from(changes, "changes", found, {})
    assert blank == {"a/b": [[], [{"by": "ana2", "by_name": ""}, {"person": "", "note": "Bobby", "n": 1}]]}
    assert found == {
        "user:ana2": {"changes/a~1b/1/0/by_name": "Ana Petrova"},
        "user:bob": {"changes/a~1b/1/1/person": "Bob"},
    }
    body = {"data": {}, "actor": {"name": "X"}, "changes": blank, "sealed": [{"s": "1"}, {"s": "2"}]}
    there = iter(found.values())
    assert filled(body, lambda _: next(there))["changes"] == changes
    assert blanked_like(blank, changes) == blank


def test_a_seal_opens_for_its_own_event_and_key_alone() -> None:
    """Another key, another event, or a changed commitment: nothing is read."""
    key, other = Key("s1", new_cipher()), new_cipher()
    one = event()
    made = seal(key, one.id, taken(one.body, ("actor/name",)))
    assert open_seal(key.cipher, one.id, made) == {"actor/name": "Ana Petrova"}
    for cipher, event_id, sealed in (
        (other, one.id, made),
        (key.cipher, uuid4(), made),
        (key.cipher, one.id, made | {"cm": "0" * 64}),
    ):
        with pytest.raises(UnreadableSealError):
            open_seal(cipher, event_id, sealed)


def test_a_sealed_body_is_version_two_and_any_other_addition_is_none() -> None:
    """The leaf of a sealed row says so, has no name, and a body with a further or an empty member is refused."""
    one = event()
    made = [seal(Key("s1", new_cipher()), one.id, {"actor/name": "Ana Petrova"})]
    row = row_of(blanked(one, {"actor/name"}), NOW, made)
    assert b'"v":2' in leaf_from(row)
    assert b'"v":1' in leaf_from(row_of(one, NOW))
    assert ("Ana" in row.body, "Ana" in row.summary, row.summary.split()[-1]) == (False, False, "s1")
    assert parts_of(row.body)["sealed"].value == made
    for spoiled in (
        row.body[:-1] + ',"tail":1}',
        row.body.replace('"sealed":[', '"sealed":[{},'),
        row.body.split(',"sealed"')[0] + ',"sealed":[]}',
        row.body.split(',"sealed"')[0] + ',"sealed":7}',
        row.body.replace('"sealed"', '"unsealed"'),
    ):
        with pytest.raises(BodyError):
            parts_of(spoiled)
