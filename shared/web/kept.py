"""Forms whose words are too many to type again: after the session has ended they come back, ready to be sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from shared.errors import TamgaError
from shared.web.csrf import CrossSiteError, same_origin
from shared.web.dependencies import NotSignedInError

F = TypeVar("F", bound=Callable[..., Any])


def keeps_words(endpoint: F) -> F:
    """Mark a posting route: a form sent to it when nobody, or somebody anew, is signed in is not lost."""
    endpoint.keeps_words = True  # type: ignore[attr-defined]  # a mark, read below
    return endpoint


def kept(request: Request, problem: TamgaError) -> list[tuple[str, str]] | None:
    """Return the fields to send again, or None: only of a marked route, and only what our own page sent.

    A form that another site made a browser send is never offered for sending again.
    """
    route, pairs = request.scope.get("route"), getattr(request.state, "posted", None)
    marked = getattr(getattr(route, "endpoint", None), "keeps_words", False)
    origin = request.app.state.settings.base_url.rstrip("/")
    if not marked or not pairs or not isinstance(problem, NotSignedInError | CrossSiteError):
        return None
    if same_origin(request.headers, origin) is not True:
        return None
    return [(name, value) for name, value in pairs if name != "csrf"]
