"""The engine against the document: for workflows of any shape, each answer is the one that the YAML gives."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import IllegalTransitionError, InvalidError
from shared.money import Money
from shared.workflow import ROLES, Facts, Workflow, WorkflowError, authority_levels, authority_limits, explain

STAGES, MOVES = [f"s{n}" for n in range(6)], [f"m{n}" for n in range(8)]
PEOPLE, ACTING = ["user:1", "user:2", "user:3"], ["applicant", "reviewer", "officer", "programme_manager", "system"]
COMPARED = {"<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt}
REQUIREMENTS = st.sampled_from([
    "reason", "comment", "document:plan", "document:budget", "checklist:basic", "reviews:1", "reviews:3",
    "no_open_conflicts", "four_eyes", "four_eyes:m0", "four_eyes:m1", "authority", "step_up",
])  # fmt: skip
GUARDS = st.builds("score {} {}".format, st.sampled_from(list(COMPARED)), st.integers(0, 3))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Give a workflow of any shape: loops, islands, dead ends, moves to where they come from."""
    stages = draw(st.lists(st.sampled_from(STAGES), min_size=1, unique=True))
    moves = []
    for move in draw(st.lists(st.sampled_from(MOVES), unique=True)):
        content: dict[str, Any] = {
            "id": move,
            "name": {"en": move},
            "from": draw(st.lists(st.sampled_from(stages), min_size=1, unique=True)),
            "to": draw(st.sampled_from(stages)),
            "roles": draw(st.lists(st.sampled_from(ACTING), min_size=1, unique=True)),
            "requires": draw(st.lists(REQUIREMENTS, max_size=3, unique=True)),
        }
        moves.append(content | ({"guard": draw(GUARDS)} if draw(st.booleans()) else {}))
    named = []
    for stage in stages:
        ends = draw(st.sampled_from([{}, {"terminal": True, "final": True}, {"terminal": True, "reopens": True}]))
        named.append({"id": stage, "name": {"en": stage}, "holder": draw(st.sampled_from(ACTING))} | ends)
    about = {"workflow": "any", "version": 1, "initial": stages[0], "facts": ["score"]}
    return about | {"stages": named, "transitions": moves}


@st.composite
def known(draw: st.DrawFn) -> dict[str, Any]:
    """Give what is known of a case, as members of Facts; `limit` is the actor's for every move."""
    text = st.sampled_from([None, "", "  ", "because"])
    return {
        "actor": draw(st.sampled_from(["", *PEOPLE])),
        "values": draw(st.sampled_from([{}, {"score": None}, {"score": 0}, {"score": 2}, {"score": 3}])),
        "documents": draw(st.frozensets(st.sampled_from(["plan", "budget"]))),
        "checklists": draw(st.frozensets(st.sampled_from(["basic"]))),
        "reviews_done": draw(st.integers(0, 4)),
        "open_conflicts": draw(st.integers(0, 1)),
        "earlier_actors": tuple(draw(st.lists(st.sampled_from(PEOPLE), max_size=2))),
        "done_by": draw(st.dictionaries(st.sampled_from(["m0", "m1"]), st.sampled_from(PEOPLE))),
        "reason": draw(text),
        "comment": draw(text),
        "amount": draw(st.sampled_from([None, Money.of(10, "EUR"), Money.of("10.01", "EUR")])),
        "limits": dict.fromkeys(MOVES, Money.of(10, draw(st.sampled_from(["EUR", "USD"])))),
        "stepped_up": draw(st.booleans()),
    }


def holds(requirement: str, move: str, case: dict[str, Any]) -> bool:
    """Say whether a requirement is fulfilled, read from its words alone."""
    name, _, what = requirement.partition(":")
    first = {case["done_by"].get(what)} - {None} if what else set(case["earlier_actors"])
    limit = case["limits"][move]
    answers = {
        "reason": bool((case["reason"] or "").strip()),
        "comment": bool((case["comment"] or "").strip()),
        "document": what in case["documents"],
        "checklist": what in case["checklists"],
        "reviews": what.isdecimal() and case["reviews_done"] >= int(what),
        "no_open_conflicts": case["open_conflicts"] == 0,
        "four_eyes": bool(case["actor"] and first) and case["actor"] not in first,
        "authority": case["amount"] is not None and limit.currency == "EUR" and case["amount"].amount <= limit.amount,
        "step_up": case["stepped_up"],
    }
    return answers[name]


