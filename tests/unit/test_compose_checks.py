"""What `make doctor` makes of the facts: each check's states, with a cure for everything that is not good."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.compose import checks, doctor, engine, facts, terminal
from deploy.compose.checks import BAD, GB, GOOD, LOOK, UNKNOWN, Check
from deploy.compose.engine import Engine, Said
from deploy.compose.facts import Facts, Holder

MODULES = sorted(Path(checks.__file__).parent.glob("*.py"))
READY = Engine("ready", version="27.3.1", memory=4 * GB, data_root="/var/lib/docker", compose="2.29.7")
FINE = Facts(
    engine=READY,
    memory=4 * GB,
    disks={"/srv/tamga": 40 * GB, "/var/lib/docker": 20 * GB},
    ports=(Holder(8080), Holder(8443, ours=True)),
    synchronised=True,
    skew=0.0,
    has_environment=True,
    values={
        "TAMGA_DOMAIN": "grants.example.org",
        "TAMGA_APP_IMAGE": "tamga/app:1.4.0",
        "TAMGA_OPERATOR_EMAIL": "oleg@example.org",
    },
    required={"TAMGA_DOMAIN": "", "TAMGA_APP_IMAGE": ""},
    networks=5,
    addresses=("10.0.0.5",),
    own_addresses=("10.0.0.5", "127.0.0.1"),
    open_files=2**20,
    system_files=2**20,
    running={"portal-api": "healthy", "prepare": facts.DONE},
    lines=({"key": "backups", "state": "good", "says": ["The last one is 5 hours old."], "commands": []},),
)
CASES: list[tuple[Check, Facts, str, str, str]] = [
    (checks.engine, replace(FINE, engine=Engine("absent")), BAD, "is not installed", "apt-get install docker.io"),
    (checks.engine, replace(FINE, engine=Engine("denied")), BAD, "may not use it", "newgrp docker"),
    (
        checks.engine,
        replace(FINE, engine=Engine("denied"), in_docker_group=False),
        BAD,
        "may not use it",
        "usermod -aG docker",
    ),
    (checks.engine, replace(FINE, engine=Engine("stopped", said="no socket")), BAD, "no socket", "systemctl start"),
    (checks.engine, replace(FINE, engine=Engine("silent")), BAD, "does not answer", "systemctl restart"),
    (checks.engine, replace(FINE, engine=replace(READY, version="19.3.8")), BAD, "too old", "docker.io"),
    (checks.compose, replace(FINE, engine=replace(READY, compose="")), BAD, "not installed", "docker-compose-v2"),
    (checks.compose, replace(FINE, engine=replace(READY, compose="2.0.1")), BAD, "too old", "docker-compose-v2"),
    (checks.memory, replace(FINE, memory=2 * GB), BAD, "2.0 GB", "more memory"),
    (checks.memory, replace(FINE, memory=3 * GB), LOOK, "3.0 GB", "4 GB"),
    (checks.memory, replace(FINE, memory=None), UNKNOWN, "can't be seen", ""),
    (checks.disk, replace(FINE, disks={"/": 40 * GB, "/var": GB}), BAD, "1.0 GB free at /var", "image prune"),
    (checks.disk, replace(FINE, disks={"/": 5 * GB}), LOOK, "5.0 GB", "docker system df"),
    (checks.disk, replace(FINE, disks={}), UNKNOWN, "can't be seen", ""),
    (checks.ports, replace(FINE, ports=(Holder(8443, name="nginx (process 7)"),)), BAD, "taken by nginx", ".env"),
    (checks.ports, replace(FINE, ports_problem="TAMGA_HTTP_PORT=http is no port"), BAD, "is no port", ".env"),
    (checks.ports, replace(FINE, ports=()), UNKNOWN, "chosen", "make init"),
    (checks.clock, replace(FINE, synchronised=False), LOOK, "not synchronised", "set-ntp true"),
    (checks.clock, replace(FINE, synchronised=None), UNKNOWN, "nobody", ""),
    (checks.clock, replace(FINE, skew=-90.0), BAD, "-90 s", "restart docker"),
    (checks.rights, replace(FINE, open_to_others=("secrets",)), BAD, "secrets", "chmod 700 secrets"),
    (
        checks.rights,
        replace(FINE, closed_secrets=("backup_key", "smtp_password")),
        BAD,
        "the containers can't read backup_key, smtp_password",
        "chmod 444 secrets/backup_key secrets/smtp_password",
    ),
    *(
        (
            checks.variables,
            replace(FINE, values=FINE.values | {name: value}),
            BAD,
            f"{name}={value} is no",
            f"{name} in",
        )
        for name, value in (
            ("TAMGA_TIME_ZONE", "Skopje in the evening"),
            ("TAMGA_DOMAIN", "http://grants"),
            ("TAMGA_SMTP_URL", "mail.example.org"),
            ("TAMGA_OPERATOR_EMAIL", "oleg"),
            ("TAMGA_BIND", "everywhere"),
            ("TAMGA_BACKUP_AT", "2 at night"),
        )
    ),
    (checks.variables, replace(FINE, has_environment=False), BAD, "no .env", "make init"),
    (checks.variables, replace(FINE, absent_files=("deploy/x.yml",)), BAD, "x.yml is not here", "mend COMPOSE_FILE"),
    (
        checks.mail,
        replace(FINE, values={"TAMGA_SMTP_URL": "smtp://mail.example.org"}),
        LOOK,
        "nothing lets letters out",
        "COMPOSE_FILE=docker-compose.yml:deploy/outbound/mail.yml",
    ),
    (checks.variables, replace(FINE, values={"TAMGA_DOMAIN": ""}), BAD, "TAMGA_APP_IMAGE, TAMGA_DOMAIN", "make init"),
    (
        checks.variables,
        replace(FINE, values=FINE.values | {"TAMGA_OPERATOR_EMAIL": "operator@localhost"}),
        LOOK,
        "nobody is named",
        "TAMGA_OPERATOR_EMAIL",
    ),
    (checks.secrets, replace(FINE, secret_problems={"backup_key": "is missing"}), BAD, "backup_key", "make init"),
    (
        checks.secrets,
        replace(FINE, secret_problems={"a": "is missing", "b": "is a placeholder"}),
        BAD,
        "b is a placeholder",
        "rm -f secrets/b && make init",
    ),
    (
        checks.secrets,
        replace(FINE, secret_problems={"postgres_password": "is missing", "a": "is missing"}, has_data=True),
        BAD,
        "postgres_password is missing, and there are data that know the former",
        "put secrets/postgres_password back from your copy   # none: docs/operations.md, Secrets",
    ),
    (checks.secrets, replace(FINE, secret_problems={"a": "is missing"}, has_data=True), BAD, "missing: a", "make init"),
    (checks.secrets, replace(FINE, unmade=("api_token",)), BAD, "api_token", "put them into secrets/"),
    (checks.images, replace(FINE, missing_images=("tamga/app:1.4.0",)), BAD, "tamga/app:1.4.0", "make images"),
    (
        checks.images,
        replace(FINE, missing_images=("tamga/app:1.4.0",), has_archive=True),
        BAD,
        "missing",
        "deploy/airgap/load",
    ),
    (checks.images, replace(FINE, engine=Engine("stopped")), UNKNOWN, "can't be asked", ""),
    (checks.networks, replace(FINE, networks=31, running={}), BAD, "31", "docker network prune"),
    (checks.networks, replace(FINE, networks=None), UNKNOWN, "can't be asked", ""),
    (checks.domain, replace(FINE, addresses=None), LOOK, "known to nobody", "/etc/hosts"),
    (checks.domain, replace(FINE, addresses=("203.0.113.9",)), LOOK, "leads to 203.0.113.9", "DNS"),
    (checks.domain, replace(FINE, values={}), UNKNOWN, "chosen", "make init"),
    (checks.kernel, replace(FINE, open_files=1024), BAD, "1024", "fs.nr_open"),
    (checks.kernel, replace(FINE, system_files=1024), BAD, "1024", "fs.file-max"),
    (checks.kernel, replace(FINE, open_files=None), UNKNOWN, "can't be seen", ""),
    (checks.health, replace(FINE, running={}), UNKNOWN, "not running", "make up"),
    (checks.health, replace(FINE, running={"grants-api": "unhealthy"}), BAD, "grants-api", "make logs s=grants-api"),
    (checks.health, replace(FINE, running={"prepare": "ended with 1"}), BAD, "ended with 1", "make logs s=prepare"),
    (
        checks.health,
        replace(FINE, running={"audit-relay": "unhealthy", "grants-worker": "stopped", "database": "stopped"}),
        BAD,
        "database is stopped, grants-worker is stopped, audit-relay unhealthy",
        "make up",
    ),
    (
        checks.health,
        replace(FINE, running=dict.fromkeys("abcdefgh", "absent") | {"prepare": "ended with 1", "broker": "healthy"}),
        BAD,
        "prepare ended with 1, a is absent, b is absent, c is absent, d is absent, e is absent, and 3 more",
        "make logs s=prepare",
    ),
    (checks.health, replace(FINE, running={"watch": "ended with 137"}), BAD, "ended with 137", "make up"),
    (checks.health, replace(FINE, running={"broker": "unhealthy"}), BAD, "broker unhealthy", "make logs s=broker"),
    (checks.backups, replace(FINE, running={"database": "stopped"}), UNKNOWN, "the database does not answer", ""),
    (
        checks.backups,
        replace(
            FINE,
            lines=(
                {"key": "backups", "state": "good", "says": ["Fine."], "commands": []},
                {"key": "drill", "state": "bad", "says": ["Never done."], "commands": ["make drill"]},
            ),
        ),
        BAD,
        "Never done.",
        "make drill",
    ),
]


@pytest.mark.parametrize(("check", "given", "state", "result", "cure"), CASES)
def test_a_check_tells_what_is_wrong_and_what_mends_it(
    check: Check, given: Facts, state: str, result: str, cure: str
) -> None:
    """Each bad fact gives its state, names itself, says why it matters and what to do."""
    found = check(given)
    assert found is not None
    assert (found.state, result in found.result, cure in found.cure) == (state, True, True), found
    assert found.why
    assert found.cure or found.state == UNKNOWN


def test_on_a_machine_in_order_every_check_is_good() -> None:
    """No check complains without a reason, and none needs a cure."""
    found = checks.findings(FINE)
    assert {one.check: (one.state, one.cure) for one in found} == {one.check: (GOOD, "") for one in found}
    assert len(found) == len(checks.ALL)


def test_every_check_has_a_case_in_which_it_is_not_good() -> None:
    """The table above knows each check."""
    assert {case[0] for case in CASES} == set(checks.ALL)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Said(0, "{}", ""), "ready"),
        (Said(127, "", "docker is not installed"), "absent"),
        (Said(124, "", "docker did not answer within 20 s"), "silent"),
        (Said(1, "", "permission denied while trying to connect to the Docker daemon socket"), "denied"),
        (Said(1, "", "Got permission denied while trying to connect"), "denied"),
        (Said(1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."), "stopped"),
    ],
)
def test_the_engines_refusals_are_told_apart(said: Said, state: str) -> None:
    """Not installed, not running, not allowed and not answering each want another cure."""
    assert engine.state_of(said) == state


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.26.1-4", (2, 26, 1)), ("v2.1.1", (2, 1, 1)), ("dev", ()), ("20.10.24+dfsg1", (20, 10, 24))],
)
def test_versions_are_compared_by_number(version: str, numbers: tuple[int, ...]) -> None:
    """Distributions write more than numbers behind them."""
    assert engine.numbers(version) == numbers


def test_rows_of_both_kinds_of_json_are_read() -> None:
    """Compose printed a list once and prints an object a line now."""
    assert engine.rows('[{"a": 1}, {"a": 2}]') == engine.rows('{"a": 1}\n{"a": 2}') == [{"a": 1}, {"a": 2}]
    assert engine.rows("") == engine.rows("no json") == []


def test_the_table_fits_80_columns_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line but a command is longer, nothing is coloured, and each bad check has its command whole."""
    monkeypatch.delenv("COLUMNS", raising=False)
    found = [one for check, given, *_ in CASES if (one := check(given))]
    lines = doctor.table(found)
    assert all(len(line) <= terminal.WIDEST for line in lines if "→" not in line)
    assert "\033" not in "".join(lines)
    assert all(any(f"→ {one.cure}" in line for line in lines) for one in found if one.cure)


