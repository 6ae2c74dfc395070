"""Which applications of a programme look like this one, by what, and what was decided about each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz
from sqlalchemy import RowMapping

from services.grants.domain.application import Application
from services.grants.domain.likeness import Likeness, Verdict, folded
from services.grants.handlers.base import Command, act_as, application_for, role_on
from services.grants.handlers.viewing import application_seen
from services.grants.storage import likeness as stored
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.identity import Identity

READ, SETTLE = "grants.likeness.read", "grants.likeness.settle"
# From how many per cent on two texts are told to be alike.
NAME, TITLE, ANSWERS = 90, 82, 80
CLOSE, MOST_TEXT, SHOWN = 20, 6000, 30
_WORD = re.compile(r"\w{4,}")


class Settle(Command):
    """Two applications belong together, or only look alike, and how one knows; `version` 0 for the first decision."""

    other: str
    verdict: Verdict
    why: str
    version: int = 0


@dataclass(frozen=True)
class Alike:
    """An application that looks like another one: {code: per cent} of what is alike, and what was decided."""

    row: RowMapping
    reasons: dict[str, int]
    decided: Likeness | None


def alike(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Application, list[Alike]]:
    """Return what looks like a case, the most alike first; a fixed number of statements."""
    application = application_seen(uow, who, reference)
    role_on(who, READ, application)
    return application, _found(uow, application)


def _found(uow: UnitOfWork, application: Application) -> list[Alike]:
    connection = uow.connection
    organisations = stored.same_number(connection, application.organisation)
    words = list(dict.fromkeys(_WORD.findall(f"{application.title} {application.organisation_name}".casefold())))[:16]
    rows = stored.candidates(connection, application.id, application.programme, organisations, words)
    reasons = {row["id"]: _reasons(application, row, organisations) for row in rows}
    close = sorted(rows, key=lambda row: -_ratio(application.title, row["title"]))[:CLOSE]
    texts = stored.answers(connection, [row["id"] for row in close])
    for row in close:
        ratio = _answers(application.answers, texts.get(row["id"], {}))
        reasons[row["id"]] |= {"answers": ratio} if ratio >= ANSWERS else {}
    decided = stored.decided(connection, application.id)
    found = [Alike(row, reasons[row["id"]], decided.get(row["id"])) for row in rows if _counts(reasons[row["id"]])]
    return sorted(found, key=lambda item: (item.decided is not None, -sum(item.reasons.values())))[:SHOWN]


def _counts(reasons: Mapping[str, int]) -> bool:
    """Return whether it is worth a look: a known organisation with another project is no duplicate by itself."""
    return bool(reasons.keys() - {"organisation"})


def _ratio(one: str, other: str) -> int:
    return round(fuzz.token_sort_ratio(folded(one), folded(other)))


def _reasons(application: Application, row: RowMapping, organisations: list[str]) -> dict[str, int]:
    found = {}
    if row["organisation"] == application.organisation:
        found["same_call" if row["call"] == application.call else "organisation"] = 100
    elif row["organisation"] in organisations:
        found["number"] = 100
    elif (name := _ratio(application.organisation_name, row["organisation_name"])) >= NAME:
        found["name"] = name
    if (title := _ratio(application.title, row["title"])) >= TITLE:
        found["title"] = title
    return found


def _answers(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    long = [name for name, text in one.items() if len(text) > 40 and other.get(name)]
    if not long:
        return 0
    mine, theirs = (" ".join(texts[name] for name in long)[:MOST_TEXT] for texts in (one, other))
    return round(fuzz.ratio(mine, theirs))


def settle(uow: UnitOfWork, who: Identity, reference: str, command: Settle) -> Likeness:
    """Link two applications, or say that they only look alike."""
    application, role = application_for(uow, who, SETTLE, reference)
    found = next((item for item in _found(uow, application) if item.row["id"] == command.other), None)
    if found is None:
        raise NotFoundError("There is no such record")
    by = act_as(uow, role, command.why)
    one, other = sorted([application.id, command.other])
    name, repository = f"{one}:{other}", stored.likenesses(uow)
    item = repository.find(name, expected=command.version, for_update=True)
    if item is None:
        item = repository.add(Likeness(id=name, one=one, other=other, programme=application.programme))
    item.settle(command.verdict, command.why, sorted(found.reasons), by, uow.now())
    return item
