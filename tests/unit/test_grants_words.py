"""The queue is said in Russian as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file

from services.grants.pages.queue import SORTS, STATES
from services.grants.pages.table import HEADINGS, harmless
from shared import i18n

TEMPLATES = Path(i18n.ROOT) / "services" / "grants" / "templates"
SAME = {"CSV"}


@pytest.mark.parametrize("name", ["queue.html", "board.html", "queue_parts.html"])
def test_every_word_of_the_queue_has_its_russian(name: str) -> None:
    """No sentence of the list, the board or their menus reaches a Russian reader in English."""
    options = {"trim_blocks": "true", "newstyle_gettext": "true", "silent": "false"}
    found = extract_from_file("jinja2.ext:babel_extract", TEMPLATES / name, options=options)
    catalogue = i18n.catalogue("grants", "ru")
    for _, message, _, _ in found:
        if isinstance(message, tuple):
            one, several = message[0], message[1]
            assert catalogue.ngettext(one, several, 5) != several
        elif message not in SAME:
            assert catalogue.gettext(message) != message, message


def test_every_heading_and_order_has_its_russian() -> None:
    """The file's headings, the orders and the states are in the catalogue."""
    catalogue = i18n.catalogue("grants", "ru")
    words = {*HEADINGS, *SORTS.values(), *STATES.values()}
    assert [word for word in words if catalogue.gettext(word) == word] == []


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1"])
def test_no_cell_is_executed_by_a_spreadsheet(cell: str) -> None:
    """What begins like a formula, after spaces too, gets an apostrophe; other text stays as it is."""
    assert harmless(cell) == f"'{cell}"
    assert harmless("Chamber = good") == "Chamber = good"
    assert harmless(None) == ""
