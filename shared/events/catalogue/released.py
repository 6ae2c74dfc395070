"""The released language: every event's JSON Schema and a sample of it, as written down when it was released.

Schemas are renewed when they gained optional fields; a sample is written once and never again, so that what an
earlier release published is what this one is tested to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.events.base import event_types
from shared.events.catalogue import examples
from shared.events.catalogue.asyncapi import headers
from shared.events.compatibility import Break, check
from shared.events.envelope import Body
from shared.messaging.wire import encode
from shared.settings import SERVICES

SAMPLES = "samples"
# What every event travels in is as much released as the events are.
ENVELOPE = "envelope"
PARTS = (*SERVICES, ENVELOPE)


def schemas(service: str) -> dict[str, Any]:
    """Return the present JSON Schema of every event of a service, or of the envelope, by "type version"."""
    if service == ENVELOPE:
        return {"envelope.body 1": Body.model_json_schema(), "envelope.headers 1": headers()}
    own = {key: model for key, model in event_types().items() if model.source() == service}
    return {f"{name} {version}": model.model_json_schema() for (name, version), model in sorted(own.items())}


def samples(service: str) -> dict[str, Any]:
    """Return an example of every event of a service as it travels, by "type version"."""
    own = {key: model for key, model in event_types().items() if model.source() == service}
    messages = {f"{name} {version}": encode(examples.envelope(model)) for (name, version), model in sorted(own.items())}
    return {event: {"headers": raw.headers, "body": json.loads(raw.body)} for event, raw in messages.items()}


def read(folder: Path, service: str) -> dict[str, Any]:
    """Return what was written down for a service in a folder; nothing for one that is new."""
    file = folder / f"{service}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def renew(folder: Path) -> list[Break]:
    """Write schemas and new events' samples into `folder`; with a break, return it and write nothing."""
    broken = [problem for service in PARTS for problem in check(read(folder, service), schemas(service))]
    if broken:
        return broken
    (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    for service in PARTS:
        _write(folder, service, schemas(service))
    for service in SERVICES:
        _write(folder / SAMPLES, service, samples(service) | read(folder / SAMPLES, service))
    return []


def _write(folder: Path, service: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / f"{service}.json").write_text(text + "\n")
