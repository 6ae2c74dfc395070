"""Calls written in the browser: rules of a call, reading of posted pages, drafts, and files that come afterwards."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.portal.domain.call_fields import Field
from services.portal.domain.call_parts import BY_ID, PARTS, part_of, placed
from services.portal.domain.call_reading import options_of, taken
from services.portal.domain.call_shape import shape_problems
from services.portal.domain.differing import differences
from services.portal.domain.draft import CallDraft
from services.portal.domain.form_asks import COLUMNS
from services.portal.domain.form_editing import with_question, with_sections
from services.portal.domain.form_kinds import KINDS, kind_of
from services.portal.domain.programme import EditedError, Programme
from services.portal.handlers.calls import problems
from services.portal.packs import read_pack
from services.portal.pages.call_choices import BUDGET_NAMES, FACT_NAMES, MEASURES, PERIODS
from services.portal.pages.organisations import KIND_NAMES
from shared import i18n
from shared.entity import canonical_hash
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.events.call_rules import call_rule_problems

CALL = "bso-grants-2026"
TONGUES = ("en", "ru")


@cache
def _files() -> dict[str, Any]:
    return read_pack(Path("programmes/business-ecosystem"))[1]


def _programme() -> Programme:
    pack = deepcopy(_files())
    programme = Programme(id="business-ecosystem")
    programme.loaded_from(pack, canonical_hash(pack))
    return programme


def _draft(programme: Programme) -> CallDraft:
    return CallDraft.change_of(programme, CALL, id="d-1", by="u-1", by_name="Irena")


def _edited(draft: CallDraft, part: str, by: str = "u-1", **changes: Any) -> CallDraft:
    draft.edit(draft.content | {part: draft.content[part] | changes}, by)
    return draft


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"opens_on": "2026-13-01"}, "opens_on", "is not a date: write year-month-day"),
        ({"closes_on": "2026-01-04"}, "closes_on", "is before the call opens, 2026-01-05"),
        ({"closes_at": "17:00"}, "closes_at", "needs the day on which the call closes"),
        ({"closes_on": "2026-03-01", "closes_at": "25:00"}, "closes_at", "is not a time of day: write hours:minutes"),
        ({"floor": {"amount": "60000", "currency": "EUR"}}, "floor", "is above the ceiling, 50,000.00 EUR"),
        ({"budget": {"amount": "1", "currency": "MKD"}}, "budget", "must be in EUR, as the ceiling is"),
        ({"name": {"en": "Grants"}}, "name", "is not said in: ru"),
        ({"reviewers_needed": "two"}, "reviewers_needed", "must be a whole number from 0 to 20"),
        ({"workflow": "nothing"}, "workflow", "must be one of: bso-grant, lead-firm-cofinancing"),
        ({"documents": [{"type": "a", "name": {"en": "A", "ru": "А"}}] * 2}, "documents.0.type", "has “a” twice"),
        ({"milestones": [{"id": "m", "percent": "99", "name": {"en": "A", "ru": "А"}}]}, "milestones", None),
    ],
)
def test_a_call_that_breaks_a_rule_is_refused(changes: dict[str, Any], field: str, rule: str | None) -> None:
    """The file, the field and the rule with its figure are named, for calls from files and from the browser alike."""
    pack = deepcopy(_files())
    assert call_rule_problems(pack) == {}
    pack["calls"][CALL] |= changes
    found = call_rule_problems(pack)
    assert found[f"calls/{CALL}.yaml: {field}"] == (rule or "add up to 99 %, not to 100 %")


def test_weights_add_up_to_a_hundred() -> None:
    """A scoring sheet of 99 is refused at the criteria, on the page where they are."""
    programme = _programme()
    draft = _draft(programme)
    assert problems(programme.pack, draft) == {}
    criteria = deepcopy(draft.content["scoring"]["criteria"])
    criteria[0]["weight"] = "24"
    wrong = problems(programme.pack, _edited(draft, "scoring", criteria=criteria))
    assert wrong == {"scoring.criteria": "weights add up to 99, not to 100"}
    assert part_of("scoring.criteria") == "scoring"
    assert placed(BY_ID["scoring"], draft.content, wrong) == wrong


def test_a_workflow_with_a_dead_end_keeps_a_call_from_being_published() -> None:
    """What the linter calls an error is named by the workflow's file."""
    programme = _programme()
    flow = next(iter(programme.pack["workflows"]))
    moves = programme.pack["workflows"][flow]["transitions"]
    programme.pack["workflows"][flow]["transitions"] = [move for move in moves if move.get("from") != ["screening"]]
    assert f"workflows/{flow}.yaml" in problems(programme.pack, _draft(programme))


