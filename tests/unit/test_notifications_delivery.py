"""A delivery's life, what a mail server's answers mean, and how letters are put into words."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import uuid4

import pytest

from services.notifications.catcher import Keeper, caught, read
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.domain.retry import WAITS, Answer, Verdict, classify, next_attempt
from services.notifications.domain.ruleset import Letter, RuleSet, Text
from services.notifications.mail import compose
from services.notifications.rendering import choose, html_of, in_words, render, version_of
from services.notifications.views import masked, page_path
from shared.checkpoints import Kept
from shared.errors import ConflictError
from shared.money import Money

NOW = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)
ACCEPTED = Answer(verdict=Verdict.ACCEPTED, code=250, reply="ok")
LATER = Answer(verdict=Verdict.TEMPORARY, code=450, reply="mailbox busy")
NEVER = Answer(verdict=Verdict.PERMANENT, code=550, reply="no such person")


def no_jitter() -> float:
    return 0.0


def letter(**changes: object) -> Delivery:
    made = Delivery(
        id=str(uuid4()),
        event_id=str(uuid4()),
        event_type="grants.application.submitted",
        rule="submitted-receipt",
        about="application:BSO-2026-0001",
        case_reference="BSO-2026-0001",
        programme="business-ecosystem",
        case_parties={"applicant": ["org:chamber-of-crafts"]},
        correlation_id=str(uuid4()),
        recipient="ana",
        recipient_name="Ана Петрова",
        address="ana@chamber.example",
        channel="email",
        category="official",
        template="application-received",
        template_version="1-abc",
        locale="ru",
        subject="BSO-2026-0001: мы получили вашу заявку",
        text="Здравствуйте!\n\n<script>alert(1)</script>\n\nhttp://tamga.example/grants/applications/BSO-2026-0001",
        link="http://tamga.example/grants/applications/BSO-2026-0001",
        created_at=NOW,
    )
    return made.model_copy(update=changes)


def test_letter_that_is_accepted() -> None:
    """Queued, claimed, accepted: two events, `sent` says which attempt it was, and no address is in either."""
    item = letter()
    item.queue(NOW)
    item.claim(NOW + timedelta(minutes=5))
    item.conclude(1, ACCEPTED, NOW, no_jitter)
    events = [recorded.event for recorded in item.collect()]
    assert [event.TYPE for event in events] == ["notifications.delivery.queued", "notifications.delivery.sent"]
    assert item.status is Status.SENT
    assert item.due_at is None
    assert "ana@chamber.example" not in str(events)


def test_changes_of_an_event_do_not_tell_the_letter() -> None:
    """The record of changes shows that text and address changed, never what they are."""
    item = letter()
    item.queue(NOW)
    changes = item.collect()[0].changes
    assert changes["address"] == ["[private]", "[private]"]
    assert changes["text"] == ["[private]", "[private]"]


def test_retries_follow_the_plan_and_end() -> None:
    """Temporary failures wait 5 s, 1 m, 5 m, 30 m, 2 h, 5 h, 10 h, 24 h; the ninth is final."""
    item, waits = letter(), []
    item.queue(NOW)
    for attempt in range(1, 10):
        item.claim(NOW + timedelta(minutes=5))
        item.conclude(attempt, LATER, NOW, no_jitter)
        waits.append(item.due_at - NOW if item.due_at else None)
    assert waits == [*WAITS, None]
    assert item.status is Status.PERMANENT_FAILURE


def test_jitter_spreads_by_a_fifth() -> None:
    """The wait is spread by at most 20 % to both sides."""
    assert next_attempt(2, NOW, lambda: 1.0) == NOW + timedelta(seconds=72)
    assert next_attempt(2, NOW, lambda: -1.0) == NOW + timedelta(seconds=48)


def test_permanent_failure_is_final_at_once() -> None:
    """A refusal for good is not tried again."""
    item = letter()
    item.queue(NOW)
    item.claim(NOW)
    item.conclude(1, NEVER, NOW, no_jitter)
    assert (item.status, item.due_at, item.last_code) == (Status.PERMANENT_FAILURE, None, 550)


def test_failure_is_told_without_the_address() -> None:
    """Mail servers repeat the address in their refusal; the event says the refusal and leaves the address out."""
    item = letter()
    item.queue(NOW)
    item.claim(NOW)
    reply = "5.1.1 <ana@chamber.example> no such person"
    item.conclude(1, Answer(verdict=Verdict.PERMANENT, code=550, reply=reply), NOW, no_jitter)
    recorded = item.collect()[-1]
    assert recorded.event.model_dump()["problem"] == "5.1.1 <…> no such person"
    assert "ana@chamber.example" not in str(recorded)


def test_late_failure_of_a_lost_sender_changes_nothing() -> None:
    """When another sender has taken the letter over, the first one's failure does not count."""
    item = letter()
    item.queue(NOW)
    item.claim(NOW)
    assert item.claim(NOW + timedelta(minutes=5)) is True
    item.conclude(1, NEVER, NOW, no_jitter)
    assert item.status is Status.SENDING


