"""An act that asks for the password again: the form that was sent is kept while the portal asks."""

from __future__ import annotations

from starlette.requests import Request

from shared.errors import StepUpError, TamgaError

# Before the names of the fields that are kept, so that none of them is taken for the portal's own.
PREFIX = "f."


def to_confirm(request: Request, problem: TamgaError) -> list[tuple[str, str]] | None:
    """Return the fields of the form that waits for the password, None when that is not what is missing."""
    pairs: list[tuple[str, str]] | None = getattr(request.state, "posted", None)
    if not isinstance(problem, StepUpError) or pairs is None:
        return None
    return [(name, value) for name, value in pairs if name != "csrf"]
