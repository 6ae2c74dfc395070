"""A BSO grant: from the open call to an agreement that both sides accepted by its hash."""

from __future__ import annotations

import hashlib
from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story.text import ANSWERS, BUDGET, LIST, MILESTONES, SCREENED, STARTED, day

CALL = "bso-grants-2026"


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

    def review_of(self, key: str) -> dict[str, Any]:
        """Return somebody's own review of the case."""
        items = self.stage.get(key, "/grants/api/reviews")["items"]
        return next(item for item in items if item["reference"] == self.reference)


def tell(stage: Stage) -> Grant:
    """Act the grant up to its agreement and return it."""
    stage.chapter = "BSO grant: call to agreement"
    grant = Grant(stage)
    _list(stage)
    _apply(grant)
    _screen(grant)
    _review(grant)
    _rank(grant)
    _decide(grant)
    _agree(grant)
    return grant


def _list(stage: Stage) -> None:
    lists = stage.get("officer", "/grants/api/exclusion-lists")
    if any(item["id"] == SCREENED for item in lists):
        return  # of an earlier telling
    about = {"list": SCREENED, "name": "Debarred firms (demonstration)", "source": "example.org", "dated": day(-1)}
    columns = {"column_name": "name", "column_number": "number", "column_aliases": "also", "column_note": "why"}
    fields = about | columns
    stage.send(
        "officer",
        "imports a list of debarred firms",
        "/grants/api/exclusion-lists",
        ("list.csv", LIST.encode()),
        **fields,
    )


def _apply(grant: Grant) -> None:
    stage = grant.stage
    draft = stage.act("applicant", "starts a draft", "POST", "/grants/api/applications", json={"call": CALL})
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
    _assess(grant)
    _check(grant, "due-diligence", items)
    _check(grant, "due-diligence", ("risk",), answer="low")


def _assess(grant: Grant) -> None:
    """Assess the chamber's capacity, on which a point of due diligence stands."""
    path = f"{grant.path}/capacity"
    asked = grant.stage.get("officer", path)["questions"]["questions"]
    answers = {item["id"]: {"option": item["options"][0]["id"], "note": "Seen in the file"} for item in asked}
    whole = {"answers": answers, "finish": True}
    grant.stage.act("officer", "assesses the chamber's capacity", "PUT", path, json=whole)


def _clear(grant: Grant) -> None:
    """Clear the namesake on the list, which holds the case until a person has looked."""
    grant.move("officer", "starts reviews beside an open hit: refused", "start-review", expect=409)
    path = f"{grant.path}/screening"
    for hit in grant.stage.get("officer", path)["hits"]:
        version = grant.stage.get("officer", path)["version"]
        body = {"same": False, "reason": "Another registration number and another town", "version": version}
        what = f"clears {hit['entry']}, {hit['score']} % alike"
        grant.stage.act("officer", what, "POST", f"{path}/hits/{hit['number']}", json=body)


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
    _clear(grant)
    grant.move("officer", "sends it to review", "start-review")
    conflicted = grant.review_of("reviewer_three")
    scores = {"version": conflicted["version"], "scores": {}, "summary": "", "submit": False}
    path = f"/grants/api/reviews/{conflicted['id']}"
    stage.act("reviewer_three", "scores in spite of a conflict: refused", "PUT", path, expect=403, json=scores)
    for key, points in (("reviewer_one", 5), ("reviewer_two", 3)):
        review = grant.review_of(key)
        body = {"conflict": False, "nature": "", "version": review["version"]}
        stage.act(key, "declares no conflict", "POST", f"/grants/api/reviews/{review['id']}/declaration", json=body)
        _score(grant, key, points)
    grant.move("officer", "passes on scores 40 points apart: refused", "finish-review", expect=409)
    body = {"outcome": "discussed", "note": "They differ on the price; both would fund it."}
    stage.act("officer", "moderates the scores", "POST", f"{grant.path}/moderation", json=body)
    grant.move("officer", "sends it to the panel", "finish-review")


