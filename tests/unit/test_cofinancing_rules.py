"""Rules of co-financing that contradict themselves are refused when a programme is loaded, by file, field and rule."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from services.grants.domain.terms import Rules
from services.portal.packs import read_pack
from shared.errors import InvalidError
from shared.events.cofinancing_rules import METHODS

PROGRAMMES = Path(__file__).parents[2] / "programmes"
SHIPPED = sorted(PROGRAMMES.glob("*/cofinancing.yaml"))
FOLDER = PROGRAMMES / "business-ecosystem"


def refusal(tmp_path: Path, **changed: Any) -> dict[str, str]:
    """Return what loading the programme with other rules is refused for."""
    folder = tmp_path / "pack"
    shutil.copytree(FOLDER, folder)
    file = folder / "cofinancing.yaml"
    rules = yaml.safe_load(file.read_text()) | changed
    file.write_text(
        yaml.safe_dump({name: value for name, value in rules.items() if value != "gone"}, allow_unicode=True)
    )
    with pytest.raises(InvalidError) as refused:
        read_pack(folder)
    return refused.value.fields


def tiers(*starts: tuple[str, str | None, str]) -> list[dict[str, Any]]:
    """Return a scale of (at least, below, percent)."""
    return [{"at_least": start, "below": below, "percent": percent} for start, below, percent in starts]


IN_KIND = {"cap_percent": "25", "cap_base": "contribution", "bases": list(METHODS)}


@pytest.mark.parametrize(
    ("changed", "field", "rule"),
    [
        ({"shares": {"programme": "120", "firm": "40"}}, "shares.programme", "120 %; a share is between 0 and 100 %"),
        ({"shares": {"programme": "60", "firm": "50"}}, "shares", "add up to 110 %"),
        ({"shares": "gone"}, "shares", "must say what the firm brings"),
        ({"tiers": tiers(("0", "300000", "20"), ("250000", None, "30"))}, "tiers", "overlap: the tier from 250000"),
        ({"tiers": tiers(("0", None, "20"), ("0", None, "30"))}, "tiers", "overlap"),
        ({"tiers": tiers(("0", "200000", "20"), ("250000", None, "30"))}, "tiers", "leave out projects from 200000"),
        ({"tiers": tiers(("1000", None, "20"))}, "tiers", "start at 1000"),
        ({"in_kind": IN_KIND | {"cap_base": "profit"}}, "in_kind.cap_base", "is none of contribution, total"),
        ({"in_kind": IN_KIND | {"cap_percent": "101"}}, "in_kind.cap_percent", "between 0 and 100"),
        ({"in_kind": IN_KIND | {"cap_base": "total"}}, "in_kind.bases", "not those of valuations: space, supplies"),
        ({"tranches": [{"percent": "40"}, {"percent": "40", "after_months": 6}]}, "tranches", "add up to 80 %"),
        ({"programme_share_cap": {"amount": "1", "currency": "USD"}}, "programme_share_cap", "an amount in EUR"),
        ({"cash_floor": "10"}, "cash_floor", "is not a field"),
        ({"workflow": "nowhere"}, "workflow", "no workflow “nowhere”"),
        ({"agreed_by": {"programme": "nod", "firm": "accept-agreement"}}, "agreed_by.programme", "no move “nod”"),
        ({"agreed_by": {"firm": "accept-agreement"}}, "agreed_by.programme", "is required"),
        ({"second_hand_evidence": ["horoscope"]}, "documents", "do not name: horoscope"),
    ],
)  # fmt: skip
def test_wrong_rules_are_refused_by_file_field_and_rule(
    tmp_path: Path, changed: dict[str, Any], field: str, rule: str
) -> None:
    """The refusal names the file and the field, and says what is wrong with it."""
    fields = refusal(tmp_path, **changed)
    assert rule in fields[f"cofinancing.yaml: {field}"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.parent.name)
def test_every_shipped_programme_has_rules_that_fit(file: Path) -> None:
    """All packs with co-financing load, and every code, document and way of valuing has a name to show."""
    _, pack, _ = read_pack(file.parent)
    rules = Rules.of(pack["cofinancing"])
    shown = {*rules.ineligible, *rules.valuations, *(kind for kinds in rules.evidence.values() for kind in kinds)}
    assert shown <= set(rules.names)


def test_grants_reads_with_the_same_rules() -> None:
    """A pack that reached grants by another way than the portal is refused there too."""
    pack = yaml.safe_load((FOLDER / "cofinancing.yaml").read_text())
    with pytest.raises(ValidationError):
        Rules.of(pack | {"cash_minimum_percent": "175"})
