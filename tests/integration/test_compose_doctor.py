"""What `make init`, `make doctor` and `make up` find on a real machine, and what they ask Docker for."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.compose import checks, engine, facts, init, up
from shared.infrastructure.system import free_port

pytestmark = pytest.mark.slow  # commands on a terminal, one start after the other

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = """
services:
  app:
    image: ${TAMGA_APP_IMAGE:?run "make init" first}
    environment: {NAME: "${TAMGA_DOMAIN:?run make init}"}
"""
# A docker that notes what it was asked and answers from files named by the words of the question.
DOCKER = """#!/bin/sh
echo "$@" >> {notes}
case "$*" in
  "compose version --short") echo 2.29.7 ;;
  info*) echo '{{"ServerVersion": "27.3.1", "MemTotal": 8589934592, "DockerRootDir": "{root}"}}' ;;
  "compose config --images") echo tamga/app:1 ;;
  "compose config --format"*) cat {root}/config 2>/dev/null ;;
  "volume ls"*) cat {root}/volumes 2>/dev/null ;;
  "compose up"*) cat {root}/up 2>/dev/null; exit $(cat {root}/up.code 2>/dev/null || echo 0) ;;
  "compose ps"*) cat {root}/ps 2>/dev/null ;;
  "compose logs"*) cat {root}/logs ;;
  *"user first"*) cat {root}/first ;;
  *status) echo "the table of parts" ;;
  *status*) cat {root}/status 2>/dev/null ;;
  inspect*) cat {root}/inspect ;;
  "image inspect"*) [ ! -e {root}/no-images ] ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a checkout whose .env and secrets are made, on ports that are free."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    init.write(tmp_path, {"TAMGA_DOMAIN": "localhost", "TAMGA_OPERATOR_EMAIL": "oleg@example.org"})
    text = (tmp_path / ".env").read_text()
    text = text.replace("=8080", f"={free_port()}").replace("=8443", f"={free_port()}")
    (tmp_path / ".env").write_text(text)
    return tmp_path


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker on the path that only takes notes; give the folder of its answers."""
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(notes=folder / "notes", root=folder))
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def asked(docker: Path) -> list[str]:
    """Return what docker was asked, in order."""
    return (docker / "notes").read_text().splitlines()


def port_of(root: Path, name: str = "TAMGA_HTTPS_PORT") -> int:
    """Return a port that .env names."""
    return int(next(line for line in (root / ".env").read_text().splitlines() if line.startswith(name)).split("=")[1])


@pytest.fixture
def listener(root: Path) -> Iterator[int]:
    """Give one of our ports, taken by this very process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port_of(root)))
        taken.listen()
        yield port_of(root)


