"""The grant's story as people live it: through pages and forms, without JavaScript."""

from __future__ import annotations

import re

import pytest
from grants_world import ANSWERS, PDF, Case, Person, World

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def hidden(html: str, name: str = "version") -> str:
    """Return the value of the first hidden field of that name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def form_fields(world: World, path: str, **changed: str) -> dict[str, str]:
    """Return what a browser sends for the application form."""
    fields = {"version": hidden(world.applicant.page(f"{path}/form")), "title": "Training", "go": "save"}
    fields |= {f"a.{name}": text for name, text in ANSWERS.items()}
    fields |= {"b.0.line": "experts", "b.0.note": "Trainers", "b.0.grant": "28,000.00", "b.0.own": "6000"}
    fields |= {"b.1.line": "events", "b.1.note": "Courses", "b.1.grant": "12000", "b.1.own": ""}
    return fields | changed


def started(world: World) -> str:
    """Start a draft on the call's page and return the path of its case."""
    answer = world.applicant.post("/calls/bso-grants-2026/applications")
    return str(answer.headers["location"]).removeprefix("/grants").removesuffix("/form")


def upload(person: Person, path: str, kind: str, to: str = "form") -> None:
    """Send a document with a page's form."""
    files = {"file": (f"{kind}.pdf", PDF + kind.encode(), "application/pdf")}
    person.post(f"{path}/documents", kind=kind, to=to, files=files)


def move(person: Person, path: str, transition: str, expect: int = 303, **more: str) -> str:
    """Press the button of a move on the case's page."""
    version = hidden(person.page(path))
    return person.post(f"{path}/moves", expect=expect, transition=transition, version=version, **more).text


@pytest.mark.english
def test_the_story_through_pages(world: World) -> None:
    """Everybody does their part with forms alone, and the case ends paid."""
    path = started(world)
    world.applicant.post(f"{path}/form", **form_fields(world, path))
    for kind in ("registration", "budget_quotes"):
        upload(world.applicant, path, kind)
    checking = world.applicant.page(f"{path}/check")
    assert "Everything is there." in checking
    world.applicant.post(f"{path}/moves", transition="submit", version=hidden(checking))
    case = Case(world)
    case.reference = path.rsplit("/", 1)[1]
    assert case.reference in world.officer.page("/")
    page = world.officer.page(path)
    world.officer.post(f"{path}/officer", officer=world.officer.identity.user, version=hidden(page))
    assert ">What do you need?</label>" in page
    move(world.officer, path, "request-information", reason="Which firms?")
    assert "Which firms?" in world.applicant.page(path)
    move(world.applicant, path, "answer-information", comment="Four")
    page = world.officer.page(path)
    assert '<option value="not_applicable">Not applicable</option>' in page
    fields = {"checklist": "eligibility", "item": "complete", "answer": "yes", "note": "Read"}
    world.officer.post(f"{path}/checks", version=hidden(page), **fields)
    page = world.officer.page(path)
    assert "Checklist point answered: Yes (" in page
    assert ": Yes · Read" in page
    case.checks("eligibility")
    move(world.officer, path, "pass-screening")
    case.checks("due-diligence", "low")
    people = [world.reviewer_one, world.reviewer_two]
    page = world.officer.page(f"{path}/reviews")
    ids = [person.identity.user for person in people]
    world.officer.post(f"{path}/reviews", version=hidden(page), reviewers=ids)
    move(world.officer, path, "start-review")
    for person in people:
        review_through_pages(person)
    assert "/ 100" in world.officer.page(f"{path}/reviews")
    move(world.officer, path, "finish-review")
    move(world.officer, path, "recommend", comment="Strong")
    move(world.manager, path, "approve")
    agree_and_pay(world, path)
    assert "Tranche 1 paid" in world.officer.page(f"{path}/timeline")
    for person in (world.finance, world.auditor):
        assert case.reference in person.page(path)
    assert case.reference in world.applicant.page("/mine")


@pytest.mark.english
def test_the_latest_acts_leave_out_noise(world: World) -> None:
    """Savings in a row are one entry, and staff's case page does not show who else knocked at the door."""
    path = started(world)
    for title in ("One", "Two", "Three"):
        world.applicant.post(f"{path}/form", **form_fields(world, path, title=title))
    world.msme.page(path, 404)
    page = world.auditor.page(path)
    assert "Draft saved, 3 times" in page
    assert "<b>Draft saved</b>" not in page
    assert "Refused:" not in page
    assert "Refused:" in world.auditor.page(f"{path}/timeline")


@pytest.mark.english
def test_one_bad_cell_does_not_lose_the_other_answers(world: World) -> None:
    """What can be kept is kept; the bad amount comes back as typed, beside its rule, and the stored budget stays."""
    path = started(world)
    world.applicant.post(f"{path}/form", **form_fields(world, path))
    blank = dict.fromkeys(("b.0.line", "b.0.note", "b.0.grant", "b.0.own"), "")
    bad = {"b.1.grant": "twelve", "a.problem": "A new problem", "title": "A new title"}
    refused = world.applicant.post(f"{path}/form", 422, **form_fields(world, path, **(blank | bad))).text
    assert "All other answers are saved." in refused
    assert 'name="b.0.grant" value="twelve"' in refused
    assert 'aria-describedby="e-b.0.grant"' in refused
    stored = world.applicant.page(f"{path}/form")
    assert "A new problem" in stored
    assert 'value="A new title"' in stored
    assert 'value="28000.00"' in stored
    again = form_fields(world, path, **{"version": hidden(refused), "b.1.grant": "13000"})
    world.applicant.post(f"{path}/form", **again)
    assert 'value="13000.00"' in world.applicant.page(f"{path}/form")


