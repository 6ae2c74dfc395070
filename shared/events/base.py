"""The base of every event and the register of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

_TYPES: dict[tuple[str, int], type[Event]] = {}


class Event(BaseModel):
    """A fact in the past tense. Frozen; unknown members are refused when made here, ignored when read.

    Subclasses set `TYPE` ("grants.application.submitted"), `VERSION` and get registered by both.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    # Whose data is in it: nobody's (False) or a person's, who may have it erased (True).
    PERSONAL: ClassVar[bool] = False
    # Who acts on it: another service of this house ("services"), nobody but the record ("record"), or a
    # system outside that is bound to the exchange ("external"). A programme's rules may write letters about
    # any event of a case: it is for services when a programme that we ship has such a rule.
    AUDIENCE: ClassVar[Literal["services", "record", "external"]] = "services"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.TYPE:
            return
        key = (cls.TYPE, cls.VERSION)
        if key in _TYPES:
            raise TypeError(f"two events are called {cls.TYPE} v{cls.VERSION}")
        _TYPES[key] = cls

    @classmethod
    def source(cls) -> str:
        """Return the service that publishes this event: the first part of its type."""
        return cls.TYPE.split(".", 1)[0]


def event_types() -> Mapping[tuple[str, int], type[Event]]:
    """Return every known event by (type, version), importing all modules of the published language."""
    _import_all()
    return _TYPES


@cache
def _import_all() -> None:
    from shared.events import audit, gaps, grants, loans, log, manifests, notifications, portal, quarantine, webhooks  # noqa: F401, PLC0415 - registration


def attempt_and_view(source: str, says: type[Event] = Event) -> tuple[type[Event], type[Event]]:
    """Return the two events every service has: a refused attempt, and a read of a sensitive record.

    `says` is what a service's own reads say besides: an event without a type.
    """

    class AttemptRefused(Event):
        """Somebody tried what they may not do, or what the state does not allow."""

        TYPE = f"{source}.attempt.refused"
        AUDIENCE = "record"
        action: str
        target: str | None
        problem: str
        detail: str

    class RecordViewed(says):  # type: ignore[misc, valid-type]  # the service's own
        """Somebody read a sensitive record."""

        TYPE = f"{source}.record.viewed"
        AUDIENCE = "record"
        record: str
        what: str

    AttemptRefused.__qualname__ = AttemptRefused.__name__ = f"{source.title()}AttemptRefused"
    RecordViewed.__qualname__ = RecordViewed.__name__ = f"{source.title()}RecordViewed"
    return AttemptRefused, RecordViewed
