"""Languages: fallback, plurals, numbers and times, and no page with a word that has no Russian."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from gettext import NullTranslations
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from shared import i18n
from shared.errors import Rule
from shared.money import Money
from shared.operations.telling import STATES
from shared.web import forms, navigation
from shared.web.pages import Pages

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PAGES = Pages("portal", Path("services/portal/templates"), lambda: NOW, "Europe/Skopje")
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """Read in a language for a while."""
    token = i18n.current_locale.set(locale)
    yield
    i18n.current_locale.reset(token)


def test_what_has_no_translation_stays_english() -> None:
    """An unknown message, and a language we do not speak, give the message itself."""
    assert i18n.translate("portal", "Not yet translated", locale="ru") == "Not yet translated"
    assert i18n.translate("portal", "Sign in", locale="xx") == "Sign in"


def test_messages_are_translated_with_their_values() -> None:
    """A refusal's sentence is said in Russian with the values in their places."""
    said = i18n.translate("portal", "%(name)s is deactivated", {"name": "Ana"}, locale="ru")
    assert said.startswith("Ana")
    assert said != "Ana is deactivated"


@pytest.mark.parametrize(
    ("candidates", "header", "expected"),
    [
        (["ru", "en"], "", "ru"),
        ([None, "ru"], "en", "ru"),
        (["de"], "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ([], "de;q=1, en;q=0.5, ru;q=0.7", "ru"),
        ([], "de, fr", "en"),
        ([], "en;q=rubbish, ru", "ru"),
        ([], "," * 5000, "en"),
    ],
)
def test_the_language_is_chosen_by_person_then_browser(
    candidates: list[str | None], header: str, expected: str
) -> None:
    """Choice first, then Accept-Language by weight, then English; rubbish never fails."""
    assert i18n.choose_locale(candidates, header) == expected


@pytest.mark.english
def test_money_dates_and_times_are_written_as_the_reader_writes_them() -> None:
    """Groups, decimals and months follow the language; the currency's code always stands there."""
    amount = Money(amount="48200.00", currency="EUR")
    assert PAGES.money(amount) == "48,200.00\u00a0EUR"
    assert PAGES.money({"amount": "1000", "currency": "JPY"}) == "1,000\u00a0JPY"
    assert PAGES.day(date(2026, 11, 24)) == "24 Nov 2026"
    assert "13:00" in PAGES.moment(NOW), "noon in UTC is one o'clock in Skopje in winter"
    with speaking("ru"):
        assert PAGES.money(amount) == "48\u00a0200,00\u00a0EUR"
        assert "нояб" in PAGES.day(date(2026, 11, 24))
    assert PAGES.money(None) == PAGES.day(None) == PAGES.moment(None) == "–"


def test_templates_escape_what_people_wrote() -> None:
    """A name that is markup is shown as the text it is."""
    assert "<script>" not in PAGES.env.from_string("{{ name }}").render(name="<script>alert(1)</script>")


def _messages(folder: Path) -> set[str | tuple[str, ...]]:
    methods = [("**.html", "jinja2.ext:babel_extract")]
    extensions = "jinja2.ext.do,jinja2.ext.loopcontrols"
    options = {
        "**.html": {
            "trim_blocks": "true",
            "newstyle_gettext": "true",
            "silent": "false",
            "extensions": extensions,
        }
    }
    found = extract_from_dir(str(folder), methods, options)
    return {message if isinstance(message, str) else message[:2] for _, _, message, _, _ in found}


def _is_said(catalogue: NullTranslations, word: str | tuple[str, ...]) -> bool:
    if isinstance(word, str):
        return catalogue.gettext(word) != word
    return catalogue.ngettext(word[0], word[1], 5) != word[1]


@pytest.mark.parametrize("service", ["portal", "grants"])
def test_every_word_on_a_page_has_its_russian(service: str) -> None:
    """No template of the portal or of the shared pages shows a sentence that Russian readers get in English."""
    catalogue = i18n.catalogue(service, "ru")
    words = _messages(ROOT / "services" / service / "templates") | _messages(ROOT / "shared" / "web" / "templates")
    words |= {label for _, places in navigation.SECTIONS for _, label, _ in places} | {"You"}
    words |= {heading for heading, _ in navigation.SECTIONS if heading} | {label for _, label in navigation.EVERYBODY}
    assert len(words) > 100
    assert [word for word in words if not _is_said(catalogue, word)] == []


def test_every_rule_of_a_form_has_its_russian() -> None:
    """What a field breaks is said in Russian as well, whatever the shape of what was typed."""
    catalogue = i18n.catalogue("portal", "ru")
    words = {*forms._RULES.values(), *forms._KINDS.values(), forms._SHAPE}
    assert [word for word in words if not _is_said(catalogue, word)] == []


def test_every_word_of_the_operators_lines_has_its_russian() -> None:
    """What `tamga status` and the page of operations say of anything is said in Russian as well."""
    paths = [ROOT / "shared" / "operations" / name for name in ("lines.py", "everyday.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    said = {"Say": 0, "Line": 1}
    words = set(STATES.values())
    for call in calls:
        place = said.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if place is not None and isinstance(call.args[place], ast.Constant):
            words.add(str(call.args[place].value))  # type: ignore[attr-defined]
    assert len(words) > 60
    catalogue = i18n.catalogue("portal", "ru")
    assert [word for word in words if catalogue.gettext(word) == word] == ["%(of)s: %(count)s."]


def test_times_name_their_zone() -> None:
    """A time shows its zone on hover, UTC beside it; the page's foot names the zone and how far it is off today."""
    assert 'title="2026-11-21 13:00:00 Europe/Skopje = 2026-11-21 12:00:00.000 UTC"' in PAGES.moment(NOW)
    assert PAGES.zone_named() == "Europe/Skopje, UTC+1"
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    folder = Path("services/portal/templates")
    assert Pages("portal", folder, lambda: summer, "Europe/Skopje").zone_named() == "Europe/Skopje, UTC+2"
    assert Pages("portal", folder, lambda: summer, "Asia/Kolkata").zone_named() == "Asia/Kolkata, UTC+5:30"
    assert Pages("portal", folder, lambda: summer).zone_named() == "UTC"


@pytest.mark.english
def test_rules_with_figures_are_said_in_the_reader_s_language() -> None:
    """A rule is a message and its values: English as it stands, Russian with the figures and money written its way."""
    asked = Money(amount="48200.00", currency="EUR")
    rule = Rule("asks for %(asked)s, at most %(most)s", asked=asked, most=asked)
    filtered = Pages("grants", Path("services/grants/templates"), lambda: NOW, "Europe/Skopje").env
    with speaking("ru"):
        said = filtered.from_string("{{ rule|translated }}").render(rule=rule)
        assert said == "запрошено 48\u00a0200,00\u00a0EUR, а можно не более 48\u00a0200,00\u00a0EUR"
        assert i18n.said("grants", Rule("must be at most %(most)s", most=12)) == "должно быть не больше 12"
        assert i18n.said("grants", "is required") != "is required"
    assert i18n.said("grants", Rule("must be at most %(most)s", most=12)) == "must be at most 12"
    assert Rule("is above %(percent)s %% of it", percent=5) == "is above 5 % of it"


def test_every_rule_with_figures_has_its_russian() -> None:
    """Each message that a rule is made of, anywhere in the code, is in a Russian catalogue with the same places."""
    rules = re.compile(r'Rule\(\s*"((?:[^"\\]|\\.)*)"')
    found = [
        (service, message)
        for service in ("grants", "loans", "portal", "notifications")
        for file in [
            *(ROOT / "services" / service).rglob("*.py"),
            *(ROOT / "shared").glob("*.py"),
            *(ROOT / "shared" / "forms" / name for name in ("checking.py", "eligibility.py") if service == "grants"),
        ]
        for message in rules.findall(file.read_text())
    ]
    assert ("grants", "must be at most %(most)s") in found
    for service, message in found:
        russian = i18n.catalogue(service, "ru").gettext(message)
        assert russian != message, (service, message)
        assert sorted(re.findall(r"%\(\w+\)s", russian)) == sorted(re.findall(r"%\(\w+\)s", message))


def test_a_day_in_a_rule_is_written_as_the_language_writes_it() -> None:
    """A refusal names a day like the page beside it does; as plain text it stays ISO for machines and logs."""
    rule = Rule("is before today, %(today)s", today=date(2026, 11, 22))
    assert str(rule) == "is before today, 2026-11-22"
    assert i18n.translate("grants", rule.message, rule.params, locale="en") == "is before today, 22 Nov 2026"
    assert i18n.translate("grants", rule.message, rule.params, locale="ru").endswith(", 22 нояб. 2026")
