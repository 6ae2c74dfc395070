"""Refusals as answers: problem+json (RFC 9457) for machines, a page with the same status for people.

Refused attempts of signed-in people are recorded in a transaction of their own.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from shared.database import UnitOfWork
from shared.engine import ReadOnlyError, UnansweredCommitError
from shared.errors import ConflictError, InvalidError, NotFoundError, StepUpError, TamgaError
from shared.i18n import said, translate
from shared.web.confirming import to_confirm
from shared.web.conflicts import stayed
from shared.web.csrf import SAFE
from shared.web.dependencies import NotSignedInError, maybe_identity, request_context
from shared.web.forms import field_errors
from shared.web.kept import kept
from shared.web.redirects import sign_in_url

log = structlog.get_logger()
PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:tamga:problem:"


class UnavailableError(TamgaError):
    """A part that the answer needs does not answer now."""

    type = "unavailable"
    status = 503
    title = "This part of Tamga is not available now"
    retry_after = 5


class UnknownOutcomeError(TamgaError):
    """The database took an act and did not say that it keeps it; to do it again at once may do it twice."""

    type = "outcome-unknown"
    status = 503
    title = "It is not known whether this was saved"


class UnforeseenError(TamgaError):
    """Something that should not happen; its details are in the log only."""

    type = "unforeseen"
    status = 500
    title = "Something went wrong on our side"


class HttpError(TamgaError):
    """What the framework refuses by status: unknown address, wrong method, too much data."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.type = status, f"http-{status}"  # type: ignore[misc]
        self.title = _TITLES.get(status, TamgaError.title)  # type: ignore[misc]


_TITLES = {404: "Not found", 405: "Not possible here", 413: "Too large", 415: "Wrong kind of content"}
_MESSAGES = {
    404: "There is nothing at this address",
    405: "This address does not take that kind of request",
    413: "The request is larger than 10 MB",
}
_ENDLESS = "exceeded maximum size"  # how the reader of forms says that one field is too long
_AWAY = "The database does not answer. Nothing was changed; try again in a moment"
_STILL = "The database takes no changes at the moment. Nothing was changed; what is there can be read"
_RACES = (DeadlockDetected, LockNotAvailable, SerializationFailure)


def refusal(error: Exception) -> TamgaError:
    """Return what a person is told about `error`."""
    if isinstance(error, TamgaError):
        return error
    if isinstance(error, RequestValidationError):
        return InvalidError(field_errors(error.errors()))
    if isinstance(error, HTTPException):
        if _ENDLESS in str(error.detail):
            return HttpError(413, "A field has more than 1 MB of text. Go back, where it still stands, and shorten it")
        return HttpError(error.status_code, _MESSAGES.get(error.status_code, str(error.detail)))
    if isinstance(error, SQLAlchemyError):
        return _of_the_database(error)
    return UnforeseenError("Nothing was changed. Try again; if it happens again, tell the operator the number below")


def _of_the_database(error: SQLAlchemyError) -> TamgaError:
    if isinstance(error, IntegrityError) or isinstance(getattr(error, "orig", None), _RACES):
        return ConflictError("Somebody else changed this at the same moment. Nothing was saved; try again")
    if isinstance(error, UnansweredCommitError):
        return UnknownOutcomeError("The database stopped answering in the middle. Look before doing it again")
    if isinstance(error, ReadOnlyError):
        return UnavailableError(_STILL)
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return UnavailableError(_AWAY)
    if isinstance(error, DataError):
        return InvalidError({"value": "is outside of what can be stored"})
    return UnforeseenError("Nothing was changed. Try again; if it happens again, tell the operator the number below")


