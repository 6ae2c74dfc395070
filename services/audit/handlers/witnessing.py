"""Having witnesses sign the log's newest checkpoint, and saying how far they have: where a policy names any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from services.audit.domain.merkle import ProofError, prove_consistency
from services.audit.domain.note import NoteError, cosigned
from services.audit.domain.policy import Policy, PolicyError, Witness
from services.audit.keys import Keys
from services.audit.signer.client import Client, NotGrownError, SignerSilentError, StaleError
from services.audit.signer.wire import Asked
from services.audit.storage import cosignatures, tree
from services.audit.storage.append import BrokenLogError
from shared.database import UnitOfWork
from shared.settings import settings

log = structlog.get_logger(__name__)
FILE = "policy.txt"
SECONDS = 60.0
_PROBLEMS = (SignerSilentError, NotGrownError, StaleError, NoteError, ProofError, BrokenLogError)


def policy_of(keys: Keys) -> Policy | None:
    """Return this house's policy, if it has one; raises PolicyError."""
    file = keys.folder / FILE
    try:
        return Policy.parse(file.read_text(encoding="utf-8")) if file.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file} can't be read") from error


def witness(uow: UnitOfWork) -> None:
    """Have the newest checkpoint witnessed; a witness that is away or refuses holds up nothing."""
    have_witnessed(uow, Keys.of(settings()))


def have_witnessed(uow: UnitOfWork, keys: Keys) -> None:
    """Ask each witness that has an address and has not signed yet."""
    try:
        policy = policy_of(keys)
    except PolicyError as error:
        log.error("the policy of witnesses can't be followed", reason=str(error))  # noqa: TRY400 - a typing error needs no traceback
        return
    latest = tree.latest_checkpoint(uow.connection) if policy else None
    if policy is None or latest is None:
        return
    there = cosignatures.witnessed(uow.connection, latest.size)
    for one in policy.witnesses.values():
        if one.address and one.name not in there:
            try:
                line, at = _asked(uow.connection, latest, one)
            except _PROBLEMS as error:
                log.warning("a witness did not sign", witness=one.name, reason=str(error))
            else:
                cosignatures.add(uow.connection, latest.size, one.name, line, at)


def _asked(connection: Connection, latest: tree.Signed, one: Witness) -> tuple[str, datetime]:
    client = Client(one.address)
    old = client.state().size
    grows = 0 < old < latest.size
    proof = prove_consistency(old, latest.size, tree.Nodes(connection, latest.size)) if grows else []
    line = client.add(Asked(old, tuple(proof), latest.note))
    at = cosigned(latest.note + line, one.key)
    if at is None:
        raise NoteError(f"{one.name} answers with the signature of somebody else")
    return line, datetime.fromtimestamp(at, UTC)


@dataclass(frozen=True)
class Witnessed:
    """How far witnesses have signed the log: in words each, and up to which entry as many as the policy asks for."""

    says: tuple[str, ...] = ()
    size: int = 0
    enough: bool = True  # or the policy asks for nobody


def witnessed(connection: Connection, policy: Policy | None) -> Witnessed:
    """Return what the stored signatures of witnesses are worth under a policy."""
    if policy is None:
        return Witnessed()
    by_size: dict[int, set[str]] = {}
    seen: dict[str, str] = {}
    for row in cosignatures.newest(connection):
        one = policy.witnesses.get(row.witness)
        at = _moment(row, one) if one else None
        if one and at is not None:
            by_size.setdefault(row.size, set()).add(one.name)
            when = datetime.fromtimestamp(at, UTC)
            seen.setdefault(
                one.name, f"{one.name} ({one.key.name}): {row.size:,} entries, {when:%Y-%m-%d %H:%M:%S} UTC"
            )
    size = max((size for size, names in by_size.items() if policy.satisfied(names)), default=0)
    says = tuple(seen.get(name, f"{name}: has signed nothing yet") for name in policy.witnesses)
    return Witnessed(says, size, policy.quorum == "none" or size > 0)


def _moment(row: cosignatures.Cosigned, one: Witness) -> int | None:
    try:
        return cosigned(row.note + row.line, one.key)
    except NoteError:
        return None


def seen_by(policy: Policy | None) -> list[tuple[str, str]]:
    """Return the checkpoints that witnesses saw last, each with the witness's name: anchors in other hands."""
    found = []
    for one in policy.witnesses.values() if policy else ():
        if one.address:
            try:
                note = Client(one.address).state().note
            except SignerSilentError:
                continue
            found += [(one.name, note)] if note else []
    return found