@pytest.mark.english
@pytest.mark.parametrize("to", ["form", "documents"])
def test_a_refused_document_is_named_at_its_field(world: World, to: str) -> None:
    """The page with the form comes back, with the reason beside the file and the kind as it was chosen."""
    path = started(world)
    files = {"file": ("plan.pdf", b"MZ not a document", "application/pdf")}
    page = world.applicant.post(f"{path}/documents", 422, kind="budget_quotes", to=to, files=files).text
    assert f'id="e-file-{to}" role="alert">The file is not what its name says: its content is not that of' in page
    assert '<option value="budget_quotes" selected>' in page
    assert "Add the document" in page
    upload(world.applicant, path, "budget_quotes", to)
    assert "budget_quotes.pdf" in world.applicant.page(f"{path}/documents")


@pytest.mark.english
def test_words_typed_for_a_move_that_is_gone_are_shown_back(world: World) -> None:
    """Who was slower has their own words to copy; where the form is still open they stand in it."""
    case = Case(world).submitted()
    version = hidden(world.officer.page(case.path))
    world.officer_two.post(f"{case.path}/moves", transition="reject", version=version, reason="Not eligible")
    late = {"transition": "request-information", "version": version, "reason": "Which <firms> will take part?"}
    page = world.officer.post(f"{case.path}/moves", 409, **late).text
    assert "Its form is not open any more" in page
    assert ">Which &lt;firms&gt; will take part?</textarea>" in page
    other = Case(world).submitted()
    version = hidden(world.officer.page(other.path))
    world.officer.post(f"{other.path}/officer", officer=world.officer.identity.user, version=version)
    page = world.officer.post(f"{other.path}/moves", 409, **(late | {"version": version})).text
    assert "Its form is not open any more" not in page
    assert ">Which &lt;firms&gt; will take part?</textarea>" in page


@pytest.mark.english
def test_a_title_without_end_is_refused(world: World) -> None:
    """A title of more than 200 characters comes back with the rule beside its field."""
    path = started(world)
    refused = world.applicant.post(f"{path}/form", 422, **form_fields(world, path, title="x" * 201))
    assert '<a href="#f-title">What is your project called?</a>: is longer than 200 characters' in refused.text


def review_through_pages(person: Person) -> None:
    """Declare no conflict and hand the review in."""
    found = re.search(r"/grants(/reviews/[0-9a-f-]{36})", person.page("/reviews"))
    assert found is not None
    page = person.page(found[1])
    assert "six-week course" not in page
    person.post(f"{found[1]}/declaration", conflict="false", version=hidden(page))
    page = person.page(found[1])
    assert "six-week course" in page
    criteria = re.findall(r'name="comment\.([a-z_]+)"', page)
    fields = {f"points.{name}": "4" for name in criteria} | {f"comment.{name}": "Good" for name in criteria}
    refused = person.post(found[1], 422, version=hidden(page), go="submit", **fields)
    assert '<a href="#f-recommendation">Recommendation</a>: is required' in refused.text
    assert "Recommendation <small>optional</small>" not in refused.text
    unscored = person.post(found[1], 422, version=hidden(page), go="submit", recommendation="fund")
    assert "scores.relevance</a>" not in unscored.text
    assert f'<a href="#f-scores.{criteria[0]}">' in unscored.text
    assert f'id="f-scores.{criteria[0]}"' in unscored.text
    person.post(found[1], version=hidden(page), go="submit", recommendation="fund", **fields)


def agree_and_pay(world: World, path: str) -> None:
    """Draw up, sign, evidence, verify, request, release, pay."""
    page = world.officer.page(f"{path}/money")
    plan = {"m.0.title": "First", "m.0.amount": "16000", "m.1.title": "Second", "m.1.amount": "24000"}
    undated = world.officer.post(f"{path}/agreement", 422, version=hidden(page), **plan)
    assert "each needs the day until which it is due" in undated.text
    plan |= {"m.0.due": "2026-06-01", "m.1.due": "2026-09-01"}
    wrong = world.officer.post(f"{path}/agreement", 422, version=hidden(page), **(plan | {"m.1.amount": "1"}))
    assert "the tranches add up to 16,001.00\u00a0EUR" in wrong.text
    world.officer.post(f"{path}/agreement", version=hidden(page), **plan)
    assert "Read and accept the agreement" in world.applicant.page(path)
    for person in (world.applicant, world.manager):
        number = hidden(person.page(f"{path}/agreement"), "agreement_version")
        person.post(f"{path}/agreement/acceptance", agreement_version=number)
        if person is world.applicant:
            page = person.page(path)
            assert "Read and accept the agreement" not in page
            assert 'Accept the agreement <span class="soft">Programme manager</span>' in page
            assert "Programme manager · " in page
    upload(world.applicant, path, "other", "money")
    page = world.applicant.page(f"{path}/money")
    document = re.search(r'<option value="([0-9a-f-]{36})">other.pdf', page)
    assert document is not None
    world.applicant.post(f"{path}/milestones/1/evidence", version=hidden(page), document=document[1])
    version = hidden(world.officer.page(f"{path}/money"))
    world.officer.post(f"{path}/milestones/1/verification", version=version, good="true", note="Seen")
    world.finance.post(f"{path}/tranches/1/request", version=hidden(world.finance.page(f"{path}/money")))
    assert path.rsplit("/", 1)[1] in world.finance_two.page("/payments")
    version = hidden(world.finance_two.page(f"{path}/money"))
    world.finance_two.post(f"{path}/tranches/1/release", version=version, release="true")
    version = hidden(world.finance.page(f"{path}/money"))
    fields = {"payment_reference": "TR-1", "paid_on": "2026-03-02", "version": version}
    world.finance.post(f"{path}/tranches/1/payment", **fields)
