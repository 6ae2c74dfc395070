"""The officers' queue: its language in page, API and file, its orders and pages, its board and saved views."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest
from grants_world import PROGRAMME, Case, Person, World, counted
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.grants.domain.search import FIELDS
from services.grants.storage import queue
from services.grants.storage.tables import application
from shared.testing.stand import Stand

PIECES = st.sampled_from(
    [
        *(f"{name}:" for name in FIELDS),
        "-",
        '"',
        ",",
        ">",
        "<=",
        "7d",
        "50000",
        "EUR",
        "review",
        " ",
        "me",
        "'",
        "\\",
        "%",
    ]
)
MANY = 200
COPIES = """
INSERT INTO application ({names}) SELECT {values} FROM application a, generate_series(1, :copies) n WHERE a.id = :model
"""


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with a case in screening, one in review with reviews, one refused, and a draft."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    world.cases = {"screening": Case(world).submitted(), "draft": Case(world).draft()}  # type: ignore[attr-defined]
    refused = Case(world).submitted()
    refused.move(world.officer, "reject", reason="Not eligible")
    reviewed = Case(world).in_review("reviewer_one", "reviewer_two")
    for name, points in (("reviewer_one", 4), ("reviewer_two", 3)):
        reviewed.declare(name)
        reviewed.score(name, points)
    world.cases |= {"rejected": refused, "review": reviewed}  # type: ignore[attr-defined]
    case = world.cases["screening"]  # type: ignore[attr-defined]
    body = {"officer": world.officer.identity.user, "version": case.seen()["version"]}
    world.officer.api("POST", f"{case.path}/officer", **body)
    return world


def named(world: World, *names: str) -> set[str]:
    """Return the references of these cases."""
    return {world.cases[name].reference for name in names}  # type: ignore[attr-defined]


def found(person: Person, query: str) -> set[str]:
    """Return what the API finds."""
    return {row["reference"] for row in person.api("GET", f"/applications?q={quote(query)}")["items"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"screening", "review"}),
        ("state:all", {"screening", "review", "rejected", "draft"}),
        ("state:closed", {"rejected"}),
        ("stage:rejected,review", {"rejected", "review"}),
        ("-stage:screening", {"review"}),
        ("holder:me", {"screening"}),
        ("holder:reviewer", {"review"}),
        ("officer:none", {"review"}),
        ("-officer:none", {"screening"}),
        ("-officer:me", {"review"}),
        ("amount:>39999.99", {"screening", "review"}),
        ("amount:>40000EUR", set()),
        ("amount:40000eur", {"screening", "review"}),
        ("score:>=70", {"review"}),
        ("score:<70", set()),
        ("-score:>=70", {"screening"}),
        ("updated:<7d", {"screening", "review"}),
        ("updated:>7d", set()),
        ("since:2026-03-02", {"screening", "review"}),
        ("submitted:<2026-03-02", set()),
        ("due:<=7d", {"screening"}),
        ("overdue:yes", set()),
        ("overdue:no", {"screening", "review"}),
        ("org:cham", {"screening", "review"}),
        ("org:nobody", set()),
        ("call:bso-grants-2026", {"screening", "review"}),
        (f"programme:{PROGRAMME}", {"screening", "review"}),
        ("labour", {"screening", "review"}),
        ("lab serv", {"screening", "review"}),
        ('"training service"', {"screening", "review"}),
        ('"service training"', set()),
        ("-labour", set()),
        ("labour stage:review -officer:me", {"review"}),
    ],
)
def test_each_term_narrows_the_list(world: World, query: str, expected: set[str]) -> None:
    """Every field finds what it says, a minus all but that, and terms together what fits all of them."""
    assert found(world.officer, query) == named(world, *expected)


@pytest.mark.english
def test_a_wrong_search_is_answered_with_its_place(world: World) -> None:
    """The page stays, marks the term and offers the right one; the API says 422 with place and rule."""
    page = world.officer.page("/?q=stage:reviw+training")
    assert "<mark>stage:reviw</mark> training" in page
    assert 'href="/grants/?q=stage%3Areview+training"' in page
    assert "BSO-2026" not in page
    [problem] = world.officer.api("GET", "/applications?q=x+stage:reviw", 422)["errors"]
    assert problem["field"] == "q"
    assert problem["rule"].startswith("at 3, stage:reviw: there is no “reviw” here. There are: draft, screening")
    assert "score" in world.finance.page("/?q=score:%3E60")
    assert "scores are not for your role" in world.finance.page("/?q=score:%3E60")


def test_scores_are_not_found_by_who_has_a_conflict(world: World) -> None:
    """An interest in the applicant takes its cases out of every search by score, whichever way it is asked."""
    assert found(world.manager, "score:>=70 state:all")
    world.manager.api("POST", "/assessor/interests", organisation="chamber-of-crafts", tie="board", version=0)
    assert found(world.manager, "score:>=70 state:all") == set()
    assert found(world.manager, "score:<70 state:all") == set()
    russian = world.officer.request("GET", "/?q=amount:x", headers={"accept": "text/html", "cookie": "locale=ru"}).text
    assert russian.count("<mark>") == 1
    world.officer.api("GET", "/applications?sort=name", 422)


def test_no_search_breaks_the_page(world: World) -> None:
    """Whatever is asked, the list answers 200; a NUL, which no page takes, is refused by name before it."""

    @settings(max_examples=60, deadline=None)
    @example(query="\x00")
    @given(query=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join)))
    def ask(query: str) -> None:
        encoded = quote(query.encode("utf-8", "replace"))
        answer = world.officer.request("GET", f"/?q={encoded}", headers={"accept": "text/html"})
        assert answer.status_code == (422 if "\x00" in query else 200)

    ask()


def test_a_reviewer_among_staff_stays_blind(world: World) -> None:
    """An officer whose own review of a case is not in can't find its score out by asking."""
    case = world.cases["review"]  # type: ignore[attr-defined]
    moved = "UPDATE review SET status = 'open', reviewer = :officer WHERE application = :case AND reviewer = :reviewer"
    values = {
        "officer": world.officer.identity.user,
        "case": case.reference,
        "reviewer": world.reviewer_two.identity.user,
    }
    with world.engine.connect() as connection:
        connection.execute(text(moved), values)
        connection.commit()
    try:
        assert found(world.officer, "score:>=1") == set()
        assert found(world.officer_two, "score:>=1") == named(world, "review")
    finally:
        back = "UPDATE review SET status = 'submitted', reviewer = :reviewer WHERE reviewer = :officer"
        with world.engine.connect() as connection:
            connection.execute(text(back), values)
            connection.commit()


