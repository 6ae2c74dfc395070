"""Small rules of a case's day: days in the programme's zone, what is kept when money is refused, what is left out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from starlette.exceptions import HTTPException

from services.grants import cli
from services.grants.domain.appeal import is_late
from services.grants.domain.application import Calendar, Person
from services.grants.domain.award import Award, Milestone, Tranche
from services.grants.domain.ledger import Account, Kind, Ledger
from services.grants.domain.parties import parties_of
from services.grants.domain.publishing import Publication
from services.grants.domain.publishing.publication import Stored
from services.grants.pages.ledger import ACCOUNTS, KINDS, about_in, entries
from services.grants.pages.sentences import latest
from shared import i18n
from shared.errors import ConflictError, InvalidError
from shared.events.diligence_rules import diligence_problems
from shared.money import Money
from shared.web.errors import refusal
from shared.web.pages import TEMPLATES, Pages

NOW = datetime(2026, 3, 2, 20, tzinfo=UTC)
ONE, TWO = (Person(id=f"user:{n}", name=f"Person {n}", role="finance_officer") for n in (1, 2))


def test_an_appeal_is_late_by_the_programme_s_day() -> None:
    """At 20:00 UTC the last day is over in Bishkek and lasts in Skopje."""
    last = NOW.date()
    assert is_late(last, NOW, Calendar(country="KG", zone="Asia/Bishkek"))
    assert not is_late(last, NOW, Calendar(country="MK", zone="Europe/Skopje"))


def test_parties_are_said_in_one_way() -> None:
    """Without an officer all officers are meant; without an organisation the applicant is no party."""
    assert parties_of("o", None, "finance") == {
        "applicant": ["org:o"],
        "officer": ["role:officer"],
        "finance": ["role:finance_officer"],
    }
    assert parties_of(None, "u") == {"officer": ["user:u"]}


def _settling() -> Award:
    about = {"id": "BSO-2026-0001", "programme": "p", "title": "T", "organisation": "o", "organisation_name": "O"}
    milestones = [Milestone(number=1, title="M")]
    award = Award(**about, amount=Money.of(500, "EUR"), concluded_at=NOW, milestones=milestones)
    award.tranches = []
    return award


def test_what_settles_a_terminated_grant_can_be_asked_for_again() -> None:
    """Refused, or released in part, it stays what it is: owed without a milestone, after the grant's end."""
    award = _settling()
    award.tranches = [_owed(award)]
    award.refuse(7, "Wrong account", TWO)
    assert award.settles(7)
    award.request(7, ONE)
    award.release(7, TWO, amount=Money.of(40, "EUR"), why="The rest waits for a paper")
    assert award.settles(8)
    assert award.tranche(8).amount == Money.of(60, "EUR")


def _owed(award: Award) -> Tranche:
    award.tranches = [_tranche(6)]
    award.owe(Money.of(100, "EUR"), ONE)
    return award.tranche(7)


def _tranche(number: int) -> Tranche:
    return Tranche(number=number, amount=Money.of(500, "EUR"))


def test_who_looked_at_a_case_is_not_among_its_latest_acts() -> None:
    """Views are on the timeline, for the auditor."""
    acts = [
        {"type": "grants.record.viewed", "data": {}, "who": "A"},
        {"type": "grants.note.written", "data": {}, "who": "A"},
    ]
    assert [act["type"] for act in latest(acts, 8)] == ["grants.note.written"]


def test_the_match_of_a_co_financing_is_booked_in_pairs() -> None:
    """A matched release is spent at once; what the match no longer earns is due from the firm; no account turns."""
    book = Ledger("EUR")
    book.enter("committed", Money.of(600, "EUR"))
    book.enter("match_verified", Money.of(200, "EUR"))
    book.enter("match_released", Money.of(300, "EUR"))
    book.enter("match_reversed", Money.of(100, "EUR"))
    book.enter("match_unearned", Money.of(150, "EUR"))
    figures = book.figures()
    assert (figures["paid"].amount, figures["left"].amount, figures["refund_due"].amount) == (300, 300, 150)
    assert book.balance("match").amount == Decimal(100)
    with pytest.raises(ConflictError, match="more than"):
        book.enter("match_reversed", Money.of(101, "EUR"))
    assert sum(book.balances.values()) == 0


