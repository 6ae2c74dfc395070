"""The founding story, acted over HTTP on a whole Tamga."""

from __future__ import annotations

import json
from typing import Any

import pytest
from whole import Running

from services.demo.story import ACTS


def test_the_story_holds(told: dict[str, Any]) -> None:
    """Every act of the story went as it should, and log and accounts are right at its end."""
    assert told["ok"] is True
    assert len(told["acts"]) == ACTS
    assert all(check["code"] == 0 for check in told["checks"].values())


@pytest.mark.parametrize(
    "event",
    [
        "grants.attempt.refused",
        "grants.application.awarded",
        "grants.award.payment_confirmed",
        "grants.cofinancing.released",
        "loans.referral.declined",
        "loans.referral.accepted",
        "loans.loan.disbursement_confirmed",
        "audit.search.performed",
    ],
)
def test_acts_refusals_and_reads_leave_events(told: dict[str, Any], event: str) -> None:
    """Acts, refused attempts and searches are events of the story."""
    assert event in {kind for act in told["acts"] for kind in act["events"]}


def test_every_event_has_its_leaf(told: dict[str, Any]) -> None:
    """Each event of each act stands in the log, at an index of its own."""
    leaves = [leaf for act in told["acts"] for leaf in act["leaves"]]
    assert len(leaves) == sum(len(act["events"]) for act in told["acts"])
    assert len(set(leaves)) == len(leaves)


def test_nothing_is_unaccounted(running: Running, told: dict[str, Any]) -> None:
    """`tamga reconcile` finds every event at every consumer, and exits with 0."""
    done = running.tamga("reconcile", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["unaccounted"] == 0


def test_the_log_verifies_and_proves(running: Running, told: dict[str, Any]) -> None:
    """`tamga audit verify` says the log is whole, and proves one event."""
    verified = running.tamga("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    event = json.loads(running.tamga("events", "list", "--json").stdout)
    first = event["events"][0]["id"] if isinstance(event, dict) else event[0]["id"]
    proved = running.tamga("audit", "prove", first, "--json")
    assert proved.returncode == 0, proved.stdout + proved.stderr
