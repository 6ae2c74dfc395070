"""People, programmes and operations in the portal: pages, JSON, the first start, the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.portal import api, bootstrap, cli, pages
from services.portal.application import create_app
from services.portal.handlers.accounts import NewUser, add_user
from services.portal.pages.operations import state_of
from shared.database import Context, UnitOfWork, system
from shared.errors import ConflictError, InvalidError
from shared.settings import Settings, settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

PACK = Path("programmes/business-ecosystem")


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Engine:
    """Give a portal with the first programme and its people."""
    engine = stand.database("portal")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, PACK)
    return engine


def _browser(engine: Engine, role: str, **changes: Any) -> Browser:
    app = create_app(web_settings(amqp_admin_url="amqp://nobody@127.0.0.1:1//"), engine=engine, key=KEY)
    return Browser(app, person(role, **changes))


def _unit_of_work(engine: Engine) -> UnitOfWork:
    return UnitOfWork(engine, "portal", Context(actor=system("portal")))


def _count(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def _settings_of(engine: Engine, **changes: Any) -> Settings:
    return Settings(database_urls={"portal": engine.url.render_as_string(hide_password=False)}, **changes)


def test_the_first_start_adds_people_once(stand: Stand) -> None:
    """Every person of the pack gets a password of their own once; a second start changes nothing at all."""
    engine = stand.database("portal")
    added = bootstrap.ensure(_settings_of(engine))
    assert len({credential.password for credential in added}) == len(added) >= 15
    assert {role for credential in added for role in credential.roles} >= {"officer", "auditor", "finance_partner"}
    events = _count(engine, "SELECT count(*) FROM outbox")
    assert bootstrap.ensure(_settings_of(engine)) == []
    assert _count(engine, "SELECT count(*) FROM outbox") == events
    with engine.connect() as connection:
        stored = str(connection.execute(text("SELECT state FROM account")).all())
        stored += str(connection.execute(text("SELECT body FROM outbox")).all())
    assert not [credential for credential in added if credential.password in stored]


def test_a_changed_pack_is_the_next_version(stand: Stand, tmp_path: Path) -> None:
    """A pack whose content changed is loaded and published whole; whose files were only touched, it is not."""
    engine = stand.database("portal")
    copy = shutil.copytree(PACK, tmp_path / "programmes" / "business-ecosystem")
    bootstrap.ensure(_settings_of(engine, programmes=tmp_path / "programmes"))
    (copy / "cofinancing.yaml").touch()
    bootstrap.ensure(_settings_of(engine, programmes=tmp_path / "programmes"))
    loaded = "SELECT count(*) FROM outbox WHERE type = 'portal.programme.loaded'"
    assert _count(engine, loaded) == 1
    (copy / "extra.yaml").write_text("day: 2026-11-21\n")
    bootstrap.ensure(_settings_of(engine, programmes=tmp_path / "programmes"))
    assert _count(engine, loaded) == 2
    with engine.connect() as connection:
        query = "SELECT body->'data' FROM outbox WHERE type = 'portal.programme.loaded' ORDER BY row DESC LIMIT 1"
        data = connection.execute(text(query)).scalar_one()
    assert data["pack_version"] == 2
    assert data["pack"]["extra"] == {"day": "2026-11-21"}
    assert "people" not in data["pack"]
    assert set(data["pack"]["workflows"]) >= {"bso-grant"}


def test_a_pack_with_a_dead_end_is_refused(stand: Stand, tmp_path: Path) -> None:
    """A pack whose workflow the engine would refuse is not loaded; the file and the stage are named."""
    engine = stand.database("portal")
    copy = shutil.copytree(PACK, tmp_path / "pack")
    with _unit_of_work(engine) as uow:
        bootstrap.ensure_pack(uow, PACK, people=False)
    file = copy / "workflows" / "bso-grant.yaml"
    pit = "stages:\n  - {id: pit, name: {en: Pit, ru: Яма}, holder: officer}\n"
    file.write_text(file.read_text().replace("stages:\n", pit).replace("to: declined", "to: pit"))
    with pytest.raises(InvalidError, match="bso-grant") as refused, _unit_of_work(engine) as uow:
        bootstrap.ensure_pack(uow, copy)
    assert (
        "stages.pit: is not terminal, and no transition leaves it" in refused.value.fields["workflows/bso-grant.yaml"]
    )
    assert _count(engine, "SELECT count(*) FROM outbox WHERE type = 'portal.programme.loaded'") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("programme.yaml", "name: x\n"),
        ("programme.yaml", "a: [\n"),
        ("x.yaml", "a: !!python/object:os.system x"),
        ("x.yaml: a[0].0", "a: [{people: about 100,0: more}]"),
        ("programme.yaml: letters_from", "programme: p\nletters_from: ../elsewhere\n"),
    ],
)
def test_a_broken_pack_is_refused_by_its_file(tmp_path: Path, stand: Stand, name: str, content: str) -> None:
    """A pack that can't be read, or does not say whose it is, loads nothing and names the file."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "programme.yaml").write_text("programme: p\n")
    (tmp_path / "p" / name.partition(":")[0]).write_text(content)
    with pytest.raises(InvalidError) as refused:
        bootstrap.ensure(_settings_of(stand.database("portal"), programmes=tmp_path))
    assert name in refused.value.fields


