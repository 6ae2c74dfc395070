"""What the application's image is made of, and how its containers say that they work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEALTHY = ROOT / "deploy" / "app" / "healthy"


def _pins(file: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return what a lock file names: {package: (version, hashes)}."""
    entries = re.split(r"\n(?=\S)", file.read_text())
    heads = [re.match(r"([\w.-]+)==(\S+)", entry) for entry in entries]
    pairs = zip(heads, entries, strict=True)
    return {head[1]: (head[2], frozenset(re.findall(r"sha256:(\w+)", entry))) for head, entry in pairs if head}


def _plain(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name
    return name[0].lower().replace("_", "-")


def test_the_image_has_what_was_tested_and_nothing_that_only_tests() -> None:
    """Each package of the image is the very one of the whole lock file, hashes included; tools for tests stay out."""
    image, whole = _pins(ROOT / "deploy/app/requirements.lock"), _pins(ROOT / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {_plain(one) for one in project["dependencies"]} <= set(image)
    assert not {"pytest", "mypy", "ruff", "playwright", "hypothesis"} & set(image)
    assert {name: pin[0] for name, pin in image.items()} == {name: whole[name][0] for name in image}
    assert all(pin[1] and pin[1] <= whole[name][1] for name, pin in image.items())


def test_every_image_is_pinned() -> None:
    """No image of ours stands on one whose content may change unseen: a digest, or at least a whole version."""
    for file in (ROOT / "deploy").glob("*/Containerfile"):
        for base in re.findall(r"^ARG BASE=(\S+)", file.read_text(), re.MULTILINE):
            assert re.search(r":\d+\.\d+\.\d+|@sha256:[0-9a-f]{64}$", base), f"{file}: {base}"


def _asked(*arguments: str, home: Path) -> int:
    command = ["bash", str(HEALTHY), *arguments]
    return subprocess.run(
        command, env=os.environ | {"TAMGA_HOME": str(home)}, check=False, capture_output=True
    ).returncode


@pytest.fixture
def port() -> Iterator[int]:
    """Give a server that answers /well with 200 and everything else with 503."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_an_api_is_well_when_it_says_so(port: int, tmp_path: Path) -> None:
    """200 is well; 503 and a closed port are not."""
    assert _asked("http", str(port), "/well", home=tmp_path) == 0
    assert _asked("http", str(port), "/health", home=tmp_path) == 1
    assert _asked("http", "1", "/well", home=tmp_path) == 1


def test_a_worker_is_well_while_its_heart_beats(tmp_path: Path) -> None:
    """A fresh sign of life is well, an old one is not, none is not."""
    beat = tmp_path / "heartbeats" / "worker.grants"
    beat.parent.mkdir()
    assert _asked("beat", "worker.grants", home=tmp_path) == 1
    beat.touch()
    assert _asked("beat", "worker.grants", home=tmp_path) == 0
    os.utime(beat, (time.time() - 60,) * 2)
    assert _asked("beat", "worker.grants", home=tmp_path) == 1


@pytest.mark.parametrize(
    ("state", "code"), [("leading", 0), ("standby", 0), ("broker away", 1), ("blocked", 1), ("database away", 1)]
)
def test_a_relay_is_well_when_it_leads_or_stands_by(state: str, code: int, tmp_path: Path) -> None:
    """A relay that lives but can't send is not well."""
    beat = tmp_path / "heartbeats" / "relay.grants"
    beat.parent.mkdir()
    beat.write_text(json.dumps({"state": state, "oldest_seconds": 0.0}))
    assert _asked("beat", "relay.grants", home=tmp_path) == code
