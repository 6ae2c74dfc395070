# ruff: noqa: E501 - tables of cases read better on one line
"""The workflow engine: what a document says, what the linter finds, which moves there are, when things are due."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_workflow import SMALL

from services.portal import domain as portal
from shared.errors import IllegalTransitionError, InvalidError
from shared.money import Money
from shared.workflow import (
    ROLES,
    SYSTEM,
    Facts,
    GuardError,
    Sentence,
    Workflow,
    WorkflowError,
    authority_limits,
    evaluate,
    mermaid,
    svg,
)

FILES = sorted((Path(__file__).parents[2] / "programmes").glob("*/workflows/*.yaml"))
READY = Facts(
    actor="user:2",
    values={"score": Decimal("60.00")},
    documents=frozenset({"plan"}),
    checklists=frozenset({"basic"}),
    reviews_done=2,
    earlier_actors=("user:1",),
    amount=Money.of(100, "EUR"),
    limits={"approve": Money.of(100, "EUR")},
)


def changed(**changes: Any) -> dict[str, Any]:
    """Return the small workflow with members replaced."""
    return copy.deepcopy(SMALL) | changed_ids(changes)


def changed_ids(changes: dict[str, Any]) -> dict[str, Any]:
    """Return members in which {"stages": {"draft": {...}}} updates the item of that id."""
    result: dict[str, Any] = {}
    for name, value in changes.items():
        if not isinstance(value, dict):
            result[name] = value
            continue
        items = copy.deepcopy(SMALL[name])
        for item in items:
            item.update(value.get(item["id"], {}))
        known = {item["id"] for item in items}
        result[name] = items + [{"id": key, **item} for key, item in value.items() if key not in known]
    return result


def codes(document: dict[str, Any]) -> list[str]:
    """Return the codes of what the linter finds."""
    return [finding.code for finding in Workflow.parse(document).lint()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_programmes_workflows_are_clean(file: Path) -> None:
    """The linter finds nothing in any workflow that is shipped."""
    assert Workflow.parse(file.read_text()).lint() == []


def test_the_roles_are_those_people_sign_in_with() -> None:
    """A workflow can name exactly the roles that people are given, and the system."""
    assert set(portal.ROLES) | {SYSTEM} == ROLES


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_row_04_no_founding_workflow_waits_for_ever(path: Path) -> None:
    """Staff can close every stage that waits for an applicant; without that way the linter refuses the workflow."""
    document = yaml.safe_load(path.read_text())
    assert codes(document) == []
    waiting = [stage["id"] for stage in document["stages"] if stage.get("holder") == "applicant"]
    assert waiting
    ends = {stage["id"] for stage in document["stages"] if stage.get("terminal")}
    broken = copy.deepcopy(document)
    for transition in broken["transitions"]:
        if transition["to"] in ends and set(transition["from"]) & set(waiting):
            transition["roles"] = ["applicant"]
    assert "no-way-to-close" in codes(broken)


def test_a_clean_workflow_has_no_findings() -> None:
    """The document that the other tests break is itself clean."""
    assert codes(SMALL) == []


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("unreachable", {"stages": {"island": {"name": {"en": "I"}, "terminal": True, "final": True}}}),
        ("dead-end", {"stages": {"pit": {"name": {"en": "P"}, "holder": "officer"}}, "transitions": {"send": {"to": "pit"}}}),
        ("no-way-to-close", {"transitions": {"shut": {"from": ["draft", "checked"]}}}),
        ("no-way-to-close", {"transitions": {"shut": {"roles": ["applicant"]}}}),
        ("open-terminal", {"stages": {"done": {"final": False}}}),
        ("no-reopen", {"transitions": {"reopen": {"from": ["checked"]}}}),
        ("not-terminal", {"stages": {"shut": {"final": True, "reopens": False}}}),
        ("unknown-stage", {"transitions": {"send": {"to": "nowhere"}}}),
        ("unknown-stage", {"stages": {"checked": {"sla": {"working_days": 5, "pauses_in": ["nowhere"]}}}}),
        ("unknown-role", {"transitions": {"send": {"roles": ["king"]}}}),
        ("unknown-role", {"stages": {"checked": {"holder": "king"}}}),
        ("unknown-party", {"transitions": {"send": {"notify": ["king"]}}}),
        ("unknown-requirement", {"transitions": {"send": {"requires": ["reviews:many"]}}}),
        ("unknown-transition", {"transitions": {"send": {"requires": ["four_eyes:nothing"]}}}),
        ("bad-guard", {"transitions": {"send": {"guard": "score >="}}}),
        ("bad-guard", {"transitions": {"send": {"guard": "open('/etc/passwd')"}}}),
        ("unknown-fact", {"transitions": {"send": {"guard": "scor >= 60"}}}),
        ("no-holder", {"stages": {"checked": {"holder": None}}}),
        ("missing-translation", {"stages": {"draft": {"name": {"en": "Draft", "ru": "Черновик"}}}}),
        ("duplicate-id", {"stages": [*SMALL["stages"], SMALL["stages"][0]]}),
    ],
)  # fmt: skip
def test_the_linter_names_what_is_wrong(code: str, changes: dict[str, Any]) -> None:
    """Each kind of mistake is found by its own code."""
    assert code in codes(changed(**changes))


def test_the_engine_refuses_what_the_linter_calls_an_error() -> None:
    """A dead end keeps a workflow from being used; a missing translation does not."""
    with pytest.raises(WorkflowError, match=r"transitions\.send"):
        Workflow.checked(changed(transitions={"send": {"to": "nowhere"}}))
    assert Workflow.checked(changed(stages={"draft": {"name": {"en": "D", "ru": "Ч"}}})).initial == "draft"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("[", "not YAML"),
        ("", "document"),
        ("- 1", "document"),
        (changed(transitions={"send": {"roles": []}}), r"transitions\[0\].roles"),
        (changed(stages={"draft": {"colour": "red"}}), r"stages\[0\].colour"),
        (changed(stages={"draft": {"id": "Draft!"}}), r"stages\[0\].id"),
    ],
)
def test_a_document_of_another_shape_is_refused_by_path(source: Any, path: str) -> None:
    """What is not a workflow is refused with the path of the mistake."""
    with pytest.raises(WorkflowError, match=path):
        Workflow.parse(source)


def test_moves_are_those_of_the_stage_and_the_persons_roles() -> None:
    """An officer sees an officer's moves at a stage in the document's order, an applicant none of them."""
    workflow = Workflow.checked(SMALL)
    assert [move.id for move in workflow.moves("checked", ["officer"], READY)] == ["ask", "approve", "shut"]
    assert workflow.moves("checked", ["applicant"], READY) == []


def test_a_ready_move_is_allowed() -> None:
    """With every requirement fulfilled the move gives its transition."""
    assert Workflow.checked(SMALL).move("approve", "checked", ["officer"], READY).to == "done"


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"documents": frozenset()}, "The document “plan” is missing"),
        ({"reviews_done": 1}, "1 of 2 reviews are in"),
        ({"checklists": frozenset()}, "The checklist “basic” is not finished"),
        ({"open_conflicts": 1}, "Conflicts of interest not settled: 1"),
        ({"earlier_actors": ("user:1", "user:2")}, "another person must do this one"),
        ({"earlier_actors": ()}, "not recorded who was the first"),
        ({"limits": {}}, "no delegated authority"),
        ({"limits": {"approve": Money.of("99.99", "EUR")}}, "100.00 EUR is above your delegated authority of 99.99 EUR"),
        ({"limits": {"approve": Money.of(500, "USD")}}, "above your delegated authority"),
        ({"amount": None}, "The amount is not settled yet"),
        ({"values": {"score": Decimal("59.99")}}, "“score >= 60” does not hold"),
        ({"values": {}}, "“score” is not known yet"),
        ({"values": {"score": "high"}}, "can't be computed"),
    ],
)  # fmt: skip
def test_a_blocked_move_says_what_blocks_it(facts: dict[str, Any], sentence: str) -> None:
    """Each missing requirement is one sentence, at the button and in the refusal, which names the legal moves."""
    workflow = Workflow.checked(SMALL)
    lacking = Facts(**({name: getattr(READY, name) for name in Facts.__dataclass_fields__} | facts))
    move = next(move for move in workflow.moves("checked", ["officer"], lacking) if move.id == "approve")
    assert not move.allowed
    assert sentence in move.blocked_by[0]
    with pytest.raises(IllegalTransitionError) as refusal:
        workflow.move("approve", "checked", ["officer"], lacking)
    assert refusal.value.legal == ["ask", "shut"]
    assert sentence in str(refusal.value)


def test_a_move_from_another_stage_is_refused_with_the_legal_ones() -> None:
    """What the stage does not have is refused, whoever asks; another role's move says whose it is."""
    workflow = Workflow.checked(SMALL)
    with pytest.raises(IllegalTransitionError, match="Possible now: send"):
        workflow.move("approve", "draft", ["applicant"], READY)
    with pytest.raises(IllegalTransitionError, match="This move is for: officer"):
        workflow.move("approve", "checked", ["applicant"], READY)