def wants_json(request: Request) -> bool:
    """Return whether a machine asks: an address under /api/, or a preference for JSON."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    accept = request.headers.get("accept", "")
    return path.startswith("/api/") or ("json" in accept and "text/html" not in accept)


class Answers:
    """Turns errors into answers for one service's app."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.event: Any = importlib.import_module(f"shared.events.{service}").AttemptRefused

    def __call__(self, request: Request, error: Exception) -> Response:
        """Answer `error`; runs in a worker thread because it may write to the database."""
        problem = refusal(error)
        if isinstance(problem, UnknownOutcomeError) and request.method in SAFE:
            problem = UnavailableError(_AWAY)  # there was nothing to save but that somebody looked
        if problem.status >= 500:
            log.error("the request failed", path=request.scope["path"], error=type(error).__name__, exc_info=error)
        elif isinstance(error, SQLAlchemyError):
            log.warning("the database refused", path=request.scope["path"], error=str(getattr(error, "orig", error)))
        self._record(request, problem)
        return self._answer(request, problem)

    async def unforeseen(self, request: Request, error: Exception) -> Response:
        """Answer an error that no handler took; without any page when even that page fails."""
        try:
            return await run_in_threadpool(self, request, error)
        except Exception:
            log.exception("the page of an error could not be made", path=request.scope["path"])
            return PlainTextResponse("Something went wrong on our side. Nothing was changed.", 500)

    def _answer(self, request: Request, problem: TamgaError) -> Response:
        headers = {}
        if retry_after := getattr(problem, "retry_after", None):
            headers["retry-after"] = str(retry_after)
        if wants_json(request):
            if isinstance(problem, NotSignedInError):
                headers["www-authenticate"] = "Bearer"
            return JSONResponse(self.problem(request, problem), problem.status, headers, PROBLEM)
        if not partial(request) and (fields := kept(request, problem)) is not None:
            return self._page(request, "kept.html", problem.status, fields=fields)
        if not partial(request) and (fields := to_confirm(request, problem)) is not None:
            context = {"fields": fields, "to": request.scope["path"], "problem": ""}
            return self._page(request, "confirm.html", problem.status, **context)
        if isinstance(problem, NotSignedInError) and not partial(request):
            return RedirectResponse(sign_in_url(request), 303)
        if not partial(request) and (page := stayed(request, problem)) is not None:
            return page
        template = "error_part.html" if partial(request) else "error.html"
        response = self._page(request, template, problem.status, problem=problem, text=self._text(problem))
        response.headers.update(headers)
        return response

    def _page(self, request: Request, template: str, status: int, **context: Any) -> Response:
        response: Response = request.app.state.pages.render(request, template, status_code=status, **context)
        return response

    def problem(self, request: Request, problem: TamgaError) -> dict[str, Any]:
        """Return the members of problem+json, in the reader's language."""
        extras = problem.extras()
        if "errors" in extras:
            extras["errors"] = [item | {"rule": said(self.service, item["rule"])} for item in extras["errors"]]
        return {
            "type": TYPE_PREFIX + problem.type,
            "title": translate(self.service, problem.title),
            "status": problem.status,
            "detail": self._text(problem),
            "instance": f"urn:uuid:{request.state.correlation_id}",
        } | extras

    def _text(self, problem: TamgaError) -> str:
        return translate(self.service, problem.message, problem.params)

    def _record(self, request: Request, problem: TamgaError) -> None:
        who, state = maybe_identity(request), request.app.state
        scoped = isinstance(problem, NotFoundError) or problem.status in (403, 409)
        # To ask for the password is no refusal.
        if who is None or not scoped or state.engine is None or isinstance(problem, StepUpError):
            return
        event = self.event(
            action=getattr(request.state, "action", None) or f"{request.method} {_route(request)}",
            target=request.scope["path"][:200],
            problem=problem.type,
            detail=str(problem)[:500],
        )
        case = request.path_params.get("reference")
        try:
            with UnitOfWork(state.engine, state.service, request_context(request), clock=state.clock) as uow:
                uow.record(event, entity=f"attempt:{uow.ids()}", case=case and str(case)[:80], outcome="refused")
        except SQLAlchemyError:
            log.exception("a refused attempt could not be recorded", action=event.action, problem=event.problem)


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", "-"))


def partial(request: Request) -> bool:
    """Return whether htmx asks for a part of a page only."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") != "full"


Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
__all__ = ["SAFE", "Answers", "Handler", "UnavailableError", "partial", "refusal", "wants_json"]
