"""The form of a call as people fill it in: conditions, rows, sums, two windows, sections asked for again."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from grants_world import ANSWERS, BUDGET, PDF, Case, World

from shared.testing.language import word
from shared.testing.stand import Stand

CHECK = "/calls/bso-grants-2026/check"
IMPROVED = ANSWERS | {"service_kind": "improved"}
FIT = {
    "organisation_kind": "bso",
    "country": "MK",
    "years_registered": "12",
    "members": "420",
    "duration_months": "12",
}


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def hidden(page: str, name: str) -> str:
    """Return the value of the first hidden field of that name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def fields(page: str, **changed: str) -> dict[str, str]:
    """Return what a browser sends for the form as it was shown, with some fields changed."""
    sent = {name: hidden(page, name) for name in ("version", "base")} | {"title": "Labour-force training service"}
    sent |= {f"a.{name}": text for name, text in ANSWERS.items()}
    for index, line in enumerate(BUDGET):
        sent |= {f"b.{index}.line": line["line"], f"b.{index}.note": line["note"]}
        sent |= {f"b.{index}.{side}": line[side]["amount"] for side in ("grant", "own")}
    return sent | {name.replace("__", "."): text for name, text in changed.items()}


def test_a_question_appears_when_its_answer_calls_for_it(world: World) -> None:
    """The button saves and shows what follows; what is hidden is not required, what is shown is."""
    case = Case(world).draft()
    page = world.applicant.page(f"{case.path}/form")
    assert 'name="a.improvement"' not in page
    sent = fields(page, a__service_kind="improved", go="show:service_kind")
    answer = world.applicant.post(f"{case.path}/form", **sent)
    assert answer.headers["location"].endswith("/form?saved=true#f-a.service_kind")
    assert 'name="a.improvement"' in world.applicant.page(f"{case.path}/form")
    refused = case.move(world.applicant, "submit", 422)
    assert refused["errors"] == [{"field": "answers.improvement", "rule": word("grants", "is required")}]
    case.save(answers={"improvement": "Evening courses too"})
    case.move(world.applicant, "submit")
    assert "Evening courses too" in world.officer.page(f"{case.path}/answers")


@pytest.mark.english
def test_rows_are_added_and_taken_out_without_script(world: World) -> None:
    """A button adds a row, another takes one out, and those after it close up; nothing else that was typed is lost."""
    case = Case(world).draft()
    rows = {"a.partner_shares.0.name": "Aster", "a.partner_shares.0.amount": "100"}
    rows |= {"a.partner_shares.1.name": "Birch", "a.partner_shares.1.amount": "two"}
    sent = fields(world.applicant.page(f"{case.path}/form")) | rows | {"go": "add:partner_shares"}
    answer = world.applicant.post(f"{case.path}/form", **sent)
    page = world.applicant.page(str(answer.headers["location"]).removeprefix("/grants").partition("#")[0])
    assert 'name="a.partner_shares.2.name"' in page
    refused = case.move(world.applicant, "submit", 422)["errors"]
    assert [item["field"] for item in refused] == ["answers.partner_shares.1.amount"]
    assert "What partners pay 2: Amount" in world.applicant.page(f"{case.path}/check")
    sent = fields(page, a__problem="Typed just now") | rows | {"go": "drop:partner_shares:0"}
    world.applicant.post(f"{case.path}/form", **sent)
    stored = case.seen(world.applicant)["answers"]
    assert (stored["partner_shares.0.name"], stored["problem"]) == ("Birch", "Typed just now")
    assert "partner_shares.1.name" not in stored
    many = {f"partner_shares.{n}.name": "X" for n in range(7)}
    body = {"title": "T", "budget": BUDGET, "version": case.seen(world.applicant)["version"], "answers": many}
    refused = world.applicant.api("PUT", f"{case.path}/answers", 422, **body)["errors"]
    assert [item["field"] for item in refused] == ["answers.partner_shares.6.name"]


@pytest.mark.english
def test_sums_must_agree_before_handing_in(world: World) -> None:
    """The total cost is the grant and the own share, 48,000, to the cent; the difference is named with both figures."""
    case = Case(world).draft()
    assert "The total cost is the grant asked for and your own share." in world.applicant.page(f"{case.path}/form")
    case.save(answers={"total_cost": "48000.01"})
    refused = case.move(world.applicant, "submit", 422)["errors"]
    assert refused == [{"field": "answers.total_cost", "rule": "is 48,000.01, but must be the same as 48,000.00"}]
    case.save(answers={"total_cost": "48,000.00"})
    case.move(world.applicant, "submit")


