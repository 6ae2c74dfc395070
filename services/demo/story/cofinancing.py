"""Lead-firm co-financing of workforce development: 60 : 40, matched releases, and one that was too large."""

from __future__ import annotations

from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story import payee
from services.demo.story.text import day, euro


class CoFinancing:
    """The lead firm's case on the stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reference = ""

    @property
    def path(self) -> str:
        """Return the case's address."""
        return f"/grants/api/cofinancing/{self.reference}"

    def version(self, key: str) -> int:
        """Return the version that a person's page shows."""
        return int(self.stage.get(key, self.path)["version"])

    def act(self, key: str, what: str, act: str, *, expect: int | None = None, **body: Any) -> Any:
        """Do something to the case as somebody who has just looked at it."""
        content = {"version": self.version(key), **body}
        return self.stage.act(key, what, "POST", f"{self.path}/{act}", expect=expect, json=content)

    def contribute(self, amount: str, number: int, **more: Any) -> None:
        """Let the firm enter a contribution with its evidence, and an officer verify it."""
        facts = {"form": "cash", "given_on": day(), "description": "Trainers' pay", "claimed": euro(amount)} | more
        kinds = ("timesheet", "payroll") if facts["form"] == "in_kind" else ("invoice",)
        words = "in kind" if facts["form"] == "in_kind" else "in cash"
        self.act("lead_firm", f"enters {amount} {words}", "contributions", **facts)
        path = f"{self.path}/contributions/{number}/evidence"
        for kind in kinds:
            about = {"kind": kind, "version": str(self.version("lead_firm"))}
            self.stage.upload("lead_firm", f"puts the {kind} behind it", path, f"{kind}-{number}.pdf", **about)
        decision = f"contributions/{number}/decision"
        self.act("officer", f"verifies contribution {number}", decision, good=True, note="Compared with the papers")

    def release(self, amount: str, number: int) -> None:
        """Let one finance officer ask and another release."""
        self.act("finance", f"asks for a release of {amount}", "releases", amount=euro(amount))
        self.act("finance_two", f"releases {amount}", f"releases/{number}/decision", good=True)


def tell(stage: Stage) -> str:
    """Act the co-financing and return its reference."""
    stage.chapter = "Lead-firm co-financing"
    case = CoFinancing(stage)
    _agree(case)
    payee.tell(stage, "lead_firm", "MK07300000000042425")
    case.contribute("30000", 1)
    case.release("40000", 1)
    refused = case.act("finance", "asks for 10,000 more: refused", "releases", expect=409, amount=euro("10000"))
    if refused["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1] != "match-too-small":
        raise DemoError(f"the release was refused for another reason: {refused}")
    staff = {"hours": "400", "rate": "6.50", "fringe_percent": "22"}
    case.contribute("3172", 2, form="in_kind", basis="staff_time", description="Masters' hours", valuation=staff)
    case.contribute("6000", 3)
    case.release("10000", 2)
    return case.reference


def _agree(case: CoFinancing) -> None:
    concept = {
        "programme": "business-ecosystem",
        "kind": "workforce_development",
        "title": "Cable assembly school",
        "summary": "Ninety people trained at the plant, sixty of them hired by its suppliers.",
        "planned": euro("100000"),
    }
    made = case.stage.act("lead_firm", "writes a concept", "POST", "/grants/api/cofinancing", json=concept)
    case.reference = made["reference"]
    case.act("lead_firm", "sends the concept", "moves", transition="propose")
    case.act("officer", "settles the shares, 60 : 40", "terms", total=euro("100000"), in_kind=euro("10000"))
    case.act("officer", "draws up the agreement", "moves", transition="offer-agreement")
    case.act("manager", "accepts for the programme", "moves", transition="approve-agreement")
    case.act("lead_firm", "accepts the agreement", "moves", transition="accept-agreement")
