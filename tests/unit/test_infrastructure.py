"""Finding and describing a broker and a database, without starting any."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from services.launcher import preflight
from services.launcher.screen import Screen
from shared.infrastructure import containers, ladder, packages, postgres, rabbitmq, system
from shared.infrastructure.system import InfrastructureError
from shared.settings import SERVICES


def fake_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `docker` in front of all others that does what `script` says."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_private_nodes_api_is_for_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP API listens on the loopback address, collects no figures, and is asked as the administrator."""
    monkeypatch.setattr(system, "runner_of", lambda _user: None)
    node = rabbitmq.RabbitMQ(tmp_path / "node", 5672, 25672, {rabbitmq.ADMIN: "secret"}, api_port=15999)
    node._configure(None)
    lines = (node.folder / "rabbitmq.conf").read_text().splitlines()
    assert {"management.tcp.ip = 127.0.0.1", "management.tcp.port = 15999", *rabbitmq.FRUGAL} <= set(lines)
    assert (node.folder / "plugins").read_text() == "[rabbitmq_management].\n"
    assert node.api_url == f"http://{rabbitmq.ADMIN}:secret@127.0.0.1:15999"


def test_the_containers_api_is_for_this_machine_alone(tmp_path: Path) -> None:
    """The container has the management plugin, its API published on the loopback address, without figures."""
    container = containers.rabbitmq(tmp_path, 5672, {rabbitmq.ADMIN: "secret"}, 15999)
    assert container.image.endswith("-management")
    assert "--publish=127.0.0.1:15999:15672" in container.arguments
    assert set(rabbitmq.FRUGAL) <= set((tmp_path / "tamga.conf").read_text().splitlines())


def test_an_engine_that_answers_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker client alone is not enough: the engine behind it has to answer."""
    fake_docker(tmp_path, monkeypatch, "exit 1")
    assert containers.engine_answers() is False
    fake_docker(tmp_path, monkeypatch, "exit 0")
    assert containers.engine_answers() is True


def test_containers_are_used_only_when_an_image_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without the image and without a way to get it leaves the next rung of the ladder."""
    fake_docker(tmp_path, monkeypatch, '[ "$1" = info ]')
    assert containers.available(tmp_path / "data", "postgres:17") is False
    fake_docker(tmp_path, monkeypatch, "exit 0")
    assert containers.available(tmp_path / "data", "postgres:17") is True


