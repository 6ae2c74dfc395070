"""What a route asks for: who is there, whether they may, and a transaction that commits before the answer leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Connection

from shared import telemetry
from shared.clock import new_id
from shared.database import Context, UnitOfWork, reading
from shared.errors import ForbiddenError, TamgaError
from shared.events import Actor
from shared.web.identity import Identity
from shared.web.policy import Policy
from shared.web.scopes import permits

ANONYMOUS = Actor(id="anonymous", kind="person", name="")


class NotSignedInError(TamgaError):
    """Nobody is signed in: pages answer with the sign-in form, the API with 401."""

    type = "not-signed-in"
    status = 401
    title = "Sign in first"


def maybe_identity(request: Request) -> Identity | None:
    """Return the person whose verified statement came with the request, or None."""
    return getattr(request.state, "identity", None)


# What only looks at the request is asynchronous: it stays on the loop, where a plain function is carried to a thread
# and back, which costs more than it does.
async def _maybe_identity(request: Request) -> Identity | None:
    return maybe_identity(request)


async def identity(request: Request) -> Identity:
    """Return the signed-in person; raises NotSignedInError."""
    found = maybe_identity(request)
    if found is None:
        raise NotSignedInError("Your session has ended or you have not signed in")
    return found


def request_context(request: Request) -> Context:
    """Return on whose behalf this request acts: its correlation id and trace come from the middleware."""
    who = maybe_identity(request)
    correlation: UUID = getattr(request.state, "correlation_id", None) or new_id()
    actor = who.actor(getattr(request.state, "acting_role", None)) if who else ANONYMOUS
    return Context(actor=actor, correlation_id=correlation, traceparent=getattr(request.state, "traceparent", None))


class Allowed:
    """A dependency that declares a route's action of the policy table and refuses who may not do it at all.

    Every route must have exactly one; a contract test fails the build otherwise. Use as
    `dependencies=[allowed("grants.application.read")]`. The scope (own, org, …) is checked by the
    handler against the thing itself, with `policy.role_for`.
    """

    def __init__(self, action: str) -> None:
        self.action = action

    async def __call__(self, request: Request) -> None:
        policy: Policy = request.app.state.policy
        request.state.action = self.action
        who = maybe_identity(request)
        if who is None and "anyone" not in policy.table[self.action]:
            raise NotSignedInError("Your session has ended or you have not signed in")
        scopes = policy.require(self.action, who)
        if who is not None and who.scopes and not permits(who.scopes, self.action):
            facts = {"action": self.action, "held": ", ".join(who.scopes)}
            raise ForbiddenError("This key may not do %(action)s: it is limited to %(held)s", **facts)
        request.state.acting_role = next(iter(scopes))


def allowed(action: str) -> Any:
    """Return the dependency that declares `action` for a route."""
    return Depends(Allowed(action))


def unit_of_work(request: Request) -> Iterator[UnitOfWork]:
    """Give the request's transaction; it commits when the handler has returned, before the answer is sent."""
    state, context = request.app.state, request_context(request)
    # Not entered as a context: FastAPI may leave in another thread than it entered in.
    span = telemetry.begin(
        state.service, "unit of work", parent=context.traceparent, correlation_id=context.correlation_id
    )
    try:
        context = replace(context, traceparent=span.traceparent)
        with UnitOfWork(state.engine, state.service, context, clock=state.clock) as uow:
            yield uow
        span.note({"tamga.events": uow.recorded})
    except TamgaError as refusal:
        span.note({"tamga.refused": refusal.type})
        raise
    except BaseException as error:
        span.fail(error)
        raise
    finally:
        span.end()


def reader(request: Request) -> Iterator[Connection]:
    """Give a read-only connection."""
    with reading(request.app.state.engine) as connection:
        yield connection


Who = Annotated[Identity, Depends(identity)]
MaybeWho = Annotated[Identity | None, Depends(_maybe_identity)]
# scope="function": left (committed) after the handler returns and before the answer goes out, so
# that a failed commit is an error for the client and never a success that did not happen.
Uow = Annotated[UnitOfWork, Depends(unit_of_work, scope="function")]
Reader = Annotated[Connection, Depends(reader, scope="function")]
