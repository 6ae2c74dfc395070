"""The whole Tamga: the founding story over HTTP, and every page of every role in a real browser.

One file, so that all of it is tested on one running Tamga.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, ViewportSize
from whole import Running, sign_in

from services.demo.story import ACTS
from shared.testing.backbone import eventually

pytestmark = pytest.mark.slow  # a whole house started, and its story told

Pages = dict[tuple[str, bool], Page]
WIDE, NARROW = ViewportSize(width=1280, height=720), ViewportSize(width=320, height=640)

# Which pages each person opens; {grant}, {firm} and {loan} are the cases of the story.
PAGES = {
    "applicant": ["/", "/grants/mine", "/grants/calls", "/grants/applications/{grant}", "/notifications/inbox"],
    "lead_firm": ["/", "/grants/cofinancing", "/grants/cofinancing/{firm}"],
    "msme": [
        *("/", "/loans/mine", "/loans/proposals/{loan}", "/loans/proposals/{loan}/offers"),
        *("/loans/products", "/loans/proposals/{loan}/matches"),
    ],
    "officer": ["/", "/grants/", "/grants/applications/{grant}", "/grants/cofinancing/{firm}", "/loans/proposals"],
    "reviewer_one": ["/", "/grants/reviews"],
    "manager": ["/", "/grants/", "/programmes", "/programmes/business-ecosystem"],
    "finance": ["/", "/grants/payments"],
    "bank_two": ["/", "/loans/referrals", "/loans/products", "/loans/products/new"],
    "auditor": [
        *("/", "/audit/", "/audit/cases/{grant}", "/audit/cases/{grant}/dossier", "/audit/cases/{loan}/dossier"),
        *("/audit/verification", "/audit/checkpoint", "/audit/watch", "/audit/sample"),
    ],
    "operator": [
        "/",
        "/operations",
        "/docs/events",
        "/docs/events/grants.application.awarded",
        "/people",
        "/notifications/mail",
        "/notifications/deliveries",
    ],
}
VISITS = [(key, path) for key, paths in PAGES.items() for path in paths]


@pytest.fixture(scope="session")
def cases(told: dict[str, Any], running: Running) -> dict[str, str]:
    """Give the references of the story's cases."""
    return {"grant": _series(told, "BSO"), "firm": _series(told, "COF"), "loan": _series(told, "PRO")}


def _series(told: dict[str, Any], prefix: str) -> str:
    words = [word for act in told["acts"] for word in act["what"].split()]
    return next(word for word in words if word.startswith(f"{prefix}-"))


@pytest.fixture(scope="module")
def pages(browser: Browser) -> Iterator[Pages]:
    """Give a place for the one page of each person's signed-in browser, with and without JavaScript.

    A browser starts processes for each new page, which take longer than to show it.
    """
    opened: Pages = {}
    yield opened
    for page in opened.values():
        page.context.close()


def _page(pages: Pages, browser: Browser, running: Running, key: str, *, script: bool) -> Page:
    if (key, script) not in pages:
        context = browser.new_context(java_script_enabled=script, locale="en-GB")
        pages[key, script] = context.new_page()
        sign_in(pages[key, script], running, key)
    return pages[key, script]


@contextmanager
def _complaints(page: Page) -> Iterator[list[str]]:
    """Give what the browser complains of within the block."""
    said: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    def on_error(error: Error) -> None:
        said.append(str(error))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    yield said
    page.remove_listener("console", on_console)
    page.remove_listener("pageerror", on_error)


def test_every_act_of_the_story_is_one_trace(running: Running, told: dict[str, Any]) -> None:
    """From a request through the broker to a letter at the mail server: no span without its parent, no person named."""
    collector = running.collector
    eventually(lambda: len(collector.named("smtp")) >= 20, seconds=30)
    time.sleep(2.5)  # every process sends what it has once a second
    seen = {span.id: span for span in collector.seen}
    begun = {span.trace for span in seen.values() if span.kind == "server"}  # what a command begins has no request
    assert [s.name for s in seen.values() if s.trace in begun and s.parent and s.parent not in seen] == []
    [letter] = [span for span in seen.values() if span.name == "smtp"][:1]
    above = [letter]
    while above[-1].parent:
        above.append(seen[above[-1].parent])
    names = [span.name.split(" ")[0] for span in above]
    assert names[:3] == ["smtp", "send", "process"]
    assert names[-2:] == ["unit", "POST"]
    assert {span.trace for span in above} == {letter.trace}
    words = " ".join(f"{span.name} {span.facts}" for span in seen.values())
    people = running.people.values()
    assert [word for person in people for word in (person["name"], person["email"]) if word in words] == []