@pytest.mark.english
def test_a_row_says_whose_turn_since_when_and_what_is_next(world: World) -> None:
    """Days used of the days given, the move that carries the case on, and what it still needs, in two languages."""
    page = world.officer.page("/?q=stage:screening")
    assert "<b>You</b>" in page
    assert "0 of 5 working days" in page
    assert "Pass screening" in page
    assert "is not finished" in page
    review = world.officer.page("/?q=stage:review")
    assert "Send to the panel" in review
    assert "is not finished" not in review
    assert "Pass screening" not in world.auditor.page("/?q=stage:screening")


def test_links_sort_filter_and_page_without_script(world: World) -> None:
    """Headings turn the order round, menus are links that keep the rest, pages follow without gap in each order."""
    page = world.officer.page("/?q=training&sort=-updated")
    assert '<th aria-sort="descending"><a href="/grants/?q=training&amp;sort=updated">' in page
    assert 'href="/grants/?q=training+stage%3Areview&amp;sort=-updated"' in page
    old = world.officer.page("/?stage=review&late=true")
    assert 'value="stage:review overdue:yes"' in old
    for sort in ("due", "-due", "updated", "-updated", "since", "-since", "amount", "-amount"):
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page_of = world.officer.api("GET", f"/applications?q=state:all&limit=1&sort={sort}&cursor={cursor}")
            seen += [row["reference"] for row in page_of["items"]]
            cursor = page_of["next"]
        assert len(seen) == len(set(seen)) == 4, sort
    first = world.officer.api("GET", "/applications?limit=1")["next"]
    world.officer.api("GET", f"/applications?limit=1&sort=-due&cursor={first}", 422)


@pytest.mark.english
def test_the_board_has_columns_with_counts(world: World) -> None:
    """Stages in the workflow's order, each with its count and cards, of the same search; both addresses show it."""
    page = world.officer.page("/board?q=state:all")
    places = [page.index(f">{name}</a> <span") for name in ("Draft", "Screening", "Review", "Rejected")]
    assert places == sorted(places)
    assert page.count('<li class="card">') == 4
    assert page.count('<li class="card">') == world.officer.page("/?as=board&q=state:all").count('<li class="card">')
    assert "stage%3Areview" in page
    assert "<mark>" in world.officer.page("/board?q=stage:x")


