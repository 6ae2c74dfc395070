"""What every use case here needs: commands, the pack a case is pinned to, and who may touch a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from services.grants.domain.application import Application, Calendar, Person
from services.grants.domain.pack import Call, Pack
from services.grants.handlers import conflicts
from services.grants.handlers.standing import act_for, as_one, one_with, stand, ties_of
from services.grants.policy import POLICY
from services.grants.storage import reads
from services.grants.storage.near import Near, near
from services.grants.storage.tables import applications
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.identity import Identity
from shared.workflow import Workflow

STAFF = ("officer", "programme_manager", "finance_officer")
MAX_REFERENCE = 80


class Command(BaseModel):
    """What somebody wants done: exact fields, trimmed text of bounded length."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_max_length=20_000)


# Packs by the hash of their content, which never changes under a hash.
_PACKS: dict[str, Pack] = {}
_MOST_PACKS = 64


def pack_of(connection: Connection, programme: str, version: int, sha256: str | None = None) -> Pack:
    """Return one version of a programme's pack, whose hash may be known already; raises NotFoundError."""
    sha256 = sha256 or reads.pack_hash(connection, programme, version)
    if sha256 is None:
        raise NotFoundError("This programme is not loaded")
    return _pack(connection, programme, version, sha256)


def _pack(connection: Connection, programme: str, version: int, sha256: str) -> Pack:
    if sha256 not in _PACKS:
        if len(_PACKS) >= _MOST_PACKS:
            _PACKS.clear()
        _PACKS[sha256] = Pack.read(reads.pack_content(connection, programme, version))
    return _PACKS[sha256]


class Packs:
    """All versions of a programme's pack: their hashes by one statement, each content when first asked for."""

    def __init__(self, connection: Connection, programme: str | None) -> None:
        self._connection, self._programme = connection, programme or ""
        self._hashes = reads.pack_hashes(connection, programme) if programme else {}

    def __getitem__(self, version: int) -> Pack:
        return _pack(self._connection, self._programme, version, self._hashes[version])

    @property
    def newest(self) -> Pack | None:
        """Return the newest version, None while none is known."""
        return self[self.newest_version] if self._hashes else None

    @property
    def newest_version(self) -> int:
        """Return the number of the newest version, 0 while none is known."""
        return max(self._hashes, default=0)


class Frame:
    """What one case is pinned to: its pack, call and workflow; `near` is what was read around it, if it was."""

    def __init__(self, connection: Connection, application: Application, near: Near | None = None) -> None:
        hashes, programme = near.packs if near else {}, application.programme
        version, moved = application.pack_version, application.workflow_pack
        pack = pack_of(connection, programme, version, hashes.get(version))
        self._hold(pack, pack_of(connection, programme, moved, hashes.get(moved)) if moved else pack, application)
        self._connection: Connection | None = connection
        self._near = near

    def as_one(self, who: Identity, application: Application) -> frozenset[str]:
        """Return the actors that count as `who` on this case; of a list's row by the delegations in force alone."""
        if self._near is not None:
            return one_with(who, application.programme, self._near.one)
        if self._connection is None:
            return frozenset(f"user:{tie.user}" for tie in ties_of(who, application.programme))
        return as_one(self._connection, who, application.programme, application.id)

    @classmethod
    def of(cls, packs: Packs | Mapping[int, Pack], application: Application) -> Frame:
        """Return the frame of a list's row out of packs that are at hand."""
        self = cls.__new__(cls)
        pack = packs[application.pack_version]
        self._hold(pack, packs[application.workflow_pack or application.pack_version], application)
        self._connection, self._near = None, None
        return self

    def _hold(self, pack: Pack, moves: Pack, application: Application) -> None:
        self.pack: Pack = pack
        self.call: Call = self.pack.call(application.call)
        self.workflow: Workflow = moves.workflows[application.workflow]
        self.renamed: dict[str, str] = application.renamed
        self.calendar: Calendar = self.pack.calendar


def owns(who: Identity, organisation: str) -> bool:
    """Return whether a person acts for that organisation."""
    return who.organisation is not None and who.organisation == organisation


def role_on(who: Identity, action: str, application: Application, *, assigned: bool = False) -> str:
    """Return the role in which `who` may do `action` to the application; raises as the policy does."""
    own = owns(who, application.organisation)
    return POLICY.role_for(action, who, own=own, assigned=assigned, programme=application.programme)


def roles_on(who: Identity, application: Application) -> list[str]:
    """Return all roles in which `who` stands to the application; the workflow says what each may do."""
    roles = ["applicant"] if "applicant" in who.roles and owns(who, application.organisation) else []
    here = application.programme in who.programmes
    return roles + [role for role in STAFF if here and role in who.roles]


def act_as(uow: UnitOfWork, role: str, reason: str | None = None) -> Person:
    """Record this transaction's act as done in `role`, for `reason`; returns who acts."""
    one = act_for(uow, role)
    actor = uow.context.actor.model_copy(update={"role": role})
    uow.context = replace(uow.context, actor=actor, reason=reason or uow.context.reason)
    return Person(id=actor.id, name=actor.name, role=role, as_one=one)


def application_read(uow: UnitOfWork, who: Identity, action: str, reference: str) -> tuple[Application, str]:
    """Return an application as it is stored, not locked, and the role in which `who` may read of it by `action`.

    Whoever may not know of it gets the same NotFoundError as for one that does not exist.
    """
    application = reads.find_application(uow.connection, reference[:MAX_REFERENCE])
    if application is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    return application, role_on(who, action, application)


def application_for(
    uow: UnitOfWork, who: Identity, action: str, reference: str, *, expected: int | None = None
) -> tuple[Application, str]:
    """Return the application, locked, and the role in which `who` may do `action` to it.

    Whoever may not know of it gets the same NotFoundError as for one that does not exist, before any word
    about its version. Who has a conflict of interest judges nothing: ConflictOfInterestError.
    """
    application, role = held_for(uow, who, action, reference, expected=expected)
    stand(uow, who, application.programme, application.id, application.officer)
    return application, role


def held_for(
    uow: UnitOfWork, who: Identity, action: str, reference: str, *, expected: int | None = None
) -> tuple[Application, str]:
    """Return the same before the transaction knows for whom `who` stands in; see `stand`."""
    kept, reference = applications(uow), reference[:MAX_REFERENCE]
    known = uow.tracked(kept.table.name, reference) is not None
    application = kept.find(reference, for_update=True)
    if application is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    role = role_on(who, action, application)
    if action in conflicts.JUDGING and role != "applicant":
        conflicts.must_be_free(uow.connection, who, application)
    if not known and expected not in {None, application.version}:
        raise kept.stale(application.id, int(expected or 0))
    return application, role


def nearby(uow: UnitOfWork, who: Identity, application: Application) -> Near:
    """Return what stands around a case for an act of `who`; the transaction knows then for whom they stand in."""
    found = near(uow.connection, application, who.user)
    stand(uow, who, application.programme, application.id, application.officer, found.one)
    return found


def one_person(who: Identity, application: Application, frame: Frame) -> frozenset[str]:
    """Return everybody who counts as one person with `who` on a case where another one must act.

    Whoever stands in for somebody signs neither for nor after them; the rules of two people ask this alone.
    """
    return frozenset({f"user:{who.user}"}) | frame.as_one(who, application)
