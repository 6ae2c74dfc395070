"""How each part of a running Tamga is, asked from outside."""

from __future__ import annotations

import json
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.direct import ask
from shared.heartbeat import heartbeat_file, is_alive
from shared.settings import SERVICES

_PATIENCE = 5.0  # seconds


def web_states(base_url: str) -> dict[str, str]:
    """Return how each service's app answers to /health; asked at once, for one that hangs takes all its seconds."""
    paths = ["/health" if service == "portal" else f"/{service}/health" for service in SERVICES]
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = pool.map(_answer, [base_url + path for path in paths])
    return {f"web {service}": answer for service, answer in zip(SERVICES, answers, strict=True)}


def _answer(url: str) -> str:
    try:
        ask(url, _PATIENCE)
    except urllib.error.HTTPError as error:
        return f"answers {error.code}"
    except OSError:
        return "does not answer"
    return "ok"


def forget(home: Path) -> None:
    """Remove signs of life of an earlier run."""
    for file in (home / "heartbeats").glob("*"):
        file.unlink()


def states(home: Path, base_url: str) -> dict[str, str]:
    """Return how every part is: "ok" or what is wrong."""
    working = [service for service in SERVICES if service != "portal"]  # the portal consumes nothing
    workers = {f"worker {name}": "ok" if is_alive(home, f"worker.{name}") else "no sign of life" for name in working}
    return workers | {f"relay {service}": _relay_state(home, service) for service in SERVICES} | web_states(base_url)


def _relay_state(home: Path, service: str) -> str:
    if not is_alive(home, f"relay.{service}"):
        return "no sign of life"
    state: str = json.loads(heartbeat_file(home, f"relay.{service}").read_text() or "{}").get("state", "starting")
    return "ok" if state == "leading" else state
