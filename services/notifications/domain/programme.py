"""A programme's rules in force, and those that were refused."""

from __future__ import annotations

from typing import Any, ClassVar

from services.notifications.domain.ruleset import RuleSet
from shared.entity import Entity
from shared.events.notifications import RuleSetAdopted, RuleSetRefused


class ProgrammeRules(Entity):
    """What is in force for one programme; `id` is the programme's. `problems` are those of the last refused pack."""

    KIND: ClassVar[str] = "ruleset"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"content"})  # the whole pack is in the portal's own event

    name: dict[str, str] = {}
    pack_version: int = 0
    sha256: str = ""
    content: dict[str, Any] = {}
    warnings: list[str] = []
    problems: list[str] = []

    def programme_id(self) -> str | None:
        return self.id

    def rules(self) -> RuleSet:
        """Return the rules in force."""
        return RuleSet.model_validate(self.content)

    def adopt(
        self, rules: RuleSet, *, name: dict[str, str], pack_version: int, sha256: str, warnings: list[str]
    ) -> None:
        """Put a pack's rules in force."""
        self.content, self.name = rules.model_dump(mode="json"), name
        self.pack_version, self.sha256 = pack_version, sha256
        self.warnings, self.problems = warnings, []
        self.record(
            RuleSetAdopted(
                programme_id=self.id,
                pack_version=pack_version,
                sha256=sha256,
                rules=len(rules.rules),
                letters=len(rules.letters),
                warnings=warnings,
            )
        )

    def refuse(self, problems: list[str], *, pack_version: int, sha256: str) -> None:
        """Keep the rules that are in force, and say why the new ones are not."""
        self.problems = problems
        self.record(RuleSetRefused(programme_id=self.id, pack_version=pack_version, sha256=sha256, problems=problems))
