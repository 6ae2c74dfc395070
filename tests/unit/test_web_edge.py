"""The edge that every service's app has: who may come in, what a body must be, and how refusals are told."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from shared.engine import UnansweredCommitError
from shared.errors import IllegalTransitionError, NotFoundError, StaleVersionError
from shared.telemetry import name_trace
from shared.testing.language import word
from shared.testing.web import CSRF, KEY, ORIGIN, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.csrf import masked, token_matches
from shared.web.dependencies import Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import HEADER, sign
from shared.web.pages import render
from shared.web.policy import Policy
from shared.web.static import assets, static_url

READ, MOVE = [allowed("portal.case.read")], [allowed("portal.case.move")]
router = APIRouter()


class Move(FormModel):
    """A form."""

    amount: int
    note: str = ""


class JsonMove(BaseModel):
    """The same for machines."""

    model_config = ConfigDict(extra="forbid")
    amount: int


@router.get("/case/{reference}", dependencies=READ)
def case(request: Request, reference: str, who: Who) -> HTMLResponse:
    del reference
    return render(request, "error.html", problem=NotFoundError("x"), text=f"<b>{who.name}</b>")


@router.post("/case/{reference}", dependencies=MOVE)
def move(reference: str, form: Annotated[Move, Form()]) -> RedirectResponse:
    return RedirectResponse(f"/case/{reference}?amount={form.amount}", 303)


@router.post("/file", dependencies=MOVE)
def upload(file: Annotated[UploadFile, File()], csrf: Annotated[str, Form()]) -> dict[str, Any]:
    del csrf
    return {"size": len(file.file.read())}


@router.post("/api/moves", dependencies=MOVE)
def api_move(body: JsonMove) -> dict[str, int]:
    return {"amount": body.amount}


@router.get("/stale", dependencies=READ)
def stale() -> None:
    raise StaleVersionError(
        expected=3,
        current=4,
        by="Dana Kuzmina",
        at=datetime(2026, 11, 21, 14, 2, tzinfo=UTC),
        changes={"amount": ["50000.00", "45000.00"]},
    )


@router.get("/illegal", dependencies=READ)
def illegal() -> None:
    raise IllegalTransitionError("award", "review", ["ask", "return"], ["needs 2 reviews, has 1"])


@router.get("/bug", dependencies=READ)
def bug() -> None:
    raise ZeroDivisionError("the secret is 42")


@router.get("/unanswered", dependencies=READ)
@router.post("/unanswered", dependencies=MOVE)
def unanswered() -> None:
    raise UnansweredCommitError("COMMIT", None, Exception("the line broke"))


@router.get("/dark", dependencies=READ)
def dark() -> None:
    raise OperationalError("SELECT 1", {}, Exception("password of the database"))


APP = create_service_app(
    service="portal",
    engine=None,
    policy=Policy({"portal.case.read": {"officer": "all", "auditor": "all"}, "portal.case.move": {"officer": "all"}}),
    routers=[router],
    templates=Path("services/portal/templates"),
    settings=web_settings(),
    key=KEY,
)
OFFICER = Browser(APP, person("officer"))
CROSS = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "http://other.example"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.mark.english
@pytest.mark.parametrize("headers", CROSS)
def test_another_site_cant_post_even_with_the_token(headers: dict[str, str]) -> None:
    """A form sent by a page of another site does nothing, whatever it carries."""
    answer = OFFICER.post("/case/A-1", {"amount": "5"}, headers=headers)
    assert answer.status_code == 403
    assert "made by another site" in answer.text


def test_an_origin_decides_where_the_browser_says_nothing_else() -> None:
    """An old browser without Sec-Fetch-Site is judged by its Origin."""
    headers = {HEADER: sign(person("officer"), KEY), "origin": "https://evil.example"}
    answer = OFFICER.send("POST", "/case/A-1", data={"amount": "5", "csrf": CSRF}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "guess", CSRF[:-1], CSRF + "x", "ж", "A" * 5000])
def test_a_form_needs_the_token_of_the_session(token: str) -> None:
    """Without the session's own token a form does nothing."""
    assert OFFICER.post("/case/A-1", {"amount": "5", "csrf": token}).status_code == 403


