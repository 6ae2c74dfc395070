"""The compose files keep the rules of the house: least rights, bounded, pinned, no secret outside of its file."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import environment, secret_files

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "docker-compose.yml"
FILES = environment.every_compose_file(ROOT)
# By the default of an optional variable too, nothing but this machine itself may be listened on.
LOOPBACK = re.compile(r"(127\.0\.0\.1|\[::1\]|\$\{TAMGA_BIND:(\?[^}]+|-127\.0\.0\.1)\}):")
# What is optional may bring an image of its own, of one release.
PINNED = re.compile(r"\$\{[A-Z_]+_IMAGE:(\?[^}]*make init[^}]*|-[^}]+:\d[\w.-]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|COOKIE|PRIVATE|API_?KEY|_KEY$")
WITH_PASSWORD = re.compile(r"://[^/@\s:]+:[^/@\s]+@")


def services_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the services that a file brings; what it only changes of another file's has no image."""
    content = yaml.safe_load(path.read_text()) or {}
    return {name: service for name, service in content.get("services", {}).items() if "image" in service}


def every_service() -> list[tuple[str, dict[str, Any]]]:
    """Return the services of all files by file and name."""
    return [
        (f"{path.relative_to(ROOT)}: {name}", service) for path in FILES for name, service in services_of(path).items()
    ]


def variables_of(service: dict[str, Any]) -> dict[str, str]:
    """Return a service's environment as names and values."""
    given = service.get("environment") or {}
    if isinstance(given, list):
        given = dict(entry.partition("=")[::2] for entry in given)
    return {name: str(value) for name, value in given.items()}


def rights(service: dict[str, Any]) -> list[str]:
    """Return what a service may and should not."""
    user = str(service.get("user", ""))
    return [
        words
        for words, broken in {
            "has a writable root file system": service.get("read_only") is not True,
            "keeps capabilities": service.get("cap_drop") != ["ALL"] or "cap_add" in service,
            "may get new privileges": "no-new-privileges:true" not in (service.get("security_opt") or []),
            "is privileged": bool(service.get("privileged")),
            "runs as root or as whoever the image says": not re.fullmatch(r"[1-9]\d*(:\d+)?", user),
            "shares the host's network or processes": bool({"pid", "ipc"} & set(service))
            or service.get("network_mode", "none") != "none",
            "holds the engine": "docker.sock" in str(service.get("volumes", "")),
        }.items()
        if broken
    ]


def bounds(service: dict[str, Any]) -> list[str]:
    """Return what a service lacks in limits and signs of life."""
    logging = (service.get("logging") or {}).get("options") or {}
    ends = str(service.get("restart", "")) == "no"  # it prepares something and ends: nobody asks how it is
    check = service.get("healthcheck") or {}
    return [
        words
        for words, broken in {
            "has no memory limit": "mem_limit" not in service,
            "writes logs without end": not {"max-size", "max-file"} <= set(logging),
            "has no health check": not ends and (not check.get("test") or bool(check.get("disable"))),
            "waits for another without its health": isinstance(service.get("depends_on"), list),
        }.items()
        if broken
    ]


def openings(service: dict[str, Any]) -> list[str]:
    """Return where a service could be reached, replaced, or read."""
    image, given = str(service["image"]), variables_of(service)
    told = [name for name in given if SECRET.search(name) and not name.endswith(("_FILE", "_FOLDER"))]
    told += [name for name, value in given.items() if WITH_PASSWORD.search(value)]
    return [
        words
        for words, broken in {
            f"has the image {image} that no variable pins": not PINNED.fullmatch(image) or "latest" in image,
            "listens on more than this machine": any(
                not LOOPBACK.match(str(port)) for port in service.get("ports") or []
            ),
            f"has secrets in its environment: {told}": bool(told),
        }.items()
        if broken
    ]


def complaints(service: dict[str, Any]) -> list[str]:
    """Return all that is wrong with a service."""
    return rights(service) + bounds(service) + openings(service)