@pytest.mark.english
def test_the_operator_adds_a_person_and_mistakes_are_named(engine: Engine) -> None:
    """Each mistake is at its field with what was typed; a right form shows the password once, and offers a link."""
    operator = _browser(engine, "operator")
    wrong = operator.post("/people", {"name": "", "email": "nope", "roles": ["emperor"]})
    assert wrong.status_code == 422
    for rule in ("must have 1 to 200 letters", "is not an e-mail address", "tick one or more of these"):
        assert rule in wrong.text
    assert "programme_manager," not in wrong.text  # the boxes have names
    assert 'value="nope"' in wrong.text
    taken = operator.post("/people", {"name": "Ana", "email": "ana@chamber.example", "roles": ["auditor"]})
    assert "belongs to somebody already" in taken.text
    right = operator.post("/people", {"name": "New Auditor", "email": "new@auditors.example", "roles": ["auditor"]})
    assert right.status_code == 201
    assert "This is shown once" in right.text
    assert "New Auditor" in operator.get("/people?q=new%40aud").text
    [action] = re.findall(r'action="(/people/[^"/]+/link)"', right.text)
    link = operator.post(action, {})
    assert (link.status_code, "/welcome/" in link.text) == (201, True)


@pytest.mark.english
def test_search_words_are_words_and_no_patterns(engine: Engine) -> None:
    """Per cent, underscore, quotes and backslashes are looked for as they are."""
    operator = _browser(engine, "operator")
    for words in ("%25", "_", "%27%3B--", "%5C"):
        answer = operator.get(f"/people?q={words}")
        assert answer.status_code == 200
        assert "Nobody fits these words" in answer.text


@pytest.mark.parametrize("role", ["applicant", "officer", "reviewer", "finance_partner", "auditor", "finance_officer"])
def test_people_and_operations_are_for_the_operator(engine: Engine, role: str) -> None:
    """No other role reads or changes people or sees the operator's page."""
    browser = _browser(engine, role)
    for path in ("/people", "/people/new", "/people/u-1", "/operations"):
        assert browser.get(path).status_code == 403
    assert (
        browser.json("POST", "/api/people", {"name": "x", "email": "x@y.example", "roles": ["operator"]}).status_code
        == 403
    )


@pytest.mark.english
def test_programmes_are_seen_by_those_who_work_in_them(engine: Engine) -> None:
    """A manager sees the own programme; of another one they learn nothing; applicants see none."""
    manager = _browser(engine, "programme_manager")
    page = manager.get("/programmes/business-ecosystem")
    assert page.status_code == 200
    assert "Business Ecosystem Project" in page.text
    assert "not stated" in page.text
    assert "Business Ecosystem Project" in manager.get("/programmes").text
    stranger = _browser(engine, "programme_manager", programmes=("another",))
    assert stranger.get("/programmes/business-ecosystem").status_code == 404
    assert stranger.get("/programmes/no-such").status_code == 404
    assert "Business Ecosystem Project" not in stranger.get("/programmes").text
    assert stranger.json("GET", "/api/programmes").json() == []
    assert _browser(engine, "applicant").get("/programmes").status_code == 403


@pytest.mark.english
def test_operations_degrade_card_by_card(engine: Engine) -> None:
    """With no service and no broker answering, the page is there and says so in each place."""
    page = _browser(engine, "operator").get("/operations")
    assert page.status_code == 200
    assert page.text.count("did not answer within a second") == 5
    assert "The broker does not answer" in page.text


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ({"database": "ok", "alive": {"relay": True}}, "good"),
        ({"database": "ok", "alive": {"relay": False}}, "bad"),
        ({"database": None, "alive": {}}, "bad"),
        ({"database": "ok", "alive": {}, "quarantined": 1}, "warn"),
        ({"database": "ok", "alive": {}, "outbox_oldest_seconds": 60}, "warn"),
    ],
)
def test_a_services_state_follows_from_its_figures(figures: dict[str, Any], state: str) -> None:
    """Silence is bad, something that waits is worth a look, and the rest is well."""
    assert state_of(figures) == state


