"""The rules of how grants end, as a pack states them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events.closeout_rules import closeout_problems

ITEM = {"id": "audit", "name": {"en": "Audit"}}
FLOWS = {"one": {"transitions": [{"id": "close"}, {"id": "terminate"}]}}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"moves": ["end"]}, "moves"),
        ({"termination": {"moves": ["end"]}}, "termination.moves"),
        ({"termination": {"refund_days": 0}}, "termination.refund_days"),
        ({"items": [{"id": "audit", "name": {}}]}, "items.0.name"),
        ({"items": [ITEM | {"proof": "luck"}]}, "items.0.proof"),
        ({"items": [ITEM, ITEM]}, "closeout"),
        ({"moves": ["close"], "termination": {"moves": ["close"]}}, "closeout"),
        ({"checklist": []}, "checklist"),
    ],
)
def test_rules_of_the_end_that_can_not_be_kept_are_refused(content: dict[str, Any], field: str) -> None:
    """A pack with such a file is not loaded: file, field and rule are named."""
    assert [*closeout_problems({"closeout": content, "workflows": FLOWS})] == [f"closeout.yaml: {field}"]


def test_a_pack_without_the_file_or_with_a_good_one_is_loaded() -> None:
    """Nothing is asked of an older pack, and moves that the workflows have are taken."""
    good = {"moves": ["close"], "items": [ITEM], "termination": {"moves": ["terminate"], "refund_days": 14}}
    assert closeout_problems({}) == closeout_problems({"closeout": good, "workflows": FLOWS}) == {}
