"""The review form: saved as it is written, its total counted, the next review offered."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from grants_world import Case, Person, World

from services.grants.domain.pack import Criterion, Sheet
from shared.testing.stand import Stand

HTMX = {"hx-request": "true", "accept": "text/html"}


def hidden(page: str) -> str:
    """Return the version that the form names."""
    found = re.search(r'name="version" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def autosave(person: Person, path: str, **fields: Any) -> str:
    """Send the form as its own saving does, and return what comes back."""
    sent = person.request("POST", path, data={"csrf": person.identity.csrf, **fields}, headers=HTMX)
    assert sent.status_code == 200, sent.text
    return sent.text


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def test_the_total_counts_what_is_scored() -> None:
    """A criterion without points counts as nothing yet, so the total only grows."""
    parts = (Criterion(id="a", name={}, weight=Decimal(60)), Criterion(id="b", name={}, weight=Decimal(40)))
    sheet = Sheet(scoring="s", max=5, threshold=Decimal(60), criteria=parts)
    assert sheet.so_far({"a": 4}) == Decimal("48.00")
    assert sheet.so_far({"a": 4, "b": 5}) == Decimal("88.00")


@pytest.mark.english
def test_a_review_is_kept_as_it_is_written(world: World) -> None:
    """Autosave keeps points and lone comments; another window is not overwritten; handing in leads to the next."""
    first, second = (Case(world).in_review("reviewer_one") for _ in range(2))
    for case in (first, second):
        case.declare("reviewer_one")
    one, path = world.reviewer_one, f"/reviews/{first.review_of('reviewer_one')['id']}"
    version = hidden(one.page(path))
    fields = {"points.relevance": "4", "comment.relevance": "Real", "comment.design": "Feasible", "summary": ""}
    sent = autosave(one, path, version=version, **fields)
    assert "Total so far: 20.00 of 100" in sent
    assert "1 of 5 criteria scored; 60 is needed" in sent
    page = one.page(path)
    assert ">Feasible</textarea>" in page
    assert hidden(sent) == hidden(page) != version

    assert "Not saved: changed by" in autosave(one, path, version=version, **fields)
    shown = one.post(path, 409, version=version, go="save", **(fields | {"comment.value": "Dear"}))
    assert ">Dear</textarea>" in shown.text

    names = ("relevance", "design", "capacity", "sustainability", "value")
    whole = {f"points.{n}": "3" for n in names} | {f"comment.{n}": "Seen" for n in names}
    done = one.post(path, version=hidden(page), go="next", recommendation="fund", **whole)
    assert first.review_of("reviewer_one")["status"] == "submitted"
    assert str(done.headers.get("location", done.url)).endswith(second.review_of("reviewer_one")["id"])
