"""On whose word a verification rests: three situations that must not all be called "sound" alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

BROUGHT, SIGNER, BESIDE = "brought", "signer", "beside"
_ANCHORS = {
    BROUGHT: "a checkpoint that was brought along",
    SIGNER: "what the signer remembers",
    BESIDE: "what is kept beside the database",
}


@dataclass(frozen=True)
class Anchor:
    """A signed state from outside the database, with which the log was compared."""

    what: str  # brought | signer | beside, or the name of a witness
    size: int

    def sentence(self) -> str:
        """Return it in words."""
        return f"{_ANCHORS.get(self.what, f'what the witness {self.what} saw')}, of {self.size:,} entries"


@dataclass(frozen=True)
class Trust:
    """What was taken as given: the keys, and the states with which the log was compared."""

    keys: tuple[str, ...] = ()
    brought: bool = False  # whether the keys were brought along by who verifies
    anchors: tuple[Anchor, ...] = ()
    witnesses: tuple[str, ...] = ()  # how far each has signed, in words
    witnessed: int = 0  # up to which entry as many have signed as the policy asks for

    @property
    def mode(self) -> str:
        """Return pinned (key and checkpoint were brought along), key, checkpoint, or own: this installation's word."""
        kept = any(anchor.what == BROUGHT for anchor in self.anchors)
        if self.brought:
            return "pinned" if kept else "key"
        return "checkpoint" if kept else "own"

    def sentence(self) -> str:
        """Return what that means, for who reads the verdict."""
        return {
            "pinned": "pinned: the key and a checkpoint were brought along, so a rewritten log can't pass",
            "key": "key brought along: nobody else can have signed; for cuts before the last signature bring a"
            " checkpoint too (--checkpoint)",
            "checkpoint": "checkpoint brought along, the key is this installation's own word: bring it too (--vkey)",
            "own": "this installation's own word: its key and its memory; bring your own (--vkey, --checkpoint)",
        }[self.mode]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self) | {"mode": self.mode, "says": self.sentence()}