@pytest.mark.english
def test_views_are_kept_shared_and_taken_away(world: World) -> None:
    """One's own view is a link; a shared one is everybody's of the programme; only who may takes it away."""
    officer, other, manager = world.officer, world.officer_two, world.manager
    officer.post("/views", programme=PROGRAMME, name="Mine now", q="holder:me", sort="since")
    answer = officer.post(
        "/views", programme=PROGRAMME, name="All of review", q="stage:review", shared="true", board="true"
    )
    assert answer.headers["location"] == f"/grants/board?programme={PROGRAMME}&q=stage%3Areview&sort=due"
    assert "Mine now" in officer.page("/")
    seen = other.page("/")
    assert "Mine now" not in seen
    assert f'<a href="{answer.headers["location"].replace("&", "&amp;")}" title="Shared by' in seen
    officer.post("/views", programme=PROGRAMME, name="Mine now", q="holder:officer")
    assert officer.page("/").count(">Mine now</a>") == 2  # in the tabs and beside its button
    officer.post("/views", 404, programme="other", name="x")
    officer.post("/views", 422, programme=PROGRAMME, name="")
    officer.post("/views", 422, programme=PROGRAMME, name="x", q='"')
    world.auditor.post("/views", 403, programme=PROGRAMME, name="x")
    removal = manager.page("/").split('/removal"')[0].rsplit('action="/grants', 1)[1] + "/removal"
    other.post(removal, 404)
    manager.post(removal)
    assert "All of review" not in other.page("/")


@pytest.mark.english
def test_the_file_is_the_list_and_no_formula(world: World) -> None:
    """Every row of the search in its order, with names that a spreadsheet would execute made harmless."""
    with world.engine.connect() as connection:
        connection.execute(text("UPDATE application SET title = '=1+1' WHERE stage = 'rejected'"))
        connection.commit()
    answer = world.officer.request("GET", "/queue.csv?q=state:all&sort=-updated&limit=1")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["Case"] for row in rows] == [
        row["reference"] for row in world.officer.api("GET", "/applications?q=state:all&sort=-updated")["items"]
    ]
    by_stage = {row["Stage"]: row for row in rows}
    assert by_stage["Rejected"]["Title"] == "'=1+1"
    assert by_stage["Screening"]["Amount"] == "40000.00"
    assert by_stage["Screening"]["Next step"] == "Pass screening"
    assert by_stage["Screening"]["Working days given"] == "5"
    assert world.officer.request("GET", "/queue.csv?q=stage:x").status_code == 422
    assert world.applicant.request("GET", "/queue.csv").status_code == 403


def test_a_page_costs_the_same_statements_at_10_and_at_200_rows(world: World) -> None:
    """Reviews, awards, packs and views are fetched for all rows at once; so is a board of them, and the file."""
    model = world.cases["review"].reference  # type: ignore[attr-defined]
    with world.engine.connect() as connection:
        own = {"id": "'COPY-' || n", "state": "a.state || jsonb_build_object('id', 'COPY-' || n)"}
        names = [column.name for column in application.c]
        values = {"names": ", ".join(f'"{name}"' for name in names)}
        values["values"] = ", ".join(own.get(name, f'a."{name}"') for name in names)
        connection.execute(text(COPIES.format(**values)), {"copies": MANY, "model": model})
        connection.commit()
    costs = {}
    for path in ("/?limit=10", "/?limit=200", "/board"):
        with counted(world) as seen:
            page = world.officer.page(path)
        costs[path] = len(seen)
    assert page.count('<li class="card">') == 11
    assert costs["/?limit=10"] == costs["/?limit=200"] <= 10
    assert costs["/board"] <= 7
    with counted(world) as seen:
        answer = world.officer.request("GET", "/queue.csv?q=stage:review")
    assert answer.text.count("\n") == MANY + 2
    assert len(seen) <= 14
    with world.engine.connect() as connection:
        connection.execute(text("DELETE FROM application WHERE id LIKE 'COPY-%'"))
        connection.commit()


@pytest.mark.parametrize("near", [0, 1, 2, 3, 1_000])
@pytest.mark.parametrize("sort", ["due", "-due", "updated", "-updated", "-amount"])
def test_words_are_found_page_by_page_however_far_they_are_looked_for_first(
    world: World, sort: str, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case with the words comes once, and in the order, whether it is near its start or the index has to tell."""
    monkeypatch.setattr(queue, "NEAR", near)
    seen: list[str] = []
    asked = f"/applications?q={quote('labour state:all')}&sort={sort}&limit=1"
    cursor = ""
    while cursor is not None:
        page = world.officer.api("GET", f"{asked}{cursor and f'&cursor={quote(cursor)}'}")
        seen += [row["reference"] for row in page["items"]]
        cursor = page["next"]
    monkeypatch.setattr(queue, "NEAR", 10**6)
    whole = world.officer.api("GET", asked.replace("limit=1", "limit=50"))["items"]
    assert seen == [row["reference"] for row in whole]
    assert len(seen) >= len(world.cases)  # type: ignore[attr-defined]
