"""The log's pages and API on a real database: who sees what, what is found, what a look leaves behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from audit_log import GORAN, MORNING, act, body, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.note import Verifier, open_checkpoint
from shared.events import Actor
from shared.messaging import quarantine
from shared.messaging.wire import encode
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

CASE = "BSO-2026-0041"
SUBMITTED, REFUSED, LETTER, LOAN = (UUID(int=n) for n in range(1, 5))
SYSTEM = Actor(id="service:notifications", kind="system", name="notifications")
EVIL = '<script>alert("x")</script>'


def story() -> list[Any]:
    """Return a few acts of three services around one case, and one of another programme."""
    other = {"programme": "other-programme", "case": "LN-2026-0001"}
    return [
        act(1, id=SUBMITTED, case=CASE),
        act(
            2, id=REFUSED, type="grants.attempt.refused", case=CASE, outcome="refused",
            body=body(GORAN, action="grants.tranche.release", target=CASE, problem="conflict", detail="38 % < 50 %"),
        ),
        act(
            1, id=LETTER, source="notifications", type="notifications.delivery.sent", case=CASE, causation_id=SUBMITTED,
            time=MORNING + timedelta(days=2), body=body(SYSTEM, letter="Thank you"),
        ),
        act(1, id=LOAN, source="loans", type="loans.loan.agreed", entity="loan:LN-2026-0001", **other,
            body=body(Actor(id="user:lazar", name=EVIL, role="finance_partner", organisation="bank-one"), title="x")),
    ]  # fmt: skip


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log with the story in it."""
    engine = stand.database("audit")
    take_in(engine, story())
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log."""
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


@pytest.fixture
def auditor(app: FastAPI) -> Browser:
    """Give an auditor's browser."""
    return Browser(app, person("auditor"))


