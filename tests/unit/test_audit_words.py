"""The words of the log's pages: every kind of act has a name, and every name is said in Russian."""

from __future__ import annotations

import re
from pathlib import Path

from services.audit import labels
from shared import i18n
from shared.events import event_types

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
    for table in (labels.KINDS, labels.COMMON, labels.ROLES, labels.OUTCOMES, labels.SERVICES):
        ids |= set(table.values())
    russian = i18n.catalogue("audit", "ru")
    assert {message for message in ids if russian.gettext(message) == message} == set()
