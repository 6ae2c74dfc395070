"""Pages and API of letters: whose they are, what they show, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from notifications_world import CASE, PARTIES, World, mail_server, ready

from services.notifications import api, catcher, pages
from services.notifications.application import TEMPLATES
from services.notifications.policy import POLICY
from shared.infrastructure.system import free_port
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.identity import Identity


@pytest.fixture(scope="module")
def known_world(stand: Stand) -> World:
    return ready(stand.database("notifications"))


@pytest.fixture
def world(known_world: World) -> World:
    return known_world.begin_again()


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    return Site(world, tmp_path)


class Site:
    """The service's app over a world, and people who open it."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home = world, home
        self.app = create_service_app(
            service="notifications",
            engine=world.engine,
            policy=POLICY,
            routers=[api.router, pages.router],
            templates=TEMPLATES,
            settings=web_settings(home=home),
            key=KEY,
            clock=world.clock,
        )

    def browser(self, who: Identity | None) -> Browser:
        return Browser(self.app, who)


ANA = person("applicant", "applicant")
GORAN = person("officer", "officer")
OPERATOR = person("operator", "operator")
STRANGER = person("officer", "stranger", programmes=("elsewhere",))


@pytest.mark.english
def test_inbox_shows_my_letters_and_the_bell_counts_them(site: Site) -> None:
    """The inbox lists my unread letters with a way to the case; what people wrote stands there as text."""
    site.world.deliver(site.world.submitted())
    ana = site.browser(ANA)
    page = ana.get("/inbox")
    assert page.status_code == 200
    assert "we have received your application" in page.text
    assert "Training &lt;b&gt;service&lt;/b&gt;" in page.text
    assert f"Open {CASE}" in page.text
    assert "<b>1</b>" in ana.get("/bell").text
    assert "<b>" not in site.browser(person("applicant", "nobody")).get("/bell").text


@pytest.mark.english
def test_opening_a_letter_marks_it_read_and_leads_to_the_case(site: Site) -> None:
    """Open: 303 to the case's page on this site; afterwards nothing is unread, and unread can be set again."""
    site.world.deliver(site.world.submitted())
    letter = next(item for item in site.world.deliveries(channel="inbox") if item.recipient == "applicant")
    ana = site.browser(ANA)
    opened = ana.post(f"/inbox/{letter.id}/open")
    assert (opened.status_code, opened.headers["location"]) == (303, f"/grants/applications/{CASE}")
    assert ana.json("GET", "/api/inbox").json()["unread"] == 0
    assert ana.post(f"/inbox/{letter.id}/unread").status_code == 303
    assert [item["id"] for item in ana.json("GET", "/api/inbox?unread=true").json()["letters"]] == [letter.id]
    assert ana.post("/inbox/read").status_code == 303
    assert "You have read everything" in ana.get("/inbox?unread=true").text


def test_letters_of_others_do_not_exist(site: Site) -> None:
    """Somebody else's letter answers 404 to every act, and stays unread."""
    site.world.deliver(site.world.submitted())
    letter = next(item for item in site.world.deliveries(channel="inbox") if item.recipient == "applicant")
    goran = site.browser(GORAN)
    for act in ("open", "read", "unread"):
        assert goran.post(f"/inbox/{letter.id}/{act}").status_code == 404
    assert goran.json("POST", f"/api/inbox/{letter.id}/read").status_code == 404
    assert goran.post(f"/inbox/{uuid4()}/read").status_code == 404
    assert goran.post("/inbox/not-an-id/read").status_code == 422
    assert site.browser(ANA).json("GET", "/api/inbox").json()["unread"] == 1


def test_nothing_without_a_session_or_a_token(site: Site) -> None:
    """Pages lead to the sign-in, the API answers 401, and a form without its token changes nothing."""
    nobody = site.browser(None)
    assert nobody.get("/inbox").status_code in {302, 303}
    assert nobody.json("GET", "/api/inbox").status_code == 401
    assert site.browser(ANA).post("/inbox/read", {"csrf": "wrong"}).status_code == 403


@pytest.mark.english
def test_preferences(site: Site) -> None:
    """Free categories can be switched off, locked ones not, unknown ones are refused by name."""
    ana = site.browser(ANA)
    assert "Always sent" in ana.get("/preferences").text
    saved = ana.post("/preferences", {"email": ["task"]})
    assert saved.headers["location"] == "/notifications/preferences?saved=true"
    page = ana.get("/preferences?saved=true").text
    assert page.count(" checked") == 2  # the locked one and `task`
    assert ana.post("/preferences", {"email": ["official"]}).status_code == 422
    assert ana.post("/preferences", {"emails": ["task"]}).status_code == 422
    recorded = site.world.published("notifications.preference.")
    assert recorded[0].body["data"] == {"user_id": "applicant", "muted": ["progress", "trouble"]}


