"""The dossier of a case: everything that its asker may see of it, as files that can be checked one by one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.grants.domain.application import Application, Document
from services.grants.domain.review import scores_visible
from services.grants.handlers import listing, notes
from services.grants.handlers.base import act_as, application_read, owns
from services.grants.handlers.viewing import record
from services.grants.policy import POLICY
from services.grants.storage import day, reads
from shared.database import UnitOfWork
from shared.version import release
from shared.web.identity import Identity

ASK = "grants.dossier.ask"
MOST_ACTS = 20_000
FORMAT = "tamga-dossier/1"
README = """Dossier of {reference}

Open index.html in a browser; the same stands in the .json files for machines, and the documents lie in documents/.
manifest.json names every file with its SHA-256, who asked for this and when, and what was left out and why.

To check that nothing was changed since, unpack it and run in its folder:

    sha256sum --check SHA256SUMS

Each line must end with OK. The SHA-256 of manifest.json is in the record of Tamga beside the asking itself: search the
audit log for "dossier {manifest}".
"""


@dataclass
class Dossier:
    """What is to be sent: texts by name, and documents that are read only when their turn comes."""

    reference: str
    asked_at: datetime
    texts: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, tuple[str, int]] = field(default_factory=dict)  # {name: (SHA-256, bytes)}


def gather(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Application, dict[str, Any], list[str]]:
    """Return the case, what the asker may see of it by name of file, and what is left out and why."""
    application, role = application_read(uow, who, ASK, reference)
    act_as(uow, role)
    outside = owns(who, application.organisation)
    parts: dict[str, Any] = {"case": _case(application, outside)}
    left_out: list[str] = []
    for number, handed in enumerate(application.handed, 1):
        parts[f"answers/version-{number}"] = handed.model_dump(mode="json")
    parts["answers/present"] = {name: application.state()[name] for name in ("title", "answers", "budget")}
    parts["timeline"] = listing.timeline(uow.connection, who, application, most=MOST_ACTS)
    parts["letters"] = [dict(row) for row in _letters(uow, who, application, outside)]
    parts["notes"] = [note.state() for note in notes.seen(uow.connection, who, application)]
    award = reads.find_award(uow.connection, application.id)
    if award is not None:
        parts["agreement-and-payments"] = award.state()
    if outside:
        left_out.append("Reviews, checklists, tasks and staff's notes: they are the programme's own")
        return application, parts, left_out
    parts["tasks"] = [task.state() for task in day.tasks_of_case(uow.connection, application.id)]
    parts["decisions"] = application.state()["history"]
    _reviews(uow, who, application, parts, left_out)
    return application, parts, left_out


def _case(application: Application, outside: bool) -> dict[str, Any]:
    state = application.state()
    kept = {"handed", "answers", "budget", "title"} | ({"checks", "reviewers", "history"} if outside else set())
    return {name: value for name, value in state.items() if name not in kept} | {"version": application.version}


def _letters(uow: UnitOfWork, who: Identity, application: Application, outside: bool) -> list[Any]:
    return reads.letters(uow.connection, application.id, who.organisation if outside else None)


def _reviews(
    uow: UnitOfWork, who: Identity, application: Application, parts: dict[str, Any], left_out: list[str]
) -> None:
    if not POLICY.scopes("grants.review.read", who):
        left_out.append("Reviews: they are not for your role")
        return
    every = reads.reviews_of(uow.connection, application.id)
    visible = scores_visible(who.user, every, staff=True)
    hidden = set() if visible else {"scores", "summary", "score", "recommendation"}
    if not visible:
        left_out.append("Scores: you review this case yourself and have not handed yours in")
    parts["reviews"] = [
        {name: value for name, value in item.state().items() if name not in hidden | {"ground", "nature"}}
        for item in every
    ]
    parts["conflicts-of-interest"] = [
        {"reviewer": item.reviewer_name, "status": item.status, "ground": item.ground, "nature": item.nature}
        for item in every
    ]


def compose(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    *,
    page: Callable[[Application, dict[str, Any], list[str]], str],
    style: bytes,
) -> Dossier:
    """Return the dossier ready to be sent, and record that it was asked for, under the hash of its manifest."""
    application, parts, left_out = gather(uow, who, reference)
    dossier = Dossier(application.id, uow.now())
    dossier.texts = {f"{name}.json": _json(value) for name, value in parts.items()}
    dossier.texts |= {"index.html": page(application, parts, left_out).encode(), "tamga.css": style}
    for number, item in enumerate(documents_of(application), 1):
        dossier.documents[f"documents/{number:03d}-{item.name}"] = (item.sha256, item.size)
    files = [
        {"name": name, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        for name, text in dossier.texts.items()
    ]
    files += [{"name": name, "bytes": size, "sha256": sha} for name, (sha, size) in dossier.documents.items()]
    manifest = _manifest(uow, who, application, left_out)
    written = _json(manifest | {"files": files})
    digest = hashlib.sha256(written).hexdigest()
    readme = README.format(reference=application.id, manifest=digest).encode()
    sums = [*((item["sha256"], item["name"]) for item in files), (digest, "manifest.json")]
    sums.append((hashlib.sha256(readme).hexdigest(), "README.txt"))
    listed = "".join(f"{sha}  {name}\n" for sha, name in sums).encode()
    dossier.texts |= {"manifest.json": written, "README.txt": readme, "SHA256SUMS": listed}
    record(uow, application, f"dossier {digest}")
    return dossier


def _manifest(uow: UnitOfWork, who: Identity, application: Application, left_out: list[str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "reference": application.id,
        "generator": f"Tamga {release()}",
        "asked_by": who.name,
        "asked_by_id": f"user:{who.user}",
        "role": uow.context.actor.role,
        "asked_at": uow.now().isoformat(),
        "case_version": application.version,
        "left_out": left_out,
    }


def documents_of(application: Application) -> list[Document]:
    """Return every document that the case ever handed in, each once, in the order in which they came."""
    handed = [item for version in application.handed for item in version.documents]
    return list({item.id: item for item in (*handed, *application.documents)}.values())


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, default=str, sort_keys=True) + "\n").encode()


class _Sink:
    """Takes what the archive writes and gives it away: nothing is kept, and nobody can go back in it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what was written is taken by `drain`."""

    def close(self) -> None:
        """Do nothing: what was written is taken by `drain`."""

    def drain(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def pack(dossier: Dossier, content: Callable[[str], bytes]) -> Iterator[bytes]:
    """Give the archive piece by piece: one file at a time is in memory. `content` reads a document and checks it."""
    sink, moment = _Sink(), dossier.asked_at.timetuple()[:6]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in dossier.texts.items():
            archive.writestr(_entry(dossier, name, moment), text)
            yield sink.drain()
        for name, (sha256, _) in dossier.documents.items():
            archive.writestr(_entry(dossier, name, moment), content(sha256))
            yield sink.drain()
    yield sink.drain()


def _entry(dossier: Dossier, name: str, moment: tuple[int, ...]) -> zipfile.ZipInfo:
    year, month, day_, hour, minute, second = moment
    entry = zipfile.ZipInfo(f"{dossier.reference}/{name}", (year, month, day_, hour, minute, second))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry
