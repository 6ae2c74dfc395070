"""Certificates of completeness: what they say of a period, and that a false one is found out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from completeness_world import House
from sqlalchemy import text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.application import create_app
from services.audit.cli import common
from services.audit.domain.certificate import Certificate
from services.audit.handlers.certificates import Asked, certify
from services.audit.keys import Keys
from services.audit.storage.receipts import receipt_signer
from shared.database import system
from shared.settings import Settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

RUNNER = CliRunner()
TODAY = datetime.now(UTC).date()
PERIOD = ["--from", str(TODAY - timedelta(days=1)), "--to", str(TODAY + timedelta(days=1))]


@pytest.fixture
def house(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Give a record with a few events of grants, all told of, that the commands find by their settings."""
    house = House(stand)
    house.act(count=3)
    house.carry()
    house.manifest()
    house.carry()
    house.compare()
    urls = {"audit": house.audit.url.render_as_string(hide_password=False)}
    monkeypatch.setattr(common, "settings", lambda: Settings(home=tmp_path, database_urls=urls, time_zone="UTC"))
    return house


def written(tmp_path: Path) -> tuple[Path, dict[str, Any], int]:
    """Return the file of a new certificate, what it says, and the exit code."""
    answer = RUNNER.invoke(cli.commands, ["certificate", "--programme", "bai-alai", *PERIOD, "--json"])
    file = tmp_path / "certificate.json"
    file.write_text(answer.stdout)
    return file, json.loads(answer.stdout), answer.exit_code


def checked(file: Path) -> tuple[int, str]:
    """Return the exit code and the words of a check."""
    answer = RUNNER.invoke(cli.commands, ["certificate", "--check", str(file)])
    return answer.exit_code, answer.stdout.strip()


def test_a_complete_period_is_certified_and_the_certificate_is_valid(house: House, tmp_path: Path) -> None:
    """Events, positions, no gap, all of it told by the source up to its manifest; as PDF too."""
    file, facts, code = written(tmp_path)
    [line] = facts["sources"]
    assert (line["first"], line["last"], line["told"], line["missing"], line["complete"]) == (1, 4, 4, 0, True)
    assert (facts["complete"], code) == (True, 0)
    assert checked(file)[0] == 0
    paper = tmp_path / "certificate.pdf"
    assert RUNNER.invoke(cli.commands, ["certificate", *PERIOD, "--pdf", str(paper)]).exit_code == 0
    assert paper.read_bytes().startswith(b"%PDF-")


def test_what_its_source_has_not_told_of_is_not_certified(house: House, tmp_path: Path) -> None:
    """An event after the newest manifest is there, yet whether more followed it nobody knows: not complete."""
    house.act()
    house.carry()
    _, facts, code = written(tmp_path)
    assert (facts["sources"][0]["missing"], facts["sources"][0]["told"], facts["complete"], code) == (0, 4, False, 1)


def test_losing_and_late_events_are_told(house: House, tmp_path: Path) -> None:
    """A lost event is missing from its period; one that came after a later position is late."""
    [lost] = house.act()
    messages = house.relay()
    house.act()
    later = house.relay()
    house.deliver(later)
    _, facts, code = written(tmp_path)
    assert (facts["sources"][0]["missing"], facts["complete"], code) == (1, False, 1)
    house.deliver(messages)
    _, facts, _ = written(tmp_path)
    assert (facts["sources"][0]["missing"], facts["sources"][0]["late"]) == (0, 1)
    assert str(lost) == messages[0].message_id


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda note: note.replace('"events":4', '"events":3'), "signature"),
        (lambda note: note.replace("v1", "v2"), "signature"),
        (lambda _note: "nonsense", "no signed note"),
    ],
)
def test_a_changed_certificate_is_not_valid(house: House, tmp_path: Path, spoil: Any, why: str) -> None:
    """One figure, the title, or all of it: the reason is said and the exit code is 1."""
    file, facts, _ = written(tmp_path)
    assert checked(file)[0] == 0
    file.write_text(json.dumps({"note": spoil(facts["note"])}))
    code, said = checked(file)
    assert (code, said.startswith("not valid: ")) == (1, True)
    assert why in said


def test_a_log_that_no_longer_bears_it_out_is_found(house: House, tmp_path: Path) -> None:
    """A genuine certificate over a log from which an event was cut out afterwards names the figure that differs."""
    file, _, _ = written(tmp_path)
    with house.audit_root.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("DELETE FROM event WHERE position = 2"))
    code, said = checked(file)
    assert code == 1
    assert "not valid: the log" in said


def test_a_certificate_by_another_key_is_not_valid(house: House, tmp_path: Path) -> None:
    """Somebody else's signature over the same words is nobody's."""
    with house.audit.begin() as connection:
        asked = Asked("", TODAY, TODAY, "UTC")
        made, _ = certify(connection, Keys(tmp_path / "other", "other.example/audit"), asked, system("audit"))
    file = tmp_path / "forged"
    file.write_text(made.sign(receipt_signer(Keys(tmp_path / "other", "other.example/audit"))))
    assert checked(file) == (1, "not valid: the certificate: no signature by a known key")
    assert isinstance(made, Certificate)


def test_wrong_use_is_told(house: House, tmp_path: Path) -> None:
    """No period, a day that is none, days the wrong way round, a file that is not there: exit code 2."""
    for wrong in (
        [],
        ["--from", "yesterday", "--to", "2026-01-01"],
        ["--from", "2026-02-01", "--to", "2026-01-01"],
        ["--check", str(tmp_path / "nothing")],
    ):
        assert RUNNER.invoke(cli.commands, ["certificate", *wrong]).exit_code == 2


@pytest.mark.english
def test_the_page_shows_it_and_gives_the_files(house: House, tmp_path: Path) -> None:
    """The auditor reads the table and takes PDF and JSON; a wrong day comes back with its rule; nobody else may."""
    app = create_app(web_settings(home=tmp_path), engine=house.audit, key=KEY)
    auditor = Browser(app, person("auditor"))
    query = f"?programme=&since={TODAY}&until={TODAY}"
    page = auditor.get(f"/certificate{query}").text
    assert "Nothing is missing from this period." in page
    assert auditor.get(f"/certificate.pdf{query}").content.startswith(b"%PDF-")
    assert auditor.get(f"/api/certificate{query}").json()["sources"][0]["source"] == "grants"
    refused = auditor.get("/certificate?since=2026-02-01&until=2026-01-01")
    assert (refused.status_code, "is before the first day" in refused.text) == (422, True)
    assert Browser(app, person("officer")).get(f"/certificate{query}").status_code == 403
    assert date.fromisoformat("2026-01-01") < TODAY


@pytest.mark.parametrize(("name", "other"), [("since", "until"), ("until", "since")])
@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_at_the_end_of_time_is_refused_at_its_field(
    house: House, tmp_path: Path, name: str, other: str, day: str
) -> None:
    """The calendar's first and last days, which have no neighbour, come back as typed with the rule, not as a fault."""
    app = create_app(web_settings(home=tmp_path), engine=house.audit, key=KEY)
    answer = Browser(app, person("auditor")).get(f"/certificate?{name}={day}&{other}={TODAY.isoformat()}")
    assert answer.status_code == 422
    assert f'value="{day}"' in answer.text