def test_a_port_in_use_is_found_with_who_has_it_and_nothing_is_started(
    root: Path, docker: Path, listener: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make up` names port, program and process, ends with 1, and has not asked Docker to start anything."""
    assert up.main([], root) == 1
    said = capsys.readouterr()
    assert f"{listener} is taken by {Path(f'/proc/{os.getpid()}/comm').read_text().strip()}" in said.out
    assert f"(process {os.getpid()})" in " ".join(said.out.split())
    assert said.err.strip() == "Nothing was started."
    assert not [question for question in asked(docker) if question.startswith("compose up")]


def test_the_same_port_held_by_our_own_stack_or_by_another_container_is_told_apart(
    root: Path, docker: Path, listener: int
) -> None:
    """What `docker compose ps` shows as ours is fine; what another container publishes bears its name."""
    row = {"Service": "proxy", "State": "running", "Publishers": [{"PublishedPort": listener}]}
    (docker / "ps").write_text(json.dumps(row))
    assert facts.Holder(listener, ours=True) in facts.gather(root).ports
    published = {listener: "somebodys-nginx-1"}
    assert facts.holder_of("127.0.0.1", listener, published, set()).name == "the container somebodys-nginx-1"
    assert facts.holder_of("127.0.0.1", free_port(), {}, set()).name == ""


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("rm secrets/grants_owner_password", "missing: grants_owner_password"),
        ("rm -rf secrets", "all are missing"),
        ("rm .env", "there is no .env yet"),
        ("rm -f secrets/postgres_password; echo changeme > secrets/postgres_password", "is a placeholder"),
        ("chmod 755 secrets", "open to others"),
        ("sed -i s/^TAMGA_APP_IMAGE=.*/TAMGA_APP_IMAGE=/ .env", "not set in .env: TAMGA_APP_IMAGE"),
    ],
)
def test_what_is_missing_or_open_keeps_everything_shut(
    root: Path, docker: Path, capsys: pytest.CaptureFixture[str], spoil: str, sentence: str
) -> None:
    """Each gap is named with its cure before anything is started; done as the cure says, all is well."""
    subprocess.run(["sh", "-c", spoil], cwd=root, check=True)
    assert up.main([], root) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert sentence in said
    assert not [question for question in asked(docker) if question.startswith("compose up")]
    cure = said.rpartition("→ ")[2]
    subprocess.run(["sh", "-c", cure.replace("make init", "true")], cwd=root, check=True)
    if "make init" in cure:
        init.write(root, {"TAMGA_DOMAIN": "localhost"})
    found = checks.findings(facts.gather(root), (checks.secrets, checks.rights, checks.variables))
    assert not [one for one in found if one.state == checks.BAD]


def test_up_starts_waits_and_ends_with_address_link_and_health(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Docker is asked to start and to wait; then come the address, the table of parts and, last, the sign-in link."""
    (docker / "ps").write_text(
        '{"Service": "portal-api", "State": "running", "Health": "healthy", "Publishers": null}\n'
        '{"Service": "prepare", "State": "exited", "ExitCode": 0}\n'
    )
    link = {"email": "oleg@example.org", "until": "2026-11-23 07:00 UTC", "url": "https://localhost/welcome/abc"}
    (docker / "first").write_text(json.dumps(link))
    assert up.main(["--wait", "77"], root) == 0
    said = capfd.readouterr().out
    assert "compose up --detach --remove-orphans --wait --wait-timeout 77" in asked(docker)
    assert "compose exec -T watch tamga user first oleg@example.org --json" in asked(docker)
    assert said.index(f"https://localhost:{port_of(root)}") < said.index("the table of") < said.index("/welcome/abc")


def test_up_that_does_not_come_up_says_which_part_and_what_it_said(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The one sentence is the last line of the container that ended, not of those that wait for it."""
    (docker / "up.code").write_text("1")
    (docker / "ps").write_text(
        '{"Service": "grants-api", "State": "created"}\n{"Service": "prepare", "State": "exited", "ExitCode": 1}\n'
    )
    (docker / "logs").write_text("starting\ntamga_grants: version 0003 failed (division by zero).\n")
    assert up.main([], root) == 1
    assert capfd.readouterr().err.strip() == (
        "prepare ended with 1: tamga_grants: version 0003 failed (division by zero). (all of it: make logs s=prepare)"
    )


def test_an_unhealthy_part_is_named_with_what_its_check_said(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of one that is ill and many that wait for it the ill one is named, by its check's last words."""
    (docker / "up.code").write_text("1")
    states = {"audit-api": "created", "broker": "unhealthy", "database": "healthy"}
    (docker / "ps").write_text("\n".join(json.dumps({"Service": one, "State": two}) for one, two in states.items()))
    (docker / "inspect").write_text("fine\n\n\x1b[2Kno sign of life for 31 s\n")
    assert up.main([], root) == 1
    assert capfd.readouterr().err.strip() == (
        "broker unhealthy: no sign of life for 31 s (all of it: make logs s=broker)"
    )


def test_a_preparing_container_that_has_ended_well_is_no_failure(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Some releases of Compose answer 1 because a container has ended; what counts is how each is."""
    (docker / "up.code").write_text("1")
    (docker / "ps").write_text('[{"Service": "prepare", "State": "exited", "ExitCode": 0}]')
    (docker / "first").write_text("{}")
    assert up.main([], root) == 0
    assert "Tamga is ready" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1", "denied"),
        ("echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1", "stopped"),
        ('echo \'{"ServerErrors": ["permission denied while trying to connect"]}\'', "denied"),
        ("exec sleep 60", "silent"),
    ],
)
def test_the_engines_state_is_what_its_client_says(
    docker: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str
) -> None:
    """Refusals are told apart also where the client calls them a success, and a client that hangs is left."""
    monkeypatch.setattr(engine, "PATIENCE", 1)
    monkeypatch.setattr(engine.run, "__kwdefaults__", {"folder": None, "patience": 1})
    (docker / "docker").write_text(f"#!/bin/sh\n{script}\n")
    assert engine.look().state == state


def test_without_a_client_the_engine_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing named docker on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.look() == engine.Engine("absent")


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker client is installed")
def test_a_real_client_without_an_engine_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client's own words for an engine that is not there mean: not running."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    assert engine.look().state == "stopped"


def test_lost_secrets_beside_data_are_not_made_anew(
    root: Path, docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A volume of this very stack means that the former password is needed: it is asked for, `make init` is not."""
    (root / "secrets/postgres_password").unlink()
    (docker / "config").write_text('{"name": "house"}')
    (docker / "volumes").write_text("house_database")
    assert up.main([], root) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "put secrets/postgres_password back from your copy # none: docs/operations.md, Secrets" in said
    assert "make init" not in said
    wanted = "volume ls --quiet --filter label=com.docker.compose.project=house"
    assert [question for question in asked(docker) if question.startswith(wanted)]


def test_who_has_seen_enough_gets_no_traceback(root: Path) -> None:
    """`make doctor | head -1` ends quietly."""
    command = f"{sys.executable} -m deploy.compose doctor | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["check", "result"], "")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user of this machine can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tamga-house-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="only root can be somebody else")
def test_somebody_elses_secrets_are_one_sentence(open_folder: Path) -> None:
    """Run by another user than the owner, doctor says who should run it, without a traceback."""
    shutil.copytree(
        ROOT / "deploy/compose", open_folder / "deploy/compose", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "docker-compose.yml", open_folder)
    init.write(open_folder, {"TAMGA_DOMAIN": "localhost"})
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*nobody, "/usr/bin/python3", "-m", "deploy.compose", "doctor"]
    done = subprocess.run(command, cwd=open_folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r".*secrets.* can't be read or written by you: run this as the owner.*\n", done.stderr)


def test_facts_of_this_machine_are_gathered(root: Path) -> None:
    """Memory, disks, limits, addresses and names are read from the system itself."""
    found = facts.gather(root)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found.memory is not None
    assert abs(found.memory - pages) < 0.05 * pages
    assert abs(found.disks[str(root)] - shutil.disk_usage(root).free) < 2**30
    assert found.open_files == int(Path("/proc/sys/fs/nr_open").read_text())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for address in found.own_addresses:
            if "." in address:
                probe.bind((address, 0))  # the system lets nobody bind an address that is not its own
                break
    assert {"127.0.0.1", "::1"} <= set(found.own_addresses)
    assert "127.0.0.1" in (found.addresses or ())
    assert facts.addresses_of("no-such-name.invalid") is None