def allowed(document: dict[str, Any], stage: str, role: str, move: str, case: dict[str, Any]) -> bool:
    """Say whether the document allows a move, read as a person reads it."""
    written = next(item for item in document["transitions"] if item["id"] == move)
    guard, score = written.get("guard"), case["values"].get("score")
    if guard is not None:
        _, sign, number = guard.split()
        if score is None or not COMPARED[sign](score, int(number)):
            return False
    return stage in written["from"] and role in written["roles"] and all(
        holds(item, move, case) for item in written["requires"]
    )  # fmt: skip


def made(workflow: Workflow, move: str, stage: str, role: str, facts: Facts) -> bool:
    """Say whether the engine lets the act itself through."""
    try:
        return workflow.move(move, stage, [role], facts).id == move
    except (IllegalTransitionError, InvalidError):
        return False


@given(documents(), known())
def test_the_engine_answers_as_the_document_says(document: dict[str, Any], case: dict[str, Any]) -> None:
    """Every stage, role and transition gets from the act and from the explanation what the definition says."""
    workflow, facts = Workflow.parse(yaml.safe_dump(document)), Facts(**case)
    for stage in (item["id"] for item in document["stages"]):
        for role in ACTING:
            told = {move.id: move for move in explain(workflow, stage, [role], facts)}
            for written in document["transitions"]:
                move = written["id"]
                said = allowed(document, stage, role, move, case)
                assert made(workflow, move, stage, role, facts) is said
                assert (move in told and told[move].allowed) is said
                # Told of, with what blocks it, is each move of the stage and each of the role.
                assert (move in told) is (stage in written["from"] or role in written["roles"])
                assert said or move not in told or all(one.code for one in told[move].blocked_by)


@given(documents())
def test_what_is_taken_has_a_way_from_everywhere_to_an_end(document: dict[str, Any]) -> None:
    """A workflow that the engine takes has every stage reached, and from every open stage a way to a terminal one."""
    stages = {item["id"] for item in document["stages"]}
    ways = {(source, move["to"]) for move in document["transitions"] for source in move["from"]}
    for _ in stages:
        ways |= {(first, last) for first, middle in ways for between, last in ways if middle == between}
    ends = {item["id"] for item in document["stages"] if item.get("terminal")}
    reached = all(stage == document["initial"] or (document["initial"], stage) in ways for stage in stages)
    ending = all(any((stage, end) in ways for end in ends) for stage in stages - ends)
    codes = {finding.code for finding in Workflow.parse(document).lint()}
    assert ("unreachable" not in codes) is reached
    assert ("dead-end" not in codes) is ending
    if not (reached and ending):
        with pytest.raises(WorkflowError):
            Workflow.checked(document)


@given(documents())
def test_the_engine_takes_exactly_what_has_no_error(document: dict[str, Any]) -> None:
    """A workflow is refused when, and only when, the linter calls something in it an error."""
    errors = [item for item in Workflow.parse(document).lint() if item.level == "error"]
    if errors:
        with pytest.raises(WorkflowError):
            Workflow.checked(document)
    else:
        assert Workflow.checked(document).version == 1


def test_a_round_without_a_way_out_is_a_dead_end() -> None:
    """Stages that only lead to each other are named, and refused, like a stage that leads nowhere."""
    stages = [{"id": stage, "name": {"en": stage}, "holder": "officer"} for stage in ("a", "b")]
    end = {"id": "end", "name": {"en": "End"}, "terminal": True, "final": True}
    ways = [("a", "b"), ("b", "a")]
    moves = [{"id": f, "name": {"en": f}, "from": [f], "to": t, "roles": ["officer"]} for f, t in ways]
    document = {"workflow": "w", "version": 1, "initial": "a", "stages": [*stages, end], "transitions": moves}
    found = [(item.code, item.where) for item in Workflow.parse(document).lint()]
    assert found == [("dead-end", "stages.a"), ("dead-end", "stages.b"), ("unreachable", "stages.end")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nversion: 2", "“version” stands twice"),
        ("version: 2026-99-99", "not YAML"),
        ("[" * 5000, "not YAML"),
    ],
)
def test_a_text_that_would_be_misread_is_refused(text: str, said: str) -> None:
    """A key that stands twice, a day of no calendar and brackets without end are errors, never a crash or a guess."""
    with pytest.raises(WorkflowError, match=said):
        Workflow.parse(text)


