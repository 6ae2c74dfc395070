"""Forms as data: what the strict reader refuses, and what answers are held to."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from services.portal.packs import read_pack
from shared.errors import InvalidError
from shared.forms import Criterion, Form, answer_problems, judge, read, rows_of, shown, sum_problems, tidy

PROGRAMMES = Path(__file__).parents[2] / "programmes"
CALLS = sorted(PROGRAMMES.glob("*/calls/*.yaml"))
NAME = {"en": "Name"}
SOURCE: dict[str, Any] = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b"], "x-label": NAME, "x-options": {"a": NAME, "b": NAME}},
        "since": {"type": "string", "format": "date", "x-when": {"kind": ["b"]}, "x-required": True, "x-label": NAME},
        "cost": {"type": "number", "minimum": 0, "maximum": 900, "x-money": True, "x-label": NAME},
        "people": {"type": "integer", "x-label": NAME},
        "sure": {"type": "boolean", "x-label": NAME},
        "text": {"type": "string", "maxLength": 5, "x-label": NAME},
        "rows": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "x-label": NAME,
            "items": {
                "type": "object",
                "required": ["who"],
                "x-order": ["who", "much"],
                "properties": {
                    "much": {"type": "number", "x-money": True, "x-label": NAME},
                    "who": {"type": "string", "x-label": NAME},
                },
            },
        },
    },
    "x-sections": [
        {"id": "one", "name": NAME, "fields": ["kind", "since", "cost"]},
        {"id": "two", "name": NAME, "fields": ["people", "sure", "text", "rows"]},
    ],
    "x-sums": [{"id": "sum", "text": NAME, "left": ["cost"], "right": ["rows.much", "budget.own"]}],
}
GOOD = {"kind": "a", "rows.0.who": "Ana"}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the source with one thing changed; a value of ... takes it out."""
    source: dict[str, Any] = deepcopy(SOURCE)
    *parents, last = path.split("/")
    place: Any = source
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return source


@pytest.fixture
def form() -> Form:
    """Give the form."""
    return read(SOURCE)


def test_the_form_is_valid_json_schema() -> None:
    """What our reader takes, the reference implementation of JSON Schema takes as a schema as well."""
    Draft202012Validator.check_schema(SOURCE)
    Draft202012Validator(SOURCE).validate({"kind": "a", "rows": [{"who": "Ana"}]})


@pytest.mark.parametrize("path", CALLS, ids=lambda path: str(path.stem))
def test_every_call_of_the_house_has_a_valid_form(path: Path) -> None:
    """Each programme's calls can be loaded, and their forms are JSON Schema."""
    call = yaml.safe_load(path.read_text())
    Draft202012Validator.check_schema(call.get("form", {}))
    read_pack(path.parents[1])


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("type", "array", "form.type"),
        ("$schema", "http://json-schema.org/draft-07/schema#", "form.$schema"),
        ("oneOf", [], "form.oneOf"),
        ("required", ["nobody"], "form.required"),
        ("required", "kind", "form.required"),
        ("required", ["kind", "since"], "form.properties.since.x-when"),
        ("properties/kind/type", "text", "form.properties.kind.type"),
        ("properties/kind/type", ["string"], "form.properties.kind.type"),
        ("properties/kind/enum", ["a", "a"], "form.properties.kind.enum"),
        ("properties/kind/enum", ["a", "c"], "form.properties.kind.x-options"),
        ("properties/kind/pattern", "a+", "form.properties.kind.pattern"),
        ("properties/kind/x-label", ..., "form.properties.kind.x-label"),
        ("properties/kind/x-label", {"ru": "Имя"}, "form.properties.kind.x-label"),
        ("properties/since/format", "time", "form.properties.since.format"),
        ("properties/since/x-when", {"nobody": ["a"]}, "form.properties.since.x-when"),
        ("properties/since/x-when", {"kind": ["z"]}, "form.properties.since.x-when"),
        ("properties/since/x-when", {"since": ["b"]}, "form.properties.since.x-when"),
        ("properties/cost/minimum", "0", "form.properties.cost.minimum"),
        ("properties/cost/minimum", 1000, "form.properties.cost.minimum"),
        ("properties/cost/x-required", True, "form.properties.cost.x-required"),
        ("properties/text/maxLength", 0, "form.properties.text.maxLength"),
        ("properties/rows/maxItems", 61, "form.properties.rows.maxItems"),
        ("properties/rows/maxItems", 0, "form.properties.rows.maxItems"),
        ("properties/rows/items", [], "form.properties.rows.items"),
        ("properties/rows/items/x-order", ["who"], "form.properties.rows.items.x-order"),
        ("properties/rows/items/properties/who/type", "array", "form.properties.rows.items.properties.who.type"),
        ("properties/Bad name", {"type": "string"}, "form.properties.Bad name"),
        ("properties/more", {"type": "string", "x-label": NAME}, "form.properties.more"),
        ("x-sections", [], "form.x-sections"),
        ("x-sections/1/id", "one", "form.x-sections"),
        ("x-sections/1/id", "budget", "form.x-sections"),
        ("x-sections/1/fields", ["people", "sure", "text", "rows", "kind"], "form.x-sections.1.fields"),
        ("x-sums/0/left", ["text"], "form.x-sums.0"),
        ("x-sums/0/right", [], "form.x-sums.0.right"),
    ],
)
def test_a_form_that_breaks_a_rule_is_refused(path: str, value: Any, field: str) -> None:
    """The field that is wrong is named; nothing is let be that would have no effect."""
    with pytest.raises(InvalidError) as refusal:
        read(changed(path, value))
    assert field in refusal.value.fields