def test_a_reason_is_asked_by_the_form_and_demanded_by_the_act() -> None:
    """A missing reason does not grey the button out; the act without it names the field."""
    workflow = Workflow.checked(SMALL)
    ask = workflow.moves("checked", ["officer"], READY)[0]
    assert (ask.allowed, ask.asks) == (True, ["reason"])
    with pytest.raises(InvalidError) as refusal:
        workflow.move("ask", "checked", ["officer"], Facts(actor="user:2", reason="  "))
    assert set(refusal.value.fields) == {"reason"}
    assert workflow.move("ask", "checked", ["officer"], Facts(actor="user:2", reason="Which year?")).to == "asked"


def test_four_eyes_can_name_the_move_of_the_first_pair() -> None:
    """`four_eyes:send` blocks who sent, lets others through, and blocks everybody while nobody sent."""
    workflow = Workflow.checked(changed(transitions={"approve": {"requires": ["four_eyes:send"]}}))

    def allowed(done_by: dict[str, str]) -> bool:
        facts = Facts(actor="user:2", values={"score": 70}, done_by=done_by)
        return {move.id: move.allowed for move in workflow.moves("checked", ["officer"], facts)}["approve"]

    assert [allowed({"send": "user:1"}), allowed({"send": "user:2"}), allowed({})] == [True, False, False]