def test_the_verdict_and_the_exit_code_follow_the_worst(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Something bad is 1, something to look at is 0; --json carries check, state, result, why and cure."""
    for given, code, words in (
        (FINE, 0, "All is well."),
        (replace(FINE, synchronised=False), 0, "1 to look at."),
        (replace(FINE, memory=GB), 1, "1 of 16 must be mended"),
    ):
        monkeypatch.setattr(facts, "gather", lambda _root, given=given: given)
        assert doctor.main([], tmp_path) == code
        assert words in capsys.readouterr().out
        assert doctor.main(["--json"], tmp_path) == code
        found = json.loads(capsys.readouterr().out)
        assert found["ok"] is (code == 0)
        assert set(found["checks"][0]) == {"check", "state", "result", "why", "cure"}


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is coloured, unless NO_COLOR is set; a file never is."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert terminal.painted("bad", "red", sys.stdout) == "\033[31mbad\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.painted("bad", "red", sys.stdout) == "bad"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert terminal.painted("bad", "red", sys.stdout) == "bad"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_operators_scripts_need_nothing_but_an_old_python(module: Path) -> None:
    """Each parses as Python 3.9 and imports only the standard library and its neighbours."""
    tree = ast.parse(module.read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"deploy", *sys.stdlib_module_names}
