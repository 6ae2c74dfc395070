"""Strata of the log: nothing of what was read is lost or made up when it is laid over the time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.storage.spread import _error, _parts, _Stratum

EDGES = st.tuples(st.floats(0, 59.99), st.floats(0, 59.99)).map(sorted)


@given(EDGES, st.integers(0, 59), st.booleans())
def test_what_stands_for_a_stratum_is_laid_out_whole(edges: list[float], bar: int, whole: bool) -> None:
    """The shares of the bars make one; they lie between the times of the stratum, or where it happened."""
    start, end = edges
    shares = _Stratum(0, 100, start, end).over(bar, whole=whole)
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert all(share >= 0 for _, share in shares)
    assert len(shares) == 1 or all(int(start) <= at <= int(end) for at, _ in shares)


def test_what_was_counted_stays_in_its_bar() -> None:
    """A stratum that was read whole is not smoothed, nor is what happened long before it was recorded."""
    stratum = _Stratum(0, 100, 2.0, 5.5)
    assert stratum.over(3, whole=True) == [(3, 1.0)]
    assert stratum.over(1, whole=False) == [(1, 1.0)]
    assert [at for at, _ in stratum.over(3, whole=False)] == [2, 3, 4, 5]


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=40).map(sorted), st.integers(1, 300))
def test_what_is_read_lies_within_its_stratum(ends: list[int], length: int) -> None:
    """Of each stratum as many leaves as were asked for are read, or all it has; never its neighbour's."""
    strata = [_Stratum(low, high, 0, 1) for low, high in pairwise(ends)]
    for stratum, (low, high) in zip(strata, _parts(strata, length), strict=True):
        assert stratum.low <= low <= high <= stratum.high
        assert high - low == min(length, stratum.high - stratum.low)


def test_equal_neighbours_have_no_error_and_unequal_ones_do() -> None:
    """Where every part is alike nothing is uncertain; one that differs counts to both sides."""
    assert _error([0.25] * 10) == 0
    assert _error([0.0, 1.0, 0.0]) == pytest.approx(1)
