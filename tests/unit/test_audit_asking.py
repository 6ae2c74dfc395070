"""The language in which people ask the log: what is understood, and what is told of the rest."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.asking import FIELDS, asked, parse, written


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('person:"Dana K" role:officer', {"person": "Dana K", "role": "officer"}),
        ("kind:grants.application.*", {"kind": "grants.application."}),
        ("kind:grants.*", {"kind": "grants."}),
        ("kind:Grants.Application.Submitted", {"kind": "grants.application.submitted"}),
        ("entity:award", {"entity": "award"}),
        ("entity:award:7f", {"entity": "award:7f"}),
        ("changed:amount from:45000 to:60,000", None),
        ('changed:amount from:45000 to:"60,000"', {"changed": "amount", "old": "45000", "new": "60,000"}),
        ('"due diligence" -draft service:grants', {"q": '"due diligence" -draft', "service": "grants"}),
        ("leaves:120", {"size": "120"}),
    ],
)
def test_fields_and_words_are_understood(text: str, values: dict[str, str] | None) -> None:
    """Each field gives its filter, words stay as they are, and a list where one value stands is a mistake."""
    search = parse(text)
    if values is None:
        assert [mistake.rule.message for mistake in search.mistakes] == ["one at a time: no list and no minus here"]
    else:
        assert not search.mistakes
        assert asked(search).values == values


def test_times_are_days_spans_and_moments() -> None:
    """A day, a span back from now and a moment are each a time."""
    assert asked(parse("since:2026-11-01")).since == date(2026, 11, 1)
    assert asked(parse("since:7d")).since == timedelta(days=7)
    found = asked(parse('until:"2026-11-01T14:30"')).until
    assert found is not None
    assert str(found) == "2026-11-01 14:30:00"


@pytest.mark.parametrize(
    ("text", "wrong", "fix"),
    [
        ("kind:grants.aplication.submitted", "kind:grants.aplication.submitted", "kind:grants.application.submitted"),
        ("kind:grants.application", "kind:grants.application", "kind:grants.application.*"),
        ("kind:grunts.*", "kind:grunts.*", "kind:grants.*"),
        ("valley rolle:officer", "rolle:officer", "role:officer"),
        ("role:oficer", "role:oficer", "role:officer"),
        ("service:grant valley", "service:grant", "service:grants"),
        ("valley from:45000", "from:45000", "changed:amount from:45000"),
        ("role:officer role:auditor", "role:auditor", ""),
        ("since:soon", "since:soon", ""),
        ("entity:Award", "entity:Award", ""),
        ('person:"Dana', 'person:"Dana', 'person:"Dana"'),
    ],
)
def test_mistakes_have_a_place_and_a_suggestion(text: str, wrong: str, fix: str) -> None:
    """What is not understood is told at its place, with what may have been meant."""
    [mistake] = parse(text).mistakes
    assert text[mistake.start : mistake.end] == wrong
    assert mistake.fix == fix
    if fix:
        assert not parse(f"{text[: mistake.start]}{fix}{text[mistake.end :]}").mistakes


@given(
    st.text(alphabet=st.characters(), max_size=60)
    | st.lists(st.sampled_from([*FIELDS, ":", '"', "*", "x "])).map("".join)
)
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever is typed is understood or told as a mistake inside the text; nothing is raised."""
    search = parse(text)
    for mistake in search.mistakes:
        assert 0 <= mistake.start <= mistake.end <= max(len(text), mistake.end)
    asked(search)


def test_what_is_written_is_read_again() -> None:
    """Filters become a text that asks for the same."""
    values = {"q": "valley", "person": "Dana K", "kind": "grants.application.", "old": "45000", "changed": "amount"}
    assert asked(parse(written(values))).values == values