def test_late_acceptance_of_a_lost_sender_counts() -> None:
    """What the mail server has accepted is sent, whoever says so; it is said once."""
    item = letter()
    item.queue(NOW)
    item.claim(NOW)
    item.claim(NOW + timedelta(minutes=5))
    item.conclude(1, ACCEPTED, NOW, no_jitter)
    item.conclude(2, ACCEPTED, NOW, no_jitter)
    assert [recorded.event.TYPE for recorded in item.collect()].count("notifications.delivery.sent") == 1


def test_only_a_final_failure_is_sent_again() -> None:
    """An operator can send a failed letter again, with all its tries; a sent one can't be doubled."""
    item = letter()
    item.queue(NOW)
    with pytest.raises(ConflictError):
        item.resend("x@y.example", NOW)
    item.claim(NOW)
    item.conclude(1, NEVER, NOW, no_jitter)
    item.resend("new@chamber.example", NOW)
    assert (item.status, item.tries, item.attempts) == (Status.QUEUED, 0, 1)


def test_reading_is_recorded_once() -> None:
    """Reading a letter twice is one event, and an e-mail can't be marked as read."""
    item = letter(channel="inbox")
    item.read(NOW)
    item.read(NOW + timedelta(hours=1))
    assert len(item.collect()) == 1
    assert item.read_at == NOW
    with pytest.raises(ConflictError):
        letter().read(NOW)


@pytest.mark.parametrize(
    ("code", "about_letter", "verdict"),
    [
        (250, True, Verdict.ACCEPTED),
        (421, True, Verdict.TEMPORARY),
        (450, True, Verdict.TEMPORARY),
        (550, True, Verdict.PERMANENT),
        (554, False, Verdict.TEMPORARY),
        (535, False, Verdict.TEMPORARY),
    ],
)
def test_meaning_of_answers(code: int, verdict: Verdict, *, about_letter: bool) -> None:
    """4yz waits, 5yz about the letter is final, 5yz about our own set-up waits for an operator."""
    assert classify(code, about_letter=about_letter) is verdict


def test_message_has_both_parts_and_a_stable_id() -> None:
    """Each attempt makes the same message: same Message-ID, Russian text and HTML, nothing of it markup."""
    item = letter()
    first = compose(item, "Tamga <no-reply@tamga.example>", "http://tamga.example").as_bytes()
    message = message_from_bytes(first, policy=default)
    again = compose(item, "Tamga <no-reply@tamga.example>", "http://tamga.example")
    assert message["Message-ID"] == again["Message-ID"] == f"<{item.id}@tamga.example>"
    assert message["Date"] == again["Date"]
    assert message["To"] == "Ана Петрова <ana@chamber.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "<script>" in plain.get_content()
    assert "<script>" not in html.get_content()
    assert f'<a href="{item.link}">' in html.get_content()


@pytest.mark.parametrize("address", ["", "no-at-sign@", "a@b\r\nBcc: c@d", "ана@chamber.example", "a b@c", "<>"])
def test_addresses_that_cannot_stand_in_a_message(address: str) -> None:
    """An address that is none, or carries a header in it, is refused before anything is sent."""
    with pytest.raises(ValueError, match="address"):
        compose(letter(address=address), "Tamga <no-reply@tamga.example>", "http://tamga.example")


def test_values_are_written_as_the_reader_writes_them() -> None:
    """Money, days, moments (in the programme's zone), numbers and names by language follow the reader."""
    money = Money.of("48200.5", "EUR")
    assert in_words(money, "en", "UTC") == "48,200.50\u00a0EUR"
    assert in_words(money, "ru", "UTC") == "48\u00a0200,50\u00a0EUR"
    assert in_words(money.model_dump(mode="json"), "en", "UTC") == "48,200.50\u00a0EUR"
    assert in_words(date(2026, 11, 27), "ru", "UTC") == "27 ноября 2026\u202fг."
    assert in_words(NOW, "en", "Europe/Skopje") == "21 November 2026, 14:05"
    assert in_words(Decimal("0.5"), "ru", "UTC") == "0,5"
    assert in_words({"en": "Under review", "ru": "На рассмотрении"}, "ru", "UTC") == "На рассмотрении"
    assert in_words(["a", "b"], "en", "UTC") == "a, b"
    assert in_words(None, "en", "UTC") == ""


def test_subject_is_one_clean_line() -> None:
    """Line breaks and control characters in what people wrote never reach the subject or break the text."""
    text = Text(subject="{{ title }}", text="{{ title }}")
    subject, body = render(text, {"title": "a\r\nBcc: x@y\x00\x1b[1m " + "ж" * 300}, "en", RuleSet())
    assert "\n" not in subject
    assert "\r" not in subject
    assert "\x00" not in body
    assert len(subject) == 200