@pytest.mark.english
def test_two_windows_keep_what_each_changed(world: World) -> None:
    """Different fields merge and the page says what the other window changed; nobody has to choose."""
    case = Case(world).draft()
    first = world.applicant.page(f"{case.path}/form")
    case.save(answers={"problem": "From the other window"})
    page = world.applicant.post(f"{case.path}/form", 200, **fields(first, a__approach="From this window")).text
    assert "Changed in another window, and kept as it is there:" in page
    assert "Ana Petrova" in page
    stored = case.seen(world.applicant)["answers"]
    assert (stored["problem"], stored["approach"]) == ("From the other window", "From this window")


@pytest.mark.english
@pytest.mark.parametrize(
    ("choice", "expected"),
    [("mine", "Mine"), ("stored", "Theirs"), ("both", "Mine\n\nTheirs")],
)
def test_the_same_field_changed_twice_keeps_both_texts(world: World, choice: str, expected: str) -> None:
    """Both texts stand on the page until somebody chooses; what does not collide is saved at once."""
    case = Case(world).draft()
    first = world.applicant.page(f"{case.path}/form")
    case.save(answers={"problem": "Theirs"})
    mine = {"a__problem": "Mine", "a__approach": "New approach"}
    page = world.applicant.post(f"{case.path}/form", 409, **fields(first, **mine)).text
    assert "You and another window changed the same." in page
    assert ">Mine</textarea>" in page
    assert ">Theirs</textarea>" in page
    stored = case.seen(world.applicant)["answers"]
    assert (stored["problem"], stored["approach"]) == ("Theirs", "New approach")
    sent = fields(page, **mine) | {"k.answers.problem": choice}
    world.applicant.post(f"{case.path}/form", **sent)
    assert case.seen(world.applicant)["answers"]["problem"] == expected


def test_budgets_changed_in_two_windows_collide_as_a_whole(world: World) -> None:
    """The lines of both budgets are shown; the stored one stays until somebody chooses."""
    case = Case(world).draft()
    first = world.applicant.page(f"{case.path}/form")
    case.save(budget=[BUDGET[0] | {"note": "Other trainers"}])
    page = world.applicant.post(f"{case.path}/form", 409, **fields(first, b__0__grant="29000")).text
    assert "experts · Other trainers · 28000.00 · 6000.00" in page
    assert "experts · Trainers · 29000.00 · 6000.00" in page
    world.applicant.post(f"{case.path}/form", **fields(page, b__0__grant="29000"), **{"k.budget": "mine"})
    assert case.seen(world.applicant)["amount"]["amount"] == "41000.00"


def test_the_forms_own_saving_never_takes_back_what_another_window_wrote(world: World) -> None:
    """A window that goes on saving on its own keeps the other's field, though it still shows the old text."""
    case = Case(world).draft()
    page = world.applicant.page(f"{case.path}/form")
    case.save(answers={"problem": "From the other window"})
    quiet = {"accept": "text/html", "hx-request": "true"}
    for words in ("One", "One two"):
        sent = fields(page, a__approach=words) | {"csrf": world.applicant.identity.csrf}
        answer = world.applicant.request("POST", f"{case.path}/form", data=sent, headers=quiet)
        assert answer.status_code == 200
        page = answer.text
    stored = case.seen(world.applicant)["answers"]
    assert (stored["problem"], stored["approach"]) == ("From the other window", "One two")


@pytest.mark.parametrize("base", ["[]", "no json", '{"title": 5}'])
def test_a_made_up_base_does_no_harm(world: World, base: str) -> None:
    """A form that lies about what it was filled from is refused or falls back to the version."""
    case = Case(world).draft()
    sent = fields(world.applicant.page(f"{case.path}/form")) | {"base": base}
    answer = world.applicant.request(
        "POST",
        f"{case.path}/form",
        data=sent | {"csrf": world.applicant.identity.csrf},
        headers={"accept": "text/html"},
    )
    assert answer.status_code in {303, 409, 422}


def asked(world: World, *sections: str) -> Case:
    """Return a case whose applicant is asked for some sections again."""
    case = Case(world).submitted()
    case.move(world.officer, "request-information", reason="Which firms?", sections=list(sections))
    return case


