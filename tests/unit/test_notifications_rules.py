"""A programme's rules and letters: read, linted, matched, and the ones that ship."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.routing import Match

from services.notifications.cli import read_folder
from services.notifications.domain.audience import BY_EVENT, PARTIES, Person, left_out, wanted_parties
from services.notifications.domain.ruleset import Rule, RuleSet, UnreadableRulesError, read_pack
from services.notifications.handlers import ON
from services.notifications.handlers.learning import examine
from services.notifications.linting import lint
from services.notifications.rendering import COMMON_FIELDS, render
from shared.events import Event, event_types
from shared.money import Money

PROGRAMME = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
MOMENT = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)


def small_pack(**rule: Any) -> dict[str, Any]:
    """Return the smallest pack whose rules are right, with one rule changed."""
    text = {"subject": "{{ reference }}", "text": "{{ title }}"}
    return {
        "notifications": {
            "languages": ["en", "ru"],
            "categories": {"official": {"locked": True, "name": {"en": "Official", "ru": "Официальные"}}},
            "rules": [
                {
                    "id": "one",
                    "event": "grants.application.submitted",
                    "to": ["applicant"],
                    "letter": "hello",
                    "category": "official",
                }
                | rule
            ],
        },
        "letters": {"all": {"hello": {"version": 1, "en": text, "ru": text}}},
    }


@cache
def shipped() -> RuleSet:
    return read_pack(read_folder(PROGRAMME))


def test_shipped_rules_are_clean() -> None:
    """The rules and letters of the shipped programme have no finding at all, not even a warning."""
    assert [str(finding) for finding in lint(shipped())] == []


def test_every_rule_names_an_event_of_the_published_language() -> None:
    """Every rule's event type exists, and the service listens to it or publishes it itself."""
    known = {name for name, _ in event_types()}
    for rule in shipped().rules:
        assert rule.event in known, rule.id
        assert rule.event in ON or rule.event.startswith("notifications."), rule.id


def test_every_move_that_a_rule_names_is_in_a_workflow() -> None:
    """A rule that waits for a transition waits for one that a workflow of the programme has."""
    files = (PROGRAMME / "workflows").glob("*.yaml")
    moves = {move["id"] for file in files for move in yaml.safe_load(file.read_text())["transitions"]}
    named = [move for rule in shipped().rules if (asked := rule.when.get("transition")) for move in _listed(asked)]
    assert len(named) > 30
    assert set(named) <= moves


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_link_leads_to_a_page() -> None:
    """The link of each rule is the address of a page that its service really has."""
    for link in sorted({rule.link for rule in shipped().rules}):
        _, service, path = re.sub(r"{{[^}]*}}", "X-1", link).split("?")[0].split("/", 2)
        if service not in {"grants", "loans", "notifications"}:  # the portal stands at the root
            service, path = "portal", f"{service}/{path}"
        pages = import_module(f"services.{service}.pages")
        routers = [pages.router] if hasattr(pages, "router") else pages.routers
        assert any(leads_somewhere(router, f"/{path}") for router in routers), link
        assert not any(leads_somewhere(router, f"/no/such/{path}") for router in routers), link


def leads_somewhere(router: APIRouter, path: str) -> bool:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router)
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "root_path": ""}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def test_everybody_whom_a_workflow_wants_told_is_told_by_some_rule() -> None:
    """For every transition, each party in its `notify` gets a letter from a rule (of the move, or of its own event)."""
    covered = {
        ("grants.application", "submit"): {"applicant", "officer"},
        ("grants.application", "request-information"): {"applicant"},
        ("grants.application", "start-review"): {"reviewer"},  # by grants.review.assigned
        ("grants.application", "offer-agreement"): {"applicant", "manager"},  # by grants.award.offered
        ("grants.application", "conclude-agreement"): {"applicant", "officer", "finance"},
        ("grants.cofinancing", "accept-agreement"): {"lead_firm", "officer", "finance"},
    }
    for rule in shipped().rules:
        entity = rule.event.rpartition(".")[0]
        for move in _listed(rule.when.get("transition", [])):
            covered.setdefault((entity, move), set()).update(rule.to)
    entities = {"bso-grant": "grants.application", "lead-firm-cofinancing": "grants.cofinancing"}
    missing = []
    for file in sorted((PROGRAMME / "workflows").glob("*.yaml")):
        workflow = yaml.safe_load(file.read_text())
        for move in workflow["transitions"]:
            key = entities[workflow["workflow"]], move["id"]
            missing += [(key, party) for party in move.get("notify", []) if party not in covered.get(key, set())]
    assert missing == []