def _score(grant: Grant, key: str, points: int) -> None:
    review = grant.review_of(key)
    criteria = ("relevance", "design", "capacity", "sustainability", "value")
    body = {
        "scores": {name: {"points": points, "comment": "Well argued in the form."} for name in criteria},
        "summary": "A real need, a feasible course.",
        "recommendation": "fund",
        "submit": True,
        "version": review["version"],
    }
    grant.stage.act(key, "scores and hands the review in", "PUT", f"/grants/api/reviews/{review['id']}", json=body)


def _rank(grant: Grant) -> None:
    """Let the panel rank what waits for it, and carry its frozen record out."""
    stage = grant.stage
    where = {"programme": "business-ecosystem", "call": CALL}
    panel = stage.act("officer", "opens a panel", "POST", "/grants/api/panels", json=where)
    path = f"/grants/api/panels/{panel['id']}"
    lines = stage.get("officer", path)["ranking"]["lines"]
    beside = {"outcome": "reserve", "reason_code": "no-money-left"}
    proposals = {line["candidate"]["reference"]: beside for line in lines} | {grant.reference: {"outcome": "fund"}}
    there = [{"user": stage.people[key].user_id} for key in ("officer", "reviewer_one", "reviewer_three")]
    body = {"members": there, "minutes": "Rank by rank.", "proposals": proposals, "version": panel["version"]}
    panel = stage.act("officer", "writes down who is there and what is proposed", "PUT", path, json=body)
    body = {"version": panel["version"]}
    panel = stage.act("officer", "freezes the record of the panel", "POST", f"{path}/freeze", json=body)
    proof = stage.act("auditor", "follows the ranking from the scores", "GET", f"{path}/record")
    if not (proof["hash_holds"] and proof["ranking_follows"]):
        raise DemoError("the panel's record does not follow from its scores")
    body = {"version": panel["version"]}
    # A plan changes no case and is no act on the record; that it is started is one.
    plan = stage.people["officer"].call("POST", f"{path}/carrying-out", json=body).json()
    body = {"version": plan["version"]}
    stage.act("officer", "carries the record out", "POST", f"/grants/api/bulk/{plan['id']}/start", json=body)
    stage.wait(lambda: stage.get("officer", grant.path)["stage"] == "recommended", "the panel's recommendation")


def _decide(grant: Grant) -> None:
    """Decide: above 45,000 three people sign, an officer, finance, and the manager by approving."""
    grant.move("officer", "approves what the panel's record recommends: refused", "approve", expect=409)
    grant.move("manager", "approves before the others signed: refused", "approve", expect=409)
    for key, what in (("officer_two", "signs first"), ("finance", "signs for finance")):
        body = {"version": grant.version(key), "comment": "Within the budget of the call"}
        grant.stage.act(key, what, "POST", f"{grant.path}/decision/approvals", json=body)
    grant.move("manager", "approves within her authority", "approve")


def _agree(grant: Grant) -> None:
    stage = grant.stage
    body = {"milestones": MILESTONES, "conditions": "A report for each quarter.", "version": grant.version("officer")}
    days = {"starts_on": day(STARTED), "ends_on": day()}
    award = stage.act("officer", "draws up the agreement", "POST", f"{grant.path}/award", json=body | days)
    content = stage.read("applicant", "opens the agreement's PDF", f"{grant.path}/award/versions/1/document")
    digest = hashlib.sha256(content).hexdigest()
    if digest != award["sha256"]:
        raise DemoError("the agreement's document is not the one of its hash")
    path = f"{grant.path}/award/acceptance"
    other = {"agreement_version": 1, "sha256": "0" * 64}
    stage.act("manager", "accepts another text: refused", "POST", path, expect=409, json=other)
    for key in ("manager", "applicant"):
        body = {"agreement_version": 1, "sha256": digest}
        stage.act(key, f"accepts the agreement by its hash {digest[:8]}…", "POST", path, json=body)
