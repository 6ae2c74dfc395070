"""How each part of a running Tamga is, asked from outside."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from shared.heartbeat import is_alive
from shared.settings import SERVICES


def web_states(base_url: str) -> dict[str, str]:
    """Return how each service's app answers to /health."""
    states = {}
    for service in SERVICES:
        path = "/health" if service == "portal" else f"/{service}/health"
        states[f"web {service}"] = _answer(base_url + path)
    return states


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http to ourselves
            return "ok"
    except urllib.error.HTTPError as error:
        return f"answers {error.code}"
    except OSError:
        return "does not answer"


def forget(home: Path) -> None:
    """Remove signs of life of an earlier run."""
    for file in (home / "heartbeats").glob("*"):
        file.unlink()


def states(home: Path, base_url: str) -> dict[str, str]:
    """Return how every part is: "ok" or what is wrong."""
    beats = ["workers", *(f"relay.{service}" for service in SERVICES)]
    alive = {name.replace(".", " "): "ok" if is_alive(home, name) else "no sign of life" for name in beats}
    return alive | web_states(base_url)