def test_what_people_wrote_is_never_a_template() -> None:
    """Braces in a title stay braces: values are not rendered again."""
    text = Text(subject="{{ title }}", text="{{ title }}")
    assert render(text, {"title": "{{ 7 * 7 }}"}, "en", RuleSet())[0] == "{{ 7 * 7 }}"


def test_best_language_of_a_letter() -> None:
    """A Kyrgyz reader gets Russian, a French one English, when those are all there is."""
    both = Letter(texts={"en": Text(subject="e", text="e"), "ru": Text(subject="r", text="r")})
    rules = RuleSet(fallback={"ky": ("ru",)})
    assert choose(rules, both, "ky")[0] == "ru"
    assert choose(rules, both, "fr")[0] == "en"
    assert choose(rules, Letter(texts={"ru": Text(subject="r", text="r")}), "fr")[0] == "ru"


def test_version_pins_the_words() -> None:
    """Two letters that claim the same version but differ in a word are told apart by the stored version."""
    one = Letter(version=3, texts={"en": Text(subject="e", text="e")})
    two = Letter(version=3, texts={"en": Text(subject="e", text="f")})
    assert version_of(one).startswith("3-")
    assert version_of(one) != version_of(two)


def test_html_escapes_quotes_in_a_link() -> None:
    """A link with quotes can't leave its attribute."""
    assert '"><b>' not in html_of("s", 'see http://x/"><b>', 'http://x/"><b>', "en")


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("http://x.example/grants/applications/BSO-1", "/grants/applications/BSO-1"),
        ("http://x.example/notifications/deliveries?case=B", "/notifications/deliveries?case=B"),
        ("", "/notifications/inbox"),
    ],
)
def test_page_path(link: str, path: str) -> None:
    """Opening a letter leads to its page on this very site, whatever host the letter named."""
    assert page_path(link) == path


def test_masked_address() -> None:
    """Of an address only its first letter and its domain are shown."""
    assert masked("ana@chamber.example") == "a…@chamber.example"
    assert masked("") == ""


class _Envelope:
    original_content = b"Subject: hello\r\n\r\nbody\r\n"


async def _deliver(keeper: Keeper, count: int) -> None:
    for _ in range(count):
        assert (await keeper.handle_DATA(None, None, _Envelope())).startswith("250 ")


def test_catcher_keeps_the_newest(tmp_path: Path) -> None:
    """The folder is bounded: the oldest letters go, and no half-written file ever shows."""
    keeper = Keeper(tmp_path, kept=3)
    _run(_deliver(keeper, 5))
    assert len(caught(tmp_path)) == 3
    assert [file for file in tmp_path.iterdir() if file.suffix != ".eml"] == []


def test_the_list_of_caught_mail_reads_headers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list opens no body and reads each letter once; asked for whole, the text is there."""
    keeper = Keeper(tmp_path)
    _run(_deliver(keeper, 2))
    [newest, _] = caught(tmp_path)
    assert (newest.header("Subject"), newest.header("To"), newest.text) == ("hello", "", "")
    monkeypatch.setattr(Path, "open", None)
    assert [item.header("Subject") for item in caught(tmp_path)] == ["hello", "hello"]
    monkeypatch.undo()
    assert [item.text for item in caught(tmp_path, whole=True)] == ["body\n", "body\n"]


def _run(coroutine: object) -> None:
    # In a thread of its own: another test of this session may have left a loop in this one.
    import asyncio  # noqa: PLC0415 - only here

    worker = threading.Thread(target=lambda: asyncio.run(coroutine))  # type: ignore[arg-type]
    worker.start()
    worker.join()


@pytest.mark.parametrize("name", ["../../etc/passwd", "x.eml", "/etc/passwd", "\x00.eml", ""])
def test_catcher_gives_only_its_own_letters(tmp_path: Path, name: str) -> None:
    """Names that the catcher did not give lead nowhere."""
    assert read(tmp_path, name) is None


def test_the_last_line_of_a_letter_leads_to_the_page_of_checkpoints() -> None:
    """Text and HTML end with the state of the log; in HTML its address is a link, and nothing of it is markup."""
    kept = Kept(1234, "00" * 32, "log.example/audit\n1234\n…\n")
    message = compose(letter(), "Tamga <no-reply@tamga.example>", "https://tamga.example/", kept)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert kept.short() in plain.get_content().strip().splitlines()[-1]
    assert '<a href="https://tamga.example/audit/checkpoint">' in html.get_content()
    assert all(len(line) < 100 for line in message.as_bytes().split(b"\r\n\r\n")[0].split(b"\r\n"))
    assert "Audit-Checkpoint" not in compose(letter(), "Tamga <no-reply@tamga.example>", "https://tamga.example/")
