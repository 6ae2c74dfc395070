"""Guard expressions: arithmetic, comparison and and/or/not over named facts. Nothing else can be written in one.

`"score >= threshold and risk != 'high'"`. Numbers are exact decimals; there are no calls, attributes,
subscripts or powers, and an expression has at most 500 characters, so none can harm or hang.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import Any

MAX_LENGTH = 500

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.BinOp,
    ast.Compare,
    ast.Name,
    ast.Load,
    ast.Constant,
    *_ARITHMETIC,
    *_COMPARISON,
)


class GuardError(ValueError):
    """An expression that is no guard, or that these facts can't answer."""


class UnknownFactError(GuardError):
    """A fact that the guard needs has no value yet."""

    def __init__(self, fact: str) -> None:
        super().__init__(f"{fact} is not known yet")
        self.fact = fact


@lru_cache(maxsize=512)
def parse(expression: str) -> ast.Expression:
    """Return the tree of a guard; raises GuardError naming what is not allowed in one."""
    if len(expression) > MAX_LENGTH:
        raise GuardError(f"is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GuardError(f"does not parse: {error}") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise GuardError(f"has {type(node).__name__}, which a guard can't have")
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str):
            raise GuardError(f"has the value {node.value!r}, which a guard can't have")
    return tree


def names(expression: str) -> set[str]:
    """Return the facts that a guard reads; raises GuardError."""
    return {node.id for node in ast.walk(parse(expression)) if isinstance(node, ast.Name)}


def evaluate(expression: str, facts: Mapping[str, Any]) -> bool:
    """Return whether the guard holds over `facts` (decimals, whole numbers, text, booleans; None is unknown).

    Raises UnknownFactError for a fact without a value, GuardError for anything that can't be computed.
    """
    tree = parse(expression)
    try:
        return bool(_value(tree.body, facts))
    except (TypeError, DecimalException) as error:
        raise GuardError(f"can't be computed: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _value(node: ast.expr, facts: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one line a kind of node
    match node:
        case ast.Constant(value=value):
            return _plain(value)
        case ast.Name(id=name):
            if facts.get(name) is None:
                raise UnknownFactError(name)
            return _plain(facts[name])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, facts)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, facts)
        case ast.BoolOp(op=op, values=values):
            every = (_value(part, facts) for part in values)
            return all(every) if isinstance(op, ast.And) else any(every)
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, facts), _value(right, facts))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(left, ops, comparators, facts)
    raise GuardError(f"has {type(node).__name__}, which a guard can't have")


def _compare(left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], facts: Mapping[str, Any]) -> bool:
    before = _value(left, facts)
    for op, other in zip(ops, others, strict=True):
        after = _value(other, facts)
        if not _COMPARISON[type(op)](before, after):
            return False
        before = after
    return True