@pytest.mark.english
def test_delivery_page_says_why(site: Site) -> None:
    """The operator sees attempts and the decision in sentences; the address is masked; the view is recorded."""
    submitted = site.world.submitted()
    site.world.deliver(submitted)
    with mail_server() as (mail, url):
        mail.moods = ["450"]
        site.world.sender(url).run()
    letter = site.world.email_to("applicant")
    operator = site.browser(OPERATOR)
    listed = operator.get(f"/deliveries?case={CASE}").text
    assert "trying again" in listed
    assert "Why was somebody told, or not?" in listed
    page = operator.get(f"/deliveries/{letter.id}").text
    assert "refused for now" in page
    assert "The rule submitted-receipt speaks about grants.application.submitted." in page
    assert "does not stand for it in that role" in page
    assert "a…@chamber.example" in page
    assert "ana@chamber.example" not in page.replace("450 ana@chamber.example", "")
    assert site.world.published("notifications.record.viewed")[0].body["data"]["record"] == f"delivery:{letter.id}"


def test_deliveries_are_scoped_to_the_programme(site: Site) -> None:
    """An officer of another programme sees no letters, by list, page or API; people without the role get 403."""
    site.world.deliver(site.world.submitted())
    letter = site.world.email_to("applicant")
    stranger = site.browser(STRANGER)
    assert stranger.get(f"/deliveries/{letter.id}").status_code == 404
    assert stranger.json("GET", f"/api/deliveries/{letter.id}").status_code == 404
    assert stranger.json("GET", f"/api/deliveries?case={CASE}").json() == {"deliveries": [], "next": None}
    assert "submitted-receipt" not in stranger.get(f"/deliveries?case={CASE}").text
    assert site.browser(GORAN).get(f"/deliveries/{letter.id}").status_code == 200
    ana = site.browser(ANA)
    assert ana.get("/deliveries").status_code == 403
    assert ana.json("GET", "/api/deliveries").status_code == 403
    assert ana.get("/mail").status_code == 403
    assert site.browser(GORAN).post(f"/deliveries/{letter.id}/resend").status_code == 403


@pytest.mark.english
def test_resend_from_the_page(site: Site) -> None:
    """The operator sends a failed letter again with one button; a letter that did not fail is refused with 409."""
    site.world.deliver(site.world.moved("approve", parties={"applicant": PARTIES["applicant"]}))
    letter = site.world.email_to("applicant")
    operator = site.browser(OPERATOR)
    assert operator.post(f"/deliveries/{letter.id}/resend").status_code == 409
    with mail_server() as (mail, url):
        mail.moods = ["550"]
        site.world.sender(url).run()
    assert "Send again" in operator.get(f"/deliveries/{letter.id}").text
    assert operator.post(f"/deliveries/{letter.id}/resend").status_code == 303
    assert operator.json("GET", f"/api/deliveries/{letter.id}").json()["status"] == "queued"


def test_api_pages_through_deliveries(site: Site) -> None:
    """The list goes on by cursor without gaps or doubles; made-up cursors and limits are refused."""
    site.world.deliver(site.world.submitted())
    operator = site.browser(OPERATOR)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = operator.json("GET", f"/api/deliveries?limit=4&cursor={cursor}").json()
        seen += [item["id"] for item in answer["deliveries"]]
        cursor = answer["next"]
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen, reverse=True)
    for wrong in ("cursor=made-up", "limit=0", "limit=1000000", "status=nonsense", "case=%00"):
        assert operator.json("GET", f"/api/deliveries?{wrong}").status_code == 422


def test_mail_page_shows_what_went_out(site: Site) -> None:
    """The operator reads headers and text of what the catcher took; the HTML part is never shown."""
    port = free_port()
    controller = catcher.start(port, site.home / "mail")
    site.world.deliver(site.world.submitted())
    site.world.sender(f"smtp://127.0.0.1:{port}").run()
    controller.stop()
    operator = site.browser(OPERATOR)
    listed = operator.get("/mail").text
    assert "Ana Petrova" in listed
    found = operator.json("GET", "/api/mail").json()
    assert len(found) == 3
    page = operator.get(f"/mail/{found[0]['name']}").text
    assert "Message-ID" in page
    assert "Training &lt;b&gt;service&lt;/b&gt;" in page
    assert "&lt;!doctype" not in page
    assert operator.get(f"/mail/{uuid4()}.eml").status_code == 404
    assert operator.get("/mail/..%2F..%2Fetc%2Fpasswd").status_code == 404


@pytest.mark.english
def test_empty_pages_say_what_to_do(site: Site) -> None:
    """Empty inbox, empty list and empty mail each say why they are empty."""
    assert "Your inbox is empty" in site.browser(ANA).get("/inbox").text
    assert "Letters are written when something happens" in site.browser(OPERATOR).get("/deliveries").text
    assert "No mail yet" in site.browser(OPERATOR).get("/mail").text


def test_pages_are_russian_for_a_russian_reader(site: Site) -> None:
    """A reader whose language is Russian sees the pages in Russian."""
    site.world.deliver(site.world.submitted())
    dana = site.browser(person("officer", "officer_two", locale="ru"))
    page = dana.get("/inbox").text
    assert "Входящие" in page
    assert "Отметить все как прочитанные" in page
    assert "Mark" not in page
    assert "отправляется" not in dana.get("/deliveries").text.split("<tbody>")[0].split("</select>")[1]
    assert "Why" not in dana.get(f"/deliveries?case={CASE}").text