def test_the_json_interface_refuses_unknown_fields_and_shows_no_secrets(engine: Engine) -> None:
    """A person made over JSON has only what the form knows; nobody sets a state through it."""
    operator = _browser(engine, "operator")
    body = {"name": "Api", "email": "api@x.example", "roles": ["auditor"]}
    refused = operator.json("POST", "/api/people", body | {"active": False, "version": 9})
    assert [error["field"] for error in refused.json()["errors"]] == ["active", "version"]
    made = operator.json("POST", "/api/people", body)
    assert made.status_code == 201
    listed = operator.json("GET", "/api/people?q=api%40x").json()
    assert [item["email"] for item in listed["items"]] == ["api@x.example"]
    assert "password" not in json.dumps(listed)
    act = {"reason": "made by mistake", "version": made.json()["version"]}
    path = f"/api/people/{made.json()['id']}/deactivation"
    assert operator.json("POST", path, act).json()["active"] is False
    again = operator.json("POST", path, act)
    assert (again.status_code, again.json()["type"]) == (409, "urn:tamga:problem:stale-version")


def test_two_people_of_one_address_are_impossible(engine: Engine) -> None:
    """The database itself refuses a second person of one address, also when both are added at once."""
    facts = {"name": "Twin", "roles": ["auditor"]}
    with _unit_of_work(engine) as uow:
        add_user(uow, NewUser(email="twin@x.example", **facts))
    with pytest.raises(ConflictError), _unit_of_work(engine) as uow:
        add_user(uow, NewUser(email="TWIN@x.example", **facts))


def test_the_command_line_adds_lists_and_ends_people(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`tamga user` and `tamga programme` do what the pages do, with JSON for scripts and exit code 2 for refusals."""
    monkeypatch.setenv("TAMGA_HOME", str(tmp_path))
    monkeypatch.setenv("TAMGA_PORTAL_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    settings.cache_clear()
    run = CliRunner().invoke
    added = run(cli.user, ["add", "cli@x.example", "--name", "Cli", "--role", "auditor", "--json"])
    assert json.loads(added.output)[0]["roles"] == ["auditor"]
    assert run(cli.user, ["add", "cli@x.example", "--name", "Cli", "--role", "auditor"]).exit_code == 2
    told = run(cli.user, ["add", "long@x.example", "--name", "L", "--role", "auditor"], env={"COLUMNS": "40"}).output
    assert [line.split()[0] for line in told.splitlines()] == ["Id", "Address", "Roles", "Password"]
    slip = run(cli.user, ["add", "no@x.example", "--name", "N", "--role", "auditor", "--programme", "nope"])
    assert (slip.exit_code, "programme is none of" in slip.output) == (2, True)
    slip = run(cli.user, ["add", "cli@x.example", "--name", "Cli", "--role", "auditor", "--locale", "xx"])
    assert (slip.exit_code, "locale is none of en, ru" in slip.output) == (2, True)
    slip = run(cli.user, ["grant-role", "cli@x.example", "boss"])
    assert (slip.exit_code, "roles must be one or more of applicant, officer, reviewer" in slip.output) == (2, True)
    assert run(cli.user, ["grant-role", "cli@x.example", "operator"]).output == "cli@x.example: auditor, operator\n"
    assert run(cli.user, ["deactivate", "cli@x.example", "--reason", "a test"]).exit_code == 0
    people = json.loads(run(cli.user, ["list", "cli@x", "--json"]).output)
    assert [(row["active"], row["roles"]) for row in people] == [(False, ["auditor", "operator"])]
    assert "nothing new" in run(cli.programme, ["load", str(PACK)]).output
    assert json.loads(run(cli.programme, ["list", "--json"]).output)[0]["id"] == "business-ecosystem"
    assert run(cli.programme, ["load", str(tmp_path)]).exit_code == 2
    settings.cache_clear()


def test_the_portals_pages_are_all_under_the_policy(engine: Engine) -> None:
    """A stranger gets nothing from any GET route but sign-in and the sign of life."""
    app = create_app(web_settings(), engine=engine, key=OKPKey.generate_key("Ed25519"))
    stranger = Browser(app)
    ours = [route for router in (*pages.routers, api.router) for route in router.routes]
    routes = {route.path for route in ours if isinstance(route, APIRoute) and "GET" in (route.methods or ())} | {
        "/health"
    }
    assert len(routes) >= 14
    opened = {path for path in routes if stranger.get(path.replace("{", "").replace("}", "")).status_code == 200}
    assert opened == {"/sign-in", "/health"}


@pytest.mark.english
def test_a_programme_shows_its_workflows(engine: Engine) -> None:
    """Each workflow stands there as a picture with ids of its own, and as a table in words for who can't see it."""
    page = _browser(engine, "operator").get("/programmes/business-ecosystem").text
    assert page.count("<svg") >= 2
    for name in ("bso-grant", "lead-firm-cofinancing"):
        assert f'id="wf-{name}-title"' in page
    assert "Send to the panel" in page


def test_home_leads_to_what_waits(engine: Engine) -> None:
    """Home asks the services for this person's figures; without script the same place has a link to the list."""
    page = _browser(engine, "officer").get("/").text
    assert 'hx-get="/grants/fragments/home"' in page
    assert 'href="/grants/"' in page
