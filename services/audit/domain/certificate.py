"""A certificate of completeness: what the log holds of a period, source by source, and by what that is proven."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from services.audit.domain.note import NoteError, Signer, Verifier, open_checkpoint, open_note
from shared.events.canonical import canonical

TITLE = "tamga completeness certificate v1"


class CertificateError(ValueError):
    """A certificate that is not valid; the message says why."""


@dataclass(frozen=True)
class SourceLine:
    """One source in the period. Positions are None when nothing of it happened then."""

    source: str
    events: int
    of_programme: int
    first: int | None
    last: int | None
    missing: int  # positions from first to last that the log has not
    late: int  # that arrived after an event of a later position
    manifests: int  # that speak of these positions
    sound: int
    told: int  # up to which position the source told, as far as the log bears it out

    @property
    def complete(self) -> bool:
        """Say whether nothing is missing, and the source itself has told so of every position."""
        if self.last is None:
            return True
        return not self.missing and self.manifests == self.sound and self.told >= self.last


@dataclass(frozen=True)
class Certificate:
    """What is certified. `since` and `until` are the first and the last day, by the clocks of `zone`."""

    origin: str
    programme: str
    since: str
    until: str
    zone: str
    made_at: str
    by: str
    size: int  # entries of the log under the checkpoint
    checkpoint: str
    sources: tuple[SourceLine, ...]

    @property
    def complete(self) -> bool:
        return all(line.complete for line in self.sources)

    def facts(self) -> dict[str, Any]:
        """Return the facts as JSON types, with the verdict on each source and on all."""
        lines = [asdict(line) | {"complete": line.complete} for line in self.sources]
        return asdict(self) | {"sources": lines, "complete": self.complete}

    def sign(self, signer: Signer) -> str:
        """Return the signed note: a title, and the facts in one line."""
        return signer.sign(f"{TITLE}\n{canonical(self.facts()).decode()}\n")


def opened(note: str, signed_by: Verifier, *log: Verifier) -> Certificate:
    """Return what a signed certificate says; raises CertificateError unless it and its checkpoint are genuine."""
    try:
        text = open_note(note, [signed_by])
    except NoteError as error:
        raise CertificateError(f"the certificate: {error}") from error
    title, _, line = text.partition("\n")
    if title != TITLE:
        raise CertificateError(f"this is no certificate but: {title[:80]}")
    try:
        facts = json.loads(line)
        verdict, lines = facts.pop("complete"), facts.pop("sources")
        verdicts = [item.pop("complete") for item in lines]
        certificate = Certificate(**facts, sources=tuple(SourceLine(**item) for item in lines))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CertificateError("the facts of the certificate can't be read") from error
    if verdict != certificate.complete or verdicts != [item.complete for item in certificate.sources]:
        raise CertificateError("the verdict does not follow from the figures")
    try:
        checkpoint = open_checkpoint(certificate.checkpoint, *log)
    except NoteError as error:
        raise CertificateError(f"the checkpoint in it: {error}") from error
    if checkpoint.size != certificate.size:
        raise CertificateError(f"it speaks of {certificate.size} entries, its checkpoint of {checkpoint.size}")
    return certificate


def differences(said: Certificate, found: tuple[SourceLine, ...]) -> list[str]:
    """Return in sentences how the figures differ from those that the log gives now."""
    now = {line.source: line for line in found}
    problems = []
    for line in said.sources:
        other = now.pop(line.source, None)
        for name in ("events", "of_programme", "first", "last", "missing"):
            before, after = getattr(line, name), getattr(other, name, None)
            if before != after:
                problems.append(f"{line.source}: {name.replace('_', ' ')} was {before}, the log has {after}")
    return problems + [f"{source} is not in the certificate" for source in now]
