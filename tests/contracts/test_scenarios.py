"""The reliability suite is whole: every scenario is a test, once, judged by the fixture, and never skipped."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from shared.testing.scenarios import SCENARIOS

SUITE = Path(__file__).resolve().parents[1] / "reliability"
EVASIONS = {"skip", "skipif", "xfail", "importorskip"}


def _tests() -> list[ast.FunctionDef]:
    trees = [ast.parse(path.read_text()) for path in sorted(SUITE.glob("test_*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [node for node in nodes if node.name.startswith("test_")]


def _scenarios() -> list[ast.FunctionDef]:
    return [node for node in _tests() if node.name in SCENARIOS]


def test_there_are_43_scenarios_under_names_of_their_own() -> None:
    """The list itself has 43 different names."""
    assert len(SCENARIOS) == len(set(SCENARIOS)) == 43


def test_every_scenario_is_one_test() -> None:
    """Each name is exactly one test of the reliability suite: none is missing, none is there twice."""
    found = Counter(node.name for node in _tests())
    assert {name: found[name] for name in SCENARIOS} == dict.fromkeys(SCENARIOS, 1)


def test_every_scenario_is_judged() -> None:
    """Each takes the fixture that counts what was lost, duplicated and disordered."""
    unjudged = [node.name for node in _scenarios() if "scenario" not in {argument.arg for argument in node.args.args}]
    assert unjudged == []


def test_no_scenario_is_skipped() -> None:
    """Neither a scenario nor its module has a mark or a call that would let it pass without running."""
    evasions = [
        f"{path.name}:{node.lineno}"
        for path in sorted(SUITE.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in EVASIONS
    ]
    assert evasions == []
