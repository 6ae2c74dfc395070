"""A BSO grant: from the open call to the confirmed payment of the first tranche."""

from __future__ import annotations

from typing import Any

from services.demo.stage import Stage
from services.demo.story import payee
from services.demo.story.text import ANSWERS, BUDGET, MILESTONES, day


class Grant:
    """The chamber's application on the stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reference = ""

    @property
    def path(self) -> str:
        """Return the application's address."""
        return f"/grants/api/applications/{self.reference}"

    def version(self, key: str) -> int:
        """Return the version that a person's page shows."""
        return int(self.stage.get(key, self.path)["version"])

    def move(self, key: str, what: str, transition: str, *, expect: int | None = None, **more: Any) -> Any:
        """Make a move of the workflow as somebody who has just looked at the page."""
        body = {"transition": transition, "version": self.version(key), **more}
        return self.stage.act(key, what, "POST", f"{self.path}/moves", expect=expect, json=body)

    def award(self, key: str, what: str, act: str, *, expect: int | None = None, **more: Any) -> Any:
        """Do something to the award."""
        body = {"version": self.stage.get("officer", f"{self.path}/award")["version"], **more}
        return self.stage.act(key, what, "POST", f"{self.path}/award/{act}", expect=expect, json=body)


def tell(stage: Stage) -> str:
    """Act the grant and return its reference."""
    stage.chapter = "BSO grant"
    grant = Grant(stage)
    _apply(grant)
    _screen(grant)
    _review(grant)
    _decide(grant)
    _deliver(grant)
    return grant.reference


def _apply(grant: Grant) -> None:
    stage = grant.stage
    draft = stage.act(
        "applicant", "starts a draft", "POST", "/grants/api/applications", json={"call": "bso-grants-2026"}
    )
    grant.reference = draft["reference"]
    body = {"title": "Labour-force training service", "answers": ANSWERS, "budget": BUDGET, "version": draft["version"]}
    stage.act("applicant", "fills the form", "PUT", f"{grant.path}/answers", json=body)
    stage.act("applicant", "saves from a stale tab: refused", "PUT", f"{grant.path}/answers", expect=409, json=body)
    for kind, name in (("registration", "registration.pdf"), ("budget_quotes", "quotes.pdf")):
        stage.upload("applicant", f"uploads {name}", f"{grant.path}/documents", name, kind=kind)
    grant.move("applicant", "submits", "submit")


def _screen(grant: Grant) -> None:
    grant.move("officer", "approves at screening: refused", "approve", expect=409)
    grant.move("officer", "asks for information", "request-information", reason="Which member firms take part?")
    grant.move("applicant", "answers", "answer-information", comment="Four: their letters are attached to the quotes.")
    _check(grant, "eligibility", ("complete", "registered", "msme_services", "budget_adds_up", "no_arrears"))
    grant.move("officer", "passes screening", "pass-screening")
    items = ("sanctions", "owners", "accounts", "bank", "capacity", "double_funding", "references")
    _check(grant, "due-diligence", items)
    _check(grant, "due-diligence", ("risk",), answer="low")


def _check(grant: Grant, checklist: str, items: tuple[str, ...], answer: str = "yes") -> None:
    for item in items:
        body = {"checklist": checklist, "item": item, "answer": answer, "note": "Seen in the file"}
        body["version"] = str(grant.version("officer"))
        what = f"answers {checklist}: {item.replace('_', ' ')}"
        grant.stage.act("officer", what, "POST", f"{grant.path}/checks", json=body | {"version": int(body["version"])})


def _review(grant: Grant) -> None:
    stage = grant.stage
    people = [stage.people[key].user_id for key in ("reviewer_one", "reviewer_two", "reviewer_three")]
    body = {"reviewers": people, "version": grant.version("officer")}
    stage.act("officer", "asks three people for reviews", "POST", f"{grant.path}/reviews", json=body)
    grant.move("officer", "sends it to review", "start-review")
    conflicted = _review_of(grant, "reviewer_three")
    scores = {"version": conflicted["version"], "scores": {}, "summary": "", "submit": False}
    path = f"/grants/api/reviews/{conflicted['id']}"
    stage.act("reviewer_three", "scores in spite of a conflict: refused", "PUT", path, expect=403, json=scores)
    for key, points in (("reviewer_one", 4), ("reviewer_two", 3)):
        review = _review_of(grant, key)
        body = {"conflict": False, "nature": "", "version": review["version"]}
        stage.act(key, "declares no conflict", "POST", f"/grants/api/reviews/{review['id']}/declaration", json=body)
        _score(grant, key, points)
    grant.move("officer", "sends it to the panel", "finish-review")


def _review_of(grant: Grant, key: str) -> dict[str, Any]:
    items = grant.stage.get(key, "/grants/api/reviews")["items"]
    return next(item for item in items if item["reference"] == grant.reference)


def _score(grant: Grant, key: str, points: int) -> None:
    review = _review_of(grant, key)
    criteria = ("relevance", "design", "capacity", "sustainability", "value")
    body = {
        "scores": {name: {"points": points, "comment": "Well argued in the form."} for name in criteria},
        "summary": "A real need, a feasible course.",
        "recommendation": "fund",
        "submit": True,
        "version": review["version"],
    }
    grant.stage.act(key, "scores and hands the review in", "PUT", f"/grants/api/reviews/{review['id']}", json=body)


def _decide(grant: Grant) -> None:
    stage = grant.stage
    grant.move("officer", "recommends", "recommend", comment="Two reviews above the threshold")
    grant.move("officer", "approves what he recommended: refused", "approve", expect=409)
    grant.move("manager", "approves within her authority", "approve")
    body = {"milestones": MILESTONES, "conditions": "A report for each quarter.", "version": grant.version("officer")}
    stage.act("officer", "draws up the agreement", "POST", f"{grant.path}/award", json=body)
    for key in ("manager", "applicant"):
        path = f"{grant.path}/award/acceptance"
        stage.act(key, "accepts the agreement", "POST", path, json={"agreement_version": 1})


def _deliver(grant: Grant) -> None:
    stage = grant.stage
    path = f"{grant.path}/documents"
    document = stage.upload("applicant", "uploads the evidence", path, "attendance.pdf", kind="other")
    grant.award("applicant", "shows milestone 1", "milestones/1/evidence", document=document["id"])
    grant.award("finance", "requests tranche 1", "tranches/1/request")
    grant.award("finance_two", "releases it before the milestone: refused", "tranches/1/release", expect=409)
    grant.award("officer", "verifies milestone 1", "milestones/1/verification", good=True, note="Seen on site")
    grant.award("finance", "releases his own request: refused", "tranches/1/release", expect=403)
    grant.award("finance_two", "releases it to nobody's account: refused", "tranches/1/release", expect=409)
    payee.tell(stage, "applicant", "MK07250120000058984")
    grant.award("finance_two", "releases tranche 1", "tranches/1/release")
    facts: dict[str, Any] = {"payment_reference": "TR-2026-000117", "paid_on": day()}
    grant.award("finance", "confirms the payment", "tranches/1/payment", **facts)
