"""How a programme decides, as its pack states it (`decisions.yaml`): coded reasons, levels of approval, the panel.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model. Every
member has a default that changes nothing: a pack without the file decides as the workflow alone says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Rule
from shared.money import Money

Names = dict[str, str]
Outcome = Literal["fund", "fund_less", "reserve", "reject"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _named(names: Names) -> Names:
    if not names.get("en", "").strip():
        raise ValueError(Rule("must be named in English at least"))
    return names


def _once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    ids = [item.id for item in items]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(Rule("has “%(name)s” twice", name=name))
    return items


Named = Annotated[Names, AfterValidator(_named)]


class Reason(_Part):
    """Why a case is decided so: `name` is what staff choose, `says` what the applicant reads in their language.

    `moves` are the workflow's moves, and `outcomes` the panel's recommendations, that may give it.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    name: Named
    says: Named
    moves: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    words: Literal["optional", "required"] = "optional"


class Level(_Part):
    """One signature: who may give it, and above which amount it is needed (none: always)."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    name: Named
    roles: tuple[str, ...] = Field(min_length=1)
    above: Money | None = None

    def needed(self, amount: Money) -> bool:
        """Return whether this signature is needed for `amount`; another currency always needs it."""
        return self.above is None or self.above.currency != amount.currency or amount > self.above


class Approvals(_Part):
    """Who signs after the recommendation. The last level signs by making the move `approve` itself."""

    recommend: str = "recommend"
    approve: str = "approve"
    voided_by: tuple[str, ...] = ()
    levels: Annotated[tuple[Level, ...], AfterValidator(_once)] = ()

    def needed(self, amount: Money) -> list[Level]:
        """Return the levels that sign for `amount`, in their order."""
        return [level for level in self.levels if level.needed(amount)]


class PanelRules(_Part):
    """How the panel works: which stage it looks at, which moves carry out what it recommends, when scores differ."""

    stage: str = "panel"
    carried_out_by: dict[Outcome, str] = {"fund": "recommend", "fund_less": "recommend", "reject": "reject-at-panel"}
    spread: Decimal | None = None
    quorum: int = Field(default=1, ge=1, le=50)


class DecisionRules(_Part):
    """The whole file. `coded` are moves that are never made without a coded reason."""

    reasons: Annotated[tuple[Reason, ...], AfterValidator(_once)] = ()
    coded: tuple[str, ...] = ()
    approvals: Approvals = Approvals()
    panel: PanelRules = PanelRules()

    def reasons_for(self, move: str) -> list[Reason]:
        """Return the reasons that a move may give."""
        return [reason for reason in self.reasons if move in reason.moves]

    def reasons_of(self, outcome: str) -> list[Reason]:
        """Return the reasons that a recommendation of the panel may give."""
        return [reason for reason in self.reasons if outcome in reason.outcomes]

    def reason(self, code: str) -> Reason | None:
        """Return the reason of that code."""
        return next((reason for reason in self.reasons if reason.id == code), None)

    def misfits(self, flows: Collection[Mapping[str, Any]], languages: Collection[str] = ("en",)) -> dict[str, str]:
        """Return {field: rule} of what names a move that no workflow has, or is missing in one of the languages."""
        known = {str(move.get("id")) for flow in flows for move in flow.get("transitions", ())}
        named = {f"reasons.{i}.moves": item.moves for i, item in enumerate(self.reasons)}
        named |= {"coded": self.coded, "panel.carried_out_by": tuple(self.panel.carried_out_by.values())}
        named |= {"approvals.voided_by": self.approvals.voided_by}
        named |= {"approvals": (self.approvals.recommend, self.approvals.approve)} if self.approvals.levels else {}
        unknown = ((field, move) for field, moves in named.items() for move in moves if move not in known)
        wrong: dict[str, str] = {
            field: Rule("names “%(name)s”, which no workflow has as a move", name=move) for field, move in unknown
        }
        for i, item in enumerate(self.reasons):
            wrong |= self._misfit(f"reasons.{i}", item, languages)
        for move in self.coded:
            if not self.reasons_for(move):
                wrong["coded"] = Rule("“%(name)s” asks for a coded reason, and there is none for it", name=move)
        return wrong

    def _misfit(self, field: str, item: Reason, languages: Collection[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        if unsaid := [language for language in languages if language not in item.says or language not in item.name]:
            found[field] = Rule("is not said in “%(language)s”", language=unsaid[0])
        carried = self.panel.carried_out_by.get("reject")
        if "reject" in item.outcomes and carried and carried not in item.moves:
            found[f"{field}.moves"] = Rule("lacks “%(name)s”, by which the panel rejects", name=carried)
        return found


def decision_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"decisions.yaml: <field>": rule} of what is wrong with how a pack decides."""
    if "decisions" not in pack:
        return {}
    flows = pack.get("workflows")
    known = [flow for flow in flows.values() if isinstance(flow, Mapping)] if isinstance(flows, Mapping) else []
    facts = pack.get("programme")
    settings = facts.get("settings", {}) if isinstance(facts, Mapping) else {}
    languages = settings.get("languages", ["en"]) if isinstance(settings, Mapping) else ["en"]
    try:
        rules = DecisionRules.model_validate(pack["decisions"])
    except ValidationError as error:
        wrong = {".".join(map(str, item["loc"])) or "file": _rule(item) for item in error.errors()}
    else:
        wrong = rules.misfits(known, languages)
    return {f"decisions.yaml: {field}": rule for field, rule in wrong.items()}


def _rule(error: Any) -> str:
    ours = error.get("ctx", {}).get("error")
    return next((word for word in ours.args if isinstance(word, Rule)), str(ours)) if ours else str(error["msg"])
