"""The draft of a call: what a programme manager writes in the browser before it becomes a version of the pack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from services.portal.domain.call_shape import shape_problems
from services.portal.domain.differing import Difference, changed_names, differences
from services.portal.domain.programme import Programme
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.portal import (
    CallDraftDiscarded,
    CallDraftEdited,
    CallDraftHandedIn,
    CallDraftOpened,
    CallDraftPublished,
    CallDraftReturned,
)

CALL_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,59}")
# What a copy must say anew: the days of the call that it is a copy of are not its own.
DATES = ("opens_on", "closes_on", "closes_at")
Content = dict[str, Any]


class PublishedMeanwhileError(ConflictError):
    """The call was published by somebody else since the draft began."""

    type = "published-meanwhile"
    title = "The call was published in another form meanwhile"

    def __init__(self, version: int, by: str, found: list[Difference]) -> None:
        self.pack_version, self.by, self.found = version, by, found
        super().__init__(
            "Version %(version)s of the programme (%(by)s) changed this call since your draft began: %(names)s. Take "
            "its changes over into the draft, look at it again, then publish",
            version=version,
            by=by,
            names=", ".join(item.path for item in found[:8]),
        )

    def extras(self) -> dict[str, Any]:
        return {"pack_version": self.pack_version, "differences": [item.as_dict() for item in self.found]}


class CallDraft(Entity):
    """A call with its scoring sheet, being written. `base` is what the programme said when it began."""

    KIND = "call_draft"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"base", "content"})

    programme: str
    call: str
    stem: str  # the file of the call in the pack
    sheet_stem: str
    sheet_id: str
    pack_version: int
    copied_from: str | None = None
    base: Content = {}
    content: Content
    status: Literal["editing", "waiting", "published", "discarded"] = "editing"
    editors: list[str] = []
    opened_by_name: str = ""
    handed_in_by: str | None = None
    handed_in_by_name: str = ""
    asked: list[str] = []  # who may publish it while it waits
    returned_because: str = ""
    published_version: int | None = None

    @classmethod
    def change_of(cls, programme: Programme, call: str, **who: str) -> CallDraft:
        """Return a draft that changes a call of the programme."""
        stem, content = _found(programme.pack, call)
        sheet = str(content["call"].get("scoring"))
        # What is weighed differently here must not be weighed differently in another call: it gets a sheet of its own.
        own = _shared(programme.pack, call, sheet)
        sheet_stem = None if own else stem_of(programme.pack, "scoring", sheet)
        facts = {"call": call, "stem": stem, "base": content, "content": content}
        facts["sheet_stem"] = sheet_stem or _free(programme.pack, "scoring", call)
        facts["sheet_id"] = sheet if sheet_stem else _free_sheet(programme.pack, call)
        return cls._opened(programme, facts, who)

    @classmethod
    def new(cls, programme: Programme, call: str, copied_from: str | None, **who: str) -> CallDraft:
        """Return the draft of a new call, empty or a copy of one that exists with its days emptied."""
        if not CALL_ID.fullmatch(call):
            raise InvalidError({"call": "must be 2 to 60 small letters, digits and hyphens"})
        if stem_of(programme.pack, "calls", call) is not None:
            raise InvalidError({"call": Rule("is the id of another call: %(name)s", name=call)})
        source = (
            _found(programme.pack, copied_from)[1] if copied_from else {"call": _empty(programme), "scoring": _SHEET}
        )
        sheet = _free_sheet(programme.pack, call)
        content = {
            "call": {k: v for k, v in source["call"].items() if k not in DATES} | {"call": call, "scoring": sheet},
            "scoring": source["scoring"] | {"scoring": sheet},
        }
        facts = {"call": call, "content": content, "copied_from": copied_from, "sheet_id": sheet}
        facts |= {"stem": _free(programme.pack, "calls", call), "sheet_stem": _free(programme.pack, "scoring", call)}
        return cls._opened(programme, facts, who)

    @classmethod
    def _opened(cls, programme: Programme, facts: dict[str, Any], who: dict[str, str]) -> CallDraft:
        common = {"programme": programme.id, "pack_version": programme.pack_version}
        draft = cls(**facts, **common, id=who["id"], editors=[who["by"]], opened_by_name=who["by_name"])
        draft.record(CallDraftOpened(**draft._about(), pack_version=draft.pack_version, copied_from=draft.copied_from))
        return draft

    @property
    def open(self) -> bool:
        """Return whether it may still become a version."""
        return self.status in {"editing", "waiting"}

    @property
    def is_new(self) -> bool:
        """Return whether the programme has no such call yet."""
        return not self.base

    def edit(self, content: Content, by: str) -> bool:
        """Keep what the call says now, right or wrong; returns whether anything is other than before."""
        self._editing()
        if content["call"].get("call") != self.call:
            raise InvalidError({"call.call": Rule("stays %(name)s: copy the call for another", name=self.call)})
        if wrong := shape_problems(content):
            raise InvalidError(wrong)
        parts = [*changed_names(self.content["call"], content["call"])]
        parts += [f"scoring.{n}" for n in changed_names(self.content["scoring"], content["scoring"])]
        if not parts:
            return False
        self.content = content
        self.editors = sorted({*self.editors, by})
        self.record(CallDraftEdited(**self._about(), parts=parts))
        return True

    def hand_in(self, by: str, name: str, others: Iterable[str] = ()) -> None:
        """Ask a second person to publish it: `others` manage the programme, and those who did not write it are told."""
        self._editing()
        self.status, self.handed_in_by, self.handed_in_by_name, self.returned_because = "waiting", by, name, ""
        self.asked = sorted({*others} - {*self.editors, by})
        names = {str(code): str(text) for code, text in (self.content["call"].get("name") or {}).items()}
        self.record(CallDraftHandedIn(**self._about(), call_name=names))

    def give_back(self, reason: str) -> None:
        """Let it be edited again, with the reason."""
        if self.status != "waiting":
            raise ConflictError("This draft does not wait for a second person")
        self.status, self.returned_because, self.asked = "editing", reason, []
        self.record(CallDraftReturned(**self._about(), reason=reason))

    def discard(self) -> None:
        """Give it up; what was published stays as it is."""
        if not self.open:
            raise ConflictError("This draft is %(state)s", state=self.status)
        self.status = "discarded"
        self.record(CallDraftDiscarded(**self._about()))

    def check_publishing(self, by: str, *, two_people: bool) -> None:
        """Raise when this person may not publish it now."""
        if not self.open:
            raise ConflictError("This draft is %(state)s", state=self.status)
        if not two_people:
            return
        if self.status != "waiting":
            raise ConflictError("This programme asks for a second person: hand the draft in first")
        if by in {*self.editors, self.handed_in_by}:
            raise ForbiddenError("You wrote this draft or handed it in: another programme manager publishes it")

    def issue(self, programme: Programme) -> None:
        """Make it the next version of the programme's pack."""
        names = changed_names(self.base.get("call", {}), self.content["call"])
        programme.issue(self.parts(), self.call)
        self.status, self.published_version = "published", programme.pack_version
        version = {"pack_version": programme.pack_version, "sha256": programme.sha256}
        self.record(CallDraftPublished(**self._about(), **version, parts=names))

    def parts(self) -> dict[str, Any]:
        """Return the parts of the pack that it writes; a sheet that nobody changed stays where it was."""
        call, sheet = self.content["call"], self.content["scoring"]
        before = self.base.get("scoring")
        if before is not None and not differences({**before, "scoring": ""}, {**sheet, "scoring": ""}):
            return {f"calls/{self.stem}": call | {"scoring": before["scoring"]}}
        own = {"scoring": self.sheet_id}
        return {f"calls/{self.stem}": call | own, f"scoring/{self.sheet_stem}": sheet | own}

    def theirs(self, programme: Programme) -> list[Difference]:
        """Return what the programme says of the call other than it did when this draft began."""
        now = {} if self.is_new else _found(programme.pack, self.call)[1]
        if self.is_new and stem_of(programme.pack, "calls", self.call) is not None:
            return [Difference("call", "", self.call)]
        return differences(self.base, now)

    def take_over(self, programme: Programme, by: str) -> list[str]:
        """Take what changed in the programme, member by member, but for what this draft changed too; returns those."""
        self._editing()
        stem, now = _found(programme.pack, self.call)
        both: list[str] = []
        merged: Content = {}
        for part in ("call", "scoring"):
            mine, base = self.content[part], self.base.get(part, {})
            own, other = changed_names(base, mine), changed_names(base, now[part])
            both += [
                f"{part}.{name}" for name in own if name in other and differences(mine.get(name), now[part].get(name))
            ]
            merged[part] = now[part] | {n: mine[n] for n in own if n in mine}
            for gone in (name for name in own if name not in mine):
                merged[part].pop(gone, None)
        self.base, self.stem, self.pack_version, self.content = now, stem, programme.pack_version, merged
        self.editors = sorted({*self.editors, by})
        self.record(CallDraftEdited(**self._about(), parts=["base"]))
        return both

    def _editing(self) -> None:
        if self.status == "waiting":
            raise ConflictError("This draft waits for a second person; have it given back to change it")
        if self.status != "editing":
            raise ConflictError("This draft is %(state)s", state=self.status)

    def _about(self) -> dict[str, str]:
        return {"draft_id": self.id, "programme_id": self.programme, "call": self.call}

    def programme_id(self) -> str | None:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        """Return who publishes it while it waits for a second person."""
        return {"manager": [f"user:{one}" for one in self.asked]} if self.status == "waiting" else {}


