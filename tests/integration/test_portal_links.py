"""One-time links: how the first operator gets in, and how anybody chooses a password without having one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.portal import cli
from services.portal.application import create_app
from services.portal.frontdoor import FrontDoor
from services.portal.handlers import accounts, links
from shared.database import Context, UnitOfWork, system
from shared.settings import settings
from shared.testing.stand import Stand
from shared.testing.web import Browser, web_settings

PASSWORD = "lantern orbit cactus velvet"
FIRST = "oleg@example.org"


@dataclass
class House:
    """A new portal without any person, and a clock that the test moves."""

    engine: Engine
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 9, tzinfo=UTC))

    def __post_init__(self) -> None:
        key, known = OKPKey.generate_key("Ed25519"), web_settings()
        app = create_app(known, engine=self.engine, key=key, clock=lambda: self.now)
        self.door = FrontDoor(app, settings=known, engine=self.engine, key=key, clock=lambda: self.now)

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self.door)

    def unit_of_work(self) -> UnitOfWork:
        """Return a unit of work of the portal itself."""
        return UnitOfWork(self.engine, "portal", Context(actor=system("portal")), clock=lambda: self.now)

    def first(self) -> links.Link | None:
        """Return the first operator's link."""
        with self.unit_of_work() as uow:
            return links.issue_first(uow, FIRST)

    def events(self) -> list[str]:
        """Return the types of all events, in order."""
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT type FROM outbox ORDER BY row")).scalars())


@pytest.fixture
def house(stand: Stand) -> House:
    """Give a house that nobody has ever entered."""
    return House(stand.database("portal"))


def choose(browser: Browser, link: links.Link, password: str = PASSWORD, again: str | None = None) -> int:
    """Send the form of the page that the link leads to; returns the answer's status."""
    form = {"password": password, "again": password if again is None else again}
    return browser.post(f"/welcome/{link.token}", form).status_code


def test_the_first_operator_gets_in_once_by_the_link(house: House) -> None:
    """The link shows a form, lets its owner in with the password they chose, and then is gone for everybody."""
    link, browser = house.first(), house.browser()
    assert link is not None
    for _ in range(2):  # looking at it uses nothing up
        assert FIRST in browser.get(f"/welcome/{link.token}").text
    assert choose(browser, link) == 303
    assert browser.get("/people").status_code == 200
    assert choose(house.browser(), link) == 404
    assert house.browser().get(f"/welcome/{link.token}").status_code == 404
    assert house.browser().post("/sign-in", {"email": FIRST, "password": PASSWORD}).status_code == 303
    order = ["user.registered", "link.issued", "user.password_changed", "session.opened", "session.opened"]
    assert [kind for kind in house.events() if "attempt" not in kind] == [f"portal.{kind}" for kind in order]


def test_once_an_operator_has_signed_in_there_is_no_first_any_more(house: House) -> None:
    """Before that each start makes a new link and ends the one before; after it none is made for anybody."""
    first, second = house.first(), house.first()
    assert first is not None
    assert second is not None
    assert choose(house.browser(), first) == 404
    assert choose(house.browser(), second) == 303
    assert house.first() is None
    with house.unit_of_work() as uow:
        assert links.issue_first(uow, "somebody@example.org") is None
    assert house.events().count("portal.user.registered") == 1


def test_a_password_that_will_not_do_leaves_the_link(house: House) -> None:
    """A weak password or two that differ are told on the page; nothing has changed, and the link still works."""
    link = house.first()
    assert link is not None
    before = house.events()
    assert choose(house.browser(), link, "tamga-password-1") == 422
    assert choose(house.browser(), link, PASSWORD, "another one altogether") == 422
    assert house.events() == before
    assert choose(house.browser(), link) == 303


def test_an_operator_makes_links_on_a_persons_page(house: House) -> None:
    """The button shows a working link once; others may not press it, and who is deactivated gets none."""
    first, operator = house.first(), house.browser()
    assert first is not None
    assert choose(operator, first) == 303
    with house.unit_of_work() as uow:
        officer, _ = accounts.add_user(uow, accounts.NewUser(name="Aida", email="aida@example.org", roles=["officer"]))
    assert "Make a link" in operator.get(f"/people/{officer.id}").text
    shown = operator.post(f"/people/{officer.id}/link", {})
    assert shown.status_code == 201
    [path] = re.findall(r"(/welcome/[\w-]{20,})<", shown.text)
    aida = house.browser()
    assert aida.post(path, {"password": PASSWORD, "again": PASSWORD}).status_code == 303
    assert aida.post(f"/people/{first.user.id}/link", {}).status_code == 403
    with house.unit_of_work() as uow:
        accounts.deactivate_user(uow, officer.id, "left the house")
    assert operator.post(f"/people/{officer.id}/link", {}).status_code == 409


@pytest.mark.parametrize("ending", ["time", "password", "deactivation"])
def test_a_link_ends(house: House, ending: str) -> None:
    """After a day, when the password is changed otherwise, or when its owner may come in no more."""
    link = house.first()
    assert link is not None
    with house.unit_of_work() as uow:
        if ending == "password":
            accounts.reset_password(uow, link.user.id)
        if ending == "deactivation":
            accounts.deactivate_user(uow, link.user.id, "left the house")
    if ending == "time":
        house.now += links.LIFETIME + timedelta(seconds=1)
    assert house.browser().get(f"/welcome/{link.token}").status_code == 404
    assert choose(house.browser(), link) == 404


def test_only_the_hash_of_a_link_is_kept(house: House) -> None:
    """Whoever reads the database can't use a link."""
    link = house.first()
    assert link is not None
    with house.engine.connect() as connection:
        kept = connection.execute(text("SELECT row_to_json(l)::text FROM sign_in_link l")).scalar_one()
        told = connection.execute(text("SELECT string_agg(body::text, '') FROM outbox")).scalar_one()
    assert link.token not in kept + told


@pytest.fixture
def command_line(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[House]:
    """Give the house to the commands of this process."""
    monkeypatch.setenv("TAMGA_HOME", str(tmp_path))
    monkeypatch.setenv("TAMGA_BASE_URL", "https://grants.example.org")
    monkeypatch.setenv("TAMGA_PORTAL_DATABASE_URL", house.engine.url.render_as_string(hide_password=False))
    settings.cache_clear()
    yield house
    settings.cache_clear()


def test_the_command_line_makes_links(command_line: House) -> None:
    """`tamga user first` and `tamga user link` print an address of this house; a stranger's is refused with 2."""
    run = CliRunner().invoke
    made = json.loads(run(cli.user, ["first", FIRST, "--json"]).output)
    assert made["email"] == FIRST
    assert made["url"].startswith("https://grants.example.org/welcome/")
    said = run(cli.user, ["link", FIRST]).output
    command_line.now = datetime.now(UTC)
    token = said.strip().rpartition("/")[2]
    assert command_line.browser().get(f"/welcome/{token}").status_code == 200
    assert command_line.browser().get(made["url"].removeprefix("https://grants.example.org")).status_code == 404
    assert (
        command_line.browser().post(f"/welcome/{token}", {"password": PASSWORD, "again": PASSWORD}).status_code == 303
    )
    assert json.loads(run(cli.user, ["first", FIRST, "--json"]).output) == {}
    assert "signed in already" in run(cli.user, ["first", FIRST]).output
    assert run(cli.user, ["link", "nobody@example.org"]).exit_code == 2
