"""Who has to have signed a checkpoint: a policy file after C2SP's tlog-policy.

    log     VERIFIER-KEY [ADDRESS]
    witness NAME VERIFIER-KEY [ADDRESS]
    group   NAME any|all|NUMBER MEMBER…
    quorum  NAME|none

Lines that begin with # and empty ones say nothing. Names are defined before they are used.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from services.audit.domain.note import COSIGNATURE, ED25519, NoteError, Verifier

LONGEST = 64 * 1024


class PolicyError(ValueError):
    """A policy that can't be followed; the message names the line."""


@dataclass(frozen=True)
class Witness:
    """Somebody who signs that a checkpoint was seen and continues what was seen before."""

    name: str
    key: Verifier
    address: str = ""  # where it is asked, if it is


@dataclass
class Policy:
    """Whose keys a log has, who witnesses it, and how many of them are asked for."""

    logs: list[Verifier] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = ""

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Return the policy of a file; raises PolicyError."""
        if len(text) > LONGEST:
            raise PolicyError("a policy is no longer than 64 KiB")
        policy = cls()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                policy._take(words)
            except (PolicyError, NoteError) as error:
                raise PolicyError(f"line {number}: {error}") from error
        if not policy.logs:
            raise PolicyError("a policy names the log's key")
        if not policy.quorum:
            raise PolicyError("a policy says its quorum, or none")
        return policy

    def _take(self, words: list[str]) -> None:
        match words:
            case ["log", key, *rest] if len(rest) < 2:
                self.logs.append(_key(key, ED25519))
            case ["witness", name, key, *rest] if len(rest) < 2:
                self._new(name)
                self.witnesses[name] = Witness(name, _key(key, COSIGNATURE), "".join(rest))
            case ["group", name, many, *members] if members:
                self._new(name)
                self._known(members)
                self.groups[name] = (_threshold(many, len(members)), tuple(members))
            case ["quorum", name] if not self.quorum:
                if name != "none":
                    self._known([name])
                self.quorum = name
            case _:
                raise PolicyError(f"not understood: {' '.join(words)[:80]}")

    def _new(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name} is taken")

    def _known(self, names: list[str]) -> None:
        if unknown := [name for name in names if name not in self.witnesses and name not in self.groups]:
            raise PolicyError(f"nobody is called {unknown[0]}")
        if len(set(names)) != len(names):
            raise PolicyError("a member stands in a group once")

    def satisfied(self, seen: Collection[str]) -> bool:
        """Say whether these witnesses are as many as the quorum asks for."""
        return self.quorum == "none" or self._counts(self.quorum, seen)

    def _counts(self, name: str, seen: Collection[str]) -> bool:
        if name in self.witnesses:
            return name in seen
        many, members = self.groups[name]
        return sum(self._counts(member, seen) for member in members) >= many


def _key(text: str, algorithm: int) -> Verifier:
    key = Verifier.parse(text)
    if key.algorithm != algorithm:
        raise PolicyError("the key of a log is of type 1, that of a witness of type 4")
    return key


def _threshold(text: str, members: int) -> int:
    many = {"any": 1, "all": members}.get(text) or (int(text) if text.isascii() and text.isdecimal() else 0)
    if not 1 <= many <= members:
        raise PolicyError(f"{text} of {members} can't be")
    return many