def test_a_posted_page_changes_what_it_asks_alone() -> None:
    """Numbers keep their types, members that no page asks are kept, a row goes out or up by its own button."""
    content = {"call": {"documents": [{"type": "a", "name": {"en": "A"}, "own": 1}, {"type": "b"}]}, "scoring": {}}
    posted = {"call.documents.0._": ["a"], "call.documents.0.type": ["a"], "call.documents.0.name.en": ["Aa"]}
    posted |= {"call.documents.1._": ["b"], "call.documents.1.type": ["b"], "call.documents.1.required": ["true"]}
    posted |= {"call.documents.2._": [""], "call.documents.2.name.en": ["Plan of work"]}
    rows = taken(BY_ID["documents"], posted | {"go": ["up:call.documents:1"]}, content, TONGUES)["call"]["documents"]
    assert [row["type"] for row in rows] == ["b", "a", "plan_of_work"]
    assert rows[1] == {"type": "a", "name": {"en": "Aa"}, "own": 1, "required": False}
    rows = taken(BY_ID["documents"], posted | {"go": ["drop:call.documents:0"]}, content, TONGUES)["call"]["documents"]
    assert [row["type"] for row in rows] == ["b", "plan_of_work"]
    money = {"call.ceiling.currency": ["eur"], "call.ceiling": ["48 200,50"], "call.budget_rows.max": ["x"]}
    call = taken(BY_ID["money"], money, content, TONGUES)["call"]
    assert call["ceiling"] == {"amount": "48200.50", "currency": "EUR"}
    assert call["budget_rows"] == {"max": "x"}
    assert options_of("yes | Yes | Да\nNot yet | Ещё нет", TONGUES)[1]["id"] == "not_yet"


def test_two_changes_of_one_call_meet() -> None:
    """What was published meanwhile is named; taken over, it stands beside what the draft changed, which wins."""
    programme = _programme()
    mine, theirs = _draft(programme), _draft(programme)
    _edited(theirs, "call", reference_prefix="BSX", reviewers_needed=3).issue(programme)
    _edited(mine, "call", reference_prefix="BSY", expertise=["x"])
    assert {item.path for item in mine.theirs(programme)} == {"call.reference_prefix", "call.reviewers_needed"}
    assert mine.take_over(programme, "u-1") == ["call.reference_prefix"]
    call = mine.content["call"]
    assert (call["reference_prefix"], call["reviewers_needed"], call["expertise"]) == ("BSY", 3, ["x"])
    assert mine.theirs(programme) == []


def test_a_second_person_publishes_where_the_programme_says_so() -> None:
    """Neither who wrote it nor who handed it in, and nothing that was not handed in; given back, it is edited again."""
    draft = _edited(_draft(_programme()), "call", reference_prefix="BSX", by="u-2")
    with pytest.raises(ConflictError, match="second person"):
        draft.check_publishing("u-9", two_people=True)
    draft.hand_in("u-3", "Ana")
    for who in ("u-1", "u-2", "u-3"):
        with pytest.raises(ForbiddenError):
            draft.check_publishing(who, two_people=True)
    draft.check_publishing("u-9", two_people=True)
    with pytest.raises(ConflictError):
        _edited(draft, "call", reference_prefix="BSZ")
    draft.give_back("The floor is too high")
    assert _edited(draft, "call", reference_prefix="BSZ").status == "editing"


def test_a_copy_has_its_own_sheet_and_no_days() -> None:
    """A new call begins as a copy without days, weighs by a sheet of its own, and changes no other call."""
    programme = _programme()
    draft = CallDraft.new(programme, "services-2027", CALL, id="d", by="u", by_name="Irena")
    assert set(problems(programme.pack, draft)) == {"call.opens_on"}
    _edited(draft, "call", opens_on="2027-01-10").issue(programme)
    assert set(programme.pack["calls"]) == {CALL, "services-2027"}
    assert programme.pack["calls"]["services-2027"]["scoring"] == "services-2027"
    for name in (CALL, "Not an id"):
        with pytest.raises(InvalidError):
            CallDraft.new(programme, name, None, id="d", by="u", by_name="Irena")


