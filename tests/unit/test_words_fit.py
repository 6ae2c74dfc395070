"""Translations can be said: whatever a message has places for, its Russian has too, and a sign is only a sign."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from shared.clock import utc_now
from shared.i18n import ROOT
from shared.testing.language import reading_in
from shared.web.pages import Pages

FILES = sorted(ROOT.glob("services/*/locale/ru/*.po")) + sorted(ROOT.glob("shared/web/locale/ru/*.po"))
PLACE = re.compile(r"%\((\w+)\)s")


def unsayable(english: str, russian: str) -> str:
    """Return what is wrong with a translation, or nothing."""
    if "%" not in english:
        return "doubles a sign that stands for itself" if "%%" in russian else ""
    names = set(PLACE.findall(english)) | {"num"}
    try:
        english % dict.fromkeys(names, "1")
    except (ValueError, TypeError, KeyError):
        return ""  # not a message with places, so nobody fills it
    try:
        russian % dict.fromkeys(names, "1")
    except (ValueError, TypeError, KeyError) as error:
        return f"can't be filled: {error!r}"
    return ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-4]}/{file.name}")
def test_every_translation_can_be_said(file: Path) -> None:
    """No translation has a place that the message does not fill, or a per cent sign that would be taken for one."""
    found = []
    with file.open("rb") as text:
        for message in read_po(text, locale="ru"):
            english = message.id if isinstance(message.id, str) else message.id[1]
            said = [message.string] if isinstance(message.string, str) else message.string
            found += [(russian, why) for russian in said if english and (why := unsayable(english, russian))]
    assert found == []


@pytest.mark.english
def test_a_sign_that_only_the_translation_has_is_shown() -> None:
    """English says "per cent", Russian writes the sign: the page opens and shows it once."""
    pages = Pages("loans", ROOT / "services" / "loans" / "templates", utc_now)
    template = pages.env.from_string("{{ _('Interest rate, per cent a year') }}")
    assert template.render() == "Interest rate, per cent a year"
    with reading_in("ru"):
        assert template.render() == "Ставка, % в год"