def test_row_14_only_the_sections_asked_for_reopen(world: World) -> None:
    """Behaviour 14: one section opens, every other answer, the title, the budget and the documents stay locked."""
    case = asked(world, "service")
    page = world.applicant.page(f"{case.path}/form")
    names = set(re.findall(r'name="a\.([a-z_]+)"', page))
    assert names == {"service_kind", "problem", "approach", "cost_recovery"}
    assert 'name="b.0.line"' not in page
    assert 'name="title"' not in page
    for change in ({"answers": {"members": "1"}}, {"title": "Another"}, {"budget": BUDGET[:1]}):
        body = {"title": "Labour-force training service", "answers": {}, "budget": BUDGET, **change}
        body["version"] = case.seen(world.applicant)["version"]
        refused = world.applicant.api("PUT", f"{case.path}/answers", 422, **body)["errors"]
        assert [item["rule"] for item in refused] == [word("grants", "is locked: it was not asked for")]
    files = {"file": ("x.pdf", PDF, "application/pdf")}
    attached = world.applicant.request("POST", f"/api{case.path}/documents", data={"kind": "other"}, files=files)
    assert attached.status_code == 409
    sent = {name: hidden(page, name) for name in ("version", "base")} | {"a.problem": "Said better"}
    world.applicant.post(f"{case.path}/form", **sent)
    assert case.seen(world.applicant)["answers"]["members"] == ANSWERS["members"]


@pytest.mark.english
def test_row_14_earlier_versions_of_the_answers_stay_readable(world: World) -> None:
    """What was handed in stays as it was: staff read it during the answer, and both versions after it."""
    case = asked(world, "service", "documents")
    case.save(answers={"problem": "Said better"}, title=case.seen()["title"])
    assert "Said better" not in world.officer.page(f"{case.path}/answers")
    case.attach("other")
    assert "Said better" in world.applicant.page(f"{case.path}/check")
    case.move(world.applicant, "answer-information", comment="Four firms")
    assert "Said better" in world.officer.page(f"{case.path}/answers")
    first = world.officer.page(f"{case.path}/answers?version=1")
    assert ANSWERS["problem"] in first
    assert "Said better" not in first
    assert "other.pdf" not in first
    assert "Said better" in world.applicant.page(f"{case.path}/answers?version=2")
    for version in (0, 3, -1):
        world.officer.page(f"{case.path}/answers?version={version}", 404)
    assert world.applicant.page(f"{case.path}/answers").count("Version ") == 2
    closed = {"title": case.seen()["title"], "answers": {"problem": "Too late"}, "budget": BUDGET}
    world.applicant.api("PUT", f"{case.path}/answers", 409, version=case.seen()["version"], **closed)


def test_an_answer_with_holes_is_not_sent(world: World) -> None:
    """Of the sections asked for, what is missing is named; what is not asked for keeps nobody from answering."""
    case = asked(world, "service")
    case.save(answers={"problem": ""}, title=case.seen()["title"])
    refused = case.move(world.applicant, "answer-information", 422, comment="Four")
    assert [item["field"] for item in refused["errors"]] == ["answers.problem"]


@pytest.mark.english
def test_a_request_taken_back_leaves_what_was_handed_in(world: World) -> None:
    """What was written and not sent does not count, and is kept to be read."""
    case = asked(world, "service")
    case.save(answers={"problem": "Half a sente"}, title=case.seen()["title"])
    case.move(world.officer, "recall-request", reason="Not needed")
    assert case.seen()["answers"]["problem"] == ANSWERS["problem"]
    kept = world.applicant.page(f"{case.path}/answers?version=2")
    assert "Half a sente" in kept
    assert "written, but never handed in" in kept


@pytest.mark.parametrize(("transition", "sections"), [("request-information", ["nobody"]), ("reject", ["service"])])
def test_sections_are_asked_for_by_name_and_by_a_request(world: World, transition: str, sections: list[str]) -> None:
    """An unknown part, or parts named in a move that asks for nothing, are refused and nothing moves."""
    case = Case(world).submitted()
    refused = case.move(world.officer, transition, 422, reason="Why", sections=sections)
    assert [item["field"] for item in refused["errors"]] == ["sections"]
    assert case.seen()["stage"] == "screening"


