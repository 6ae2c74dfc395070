"""What an operator sees: dashboards and alarms on a real Prometheus, and logs, figures and parcel without people.

One running Tamga, on which the story of the programme has been played, for all of it; faults come last.
"""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import amqp
import httpx
import pytest
from scraping import Prometheus, scraping
from sqlalchemy import create_engine, text
from whole import Running

from deploy.monitoring import dashboards
from services.demo.people import Person
from shared.direct import ask
from shared.messaging.link import channel_of
from shared.operations import backups
from shared.operations.backups import Backup, Drill
from shared.settings import Settings
from shared.testing.backbone import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAME, EMAIL = "Zoriana Kanarejska", "zoriana.kanarejska@canary.example"
PHONE, IBAN, WRONG = "+389 70 555 019", "MK07250120000058984", "Kanarejka-wrong-1"
# What the slowness of a machine that tests run on may ring, and is tried on made-up figures instead.
OF_THE_MACHINE = {"RequestsSlow"}


@pytest.fixture(scope="session")
def known(running: Running) -> Settings:
    """Give the settings of the running Tamga."""
    return Settings.model_validate(json.loads((running.home / "runtime.json").read_text()))


@pytest.fixture(scope="session")
def prometheus(known: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that has asked every process since before the story began."""
    folder = tmp_path_factory.mktemp("prometheus") / "monitoring"
    with scraping(folder, known.metrics_urls) as found:
        yield found


@pytest.fixture(scope="session")
def story(prometheus: Prometheus, told: dict[str, Any], known: Settings) -> dict[str, Any]:
    """Give the story, played and verified, and a house with a good backup of today that has been tried out."""
    now = datetime.now(UTC)
    good = Backup(at=now, ok=True, size=1_000_000, seconds=3)
    backups.note(known.home, backup=good, drill=Drill(at=now, ok=True, rpo_seconds=60, rto_seconds=20), kept=1)
    return told


@pytest.fixture(scope="session")
def canary(running: Running, story: dict[str, Any], known: Settings) -> list[str]:
    """Put recognisable words through the main acts; returns every text that must be nowhere."""
    command = ("user", "add", EMAIL, "--name", NAME, "--role", "officer", "--programme", "business-ecosystem", "--json")
    added = running.tamga(*command)
    assert added.returncode == 0, added.stderr
    password = next(value for name, value in _flat(json.loads(added.stdout)) if name == "password")
    with httpx.Client(base_url=running.url, headers={"origin": running.url}) as stranger:
        page = stranger.get("/sign-in")
        token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        refused = stranger.post("/sign-in", data={"email": EMAIL, "password": WRONG, "csrf": token})
        assert refused.status_code not in {303, 403}
    person = Person("canary", {"name": NAME, "email": EMAIL, "password": password}, known)
    person.http.get("/audit/", params={"q": NAME})
    applicant = Person("applicant", running.people["applicant"], known)
    draft = applicant.call("POST", "/grants/api/applications", json={"call": "bso-grants-2026"}).json()
    path = f"/grants/api/applications/{draft['reference']}"
    words = {"title": f"{NAME} {PHONE}", "answers": {"approach": f"{IBAN} {EMAIL}"}, "version": draft["version"]}
    applicant.http.put(f"{path}/answers", json=words)
    applicant.http.put(f"{path}/answers", json=words | {"budget": NAME, NAME: IBAN})
    applicant.http.get(f"/grants/applications/{NAME}", params={"x": EMAIL})
    applicant.http.get("/account", headers={"authorization": "Bearer tmg_Kanarejka123456"})
    applicant.upload(f"{path}/documents", (f"{NAME} {IBAN}.pdf", b"%PDF-1.4\n%%EOF\n"), kind="registration")
    _send_garbage(known, {"name": NAME, "email": EMAIL, "iban": IBAN, "phone": PHONE})
    cookies = [value for one in (person, applicant) for value in one.http.cookies.values() if len(value) > 15]
    for one in (person, applicant):
        one.http.close()
    people = [entry[part] for entry in running.people.values() for part in ("name", "email", "password")]
    secrets = [str(value) for _, value in _flat(json.loads((running.home / "secrets.json").read_text()))]
    mine = [NAME, EMAIL, PHONE, IBAN, WRONG, password, person.csrf, "tmg_Kanarejka123456"]
    return [*mine, *cookies, *people, *secrets]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _flat(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _flat(item, name)
    else:
        yield name, value


def _send_garbage(known: Settings, words: dict[str, str]) -> None:
    """Put a message that nobody can read into the queue of the loans."""
    with channel_of(known.amqp_admin_url) as channel:
        for body in (json.dumps(words), f"not JSON {words}"):
            channel.basic_publish(amqp.Message(body.encode(), content_type="application/json"), routing_key="loans")


def test_every_panel_shows_something(prometheus: Prometheus, story: dict[str, Any]) -> None:
    """Each query of each dashboard gives figures after the story, but for those that show trouble alone."""

    def empty() -> list[str]:
        panels = [panel for page in dashboards.described() for panel in page.panels]
        return [
            f"{panel.title}: {query}"
            for panel in panels
            for query in panel.queries.values()
            if not prometheus.value(query) and not panel.quiet
        ]

    with suppress(TimeoutError, AssertionError):
        eventually(lambda: not empty(), seconds=100)
    assert empty() == []


def test_no_alarm_rings_in_a_house_in_order(prometheus: Prometheus, story: dict[str, Any]) -> None:
    """Every rule is read and evaluated without a fault, and none of them finds anything."""
    rules = prometheus.rules()
    assert len(rules) > 25
    assert {name: rule["lastError"] for name, rule in rules.items() if rule["health"] == "err"} == {}

    def ringing() -> set[str]:
        return {name for name, rule in rules.items() if prometheus.value(rule["query"])} - OF_THE_MACHINE

    with suppress(TimeoutError, AssertionError):
        eventually(lambda: not ringing(), seconds=100)
    assert ringing() == set()


def test_asking_costs_little(known: Settings, story: dict[str, Any]) -> None:
    """Each of our processes answers with less than 3,000 figures, none with an id in a label."""
    for name, url in known.metrics_urls.items():
        lines = [line for line in ask(url, 5).decode().splitlines() if not line.startswith("#")]
        if name != "broker":
            assert 30 < len(lines) < 3000, name
        named = [line for line in lines if "BSO-" in line or ("-7" in line.partition("}")[0] and "_id" in line)]
        assert named == [], name


def test_no_log_and_no_figure_has_a_person_or_a_secret(running: Running, known: Settings, canary: list[str]) -> None:
    """Recognisable names, addresses, numbers and passwords went through the house; no process wrote one down."""
    eventually(lambda: "quarantined" in (running.home / "log" / "work.log").read_text(), seconds=20)
    texts = {file.name: file.read_text() for file in (running.home / "log").glob("*.log")}
    texts |= {f"figures of {name}": ask(url, 5).decode() for name, url in known.metrics_urls.items()}
    assert len(texts) > 6
    found = [(name, word) for name, content in texts.items() for word in canary if word in content]
    assert found == []


def test_every_line_of_a_log_is_json_with_its_process(running: Running, canary: list[str]) -> None:
    """Lines of our processes can be read by a machine, and what was done for somebody names its trace."""
    lines = [
        json.loads(line)
        for name in ("web", "work", "relay")
        for line in (running.home / "log" / f"{name}.log").read_text().splitlines()
        if line.startswith("{")
    ]
    assert len(lines) > 5
    assert all(line["process"] and line["timestamp"] and line["level"] for line in lines)
    quarantined = [line for line in lines if "quarantined" in line["event"]]
    assert quarantined


def test_the_parcel_for_whoever_helps_has_no_secret(running: Running, canary: list[str], tmp_path: Path) -> None:
    """It says first what it has, is for its owner alone, has every part, and no password, key, cookie or address."""
    parcel = tmp_path / "parcel.zip"
    further = tmp_path / "more.log"
    further.write_text(f"paid {IBAN} to {EMAIL}\n")
    done = running.tamga("support-bundle", str(parcel), "--with", str(further))
    assert done.returncode == 0, done.stdout + done.stderr
    assert parcel.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(parcel) as opened:
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    assert {"versions.json", "settings.json", "status.json", "topology.json", "tables/audit.json"} <= set(texts)
    assert {"metrics/relay.txt", "metrics/broker.txt", "log/web.log", "further/more.log"} <= set(texts)
    assert all(done.stdout.index(name) < done.stdout.index("Written:") for name in texts)
    files = [file for file in (running.home / "keys").rglob("*") if file.is_file()]
    keys = [file.read_text(errors="replace") for file in files]  # one of them is a store of keys
    secret_lines = [line for key in keys for line in key.splitlines() if len(line) > 40]
    words = [*canary, *secret_lines]
    assert [(name, word) for name, content in texts.items() for word in words if word in content] == []
    assert [name for name, content in texts.items() if content.startswith("Not to be had")] == []
    assert json.loads(texts["status.json"])["parts"]["web portal"] == "ok"
    again = running.tamga("support-bundle", str(parcel))
    assert again.returncode == 2
    assert "exists" in again.stderr


# --- faults ---------------------------------------------------------------------------------------------------


def _rings(prometheus: Prometheus, *names: str, seconds: float = 100) -> None:
    """Wait until the conditions of these alarms are met; a busy machine is looked at more rarely."""
    queries = {name: prometheus.rules()[name]["query"] for name in names}
    left = set(names)

    def over() -> bool:
        left.difference_update({name for name in left if prometheus.value(queries[name])})
        return not left

    with suppress(TimeoutError, AssertionError):
        eventually(over, seconds=seconds)
    assert left == set()


@contextmanager
def _frozen(running: Running, part: str) -> Iterator[None]:
    """Stop a process for a while, as one that hangs."""
    marker = f"services.{part}".encode()
    home = str(running.home).encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker in (entry / "cmdline").read_bytes() and home in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    assert found
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in found:
            os.kill(pid, signal.SIGCONT)


def test_an_event_in_quarantine_rings(prometheus: Prometheus, canary: list[str]) -> None:
    """Messages that nobody can read are held, and the alarm finds them."""
    _rings(prometheus, "EventsQuarantined")


def test_a_relay_that_hangs_rings(running: Running, prometheus: Prometheus, story: dict[str, Any]) -> None:
    """No answer, no leader, and nobody who accounts for events: three alarms from one stopped process."""
    with _frozen(running, "relay"):
        _rings(prometheus, "ProcessDown", "RelayNotLeading", "ReconcilingStopped")


def _in_database(known: Settings, service: str, *statements: str) -> None:
    url = known.database_admin_url.rpartition("/")[0] + f"/tamga_{service}"
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_failing_requests_ring(
    running: Running, known: Settings, prometheus: Prometheus, story: dict[str, Any]
) -> None:
    """A table that is gone makes pages fail; the rate shows in the panel and in the alarm."""
    bank = Person("bank_two", running.people["bank_two"], known)
    _in_database(known, "loans", "ALTER TABLE referral RENAME TO referral_away")
    try:
        for _ in range(30):
            assert bank.http.get("/loans/referrals").status_code >= 500
            time.sleep(0.1)
        _rings(prometheus, "RequestsFail")
    finally:
        bank.http.close()
        _in_database(known, "loans", "ALTER TABLE referral_away RENAME TO referral")
    failed = next(
        p for page in dashboards.described() for p in page.panels if p.title.startswith("Requests that failed")
    )
    assert all(prometheus.value(query) for query in failed.queries.values())


def test_cases_past_their_day_ring(known: Settings, prometheus: Prometheus, story: dict[str, Any]) -> None:
    """A case whose day has passed shows in the figures of casework."""
    late = "UPDATE application SET due_order = '2020-01-01', paused = false WHERE is_open"
    _in_database(known, "grants", late)
    _rings(prometheus, "CasesOverdue")


def test_bad_backups_ring(known: Settings, prometheus: Prometheus, story: dict[str, Any]) -> None:
    """An old backup, a failed one, a drill that failed: each has its alarm."""
    long_ago = datetime.now(UTC) - timedelta(days=40)
    backups.note(known.home, backup=Backup(at=long_ago, ok=True), drill=Drill(at=long_ago, ok=False, problem="no"))
    backups.note(known.home, backup=Backup(at=datetime.now(UTC), ok=False, problem="The disk is full."))
    _rings(prometheus, "BackupOld", "BackupFailed", "DrillOld", "DrillFailed")


def test_a_log_that_was_changed_rings(
    running: Running, known: Settings, prometheus: Prometheus, story: dict[str, Any]
) -> None:
    """Somebody with the database's password changes an entry; the verification finds it, and the alarm tells."""
    unguarded = "SET session_replication_role = replica"
    _in_database(known, "audit", unguarded, "UPDATE event SET summary = summary || ' not' WHERE leaf_index = 3")
    try:
        verified = running.tamga("audit", "verify", "--json")
        assert verified.returncode == 1, verified.stdout + verified.stderr
        _rings(prometheus, "LogNotSound")
    finally:  # others look at this house too
        _in_database(known, "audit", unguarded, "UPDATE event SET summary = left(summary, -4) WHERE leaf_index = 3")
    assert httpx.get(f"{running.url}/health").status_code == 200
