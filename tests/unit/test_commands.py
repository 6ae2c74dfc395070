"""The commands that Tamga names read as they have to be typed where it runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from starlette.requests import Request

from services.portal.closed import closed
from shared.commands import CONTAINERS, here
from shared.infrastructure.refusals import worded
from shared.messaging.topology import Depth
from shared.operations.broker import Answer
from shared.operations.everyday import everyday
from shared.operations.gathering import Sources, look
from shared.operations.lines import Facts, judge
from shared.safekeeping import keeping
from shared.safekeeping.refusals import SafekeepingError
from shared.settings import SERVICES, Settings

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a process of docker-compose.yml does."""
    monkeypatch.setenv(CONTAINERS, "yes")


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("tamga audit verify", 'make tamga c="audit verify"'),
        ("tamga backup list", 'make tamga c="backup list"'),
        ("tamga backup create", "make backup"),
        ("tamga status", "make doctor"),
        ("tamga drill", "make drill"),
        ("make run", "make up"),
        ("rabbitmq-diagnostics status", "docker compose exec broker rabbitmq-diagnostics status"),
        ("docker compose logs --tail 100 proxy", "docker compose logs --tail 100 proxy"),
    ],
)
def test_a_command_is_worded_for_where_it_is_typed(command: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host of containers has make and docker, one machine has `tamga`."""
    monkeypatch.delenv(CONTAINERS, raising=False)
    assert here(command) == command
    monkeypatch.setenv(CONTAINERS, "yes")
    assert here(command) == typed


def test_each_process_in_containers_is_told_so() -> None:
    """Whatever runs our image in docker-compose.yml has the variable, and the targets that are named are there."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = [
        service["environment"] for service in services.values() if "TAMGA_VERSION" in service.get("environment", {})
    ]
    assert len(ours) > len(SERVICES)
    assert all(environment[CONTAINERS] for environment in ours)
    targets = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in targets for target in ("doctor", "backup", "drill", "restore", "up", "tamga"))


@pytest.mark.usefixtures("contained")
def test_a_look_in_containers_names_no_command_that_the_host_lacks(tmp_path: Path) -> None:
    """Broker, databases and processes are away: `make up` brings them back, and no line says `tamga …`."""
    known = Settings(
        home=tmp_path,
        amqp_admin_url="amqp://nobody@127.0.0.1:1//",
        metrics_urls={"grants-worker": "http://127.0.0.1:1/metrics"},
    )
    found = look(Sources(known, {}, lambda _: None), clock=lambda: NOW)
    helps = {line.key: line.commands for line in found.lines}
    assert (helps["broker"], helps["databases"], helps["processes"]) == (("make up",),) * 3
    assert [command for commands in helps.values() for command in commands if command.startswith("tamga ")] == []
    assert helps["verification"] == ('make tamga c="audit verify"',)


def test_a_queue_that_nobody_consumes_is_helped_by_starting_its_worker() -> None:
    """In containers the worker comes back with `make up`; a line that is well names what to look with."""
    left = Facts(NOW, {}, broker=Answer("4.0", {"loans": Depth(5, 0)}), contained=True)
    assert next(line for line in everyday(left) if line.key == "queues").commands == ("make up",)
    well = replace(left, broker=Answer("4.0", {"loans": Depth(0, 1)}), services={"loans": {"database": "ok"}})
    assert next(line for line in everyday(well) if line.key == "queues").commands == ("tamga events lag",)
    assert next(line for line in judge(well) if line.key == "databases").commands == ("tamga status",)


@pytest.mark.usefixtures("contained")
def test_refusals_and_the_closed_page_say_what_can_be_typed(tmp_path: Path) -> None:
    """An error of a server, a folder without backups and the page of a closed house name make's commands."""
    assert "`make doctor`" in worded(OSError("Connection refused"))
    assert 'make tamga c="topology diff"' in worded(
        OSError("PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue")
    )
    with pytest.raises(SafekeepingError, match="`make backup`"):
        keeping.newest(tmp_path)
    request = Request({"type": "http", "headers": [(b"accept", b"text/html")], "path": "/", "query_string": b""})
    assert b"<code>make doctor</code>" in closed(request).body