def test_files_do_not_undo_what_was_edited_silently() -> None:
    """Other files ask for a choice and name what differs; kept or replaced, nothing else is lost."""
    programme = _programme()
    _edited(_draft(programme), "call", reference_prefix="BSX").issue(programme)
    files = deepcopy(_files())
    assert programme.from_files(files, canonical_hash(files), "ask") is programme.pack
    files["programme"] = files["programme"] | {"launched": "2018"}
    with pytest.raises(EditedError) as refusal:
        programme.from_files(files, canonical_hash(files), "ask")
    assert refusal.value.lines() == [f"calls/{CALL}: reference_prefix: BSX → BSO"]
    kept = programme.from_files(files, canonical_hash(files), "keep")
    assert programme.loaded_from(kept, canonical_hash(files))
    assert programme.pack["calls"][CALL]["reference_prefix"] == "BSX"
    assert programme.pack["programme"]["launched"] == "2018"
    replaced = programme.from_files(files, canonical_hash(files), "replace")
    assert programme.loaded_from(replaced, canonical_hash(files))
    assert (programme.pack["calls"][CALL]["reference_prefix"], programme.edited) == ("BSO", {})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("documents", 5),
        ("documents", [5]),
        ("name", ["x"]),
        ("eligibility", []),
        ("ceiling", "5 EUR"),
        ("form", []),
        ("form", {"x-sections": [{"id": 5}]}),
        ("form", {"properties": {"a": 5}}),
        ("form", {"properties": {"a": {"x-options": {"b": "c"}}}}),
        ("form", {"properties": {"a": {"items": {"x-order": "a"}}}}),
    ],
)
def test_what_no_page_could_show_is_refused(place: str, value: Any) -> None:
    """A machine may save a draft that is wrong, but not one of another shape: the place is named."""
    draft = _draft(_programme())
    with pytest.raises(InvalidError) as refusal:
        _edited(draft, "call", **{place: value})
    assert all(field.startswith(f"call.{place}") for field in refusal.value.fields)


def _column(number: int, name: str, kind: str, en: str, ru: str, **more: list[str]) -> dict[str, list[str]]:
    """Return what a page posts of a column."""
    facts = {"_": [name], "id": [name], "kind": [kind], "label.en": [en], "label.ru": [ru], **more}
    return {f"{COLUMNS.path}.{number}.{member}": value for member, value in facts.items()}


def test_what_reports_and_indicators_ask_is_refused_beside_its_field() -> None:
    """A figure that is none, a part alone and a sum of no number stand at their inputs, in the reader's words."""
    programme = _programme()
    call = deepcopy(_files()["calls"][CALL])
    call["reporting"] |= {"within_days": "soon", "remind": [400]}
    call["reporting"]["form"]["properties"]["results"]["x-max-words"] = "many"
    call["indicators"][0]["disaggregation"][1]["parts"] = []
    call["indicators"][1]["decimals"] = 9
    draft = _edited(_draft(programme), "call", **call)
    wrong = problems(programme.pack, draft)
    assert placed(BY_ID["reports"], draft.content, wrong) == {
        "call.reporting.within_days": "is not a whole number",
        "call.reporting.remind": "must lie within 180 days of the due day",
    }
    assert placed(BY_ID["indicators"], draft.content, wrong) == {
        "call.indicators.0.disaggregation.1.parts": "must name at least 2",
        "call.indicators.1.decimals": "must be at most 4",
    }
    call["reporting"] |= {"within_days": 30, "remind": [-3]}
    call["indicators"] = []
    call["form"]["x-sums"][0]["left"] = ["approach"]
    wrong = problems(programme.pack, _edited(draft, "call", **call))
    assert placed(BY_ID["reports"], draft.content, wrong) == {
        "call.reporting.form.1.x-max-words": wrong["call.reporting.form.properties.results.x-max-words"]
    }
    assert placed(BY_ID["sums"], draft.content, wrong) == {"call.form.x-sums.0": "adds up approach, which is no number"}


def test_partners_of_a_call_have_their_fields() -> None:
    """A wrong share and partners without budget lines are named at the fields of the page on money."""
    programme = _programme()
    draft = _edited(_draft(programme), "call", partners={"minimum_lead_share_pct": "most"})
    assert placed(BY_ID["money"], draft.content, problems(programme.pack, draft)) == {
        "call.partners.max": "is required",
        "call.partners.minimum_lead_share_pct": "is not a number",
    }
    draft = _edited(draft, "call", partners={"max": 2}, budget_lines=[])
    wrong = placed(BY_ID["money"], draft.content, problems(programme.pack, draft))
    assert wrong["call.partners.max"].startswith("needs budget_lines")


