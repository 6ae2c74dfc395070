"""The whole stack, driven through its proxy and looked at from outside and from inside."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey
from running_stack import RunningStack

from shared.web.identity import HEADER, Identity, sign

pytestmark = pytest.mark.timeout(400)
AT_REST = 2000  # MB, all of it together
SERVICES = ("grants", "loans", "notifications", "audit")
# Asked in the network of the services, where no proxy stands between: what would it say?
ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers=dict(pair.split("=", 1) for pair in sys.argv[2:]))
class Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
try:
    print(urllib.request.build_opener(Still).open(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def _megabytes(used: str) -> float:
    number, unit = re.match(r"([\d.]+)(\w+)", used).groups()  # type: ignore[union-attr]
    return float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit] * 1.048576


def _used(stack: RunningStack) -> dict[str, float]:
    ids = stack.docker("compose", "ps", "--quiet").split()
    rows = stack.docker("stats", "--no-stream", "--format", "{{json .}}", *ids).splitlines()
    return {row["Name"]: _megabytes(row["MemUsage"]) for row in map(json.loads, rows)}


def test_at_rest_it_is_small(stack: RunningStack) -> None:
    """Every container is up and well, and all of them together take less than two gigabytes."""
    states = {one["Config"]["Labels"]["com.docker.compose.service"]: one["State"] for one in stack.containers()}
    assert {name: state["Health"]["Status"] for name, state in states.items()} == dict.fromkeys(states, "healthy")
    assert {f"{service}-{part}" for service in SERVICES for part in ("api", "worker", "relay")} <= set(states)
    used = _used(stack)
    sys.stdout.write(f"\nMemory at rest: {sum(used.values()):.0f} MB in {len(used)} containers.\n")
    assert sum(used.values()) < AT_REST, used


def test_the_whole_story_is_told_through_the_proxy(stack: RunningStack, story: dict[str, Any]) -> None:
    """Every act of the story leaves its event, the record verifies, and every event is accounted for."""
    assert story["ok"], story["checks"]
    assert len(story["acts"]) > 100
    figures = story["figures"]
    sys.stdout.write(
        f"\n{figures['events']:.0f} events, handled by the last consumer: p95 {figures['last_consumer_p95_ms']} ms."
        f" Memory just after it: {sum(_used(stack).values()):.0f} MB.\n"
    )


def test_a_session_is_a_cookie_of_this_host_and_ends_everywhere(
    stack: RunningStack, people: dict[str, dict[str, Any]]
) -> None:
    """Signing in through the proxy opens every service to its cookie, and signing out closes all of them."""
    person = people["officer"] if "officer" in people else next(iter(people.values()))
    with stack.browser(headers={"origin": stack.address}) as browser:
        answer = browser.post("/sign-in", data={"email": person["email"], "password": person["password"]})
        assert answer.status_code == 303, answer.text[:500]
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-tamga=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split(", ")[0].split("; "))
        form = re.search(r'name="csrf" value="([^"]+)"', browser.get("/account").text)
        assert form
        for service in ("grants", "notifications"):
            assert browser.get(f"/{service}/api/openapi.json").status_code == 200
        assert browser.post("/sign-out", data={"csrf": form[1]}).status_code == 303
        for service in ("grants", "notifications"):
            assert browser.get(f"/{service}/api/openapi.json").status_code == 401


def test_nobody_can_say_from_outside_who_they_are(stack: RunningStack, people: dict[str, dict[str, Any]]) -> None:
    """A statement that is signed with the real key opens a service from inside, and nothing through the proxy."""
    person = next(iter(people.values()))
    key = OKPKey.import_key((stack.folder / "secrets" / "signing_key.pem").read_text())
    identity = Identity(user=person["user_id"], name=person["name"], roles=tuple(person["roles"]))
    for service in SERVICES:
        path, statement = f"/{service}/api/openapi.json", sign(identity, key)
        inside = stack.within(
            "watch", "python3", "-c", ASK, f"http://{service}-api:8400{path}", f"{HEADER}={statement}"
        )
        assert inside.strip() == "200"
        with stack.browser() as browser:
            assert browser.get(path, headers={HEADER: statement}).status_code == 401
            assert browser.get(path, headers={"X_Tamga_Identity": statement}).status_code == 401


def test_the_front_door_speaks_to_the_proxy_alone(stack: RunningStack, people: dict[str, dict[str, Any]]) -> None:
    """Only the proxy's two ports are open on this machine, and no answer of it ever has a statement in it."""
    open_ports = {
        binding["HostPort"]
        for container in stack.containers()
        for bindings in container["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    assert open_ports == {"8080", "8443"}
    person = next(iter(people.values()))
    with stack.browser(headers={"origin": stack.address}) as browser:
        browser.post("/sign-in", data={"email": person["email"], "password": person["password"]})
        for path in ("/", "/account", "/grants/", "/front-door", "/metrics", "/.env"):
            assert HEADER not in browser.get(path).headers
        assert {browser.get(path).status_code for path in ("/metrics", "/.env", "/.git/config")} == {404}


def test_a_caller_can_not_choose_the_address_that_is_written_down(
    stack: RunningStack, people: dict[str, dict[str, Any]]
) -> None:
    """The record of a sign-in has the address that the proxy saw, whatever the request says of itself."""
    person = next(iter(people.values()))
    with stack.browser(headers={"origin": stack.address, "X-Forwarded-For": "203.0.113.66"}) as browser:
        signed_in = browser.post("/sign-in", data={"email": person["email"], "password": person["password"]})
    assert signed_in.status_code == 303
    look = (
        "from shared.settings import settings; from sqlalchemy import create_engine, text;"
        "c = create_engine(settings().database_url('portal')).connect();"
        "print(*c.execute(text('SELECT DISTINCT address FROM session')).scalars())"
    )
    addresses = stack.within("watch", "python3", "-c", look).split()
    assert addresses
    assert "203.0.113.66" not in addresses


def test_static_files_keep_for_ever_and_heads_have_no_body(stack: RunningStack) -> None:
    """The style sheet comes once a release, HEAD is answered like GET, and plain HTTP leads to HTTPS."""
    with stack.browser() as browser:
        page = browser.get("/sign-in")
        assert page.headers["strict-transport-security"].startswith("max-age=31536000")
        assert "server" not in page.headers
        found = re.search(r"/static/[^\"]+\.css", page.text)
        assert found
        assert "immutable" in browser.get(found[0]).headers["cache-control"]
        head = browser.head("/sign-in")
        assert (head.status_code, head.content) == (200, b"")
        assert browser.request("TRACE", "/").status_code == 405
    plain = httpx.get("http://localhost:8080/grants/?a=b")
    assert (plain.status_code, plain.headers["location"]) == (308, f"{stack.address}/grants/?a=b")


def test_too_large_a_request_is_refused(stack: RunningStack) -> None:
    """A body of twelve megabytes is refused with the right word, and the stack goes on."""
    with stack.browser(headers={"origin": stack.address}) as browser:
        answer = browser.post("/sign-in", content=b"x" * 12_000_000, headers={"content-type": "text/plain"})
        assert answer.status_code == 413
        assert browser.get("/health").status_code == 200


def test_every_container_has_the_least_rights(stack: RunningStack) -> None:
    """No container is root, can write outside its volumes, has a capability, or knows a secret by its environment."""
    secrets = [file.read_text().strip() for file in (stack.folder / "secrets").iterdir()]
    for container in stack.containers():
        name, host, config = container["Name"], container["HostConfig"], container["Config"]
        assert config["User"] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["Memory"], name
        assert host["LogConfig"]["Config"].get("max-file"), name
        assert not [one for one in secrets if one and any(one in pair for pair in config["Env"])], name
        status = stack.docker("exec", container["Id"], "cat", "/proc/1/status")
        facts = dict(re.findall(r"^(Uid|CapEff|NoNewPrivs):\s+(\S+)", status, re.MULTILINE))
        assert facts["Uid"] != "0", name
        assert (int(facts["CapEff"], 16), facts["NoNewPrivs"]) == (0, "1"), name
        assert "Read-only" in _refused(container["Id"], stack), name


def _refused(container: str, stack: RunningStack) -> str:
    command = ["docker", "exec", container, "sh", "-c", "echo x > /usr/bin/x"]
    return subprocess.run(command, cwd=stack.folder, capture_output=True, text=True, check=False).stderr


def test_nothing_has_tried_to_reach_out(stack: RunningStack, story: dict[str, Any]) -> None:
    """After a start and the whole story not one packet wanted to leave the closed network; one of ours is counted."""
    assert story["ok"]
    root = Path(__file__).parents[2]

    def left() -> int:
        command = [str(root / "deploy" / "airgap" / "engine"), "left", os.environ["TAMGA_ENGINE_FOLDER"]]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert left() == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"does this count?", ("198.51.100.7", 9))
    assert left() == 1