def sample(annotation: Any, name: str) -> Any:
    """Return a value of an event's field, made from its type."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return sample(next(item for item in get_args(annotation) if item is not NoneType), name)
    made = {
        Money: Money.of("48200.00", "EUR"),
        date: date(2026, 11, 27),
        datetime: MOMENT,
        int: 2,
        bool: True,
        str: "0.095" if name.endswith("rate") else f"<{name}>",
    }
    if annotation in made:
        return made[annotation]
    if origin is list:
        return [sample(get_args(annotation)[0], name)]
    if origin is dict:
        return {"en": f"<{name}>", "ru": f"<{name}>"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {item: sample(field.annotation, item) for item, field in annotation.model_fields.items()}
    raise AssertionError(f"{name} has the type {annotation}")


def sample_fields(event: type[Event]) -> dict[str, Any]:
    own = {name: sample(field.annotation, name) for name, field in event.model_fields.items()}
    return own | {name: f"<{name}>" for name in COMMON_FIELDS} | {"happened_at": MOMENT}


@pytest.mark.parametrize("rule", shipped().rules, ids=lambda rule: rule.id)
def test_every_shipped_letter_reads_well_in_both_languages(rule: Rule) -> None:
    """Each letter renders from its event: one-line subject, greeting, signature, no leftovers of a template."""
    rules = shipped()
    events = {name: model for (name, _), model in event_types().items()}
    for locale, text in rules.letters[rule.letter].texts.items():
        subject, body = render(text, sample_fields(events[rule.event]), locale, rules)
        assert subject
        assert "\n" not in subject
        assert body.count("<reader_name>") == 1
        assert "<link>" in body
        assert "<programme_name>" in body
        assert not {"{{", "{%", "None", "\n\n\n", "  "} & set(body.split(" ")), (rule.id, locale)
        assert "\n\n\n" not in body


def test_unknown_party_is_refused_with_the_known_ones_named() -> None:
    """A rule that writes to a party that does not exist is refused, and the message names those that do."""
    rules, problems, _ = examine(small_pack(to=["aplicant"]))
    assert rules is None
    assert problems[0].startswith("rule one: unknown party aplicant; known: applicant, colleague, finance")


def test_missing_translation_is_refused() -> None:
    """A letter that lacks one of the programme's languages keeps the rules from being adopted."""
    pack = small_pack()
    del pack["letters"]["all"]["hello"]["ru"]
    assert examine(pack)[1] == ["letter hello: no translation into ru"]


def test_unknown_field_is_refused() -> None:
    """A letter may only name fields that its event has, in each of its languages."""
    pack = small_pack()
    pack["letters"]["all"]["hello"]["ru"] = {"subject": "{{ refrence }}", "text": "x"}
    assert examine(pack)[1] == ["letter hello (ru): unknown field refrence for grants.application.submitted"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ title.__class__ }}",
        "{{ title['x'] }}",
        "{{ range(10) }}",
        "{% include 'base.html' %}",
        "{{ 'a' * 99999999 }}",
        "{% macro m() %}x{% endmacro %}",
        "{{ title | safe }}",
        "{% if %}",
    ],
)
def test_a_letter_may_only_name_fields(text: str) -> None:
    """Attributes, calls, includes, arithmetic, macros, unknown filters and broken syntax are refused on load."""
    pack = small_pack()
    pack["letters"]["all"]["hello"]["en"] = {"subject": "x", "text": text}
    rules, problems, _ = examine(pack)
    assert rules is None
    assert problems[0].startswith("letter hello (en): ")


