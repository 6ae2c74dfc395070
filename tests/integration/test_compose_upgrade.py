"""`make upgrade` and `make rollback`: what they ask Docker for, in which order, and what is left of each failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.compose import environment, init, releases, rollback, up, upgrade
from shared.infrastructure.system import free_port

pytestmark = pytest.mark.slow  # every step of an upgrade, and every way it fails

COMPOSE = """
services:
  portal-api:
    image: ${TAMGA_APP_IMAGE:?run "make init" first}
    environment: {NAME: "${TAMGA_DOMAIN:?run make init}"}
"""
# A docker that notes what it was asked: the release, the compose file, the words. What it starts is then what runs;
# files named after a question or a release make it fail there.
DOCKER = """#!/bin/sh
cd {folder}
file=-
[ "$2" = --file ] && {{ file=$(basename "$3" .json); shift 3; set -- compose "$@"; }}
echo "${{TAMGA_VERSION:--}} $file $*" >> notes
runs=$(cat runs)
health=$(cat "ill.$runs" 2>/dev/null || echo healthy)
case "$*" in
  "compose version --short") echo 2.29.7 ;;
  info*) echo '{{"ServerVersion": "27.3.1", "MemTotal": 8589934592, "DockerRootDir": "{folder}"}}' ;;
  "compose config --services") echo prepare; echo proxy; echo portal-api; echo grants-worker; echo broker ;;
  "compose config --images") echo "tamga/app:$TAMGA_VERSION" ;;
  "compose config"*) echo '{{"name": "tamga", "services": {{"portal-api": {{"image": "'$TAMGA_APP_IMAGE'"}}}}}}' ;;
  "image inspect"*) [ ! -e "no-image.${{5##*:}}" ] ;;
  *"shared.migrations contracts") cat contracts ;;
  *"--entrypoint postgres"*) cat program ;;
  *PG_VERSION*) echo 17 ;;
  *"backup create"*) [ ! -e no-backup ] && echo '{{"file": "tamga-'$runs'-20261122T080000Z.backup"}}' ||
    {{ echo "A transaction of grants stays open (process 77)." >&2; exit 1; }} ;;
  *prepare) [ ! -e no-migration ] && echo "databases: applied 2" || {{ cat no-migration >&2; exit 1; }} ;;
  "compose up --detach --wait database broker") ;;
  "compose up"*) cp {root}/.env env.at-start; echo "$TAMGA_VERSION" > runs; [ ! -e "ill.$TAMGA_VERSION" ] ;;
  "compose ps --all --quiet"*) echo 1 ;;
  "compose ps"*) [ -z "$runs" ] || echo '{{"Service": "portal-api", "State": "running", "Health": "'$health'",' \\
    '"Image": "tamga/app:'$runs'"}}' | sed p\\;s/portal-api/broker/ ;;
  inspect*) echo "no answer on 8400" ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a checkout of 0.2.0 in which 0.1.0 is installed, on ports that are free."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "pyproject.toml").write_text('version = "0.1.0"\n')
    init.write(tmp_path, {"TAMGA_DOMAIN": "localhost", "TAMGA_OPERATOR_EMAIL": "oleg@example.org"})
    text = (tmp_path / ".env").read_text().replace("=8080", f"={free_port()}").replace("=8443", f"={free_port()}")
    (tmp_path / ".env").write_text(f"# mine\n{text}OTHER='a b'\n")
    (tmp_path / "pyproject.toml").write_text('version = "0.2.0"\n')
    return tmp_path