def test_a_programme_with_a_bad_form_is_not_loaded(tmp_path: Path) -> None:
    """The refusal names the file, the field and the rule."""
    (tmp_path / "calls").mkdir()
    (tmp_path / "programme.yaml").write_text("programme: p\n")
    sheet = {"scoring": "s", "max": 5, "threshold": "50", "criteria": [{"id": "c", "weight": "100", "name": NAME}]}
    for folder, content in (("scoring", sheet), ("workflows", {"workflow": "w"})):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.yaml").write_text(yaml.safe_dump(content))
    call = {
        "call": "c",
        "name": NAME,
        "opens_on": "2026-01-05",
        "ceiling": {"amount": "500.00", "currency": "EUR"},
        "budget_lines": [{"id": "work", "name": NAME}],
        "workflow": "w",
        "scoring": "s",
        "form": changed("properties/cost/minimum", "0"),
        "eligibility": {"rules": [{"id": "r", "text": NAME, "field": "cost", "at_least": "1"}]},
    }
    (tmp_path / "calls" / "open.yaml").write_text(yaml.safe_dump(call))
    with pytest.raises(InvalidError) as refusal:
        read_pack(tmp_path)
    assert refusal.value.fields == {"calls/open.yaml: form.properties.cost.minimum": "must be a number"}
    (tmp_path / "calls" / "open.yaml").write_text(yaml.safe_dump(call | {"form": changed("required", [])}))
    assert read_pack(tmp_path)[0] == "p"
    call["eligibility"] = {"rules": [{"id": "r", "text": NAME, "field": "nobody", "at_least": "1"}]}
    (tmp_path / "calls" / "open.yaml").write_text(yaml.safe_dump(call | {"form": SOURCE}))
    with pytest.raises(InvalidError) as refusal:
        read_pack(tmp_path)
    assert list(refusal.value.fields) == ["calls/open.yaml: eligibility.rules.0.field"]


@pytest.mark.parametrize(
    ("answers", "field", "rule"),
    [
        ({"kind": ""}, "kind", "is required"),
        ({"kind": "z"}, "kind", "is not one of the choices"),
        ({"kind": "b"}, "since", "is required"),
        ({"kind": "b", "since": "2026-02-30"}, "since", "is not a date: write year-month-day"),
        ({"cost": "1.0051"}, "cost", "has at most 2 decimals"),
        ({"cost": "1.005"}, "cost", "can be read in two ways: write 1005, or two decimals after the point"),
        ({"cost": "-1"}, "cost", "must be at least 0"),
        ({"cost": "901"}, "cost", "must be at most 900"),
        ({"cost": "ten"}, "cost", "is not a number"),
        ({"people": "1.5"}, "people", "must be a whole number"),
        ({"sure": "perhaps"}, "sure", "is not one of the choices"),
        ({"text": "sixsix"}, "text", "is longer than 5 characters"),
        ({"rows.0.who": ""}, "rows", "has 0 rows, at least 1"),
        ({"rows.1.much": "3"}, "rows.1.who", "is required"),
        ({"rows.0.much": "3,555.555"}, "rows.0.much", "has at most 2 decimals"),
    ],
)
def test_an_answer_is_held_to_its_rule(form: Form, answers: dict[str, str], field: str, rule: str) -> None:
    """Each kind of question names what is wrong with an answer, down to the cell of a row."""
    assert answer_problems(form, GOOD | answers) == {field: rule}


