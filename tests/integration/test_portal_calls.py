"""Calls written in the browser: drafts, publishing as a version of the pack, and files that come afterwards."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.portal import bootstrap, cli, storage
from services.portal.application import create_app
from services.portal.domain import User
from services.portal.domain.call_parts import PARTS
from shared.database import Context, UnitOfWork, system
from shared.settings import settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

PACK = Path("programmes/business-ecosystem")
PROGRAMME, CALL = "business-ecosystem", "bso-grants-2026"


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a portal with the first programme."""
    engine = stand.database("portal")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, PACK, people=False)
    return engine


@pytest.fixture
def app(engine: Engine) -> Any:
    """Give the portal's app."""
    return create_app(web_settings(), engine=engine, key=KEY)


def _manager(app: Any, user: str = "u-1", **changes: Any) -> Browser:
    return Browser(app, person("programme_manager", user, **changes))


def _begun(browser: Browser, **form: Any) -> str:
    answer = browser.post(f"/programmes/{PROGRAMME}/calls", {"call": CALL, **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _fields(page: str) -> dict[str, Any]:
    """Return what a browser would post of the page's form as it stands."""
    found: dict[str, Any] = {}
    body = page[page.index('<form method="post" novalidate') :]
    for tag in re.findall(r"<input[^>]*>", body):
        name, value = (re.search(rf'\b{attr}="([^"]*)"', tag) for attr in ("name", "value"))
        if name and name[1] != "csrf" and ("checkbox" not in tag or " checked" in tag):
            found.setdefault(name[1], []).append(value[1] if value else "")
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', body, re.DOTALL):
        found[name] = [inner]
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', body, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        found[name] = [chosen[1] if chosen else ""]
    return {name: [_plain(item) for item in values] for name, values in found.items()}


def _plain(value: str) -> str:
    for code, letter in {"&#34;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}.items():
        value = value.replace(code, letter)
    return value


def _draft(browser: Browser, place: str) -> dict[str, Any]:
    found: dict[str, Any] = browser.get("/api" + place, headers={"accept": "application/json"}).json()
    return found


@pytest.mark.english
def test_a_call_is_changed_and_published_as_a_version(app: Any, engine: Engine) -> None:
    """Pages saved as they stand change nothing; wrong weights keep it from being published; then it is version 2."""
    browser = _manager(app)
    place = _begun(browser)
    assert _begun(browser) == place
    for name in (*(f"parts/{part.id}" for part in PARTS), "questions/partner_shares"):
        page = browser.get(f"{place}/{name}")
        assert page.status_code == 200, page.text
        browser.post(f"{place}/{name}", _fields(page.text) | {"go": "save"})
    assert _draft(browser, place)["differences"] == {}
    fields = _fields(browser.get(f"{place}/parts/scoring").text)
    browser.post(f"{place}/parts/scoring", fields | {"scoring.criteria.0.weight": "24", "go": "done"})
    refused = browser.post(f"{place}/publication", {"version": _draft(browser, place)["version"]})
    assert refused.status_code == 422
    assert "weights add up to 99, not to 100" in refused.text
    fields = _fields(browser.get(f"{place}/parts/scoring").text)
    fields |= {"scoring.criteria.0.weight": "30", "scoring.criteria.1.weight": "20", "go": "done"}
    browser.post(f"{place}/parts/scoring", fields)
    assert "30" in browser.get(f"{place}/differences").text
    done = browser.post(f"{place}/publication", {"version": _draft(browser, place)["version"]})
    assert done.status_code == 303, done.text
    assert "Published as version 2" in browser.get(place).text
    assert "criteria.relevance.weight" in browser.get(f"/programmes/{PROGRAMME}/versions/2").text
    with engine.connect() as connection:
        kinds = connection.execute(text("SELECT type FROM outbox WHERE programme = :p"), {"p": PROGRAMME}).scalars()
        assert {"portal.programme.loaded", "portal.call_draft.published"} <= set(kinds)


def test_two_people_on_one_draft_meet(app: Any) -> None:
    """The same page changed by both is put side by side with 409; another page goes through; nothing is lost."""
    ana, ben = _manager(app), _manager(app, "u-2")
    place = _begun(ana)
    texts, window = (_fields(ben.get(f"{place}/parts/{name}").text) for name in ("texts", "window"))
    ana.post(f"{place}/parts/texts", texts | {"call.name.en": "Grants of Ana"})
    assert ben.post(f"{place}/parts/window", window | {"call.closes_on": "2027-01-31"}).status_code == 303
    refused = ben.post(f"{place}/parts/texts", texts | {"call.name.en": "Grants of Ben"})
    assert refused.status_code == 409
    assert {"Grants of Ana", "Grants of Ben"} <= set(re.findall(r"<(?:del|ins)>([^<]*)<", refused.text))
    assert _draft(ana, place)["content"]["call"]["name"]["en"] == "Grants of Ana"
    assert ben.post(f"{place}/parts/texts", _fields(refused.text)).status_code == 303
    call = _draft(ana, place)["content"]["call"]
    assert (call["name"]["en"], call["closes_on"]) == ("Grants of Ben", "2027-01-31")
    stale = ana.json("PUT", f"/api{place}", {"version": 1, "call": call, "scoring": {}})
    assert (stale.status_code, stale.json()["type"].rpartition(":")[2]) == (409, "stale-version")


def test_a_draft_is_its_programmes_managers_alone(app: Any) -> None:
    """Officers may not see it, managers of other programmes are not told that it exists."""
    place = _begun(_manager(app))
    elsewhere = _manager(app, "u-7", programmes=("bai-alai",))
    for path in (place, f"{place}/parts/texts", f"{place}/questions", f"{place}/differences", f"/api{place}"):
        assert Browser(app, person("officer")).get(path).status_code == 403
        assert elsewhere.get(path).status_code == 404
    assert elsewhere.get(f"/programmes/{PROGRAMME}/calls").status_code == 404
    assert elsewhere.get(f"/programmes/{PROGRAMME}/versions").status_code == 404
    assert _manager(app).get(f"{place}/parts/nothing").status_code == 404


@pytest.mark.english
def test_the_form_is_edited_as_questions_and_as_text(app: Any) -> None:
    """A question is added on a page of its own; text that is no JSON, or no form, comes back with what is wrong."""
    browser = _manager(app)
    place = _begun(browser)
    page = browser.get(f"{place}/questions").text
    asked = {"go": "ask:results", "new.results.kind": "yes_no", "new.results.id": "followed_up"}
    answer = browser.post(f"{place}/questions", _fields(page) | asked)
    assert answer.headers["location"] == f"{place}/questions/followed_up"
    question = _fields(browser.get(answer.headers["location"]).text)
    said = {"label.en": "Do you follow up?", "label.ru": "Следите ли вы?", "required": "true", "go": "done"}
    browser.post(f"{place}/questions/followed_up", question | said)
    assert _draft(browser, place)["problems"] == {}
    form = _draft(browser, place)["content"]["call"]["form"]
    assert (form["properties"]["followed_up"]["type"], form["required"][-1]) == ("boolean", "followed_up")
    text_page = _fields(browser.get(f"{place}/json/form").text)
    for typed, said_wrong in (
        ('{"a": 1', "line 1, character 8"),
        ('{"properties": 5}', "must be a mapping"),
    ):
        refused = browser.post(f"{place}/json/form", text_page | {"text": typed})
        assert (refused.status_code, said_wrong in refused.text) == (422, True)
    form["properties"]["followed_up"]["pattern"] = "y"
    browser.post(f"{place}/json/form", text_page | {"text": json.dumps(form)})
    assert list(_draft(browser, place)["problems"]) == ["call.form.properties.followed_up.pattern"]


def test_indicators_and_columns_are_edited_as_rows(app: Any) -> None:
    """Rows come and go by their buttons, within rows too; what is wrong stands beside its field and is kept."""
    browser = _manager(app)
    place = _begun(browser)
    page, row = f"{place}/parts/indicators", "call.indicators.3"
    added = browser.post(page, _fields(browser.get(page).text) | {"go": f"add:{row}.disaggregation"})
    fields = _fields(browser.get(added.headers["location"].partition("#")[0]).text)
    said = {"name.en": "Size", "name.ru": "Размер", "parts": "small | Small | Малые", "id": ""}
    fields |= {f"{row}.disaggregation.0.{member}": text for member, text in said.items()}
    browser.post(page, fields | {"go": "drop:call.indicators:0"})
    indicators = _draft(browser, place)["content"]["call"]["indicators"]
    assert [item["id"] for item in indicators] == ["new_jobs", "satisfied", "paying_clients"]
    assert indicators[2]["disaggregation"][0]["id"] == "size"
    refused = browser.get(page).text
    assert 'id="e-call.indicators.2.disaggregation.0.parts"' in refused
    page = f"{place}/questions/partner_shares"
    added = browser.post(page, _fields(browser.get(page).text) | {"go": "add:columns"})
    fields = _fields(browser.get(added.headers["location"].partition("#")[0]).text)
    said = {"id": "", "kind": "whole", "label.en": "Since", "label.ru": "С какого года", "required": "true"}
    browser.post(page, fields | {f"columns.2.{member}": text for member, text in said.items()} | {"go": "save"})
    fields = _fields(browser.get(page).text)
    browser.post(page, fields | {"columns.2.minimum": "first", "go": "drop:columns:0"})
    items = _draft(browser, place)["content"]["call"]["form"]["properties"]["partner_shares"]["items"]
    assert (items["x-order"], items["required"]) == (["amount", "since"], ["amount", "since"])
    assert 'id="e-columns.1.minimum"' in browser.get(page).text


def test_files_that_would_undo_an_edit_ask_first(
    app: Any, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tamga programme load` says what differs and changes nothing until told; a start keeps what was edited."""
    browser, folder = _manager(app), tmp_path / PROGRAMME
    place = _begun(browser)
    fields = _fields(browser.get(f"{place}/parts/window").text)
    browser.post(f"{place}/parts/window", fields | {"call.closes_on": "2028-05-31", "call.closes_at": "17:00"})
    browser.post(f"{place}/publication", {"version": _draft(browser, place)["version"]})
    shutil.copytree(PACK, folder)
    facts = yaml.safe_load((folder / "programme.yaml").read_text())
    (folder / "programme.yaml").write_text(yaml.safe_dump(facts | {"launched": "2018"}, allow_unicode=True))
    monkeypatch.setenv("TAMGA_HOME", str(tmp_path))
    monkeypatch.setenv("TAMGA_PORTAL_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    settings.cache_clear()
    refused = CliRunner().invoke(cli.programme, ["load", str(folder)])
    assert refused.exit_code != 0
    assert "closes_on: 2028-05-31 → –" in refused.output
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, folder, people=False)
    state = browser.get(f"/api/programmes/{PROGRAMME}").json()
    assert (state["pack"]["calls"][CALL]["closes_at"], state["pack"]["programme"]["launched"]) == ("17:00", "2018")
    done = CliRunner().invoke(cli.programme, ["load", str(folder), "--replace-edited"])
    assert done.exit_code == 0, done.output
    state = browser.get(f"/api/programmes/{PROGRAMME}").json()
    assert state["pack"]["calls"][CALL].get("closes_at") is None
    kept = browser.get(f"/programmes/{PROGRAMME}/versions/{state['pack_version'] - 1}/calls/{CALL}.yaml")
    assert yaml.safe_load(kept.text)["closes_at"] == "17:00"
    settings.cache_clear()


@pytest.mark.english
def test_who_writes_a_call_does_not_publish_it_where_two_must(app: Any, engine: Engine) -> None:
    """With `calls_by_two_people` the writer hands in, cannot publish, and another manager does."""
    with engine.begin() as connection:
        where = "'{pack,programme,settings,calls_by_two_people}', 'true'"
        connection.execute(text(f"UPDATE programme SET state = jsonb_set(state, {where})"))  # noqa: S608
    ana, ben = _manager(app), _manager(app, "u-2")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        facts = {"roles": ["programme_manager"], "programmes": [PROGRAMME]}
        for one in ("u-1", "u-2"):
            storage.users(uow).add(User.register(id=one, name=one, email=f"{one}@programme.example", **facts))
    place = _begun(ana, call="services-2027", copy_of=CALL)
    fields = _fields(ana.get(f"{place}/parts/window").text) | {"call.opens_on": "2027-01-10"}
    assert ana.post(f"{place}/handing-in", {"version": 1}).status_code == 422
    ana.post(f"{place}/parts/window", fields)
    assert ana.post(f"{place}/publication", {"version": 2}).status_code == 409
    assert ana.post(f"{place}/handing-in", {"version": 2}).status_code == 303
    assert ana.post(f"{place}/publication", {"version": 3}).status_code == 403
    with engine.connect() as connection:
        query = text("SELECT body FROM outbox WHERE type = 'portal.call_draft.handed_in'")
        asked = connection.execute(query).scalar_one()
    assert (asked["parties"], asked["data"]["call_name"]["en"]) == (
        {"manager": ["user:u-2"]},
        "Grants to business support organisations 2026",
    )
    assert ben.post(f"{place}/publication", {"version": 3}).status_code == 303
    assert "Published as version" in ben.get(place).text
