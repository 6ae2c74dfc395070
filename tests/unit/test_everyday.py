"""The operator's everyday lines (requests, letters, cases, the record, backups), and the same for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from deploy.monitoring import dashboards
from shared.messaging.topology import Depth
from shared.operations import backups
from shared.operations.backups import Backup, Backups, Drill
from shared.operations.broker import Answer
from shared.operations.everyday import everyday
from shared.operations.gathering import measured_in
from shared.operations.lines import Facts, judge
from shared.operations.measuring import Measuring

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GROUP = {"kind": "application", "programme": "p", "stage": "review", "holder": "reviewer"}
DATABASE = {
    "outbox_unpublished": 0,
    "outbox_oldest_seconds": 0.0,
    "database_bytes": 10 * 2**20,
    "database_connections": 5,
    "database_connections_all": 40,
    "database_connections_allowed": 100,
    "database_deadlocks": 0,
    "database_longest_seconds": 1.0,
    "database_wal_bytes": 1000,
}
WEB = {"memory": 2.0**20, "requests": 100.0, "failed": 1.0, "slow": 0.0, "under_way": 1.0}
SIGNED = {"size": 90, "at": (NOW - timedelta(minutes=1)).isoformat()}
RUN = {"id": "1", "at": NOW.isoformat(), "ok": True, "whole": True, "events": 9, "findings": 0, "by": "root"}


def house(**changes: dict[str, Any]) -> dict[str, Any]:
    """Return what services tell of a house in order, with changes by service."""
    own: dict[str, dict[str, Any]] = {
        "grants": {"casework": [GROUP | {"open": 3, "overdue": 0, "oldest_seconds": 60.0}]},
        "notifications": {
            "letters": {"waiting": 1, "retrying": 0, "late_seconds": 2.0, "last_day": {"email": {"sent": 7}}}
        },
        "audit": {"log_size": 100, "checkpoint": SIGNED, "verification": RUN, "verification_whole": RUN},
    }
    return {name: DATABASE | own.get(name, {}) | changes.get(name, {}) for name in ("portal", *own, *changes)}


def facts(**changes: Any) -> Facts:
    """Return the facts of a house in order, with changes."""
    known = Backups(last=Backup(at=NOW, ok=True), good=Backup(at=NOW, ok=True, size=9), drill=Drill(at=NOW, ok=True))
    values: dict[str, Any] = {
        "now": NOW,
        "services": house(),
        "broker": Answer("4.0", {"loans": Depth(0, 1), "dead-letters": Depth(0, 0)}),
        "measured": {"web": WEB},
        "backups": known,
    }
    return Facts(**(values | changes))


def states(given: Facts) -> dict[str, str]:
    """Return each line's state by its key."""
    return {line.key: line.state for line in everyday(given)}


def test_a_house_in_order_is_good_in_every_line() -> None:
    """Nothing late, nothing failing, a backup of today: every line is good and says so in a sentence."""
    assert set(states(facts()).values()) == {"good"}
    assert all(line.as_json()["says"] for line in everyday(facts()))


LATE = {"waiting": 1, "retrying": 1, "late_seconds": 1000.0, "last_day": {}}
OVERDUE = {"casework": [GROUP | {"open": 3, "overdue": 2, "oldest_seconds": 60.0}]}
OLD = (NOW - timedelta(days=31)).isoformat()


@pytest.mark.parametrize(
    ("key", "state", "changes"),
    [
        (
            "requests",
            "look",
            {"measured": {"web": WEB | {"failed": 3}}},
        ),
        ("processes", "look", {"measured": {"web": None}}),
        ("queues", "bad", {"broker": Answer("4.0", {"loans": Depth(5, 0)})}),
        ("queues", "look", {"broker": Answer("4.0", {"loans": Depth(5000, 1)})}),
        ("letters", "look", {"services": house(notifications={"letters": LATE})}),
        ("letters", "look", {"services": {"notifications": None}}),
        ("casework", "look", {"services": house(grants=OVERDUE)}),
        ("record", "bad", {"services": house(audit={"checkpoint": {"size": 90, "at": OLD}})}),
        ("record", "look", {"services": {"audit": None}}),
        ("storage", "look", {"services": house(grants={"database_longest_seconds": 700.0})}),
        ("storage", "look", {"services": house(grants={"database_connections_all": 81})}),
        ("storage", "look", {"services": house() | {"loans": None}}),
        ("backup", "look", {"backups": Backups()}),
        ("backup", "look", {"backups": Backups(good=Backup(at=NOW - timedelta(hours=27), ok=True))}),
        ("backup", "bad", {"backups": Backups(last=Backup(at=NOW, ok=False, problem="The disk is full."))}),
        ("backup", "look", {"backups": Backups(good=Backup(at=NOW, ok=True), kept=0)}),
        ("drill", "look", {"backups": Backups()}),
        ("drill", "look", {"backups": Backups(drill=Drill(at=datetime.fromisoformat(OLD), ok=True))}),
        ("drill", "bad", {"backups": Backups(drill=Drill(at=NOW, ok=False, problem="It is not whole."))}),
    ],
)
def test_what_is_not_in_order_has_its_line(key: str, state: str, changes: dict[str, Any]) -> None:
    """Each thing that somebody should look at changes the state of its own line."""
    assert states(facts(**changes))[key] == state


