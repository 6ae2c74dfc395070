"""What the house's own style does on a telephone, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

import shared.web

STYLE = (Path(shared.web.__file__).parent / "static" / "tamga.css").read_text()
LONG = "Закрыто: принято другое предложение другого банка-партнёра"
TAG = f"<div class='note'><b>Направлено снова:</b> <span class='tag'>{LONG}</span></div>"
DEEP = "<dl class='pairs'><div><dt>Показатели</dt><dd>" * 6 + "140 000,00" + "</dd></div></dl>" * 6


@pytest.mark.parametrize("inside", [TAG, DEEP], ids=["a long state", "values within values"])
def test_nothing_sticks_out_of_a_telephone(browser: Browser, inside: str) -> None:
    """A long state breaks its line and nested values stand under their names: 360 px need no scrolling sideways."""
    page = browser.new_page(viewport={"width": 360, "height": 700})
    body = f"<main><section class='card pad'>{inside}</section></main>"
    page.set_content(f"<meta charset=utf-8><style>{STYLE}</style>{body}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()