@pytest.mark.parametrize("cost", ["", "12.5", "12,50", "0", "900"])
def test_good_answers_have_no_problems(form: Form, cost: str) -> None:
    """Numbers are taken as people write them, and what is optional may be left out."""
    assert answer_problems(form, GOOD | {"cost": cost, "sure": "no", "people": "48 200"}) == {}


def test_amounts_have_the_decimals_of_the_currency() -> None:
    """In a currency without decimals a tenth is refused."""
    assert answer_problems(read(SOURCE, decimals=0), GOOD | {"cost": "1.5"}) == {"cost": "must be a whole number"}


def test_a_hidden_question_is_not_asked(form: Form) -> None:
    """A question whose condition does not hold is neither shown nor held to anything, whatever was typed there."""
    assert "since" not in shown(form, GOOD)
    assert answer_problems(form, GOOD | {"since": "never"}) == {}
    assert "since" in shown(form, {"kind": "b"})


def test_rows_close_up(form: Form) -> None:
    """A row that was emptied is gone, and those after it follow without a gap."""
    tidied = tidy(form, {"rows.0.who": "", "rows.1.who": "Ana", "rows.2.who": "Bo", "rows.2.much": "2"})
    assert rows_of(form.questions["rows"], tidied) == [{"who": "Ana", "much": ""}, {"who": "Bo", "much": "2"}]
    assert (tidied["rows.0.who"], tidied["rows.2.who"]) == ("Ana", "")


@pytest.mark.parametrize(
    ("name", "known"),
    [("kind", True), ("rows", False), ("rows.0.who", True), ("rows.3.who", False), ("rows.0.x", False), ("x", False)],
)
def test_only_questions_and_their_cells_are_answers(form: Form, name: str, *, known: bool) -> None:
    """A row beyond the last, a column that is none and the rows as a whole are no answers."""
    assert (form.cell(name) is not None) is known


@pytest.mark.parametrize(("cost", "agrees"), [("15", True), ("15.01", False), ("", True), ("ten", True)])
def test_sums_agree_to_the_cent(form: Form, cost: str, *, agrees: bool) -> None:
    """Both sides are added up exactly; what is not answered yet is no quarrel."""
    answers = {"cost": cost, "rows.0.much": "2.5", "rows.1.much": "2.50"}
    found = sum_problems(form, answers, {"budget.own": Decimal(10)})
    assert found == ({} if agrees else {"cost": "is 15.01, but must be the same as 15.00"})


def criterion(**more: Any) -> Criterion:
    """Return a rule over the number of people."""
    return Criterion.model_validate({"id": "r", "text": NAME, "field": "people"} | more)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("1", "failed"), ("2", "passed"), ("5", "passed"), ("6", "failed"), ("", "open"), ("x", "open")],
)
def test_a_rule_is_judged_by_its_figure(form: Form, given: str, expected: str) -> None:
    """Limits are inclusive; what is not answered or makes no sense stays open."""
    found = judge((criterion(at_least="2", at_most="5"),), form, {"people": given})
    assert [item.result for item in found] == [expected]


def test_a_rule_without_a_source_is_for_people(form: Form) -> None:
    """What nobody can compute stays open for the officer."""
    assert judge((Criterion(id="r", text=NAME),), form, {})[0].result == "open"


@pytest.mark.parametrize(
    "more",
    [{}, {"at_least": "1", "any_of": ["a"]}, {"fact": "country"}, {"field": None, "fact": "weather", "ask": NAME}],
)
def test_a_rule_that_can_not_be_judged_is_refused(more: dict[str, Any]) -> None:
    """Neither without a figure, nor with two kinds, nor from what nobody knows."""
    with pytest.raises(ValidationError):
        criterion(**({"any_of": ["a"]} if "fact" in more else {}), **more)