@pytest.fixture
def docker(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put such a docker on the path, 0.1.0 running in it; give its folder."""
    folder = root / "docker"
    folder.mkdir()
    answers = {"runs": "0.1.0", "contracts": "[]", "program": "postgres (PostgreSQL) 17.6 (Debian 17.6-1)", "notes": ""}
    for name, content in answers.items():
        (folder / name).write_text(content + "\n" if content else "")
    (folder / "docker").write_text(DOCKER.format(folder=folder, root=root))
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in [name for name in os.environ if name.startswith("TAMGA_")]:
        monkeypatch.delenv(name)
    return folder


ACTS = ("compose exec -T backup", "compose run", "compose up", "compose down", "compose stop")


def acts(docker: Path) -> list[str]:
    """Return what docker was asked to do, in order: release, file, words; what only asks is left out."""
    lines = [line.split(" ", 2) for line in (docker / "notes").read_text().splitlines()]
    return [" ".join(line) for line in lines if line[2].startswith(ACTS)]


def version_of(root: Path) -> str:
    """Return the release that .env names."""
    return environment.read((root / ".env").read_text())["TAMGA_VERSION"]


BACKUP = "compose exec -T backup tamga backup create --json"
PREPARE = "compose run --rm --no-deps -T prepare"
ALONE = f"compose up --detach --wait --wait-timeout {up.PATIENCE}"
START = f"{ALONE} --remove-orphans"
THERE = [f"{ALONE} broker", f"{ALONE} grants-worker", f"{ALONE} portal-api", f"{ALONE} proxy", START]
BACK = [f"{ALONE} broker", f"{ALONE} portal-api", f"{ALONE} grants-worker", f"{ALONE} proxy", START]


def starts(release: str, words: list[str]) -> list[str]:
    """Return these words as a release says them."""
    return [f"{release} {one}" for one in words]


def test_an_upgrade_backs_up_then_migrates_then_starts_and_only_then_is_written_down(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The old release makes the backup, the new one migrates and starts; .env changes last, and in nothing else."""
    before = (root / ".env").read_text()
    assert upgrade.main([], root) == 0
    assert acts(docker) == [f"0.1.0 - {BACKUP}", f"0.2.0 - {PREPARE}", *starts("0.2.0 -", THERE)]
    assert (docker / "env.at-start").read_text() == before
    after = (root / ".env").read_text()
    assert after == before.replace("TAMGA_VERSION=0.1.0", "TAMGA_VERSION=0.2.0").replace(":0.1.0", ":0.2.0")
    said = capfd.readouterr().out
    order = [
        said.index(word) for word in ("Look", "Back up", "Migrate", "Workers", "Pages", "Start", "Health", "0.2.0 runs")
    ]
    assert order == sorted(order)
    assert "tamga-0.1.0-20261122T080000Z.backup" in said


SPOILS: list[tuple[str, str, list[str]]] = [
    ("echo 0.3.0 > docker/runs; sed -i s/0.1.0/0.3.0/ .env", "0.3.0 runs and 0.2.0 is older: `make rollback`", []),
    ("printf '' > docker/runs", "Tamga does not run, so no backup can be made of it: `make up` starts 0.1.0", []),
    ("echo unhealthy > docker/ill.0.1.0", "broker unhealthy: mend what runs first (make doctor)", []),
    ("touch docker/no-image.0.2.0", "0.2.0 can't be installed on this machine yet", []),
    ("echo nonsense > docker/contracts", "tamga/app:0.2.0 does not start (nonsense)", []),
    (
        'echo \'[{"service": "grants", "revision": "0007", "since": "0.1.5"}]\' > docker/contracts',
        "takes out of the tables of grants (version 0007) what 0.1.0 still uses: upgrade to 0.1.5 first",
        [],
    ),
    (
        "echo 'postgres (PostgreSQL) 18.1' > docker/program",
        "The data are of PostgreSQL 17 and tamga/database:0.2.0 has 18",
        [],
    ),
    (
        "touch docker/no-backup",
        "No backup could be made: A transaction of grants stays open (process 77). (make backup) Nothing was changed.",
        [f"0.1.0 - {BACKUP}"],
    ),
    (
        "echo 'databases: tamga_grants: version 0005 failed (no disk). It is as it was.' > docker/no-migration",
        "tamga_grants: version 0005 failed (no disk). It is as it was. 0.1.0 goes on as before",
        [f"0.1.0 - {BACKUP}", f"0.2.0 - {PREPARE}"],
    ),
    (
        "sed -i s/^TAMGA_APP_IMAGE=.*/TAMGA_APP_IMAGE=mine/ .env",
        "TAMGA_APP_IMAGE=mine in .env does not end with :0.1.0",
        [],
    ),
]


@pytest.mark.parametrize("case", SPOILS, ids=[sentence[:30] for _, sentence, _ in SPOILS])
def test_what_keeps_a_release_from_being_installed_is_one_sentence_and_the_old_one_goes_on(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str], case: tuple[str, str, list[str]]
) -> None:
    """Exit 1, the sentence with its cure, no container started or stopped, and .env as it was."""
    spoil, sentence, done = case
    assert os.system(f"cd {root} && {spoil}") == 0  # noqa: S605 - a line of this file
    before = (root / ".env").read_text()
    assert upgrade.main([], root) == 1
    said = capfd.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert acts(docker) == done
    assert (root / ".env").read_text() == before


