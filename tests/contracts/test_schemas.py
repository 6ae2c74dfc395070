"""The published language changes only on purpose: every event's JSON Schema is written down.

`make schemas` writes new ones. What was published once may gain optional fields; anything else needs a new version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.events import event_types
from shared.settings import SERVICES

FOLDER = Path(__file__).parent / "schemas"


def schemas(service: str) -> dict[str, Any]:
    """Return the JSON Schema of every event of a service by "type version"."""
    own = {key: model for key, model in event_types().items() if model.source() == service}
    return {f"{name} {version}": model.model_json_schema() for (name, version), model in sorted(own.items())}


@pytest.mark.parametrize("service", SERVICES)
def test_the_published_language_is_what_was_written_down(service: str) -> None:
    """A changed, new or vanished event breaks the build until that is written down on purpose."""
    written: dict[str, Any] = json.loads((FOLDER / f"{service}.json").read_text())
    present = schemas(service)
    assert set(present) == set(written), "events came or went: run `make schemas`"
    changed = [event for event in present if present[event] != written[event]]
    assert changed == []


def write() -> None:
    """Write every event's schema down."""
    FOLDER.mkdir(exist_ok=True)
    for service in SERVICES:
        text = json.dumps(schemas(service), indent=1, sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{service}.json").write_text(text + "\n")


if __name__ == "__main__":
    write()
