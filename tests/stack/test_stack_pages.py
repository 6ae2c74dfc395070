"""People in a real browser, through the proxy. After what looks at packets: a browser asks for things of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from running_stack import RunningStack

pytestmark = pytest.mark.timeout(300)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


def test_every_role_signs_in_and_finds_its_first_page(
    chromium: Browser, stack: RunningStack, people: dict[str, dict[str, Any]]
) -> None:
    """One person of each role signs in with a password, sees a page of their own, and the console stays empty."""
    by_role = {role: person for person in people.values() for role in person["roles"]}
    assert len(by_role) >= 7
    for role, person in by_role.items():
        # That the certificate is good is for those tests to see that know the proxy's own authority.
        with chromium.new_context(base_url=stack.address, ignore_https_errors=True) as context:
            page, said = context.new_page(), list[str]()
            page.on("console", lambda message, said=said: said.append(message.text))  # type: ignore[misc]
            page.goto("/sign-in")
            page.fill("input[name=email]", person["email"])
            page.fill("input[name=password]", person["password"])
            page.click("main button[type=submit], main form[action='/sign-in'] button")
            page.wait_for_url(lambda url: "/sign-in" not in url)
            assert page.locator("h1").count() == 1, role
            assert person["name"] in (page.text_content("body") or ""), role
            assert not said, (role, said)
            cookies = {cookie["name"]: cookie for cookie in context.cookies()}
            assert cookies["__Host-tamga"]["secure"], role
            assert cookies["__Host-tamga"]["httpOnly"], role