def recorded(engine: Engine) -> list[tuple[str, Any]]:
    """Return what the pages themselves recorded: (type, data)."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT type, body -> 'data' FROM outbox ORDER BY \"row\""))
        return [(row[0], row[1]) for row in rows]


def found(browser: Browser, query: str) -> set[UUID]:
    """Return the events that a search finds."""
    answer = browser.json("GET", f"/api/search?{query}")
    assert answer.status_code == 200, answer.text
    return {UUID(item["event_id"]) for item in answer.json()["items"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {SUBMITTED, REFUSED, LETTER, LOAN}),
        ("person=ristov", {REFUSED}),
        ("person=user:ana", {SUBMITTED}),
        ("person=ana", {SUBMITTED}),
        ("person=nobody", set()),
        (f"case={CASE.lower()}", {SUBMITTED, REFUSED, LETTER}),
        ("kind=grants.", {SUBMITTED, REFUSED}),
        ("kind=loans.loan.agreed", {LOAN}),
        ("organisation=bank-one", {LOAN}),
        ("outcome=refused", {REFUSED}),
        ("role=officer", {REFUSED}),
        ("programme=other-programme", {LOAN}),
        ("since=2026-11-03", {LETTER}),
        ("since=2026-11-02&until=2026-11-02", {SUBMITTED, REFUSED, LOAN}),
        ("since=2026-11-02T08:02:00Z&until=2026-11-03", {REFUSED}),
        ("service=loans", {LOAN}),
        ("entity=loan", {LOAN}),
        ("entity=loan:LN-2026-0001", {LOAN}),
        ("q=valley", {SUBMITTED}),
        (f"q=kind:grants.*+case:{CASE}+role:officer", {REFUSED}),
        ("q=valley+person:%22Ana+P%22+since:2026-11-02", {SUBMITTED}),
        ("q=%22thank+you%22", {LETTER}),
        ("q=valley+-crafts", set()),
        ("q=%27%3B+DROP+TABLE+event%3B--", set()),
    ],
)
def test_search_finds_by_every_filter(auditor: Browser, query: str, expected: set[UUID]) -> None:
    """Person, case, kind, organisation, outcome, role, programme, time and words each narrow the list down."""
    assert found(auditor, query) == expected


def test_a_list_goes_on_where_it_ended(engine: Engine, auditor: Browser) -> None:
    """Pages follow one another without overlap although new entries arrive meanwhile."""
    take_in(engine, [act(n) for n in range(100, 220)])
    seen: list[int] = []
    cursor = ""
    while True:
        answer = auditor.json("GET", f"/api/search?cursor={cursor}").json()
        seen += [item["leaf_index"] for item in answer["items"]]
        take_in(engine, [act(1000 + len(seen))])
        if not (cursor := answer["next"]):
            break
    assert seen == sorted(seen, reverse=True)
    assert seen == list(range(123, -1, -1))


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "q=" + "x" * 1001, "cursor=!!", "cursor=WyJ4IiwxXQ", "until=0000-00-00"],
)
def test_bad_filters_are_refused_by_name(auditor: Browser, query: str) -> None:
    """A filter that is no date, too long, or a made-up cursor gets 422 naming the field."""
    answer = auditor.json("GET", f"/api/search?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "cursor=WyJ4Il0", "case=%F0%9F%98%80"])
def test_odd_filters_are_answered(auditor: Browser, query: str) -> None:
    """The first and last dates, a cursor of another list and any script are filters like others."""
    assert auditor.json("GET", f"/api/search?{query}").status_code == 200


@pytest.mark.english
def test_pages_show_the_story(auditor: Browser) -> None:
    """Explorer, event and case page name the acts in words, show changes and proof, and escape what people wrote."""
    page = auditor.get("/")
    assert page.status_code == 200
    assert EVIL not in page.text
    for words in (
        "Submitted the application",
        "Refused attempt",
        "38 % &lt; 50 %",
        "Sent a letter",
        "Agreed on the loan",
    ):
        assert words in page.text
    event = auditor.get(f"/events/{LETTER}").text
    assert "This entry is leaf 2 of 4 in the signed log." in event
    assert f'href="/audit/events/{SUBMITTED}"' in event
    case = auditor.get(f"/cases/{CASE.lower()}").text
    assert case.count("<tr><td><time") == 2, "the letter is folded into the act that set it off"
    assert "1 letter: 1 sent" in case


def test_every_look_is_recorded(engine: Engine, auditor: Browser) -> None:
    """A search, an opened event, a proof, a timeline each leave an event that says what was looked at."""
    auditor.get("/?person=ana&outcome=success")
    auditor.get(f"/events/{SUBMITTED}")
    auditor.json("GET", f"/api/events/{SUBMITTED}/proof")
    auditor.get(f"/cases/{CASE}")
    assert recorded(engine) == [
        (
            "audit.search.performed",
            {"filters": {"person": "ana", "outcome": "success"}, "found": 1, "through": "page", "purpose": None},
        ),
        ("audit.record.viewed", {"record": f"event:{SUBMITTED}", "what": "event"}),
        ("audit.record.viewed", {"record": f"event:{SUBMITTED}", "what": "proof"}),
        ("audit.record.viewed", {"record": f"case:{CASE}", "what": "timeline"}),
    ]


def test_a_proof_checks_without_us(auditor: Browser) -> None:
    """The proof that the API gives has a checkpoint that opens with the key, and its root."""
    proof = auditor.json("GET", f"/api/events/{LOAN}/proof").json()
    checkpoint = open_checkpoint(proof["checkpoint"], Verifier.parse(proof["verifier_key"]))
    assert (checkpoint.size, checkpoint.root.hex()) == (proof["tree_size"], proof["root"])
    assert (proof["leaf_index"], len(proof["path"])) == (3, 2)
    again = auditor.json("GET", "/api/checkpoint").json()
    assert (again["note"], again["size"]) == (proof["checkpoint"], 4)


@pytest.mark.parametrize("path", ["/events/{}", "/api/events/{}", "/api/events/{}/proof"])
def test_unknown_events_are_404(auditor: Browser, path: str) -> None:
    """An id that is not in the log is not found; one that is no id is refused."""
    assert auditor.get(path.format(uuid4())).status_code == 404
    assert auditor.get(path.format("nonsense")).status_code in {404, 422}


def test_a_tampered_log_is_shown_as_such(stand: Stand, engine: Engine, auditor: Browser) -> None:
    """When the log no longer fits what was signed, the event page says so and the API gives 409, not a false proof."""
    assert auditor.json("GET", "/api/checkpoint").status_code == 200
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE event SET leaf_hash = sha256('x') WHERE leaf_index = 0"))
    assert "The log does not prove this event" in auditor.get(f"/events/{REFUSED}").text
    answer = auditor.json("GET", f"/api/events/{REFUSED}/proof")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "unprovable")


@pytest.mark.english
@pytest.mark.parametrize("role", ["officer", "programme_manager", "finance_officer"])
def test_t20_staff_see_cases_of_their_programmes_alone(app: FastAPI, role: str) -> None:
    """Staff get the timeline of their programmes' cases; of others, and of cases that are not, the same 404."""
    browser = Browser(app, person(role))
    part = browser.get(f"/timeline/{CASE}")
    assert part.status_code == 200
    assert "Submitted the application" in part.text
    assert "<html" not in part.text
    assert "/audit/events/" not in part.text
    assert browser.get(f"/cases/{CASE}").status_code == 200
    assert [browser.get(f"/{what}/LN-2026-0001").status_code for what in ("timeline", "cases")] == [404, 404]
    assert browser.get("/timeline/NO-SUCH-CASE").status_code == 404
    assert [browser.get(path).status_code for path in ("/", f"/events/{SUBMITTED}", "/verification")] == [403] * 3


