"""Certifying that the log is complete for a period, and checking such a certificate later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.audit.domain.certificate import Certificate, CertificateError, SourceLine, differences, opened
from services.audit.domain.merkle import ProofError, prove_consistency, verify_consistency
from services.audit.domain.note import NoteError, Verifier, open_checkpoint
from services.audit.handlers.signing import UnsignedError, sign_checkpoint
from services.audit.keys import Keys
from services.audit.storage import certificates, tree
from services.audit.storage.append import BrokenLogError
from services.audit.storage.receipts import receipt_signer
from shared.clock import Clock, utc_now
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events import Actor

LONGEST = timedelta(days=366 * 10)


@dataclass(frozen=True)
class Asked:
    """For which programme and which days, both included, by the clocks of the house's zone."""

    programme: str
    since: date
    until: date
    zone: str

    def bounds(self) -> tuple[datetime, datetime]:
        """Return the period's first moment and the first after it."""
        zone = ZoneInfo(self.zone)
        return datetime.combine(self.since, time(), zone), datetime.combine(
            self.until + timedelta(days=1), time(), zone
        )


def certify(
    connection: Connection, keys: Keys, asked: Asked, by: Actor, *, clock: Clock = utc_now
) -> tuple[Certificate, str]:
    """Return the certificate and its signed note; raises InvalidError, NotFoundError or ConflictError."""
    # The first and last years have no neighbour in UTC.
    for name, day in (("since", asked.since), ("until", asked.until)):
        if not 1900 <= day.year <= 9000:
            raise InvalidError({name: "is not a date: write year-month-day"})
    if asked.until < asked.since:
        raise InvalidError({"until": "is before the first day"})
    if asked.until - asked.since > LONGEST:
        raise InvalidError({"until": "is more than ten years after the first day"})
    try:
        signed = sign_checkpoint(connection, keys, clock=clock)
    except UnsignedError as error:
        raise ConflictError("The log can't be signed: %(why)s", why=str(error)) from error
    if signed is None:
        raise NotFoundError("The log is empty")
    certificate = Certificate(
        origin=keys.origin,
        programme=asked.programme,
        since=asked.since.isoformat(),
        until=asked.until.isoformat(),
        zone=asked.zone,
        made_at=clock().isoformat(timespec="seconds"),
        by=by.name or by.id,
        size=signed.size,
        checkpoint=signed.note,
        sources=counted(connection, asked, signed.size),
    )
    return certificate, certificate.sign(receipt_signer(keys))


def counted(connection: Connection, asked: Asked, size: int) -> tuple[SourceLine, ...]:
    """Return what the first `size` entries of the log hold of the period."""
    return certificates.lines(connection, asked.programme, *asked.bounds(), size)


def note_of(content: str) -> str:
    """Return the signed note of a file, which is the note itself or the JSON that has it; raises CertificateError."""
    if not content.lstrip().startswith("{"):
        return content.rstrip("\n") + "\n"
    try:
        note = json.loads(content)["note"]
    except (ValueError, KeyError, TypeError) as error:
        raise CertificateError("the file is JSON, but no certificate") from error
    if not isinstance(note, str):
        raise CertificateError("the file is JSON, but no certificate")
    return note


def check(connection: Connection, keys: Keys, content: str, pinned: Verifier | None = None) -> Certificate:
    """Return what a certificate says if it is genuine and the log still bears it out; raises CertificateError.

    `pinned` is the certificates' key as somebody kept it; without it that of this installation is believed.
    """
    log = keys.verifiers
    certificate = opened(note_of(content), pinned or receipt_signer(keys).verifier, *log)
    try:
        _grown(connection, certificate, log)
    except (ProofError, BrokenLogError, NoteError) as error:
        raise CertificateError(f"the log is not what was certified, continued: {error}") from error
    days = (date.fromisoformat(certificate.since), date.fromisoformat(certificate.until))
    found = counted(connection, Asked(certificate.programme, *days, certificate.zone), certificate.size)
    if problems := differences(certificate, found):
        raise CertificateError("the log has other figures: " + "; ".join(problems))
    return certificate


def _grown(connection: Connection, certificate: Certificate, log: list[Verifier]) -> None:
    state = tree.head(connection)
    before = open_checkpoint(certificate.checkpoint, *log)
    if before.size > state.size:
        raise ProofError(f"the log had {before.size} entries then and has {state.size} now")
    proof = prove_consistency(before.size, state.size, tree.Nodes(connection, state.size))
    verify_consistency(before.size, state.size, before.root, state.root(), proof)
