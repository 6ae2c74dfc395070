"""What a search may ask for, as it stands in the address: the language in `q`, and a field of the form each."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.audit.asking import Search, asked, parse, written
from services.audit.storage.search import Filters
from services.audit.storage.subjects import Subjects, subjects_of
from shared.asking import MAX_TEXT
from shared.errors import InvalidError
from shared.settings import Settings
from shared.web.paging import decode_cursor


def _day(value: Any) -> Any:
    """Return a day as a date, a moment as a datetime, nothing for an empty field."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value) if len(value) == len("2026-01-31") else datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date: write year-month-day") from None


_WORD = re.compile(r"\w+")
MAX_NAMES = 12
Word = Annotated[str, Field(max_length=200)]
Day = Annotated[Any, BeforeValidator(_day)]
FORM = (
    "person", "case", "kind", "organisation", "role", "programme", "outcome", "service", "entity", "changed", "old",
    "new",
)  # fmt: skip


class SearchQuery(BaseModel):
    """The filters of a search; empty ones are left out. Days are whole local days, `until` included."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    person: Word = ""
    case: Word = ""
    kind: Word = ""
    organisation: Word = ""
    role: Word = ""
    programme: Word = ""
    outcome: Word = ""
    service: Word = ""
    entity: Word = ""
    changed: Word = ""
    old: Word = ""
    new: Word = ""
    since: Day = None  # date | datetime | None
    until: Day = None
    cursor: Annotated[str, Field(max_length=200)] = ""

    def before(self) -> int | None:
        """Return the leaf index below which the page begins."""
        values = decode_cursor(self.cursor, 1)
        return before(values)

    def text(self) -> str:
        """Return all that is asked for in the language of the search; a field of the form wins over the text."""
        search = parse(self.q)
        given = {name: getattr(self, name) for name in FORM if getattr(self, name)}
        times = {name: value.isoformat() for name in ("since", "until") if (value := getattr(self, name))}
        if not given and not times:
            return self.q
        names = {"old": "from", "new": "to"}
        taken = [term for name in (*given, *times) for term in search.of(names.get(name, name))]
        return " ".join(filter(None, [search.without(*taken), written(given | times)]))

    def search(self) -> Search:
        """Return what was understood of all that is asked for."""
        return parse(self.text())

    def filters(self, request: Request) -> Filters:
        """Return the filters with days as moments of the time zone that people read; raises InvalidError."""
        return filters_of(self.search(), request.app.state.settings, request.app.state.clock())


def filters_of(search: Search, settings: Settings, now: datetime) -> Filters:
    """Return the filters of a search; raises InvalidError that names the place of each mistake in it."""
    zone = ZoneInfo(settings.time_zone)
    if search.mistakes:
        said = [
            f"at {wrong.start + 1}, {search.text[wrong.start : wrong.end]}: {wrong.rule}"
            + (f"; perhaps {wrong.fix}" if wrong.fix else "")
            for wrong in search.mistakes
        ]
        raise InvalidError({"q": ". ".join(said)})
    found = asked(search)
    values: dict[str, Any] = dict(found.values)
    if "size" in values:
        values["size"] = int(values["size"])
    values |= {"since": _moment(found.since, zone, now, 0), "until": _moment(found.until, zone, now, 1)}
    return Filters(**(values | _meant(subjects_of(settings), values.get("q", ""), values.get("person", ""))))


def _meant(subjects: Subjects, q: str, person: str) -> dict[str, Any]:
    """Return whom the names that somebody looks for stand for: the filters know but what the log's database has."""
    sought = {word.casefold() for word in q.split() if "@" in word} | set(_WORD.findall(q.casefold()))
    named = {person.casefold().strip()} if "@" in person else set(_WORD.findall(person.casefold()))
    found = subjects.found_by(sorted(sought | named, key=len, reverse=True)[:MAX_NAMES])
    whole = [word for word in found if "@" in word]
    meant = {word: found[word] for word in found if word in sought and not any(word in other for other in whole)}
    meant |= {word: found[word] for word in whole if word in sought}
    alike = [{item.who for item in found.get(word, ())} for word in named]
    actors = set.intersection(*alike) if alike else set()
    return {
        "actors": tuple(sorted(actors)),
        "meant": tuple((word, tuple(item.id for item in people)) for word, people in meant.items()),
    }


def before(values: list[Any] | None) -> int | None:
    """Return the leaf index of a cursor's values; anything else begins at the end."""
    return values[0] if values and isinstance(values[0], int) and 0 <= values[0] < 2**63 else None


def _moment(day: date | datetime | timedelta | None, zone: ZoneInfo, now: datetime, days: int) -> datetime | None:
    if day is None:
        return None
    if isinstance(day, timedelta):
        return (now - day).astimezone(UTC)
    if isinstance(day, datetime):
        return (day if day.tzinfo else day.replace(tzinfo=zone)).astimezone(UTC)
    # The very first and last days that a date can be have no neighbour in UTC.
    inside = min(max(day, date(1900, 1, 1)), date(9000, 1, 1))
    return datetime.combine(inside + timedelta(days=days), time(), zone).astimezone(UTC)
