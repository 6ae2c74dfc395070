"""How the cluster's scenarios are judged: what fails one, and what its figures mean."""

from __future__ import annotations

import pytest

from shared.testing.cluster_chaos import line_of, row_of, summary
from shared.testing.cluster_world import Outcome, longest, recovery


@pytest.mark.parametrize(
    "broken",
    [{"lost": 1}, {"duplicated": 1}, {"disordered": 1}, {"forgotten": 1}, {"wrong": ["2 relays lead"]}],
)
def test_one_broken_promise_fails_a_scenario(broken: dict[str, object]) -> None:
    """Whatever was promised and not kept fails it, and its row says so."""
    assert Outcome("leader killed", events=10).passed
    failed = Outcome("leader killed", events=10, **broken)  # type: ignore[arg-type]
    assert not failed.passed
    assert "FAILED" in row_of(failed)[-1]
    assert "0 of 1 scenarios passed" in summary([failed], 3)


def test_an_acknowledged_commit_that_the_database_forgot_is_lost() -> None:
    """It counts with the events that had no effect, in the row and in the sum."""
    outcome = Outcome("primary killed", events=10, lost=1, forgotten=2)
    assert "lost 3" in line_of(outcome)
    assert "10 events, 3 lost" in summary([outcome], 1)


def test_the_longest_pause_reaches_over_both_ends() -> None:
    """A pause that began before the fault and one that lasts until the end count, what was before does not."""
    assert longest([1.0, 9.0, 9.5, 12.0], since=10.0, until=12.5) == pytest.approx(2.5)
    assert longest([1.0, 10.5, 11.0], since=10.0, until=15.0) == pytest.approx(9.5)
    assert longest([9.9, 10.5, 11.0], since=10.0, until=15.0) == pytest.approx(4.0)


def test_recovery_lasts_until_nothing_waits_any_more() -> None:
    """Waits that follow each other closely are one disturbance; a later one, and one before the fault, are not it."""
    waits = [(1.0, 3.0), (10.5, 14.0), (13.0, 18.0), (19.9, 21.0), (40.0, 41.5)]
    assert recovery(waits, since=10.0) == (21.0, 41.5)
    assert recovery([(9.0, 30.0)], since=10.0) == (30.0, 30.0)
    assert recovery([(1.0, 3.0)], since=10.0) == (10.0, 10.0)
