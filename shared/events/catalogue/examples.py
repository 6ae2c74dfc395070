"""An example of every event, made from its model: the same every time, and valid by construction."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from shared.events.base import Event
from shared.events.catalogue import glossary
from shared.events.envelope import Actor, Body, Envelope
from shared.money import Money

MOMENT = datetime(2026, 3, 2, 9, 30, 12, 345678, tzinfo=UTC)
ID = UUID("0192f3a1-7c4e-7000-8000-000000000002")
CORRELATION = UUID("0192f3a1-7c4e-7000-8000-000000000010")
ACTOR = Actor(
    id="0192f3a1-7c4e-7000-8000-000000000001",
    name="Ana Dimova",
    role="applicant",
    organisation="chamber-of-commerce",
    session="5b1c0f",
)
_PLAIN: dict[Any, Any] = {
    str: "text",
    int: 1,
    bool: True,
    float: 0.5,
    Decimal: Decimal("0.5"),
    date: MOMENT.date(),
    datetime: MOMENT,
    UUID: ID,
    object: "text",
    Any: "text",
    Money: Money(amount=Decimal("48200.00"), currency="EUR"),
}


def kind_of(name: str) -> str:
    """Return the kind of entity that an event type is about; a document's events know documents."""
    return name.split(".")[1]


def example(model: type[Event]) -> Event:
    """Return an example of an event."""
    kind = "document" if ".document_" in model.TYPE and "kind" in model.model_fields else kind_of(model.TYPE)
    fields = model.model_fields.items()
    return model.model_validate({name: _value(kind, name, field.annotation) for name, field in fields})


def _value(kind: str, name: str, annotation: Any) -> Any:
    recognised = glossary.example(kind, name)
    return _of(annotation) if recognised is None else recognised


def _of(annotation: Any) -> Any:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        return _of(next(kind for kind in inner if kind is not NoneType))
    if origin is Literal:
        return inner[0]
    if origin is list:
        return [_of(inner[0])]
    if origin is dict:
        return {"en": _of(inner[1])}
    return _PLAIN[annotation]


def envelope(model: type[Event]) -> Envelope:
    """Return an example of an event as it travels."""
    event = example(model)
    source, kind = model.source(), kind_of(model.TYPE)
    data = event.model_dump(mode="json")
    reference = next((data[name] for name in ("reference", "referral_id", "proposal_id") if name in data), None)
    case = data.get("proposal_id") or reference
    return Envelope(
        id=ID,
        source=source,
        type=model.TYPE,
        version=model.VERSION,
        entity=f"{kind}:{_entity_id(data, kind)}",
        sequence=1,
        position=1042,
        time=MOMENT,
        correlation_id=CORRELATION,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        programme="business-ecosystem",
        case=case,
        outcome="refused" if kind == "attempt" else "success",
        body=Body(
            data=data,
            actor=ACTOR,
            changes={} if kind in {"attempt", "record"} else {"stage": ["draft", "screening"]},
            after_hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            parties={"applicant": ["org:chamber-of-commerce"], "officer": ["role:officer"]},
        ),
    )


def _entity_id(data: dict[str, Any], kind: str) -> str:
    own = {"application": "reference", "award": "reference", "cofinancing": "reference"}.get(kind, f"{kind}_id")
    return str(data.get(own) or ID)
