"""The language of the queue: what is understood, and where a mistake is."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grants.domain.search import FIELDS, MAX_TERMS, MAX_TEXT, Known, parse, quoted
from shared.money import Money

KNOWN = Known(
    stages=("screening", "review", "panel"), calls=("bso-grants-2026",), programmes=("growth",), currencies=("EUR",)
)
PIECES = st.sampled_from(
    [*FIELDS, ":", "-", '"', ",", ">", "<=", "7d", "50000EUR", "review", " ", "me", "\x00", "2026"]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join))


def test_each_kind_of_term_is_understood() -> None:
    """Lists, minus, comparison, quotes, spans, days and free words are read as they are written."""
    text = 'stage:review,panel -holder:me amount:>50000 updated:<7d since:>=2026-03-01 score:>=60 org:"A, B"'
    text += ' "dairy farm" x'
    search = parse(text, KNOWN)
    assert search.mistakes == ()
    found = [(term.field, term.op, term.values, term.negated) for term in search.terms]
    assert found == [
        ("stage", "=", ("review", "panel"), False),
        ("holder", "=", ("me",), True),
        ("amount", ">", (Money(amount="50000", currency="EUR"),), False),
        ("updated", "<", (timedelta(days=7),), False),
        ("since", ">=", (date(2026, 3, 1),), False),
        ("score", ">=", (Decimal(60),), False),
        ("org", "=", ("A, B",), False),
        ("words", "phrase", ("dairy farm",), False),
        ("words", "=", ("x",), False),
    ]


@pytest.mark.parametrize(
    ("text", "place", "words", "fix"),
    [
        ("stge:review", "stge:review", "there is no “stge:”", "stage:review"),
        ("a stage:reviw,panel", "stage:reviw,panel", "there is no “reviw” here", "stage:review,panel"),
        ("-holder:mee b", "-holder:mee", "There are: me, none", "-holder:me"),
        ("amount:>50,000EUR", "amount:>50,000EUR", "without commas", "amount:>50000EUR"),
        ("amount:much", "amount:much", "is not an amount", ""),
        ("amount:>5USD", "amount:>5USD", "There are: EUR", ""),
        ("score:>101", "score:>101", "from 0 to 100", ""),
        ("updated:<7", "updated:<7", "neither a time span", ""),
        ("updated:>0001-01-01", "updated:>0001-01-01", "1990 to 2200", ""),
        ("stage:>review", "stage:>review", "takes no >", "stage:review"),
        ("-overdue:yes", "-overdue:yes", "no minus", "overdue:yes"),
        ("stage:", "stage:", "a value is missing", ""),
        ("stage:review,", "stage:review,", "a value is missing", "stage:review"),
        ('x "dairy', '"dairy', "closing quotation mark", '"dairy"'),
        ("a\x00b", "a\x00b", "can't be typed", ""),
        ('""', '""', "no word", ""),
    ],
)
def test_a_mistake_has_its_place_and_what_would_be_right(text: str, place: str, words: str, fix: str) -> None:
    """The marked piece is the wrong term alone; a suggestion, where there is one, is understood."""
    search = parse(text, KNOWN)
    [mistake] = search.mistakes
    assert text[mistake.start : mistake.end] == place
    assert words in mistake.rule
    assert mistake.fix == fix
    assert not fix or parse(fix, KNOWN).mistakes == ()


def test_amounts_need_a_currency_where_several_are_in_use() -> None:
    """A number alone is compared where all calls have one currency, and refused in words where they have several."""
    [mistake] = parse("amount:>50000", Known(currencies=("EUR", "MKD"))).mistakes
    assert mistake.rule == "amounts of different currencies can't be compared: say which, such as 50000EUR"
    assert mistake.fix == "amount:>50000EUR"
    [term] = parse("amount:>50000mkd", Known(currencies=("EUR", "MKD"))).terms
    assert term.values == (Money(amount="50000", currency="MKD"),)


def test_scores_are_not_asked_for_by_whom_they_are_kept_from() -> None:
    """Who may not read reviews can't find out scores by comparing."""
    [mistake] = parse("score:>=60", Known(scores=False)).mistakes
    assert mistake.rule == "scores are not for your role"


def test_the_text_is_rewritten_term_by_term() -> None:
    """A filter's link replaces or takes away its own terms and leaves the rest as it was written."""
    search = parse('stage:review "two words" -stage:panel x')
    assert search.with_term("stage", "screening") == '"two words" x stage:screening'
    assert search.with_term("stage", "") == '"two words" x'
    assert search.without(search.terms[1]) == "stage:review -stage:panel x"
    assert quoted("a b") == '"a b"'


def test_there_is_an_end_to_what_can_be_asked() -> None:
    """Too long a text and too many terms or values are mistakes like others."""
    assert parse("x" * (MAX_TEXT + 1)).mistakes[0].start == MAX_TEXT
    assert "more than 30 terms" in parse("x " * (MAX_TERMS + 1)).mistakes[0].rule
    assert "more than 20 values" in parse("stage:" + ",".join("abcdefghijklmnopqrstu")).mistakes[0].rule


@settings(max_examples=400, deadline=None)
@given(text=TEXTS)
def test_no_text_raises_and_every_place_lies_in_it(text: str) -> None:
    """Whatever is typed, each term and each mistake has a place, and nothing between places is lost."""
    search = parse(text, KNOWN)
    places = sorted((item.start, item.end) for item in (*search.terms, *search.mistakes))
    assert all(0 <= start < end <= len(text) for start, end in places)
    if len(text) <= MAX_TEXT and len(search.terms) < MAX_TERMS:
        covered = {index for start, end in places for index in range(start, end)}
        assert all(text[index].isspace() or index in covered for index in range(len(text)))


@settings(max_examples=200, deadline=None)
@given(value=st.text(min_size=1, max_size=40))
def test_a_quoted_value_is_read_back(value: str) -> None:
    """What a link puts into a query is one term with that value, whatever it contains."""
    search = parse(f"org:{quoted(value)}")
    plain = value.replace('"', "").strip()
    if search.mistakes:
        assert not plain or any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
    else:
        assert [term.values for term in search.terms] == [(plain,)]
