"""What the grants service refuses, what it hides, and what happens when two people act at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from grants_world import ANSWERS, BUDGET, PDF, PROGRAMME, START, Case, Person, World, counted, read_pack

from shared.clock import new_id
from shared.entity import canonical_hash
from shared.events.notifications import DeliverySent
from shared.events.portal import ProgrammeLoaded
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def test_two_officers_at_once_make_one_move(world: World) -> None:
    """Of two different moves at the same moment exactly one wins; the other is told who was faster."""
    case = Case(world).submitted()
    version, ready = case.seen()["version"], Barrier(2)

    def act(person: Person, transition: str) -> Any:
        body = {"transition": transition, "version": version, "reason": "Because"}
        ready.wait()
        return person.request("POST", f"/api{case.path}/moves", json=body)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(act, world.officer, "reject")
        second = pool.submit(act, world.officer_two, "request-information")
        answers = sorted([first.result(), second.result()], key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json()["changed_by"] in {"Goran Ristov", "Dana Kuzmina"}
    moves = [name for name in world.events(case.reference) if name.endswith((".moved", ".information_requested"))]
    assert len(moves) == 1


def test_a_second_tab_is_told_what_changed(world: World) -> None:
    """Saving from an older form is refused with both versions of what differs, and nothing is lost or written."""
    case = Case(world).draft()
    version = case.seen(world.applicant)["version"]
    case.save(answers={"problem": "First tab"}, version=version)
    body = {"version": version, "title": "Labour-force training service", "budget": BUDGET}
    answer = world.applicant.api("PUT", f"{case.path}/answers", 409, answers={"problem": "Second tab"}, **body)
    assert (answer["changed_by"], answer["changes"]) == (
        "Ana Petrova",
        {"answers.problem": ["Second tab", "First tab"]},
    )
    assert case.seen(world.applicant)["answers"]["problem"] == "First tab"


def test_the_form_keeps_both_versions_on_a_stale_page(world: World) -> None:
    """The page's form answers 409 with what was typed and what is stored side by side."""
    case = Case(world).draft()
    case.save(answers={"problem": "Stored words"})
    fields = {"version": "1", "title": "Mine", "a.problem": "My words"}
    page = world.applicant.post(case.path + "/form", 409, **fields).text
    assert "My words" in page
    assert "Stored words" in page


def test_an_illegal_move_names_the_legal_ones(world: World) -> None:
    """A move that the workflow does not have at this stage is refused, and the record has the attempt."""
    case = Case(world).submitted()
    answer = case.move(world.officer, "approve", 409)
    assert (answer["type"], set(answer["legal"])) == (
        "urn:tamga:problem:illegal-transition",
        {"request-information", "reject"},
    )
    assert world.events(case.reference)[-1] == "grants.attempt.refused"


def test_a_move_says_what_blocks_it(world: World) -> None:
    """Passing screening needs its checklist; a failed point blocks it as well as a missing one."""
    case = Case(world).submitted()
    assert "not finished" in case.move(world.officer, "pass-screening", 409)["blocked_by"][0]
    case.checks("eligibility")
    case.check("eligibility", "complete", "no")
    assert case.move(world.officer, "pass-screening", 409)["stage"] == "screening"


def test_the_clock_stands_while_the_applicant_is_asked(world: World) -> None:
    """Working days used before the question stay used; days of waiting do not count."""
    case = Case(world).submitted()
    assert case.seen()["due"] == "2026-03-09"
    case.move(world.officer, "request-information", reason="Which firms?")
    assert case.seen()["paused"] is True
    world.clock.forward(days=7)
    case.move(world.applicant, "answer-information", comment="Four")
    assert (case.seen()["paused"], case.seen()["due"]) == (False, "2026-03-13")
    world.clock.now = START


def test_an_unfinished_application_is_not_handed_in(world: World) -> None:
    """Handing in names every field that is missing or breaks a rule, and the draft stays."""
    case = Case(world)
    case.reference = world.applicant.api("POST", "/applications", call="bso-grants-2026")["reference"]
    too_long = {"experience": "word " * 251, "bso_type": "circus", "members": "many"}
    case.save(title="", answers=ANSWERS | too_long, budget=[])
    blocked = case.move(world.applicant, "submit", 409)["blocked_by"]
    assert len(blocked) == 3
    found = world.applicant.api("GET", f"{case.path}/problems")
    assert set(found) == {
        "title",
        "budget",
        "answers.experience",
        "answers.bso_type",
        "answers.members",
        "documents.registration",
        "documents.budget_quotes",
    }


