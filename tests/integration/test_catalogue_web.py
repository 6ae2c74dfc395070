"""The catalogue of events as pages and as a document for machines."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from services.catalogue import catalogue
from services.portal.application import create_app
from shared.database import engine_for
from shared.events.catalogue import asyncapi
from shared.settings import SERVICES
from shared.testing.web import KEY, Browser, person, web_settings


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """Give a portal with the catalogue; its database is never asked for anything."""
    nowhere = engine_for("postgresql+psycopg://nobody@127.0.0.1:1/none")
    return create_app(web_settings(), catalogue=catalogue(), engine=nowhere, key=KEY)


def browser(app: FastAPI, role: str = "applicant", **changes: Any) -> Browser:
    """Return somebody who has signed in."""
    return Browser(app, person(role, **changes))


@pytest.mark.english
def test_every_event_stands_on_the_page_with_its_picture(app: FastAPI) -> None:
    """The page lists every event under its service and shows who hears whom, without a script."""
    page = browser(app).get("/docs/events")
    assert page.status_code == 200
    assert [name for name in catalogue().entries if f'href="/docs/events/{name}"' not in page.text] == []
    assert [service for service in SERVICES if f'id="service-{service}"' not in page.text] == []
    assert [service for service in SERVICES if f'<li><a href="#service-{service}">' not in page.text] == []
    assert '<title id="ev-title">Who publishes and who hears</title>' in page.text
    assert "flowchart LR" in page.text


def test_an_event_is_one_line_until_it_is_opened(app: FastAPI) -> None:
    """Closed, an event is its type and one sentence; its address leads to it; few that were found stand open."""
    entry = catalogue().entries["grants.application.awarded"]
    page = browser(app).get("/docs/events").text
    assert f'<details id="{entry.name}"><summary>' in page
    assert page.count("<details id=") == len(catalogue().entries)
    assert "open><summary>" not in page
    opened = browser(app).get(f"/docs/events?q={entry.name}").text
    assert f'<details id="{entry.name}" open><summary>' in opened
    assert '<b>loans</b> <span lang="en">Remember that an organisation holds an award' in opened


@pytest.mark.english
def test_events_are_found_by_type_and_service(app: FastAPI) -> None:
    """The search is an address: part of a type, several words, one service; nothing found is said, not shown empty."""
    found = browser(app).get("/docs/events?q=application.submitted").text
    assert "/docs/events/grants.application.submitted" in found
    assert "/docs/events/grants.application.moved" not in found
    assert "1 event<" in found
    loans = browser(app).get("/docs/events?service=loans").text
    assert 'id="service-loans"' in loans
    assert 'id="service-grants"' not in loans
    assert "No event fits" in browser(app).get("/docs/events?q=%3Cscript%3E").text
    assert browser(app).get(f"/docs/events?q={'x' * 201}").status_code == 422


def test_every_event_has_a_page(app: FastAPI) -> None:
    """An event's page says who acts on it and how, what each field means, its versions, and shows an example."""
    reader = browser(app)
    page = reader.get("/docs/events/grants.application.awarded").text
    assert "Remember that an organisation holds an award" in page
    assert "The reference by which people know the case." in page
    assert "cloudEvents_sequence" in page
    for name in list(catalogue().entries)[::10]:
        assert reader.get(f"/docs/events/{name}").status_code == 200
    assert reader.get("/docs/events/grants.application.unheard_of").status_code == 404


def test_the_document_is_published_as_json_and_yaml(app: FastAPI) -> None:
    """Machines read the same AsyncAPI document in either form."""
    reader = browser(app)
    as_json, as_yaml = reader.get("/docs/events/asyncapi.json"), reader.get("/docs/events/asyncapi.yaml")
    assert as_json.headers["content-type"] == "application/json"
    assert as_yaml.headers["content-type"].startswith("application/yaml")
    assert as_json.json() == asyncapi.document(catalogue())
    assert as_yaml.text == asyncapi.as_yaml(catalogue())


@pytest.mark.parametrize("path", ["", "/asyncapi.json", "/asyncapi.yaml", "/grants.application.moved"])
def test_whoever_has_not_signed_in_is_asked_to(app: FastAPI, path: str) -> None:
    """The catalogue names what the house is made of: pages lead to the sign-in, machines get 401."""
    answer = Browser(app).send("GET", f"/docs/events{path}", headers={"accept": "application/json"})
    assert answer.status_code == 401


def test_the_page_speaks_the_readers_language(app: FastAPI) -> None:
    """In Russian the page's own words and the picture's are Russian; types and descriptions stay as in the code."""
    page = browser(app, locale="ru").get("/docs/events?q=application.submitted").text
    assert "Кто публикует и кто слушает" in page
    assert "1 событие" in page
    assert ">обменник по темам<" in page
    assert "The applicant handed the application in." in page


def test_a_portal_alone_has_no_catalogue() -> None:
    """A portal that runs without the other services says that there is nothing, instead of a part of it."""
    nowhere = engine_for("postgresql+psycopg://nobody@127.0.0.1:1/none")
    app = create_app(web_settings(), engine=nowhere, key=KEY)
    assert browser(app).get("/docs/events").status_code == 404