def test_what_is_late_is_named() -> None:
    """The sentence names the stage and who has the case, and the sentence of a failure is passed on."""
    lines = {line.key: line.as_json() for line in everyday(facts(services=house(grants=OVERDUE)))}
    assert "application, review: past their day: 2 (reviewer)." in lines["casework"]["says"]
    failed = Backups(last=Backup(at=NOW, ok=False, problem="The disk is full."))
    lines = {line.key: line.as_json() for line in everyday(facts(backups=failed))}
    assert any("The disk is full." in said for said in lines["backup"]["says"])


@pytest.mark.parametrize("audit", [None, {"database": "does not answer"}])
def test_what_only_a_silent_database_knows_is_not_said_to_be_missing(audit: dict[str, str] | None) -> None:
    """While the record is away nothing is known of backups and drills: the lines don't say that there was none."""
    away = facts(services={"audit": audit}, backups=Backups())
    said = {line.key: line.as_json()["says"] for line in everyday(away)}
    assert said["backup"] == said["drill"] == ["Not known: the database does not answer."]
    said = {line.key: line.as_json()["says"] for line in everyday(facts(backups=Backups()))}
    assert (said["backup"], said["drill"]) == (["None yet."], ["No restore has been tried yet."])


def test_a_backup_whose_file_is_gone_is_to_be_looked_at() -> None:
    """A recorded backup of which no file is kept is not well; where nobody has counted, no count is told."""
    good = Backup(at=NOW, ok=True, size=2**20)
    gone = next(line for line in everyday(facts(backups=Backups(good=good, kept=0))) if line.key == "backup")
    assert gone.as_json()["says"][-1] == "Its file is not here any more."
    elsewhere = next(line for line in everyday(facts(backups=Backups(good=good))) if line.key == "backup")
    assert (elsewhere.state, "kept" in str(elsewhere.as_json()["says"])) == ("good", False)


def test_nothing_in_a_dashboard_is_unknown_without_grafana() -> None:
    """Each panel names the line of the operator's page that tells the same, and that line exists."""
    keys = {line.key for line in (*judge(facts()), *everyday(facts()))}
    named = {panel.here for page in dashboards.described() for panel in page.panels}
    assert named <= keys


def test_a_processes_figures_are_summed_up() -> None:
    """Requests, failures and slow ones of all services and routes, out of the text for Prometheus."""
    text = """# HELP
process_resident_memory_bytes 5e+06
tamga_http_requests_total{method="GET",route="/",service="portal",status="2xx"} 7.0
tamga_http_requests_total{method="GET",route="/",service="grants",status="5xx"} 2.0
tamga_http_request_seconds_bucket{le="1.0",route="/",service="grants"} 6.0
tamga_http_request_seconds_bucket{le="2.5",route="/",service="grants"} 9.0
tamga_http_request_seconds_count{route="/",service="grants"} 9.0
tamga_http_requests_in_progress{service="grants"} 1.0
"""
    assert measured_in(text) == {"memory": 5e6, "requests": 9, "failed": 2, "slow": 3, "under_way": 1}


def told(measuring: Measuring) -> dict[str, float]:
    """Return the figures for Prometheus by name, where there is more than one the last."""
    return {sample.name: sample.value for family in measuring.collect() for sample in family.samples}


def test_what_the_page_shows_prometheus_gets(tmp_path: Path) -> None:
    """Cases, letters, the record, databases and backups are told with the values that the page has."""
    measuring = Measuring({}, {}, tmp_path)
    measuring.heard = house(grants=OVERDUE) | {"loans": None}
    backups.note(tmp_path, backup=Backup(at=NOW, ok=True, size=9), drill=Drill(at=NOW, ok=True, rto_seconds=4), kept=2)
    found = told(measuring)
    assert found["tamga_cases_overdue"] == 2
    assert found["tamga_letters_waiting"] == 1
    assert found["tamga_audit_log_size"] - found["tamga_audit_checkpoint_size"] == 10
    assert found["tamga_audit_verification_sound"] == 1
    assert found["tamga_database_bytes"] == 10 * 2**20
    assert (found["tamga_backups_kept"], found["tamga_backup_ok"], found["tamga_drill_rto_seconds"]) == (2, 1, 4)
    assert found["tamga_backup_timestamp_seconds"] == NOW.timestamp()
    heard = {s.labels["service"]: s.value for f in measuring.collect() for s in f.samples if s.name.endswith("_heard")}
    assert (heard["loans"], heard["grants"]) == (0, 1)


def test_a_database_that_is_away_tells_nothing_rather_than_what_was(tmp_path: Path) -> None:
    """After a question that failed there is no old figure of that service: it would look like a good one."""
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    measuring = Measuring({"grants": away}, {}, tmp_path)
    measuring.heard = house()
    assert "tamga_database_bytes" in told(measuring)
    measuring.measure()
    assert measuring.heard == {"grants": None}
    assert "tamga_database_bytes" not in told(measuring)
