"""Somebody else's case: every page, file and act that is about one stays closed to whoever has no part in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute
from grants_world import Case, Person, World

from services.grants import api, pages
from services.portal.packs import read_pack
from shared.testing.stand import Stand
from tests.contracts.test_routes import routes

OTHER = Path(__file__).parents[2] / "programmes" / "bai-alai"
TITLE, APPLICANT = "Labour-force training service", "Chamber of Crafts"
# Who has signed in rightly and has no part in the case.
STRANGERS = ("start_up", "field_officer", "coordinator", "lead_firm", "reviewer_three", "bank_one")


@pytest.fixture(scope="module")
def told(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, str]:
    """Give a house with two programmes and an approved case of the first; returns its reference."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    programme, pack, _ = read_pack(OTHER)
    world.learn(programme, pack | {"people": yaml.safe_load((OTHER / "people.yaml").read_text())})
    return world, Case(world).approved().reference


def about_a_case() -> list[APIRoute]:
    """Return the routes whose address names a case."""
    found = [route for router in (api.router, pages.router) for route in routes(router)]
    return [route for route in found if "{reference}" in route.path]


def address(route: APIRoute, reference: str) -> str:
    """Return the address of the case's own; any other part of it is the first that there could be."""
    prefix = "/api" if route.path.startswith("/api") else ""
    path = route.path.replace("{reference}", reference)
    return prefix + re.sub(r"\{[^}]+\}", "1", path.removeprefix(prefix))


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_opens_nothing_of_a_case(told: tuple[World, str], name: str) -> None:
    """Each route that names a case answers as if there were none, and no answer says whose it is or how it stands."""
    world, reference = told
    stranger: Person = world.people[name]
    found = about_a_case()
    assert len(found) > 100
    wrong = {}
    for route in found:
        for method in route.methods - {"HEAD"}:
            path = address(route, reference)
            options = (
                {}
                if method == "GET"
                else {"json": {}}
                if path.startswith("/api")
                else {"data": {"csrf": stranger.identity.csrf}}
            )
            answer = stranger.request(method, path, headers={"accept": "text/html"}, **options)
            # 422: what was sent has not even the form of an act, which is said before anything is looked up.
            shut = {403, 404} if method == "GET" else {403, 404, 422}
            own = stranger.identity.organisation_name == APPLICANT  # which stands at the top of each of their pages
            told_too_much = TITLE in answer.text or (APPLICANT in answer.text and not own)
            if answer.status_code not in shut or told_too_much:
                wrong[f"{method} {route.path}"] = (answer.status_code, answer.text[:200])
    assert wrong == {}


def test_a_stranger_finds_nothing_of_a_case(told: tuple[World, str]) -> None:
    """Lists, boards, searches, files of lists, funds and the search of the top know nothing of the case either."""
    world, reference = told
    found = [route for router in (api.router, pages.router) for route in routes(router)]
    lists = sorted({route.path for route in found if "{" not in route.path and "GET" in route.methods})
    assert len(lists) > 25
    wrong = {}
    for name in STRANGERS:
        for path in lists:
            asked = f"{path}?q={reference}&case={reference}"
            answer = world.people[name].request("GET", asked, headers={"accept": "text/html"})
            if answer.status_code >= 500 or TITLE in answer.text:
                wrong[f"{name} {path}"] = (answer.status_code, answer.text[:200])
    assert wrong == {}