def test_what_every_application_needs_is_asked_of_the_call() -> None:
    """A call without categories of cost, or without the most that one may ask for, can't be published.."""
    programme = _programme()
    draft = _edited(
        _draft(programme), "call", budget_lines=[], ceiling={"amount": "", "currency": "EUR"}, partners=None
    )
    assert placed(BY_ID["money"], draft.content, problems(programme.pack, draft)) == {
        "call.budget_lines": "must name at least one: the budget of an application is made of them",
        "call.ceiling": "is required",
    }


def test_a_call_asks_for_what_its_workflow_requires() -> None:
    """Documents and checklists that a move of the workflow needs are named where the call lacks them."""
    programme = _programme()
    draft = _edited(_draft(programme), "call", documents=[], checklists={})
    wrong = problems(programme.pack, draft)
    lacks = "lacks what the workflow requires: "
    assert placed(BY_ID["documents"], draft.content, wrong) == {"call.documents": f"{lacks}budget_quotes, registration"}
    assert wrong["call.checklists"] == f"{lacks}due-diligence, eligibility"


def test_questions_are_edited_one_by_one() -> None:
    """Saving a question as it stands changes nothing; kinds, answers, conditions and columns become JSON Schema."""
    form = deepcopy(_files()["calls"][CALL]["form"])
    sections = {f"s.{n}._": [item["id"]] for n, item in enumerate(form["x-sections"])}
    for n, item in enumerate(form["x-sections"]):
        sections |= {f"s.{n}.name.{code}": [item["name"][code]] for code in TONGUES}
    assert differences(form, with_sections(form, sections, TONGUES)) == []
    asked = {"go": ["ask:results"], "new.results.kind": ["choice"], "new.results.id": ["market"]}
    form = with_sections(form, sections | asked, TONGUES)
    assert form["x-sections"][2]["fields"][-1] == "market"
    said = {"kind": ["choice"], "label.en": ["Which market"], "options": ["home | At home\nabroad | Abroad"]}
    said |= {"when": ["service_kind"], "when_answers": ["new"], "required": ["true"]}
    question = with_question(form, "market", said, TONGUES)["properties"]["market"]
    assert question["enum"] == ["home", "abroad"]
    assert (question["x-when"], question["x-required"]) == ({"service_kind": ["new"]}, True)
    rows = form["properties"]["partner_shares"]
    said = {"kind": ["rows"], "minItems": ["0"], "maxItems": ["6"]}
    said |= _column(0, "name", "text", "Partner", "Партнёр", required=["true"], maxLength=["200"])
    said |= _column(1, "amount", "amount", "Amount", "Сумма", required=["true"], minimum=["0"])
    said |= {f"{m}.{code}": [rows[f"x-{m}"][code]] for m in ("label", "hint") for code in TONGUES}
    assert differences(rows, with_question(form, "partner_shares", said, TONGUES)["properties"]["partner_shares"]) == []
    said |= _column(2, "", "choice", "Kind of share", "Вид вклада", options=["cash | Cash | Деньги"])
    said["columns.1.id"] = ["name"]
    items = with_question(form, "partner_shares", said, TONGUES)["properties"]["partner_shares"]["items"]
    assert items["x-order"] == ["name", "name (2)", "kind_of_share"], "what stands twice is kept, and refused"
    with pytest.raises(InvalidError):
        with_sections(form, sections | {"go": ["s-out:results"]}, TONGUES)
    out = with_sections(form, sections | {"go": ["q-out:bso_type"]}, TONGUES)
    assert "bso_type" not in {*out["properties"], *out["required"], *out["x-sections"][0]["fields"]}
    assert {kind_of(made) for _, made in KINDS.values()} == set(KINDS)


def test_every_label_of_the_editor_has_its_russian() -> None:
    """What the pages of the editor ask for is said in Russian as well."""

    def words(field: Field) -> set[str]:
        own = {field.label, field.hint, field.add} - {""}
        return own.union(*(words(column) for column in field.columns))

    asked = {text for part in PARTS for text in (part.name, part.hint) if text}.union(
        *(words(field) for part in PARTS for field in part.fields)
    )
    asked |= {label for label, _ in KINDS.values()} | set(FACT_NAMES.values()) | set(KIND_NAMES.values())
    asked |= {*MEASURES.values(), *PERIODS.values(), *BUDGET_NAMES.values()} | words(COLUMNS)
    catalogue = i18n.catalogue("portal", "ru")
    assert [word for word in sorted(asked) if catalogue.gettext(word) == word] == []
    assert shape_problems({"call": _files()["calls"][CALL], "scoring": {}}) == {}
