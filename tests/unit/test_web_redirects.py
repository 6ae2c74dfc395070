"""After signing in, people go on within this site and nowhere else."""

from __future__ import annotations

import pytest

from shared.web.redirects import local_path

EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\tevil",
    "/\n/evil.example",
    "/\r\nset-cookie: a=b",
    "/%0d%0a\x00",
    " /grants",
    "grants/mine",
    "",
    "/grants\\..\\evil",
    "/a@b\u2028c",
    "/" + "x" * 600,
    None,
]


@pytest.mark.parametrize("given", EVIL)
def test_addresses_of_other_sites_lead_home(given: str | None) -> None:
    """Whatever a browser could read as another site, or as no address at all, becomes "/"."""
    assert local_path(given) == "/"


@pytest.mark.parametrize(
    "given", ["/", "/grants/", "/grants/applications/BSO-2026-0001?tab=money#top", "/a/b?x=%2F%2Fy"]
)
def test_addresses_of_this_site_are_kept(given: str) -> None:
    """Own addresses, with queries and escapes, are kept as they are."""
    assert local_path(given) == given