def test_unknown_event_is_only_a_warning() -> None:
    """A rule for an event that this release does not know yet does not keep the others from being adopted."""
    rules, problems, warnings = examine(small_pack(event="grants.application.teleported"))
    assert rules is not None
    assert problems == []
    assert warnings == ["rule one: no event is called grants.application.teleported"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"letter": "goodbye"}, "rule one: unknown letter goodbye"),
        ({"category": "gossip"}, "rule one: unknown category gossip"),
        ({"when": {"transitoin": "submit"}}, "rule one: grants.application.submitted has no field transitoin"),
        ({"link": "/x/{{ nothing }}"}, "rule one: unknown field nothing for grants.application.submitted"),
    ],
)
def test_rules_that_refer_to_nothing_are_refused(change: dict[str, Any], problem: str) -> None:
    """A rule's letter, category, condition and link must all refer to something that exists."""
    assert problem in examine(small_pack(**change))[1]


def test_rules_defined_twice_are_refused() -> None:
    """Two rules of one name are refused, because decisions are kept by the rule's name."""
    pack = small_pack()
    pack["notifications"]["rules"] *= 2
    assert "rule one: defined twice" in examine(pack)[1]


def test_rules_of_a_wrong_shape_say_where() -> None:
    """Rules that are no rules at all are refused with the place, not with a stack trace."""
    with pytest.raises(UnreadableRulesError, match=r"rules\.0\.to"):
        read_pack(small_pack(to=7))
    with pytest.raises(UnreadableRulesError, match="expected a mapping"):
        read_pack({"notifications": ["x"]})


def test_a_list_in_when_means_any_of_its_values() -> None:
    """`when: {transition: [a, b]}` fits either, a plain value fits only itself, and other events never fit."""
    rule = Rule(id="r", event="e.f.g", when={"transition": ["a", "b"], "side": "x"}, to=(), letter="l", category="c")
    assert rule.fits("e.f.g", {"transition": "b", "side": "x"})
    assert not rule.fits("e.f.g", {"transition": "c", "side": "x"})
    assert not rule.fits("e.f.g", {"transition": "a", "side": "y"})
    assert not rule.fits("e.f.h", {"transition": "a", "side": "x"})


def test_language_chain() -> None:
    """Kyrgyz falls back to Russian and then English; a regional variant to its language; the unknown to English."""
    rules = RuleSet(fallback={"ky": ("ru",)})
    assert rules.chain("ky") == ["ky", "ru", "en"]
    assert rules.chain("ru-RU") == ["ru_RU", "ru", "en"]
    assert rules.chain("fr") == ["fr", "en"]
    assert rules.chain("en") == ["en"]


def test_notify_means_whom_the_event_names() -> None:
    """`to: [notify]` takes the parties from the event, each once, and survives events that name none."""
    assert wanted_parties(["officer", "notify"], {"notify": ["applicant", "officer"]}) == ["officer", "applicant"]
    assert wanted_parties(["notify"], {}) == []
    assert wanted_parties(["notify"], {"notify": "applicant"}) == []


ANA = Person(id="ana", name="Ana", roles=("applicant",), organisation="chamber", programmes=("p",))


@pytest.mark.parametrize(
    ("person", "party", "address", "expected"),
    [
        (ANA, "applicant", "org:chamber", None),
        (ANA, "partner", "org:chamber", "other_role"),
        (ANA.model_copy(update={"active": False}), "applicant", "org:chamber", "inactive"),
        (ANA, "officer", "role:officer", None),
        (ANA.model_copy(update={"programmes": ()}), "officer", "role:officer", "other_programme"),
        (ANA, "reviewer", "user:ana", None),
    ],
)
def test_who_is_left_out(person: Person, party: str, address: str, expected: str | None) -> None:
    """People are left out when gone, when they do not stand for their organisation, or are of another programme."""
    assert left_out(person, party, address, "p", None) == expected


def test_nobody_is_told_of_their_own_act() -> None:
    """The actor is left out when the rule says so, and only then."""
    assert left_out(ANA, "applicant", "org:chamber", "p", "user:ana") == "own_act"
    assert left_out(ANA, "applicant", "org:chamber", "p", "user:boris") is None


def test_parties_are_those_that_entities_use() -> None:
    """Every party that a shipped rule writes to has a role by which people of an organisation are found."""
    assert {party for rule in shipped().rules for party in rule.to} <= PARTIES | {BY_EVENT}
