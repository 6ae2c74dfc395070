"""Giving the password again: what was being done waits, nothing of it is lost, and the session has a new secret."""

from __future__ import annotations

from datetime import timedelta

from test_portal_sessions import House, house, made, token_of

from shared.testing.web import Browser

__all__ = ["house", "made"]


def confirmed_at(browser: Browser) -> int:
    """Return when the portal says that the person gave their password."""
    return int(browser.json("GET", "/api/me").json()["confirmed_at"])


def test_a_form_waits_for_the_password_and_goes_on_whole(house: House) -> None:
    """Wrong, then right: the page carries every field on, the old cookie opens nothing, the new one is confirmed."""
    browser = house.signed_in("finance")
    first = confirmed_at(browser)
    house.now += timedelta(minutes=6)
    page = browser.get("/confirm?next=/grants/payments")
    fields = {"csrf": token_of(page), "to": "/grants/applications/B-1/tranches/1/release", "f.version": "7"}
    fields |= {"f.reason": "Part of it", "password": "not the password"}
    wrong = browser.post("/confirm", fields)
    assert wrong.status_code == 401
    assert 'name="f.reason" value="Part of it"' in wrong.text
    former = house.browser()
    former.cookies.update(browser.cookies)
    right = browser.post("/confirm", fields | {"password": house.people["finance"].password})
    assert right.status_code == 200
    assert 'action="/grants/applications/B-1/tranches/1/release"' in right.text
    assert 'name="reason" value="Part of it"' in right.text
    assert house.people["finance"].password not in right.text
    assert confirmed_at(browser) == first + 360
    assert former.json("GET", "/api/me").status_code == 401
    assert house.events("portal.session.confirmed")[-1] == {"user_id": house.user_id("finance")}


def test_guessing_is_slowed_down_and_leads_nowhere_else(house: House) -> None:
    """After some wrong tries the right password waits, too; the way on is within this site alone."""
    browser = house.signed_in("finance")
    token = token_of(browser.get("/confirm?next=//evil.example"))
    guess = {"csrf": token, "to": "/", "password": "guess"}
    codes = [browser.post("/confirm", guess).status_code for _ in range(7)]
    assert (codes[0], codes[-1]) == (401, 429)
    assert browser.post("/confirm", guess | {"password": house.people["finance"].password}).status_code == 429
    other = house.signed_in("manager")
    fields = {"csrf": token_of(other.get("/confirm")), "to": "//evil.example"}
    answer = other.post("/confirm", fields | {"password": house.people["manager"].password})
    assert answer.headers["location"] == "/"