@pytest.mark.parametrize("visit", VISITS, ids=" ".join)
def test_pages_show_without_complaint_and_fit(
    pages: Pages, browser: Browser, running: Running, cases: dict[str, str], visit: tuple[str, str]
) -> None:
    """Each page answers 200, has one heading, pleases the browser, and need not be pushed sideways at 320 pixels."""
    key, path = visit
    page = _page(pages, browser, running, key, script=True)
    page.set_viewport_size(WIDE)
    with _complaints(page) as complaints:
        answer = page.goto(running.url + path.format(**cases), wait_until="networkidle")
        assert answer is not None
        assert answer.status == 200
        assert page.locator("h1").count() == 1
        assert complaints == []
        page.set_viewport_size(NARROW)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_draft_is_started_and_kept_without_javascript(pages: Pages, browser: Browser, running: Running) -> None:
    """With scripts off an applicant opens a call, starts a draft, writes the title, saves, and finds it again."""
    page = _page(pages, browser, running, "applicant", script=False)
    page.goto(running.url + "/grants/calls/bso-grants-2026")
    page.locator("form[action$='/applications'] button").click()
    page.locator("input[name=title]").fill("A service without scripts")
    page.locator("main form .acts button[value=save]").click()
    page.goto(running.url + "/grants/mine")
    assert "A service without scripts" in page.content()


def test_sign_in_by_keyboard(browser: Browser, running: Running) -> None:
    """Tab and Enter are enough to sign in, and the focus can be seen."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(running.url + "/sign-in")
    person = running.people["officer"]
    for _ in range(12):
        if page.evaluate("document.activeElement.name") == "email":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.type(person["email"])
    page.keyboard.press("Tab")
    page.keyboard.type(person["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    assert "Goran" in page.content()
    context.close()


def test_an_expired_session_asks_to_sign_in_and_comes_back(browser: Browser, running: Running) -> None:
    """Without the cookie a page leads to sign-in, and signing in leads back to that page."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, running, "officer")
    context.clear_cookies()
    page.goto(running.url + "/grants/")
    assert page.locator("input[name=password]").count() == 1
    person = running.people["officer"]
    page.get_by_label("E-mail").fill(person["email"])
    page.locator("input[name=password]").fill(person["password"])
    page.locator("form[action='/sign-in'] button").click()
    page.wait_for_url(lambda url: url.endswith("/grants/"))
    context.close()


def test_the_story_holds(told: dict[str, Any]) -> None:
    """Every act of the story went as it should, and log and accounts are right at its end."""
    assert told["ok"] is True
    assert len(told["acts"]) == ACTS
    assert all(check["code"] == 0 for check in told["checks"].values())


@pytest.mark.parametrize(
    "event",
    [
        "grants.attempt.refused",
        "grants.application.awarded",
        "grants.award.payment_confirmed",
        "grants.cofinancing.released",
        "loans.referral.declined",
        "loans.referral.accepted",
        "loans.loan.disbursement_confirmed",
        "audit.search.performed",
    ],
)
def test_acts_refusals_and_reads_leave_events(told: dict[str, Any], event: str) -> None:
    """Acts, refused attempts and searches are events of the story."""
    assert event in {kind for act in told["acts"] for kind in act["events"]}


def test_every_event_has_its_leaf(told: dict[str, Any]) -> None:
    """Each event of each act stands in the log, at an index of its own."""
    leaves = [leaf for act in told["acts"] for leaf in act["leaves"]]
    assert len(leaves) == sum(len(act["events"]) for act in told["acts"])
    assert len(set(leaves)) == len(leaves)


def test_nothing_is_unaccounted(running: Running, told: dict[str, Any]) -> None:
    """`tamga reconcile` finds every event at every consumer, and exits with 0."""
    done = running.tamga("reconcile", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["unaccounted"] == 0


def test_the_log_verifies_and_proves(running: Running, told: dict[str, Any]) -> None:
    """`tamga audit verify` says the log is whole, and proves one event."""
    verified = running.tamga("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    event = json.loads(running.tamga("events", "list", "--json").stdout)
    first = event["events"][0]["id"] if isinstance(event, dict) else event[0]["id"]
    proved = running.tamga("audit", "prove", first, "--json")
    assert proved.returncode == 0, proved.stdout + proved.stderr
