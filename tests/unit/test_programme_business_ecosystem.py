"""The first programme's pack: every stated fact is in it, what is not stated is null, and its parts fit each other."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.grants.domain.pack import Pack
from services.grants.domain.terms import Rules
from shared.workflow import Workflow

FOLDER = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
PROGRAMME: dict[str, Any] = yaml.safe_load((FOLDER / "programme.yaml").read_text())
COFINANCING: dict[str, Any] = yaml.safe_load((FOLDER / "cofinancing.yaml").read_text())
CALL: dict[str, Any] = yaml.safe_load((FOLDER / "calls" / "bso-grants-2026.yaml").read_text())


def parts(name: str) -> dict[str, Any]:
    """Return the documents of one of the pack's folders."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in (FOLDER / name).glob("*.yaml")}


@pytest.mark.parametrize(
    "quote",
    [
        "Launched in 2017",
        "seeks to increase productivity, revenues, and jobs for micro-, small- and medium-sized enterprises (MSMEs)",
        "work with financial institutions to increase the available financing to SMEs",
        "Working through a contract with the U.S. firm Palladium",
        "technical assistance in three components",
        "Fifteen percent annual revenue growth rate of assisted MSMEs",
        "5,750 new jobs created in the assisted MSMEs",
        "Last updated: June 04, 2018",
    ],
)
def test_what_the_source_says_is_quoted(quote: str) -> None:
    """Each stated fact stands in the pack in the source's own words."""
    assert any(quote in item["text"] for item in PROGRAMME["quotes"])


def test_what_the_source_does_not_state_is_null() -> None:
    """Budget, end, country, donor, baselines and target dates are not invented."""
    assert [PROGRAMME[name] for name in ("budget", "ends", "country", "donor")] == [None] * 4
    assert all(item["baseline"] is None and item["target_date"] is None for item in PROGRAMME["indicators"])


def test_there_are_three_objectives_and_eight_activities() -> None:
    """The activities are numbered as the source groups them: three, three and two."""
    ids = [[activity["id"] for activity in objective["activities"]] for objective in PROGRAMME["objectives"]]
    assert ids == [["1.1", "1.2", "1.3"], ["2.1", "2.2", "2.3"], ["3.1", "3.2"]]


def test_both_targets_are_there() -> None:
    """Fifteen per cent of growth and 5,750 jobs, the latter by sex and age."""
    targets = {item["id"]: Decimal(item["target"]) for item in PROGRAMME["indicators"]}
    assert targets == {"revenue-growth": 15, "new-jobs": 5750}
    assert PROGRAMME["indicators"][1]["disaggregation"] == ["sex", "age"]


def test_enrichment_is_kept_apart() -> None:
    """Contract, donor and grantees from elsewhere are marked as enrichment, eight grantees of them."""
    assert PROGRAMME["enrichment"]["contract"] == "AID-165-C-17-00001"
    assert len(PROGRAMME["enrichment"]["grantees"]) == 8


def test_the_service_can_read_the_pack() -> None:
    """Calls, sheets, checklists and workflows fit the shapes that the grants service expects."""
    content = {"programme": PROGRAMME} | {name: parts(name) for name in ("calls", "workflows", "scoring", "checklists")}
    pack = Pack.read(content)
    call = pack.call("bso-grants-2026")
    assert call.workflow in pack.workflows
    assert [item.checklist for item in pack.checklists_of(call)] == ["eligibility", "due-diligence"]


def test_weights_and_milestones_add_up() -> None:
    """The scoring sheet's weights and the milestones' parts are each 100, the threshold is 60."""
    sheet = parts("scoring")["bso-grant"]
    assert sum(Decimal(item["weight"]) for item in sheet["criteria"]) == 100
    assert sheet["threshold"] == "60"
    assert sum(Decimal(item["percent"]) for item in CALL["milestones"]) == 100


def test_requirements_name_what_the_call_has() -> None:
    """Documents and checklists that moves require are those of the call."""
    workflow = Workflow.checked(parts("workflows")["bso-grant"])
    needed = {item.partition(":")[::2] for move in workflow.transitions for item in move.requires if ":" in item}
    documents = {item["type"] for item in CALL["documents"] if item["required"]}
    assert {name for kind, name in needed if kind == "document"} == documents == {"registration", "budget_quotes"}
    assert {name for kind, name in needed if kind == "checklist"} == set(CALL["checklists"].values())


def test_delegations_name_real_moves() -> None:
    """Authority is delegated for moves that require it, or for the release of money, in the programme's currency."""
    moves = {
        move["id"]
        for workflow in parts("workflows").values()
        for move in workflow["transitions"]
        if "authority" in move.get("requires", [])
    }
    assert {line["act"] for line in PROGRAMME["delegated_authority"]} == moves | {"release"}
    assert {line["up_to"]["currency"] for line in PROGRAMME["delegated_authority"]} == {"EUR"}


def test_co_financing_rules_fit_their_workflow() -> None:
    """Shares are 60:40 and add up, the three kinds are the source's, stages and moves named exist."""
    rules = Rules.of(COFINANCING)
    workflow = Workflow.checked(parts("workflows")[COFINANCING["workflow"]])
    assert (rules.programme_percent, rules.firm_percent) == (60, 40)
    assert list(rules.kinds) == ["msme_development", "workforce_development", "local_economic_development"]
    stages = {stage.id for stage in workflow.stages}
    assert {stage for places in rules.acts_at.values() for stage in places} <= stages
    assert set(rules.agreed_by.values()) <= {move.id for move in workflow.transitions}


def test_every_name_is_in_english_and_russian() -> None:
    """Whatever has a name in the pack has it in both languages."""

    def names(item: Any) -> list[dict[str, str]]:
        if isinstance(item, list):
            return [name for part in item for name in names(part)]
        if not isinstance(item, dict):
            return []
        own = [item] if "en" in item and all(isinstance(value, str) for value in item.values()) else []
        return own + [name for value in item.values() for name in names(value)]

    documents = [
        PROGRAMME,
        COFINANCING,
        *(doc for name in ("calls", "workflows", "scoring", "checklists") for doc in parts(name).values()),
    ]
    found = [name for document in documents for name in names(document)]
    assert len(found) > 150
    assert [name for name in found if not name.get("ru", "").strip()] == []