def test_data_in_a_container_are_not_silently_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the data are in a container and the engine is down, that is said instead of starting empty."""
    fake_docker(tmp_path, monkeypatch, "exit 0")
    containers.available(tmp_path / "data", "postgres:17")
    fake_docker(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(InfrastructureError, match="start Docker"):
        containers.available(tmp_path / "data", "postgres:17")


def test_a_password_hash_is_what_the_broker_expects() -> None:
    """Base64 of the salt and SHA-256 of salt and password (RabbitMQ's documented example)."""
    salt = bytes.fromhex("908DC60A")
    expected = base64.b64encode(salt + hashlib.sha256(salt + b"test12").digest()).decode()
    assert rabbitmq.password_hash("test12", salt) == expected == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_a_service_may_only_speak_for_itself_and_read_its_own_queue() -> None:
    """Least permissions: nothing to configure, one exchange to write to, its own topics, its own two queues."""
    made = rabbitmq.definitions({rabbitmq.ADMIN: "a", "grants": "g"})
    rights = next(entry for entry in made["permissions"] if entry["user"] == "grants")
    assert (rights["configure"], rights["write"], rights["read"]) == ("^$", "^events$", r"^grants(\.backfill)?$")
    topics = next(entry for entry in made["topic_permissions"] if entry["user"] == "grants")
    assert topics["write"] == r"^grants\."
    assert "password" not in json.dumps(made).replace("password_hash", "").replace("rabbit_password_hashing", "")


def test_secrets_are_made_once_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    """The second call returns the same passwords; every role and user has one of its own."""
    first = ladder.passwords(tmp_path)
    assert ladder.passwords(tmp_path) == first
    assert len(set(first.values())) == len(first) == 2 + 3 * len(SERVICES)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_data_go_elsewhere_when_the_servers_user_can_not_reach_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout under a closed folder keeps its databases beside it, and a note says where."""
    monkeypatch.setattr(ladder, "ELSEWHERE", tmp_path / "var")
    monkeypatch.setattr(system, "is_root", lambda: True)
    (tmp_path / "var").mkdir()
    monkeypatch.setattr(system, "traversable", lambda _folder, _user: True)
    assert ladder.data_folder(tmp_path, "postgresql", "postgres") == tmp_path / "postgresql"
    monkeypatch.setattr(system, "traversable", lambda _folder, _user: False)
    folder = ladder.data_folder(tmp_path, "postgresql", "postgres")
    assert folder.is_relative_to(tmp_path / "var")
    assert str(folder.parent) in (tmp_path / "DATA-IS-ELSEWHERE.txt").read_text()


def test_without_rights_to_install_the_sentence_has_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No broker, no engine, no root: one sentence that can be pasted."""
    monkeypatch.setattr(rabbitmq, "program", lambda: None)
    monkeypatch.setattr(containers, "engine_answers", lambda: False)
    monkeypatch.setattr(system, "is_root", lambda: False)
    monkeypatch.setattr(packages.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(ladder, "ports", lambda home, *names: _remember(home, names))
    with pytest.raises(InfrastructureError, match="sudo apt-get install --no-install-recommends rabbitmq-server"):
        ladder.find_broker(tmp_path, {})


def _remember(home: Path, names: tuple[str, ...]) -> dict[str, int]:
    chosen = dict.fromkeys(names, 5000)
    ladder.remember(home, "ports.json", {name: str(port) for name, port in chosen.items()})
    return chosen


def test_the_newest_postgresql_is_chosen_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 15 is newer than 9, whatever their spelling."""
    found = [Path(f"/usr/lib/postgresql/{version}/bin/postgres") for version in ("9", "15", "13")]
    monkeypatch.setattr(Path, "glob", lambda _self, _pattern: iter(found))
    assert postgres.binaries() == Path("/usr/lib/postgresql/15/bin")


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda: preflight.check_python((3, 9, 2)), r"needs Python 3\.11 or newer and this is 3\.9\.2"),
        (lambda: preflight.check_disk(Path("/"), least=2**62), "make room first"),
        (lambda: preflight.check_port(70000), "between 1 and 65535"),
        (lambda: preflight.make_home(Path("/proc/nowhere")), "set TAMGA_HOME"),
    ],
)
def test_preflight_refuses_in_one_sentence(check: object, sentence: str) -> None:
    """Each refusal says what is wrong and what to do."""
    assert callable(check)
    with pytest.raises(InfrastructureError, match=sentence) as refusal:
        check()
    assert "\n" not in str(refusal.value)


def test_no_password_is_cut_short_on_a_narrow_terminal() -> None:
    """The passwords are shown once, so they are shown whole, however narrow the terminal is."""
    said = StringIO()
    screen = Screen(Console(file=said, width=60))
    password = "geti-boto-buzi-fire-lane-moka-vedu-kora"
    screen.people([{"roles": ["programme_manager"], "email": "irena@programme.example", "password": password}], "x")
    assert password in said.getvalue()


def test_stopping_shows_each_process_as_it_ends() -> None:
    """Where nobody looks on a terminal: plain lines, one a process with its time, and the whole time at the end."""
    said = StringIO()
    screen = Screen(Console(file=said, width=200))
    for name, how in (("web", "by force"), ("broker", "")):
        with screen.ending(name) as details:
            details.extend([how] if how else [])
    screen.stopped()
    first, web, broker, last = said.getvalue().splitlines()
    assert first.startswith("Stopping: ")
    assert re.fullmatch(r"✔ web has ended by force \d+\.\d s", web)
    assert re.fullmatch(r"✔ broker has ended \d+\.\d s", broker)
    assert re.fullmatch(r"Stopped after \d+\.\d s\. The data are kept\.", last)