def test_authority_is_the_highest_of_ones_roles_in_the_currency() -> None:
    """Of several delegations the highest of the person's own roles counts, in the case's currency only."""
    lines = [
        {"role": "officer", "act": "approve", "up_to": {"amount": "10", "currency": "EUR"}},
        {"role": "programme_manager", "act": "approve", "up_to": {"amount": "60", "currency": "EUR"}},
        {"role": "programme_manager", "act": "approve", "up_to": {"amount": "9000", "currency": "USD"}},
    ]
    assert authority_limits(lines, ["officer"], "EUR") == {"approve": Money.of(10, "EUR")}
    assert authority_limits(lines, ["officer", "programme_manager"], "EUR") == {"approve": Money.of(60, "EUR")}
    assert authority_limits(lines, ["reviewer"], "EUR") == {}


@pytest.mark.parametrize(
    ("guard", "holds"),
    [
        ("score >= 60 and risk != 'high'", True),
        ("not (score < 60 or risk == 'high')", True),
        ("0 < score <= 100", True),
        ("score * 2 - 10 / 4 == 142.5", True),
        ("0.1 + 0.2 == 0.3", True),
        ("-score > 0", False),
    ],
)
def test_guards_compute_exactly(guard: str, holds: bool) -> None:
    """Guards compare, combine and calculate in decimals."""
    assert evaluate(guard, {"score": Decimal("72.5"), "risk": "low"}) is holds


@pytest.mark.parametrize(
    "guard",
    ["score.real", "f(score)", "[1][0]", "lambda: 1", "score ** 9", "score if 1 else 2", "x := 1", "'a' % score", "1" * 501,
     "None", "score // 2", "{score}", "f'{score}'", "1/0 == 1", "score > 'a'", ""],
)  # fmt: skip
def test_guards_can_do_nothing_else(guard: str) -> None:
    """Calls, attributes, powers, overlong or senseless expressions are refused, never run."""
    with pytest.raises(GuardError):
        evaluate(guard, {"score": Decimal(1)})


@given(st.text(max_size=60))
def test_any_text_is_a_guard_or_a_guard_error(guard: str) -> None:
    """Whatever is written as a guard, nothing but a verdict or GuardError comes out."""
    try:
        verdict = evaluate(guard, {})
    except GuardError:
        verdict = False
    assert verdict in {True, False}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("locale", ["en", "ru"])
def test_the_picture_shows_every_stage_in_its_own_place(file: Path, locale: str) -> None:
    """The SVG is well-formed and titled, names every stage, and no two boxes overlap."""
    workflow = Workflow.checked(file.read_text())
    root = ET.fromstring(svg(workflow, locale, workflow.stages[1].id))  # noqa: S314 - our own picture
    ns = {"s": "http://www.w3.org/2000/svg"}
    assert root.get("role") == "img"
    assert root.find("s:title", ns) is not None
    boxes = {}
    for group in root.findall("s:g", ns):
        box = group.findall("s:rect", ns)[-1]
        boxes[group.get("data-stage")] = [float(box.get(side, "")) for side in ("x", "y", "width", "height")]
    assert set(boxes) == {stage.id for stage in workflow.stages}
    spots = list(boxes.values())
    for place, (x, y, w, h) in enumerate(spots):
        assert all(abs(x - ox) >= w or abs(y - oy) >= h for ox, oy, _, _ in spots[place + 1 :])


def test_names_in_pictures_are_escaped() -> None:
    """A stage called <script> stays text in the SVG."""
    workflow = Workflow.parse(changed(stages={"draft": {"name": {"en": "<script>"}}}))
    assert "<script>" not in svg(workflow)


def test_mermaid_has_every_stage_and_move() -> None:
    """The Mermaid text names each stage and has a line for each move from each of its stages."""
    text = mermaid(Workflow.checked(SMALL))
    assert "checked: Checked" in text
    assert text.count("-->") == 1 + 8 + 2


def test_yaml_text_and_its_content_are_the_same_workflow() -> None:
    """A workflow can be read from text or from what the text says."""
    assert Workflow.parse(yaml.safe_dump(SMALL)) == Workflow.parse(SMALL)


def test_a_guard_can_say_itself_in_words() -> None:
    """Where the document words a guard, people read those words, in their language, and not the expression."""
    says = {"en": "The score is below 60", "ru": "Оценка ниже 60"}
    workflow = Workflow.parse(changed(transitions={"approve": {"says": says, "requires": []}}))
    facts = Facts(values={"score": 50})
    blocked = next(move for move in workflow.moves("checked", ["officer"], facts) if move.id == "approve").blocked_by[0]
    assert blocked == "The score is below 60"
    assert isinstance(blocked, Sentence)
    assert blocked.names["ru"] == "Оценка ниже 60"
