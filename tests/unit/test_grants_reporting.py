"""The rules of reports: due days, what must be explained, how figures come together, what a pack may say."""

from __future__ import annotations

import io
from copy import deepcopy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.messages.extract import extract_from_file

from services.grants.domain.reporting import Agreed, Count, Figure, planned
from services.grants.domain.reporting.costs import line_states
from services.grants.domain.reporting.results import figure_of, to_date
from shared import i18n
from shared.errors import InvalidError
from shared.events.reporting_rules import Indicator, Reporting, reporting_problems
from shared.sheets import day_of, read_rows

CALL = Path(i18n.ROOT) / "programmes" / "business-ecosystem" / "calls" / "bso-grants-2026.yaml"
TEMPLATES = Path(i18n.ROOT) / "services" / "grants" / "templates" / "reports"


def test_periods_follow_each_other_and_are_due_on_working_days() -> None:
    """Quarters from the 31st keep to the month's end, a short rest joins the last one, no due day is a Sunday."""
    plans = planned(date(2026, 1, 31), date(2026, 8, 10), Reporting(every_months=3, within_days=30), "MK")
    days = [(plan.period_from, plan.period_to) for plan in plans]
    assert days == [(date(2026, 1, 31), date(2026, 4, 29)), (date(2026, 4, 30), date(2026, 8, 10))]
    assert [plan.kind for plan in plans] == ["periodic", "final"]
    assert all(plan.due.weekday() < 5 for plan in plans)


@pytest.mark.parametrize(("spent", "explain"), [("1200.00", False), ("1200.01", True), ("700.00", False)])
def test_exactly_the_allowed_variance_needs_no_explanation(spent: str, explain: bool) -> None:
    """20 % over is allowed, a cent more is not; in a report that is not final less is nobody's question."""
    rules, agreed = Reporting(), {"travel": Agreed(grant=Decimal(800), own=Decimal(200))}
    (state,) = line_states(agreed, {"travel": Decimal(500)}, {"travel": Decimal(spent) - 500}, rules, final=False)
    assert state.explain is explain
    (state,) = line_states(agreed, {}, {"travel": Decimal("799.99")}, rules, final=True)
    assert (state.explain, state.percent, state.left) == (True, Decimal("-20.0"), Decimal("200.01"))


def indicator(**more: Any) -> Indicator:
    """Return a small indicator."""
    words = {"en": "X", "ru": "X"}
    return Indicator.model_validate({"id": "x", "name": words, "unit": words} | more)


def figures(*values: int, of: int | None = None) -> list[Figure]:
    """Return what one grant reported, period by period."""
    whole = None if of is None else Decimal(of)
    return [Figure(total=Count(value=Decimal(value), of=whole)) for value in values]


@pytest.mark.parametrize(("periods", "expected"), [("add", 15), ("cumulative", 9), ("level", 9)])
def test_only_what_is_added_is_summed_over_periods(periods: str, expected: int) -> None:
    """Periods of a cumulative figure or a level are never added; grants are."""
    stands = to_date(indicator(periods=periods), [figures(2, 4), figures(4, 5)])
    assert stands is not None
    assert stands.total.value == expected


def test_percentages_add_up_by_their_counts() -> None:
    """1 of 2 and 9 of 10 are 10 of 12, which is 83.3 %, not the mean of 50 % and 90 %."""
    stands = to_date(indicator(measure="percent"), [figures(1, of=2), figures(9, of=10)])
    assert stands is not None
    assert stands.total.percent == Decimal("83.3")


def test_a_cumulative_figure_falls_only_with_a_word() -> None:
    """Less than before is refused with both figures, until a note says why."""
    item, before = indicator(periods="cumulative"), Count(value=Decimal(7))
    assert figure_of(item, {"x.value": "6"}, before)[1]["x.value"].startswith("is 6, less than the 7")
    assert figure_of(item, {"x.value": "6", "x.note": "One closed"}, before)[1] == {}


def test_a_pack_is_refused_by_file_and_field() -> None:
    """What contradicts itself or lacks a language is named when the programme is loaded; the shipped call is clean."""
    call = yaml.load(CALL.read_text(), yaml.CSafeLoader)
    assert reporting_problems({"calls": {"one": call}}) == {}
    odd = deepcopy(call)
    odd["indicators"][0] |= {"target_field": "approach", "unit": {"en": "MSMEs"}}
    odd["reporting"]["form"]["properties"]["done"]["x-max-words"] = 0
    assert set(reporting_problems({"calls": {"one": odd}})) == {
        "calls/one.yaml: indicators.0.target_field",
        "calls/one.yaml: indicators.0.unit",
        "calls/one.yaml: reporting.form.properties.done.x-max-words",
    }
    odd["reporting"]["evry_months"] = 3
    assert list(reporting_problems({"calls": {"one": odd}})) == ["calls/one.yaml: reporting.evry_months"]


def test_tables_come_as_people_save_them() -> None:
    """Semicolons, another alphabet's encoding and days of every dress are read; what is no table is refused."""
    rows = read_rows("a.csv", io.BytesIO("Дата;Сумма\n31.12.2026;1 000,50\n\n".encode("cp1251")))
    assert rows == [["Дата", "Сумма"], ["31.12.2026", "1 000,50"]]
    assert [day_of(text) for text in ("31.12.2026", "46101", "2026-01-02T00:00:00", "soon")] == [
        "2026-12-31",
        "2026-03-20",
        "2026-01-02",
        "soon",
    ]
    for name, content in (("a.xlsx", b"PK\x03\x04junk"), ("a.exe", b"MZ"), ("a.csv", b" ")):
        with pytest.raises(InvalidError):
            read_rows(name, io.BytesIO(content))


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_every_word_of_reports_has_its_russian(name: str) -> None:
    """No sentence of a report's pages reaches a Russian reader in English."""
    options = {"trim_blocks": "true", "newstyle_gettext": "true", "silent": "false", "extensions": "jinja2.ext.do"}
    catalogue = i18n.catalogue("grants", "ru")
    for _, message, _, _ in extract_from_file("jinja2.ext:babel_extract", TEMPLATES / name, options=options):
        if isinstance(message, tuple):
            assert catalogue.ngettext(message[0], message[1], 5) != message[1]
        else:
            assert catalogue.gettext(message) != message, message
