"""What a proposal's history calls the acts it lists."""

from __future__ import annotations

import pytest

from services.loans import PUBLISHES
from services.loans.pages.words import ACTS

STORIES = (
    "proposal",
    "referral",
    "loan",
    "fee",
    "teaser",
    "sequence",
    "improvement",
    "guarantee",
    "tripartite",
    "group",
)


@pytest.mark.parametrize("story", STORIES)
def test_no_act_of_a_case_is_shown_by_its_type(story: str) -> None:
    """Every act that a proposal, or what came of it, can publish has words of its own in the history."""
    acts = {kind for kind in PUBLISHES if kind.startswith(f"loans.{story}.")}
    assert acts
    assert acts - ACTS.keys() == set()