@pytest.mark.english
def test_the_officer_ticks_the_sections_on_the_page(world: World) -> None:
    """The form of the request lists the parts by name, and what is ticked opens."""
    case = Case(world).submitted()
    page = world.officer.page(case.path)
    assert '<input type="checkbox" name="sections" value="results"> <span>Results</span>' in page
    sent = {"transition": "request-information", "version": hidden(page, "version"), "reason": "Which firms?"}
    world.officer.post(f"{case.path}/moves", sections=["results", "budget"], **sent)
    page = world.applicant.page(f"{case.path}/form")
    assert 'name="a.msmes_served"' in page
    assert 'name="b.0.line"' in page
    assert 'name="a.problem"' not in page


def anonymous(world: World, method: str, **data: str) -> Any:
    """Ask for the check's page without being anybody."""
    return world.officer.client.request(method, f"/grants{CHECK}", data=data or None, headers={"accept": "text/html"})


def test_anybody_checks_whether_they_may_apply(world: World) -> None:
    """Without signing in each rule is judged in words with its figure, and nothing is stored."""
    with world.engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one()
    assert anonymous(world, "GET").status_code == 200
    good = anonymous(world, "POST", **{f"a.{name}": text for name, text in FIT.items()}).text
    assert "You may apply." in good
    assert "needed: at least 1" in good
    bad = {**FIT, "years_registered": "0", "organisation_kind": "msme"}
    page = anonymous(world, "POST", **{f"a.{name}": text for name, text in bad.items()}).text
    assert "2 rules are not passed." in page
    assert "given: 0" in page
    assert "needed: Business support organisation" in page
    half = anonymous(world, "POST", **{"a.members": "many <b>"}).text
    assert "rules are still open" in half
    assert "many <b>" not in half
    with world.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one() == before


@pytest.mark.english
def test_screening_sees_the_rules_judged_again(world: World) -> None:
    """At submission the same rules are judged from the real answers and the organisation's record; staff read it."""
    case = Case(world).draft()
    case.save(answers={"years_registered": "0"})
    assert "A rule is not passed." in world.applicant.page(f"{case.path}/check")
    case.move(world.applicant, "submit")
    page = world.officer.page(case.path)
    assert "Judged when the application was handed in." in page
    assert "needed: at least 1" in page
    assert ">Not passed<" in page
    judged = {item["rule"]: item["result"] for item in case.seen()["eligibility"]}
    assert judged == {
        "kind": "passed",
        "country": "passed",
        "registered": "failed",
        "msme_services": "passed",
        "duration": "passed",
        "no_arrears": "open",
    }


def test_the_api_gives_the_form_as_json_schema(world: World) -> None:
    """A machine reads the call's form in the words of JSON Schema."""
    schema = world.applicant.api("GET", "/calls/bso-grants-2026")["form_schema"]
    assert schema["properties"]["members"]["type"] == "integer"
    assert json.dumps(schema)


@pytest.mark.english
def test_a_session_that_ended_loses_no_word(world: World) -> None:
    """A form sent after the session ended comes back whole and is kept once sent again; no other site gets that."""
    case = Case(world).draft()
    applicant, ours = world.applicant, {"accept": "text/html", "sec-fetch-site": "same-origin"}
    sent = fields(applicant.page(f"{case.path}/form"), a__problem="An hour of\nwork") | {"csrf": "of-the-old-session"}
    path = f"/grants{case.path}/form"
    ended = applicant.client.post(path, data=sent, headers=ours, follow_redirects=False)
    assert ended.status_code == 401
    assert 'name="a.problem" value="An hour of\nwork"' in ended.text
    anew = applicant.request("POST", f"{case.path}/form", data=sent, headers=ours)
    assert anew.status_code == 403
    assert "You have signed in anew" in anew.text
    offered = anew.text.partition(f'action="{path}"')[2]
    again = {html.unescape(n): html.unescape(v) for n, v in re.findall(r'name="([^"]+)" value="([^"]*)"', offered)}
    assert applicant.request("POST", f"{case.path}/form", data=again, headers=ours).status_code == 303
    assert case.seen(applicant)["answers"]["problem"] == "An hour of\nwork"
    headers = ours | {"sec-fetch-site": "cross-site"}
    foreign = applicant.client.post(path, data=sent, headers=headers, follow_redirects=False)
    unnamed = applicant.request("POST", f"{case.path}/form", data=sent, headers={"accept": "text/html"})
    assert (foreign.status_code, unnamed.status_code) == (403, 403)
    assert "An hour" not in foreign.text + unnamed.text
