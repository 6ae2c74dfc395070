"""What is wrong with a programme's pack: the same for a pack from files and for a call edited in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.events.award_rules import award_rule_problems
from shared.events.call_rules import call_rule_problems
from shared.events.closeout_rules import closeout_problems
from shared.events.cofinancing_rules import CofinancingRules
from shared.events.decision_rules import decision_problems
from shared.events.diligence_rules import diligence_problems
from shared.events.partner_rules import partner_problems
from shared.events.payment_rules import payment_problems
from shared.events.product_rules import product_problems
from shared.events.publishing_facts import publishing_problems
from shared.events.reporting_rules import reporting_problems
from shared.events.retention_rules import retention_problems
from shared.events.round_rules import round_problems
from shared.events.watch_rules import watch_problems
from shared.forms import call_problems, judging_problems
from shared.web.forms import field_errors
from shared.workflow import Workflow, WorkflowError

_PROBLEMS = (
    call_problems,
    award_rule_problems,
    decision_problems,
    payment_problems,
    reporting_problems,
    closeout_problems,
    diligence_problems,
    judging_problems,
    partner_problems,
    call_rule_problems,
    round_problems,
    product_problems,
    retention_problems,
    watch_problems,
)


def pack_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"<file>: <field>": rule} of everything that can't be used in a pack, but for its workflows."""
    wrong = {field: rule for check in _PROBLEMS for field, rule in check(pack).items()}
    facts = pack.get("programme")
    if not isinstance(facts, Mapping) or not isinstance(facts.get("programme"), str) or not facts["programme"]:
        return wrong | {"programme.yaml": "must name the programme: `programme: its-id`"}
    wrong |= {f"cofinancing.yaml: {field}": rule for field, rule in _cofinancing_problems(pack).items()}
    wrong |= {f"programme.yaml: {field}": rule for field, rule in dict(publishing_problems(facts)).items()}
    if not isinstance(two_people(pack), bool):
        wrong["programme.yaml: settings.calls_by_two_people"] = "must be true or false"
    return wrong


def two_people(pack: Mapping[str, Any]) -> Any:
    """Return whether a call is published by another person than who wrote it."""
    settings = pack.get("programme", {}).get("settings")
    return settings.get("calls_by_two_people", False) if isinstance(settings, Mapping) else False


def _cofinancing_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong when the rules of co-financing contradict themselves."""
    if "cofinancing" not in pack:
        return {}
    try:
        rules = CofinancingRules.model_validate(pack["cofinancing"])
    except ValidationError as error:
        return field_errors(error.errors(include_url=False, include_input=False))
    flows = pack.get("workflows")
    known = [flow for flow in flows.values() if isinstance(flow, dict)] if isinstance(flows, dict) else []
    named = {str(flow.get("workflow")): flow for flow in known}
    return {**rules.misfits(), **rules.misfits_with(named.get(rules.workflow))}


def workflow_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {file of a workflow: what the linter calls an error in it}."""
    documents = pack.get("workflows", {})
    if not isinstance(documents, dict):
        return {"workflows": "is a folder with a file for each workflow"}
    wrong = {}
    for name, document in documents.items():
        try:
            Workflow.checked(document)
        except WorkflowError as error:
            wrong[f"workflows/{name}.yaml"] = str(error)
    return wrong
