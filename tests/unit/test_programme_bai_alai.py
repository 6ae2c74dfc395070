"""The second programme's pack: what its text states is in it in its own words, what it does not state is null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.grants.domain.pack import Pack
from services.grants.domain.terms import Rules
from services.notifications.domain.ruleset import read_pack as read_rules
from services.portal.packs import read_pack
from shared.money import Money

PACK: dict[str, Any] = read_pack(Path(__file__).parents[2] / "programmes" / "bai-alai")[1]
FACTS: dict[str, Any] = PACK["programme"]


@pytest.mark.parametrize(
    "quote",
    [
        "Government of Switzerland through the Swiss Agency for Development and Cooperation (SDC)",
        "implemented by Helvetas Kyrgyzstan in cooperation with the Aga Khan Foundation (ACF)",
        "(MCDSP KG) as leading co-coordinator",
        "Alai and Chon-Alai region of Osh oblast, bordering Tajikistan and China",
        "about 100,000 people",
        "increase the economic integration of household production",
        "women and youth employment (including self-employment)",
        "rising the productivity and sales of producers and small businesses in selected sectors",
        "animal breeding (cattle), beekeeping, handicraft and tourism",
        "new businesses led by youth and women",
        "MSD (Market Systems Development)",
        "local fee-based services for start-ups",
        "financing business start-ups in four selected sectors",
        "leading firms and financial service providers in order to finance the value chain",
        "Alai Business Women Association (ABWA)",
        "seven main principles",
    ],
)
def test_what_the_text_says_is_quoted(quote: str) -> None:
    """Each stated fact stands in the pack in the source's own words."""
    assert any(quote in item["text"] for item in FACTS["quotes"])


def test_what_the_text_does_not_state_is_null() -> None:
    """No budget, date, baseline or target is invented; what other sources say stands apart."""
    assert [FACTS[name] for name in ("budget", "launched", "ends", "last_updated")] == [None] * 4
    assert {item[name] for item in FACTS["indicators"] for name in ("baseline", "target", "target_date")} == {None}
    assert FACTS["enrichment"]["phases"][1]["budget"] == {"amount": "3100000.00", "currency": "CHF"}


def test_what_contradicts_is_flagged() -> None:
    """The population of another source and the foundation's wrong letters are kept as stated, with a flag."""
    assert FACTS["population"] == {
        "stated": "about 100,000",
        "flag": "another public source says 126,511 (enrichment)",
    }
    assert any("AKF" in (item["flag"] or "") for item in FACTS["quotes"])


def test_sectors_directions_and_principles_are_counted() -> None:
    """Four sectors, three directions of phase II, seven principles, two regions."""
    counts = [len(FACTS[name]) for name in ("sectors", "objectives", "principles", "regions")]
    assert counts == [4, 3, 7, 2]


def test_services_read_the_pack() -> None:
    """Calls, workflows and rules of co-financing have the shapes that are expected, all money in som."""
    pack = Pack.read(PACK)
    call = pack.call("start-ups-2026")
    assert (call.ceiling, call.reviewers_needed) == (Money.of(300000, "KGS"), 1)
    assert call.workflow in pack.workflows
    assert sum(criterion.weight for criterion in pack.sheet_of(call).criteria) == 100
    rules = Rules.of(PACK["cofinancing"])
    assert (rules.programme_percent, rules.firm_percent, rules.first_in) == (50, 50, True)
    assert {line["up_to"]["currency"] for line in FACTS["delegated_authority"]} == {"KGS"}


def test_letters_come_from_the_programme_beside_it() -> None:
    """Rules and letters are those of the programme that `letters_from` names, at this programme's own time."""
    rules = read_rules(PACK)
    assert rules.timezone == "Asia/Bishkek"
    assert {rule.letter for rule in rules.rules} <= rules.letters.keys()
    assert rules.languages == ("en", "ru")