GOOD: dict[str, Any] = {
    "image": '${TAMGA_APP_IMAGE:?run "make init" first}',
    "user": "10001:10001",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "mem_limit": "200m",
    "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    "healthcheck": {"test": ["CMD", "healthy"]},
    "ports": ['${TAMGA_BIND:?run "make init" first}:8443:8443'],
    "environment": {"TAMGA_AMQP_PASSWORD_FILE": "/run/secrets/grants_broker_password"},
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": "tamga/app:latest"}, "that no variable pins"),
        ({"image": "${TAMGA_APP_IMAGE:-tamga/app}"}, "that no variable pins"),
        ({"user": "root"}, "runs as root"),
        ({"user": "0"}, "runs as root"),
        ({"user": None}, "runs as root"),
        ({"read_only": False}, "writable root"),
        ({"cap_drop": ["NET_RAW"]}, "keeps capabilities"),
        ({"cap_add": ["NET_ADMIN"]}, "keeps capabilities"),
        ({"security_opt": []}, "new privileges"),
        ({"privileged": True}, "is privileged"),
        ({"network_mode": "host"}, "host's network"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}, "holds the engine"),
        ({"logging": {"driver": "json-file"}}, "logs without end"),
        ({"healthcheck": {"disable": True}}, "no health check"),
        ({"depends_on": ["database"]}, "without its health"),
        ({"ports": ["8443:8443"]}, "more than this machine"),
        ({"ports": ["0.0.0.0:8443:8443"]}, "more than this machine"),
        ({"environment": {"POSTGRES_PASSWORD": "x"}}, "secrets in its environment"),
        ({"environment": ["TAMGA_SMTP_URL=smtp://me:pass@host"]}, "secrets in its environment"),
    ],
)
def test_a_broken_rule_is_noticed(change: dict[str, Any], complaint: str) -> None:
    """Each rule finds the service that breaks it, and none that keeps it."""
    assert complaints(GOOD) == []
    found = complaints(deepcopy(GOOD) | change)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("name", "service"), every_service(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_service_keeps_the_rules(name: str, service: dict[str, Any]) -> None:
    """Non-root, read-only, no capabilities, bounded, pinned, on this machine alone, no secret in its environment."""
    assert complaints(service) == [], name


def test_every_variable_says_what_to_do_or_is_explained() -> None:
    """One that must be set has a sentence with its command; one that may be set stands in the handbook."""
    asked = environment.needs("\n".join(path.read_text() for path in FILES))
    assert [name for name, sentence in asked.required.items() if "make " not in sentence] == []
    handbook = (ROOT / "docs/operations.md").read_text()
    assert [name for name in asked.optional if name not in handbook] == []
    assert len(asked.required) > 5


def test_every_required_variable_is_made_by_the_first_start() -> None:
    """After `make init` no variable is missing."""
    asked = environment.needs("\n".join(path.read_text() for path in FILES))
    made = environment.variables("1.0", domain="x.example", time_zone="UTC", operator="o@x.example")
    assert set(asked.required) <= {variable.name for variable in made if variable.value}


def test_every_secret_is_made_by_the_first_start_and_given_to_somebody() -> None:
    """No compose file names a secret that nobody makes, and none is made that no container gets."""
    named = environment.needs("\n".join(path.read_text() for path in FILES)).secrets
    assert set(named) <= set(secret_files.wanted(named))
    assert set(secret_files.NAMES) <= set(named)
    content = yaml.safe_load(MAIN.read_text())
    files = {name: facts["file"].rpartition("/")[2] for name, facts in content["secrets"].items()}
    given = {
        entry if isinstance(entry, str) else entry["source"]
        for service in content["services"].values()
        for entry in service.get("secrets") or []
    }
    assert set(files) == given


def test_a_private_key_or_password_goes_to_its_owner_alone() -> None:
    """A service's containers get their own service's secrets; the signing key goes to the portal."""
    for name, service in services_of(MAIN).items():
        owner, _, kind = name.rpartition("-")
        given = {entry if isinstance(entry, str) else entry["source"] for entry in service.get("secrets") or []}
        if kind not in {"api", "worker", "relay"}:
            continue
        foreign = {
            secret
            for secret in given
            if secret.partition("_")[0] in set(secret_files.SERVICES) - {owner} and secret.endswith("_password")
        }
        assert foreign == set(), name
        assert "signing_key" not in given or owner == "portal", name
        assert not {secret for secret in given if "owner_password" in secret or secret == "postgres_password"}, name


def test_the_outside_is_reached_by_the_proxy_alone() -> None:
    """Only the proxy publishes ports; every network but its own is internal."""
    content = yaml.safe_load(MAIN.read_text())
    assert [name for name, service in content["services"].items() if service.get("ports")] == ["proxy"]
    outside = {name for name, facts in content["networks"].items() if not (facts or {}).get("internal")}
    assert len(outside) <= 2
    joined = {name for name, service in content["services"].items() if outside & set(service.get("networks") or [])}
    assert joined <= {"proxy", "notifications-worker", "portal-api"}
    assert "name" not in content
    images = {str(service["image"]) for service in content["services"].values()}
    assert all(":?" in image for image in images)