@pytest.mark.parametrize("role", ["applicant", "reviewer", "finance_partner"])
def test_others_see_nothing(app: FastAPI, role: str) -> None:
    """Applicants, reviewers and finance partners get nothing of the log."""
    browser = Browser(app, person(role))
    paths = ("/", f"/events/{SUBMITTED}", f"/cases/{CASE}", f"/timeline/{CASE}", "/verification", "/api/search")
    assert {browser.get(path).status_code for path in paths} == {403}
    assert Browser(app).json("GET", "/api/search").status_code == 401


@pytest.mark.english
def test_an_operator_verifies_but_does_not_read(engine: Engine, app: FastAPI) -> None:
    """An operator runs a verification and sees its result, which is recorded, and can't search."""
    operator = Browser(app, person("operator"))
    assert operator.get("/verification").status_code == 200
    assert operator.post("/verification").status_code == 303
    assert "sound" in operator.get("/verification").text
    assert operator.get("/").status_code == 403
    [verified] = [data for type_, data in recorded(engine) if type_ == "audit.verification.completed"]
    assert (verified["ok"], verified["size"]) == (True, 4)
    assert operator.json("GET", "/api/verification").json()["ok"] is True


@pytest.mark.english
def test_findings_are_shown(stand: Stand, engine: Engine, auditor: Browser) -> None:
    """What a verification finds stands on its page and on the explorer."""
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE event SET actor_name = 'Somebody' WHERE leaf_index = 1"))
    auditor.post("/verification")
    assert f"event: leaf 1 {REFUSED} actor_name was altered" in auditor.get("/verification").text
    assert "Not sound: 1 findings." in auditor.get("/").text


def test_the_pages_speak_russian(app: FastAPI) -> None:
    """An auditor who reads Russian gets the acts' names and the page's words in Russian."""
    page = Browser(app, person("auditor", locale="ru")).get("/").text
    assert "Заявка подана" in page
    assert "Журнал аудита" in page


def test_a_search_costs_a_constant_number_of_queries(engine: Engine, auditor: Browser) -> None:
    """The explorer asks the database equally often for four entries and for two hundred."""
    from sqlalchemy import event as sa_event  # noqa: PLC0415 - `event` is a word of this module

    counts: list[int] = []

    def count(*_: Any) -> None:
        counts[-1] += 1

    auditor.get("/")  # connects
    for extra in (0, 200):
        take_in(engine, [act(n + 500) for n in range(extra)]) if extra else None
        counts.append(0)
        sa_event.listen(engine, "before_cursor_execute", count)
        assert auditor.get("/").status_code == 200
        sa_event.remove(engine, "before_cursor_execute", count)
    assert counts[0] == counts[1] <= 12


def test_the_operator_sees_what_is_held_by_what_went_wrong(app: FastAPI, engine: Engine, auditor: Browser) -> None:
    """Held events come in groups with their number and the newest one's id; nobody but the operator gets them."""
    operator = Browser(app, person("operator"))
    assert operator.json("GET", "/api/quarantine").json() == []
    with engine.begin() as connection:
        for number in (1, 2):
            raw = encode(act(number))
            quarantine.hold(connection, "audit", raw, ValueError("no such column"), attempts=6, now=MORNING)
    groups = operator.json("GET", "/api/quarantine").json()
    assert [(group["count"], group["error"], group["types"]) for group in groups] == [
        (2, "ValueError: no such column", ["grants.application.submitted"])
    ]
    assert UUID(groups[0]["newest"])
    assert auditor.json("GET", "/api/quarantine").status_code == 403


@pytest.mark.english
def test_home_is_told_how_the_log_stands(auditor: Browser) -> None:
    """The part for the home page says how long the log is, and that nobody verified it yet."""
    part = auditor.get("/fragments/home").text
    assert "4 entries" in part
    assert "not been verified" in part


def test_a_case_without_a_number_opens_too(engine: Engine, auditor: Browser) -> None:
    """Acts that stand under a firm's id, in small letters, are found by timeline, search, dossier and as-of page."""
    take_in(engine, [act(9, source="loans", type="loans.contact.kept", entity="contact:1", case="lead-firm")])
    for page in ("/cases/lead-firm", "/cases/lead-firm/dossier", "/cases/lead-firm/as-of", "/timeline/lead-firm"):
        assert auditor.get(page).status_code == 200, page
    assert len(found(auditor, "case=lead-firm")) == 1
    assert auditor.get("/cases/LEAD-FIRM").status_code == 404
