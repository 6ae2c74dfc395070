"""The catalogue of this house's events: composed here, since it needs every service's card and handlers.

`python -m services.catalogue` (`make schemas`) writes down what is derived from the code: the released schemas and
their samples, and `docs/events`. It refuses a schema that does not follow the released one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from shared.events.catalogue import Card, Catalogue, asyncapi, gather, readme, released
from shared.events.gaps import ALARMS
from shared.messaging import backfill
from shared.settings import SERVICES

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "tests" / "contracts" / "schemas"
DOCS = ROOT / "docs" / "events"
RECORDER = "audit"


def card(service: str) -> Card:
    """Return a service's card with its handlers; the audit service records every event alike."""
    package = importlib.import_module(f"services.{service}")
    handlers = importlib.import_module(f"services.{service}.handlers")
    own: dict[str, Any] = getattr(handlers, "ON", {})
    every = "Append it to the verifiable record." if service == RECORDER else ""
    about = " ".join((package.__doc__ or "").split())
    queues = {service: package.CONSUMES} if package.CONSUMES else {}
    # A source's relay hears in a queue of its own what consumers miss.
    asked = dict.fromkeys(ALARMS, backfill.answer)
    return Card(service, about, queues | backfill.queues([service]), own | asked, every)


@cache
def catalogue() -> Catalogue:
    """Return the catalogue of all services."""
    return gather(card(service) for service in SERVICES)


@cache
def documents() -> Mapping[str, str]:
    """Return the files of `docs/events` by name."""
    found = catalogue()
    pages = {f"{card.service}.md": readme.page(found, card) for card in found.cards}
    return {"asyncapi.yaml": asyncapi.as_yaml(found), "README.md": readme.overview(found)} | pages


def main() -> int:
    """Write schemas, samples and documents; returns 1 and writes nothing when a released schema would break."""
    if broken := released.renew(RELEASED):
        sys.stderr.write("".join(f"{problem}\n" for problem in broken))
        return 1
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (DOCS / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
