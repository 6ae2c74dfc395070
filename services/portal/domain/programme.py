"""A programme as its pack describes it, and which parts of the pack were last changed in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from services.portal.domain.differing import Difference, differences
from shared.entity import Entity, canonical_hash
from shared.errors import ConflictError
from shared.events.portal import ProgrammeLoaded

Choice = Literal["ask", "keep", "replace"]


class EditedError(ConflictError):
    """A pack from files says otherwise than what was published in the browser."""

    type = "edited-in-browser"
    title = "What was edited in the browser would be undone"

    def __init__(self, found: Mapping[str, list[Difference]]) -> None:
        self.found = dict(found)
        super().__init__(
            "Edited in the browser since, and other in the files: %(names)s. Choose: --keep-edited loads the rest and "
            "lets these be, --replace-edited takes what the files say",
            names=", ".join(f"{part} ({len(items)})" for part, items in self.found.items()),
        )

    def lines(self) -> list[str]:
        """Return each difference as a line of text: in the browser, and in the files."""
        return [
            f"{part}: {item.path}: {item.before or '–'} → {item.after or '–'}"
            for part, items in self.found.items()
            for item in items
        ]

    def extras(self) -> dict[str, Any]:
        return {"differences": {part: [item.as_dict() for item in items] for part, items in self.found.items()}}


class Programme(Entity):
    """A programme as its pack describes it; loading a changed pack makes the next pack version."""

    KIND = "programme"
    PRIVATE: ClassVar[frozenset[str]] = frozenset()

    pack: dict[str, Any] = {}
    pack_version: int = 0
    sha256: str = ""
    # "calls/<file>" and "scoring/<file>" as they were last published in the browser: part -> hash of its content.
    edited: dict[str, str] = {}
    files_sha256: str = ""  # of the pack that was last loaded from files

    def from_files(self, pack: dict[str, Any], sha256: str, choice: Choice) -> dict[str, Any]:
        """Return the pack that loading these files makes; raises EditedError when somebody has to choose."""
        if choice == "ask" and sha256 == self.files_sha256:
            return self.pack
        found = {part: items for part in self.edited if (items := self._differs(part, pack))}
        if found and choice == "ask":
            raise EditedError(found)
        return pack if choice == "replace" else self._kept(pack, list(found))

    def loaded_from(self, pack: dict[str, Any], sha256: str) -> bool:
        """Take over what `from_files` returned for files of that hash; returns whether it was new."""
        whole = canonical_hash(pack)
        if whole == self.sha256:
            return False
        # What the files say as well by now is no longer the browser's alone.
        self.edited = {part: mark for part, mark in self.edited.items() if _mark(_part(pack, part)) == mark}
        self.files_sha256 = sha256
        self._take(pack, whole)
        return True

    def issue(self, parts: Mapping[str, Any], call: str) -> None:
        """Take over parts that were edited in the browser as the next version of the pack."""
        pack = with_parts(self.pack, parts)
        self.edited = self.edited | {part: _mark(content) for part, content in parts.items()}
        self._take(pack, canonical_hash(pack), call)

    def _take(self, pack: dict[str, Any], sha256: str, call: str | None = None) -> None:
        self.pack, self.sha256, self.pack_version = pack, sha256, self.pack_version + 1
        self.record(
            ProgrammeLoaded(
                programme_id=self.id, pack_version=self.pack_version, sha256=sha256, pack=self.pack, edited_call=call
            )
        )

    def _differs(self, part: str, pack: Mapping[str, Any]) -> list[Difference]:
        return differences(_part(self.pack, part), _part(pack, part))

    def _kept(self, pack: dict[str, Any], parts: list[str]) -> dict[str, Any]:
        return with_parts(pack, {part: _part(self.pack, part) for part in parts}) if parts else pack

    def programme_id(self) -> str | None:
        return self.id

    def name(self, locale: str) -> str:
        """Return the programme's name in a language, English when it has none in that."""
        names = self.pack.get("programme", {}).get("name", self.id)
        return str(names.get(locale) or names.get("en") or self.id) if isinstance(names, dict) else str(names)


def _mark(content: Any) -> str:
    return canonical_hash({"": content})


def _part(pack: Mapping[str, Any], part: str) -> Any:
    folder, _, stem = part.partition("/")
    found = pack.get(folder)
    return found.get(stem) if isinstance(found, Mapping) else None


def with_parts(pack: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pack in which "folder/file" says something else; None takes the file out."""
    changed = dict(pack)
    for part, content in parts.items():
        folder, _, stem = part.partition("/")
        inner = dict(changed.get(folder) or {})
        inner.pop(stem, None)
        changed[folder] = inner if content is None else inner | {stem: content}
    return changed
