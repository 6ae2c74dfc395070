"""A start-up grant of the second programme: other stages, other people, another currency, the same house."""

from __future__ import annotations

from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story.grant import Grant
from services.demo.story.text import BAI_ALAI, START_UP, day, som


def tell(stage: Stage) -> str:
    """Act the start-up grant to its agreement and return its reference."""
    stage.chapter = "Bai Alai: a start-up grant in som"
    grant = Grant(stage)
    _apply(grant)
    _decide(grant)
    _agree(grant)
    return grant.reference


def _apply(grant: Grant) -> None:
    stage, call = grant.stage, {"call": "start-ups-2026"}
    draft = stage.act("start_up", "starts a draft", "POST", "/grants/api/applications", json=call)
    grant.reference = draft["reference"]
    line = {"line": "equipment", "note": "Felting machine", "grant": som("180000"), "own": som("20000")}
    body = {"title": "Felt slippers", "answers": START_UP, "budget": [line], "version": draft["version"]}
    stage.act("start_up", "fills the form", "PUT", f"{grant.path}/answers", json=body)
    stage.upload("start_up", "uploads her patent", f"{grant.path}/documents", "patent.pdf", kind="registration")
    grant.move("start_up", "sends it", "submit")


def _decide(grant: Grant) -> None:
    stage = grant.stage
    for item in ("identity", "visit"):
        body: dict[str, Any] = {"checklist": "start-up-check", "item": item, "answer": "yes", "note": "Called her"}
        version = {"version": grant.version("field_officer")}
        stage.act("field_officer", f"checks {item}", "POST", f"{grant.path}/checks", json=body | version)
    body = {"reviewers": [stage.people["mentor"].user_id], "version": grant.version("field_officer")}
    stage.act("field_officer", "asks the mentor", "POST", f"{grant.path}/reviews", json=body)
    grant.move("field_officer", "passes it on", "pass-on")
    review = grant.review_of("mentor")
    body = {"conflict": False, "nature": "", "version": review["version"]}
    path = f"/grants/api/reviews/{review['id']}"
    review = stage.act("mentor", "declares no conflict", "POST", f"{path}/declaration", json=body)
    scores = {name: {"points": 7, "comment": "She sells already."} for name in ("idea", "person", "place")}
    about = {"summary": "She can do it.", "recommendation": "fund", "submit": True, "version": review["version"]}
    stage.act("mentor", "scores it", "PUT", path, json={"scores": scores, **about})
    grant.move("field_officer", "puts it to decision", "put-to-decision")
    grant.move("field_officer", "grants it himself: refused", "approve", expect=409)
    grant.move("coordinator", "grants it", "approve")


def _agree(grant: Grant) -> None:
    stage = grant.stage
    plan = [
        {"title": title, "due": day(ahead, BAI_ALAI), "amount": som(amount)}
        for title, ahead, amount in (("Equipment bought", 60, "126000"), ("First sales", 180, "54000"))
    ]
    body = {"milestones": plan, "conditions": "", "version": grant.version("field_officer")}
    award = stage.act("field_officer", "draws up the agreement", "POST", f"{grant.path}/award", json=body)
    for key in ("coordinator", "start_up"):
        body = {"agreement_version": 1, "sha256": award["sha256"]}
        stage.act(key, "accepts the agreement", "POST", f"{grant.path}/award/acceptance", json=body)
    stage.act("officer", "opens a case of the other programme: not found", "GET", grant.path, expect=404)
    if award["amount"]["currency"] != "KGS":
        raise DemoError(f"the start-up grant is in {award['amount']['currency']}")