@pytest.mark.parametrize("number", ["many", "0", "-1", "9" * 5000, "٣"])
def test_reviews_are_counted_in_plain_numbers(number: str) -> None:
    """How many reviews a move needs is 1 to 999; anything else is nothing that can be checked."""
    move = {"id": "m", "name": {"en": "M"}, "from": ["a"], "to": "a", "roles": ["officer"]}
    stages = [{"id": "a", "name": {"en": "A"}, "holder": "officer"}]
    document = {"workflow": "w", "version": 1, "initial": "a", "stages": stages}
    found = Workflow.parse(document | {"transitions": [move | {"requires": [f"reviews:{number}"]}]}).lint()
    assert "unknown-requirement" in [item.code for item in found]


LINES = [
    {"role": "officer", "act": "m", "up_to": {"amount": "10", "currency": "EUR"}},
    {"role": "programme_manager", "act": "m", "up_to": {"amount": "60", "currency": "EUR"}},
    {"role": "system", "act": "m", "up_to": {"amount": "900", "currency": "EUR"}},
]


@pytest.mark.parametrize(
    ("amount", "role", "code", "next_role", "said"),
    [
        ("10", "officer", None, None, None),
        ("10.01", "officer", "authority-exceeded", "programme_manager", "up to 60.00 EUR decides: programme_manager"),
        ("60", "programme_manager", None, None, None),
        ("60.01", "programme_manager", "authority-exceeded", None, "and above everybody's"),
        ("10", "reviewer", "authority-none", None, "no delegated authority"),
    ],
)
def test_above_ones_authority_the_next_level_decides(
    amount: str, role: str, code: str | None, next_role: str | None, said: str | None
) -> None:
    """Up to the limit one decides; above it the refusal names the lowest level whose limit suffices, of this move's."""
    workflow = Workflow.parse({
        "workflow": "w", "version": 1, "initial": "a", "stages": [{"id": "a", "name": {"en": "A"}}],
        "transitions": [{"id": "m", "name": {"en": "M"}, "from": ["a"], "to": "a", "requires": ["authority"],
                         "roles": ["officer", "reviewer", "programme_manager"]}],
    })  # fmt: skip
    facts = Facts(
        amount=Money.of(amount, "EUR"),
        limits=authority_limits(LINES, [role], "EUR"),
        levels=authority_levels(LINES, workflow, "EUR"),
    )
    blocked = workflow.moves("a", [role], facts)[0].blocked_by
    assert [one.code for one in blocked] == ([code] if code else [])
    assert all(one.figures.get("next_role") == next_role and str(said) in one for one in blocked)


def test_a_move_of_another_role_or_stage_says_whose_and_where() -> None:
    """What is not one's own is told with the roles, what is elsewhere with the stages it leaves."""
    stages = [{"id": stage, "name": {"en": stage}} for stage in ("a", "b")]
    moves = [
        {"id": "here", "name": {"en": "H"}, "from": ["a"], "to": "b", "roles": ["officer", "system"]},
        {"id": "there", "name": {"en": "T"}, "from": ["b"], "to": "a", "roles": ["applicant"]},
        {"id": "neither", "name": {"en": "N"}, "from": ["b"], "to": "a", "roles": ["auditor"]},
    ]
    workflow = Workflow.parse({"workflow": "w", "version": 1, "initial": "a", "stages": stages, "transitions": moves})
    told = {move.id: move.blocked_by[0] for move in explain(workflow, "a", ["applicant"], Facts())}
    assert {name: (one.code, one.figures) for name, one in told.items()} == {
        "here": ("role", {"roles": ["officer", "system"]}),
        "there": ("stage", {"stages": ["b"]}),
    }
    assert set(ACTING) <= ROLES
