"""Products in a pack are checked when the pack is loaded: file, product, field and rule are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.portal.handlers.checking import pack_problems
from services.portal.packs import read_pack
from shared.events.product_rules import product_problems

FOLDER = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
GROWTH = "finance.yaml: products.2 (Growth loan)"


def pack(**changed: Any) -> dict[str, Any]:
    """Return the founding pack's part about loans, its third product changed."""
    names = ("programme", "finance")
    found = {name: yaml.load((FOLDER / f"{name}.yaml").read_text(), yaml.CSafeLoader) for name in names}
    found["finance"]["products"][2]["terms"] |= changed
    return found


def test_every_shipped_pack_loads() -> None:
    """The products of each programme that is shipped break no rule."""
    folders = [file.parent for file in FOLDER.parent.glob("*/programme.yaml")]
    assert FOLDER in folders
    assert {folder.name: product_problems(read_pack(folder)[1]) for folder in folders} == {
        folder.name: {} for folder in folders
    }


@pytest.mark.parametrize(
    ("changed", "field", "rule"),
    [
        ({"currency": "USD"}, "currency", "must be EUR, the programme's"),
        ({"currency": "euro"}, "currency", "must"),
        ({"amount_min": "200000"}, "amount_max", "must be at least 200000.00"),
        ({"rate_max_percent": "101"}, "rate_max_percent", "must be at most 100"),
        ({"term_max": 361}, "term_max", "must be at most 360"),
        ({"every_months": 5}, "every_months", "must be one of: 1, 3, 6, 12"),
        ({"purposes": ["yacht"]}, "purposes", "is not known: yacht"),
        ({"rules": [{"rule": "dscr"}]}, "rules.0.at_least", "is required"),
        ({"rules": [{"rule": "dscr", "at_least": "11"}]}, "rules.0.at_least", "must be between 0 and 10"),
        ({"rules": [{"rule": "luck", "at_least": "1"}]}, "rules.0.rule", "must be one of: dscr"),
        ({"rules": [{"rule": "dscr", "at_leest": "1"}]}, "rules.0.at_leest", "is not known here"),
        ({"rate": "9"}, "rate", "is not known here"),
    ],
)
def test_a_product_that_can_not_be_published_stops_the_pack(changed: dict[str, Any], field: str, rule: str) -> None:
    """Currency, figures, terms and conditions: the refusal names the product by place and name, and the field."""
    wrong = product_problems(pack(**changed))
    assert next(iter(wrong)) == f"{GROWTH}.{field}"
    assert str(wrong[f"{GROWTH}.{field}"]).startswith(rule)
    assert f"{GROWTH}.{field}" in pack_problems(pack(**changed))


def test_the_bank_and_the_list_itself_are_checked() -> None:
    """A product of a bank that is no partner, one without terms, and a list that is none are refused."""
    given = pack()
    given["finance"]["products"][2]["bank"] = "bank-nine"
    assert product_problems(given) == {f"{GROWTH}.bank": "is no finance partner of the programme"}
    given["finance"]["products"] = [{"bank": "bank-one"}, "loan"]
    assert list(product_problems(given)) == ["finance.yaml: products.0", "finance.yaml: products.1"]
    given["finance"]["products"] = {"bank": "bank-one"}
    assert product_problems(given) == {"finance.yaml: products": "is a list of products"}
    assert product_problems({"programme": {}}) == {}