_SHEET: Content = {"version": 1, "max": 5, "threshold": "60", "comment_required": True, "criteria": []}


def _empty(programme: Programme) -> Content:
    """Return what a call begins with: the programme's currency and its first workflow."""
    facts = programme.pack.get("programme", {})
    currency = str((facts.get("settings") or {}).get("currency", "EUR"))
    flows = [str(item.get("workflow")) for item in (programme.pack.get("workflows") or {}).values()]
    return {
        "name": {},
        "summary": {},
        "ceiling": {"amount": "", "currency": currency},
        "workflow": next(iter(flows), ""),
        "reviewers_needed": 2,
        "form": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": [],
            "properties": {},
            "x-sections": [],
        },
    }


def stem_of(pack: Mapping[str, Any], folder: str, name: str) -> str | None:
    """Return the file in which a call or a scoring sheet stands, None when there is none."""
    key = {"calls": "call", "scoring": "scoring"}[folder]
    parts = pack.get(folder) or {}
    return next((stem for stem, item in parts.items() if isinstance(item, Mapping) and item.get(key) == name), None)


def _found(pack: Mapping[str, Any], call: str | None) -> tuple[str, Content]:
    stem = stem_of(pack, "calls", str(call))
    if stem is None:
        raise InvalidError({"call": Rule("is no call of this programme: %(name)s", name=str(call))})
    content = pack["calls"][stem]
    sheet = stem_of(pack, "scoring", str(content.get("scoring")))
    return stem, {"call": content, "scoring": pack["scoring"][sheet] if sheet else dict(_SHEET)}


def _shared(pack: Mapping[str, Any], call: str, sheet: str) -> bool:
    return any(item.get("scoring") == sheet and item.get("call") != call for item in (pack.get("calls") or {}).values())


def _free_sheet(pack: Mapping[str, Any], name: str) -> str:
    taken = {item.get("scoring"): None for item in (pack.get("scoring") or {}).values()}
    return _free({"scoring": taken}, "scoring", name)


def _free(pack: Mapping[str, Any], folder: str, name: str) -> str:
    """Return a file name that no other part of the pack has."""
    taken, number, stem = pack.get(folder) or {}, 2, name
    while stem in taken:
        stem, number = f"{name}-{number}", number + 1
    return stem
