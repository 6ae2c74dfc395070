"""Every page of the grants service can be reached by clicking, by everyone who may open it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from services.portal.pages.home import LANDING
from shared.settings import SERVICES
from shared.web import navigation
from shared.web.identity import Identity
from tests.contracts.test_routes import actions, application, routes

ROOT = Path(__file__).parents[2]
ROLES = tuple(LANDING)
app_of = cache(application)
# Parts that pages load by themselves, and pages behind a form or beside the page that they belong to.
NO_PAGES = ("/api/", "/fragments/", "/operations/", "/health")
BESIDE = {
    "/grants/board": ("/grants/", "queue_parts.html"),
    "/grants/bulk/new": ("/grants/", "queue.html"),
    "/grants/cofinancing/new": ("/grants/cofinancing", "cofinancing/list.html"),
    "/grants/indicators.csv": ("/grants/indicators", "reports/indicators.html"),
    "/grants/ageing.csv": ("/grants/ageing", "ageing.html"),
    "/grants/ledger.csv": ("/grants/ledger", "ledger_funds.html"),
}
# In these the address is made by the page itself and not written in the template.
MADE = {"/grants/board": "board_path"}
# An auditor reads the tasks of a case on its own page, and has none of their own.
NOT_THEIRS = {("/grants/day", "auditor")}


def menu(role: str) -> set[str]:
    """Return the addresses of a role's menu."""
    return {href for href, _ in navigation.links_for(Identity(user="1", name="One", roles=(role,)))}


def pages_of(service: str) -> dict[str, dict[str, str]]:
    """Return the pages of a service that need no parameter, with the roles that may open each."""
    app = app_of(service)
    return {
        f"/{service}{route.path}": app.state.policy.table[next(actions(route.dependant))]
        for route in routes(app)
        if "GET" in (route.methods or ()) and "{" not in route.path and not route.path.startswith(NO_PAGES)
    }


def test_every_page_of_grants_stands_in_the_menu_of_all_who_may_open_it() -> None:
    """A page that a role may open stands in that role's menu, or beside one that does."""
    found = pages_of("grants")
    lost = {}
    for page, allowed in found.items():
        shown = BESIDE.get(page, (page, ""))[0]
        who = [role for role in ROLES if role in allowed and (page, role) not in NOT_THEIRS]
        lost[page] = [role for role in who if shown not in menu(role)]
    assert {page: roles for page, roles in lost.items() if roles} == {}
    assert len(found) > 20
    assert set(BESIDE) <= set(found)


def test_a_page_beside_another_is_linked_from_it() -> None:
    """The template of the page beside which another stands carries its address."""
    folder = ROOT / "services" / "grants" / "templates"
    for page, (_, template) in BESIDE.items():
        assert re.search(re.escape(MADE.get(page, page)), (folder / template).read_text()), page


def test_the_menu_leads_nobody_to_a_closed_door() -> None:
    """Every address of a role's menu is a page that this role may open, whichever service has it."""
    tables = {service: app_of(service).state.policy.table for service in SERVICES}
    doors = {}
    for service in SERVICES:
        app = app_of(service)
        for route in routes(app):
            if "GET" in (route.methods or ()):
                place = route.path if service == "portal" else f"/{service}{route.path}"
                doors[place] = tables[service][next(actions(route.dependant))]
    for role in ROLES:
        for href in menu(role):
            assert set(doors[href]) & {role, "signed_in", "anyone"}, f"{role}: {href}"


def test_every_role_lands_at_a_place_of_its_menu_and_searches_there() -> None:
    """Where a role begins, and where its search leads, is a page of its own menu."""
    for role, landing in LANDING.items():
        assert landing in menu(role)
        assert navigation.SEARCH[role] in menu(role)
