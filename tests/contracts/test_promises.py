"""What is promised has a test of its own: what others get wrong, examples of co-financing, attacks on the log."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PROMISED = [*(f"row_{number:02}" for number in range(1, 16)), *(f"example_{number}" for number in range(1, 9))]
PROMISED += [f"test_t{number}_" for number in range(1, 24)]  # attacks on the record, and faults around it
EVASIONS = {"skip", "skipif", "xfail", "importorskip"}


def _tests() -> dict[str, ast.FunctionDef]:
    """Return {name: test} of every file that speaks of a row, of an example or of an attack."""
    texts = [path.read_text() for path in sorted(TESTS.glob("*/test_*.py")) if path.name != Path(__file__).name]
    trees = [ast.parse(text) for text in texts if re.search(r"def test_\w*((row|example)_\d|t\d+_)", text)]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in nodes if node.name.startswith("test_")}


@pytest.fixture(scope="module")
def named() -> dict[str, ast.FunctionDef]:
    """Give the tests by name."""
    return _tests()


@pytest.mark.parametrize("promise", PROMISED)
def test_every_promise_is_named_by_a_test(promise: str, named: dict[str, ast.FunctionDef]) -> None:
    """Some test carries its number, says in a sentence what it proves, asserts something and is never skipped."""
    carrying = [node for name, node in named.items() if re.search(rf"{promise}(?!\d)", name)]
    assert carrying, f"no test is named after {promise}"
    for node in carrying:
        inside = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        assert ast.get_docstring(node), node.name
        assert not inside & EVASIONS, node.name
