"""The refusals that a person or a machine gets: each with a stable type, a status and words.

`message` is a gettext id with %(name)s places, so that the edge can say it in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self


class Rule(str):
    """The rule that an answer breaks, in English: a message and its values, so that the edge can say it in others."""

    __slots__ = ("message", "params")
    message: str
    params: dict[str, Any]

    def __new__(cls, message: str, /, **params: Any) -> Self:
        self = super().__new__(cls, message % params)
        self.message, self.params = message, params
        return self


class Figure(str):
    """An amount in a message whose currency stands elsewhere: written as English does, and so that others can."""

    __slots__ = ("value",)
    value: Decimal

    def __new__(cls, value: Decimal, /) -> Self:
        self = super().__new__(cls, f"{value:,.2f}")
        self.value = round(value, 2)
        return self


class TamgaError(Exception):
    """A refusal that is no bug: it has a stable `type`, an HTTP status and a sentence for people."""

    type: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request was refused"

    def __init__(self, message: str, /, **params: Any) -> None:
        self.message = message
        self.params = params
        super().__init__(message % params if params else message)

    def extras(self) -> dict[str, Any]:
        """Return members that problem+json carries beside the standard ones."""
        return {}


class NotFoundError(TamgaError):
    """There is no such thing, or this person may not know of it."""

    type = "not-found"
    status = 404
    title = "Not found"


class ForbiddenError(TamgaError):
    """This person may know of the thing but may not do this to it."""

    type = "forbidden"
    status = 403
    title = "Not allowed"


class StepUpError(ForbiddenError):
    """This person may do it, after they have given their password again."""

    type = "step-up-required"
    title = "Confirm who you are"


class InvalidError(TamgaError):
    """Input that breaks rules; `fields` maps each field's name to the rule it breaks."""

    type = "invalid"
    status = 422
    title = "Some answers need attention"

    def __init__(self, fields: Mapping[str, str], message: str = "Some answers need attention", **params: Any) -> None:
        super().__init__(message, **params)
        self.fields = dict(fields)

    def extras(self) -> dict[str, Any]:
        return {"errors": [{"field": name, "rule": rule} for name, rule in self.fields.items()]}


class ConflictError(TamgaError):
    """The act does not fit the present state of the thing."""

    type = "conflict"
    status = 409
    title = "This does not fit the present state"


class IllegalTransitionError(ConflictError):
    """A move that the workflow does not allow from here; names the legal ones.

    `why` are sentences; `blockers` say the same by code and figures, where a workflow's engine gives them.
    """

    type = "illegal-transition"
    title = "That move is not possible now"

    def __init__(
        self,
        attempted: str,
        stage: str,
        legal: list[str],
        why: list[str] | None = None,
        blockers: list[dict[str, Any]] | None = None,
    ) -> None:
        self.attempted, self.stage, self.legal, self.why = attempted, stage, legal, why or []
        self.blockers = blockers or []
        super().__init__(
            "%(attempted)s is not possible at %(stage)s. Possible now: %(legal)s.%(why)s",
            attempted=attempted,
            stage=stage,
            legal=", ".join(legal) or "-",
            why="".join(f" {reason}." for reason in self.why),
        )

    def extras(self) -> dict[str, Any]:
        named = {"attempted": self.attempted, "stage": self.stage, "legal": self.legal, "blocked_by": self.why}
        return named | ({"blockers": self.blockers} if self.blockers else {})


class StaleVersionError(ConflictError):
    """The page was older than the record: says who changed what, and when."""

    type = "stale-version"
    title = "Somebody changed this while your page was open"

    def __init__(
        self, *, expected: int, current: int, by: str, at: datetime, changes: dict[str, Any] | None = None
    ) -> None:
        self.expected, self.current, self.by, self.at, self.changes = expected, current, by, at, changes or {}
        super().__init__(
            "Changed by %(by)s at %(at)s. Nothing of yours was saved; look at the present state and decide again.",
            by=by,
            at=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        )

    def extras(self) -> dict[str, Any]:
        return {
            "expected_version": self.expected,
            "current_version": self.current,
            "changed_by": self.by,
            "changed_at": self.at.isoformat(),
            "changes": self.changes,
        }