def test_every_account_and_kind_of_entry_has_its_name_and_its_russian() -> None:
    """Nobody reads an id in the ledger."""
    assert set(ACCOUNTS) == set(get_args(Account))
    assert set(KINDS) == set(get_args(Kind))
    catalogue = i18n.catalogue("grants", "ru")
    assert [name for name in (*ACCOUNTS.values(), *KINDS.values()) if catalogue.gettext(name) == name] == []


def test_a_co_financing_s_entry_leads_to_its_own_ledger() -> None:
    """Lines that come newest first are read in the order of their entry."""
    row = {"entry": "e", "at": NOW, "case": "COF-1", "about": "", "by_name": "A", "kind": "match_verified"}
    row |= {"call": ":cofinancing", "currency": "EUR"}
    lines = [
        row | {"line": 2, "account": "match_given", "amount": -5},
        row | {"line": 1, "account": "match", "amount": 5},
    ]
    [entry] = entries(lines)
    assert entry["path"] == "/grants/cofinancing/COF-1/ledger"
    assert [line["place"] for line in entry["lines"]] == [1, 2]
    assert (about_in("release 2", "ru"), about_in("release of May", "ru")) == ("выплата 2", "release of May")


def test_a_point_stands_on_an_assessment_that_there_is() -> None:
    """A pack that names another proof, or one without questions, is told the file and the field."""
    points = [{"id": "a", "proof": "magic"}, {"id": "b", "proof": "capacity"}, {"id": "c"}]
    wrong = diligence_problems({"checklists": {"dd": {"items": points}}})
    assert set(wrong) == {"checklists/dd.yaml: items.0.proof", "checklists/dd.yaml: items.1.proof"}


@pytest.mark.english
def test_times_are_said_in_the_programme_s_zone() -> None:
    """The page's moments, days and the footer's words follow the zone of the request, else the house's."""
    pages = Pages("grants", TEMPLATES, lambda: NOW, "Europe/Skopje")
    assert pages.zone == ZoneInfo("Europe/Skopje")
    token = i18n.current_zone.set("Asia/Bishkek")
    try:
        assert (pages.zone_named(), pages.day(NOW.isoformat())) == ("Asia/Bishkek, UTC+6", "3 Mar 2026")
    finally:
        i18n.current_zone.reset(token)
    assert date(2026, 3, 2) == NOW.astimezone(pages.zone).date()


def test_a_file_of_open_data_is_named_as_what_it_is(tmp_path: Path) -> None:
    """The ending chooses the table or the standard's own file; another kind is refused before anything."""
    for chosen, name in (("iati", "a.json"), ("360giving", "a.xml")):
        with pytest.raises(InvalidError):
            cli._must_be_named(chosen, tmp_path / name)
    cli._must_be_named("360giving", tmp_path / "plain")
    files = [Stored(name=f"x.{kind}", sha256=kind, size=1, media_type="t") for kind in ("json", "csv")]
    about = {"id": "P", "programme": "p", "format": "360giving", "number": 1, "files": files, "records": []}
    about |= {"left_out": [], "totals": [], "fingerprint": "", "published_by": "u", "published_by_name": "U"}
    made = Publication.model_validate(about | {"published_at": NOW})
    assert [cli._kind("360giving", Path(f"a{end}"), made).sha256 for end in (".csv", ".json", "")] == [
        *("csv", "json", "json")
    ]


def test_a_field_without_end_is_named_so() -> None:
    """A text above the reader's limit is "too large", and the person is told where their words still are."""
    told = refusal(HTTPException(400, "Field exceeded maximum size of 1024KB."))
    assert told.status == 413
    assert "still stands" in told.message
    assert i18n.catalogue("grants", "ru").gettext(told.message) != told.message
