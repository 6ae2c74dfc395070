"""From an event to letters: the whole path on a real database and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from notifications_world import ANA, CASE, PARTIES, MailServer, World, mail_server, ready

from services.notifications import catcher, storage
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.domain.retry import Answer, Verdict
from services.notifications.handlers import inbox as act
from services.notifications.handlers.sending import LEASE, Sender, send_due
from shared import settings as settings_module
from shared.database import reading
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events import Envelope
from shared.events.grants.day import DelegationEnded, DelegationMade
from shared.events.portal import UserChanged, UserDeactivated
from shared.infrastructure.system import free_port
from shared.messaging.inbox import Outcome
from shared.settings import Settings
from shared.testing.stand import Stand
from tests.conftest import UowFor


@pytest.fixture(scope="module")
def known_world(stand: Stand) -> World:
    return ready(stand.database("notifications"))


@pytest.fixture
def world(known_world: World) -> World:
    return known_world.begin_again()


@pytest.fixture
def server() -> Iterator[tuple[MailServer, str]]:
    with mail_server() as running:
        yield running


def test_submission_reaches_everybody_in_their_language(world: World, server: tuple[MailServer, str]) -> None:
    """One submission: a receipt to the applicant (though she acted), work to both officers, each in their language."""
    mail, url = server
    submitted = world.submitted()
    world.deliver(submitted)
    assert world.sender(url).run() == 3
    by_person = {message["To"].addresses[0].addr_spec: message for message in mail.taken}
    assert set(by_person) == {"ana@chamber.example", "goran@programme.example", "dana@programme.example"}
    receipt = by_person["ana@chamber.example"].get_body(("plain",)).get_content()
    assert "Dear Ana Petrova," in receipt
    assert "48,200.00\u00a0EUR" in receipt
    assert "by November 27, 2026" in receipt
    assert f"http://127.0.0.1:8400/grants/applications/{CASE}" in receipt
    dana = by_person["dana@programme.example"]
    assert str(dana["Subject"]) == f"{CASE}: новая заявка — Chamber of Crafts"
    assert "48\u00a0200,00\u00a0EUR" in dana.get_body(("plain",)).get_content()
    assert "Training &lt;b&gt;service&lt;/b&gt;" in dana.get_body(("html",)).get_content()
    assert {item.status for item in world.deliveries(channel="email")} == {Status.SENT}


def test_who_stands_in_is_told_beside_who_is_away(world: World) -> None:
    """From the first day to the last, in the role and programme of the delegation; not after it was ended."""
    about = {"delegation_id": "d1", "delegated_role": "officer", "delegator_id": "officer", "delegator_name": "Goran"}
    about |= {"delegate_id": "manager", "delegate_name": "Irena"}
    days = {"first_day": date(2026, 1, 1), "last_day": date(2027, 12, 31)}
    world.arrive(DelegationMade(**about, **days), "delegation:d1", programme="business-ecosystem")
    during, after = world.submitted(), world.submitted()
    world.deliver(during)
    [rule] = {item.rule for item in world.deliveries() if item.recipient == "officer"}
    [told] = [step for step in world.decision(during.id, rule)["trace"] if step["code"] == "stands_in"]
    assert (told["facts"]["name"], _inboxes(world, during)) == (
        "Goran Ristov",
        {"applicant", "officer", "officer_two", "manager"},
    )
    world.arrive(DelegationEnded(**about, **days), "delegation:d1", programme="business-ecosystem")
    world.deliver(after)
    assert "manager" not in _inboxes(world, after)


def _inboxes(world: World, about: Envelope) -> set[str]:
    return {item.recipient for item in world.deliveries(channel="inbox") if item.event_id == str(about.id)}


def test_event_delivered_three_times_makes_one_letter(world: World, server: tuple[MailServer, str]) -> None:
    """The same event three times, and once more decided by hand, is one letter a person and channel."""
    mail, url = server
    submitted = world.submitted()
    assert [world.deliver(submitted) for _ in range(3)] == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    world.sender(url).run()
    assert len(mail.taken) == len(set(mail.ids())) == 3
    assert len(world.deliveries()) == 6


def test_every_state_is_an_event_of_the_case(world: World, server: tuple[MailServer, str]) -> None:
    """Queued and sent are published with the case, programme, correlation and parties of the causing event."""
    submitted = world.submitted()
    world.deliver(submitted)
    world.sender(server[1]).run()
    letter = world.email_to("applicant")
    events = [row for row in world.published() if row.entity == f"delivery:{letter.id}"]
    assert [(row.type, row.sequence) for row in events] == [
        ("notifications.delivery.queued", 1),
        ("notifications.delivery.sent", 2),
    ]
    for row in events:
        assert (row.case, row.programme) == (CASE, "business-ecosystem")
        assert row.correlation_id == submitted.correlation_id
        assert row.causation_id == submitted.id
        assert row.body["parties"] == PARTIES
        assert row.body["data"]["recipient"] == "applicant"
        assert row.body["data"]["title"] == letter.subject
        assert "ana@chamber.example" not in str(row.body)


def test_nobody_else_is_told_of_their_own_act(world: World) -> None:
    """An officer who approves is not told that it was approved; the other officer and the applicant are."""
    moved = world.moved("approve")
    world.deliver(moved)
    assert {item.recipient for item in world.deliveries()} == {"applicant", "officer_two"}
    codes = [step["code"] for step in world.decision(moved.id, "moved-officer")["trace"]]
    assert codes == ["matched", "own_act", "told"]


def test_locale_chain(world: World) -> None:
    """A Kyrgyz reader gets Russian, a French one English, because the letters exist in those."""
    world.speaks("officer", "ky")
    world.speaks("officer_two", "fr")
    world.deliver(world.submitted())
    assert world.email_to("officer").locale == "ru"
    assert world.email_to("officer_two").locale == "en"


def test_reviewers_of_the_same_organisation_get_no_applicants_letter(world: World) -> None:
    """A party that is an organisation means those who stand for it in that role, not everybody who works there."""
    submitted = world.submitted()
    world.deliver(submitted)
    assert "reviewer_three" not in {item.recipient for item in world.deliveries()}
    trace = world.decision(submitted.id, "submitted-receipt")["trace"]
    assert {"code": "other_role", "facts": {"party": "applicant", "person": "Hana Dimova"}} in trace


def test_letter_waits_for_a_person_who_is_not_known_yet(world: World) -> None:
    """An event that names an unknown person is decided again when they become known; nobody gets it twice."""
    submitted = world.submitted(parties=PARTIES | {"officer": ["user:new-officer"]})
    world.deliver(submitted)
    assert {item.recipient for item in world.deliveries()} == {"applicant"}
    world.person("new-officer", name="Nina", email="nina@programme.example", roles=["officer"], locale="en")
    assert [item.recipient for item in world.deliveries(channel="email")] == ["new-officer", "applicant"]
    assert world.decision(submitted.id, "submitted-staff")["unknown"] == []


def test_people_who_are_gone_get_nothing(world: World) -> None:
    """After deactivation a person gets no letters, and the decision says why."""
    world.arrive(UserDeactivated(user_id="applicant", reason="left"), "user:applicant")
    submitted = world.submitted()
    world.deliver(submitted)
    assert "applicant" not in {item.recipient for item in world.deliveries()}
    assert world.decision(submitted.id, "submitted-receipt")["trace"][1]["code"] == "inactive"


def test_muted_category_is_suppressed_and_locked_is_not(world: World, uow_for: UowFor) -> None:
    """Work letters can be muted (the inbox keeps them); official letters go out whatever was chosen."""
    with uow_for(world.engine, "notifications") as uow:
        act.choose_categories(uow, "officer", ["progress"])
        act.choose_categories(uow, "applicant", [])
        with pytest.raises(InvalidError):
            act.choose_categories(uow, "applicant", ["official"])
    world.deliver(world.submitted())
    muted = world.email_to("officer")
    assert (muted.status, muted.because) == (Status.SUPPRESSED, "muted")
    assert world.email_to("applicant").status is Status.QUEUED
    assert {item.channel for item in world.deliveries() if item.recipient == "officer"} == {"email", "inbox"}
    assert "notifications.delivery.suppressed" in {row.type for row in world.published()}


def test_refused_rules_leave_those_before_in_force(world: World, uow_for: UowFor) -> None:
    """A pack whose rules have errors is refused by name and reason; letters go on by the rules before."""
    world.programme({"notifications": {"rules": "none"}, "letters": {}}, sha256="second")
    refused = world.published("notifications.ruleset.refused")
    assert refused[0].body["data"]["problems"] == ["rules: Input should be a valid tuple"]
    world.deliver(world.submitted())
    assert len(world.deliveries()) == 6
    with reading(world.engine) as connection:
        assert storage.refused_rules(connection)["business-ecosystem"]


def test_new_letters_are_used_and_old_ones_stay(world: World) -> None:
    """After a new pack letters have its words and version; what was written before keeps its own."""
    world.deliver(world.submitted())
    before = world.email_to("applicant")
    pack = {"notifications": _one_rule(), "letters": {"x": {"application-received": _letter("Fresh words")}}}
    world.programme(pack, sha256="second")
    world.deliver(world.moved("approve"))
    after = world.email_to("applicant")
    assert after.subject == "Fresh words"
    assert after.template_version.startswith("7-")
    assert next(item for item in world.deliveries() if item.id == before.id).text == before.text


def _one_rule() -> dict[str, object]:
    rule = {"id": "approved", "event": "grants.application.moved", "to": ["applicant"], "category": "c"}
    return {"rules": [rule | {"letter": "application-received"}], "categories": {"c": {"name": {"en": "C"}}}}


def _letter(words: str) -> dict[str, object]:
    return {"version": 7, "en": {"subject": words, "text": words}}


@pytest.mark.parametrize(
    ("mood", "verdict", "status"),
    [
        ("250", Verdict.ACCEPTED, Status.SENT),
        ("421", Verdict.TEMPORARY, Status.TEMPORARY_FAILURE),
        ("450", Verdict.TEMPORARY, Status.TEMPORARY_FAILURE),
        ("550", Verdict.PERMANENT, Status.PERMANENT_FAILURE),
        ("DATA 451", Verdict.TEMPORARY, Status.TEMPORARY_FAILURE),
        ("DATA 554", Verdict.PERMANENT, Status.PERMANENT_FAILURE),
        ("close", Verdict.UNCERTAIN, Status.TEMPORARY_FAILURE),
        ("hang", Verdict.UNCERTAIN, Status.TEMPORARY_FAILURE),
    ],
)
def test_what_a_mail_server_does(
    world: World, server: tuple[MailServer, str], mood: str, verdict: Verdict, status: Status
) -> None:
    """Each answer, silence and broken line of a real server is classified, and its attempt is kept."""
    mail, url = server
    world.deliver(world.moved("approve", actor=ANA))
    first = world.deliveries(channel="email")[-1]
    mail.moods = [mood]
    assert world.sender(url, timeout=0.5).send_one()
    tried = next(item for item in world.deliveries(channel="email") if item.id == first.id)
    assert tried.status is status
    attempt = world.attempts(first.id)[0]
    assert (attempt["verdict"], attempt["number"]) == (verdict.value, 1)
    assert attempt["ended_at"] is not None


def test_retry_by_the_clock_until_it_arrives(world: World, server: tuple[MailServer, str]) -> None:
    """A greylisted letter is tried after 5 s and 1 m, not before, with the same Message-ID, and then is sent."""
    mail, url = server
    world.deliver(world.moved("approve", parties={"applicant": PARTIES["applicant"]}))
    mail.moods = ["450", "close"]
    sender = world.sender(url)
    assert sender.run() == 1
    assert sender.run() == 0
    world.clock.forward(5)
    assert sender.run() == 1
    world.clock.forward(59)
    assert sender.run() == 0
    world.clock.forward(1)
    assert sender.run() == 1
    letter = world.email_to("applicant")
    assert (letter.status, letter.attempts) == (Status.SENT, 3)
    assert len(mail.taken) == 2  # the server had it before the line broke: the seam that can double
    assert len(set(mail.ids())) == 1
    assert [item["verdict"] for item in world.attempts(letter.id)] == ["temporary", "uncertain", "accepted"]


def test_mail_server_that_is_away(world: World) -> None:
    """Nobody listens: the letter waits for the next try, and nothing is lost."""
    world.deliver(world.moved("approve"))
    world.sender(f"smtp://127.0.0.1:{free_port()}").run()
    assert {item.status for item in world.deliveries(channel="email")} == {Status.TEMPORARY_FAILURE}


def test_final_failure_tells_the_officers_and_can_be_sent_again(
    world: World, server: tuple[MailServer, str], uow_for: UowFor
) -> None:
    """A refused address: officers find it in their inbox; corrected, the operator sends the letter again."""
    mail, url = server
    world.deliver(world.moved("approve", parties=PARTIES | {"officer": ["user:officer"]}))
    mail.moods = ["550"]
    world.sender(url).run()
    failed = world.email_to("applicant")
    assert failed.status is Status.PERMANENT_FAILURE
    told = [item for item in world.deliveries(channel="inbox") if item.rule == "letter-failed"]
    assert [item.recipient for item in told] == ["officer"]
    assert "550" not in told[0].subject
    assert "not now" in told[0].text
    changed = {"user_id": "applicant", "name": "Ana Petrova", "email": "ana@new.example", "locale": "en"}
    world.arrive(UserChanged(**changed, roles=["applicant"], organisation="chamber-of-crafts"), "user:applicant")
    with uow_for(world.engine, "notifications", clock=world.clock) as uow:
        act.resend(uow, failed.id)
    world.sender(url).run()
    assert [message["To"].addresses[0].addr_spec for message in mail.taken] == ["ana@new.example"]
    assert world.email_to("applicant").status is Status.SENT
    with uow_for(world.engine, "notifications") as uow, pytest.raises(ConflictError):
        act.resend(uow, failed.id)


def test_sender_that_dies_in_the_middle_is_not_silent(world: World, server: tuple[MailServer, str]) -> None:
    """Killed after the server took it: the letter stays `sending`, and after the lease the same message goes again."""
    mail, url = server
    world.deliver(world.moved("approve", parties={"applicant": PARTIES["applicant"]}))
    dead = world.sender(url)
    letter = dead.claim()
    assert letter is not None
    dead.post(letter)  # accepted, and then the process is gone before it can say so
    assert world.email_to("applicant").status is Status.SENDING
    again = world.sender(url)
    assert again.run() == 0
    world.clock.forward(LEASE.total_seconds())
    assert again.run() == 1
    assert [item["verdict"] for item in world.attempts(letter.id)] == ["lost", "accepted"]
    assert len(set(mail.ids())) == 1
    assert world.email_to("applicant").status is Status.SENT


def test_two_senders_at_once_send_each_letter_once(world: World) -> None:
    """Four senders over forty letters: each letter is posted by exactly one of them."""
    for _ in range(20):
        world.deliver(world.moved("more-review", actor=ANA))
    posted: list[str] = []

    def post(delivery: Delivery) -> Answer:
        posted.append(delivery.id)
        return Answer(verdict=Verdict.ACCEPTED, code=250)

    senders = [Sender(world.engine, post, world.clock, lambda: 0.0) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda sender: sender.run(), senders))
    assert sum(counts) == len(posted) == 40
    assert len(set(posted)) == 40


def test_inbox_is_ones_own(world: World, uow_for: UowFor) -> None:
    """Reading, re-reading and marking all work on one's own letters; another person's do not exist."""
    world.deliver(world.submitted())
    mine = next(item for item in world.deliveries(channel="inbox") if item.recipient == "officer")
    with uow_for(world.engine, "notifications") as uow, pytest.raises(NotFoundError):
        act.mark_read(uow, "applicant", mine.id)
    with uow_for(world.engine, "notifications") as uow, pytest.raises(NotFoundError):
        act.mark_read(uow, "officer", world.email_to("officer").id)
    with uow_for(world.engine, "notifications") as uow:
        act.mark_read(uow, "officer", mine.id)
    with uow_for(world.engine, "notifications") as uow:
        assert storage.unread_count(uow.connection, "officer") == 0
        act.mark_unread(uow, "officer", mine.id)
    with uow_for(world.engine, "notifications") as uow:
        assert act.mark_all_read(uow, "officer") == 1
    with reading(world.engine) as connection:
        assert storage.unread_count(connection, "officer") == 0
        assert storage.unread_count(connection, "applicant") == 1


def test_timer_sends_after_its_own_transaction(
    world: World, uow_for: UowFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's timer sends through the configured server, here the built-in catcher, and the catcher keeps it."""
    port = free_port()
    controller = catcher.start(port, tmp_path)
    known = Settings(smtp_url=f"smtp://127.0.0.1:{port}")
    settings_module.settings.cache_clear()
    monkeypatch.setattr(settings_module, "load", lambda: known)
    world.deliver(world.submitted())
    try:
        with uow_for(world.engine, "notifications") as uow:
            send_due(uow)
            assert catcher.caught(tmp_path) == []
    finally:
        controller.stop()
        settings_module.settings.cache_clear()
    found = catcher.caught(tmp_path, whole=True)
    assert len(found) == 3
    assert all("tamga" in item.header("From").lower() for item in found)
    assert any("Здравствуйте, Dana Kuzmina!" in item.text for item in found)


def test_programme_of_another_name_tells_nobody(world: World) -> None:
    """An event of a programme without rules, or of none, writes no letters and fails nothing."""
    assert world.deliver(world.submitted(programme="elsewhere")) is Outcome.APPLIED
    assert world.deliver(world.submitted(programme=None)) is Outcome.APPLIED
    assert world.deliveries() == []


def test_decision_keeps_the_whole_event(world: World) -> None:
    """The decision of each rule stands with its event, so that it can be explained and repeated."""
    submitted = world.submitted()
    world.deliver(submitted)
    decision = world.decision(submitted.id, "submitted-staff")
    assert decision["recipients"] == 2
    assert UUID(decision["envelope"]["id"]) == submitted.id
