"""The words of the log's pages: every kind of act has a name, and every name is said in Russian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit import labels, words
from services.audit.telling import Node, Teller
from shared import i18n
from shared.events import event_types
from shared.web.pages import Pages

TEMPLATES = Path(labels.__file__).parent / "templates"


def test_every_event_has_a_name() -> None:
    """No event type of the published language falls back to its technical name."""
    named = {*labels.KINDS}
    common = (*(f".{rest}" for rest in labels.COMMON), ".quarantine.replayed", ".quarantine.discarded")
    types = {type_ for type_, _ in event_types() if not type_.startswith("test.")}
    assert {type_ for type_ in types if type_ not in named and not type_.endswith(common)} == set()
    assert named - types == set()


def test_an_unknown_event_shows_its_words() -> None:
    """A type of a newer release is still readable."""
    assert labels.kind("grants.site_visit.planned_again") == "Site visit planned again"
    assert labels.kind("odd") == "Odd"


def test_every_word_is_said_in_russian() -> None:
    """Every message of the templates and every label has a Russian translation."""
    ids = {m for path in TEMPLATES.glob("*.html") for m in re.findall(r"_\('((?:[^'\\]|\\.)*)'", path.read_text())}
    for table in (
        labels.KINDS,
        labels.COMMON,
        labels.ROLES,
        labels.OUTCOMES,
        labels.SERVICES,
        words.FIELDS,
        words.CODES,
    ):
        ids |= set(table.values())
    russian = i18n.catalogue("audit", "ru")
    assert {message for message in ids if russian.gettext(message) == message} == set()


def teller(locale: str = "en", names: dict[str, str] | None = None) -> Teller:
    """Return what says values to a reader of that language."""
    i18n.current_locale.set(locale)
    return Teller(Pages("audit", TEMPLATES, lambda: datetime(2026, 11, 2, tzinfo=UTC), "Europe/Skopje"), names)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Leave the language as it was."""
    token = i18n.current_locale.set("en")
    yield
    i18n.current_locale.reset(token)


ANA = "01a20056-2fe3-7867-a706-8c86287e8ca4"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("amount", {"amount": "45000.00", "currency": "EUR"}, "45,000.00\u00a0EUR"),
        ("paused", False, "no"),
        ("stage", "due_diligence", "due diligence"),
        ("stage", "site_visit", "site visit"),
        ("title", "due_diligence", "due_diligence"),
        ("stage_name", {"en": "Screening", "ru": "Проверка"}, "Screening"),
        ("rate", "0.135", "13.50\u00a0%"),
        ("due", "2026-11-27", "27 Nov 2026"),
        ("due", None, "–"),
        ("by", f"user:{ANA}", "Ana Petrova"),
        ("consent", "[private]", "not kept in the log"),
    ],
)
def test_values_are_said_for_people(name: str, value: object, said: str) -> None:
    """Money, dates, codes, rates, ids of people and words in languages are said as people say them."""
    assert teller(names={ANA: "Ana Petrova"}).text(name, value) == said


def test_values_are_said_in_russian() -> None:
    """The reader's language chooses the words."""
    russian = teller("ru")
    assert russian.text("stage_name", {"en": "Screening", "ru": "Проверка"}) == "Проверка"
    assert russian.text("stage", "review") == "экспертная оценка"


def test_of_a_list_only_what_changed_is_told() -> None:
    """Entries that stay the same are left out; a changed one tells its changed fields, a new one itself."""
    one, two = {"id": "1", "name": "a.pdf", "size": 1}, {"id": "2", "name": "b.pdf", "size": 2}
    changes = teller().changes({"documents": [[one, two], [one, two | {"size": 9}, {"id": "3", "name": "c.pdf"}]]})
    assert [(change.label, change.before and change.before.text) for change in changes] == [
        ("Documents: b.pdf: Size", "2"),
        ("Documents: c.pdf", None),
    ]
    assert changes[0].after is not None
    assert changes[0].after.text == "9"


def test_a_line_says_the_most_telling_things() -> None:
    """A move says its stages, a letter its way and reader, and nothing technical is among them."""
    moved = {"data": {}, "changes": {"history": [[], [{"at": "x"}]], "stage": ["review", "panel"]}}
    letter = {"data": {"channel": "email", "recipient_name": "Ana"}, "changes": {"status": [None, "sent"]}}
    assert teller().line("grants.application.moved", moved) == "Stage: review → panel"
    assert teller().line("notifications.delivery.sent", letter) == "e-mail → Ana"


def test_a_line_about_events_names_the_service_and_the_thing() -> None:
    """Two services have a copy of people: which one was built anew stands in the line, in the reader's language."""
    body = {"data": {"projection": "people", "events": 9, "rows": 7, "swapped": True}, "changes": {}}
    rebuilt = "loans.projection.rebuilt"
    assert teller().line(rebuilt, body) == "Loans · Local copy: people · Put in place: yes"
    assert teller("ru").line(rebuilt, body) == "Займы · Локальная копия: люди · Введена в действие: да"
    dropped = {"data": {"partition": "outbox_2026_03", "events": 9}, "changes": {}}
    assert teller().line("portal.outbox.dropped", dropped) == "People and programmes · Month: outbox_2026_03"


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_whatever_an_event_says_can_be_told(value: object) -> None:
    """No shape of data breaks the page."""
    i18n.current_locale.set("en")
    say = teller()
    assert isinstance(say.node("x", value), Node)
    assert isinstance(say.changes({"x": [None, value], "y": [value, None], "z": [[value], {"a": value}]}), list)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", ":"),
        ("rate", "NaN"),
        ("due", "9999-99-99"),
        ("at", "2026-11-22T25:61:00"),
        ("at", "0001-01-01T00:00:00"),
    ],
)
def test_what_only_looks_like_a_rate_or_a_date_is_shown(name: str, value: str) -> None:
    """An auditor sees what stands there, where it is neither a number nor a day of any calendar."""
    i18n.current_locale.set("en")
    assert teller().text(name, value)
