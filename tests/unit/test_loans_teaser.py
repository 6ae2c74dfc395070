"""A teaser is made of codes and bands, and of what is rare so much is left out that it points to nobody."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.loans.domain.teaser import Band, Cell, band_of, cell_of, generalised
from shared.events.round_rules import TeaserRules, round_problems

PACK = Path(__file__).parents[2] / "programmes" / "business-ecosystem" / "finance.yaml"
RULES = TeaserRules.model_validate(yaml.safe_load(PACK.read_text())["teaser"])
OWN = Cell("103", "pelagonia", "small")


def firms(*cells: Cell) -> list[tuple[str, Cell]]:
    """Return a firm for each cell, and the one in question."""
    return [("own", OWN), *((f"firm-{place}", cell) for place, cell in enumerate(cells))]


def test_five_alike_are_told_as_they_are() -> None:
    """With k firms of the same sector, region and size nothing is left out."""
    assert generalised(OWN, firms(*[OWN] * 4), 5) == (OWN, [])


def test_the_region_goes_first_then_the_sector_then_the_size() -> None:
    """One thing after another is left out, until k firms share the rest; a firm that is alone says none of them."""
    elsewhere, otherwise = OWN._replace(region="skopje"), OWN._replace(region="skopje", sector="562")
    assert generalised(OWN, firms(*[elsewhere] * 4), 5) == (OWN._replace(region=""), ["region"])
    assert generalised(OWN, firms(*[otherwise] * 4), 5) == (Cell("", "", "small"), ["region", "sector"])
    assert generalised(OWN, firms(), 5) == (Cell("", "", ""), ["region", "sector", "size"])


def test_one_firm_with_many_proposals_is_one_firm() -> None:
    """Firms are counted, not proposals: a firm that asks five times does not hide behind itself."""
    assert generalised(OWN, [("own", OWN)] * 9, 5)[1] == ["region", "sector", "size"]


_CELLS = st.builds(
    Cell,
    st.sampled_from(["103", "562", ""]),
    st.sampled_from(["skopje", "east", ""]),
    st.sampled_from(["micro", "small"]),
)


@given(st.lists(_CELLS, max_size=40), _CELLS, st.integers(2, 8))
def test_what_is_said_is_shared_by_k_firms(cells: list[Cell], own: Cell, k: int) -> None:
    """Whatever the firms are, at least k of them have all that a teaser says, or it says nothing."""
    known = [("own", own), *((str(place), cell) for place, cell in enumerate(cells))]
    said, _ = generalised(own, known, k)
    alike = [firm for firm, cell in known if all(value in {"", cell[place]} for place, value in enumerate(said))]
    assert len(alike) >= k or not any(said)


@pytest.mark.parametrize(
    ("figure", "low", "high"),
    [("4999.99", None, "5000"), ("5000", "5000", "10000"), ("40000", "20000", "50000"), ("9e6", "250000", None)],
)
def test_a_band_holds_its_lower_edge(figure: str, low: str | None, high: str | None) -> None:
    """An amount on an edge belongs to the band above it; the first and the last band have one edge."""
    edges = [None if edge is None else Decimal(edge) for edge in (low, high)]
    assert band_of(Decimal(figure), RULES.amounts) == Band(low=edges[0], high=edges[1])


def test_what_can_not_be_coded_is_not_told() -> None:
    """A sector or place in free words becomes nothing, never a part of the words."""
    assert cell_of("1030", "Bitola, Shirok Sokak 1", "14", RULES) == OWN
    assert cell_of("Vera's ajvar", "behind Vera's house", "a dozen", RULES) == Cell("", "", "")


@pytest.mark.parametrize(
    ("teaser", "place", "rule"),
    [
        ({"k": 1}, "teaser.k", "2"),
        ({"amounts": ["5", "5"]}, "teaser.amounts", "go up"),
        ({"dscr": []}, "teaser.dscr", "1"),
        ({"rigions": []}, "teaser.rigions", ""),
        ({"regions": [{"code": "a", "name": {"ru": "А"}, "places": ["X"]}]}, "teaser.regions.0.name", "English"),
        ({"regions": [{"code": c, "name": {"en": c}, "places": ["X"]} for c in ("a", "b")]}, "teaser", "one region"),
        ({"reasons": [{"code": "a", "name": {"en": "A"}}] * 2}, "teaser", "once"),
    ],
)
def test_wrong_rules_are_refused_when_loaded(teaser: dict[str, Any], place: str, rule: str) -> None:
    """A pack whose rules contradict themselves names the field and what is wrong with it."""
    wrong = round_problems({"finance": {"teaser": teaser}})
    assert list(wrong) == [f"finance.yaml: {place}"]
    assert rule in wrong[f"finance.yaml: {place}"]
    assert round_problems({"finance": {"sequence": {"patience_days": -1}}})
    assert round_problems({"finance": {}}) == round_problems({}) == {}
