"""How each part of a running Tamga is, asked from outside."""

from __future__ import annotations

import json
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.direct import ask
from shared.heartbeat import heartbeat_file
from shared.operations.processes import state_of
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
    """Return how every part is at this moment: "ok" or what is wrong."""
    return worker_states(home) | relay_states(home) | signer_states(home) | web_states(base_url)


def worker_states(home: Path) -> dict[str, str]:
    """Return how each service's worker is."""
    working = [service for service in SERVICES if service != "portal"]  # the portal consumes nothing
    return {f"worker {name}": state_of(home, f"worker.{name}") for name in working}


def relay_states(home: Path) -> dict[str, str]:
    """Return how each service's relay is."""
    return {f"relay {service}": _relay_state(home, service) for service in SERVICES}


def signer_states(home: Path) -> dict[str, str]:
    """Return how the signer of the log is."""
    return {"signer": state_of(home, "signer")}


def _relay_state(home: Path, service: str) -> str:
    name = f"relay.{service}"
    if (state := state_of(home, name)) != "ok":
        return state
    told: str = json.loads(heartbeat_file(home, name).read_text() or "{}").get("state", "starting")
    return "ok" if told == "leading" else told