def test_budget_rules_hold_at_submission(world: World) -> None:
    """A category over its share of the grant and an amount over the ceiling keep the draft a draft."""
    case = Case(world).draft()
    travel = {
        "line": "travel",
        "note": "Cars",
        "grant": {"amount": "9000", "currency": "EUR"},
        "own": {"amount": "0", "currency": "EUR"},
    }
    case.save(budget=[*BUDGET, travel])
    refused = case.move(world.applicant, "submit", 422)
    assert refused["errors"][0]["field"] == "budget.travel"
    case.save(budget=[BUDGET[0] | {"grant": {"amount": "50000.01", "currency": "EUR"}}])
    assert case.move(world.applicant, "submit", 409)["stage"] == "draft"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": 5}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"answers": {"problem": "nul\x00"}}, "answers.problem"),
        ({"answers": {"problem": 7}}, "answers.problem"),
        ({"answers": {"unknown": "x"}}, "answers.unknown"),
        ({"answers": {"problem": "x" * 20_001}}, "answers.problem"),
        ({"budget": [{"line": "experts"}]}, "budget.0.grant"),
        ({"budget": [BUDGET[0] | {"grant": {"amount": 10.5, "currency": "EUR"}}]}, "budget.0.grant.amount"),
        ({"budget": [BUDGET[0] | {"grant": {"amount": "10.5555", "currency": "EUR"}}]}, "budget.0.grant"),
        ({"budget": [BUDGET[0] | {"grant": {"amount": "1", "currency": "USD"}}]}, "budget.0.grant"),
        ({"budget": [BUDGET[0] | {"line": "yachts"}]}, "budget.0.line"),
        ({"budget": [BUDGET[0] | {"grant": {"amount": "-1", "currency": "EUR"}}]}, "budget.0.grant"),
        ({"budget": BUDGET * 40}, "budget"),
        ({"surprise": True}, "surprise"),
        ({"version": "one"}, "version"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(world: World, body: dict[str, Any], field: str) -> None:
    """Wrong types, missing parts, huge texts, NUL, foreign currencies: 422 with the field, and the same version."""
    case = Case(world)
    case.reference = world.applicant.api("POST", "/applications", call="bso-grants-2026")["reference"]
    answer = world.applicant.api("PUT", f"{case.path}/answers", 422, **({"version": 1} | body))
    assert field in [error["field"] for error in answer["errors"]]
    assert case.seen(world.applicant)["version"] == 1


@pytest.mark.parametrize(
    "method_path", ["GET /applications/{}", "GET /applications/{}/award", "GET /applications/{}/timeline"]
)
@pytest.mark.parametrize("reference", ["BSO-2026-9999", "x" * 300, "..%2f..", "%27%20or%201=1", "4f4c841f-deb6"])
def test_unknown_references_are_not_found(world: World, method_path: str, reference: str) -> None:
    """A reference that does not exist is a 404 whatever it looks like."""
    method, path = method_path.split()
    assert world.officer.request(method, "/api" + path.format(reference)).status_code == 404


def test_others_do_not_learn_that_a_case_exists(world: World) -> None:
    """Another organisation, a reviewer who was not asked and another programme's officer get the same 404 or 403."""
    case = Case(world).submitted()
    stranger = Person(world, world.officer.identity.model_copy(update={"programmes": ("other",)}))
    for person in (world.lead_firm, world.msme, stranger):
        for path in (case.path, f"{case.path}/timeline"):
            assert person.request("GET", f"/api{path}").status_code == 404
        body = {"transition": "withdraw", "version": 1, "reason": "x"}
        assert person.request("POST", f"/api{case.path}/moves", json=body).status_code == 404
    assert world.reviewer_one.request("GET", f"/api{case.path}").status_code == 403
    document = case.seen()["documents"][0]["id"]
    assert world.reviewer_one.request("GET", f"/api{case.path}/documents/{document}").status_code == 404
    assert world.bank_one.request("GET", "/api/applications").status_code == 403


def test_a_call_for_others_takes_no_application(world: World) -> None:
    """A lead firm can't apply to a call for support organisations, nor anybody to a call that does not exist."""
    assert world.lead_firm.api("POST", "/applications", 403, call="bso-grants-2026")["type"].endswith("forbidden")
    assert world.applicant.api("POST", "/applications", 404, call="no-such-call")["status"] == 404


def test_documents_are_checked_on_both_ways(world: World) -> None:
    """A program in disguise is refused, a stored byte that changed is noticed, and each download is recorded."""
    case = Case(world).draft()
    files = {"file": ("virus.pdf", b"MZ\x90", "application/pdf")}
    refused = world.applicant.request("POST", f"/api{case.path}/documents", data={"kind": "other"}, files=files)
    assert refused.status_code == 422
    document = case.attach("other", PDF + b"unique")
    answer = world.officer.request("GET", f"/api{case.path}/documents/{document['id']}")
    assert (answer.content, answer.headers["x-content-type-options"]) == (PDF + b"unique", "nosniff")
    assert world.events(case.reference)[-1] == "grants.record.viewed"
    stored = world.settings.documents_folder / document["sha256"][:2] / document["sha256"]
    stored.write_bytes(b"%PDF-tampered")
    assert world.officer.request("GET", f"/api{case.path}/documents/{document['id']}").status_code == 500


def test_the_queue_filters_and_pages_by_key(world: World) -> None:
    """Filters narrow the list, pages follow each other without a gap or a repeat, made-up cursors are refused."""
    for _ in range(3):
        Case(world).submitted()
    seen: list[str] = []
    cursor = ""
    while True:
        page = world.officer.api("GET", f"/applications?limit=2&stage=screening&cursor={cursor}")
        seen += [row["reference"] for row in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) >= 3
    assert world.officer.api("GET", f"/applications?q={seen[0]}")["items"][0]["reference"] == seen[0]
    assert world.officer.api("GET", "/applications?officer=me")["items"] == []
    world.officer.api("GET", "/applications?cursor=bm9uc2Vuc2U", 422)
    world.officer.api("GET", "/applications?limit=1000", 422)
    world.officer.api("GET", "/applications?programme=other", 404)


def test_pages_cost_the_same_however_many_rows(world: World) -> None:
    """The number of statements of the queue and of an organisation's list does not grow with the rows."""
    with counted(world) as few:
        world.officer.page("/?limit=1")
    with counted(world) as many:
        world.officer.page("/?limit=200")
    with counted(world) as own:
        world.applicant.page("/mine")
    assert len(few) == len(many) <= 10
    assert len(own) <= 8


def test_a_letter_is_on_the_timeline_with_its_state(world: World) -> None:
    """The case's timeline shows who was written to and whether it arrived; the applicant sees only their own."""
    case = Case(world).submitted()
    sent = DeliverySent(
        event_id=str(new_id()),
        event_type="grants.application.submitted",
        rule="r",
        channel="email",
        recipient="u",
        recipient_name="Goran Ristov",
        category="c",
        template="t",
        template_version="1",
        locale="en",
        title="An application came in",
        state="sent",
    )
    world.hear(sent, f"delivery:{new_id()}", case=case.reference, source="notifications")
    assert "An application came in" in world.officer.page(f"{case.path}/timeline")
    assert "An application came in" not in world.applicant.page(f"{case.path}/timeline")


def test_a_live_case_stays_on_its_pack(world: World) -> None:
    """A new version of the pack does not change the workflow of a case that was started under the old one."""
    case = Case(world).submitted()
    pack = read_pack()
    pack.pop("people")
    pack["workflows"]["bso-grant"]["version"] = 2
    pack["workflows"]["bso-grant"]["stages"][1]["name"]["en"] = "Intake"
    loaded = ProgrammeLoaded(programme_id=PROGRAMME, pack_version=2, sha256=canonical_hash(pack), pack=pack)
    world.hear(loaded, f"programme:{PROGRAMME}")
    assert case.seen()["stage_name"]["en"] == "Screening"
    assert Case(world).submitted().seen()["stage_name"]["en"] == "Intake"


@pytest.mark.parametrize(
    "path",
    ["/", "/mine", "/calls", "/calls/bso-grants-2026", "/payments", "/reviews"],
)
def test_nobody_signed_out_sees_a_page(world: World, path: str) -> None:
    """Without a statement of identity a page leads to the sign-in form."""
    answer = world.officer.client.get(f"/grants{path}", headers={"accept": "text/html"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in")