def test_a_release_that_does_not_come_up_is_replaced_by_the_one_before(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The old containers are started again from what was kept of them; the sentence names who was ill and why."""
    before = (root / ".env").read_text()
    (docker / "ill.0.2.0").write_text("unhealthy\n")
    assert upgrade.main(["--wait", "300"], root) == 1
    assert acts(docker)[2:] == [f"0.2.0 - {ALONE} broker", *starts("0.1.0 former", BACK)]
    assert (docker / "runs").read_text() == "0.1.0\n"
    assert (root / ".env").read_text() == before
    said = capfd.readouterr().err
    assert "0.2.0 did not come up (portal-api unhealthy: no answer on 8400" in said
    assert "0.1.0 runs again and nothing is lost" in said


def test_when_neither_comes_up_the_way_out_is_named(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both failures stand in the sentence, with the command that tries again and the backup as the last resort."""
    (docker / "ill.0.2.0").write_text("unhealthy\n")
    # 0.1.0 has fallen ill since it was looked at.
    script = (docker / "docker").read_text()
    (docker / "docker").write_text(
        script.replace('"compose up"*) cp', '"compose up"*) echo restarting > ill.0.1.0; cp')
    )
    assert upgrade.main([], root) == 1
    said = capfd.readouterr().err
    assert "0.1.0 did not come up again either (portal-api restarting" in said
    assert "`make rollback A=--restore` brings back tamga-0.1.0-20261122T080000Z.backup" in said
    assert releases.stored(root, releases.FORMER) is not None


def test_a_rollback_starts_what_ran_before_and_can_be_done_once(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """After an upgrade the former release is started from its own file, .env names it, and there is no way further."""
    before = (root / ".env").read_text()
    assert upgrade.main([], root) == 0
    (docker / "notes").write_text("")
    assert rollback.main([], root) == 0
    assert acts(docker) == starts("0.1.0 former", BACK)
    assert (root / ".env").read_text() == before
    assert rollback.main([], root) == 1
    assert "there is nothing to go back to" in capfd.readouterr().err


def test_only_when_asked_for_the_backup_comes_back_too(root: Path, docker: Path) -> None:
    """With --restore: what is there is backed up, all is stopped, the backup from before the upgrade is restored."""
    assert upgrade.main([], root) == 0
    (docker / "notes").write_text("")
    assert rollback.main(["--restore"], root) == 0
    file = "/var/lib/tamga/backups/tamga-0.1.0-20261122T080000Z.backup"
    assert acts(docker) == [
        f"0.1.0 former {BACKUP}",
        "0.1.0 former compose down --remove-orphans",
        "0.1.0 former compose up --detach --wait database broker",
        f"0.1.0 former compose run --rm --no-deps -T backup tamga restore {file} --replace",
        f"0.1.0 former {START}",
    ]
    assert version_of(root) == "0.1.0"


def test_without_its_images_a_rollback_stops_nothing(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Images that were removed since are named before anything is done."""
    assert upgrade.main([], root) == 0
    (docker / "notes").write_text("")
    (docker / "no-image.0.1.0").touch()
    assert rollback.main([], root) == 1
    assert acts(docker) == []
    assert "Images of 0.1.0 are gone (tamga/app:0.1.0)" in capfd.readouterr().err


def test_what_was_started_with_make_up_is_what_a_rollback_starts(root: Path, docker: Path) -> None:
    """The compose file as it was at `make up`, not as the new release's checkout has it, is kept for the way back."""
    up.remember(root)
    kept = (root / ".releases" / "running.json").read_text()
    (docker / "docker").write_text((docker / "docker").read_text().replace('"name": "tamga"', '"name": "new"'))
    assert upgrade.main([], root) == 0
    assert '"name": "tamga"' in kept
    assert acts(docker)[0] == f"0.1.0 running {BACKUP}"


def test_the_release_that_runs_is_not_installed_again(
    root: Path, docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same version: nothing is done, and the command for changed settings is named."""
    assert upgrade.main(["--to", "v0.1.0"], root) == 0
    assert acts(docker) == []
    assert "0.1.0 is what .env names already" in capfd.readouterr().out