def test_the_token_counts_plain_and_masked() -> None:
    """The token is good as it is and under any mask; masks differ each time."""
    assert masked(CSRF) != masked(CSRF)
    assert token_matches(masked(CSRF), CSRF)
    assert not token_matches(masked("another"), CSRF)
    assert not token_matches("", "")
    answer = OFFICER.post("/case/A-1", {"amount": "5", "csrf": masked(CSRF)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/case/A-1?amount=5")


def test_json_in_plain_text_is_no_way_around() -> None:
    """JSON under a content type that another site may send is refused, and so is JSON without any origin."""
    body = b'{"amount": 1}'
    plain = OFFICER.send("POST", "/api/moves", content=body, headers=OFFICER._headers({"content-type": "text/plain"}))
    assert plain.status_code == 415
    bare = {HEADER: sign(person("officer"), KEY), "content-type": "application/json"}
    assert OFFICER.send("POST", "/api/moves", content=body, headers=bare).status_code == 403
    assert OFFICER.send("POST", "/api/moves", content=body, headers=bare | {"x-csrf-token": CSRF}).status_code == 200
    assert OFFICER.json("POST", "/api/moves", {"amount": 1}).json() == {"amount": 1}


def test_a_key_needs_no_token() -> None:
    """A program with an API key is no browser: it has no token and needs none."""
    program = Browser(APP, person("officer", csrf=""))
    assert program.json("POST", "/api/moves", {"amount": 1}, headers={"sec-fetch-site": "none"}).status_code == 200


def test_a_stranger_is_sent_to_sign_in_and_back() -> None:
    """Pages lead to the sign-in form and back; the API says 401."""
    assert Browser(APP).get("/case/A-1?tab=2").headers["location"] == "/sign-in?next=/case/A-1%3Ftab%3D2"
    answer = Browser(APP).json("GET", "/api/openapi.json")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:tamga:problem:not-signed-in")


def test_a_session_that_ends_mid_form_leads_back_to_the_form() -> None:
    """A form sent after the session ended leads to sign-in, says so, and comes back to the form's page."""
    answer = Browser(APP).post("/case/A-1", {"amount": "5"}, headers={"referer": f"{ORIGIN}/case/A-1/edit"})
    assert answer.headers["location"] == "/sign-in?ended=form&next=/case/A-1/edit"
    evil = Browser(APP).post("/case/A-1", {"amount": "5"}, headers={"referer": "https://evil.example//x"})
    assert evil.headers["location"] == "/sign-in?ended=form&next=/"


def test_a_role_that_may_not_is_refused() -> None:
    """What the policy does not allow for any of a person's roles is 403, also with everything else right."""
    assert Browser(APP, person("auditor")).post("/case/A-1", {"amount": "5"}).status_code == 403
    assert Browser(APP, person("applicant")).get("/case/A-1").status_code == 403


@pytest.mark.parametrize(
    ("form", "field"),
    [({}, "amount"), ({"amount": "many"}, "amount"), ({"amount": "1", "approved_by": "me"}, "approved_by")],
)
def test_a_wrong_form_names_the_field_and_the_rule(form: dict[str, str], field: str) -> None:
    """Missing, mistyped and unknown fields are 422 and named, on a page and as JSON."""
    page = OFFICER.post("/case/A-1", form)
    assert page.status_code == 422
    assert f"<b>{field}</b>" in page.text
    answer = OFFICER.json("POST", "/api/moves", form)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} >= {field}
    assert all(error["rule"] for error in answer.json()["errors"])


@pytest.mark.parametrize("text", ["a\x00b", "\x00"])
def test_nul_characters_are_refused_by_name(text: str) -> None:
    """PostgreSQL can't store NUL: forms, file names, JSON, paths and queries with it are 422."""
    assert "NUL" in OFFICER.post("/case/A-1", {"amount": "1", "note": text}).text
    answer = OFFICER.json("POST", "/api/moves", {"amount": 1, "deep": [{"note": text}]})
    assert answer.json()["errors"] == [
        {"field": "deep.0.note", "rule": word("portal", "must not have a NUL character")}
    ]
    assert OFFICER.json("POST", "/api/moves", {text: 1}).status_code == 422
    assert OFFICER.get("/case/A%00").status_code == 422
    assert OFFICER.get("/case/A?x=%00").status_code == 422


def test_broken_characters_and_broken_json_are_refused() -> None:
    """Half a surrogate pair, broken JSON and bottomless JSON are bad input and never a crash."""
    headers = OFFICER._headers({"content-type": "application/json", "accept": "application/json"})
    for body in (b'{"amount": "\\ud800"}', b"{", b"[" * 100_000, b"\xff\xfe", b"NaN,"):
        answer = OFFICER.send("POST", "/api/moves", content=body, headers=headers)
        assert answer.status_code in (400, 422), body[:20]
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.english
def test_a_body_over_the_limit_is_refused() -> None:
    """More than 10 MB is 413, whether announced or just sent."""
    announced = OFFICER.post("/file", files={"file": ("a.bin", b"x" * (10 * 1024 * 1024 + 1))})
    assert announced.status_code == 413
    assert "larger than 10 MB" in announced.text

    async def stream() -> Any:
        for _ in range(11):
            yield b"x" * 1024 * 1024

    headers = OFFICER._headers({"content-type": "application/json"})
    assert OFFICER.send("POST", "/api/moves", content=stream(), headers=headers).status_code == 413
    assert OFFICER.post("/file", files={"file": ("a.bin", b"x" * 5_000_000)}).json() == {"size": 5_000_000}


def test_refusals_are_problem_json_with_a_stable_type() -> None:
    """RFC 9457: type, title, status, detail, instance, and what the refusal knows more."""
    answer = OFFICER.json("GET", "/illegal")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["instance"].startswith("urn:uuid:")
    assert {name: problem[name] for name in ("type", "status", "legal", "stage", "blocked_by")} == {
        "type": "urn:tamga:problem:illegal-transition",
        "status": 409,
        "legal": ["ask", "return"],
        "stage": "review",
        "blocked_by": ["needs 2 reviews, has 1"],
    }
    assert "ask, return" in problem["detail"]


def test_a_stale_page_says_who_changed_what_and_when() -> None:
    """The page of a stale write names the person, the moment, and old and new."""
    page = OFFICER.get("/stale")
    assert page.status_code == 409
    for part in ("Dana Kuzmina", "2026-11-21 14:02:00 UTC", "<del>50000.00</del>", "<ins>45000.00</ins>"):
        assert part in page.text


def test_an_illegal_move_names_the_legal_ones() -> None:
    """The page of an illegal move lists what is possible instead."""
    assert "<li>ask</li><li>return</li>" in OFFICER.get("/illegal").text


@pytest.mark.parametrize(("path", "status"), [("/bug", 500), ("/dark", 503)])
def test_our_own_failures_tell_nothing_of_their_inside(path: str, status: int) -> None:
    """A bug is 500 and a missing database 503; neither shows what went wrong inside."""
    for answer in (OFFICER.get(path), OFFICER.json("GET", path)):
        assert answer.status_code == status
        assert "secret" not in answer.text
        assert "password" not in answer.text
        assert "Traceback" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.english
def test_an_act_without_an_answer_is_not_called_undone() -> None:
    """Who acted is sent to look first, and no machine is told to try again; who only looked has changed nothing."""
    page, problem = OFFICER.post("/unanswered"), OFFICER.json("POST", "/unanswered")
    assert (page.status_code, problem.status_code) == (503, 503)
    assert "It is not known whether this was saved" in page.text
    assert "Look before doing it again" in page.text
    assert problem.json()["type"] == "urn:tamga:problem:outcome-unknown"
    assert not any("retry-after" in answer.headers for answer in (page, problem))
    looked = OFFICER.get("/unanswered")
    assert "Nothing was changed" in looked.text
    assert looked.headers["retry-after"] == "5"


def test_a_line_of_the_log_names_the_request_s_trace() -> None:
    """What is logged while a request is answered has the caller's trace and the number that the answer shows."""
    with capture_logs([name_trace]) as lines:
        answer = OFFICER.get("/bug", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    [line] = [line for line in lines if line["event"] == "the request failed"]
    assert (line["trace_id"], line["correlation_id"]) == ("a" * 32, answer.headers["x-correlation-id"])


@pytest.mark.parametrize("path", ["/case/A-1", "/nowhere", "/bug", "/stale", "/health", "/static/x/none.css", "/api/x"])
def test_every_answer_has_the_security_headers(path: str) -> None:
    """Pages, refusals, crashes and JSON: all carry the policy of what a browser may do with them."""
    headers = OFFICER.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; object-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "x-correlation-id" in headers
    if not path.startswith("/static/"):
        assert headers["cache-control"] == "no-store"


def test_names_are_escaped_on_pages() -> None:
    """Markup in what a page shows is text."""
    assert "&lt;b&gt;" in OFFICER.get("/case/A-1").text


def test_a_part_of_a_page_gets_its_refusal_as_a_part() -> None:
    """A fragment asked for by script gets a small note with the status, not a whole page in its place."""
    answer = OFFICER.get("/stale", headers={"hx-request": "true", "hx-request-type": "partial"})
    assert answer.status_code == 409
    assert "<html" not in answer.text


def test_static_files_are_cached_for_ever_under_their_hash() -> None:
    """The address carries the content's hash; only that exact address may be cached for ever."""
    url = static_url("tamga.css")
    answer = Browser(APP).get(url)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == assets()["tamga.css"].body
    assert gzip.decompress(assets()["tamga.css"].packed) == assets()["tamga.css"].body
    assert Browser(APP).get("/static/000000000000/tamga.css").headers["cache-control"] == "no-cache"
    for path in ("/static/../app.py", "/static/x/../../app.py", "/static/README.md", "/static/"):
        assert Browser(APP).get(path).status_code == 404


def test_health_without_a_database_is_503_and_tells_no_figures() -> None:
    """A service that can't reach its database says so to anybody, and nothing else."""
    unreachable = create_service_app(
        service="portal",
        engine=create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing", poolclass=NullPool),
        policy=Policy({}),
        routers=[],
        templates=Path("services/portal/templates"),
        settings=web_settings(),
        key=KEY,
    )
    answer = Browser(unreachable).get("/health")
    assert (answer.status_code, answer.json()) == (503, {"service": "portal", "database": "down"})
